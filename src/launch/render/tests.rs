//! What is rendered of a plan, and what is refused, with values from nowhere.

use super::*;
use crate::launch::document::Document;
use crate::launch::format::Refusal;
use crate::launch::plan::tests::document;
use crate::launch::plan::{Content, Plan, Variable, plan};
use crate::launch::problem::Place;
use crate::launch::reference::Grammar;

const AMPLE: usize = 1 << 20;

fn name(text: &str) -> SecretName {
    SecretName::parse(text).expect("a name")
}

fn given(name: &str, text: &str) -> Variable {
    let content = Content::Given(text.as_bytes().to_vec());
    Variable { name: name.as_bytes().to_vec(), content }
}

fn export(text: &str) -> Variable {
    Variable { name: text.as_bytes().to_vec(), content: Content::Export(name(text)) }
}

/// The plan's names with these values; those that are not told have a `v`.
fn values(plan: &Plan, known: &[(&str, &[u8])]) -> Values {
    let value = |name: &SecretName| {
        let known = known.iter().find(|(known, _)| *known == name.as_str());
        Secret::new(known.map_or(b"v".as_slice(), |(_, value)| value).to_vec())
    };
    Values::new(plan.wanted.names().map(|name| (name.clone(), value(name))).collect())
}

fn variables(
    variables: Vec<Variable>,
    known: &[(&str, &[u8])],
    entry_bytes_max: usize,
) -> Result<Rendered, Vec<Problem>> {
    let plan = plan(variables, Vec::new(), &Grammar::default(), &[]);
    assert!(plan.problems.is_empty(), "{:?}", plan.problems);
    let values = values(&plan, known);
    render(plan.variables, plan.documents, values, entry_bytes_max)
}

fn entries(rendered: &Rendered) -> Vec<&[u8]> {
    fn entry(variable: &RenderedVariable) -> &[u8] {
        match variable {
            RenderedVariable::Entry(entry) => entry.to_bytes(),
            RenderedVariable::AsFile { .. } | RenderedVariable::Memory { .. } => b"a file",
        }
    }
    rendered.variables.iter().map(entry).collect()
}

/// A document alone, in so many bytes at most.
fn written(
    document: Document,
    known: &[(&str, &[u8])],
    bytes_max: usize,
) -> Result<String, Vec<Problem>> {
    let plan = plan(Vec::new(), vec![document], &Grammar::default(), &[]);
    let values = values(&plan, known);
    let written = super::document::write(&plan.documents[0], &values, bytes_max)?;
    Ok(String::from_utf8(written.expose_secret().to_vec()).expect("UTF-8"))
}

/// The names, the line and column of each place, and why.
type Refused = (Vec<String>, Vec<(usize, usize)>, Refusal);

fn refused(problems: Vec<Problem>) -> Vec<Refused> {
    let place = |place| match place {
        Place::File { line, column, .. } => (line, column),
        other => panic!("{other:?} is not in the file"),
    };
    let one = |problem| match problem {
        Problem::Unwritable { names, places, why } => {
            let names = names.iter().map(SecretName::to_string).collect();
            (names, places.into_iter().map(place).collect(), why)
        }
        other => panic!("{other:?} is not of a value"),
    };
    problems.into_iter().map(one).collect()
}

#[test]
fn variables_keep_their_order_and_their_bytes() {
    let inherited = Variable { name: b"C".to_vec(), content: Content::Untouched(c"C=$X") };
    let memory = Variable { name: b"D".to_vec(), content: Content::Memory { file: 7 } };
    let as_file = Variable { name: b"E".to_vec(), content: Content::AsFile(name("Z")) };
    let all = vec![
        given("A", "$X-$$X-$$$X-${Y}$"),
        given("B", "plain"),
        inherited,
        export("X"),
        memory,
        as_file,
    ];
    let rendered =
        variables(all, &[("X", b"$Y\xff")], AMPLE).unwrap_or_else(|all| panic!("{all:?}"));
    let expected: [&[u8]; 6] =
        [b"A=$Y\xff-$X-$$Y\xff-v$", b"B=plain", b"C=$X", b"X=$Y\xff", b"a file", b"a file"];
    assert_eq!(entries(&rendered), expected);
    let [
        ..,
        RenderedVariable::Memory { name: memory, file: 7 },
        RenderedVariable::AsFile { name: file, secret },
    ] = &rendered.variables[..]
    else {
        panic!("they are files")
    };
    assert_eq!((memory.as_slice(), file.as_slice()), (b"D".as_slice(), b"E".as_slice()));
    assert_eq!(rendered.values.name(*secret).as_str(), "Z");
    assert_eq!(rendered.values.get(*secret).expose_secret(), b"v");
}

/// With its NUL, an entry may have as many bytes as the kernel takes.
#[test]
fn an_entry_may_just_fit() {
    // `AB=` or `XY=`, 8 bytes and the NUL.
    let known: [(&str, &[u8]); 2] = [("X", b"12345"), ("XY", b"12345678")];
    let all = || vec![given("AB", "$X$$X!"), export("XY")];
    let rendered = variables(all(), &known, 12).unwrap_or_else(|all| panic!("{all:?}"));
    assert_eq!(entries(&rendered), [b"AB=12345$X!", b"XY=12345678"]);
    let Err(problems) = variables(all(), &known, 11) else { panic!("they are too long") };
    let shown = problems.iter().map(|problem| match problem {
        Problem::Unplaceable { variable, names, why: Unplaceable::TooLong { bytes, limit } } => {
            let names: Vec<&str> = names.iter().map(SecretName::as_str).collect();
            (variable.as_str(), names, *bytes, *limit)
        }
        other => panic!("{other:?}"),
    });
    let expected = [("AB", vec!["X"], 11, 10), ("XY", vec!["XY"], 11, 10)];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

#[test]
fn what_was_inherited_as_it_is_had_room() {
    let inherited = Variable { name: b"A".to_vec(), content: Content::Untouched(c"A=1234567890") };
    let long = "A".repeat(30);
    let as_file = Variable { name: long.into_bytes(), content: Content::AsFile(name("X")) };
    assert!(variables(vec![inherited], &[], 5).is_ok());
    assert!(variables(vec![as_file], &[], 20).is_err());
}

#[test]
fn nul_is_told_for_each_variable() {
    let all = vec![given("A", "$X"), given("B", "$Y"), export("X")];
    let Err(problems) = variables(all, &[("X", b"1\x002")], AMPLE) else { panic!("it has a NUL") };
    let shown = problems.iter().map(|problem| match problem {
        Problem::Unplaceable { variable, names, why: Unplaceable::Nul } => {
            (variable.as_str(), names.len())
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(shown.collect::<Vec<_>>(), [("A", 1), ("X", 1)]);
}

#[test]
fn documents_and_variables_fail_together() {
    let documents = vec![document("a.json", "[$X]"), document("b.json", "[$Y]")];
    let plan = plan(vec![given("A", "$Z")], documents, &Grammar::default(), &[]);
    let values = values(&plan, &[("Z", b"\0"), ("Y", b"1")]);
    let Err(problems) = render(plan.variables, plan.documents, values, AMPLE) else {
        panic!("two of them are wrong")
    };
    assert!(matches!(problems[..], [Problem::Unplaceable { .. }, Problem::Unwritable { .. }]));
}

#[test]
fn each_document_has_its_own_file() {
    let left_alone = Document { target: None, ..document("b.txt", "$X") };
    let variable = Document {
        target: Some(Target::Variable(b"CONFIG".to_vec())),
        ..document("c.yaml", "# $Y\na: $X\n")
    };
    let documents = vec![document("a.txt", "1$X$$X"), left_alone, variable];
    let plan = plan(Vec::new(), documents, &Grammar::default(), &[]);
    let values = values(&plan, &[("X", b"yes")]);
    let rendered = render(Vec::new(), plan.documents, values, AMPLE).unwrap_or_else(|_| panic!());
    let shown =
        rendered.files.iter().map(|file| (file.target.clone(), file.contents.expose_secret()));
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            (Some(Target::Stdout), b"1yes$X".as_slice()),
            (None, b""),
            (Some(Target::Variable(b"CONFIG".to_vec())), b"# $Y\na: \"yes\"\n"),
        ]
    );
}

#[test]
fn what_has_a_fault_is_not_written() {
    assert_eq!(written(document("a.txt", "$X ${Y"), &[], AMPLE).ok(), Some(String::new()));
    assert_eq!(written(document("a.json", "{$X"), &[], AMPLE).ok(), Some(String::new()));
}

#[test]
fn a_document_may_just_fit() {
    // The second is longer when it is escaped, and the third has its length behind its last scalar.
    let known: [(&str, &[u8]); 2] = [("X", b"12345678"), ("Q", b"\"\"")];
    for (path, text, expected) in [
        ("a.txt", "$X$$X", "12345678$X"),
        ("a.json", "\"$Q$Q\"", r#""\"\"\"\"""#),
        ("a.json", "[\"$$X\", 1234]", "[\"$X\", 1234]"),
        ("a.json", "[\"$Q\"     ]", "[\"\\\"\\\"\"     ]"),
    ] {
        let fits = written(document(path, text), &known, expected.len());
        assert_eq!(fits.ok().as_deref(), Some(expected), "{text}");
        let Err(problems) = written(document(path, text), &known, expected.len() - 1) else {
            panic!("{text} fits into less")
        };
        let [Problem::RenderedTooLarge { path: told, limit: RENDERED_BYTES_MAX }] = &problems[..]
        else {
            panic!("{problems:?}")
        };
        assert_eq!(told.to_str(), Some(path));
    }
}

#[test]
fn all_documents_together_may_just_fit() {
    for (bytes_max, expected) in [(9, (3, 0)), (8, (2, 1)), (5, (1, 2)), (2, (0, 3))] {
        let documents = ["a.txt", "b.json", "c.txt"].map(|path| document(path, "$X"));
        let plan = plan(Vec::new(), documents.into(), &Grammar::default(), &[]);
        let values = values(&plan, &[("X", b"123")]);
        let (files, problems) = render_documents(plan.documents, &values, bytes_max);
        assert_eq!((files.len(), problems.len()), expected, "{bytes_max}");
    }
}

#[test]
fn a_scalar_of_more_than_64_mib_is_refused() {
    let half = vec![b'1'; 32 << 20];
    // With its quotes.
    let just_fits = written(document("a.json", "[\"$X$X\"]"), &[("X", &half[1..])], 1 << 30);
    assert_eq!(just_fits.map(|out| out.len()).ok(), Some((64 << 20) + 2));
    let failed = written(document("a.json", "[\"$X$X$Y\"]"), &[("X", &half)], 1 << 30);
    let [(names, places, Refusal::Unheld { what, .. })] = &refused(failed.expect_err("it is"))[..]
    else {
        panic!("one scalar is")
    };
    assert!(what.contains("64 MiB"), "{what}");
    assert_eq!((names.len(), places.as_slice()), (2, [(1, 3)].as_slice()));
}

#[test]
fn what_is_refused_is_told_with_its_places() {
    let text = "[\"ü$$N\", $N, $M, $OK,\n $N, \"$N\"]";
    let known: [(&str, &[u8]); 3] = [("N", b"nothing"), ("M", b"no"), ("OK", b"1")];
    let failed = refused(written(document("a.json", text), &known, AMPLE).expect_err("they are"));
    let why = failed[0].2;
    assert!(matches!(why, Refusal::NotBare { .. }));
    let names = |name: &str| vec![name.to_owned()];
    assert_eq!(
        failed,
        [(names("N"), vec![(1, 10), (2, 2)], why), (names("M"), vec![(1, 14)], why),]
    );
}

#[test]
fn a_scalar_names_each_of_its_secrets_once() {
    let text = "b = '$$C $A$B$A'\nc = \"$D\"\n";
    let failed = written(document("a.toml", text), &[("B", b"'")], AMPLE).expect_err("it is");
    let [(names, places, _)] = &refused(failed)[..] else { panic!("one scalar is refused") };
    assert_eq!((names.join(" "), places.as_slice()), ("A B".to_owned(), [(1, 10)].as_slice()));
}

#[test]
fn what_only_the_whole_shows_is_told() {
    let known: [(&str, &[u8]); 2] = [("A", b"key"), ("B", b"key")];
    let text = "{\"x\": \"$C\",\n \"$A\": 1, \"$B\": 2, \"z\": \"$D\"}";
    let failed = refused(written(document("a.json", text), &known, AMPLE).expect_err("it is"));
    assert_eq!(failed, [(vec!["B".to_owned()], vec![(2, 12)], Refusal::Duplicate)]);
    // An escape has no secret that could be blamed: its scalar is.
    let known: [(&str, &[u8]); 1] = [("A", b"$A")];
    let text = "{\"$A\": 1, \"$$A\": 2}";
    let failed = refused(written(document("a.json", text), &known, AMPLE).expect_err("it is"));
    assert_eq!(failed, [(vec![], vec![(1, 11)], Refusal::Duplicate)]);
    // Not where the output is of no use for another reason.
    let text = "{\"$A\": 1, \"$B\": $C}";
    let known: [(&str, &[u8]); 2] = [("A", b"key"), ("B", b"key")];
    let failed = refused(written(document("a.json", text), &known, AMPLE).expect_err("it is"));
    assert!(matches!(failed[..], [(_, _, Refusal::NotBare { .. })]), "{failed:?}");
}
