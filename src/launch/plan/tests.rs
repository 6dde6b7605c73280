//! What a plan makes of variables, options and documents, with no store and no file.

use std::ffi::CStr;
use std::path::PathBuf;

use super::*;
use crate::launch::format;
use crate::launch::problem::Standing;
use crate::name::Environment;

const APP: &str = "app.json";

fn name(text: &str) -> SecretName {
    SecretName::parse(text).expect("a name")
}

fn environment(text: &str) -> Environment {
    Environment::parse(text).expect("an environment")
}

fn in_production() -> Grammar {
    Grammar {
        environment: Some(environment("PROD")),
        environments: vec![environment("DEV"), environment("PROD")],
        ..Grammar::default()
    }
}

fn variable(name: &str, content: Content) -> Variable {
    Variable { name: name.as_bytes().to_vec(), content }
}

fn inherited(entry: &'static CStr) -> Variable {
    let equals = entry.to_bytes().iter().position(|b| *b == b'=').expect("an entry");
    let name = entry.to_bytes()[..equals].to_vec();
    Variable { name, content: Content::Inherited { entry, value_start: equals + 1 } }
}

fn given(name: &str, text: &str) -> Variable {
    variable(name, Content::Given(text.as_bytes().to_vec()))
}

fn env_file(text: &str) -> Vec<Variable> {
    let (lines, faults) = env_file::parse(text.as_bytes());
    assert!(faults.is_empty(), "{faults:?}");
    let (path, text) = (Rc::new(PathBuf::from(".env")), Rc::new(text.as_bytes().to_vec()));
    let content = |line| Content::Line { path: Rc::clone(&path), text: Rc::clone(&text), line };
    lines
        .into_iter()
        .map(|line| Variable { name: line.name.clone(), content: content(line) })
        .collect()
}

pub fn document(path: &str, text: &str) -> Document {
    Document {
        path: Rc::new(PathBuf::from(path)),
        text: Rc::new(text.as_bytes().to_vec()),
        format: Format::of(path.as_ref(), None),
        literal: Vec::new(),
        target: Some(Target::Stdout),
    }
}

fn of_variables(variables: Vec<Variable>, grammar: &Grammar) -> Plan {
    plan(variables, Vec::new(), grammar, &[])
}

fn of_documents(documents: Vec<Document>) -> Plan {
    plan(Vec::new(), documents, &Grammar::default(), &[])
}

fn in_variable(name: &str, column: usize) -> Place {
    Place::Variable { name: name.to_owned(), column }
}

fn in_file(path: &str, line: usize, column: usize) -> Place {
    Place::File { path: PathBuf::from(path), line, column }
}

fn wanted(plan: &Plan) -> Vec<&str> {
    plan.wanted.names().map(SecretName::as_str).collect()
}

/// The secret of each edit of a variable's text.
fn edits(planned: &Planned) -> Vec<Option<Id>> {
    match &planned.value {
        PlannedValue::Text { edits, .. } => edits.iter().map(Edit::secret).collect(),
        other => panic!("{other:?} is no text"),
    }
}

#[test]
fn an_entry_without_a_reference_is_handed_on_as_it_stands() {
    const PLAIN: &CStr = c"A=$lower, $$ and $1";
    const UNREAD: &CStr = c"B=$NAME";
    let unread = variable("B", Content::Untouched(UNREAD));
    let plan = of_variables(vec![inherited(PLAIN), unread], &Grammar::default());
    assert!(plan.wanted.is_empty() && plan.problems.is_empty());
    for (planned, entry) in plan.variables.iter().zip([PLAIN, UNREAD]) {
        assert!(matches!(planned.value, PlannedValue::Untouched(it) if std::ptr::eq(it, entry)));
    }
}

#[test]
fn a_value_is_read_and_not_its_name() {
    let plan = of_variables(vec![inherited(c"A$B=x$NAME")], &Grammar::default());
    assert_eq!(wanted(&plan), ["NAME"]);
    assert_eq!(plan.wanted.places(&name("NAME")), [in_variable("A$B", 2)]);
    let planned = &plan.variables[0];
    assert!(matches!(&planned.value, PlannedValue::Text { text, .. } if **text == *b"x$NAME"));
    assert_eq!(edits(planned), [Some(0)]);
}

#[test]
fn each_name_is_wanted_once_and_each_place_is_known() {
    let variables = vec![given("X", "ü$B$A"), given("Y", "$$A ${B}"), inherited(c"Z=$B")];
    let documents = vec![document("a.txt", "1\n2 $A"), document(APP, r#"{"a": "$B$$$B"}"#)];
    let plan = plan(variables, documents, &Grammar::default(), &[]);
    assert!(plan.problems.is_empty());
    assert_eq!(wanted(&plan), ["B", "A"]);
    assert_eq!(plan.wanted.len(), 2);
    assert_eq!(plan.wanted.name(1).as_str(), "A");
    assert_eq!((plan.wanted.id(&name("A")), plan.wanted.id(&name("C"))), (Some(1), None));
    assert_eq!(plan.wanted.places(&name("A")), [in_variable("X", 4), in_file("a.txt", 2, 3)]);
    let of_b = [in_variable("X", 2), in_variable("Y", 5), in_variable("Z", 1)];
    let of_b = [of_b.as_slice(), &[in_file(APP, 1, 8), in_file(APP, 1, 12)]].concat();
    assert_eq!(plan.wanted.places(&name("B")), of_b);
    assert!(plan.wanted.places(&name("C")).is_empty());
    assert_eq!(edits(&plan.variables[0]), [Some(0), Some(1)]);
    assert_eq!(edits(&plan.variables[1]), [None, Some(0)]);
    let edits = &plan.documents[1].edits;
    assert_eq!(edits.iter().map(Edit::range).collect::<Vec<_>>(), [7..9, 9..13]);
    assert_eq!(edits.iter().map(Edit::at).collect::<Vec<_>>(), [7, 11]);
}

#[test]
fn names_that_share_a_slot_are_told_apart() {
    let all: Vec<String> = (0..200).map(|number| format!("N{number}_X")).collect();
    let text = all.iter().chain(&all).map(|name| format!("${{{name}}}")).collect::<String>();
    let plan = of_variables(vec![given("V", &text)], &Grammar::default());
    assert_eq!(wanted(&plan), all);
    let ids: Vec<Option<Id>> = (0..200).chain(0..200).map(Some).collect();
    assert_eq!(edits(&plan.variables[0]), ids);
    for one in &all {
        assert_eq!(plan.wanted.places(&name(one)).len(), 2, "{one}");
    }
}

#[test]
fn a_place_that_is_there_for_two_uses_is_told_once() {
    let plan = of_documents(vec![document("a.txt", "$A"), document("a.txt", "$A")]);
    assert_eq!(plan.wanted.places(&name("A")), [in_file("a.txt", 1, 1)]);
    assert_eq!(plan.documents.len(), 2);
}

#[test]
fn options_name_secrets_in_full() {
    let variables = vec![
        variable("DB_PROD", Content::Export(name("DB_PROD"))),
        variable("KEY_FILE", Content::AsFile(name("KEY"))),
        variable("CONFIG", Content::Memory { file: 3 }),
        variable("OLD_DEV", Content::Export(name("OLD_DEV"))),
        variable("NEW_FILE", Content::AsFile(name("NEW_DEV"))),
    ];
    let plan = of_variables(variables, &in_production());
    assert_eq!(wanted(&plan), ["DB_PROD", "KEY"]);
    assert_eq!(plan.wanted.places(&name("KEY")), [in_variable("KEY_FILE", 1)]);
    let [PlannedValue::Secret(0), PlannedValue::AsFile(1), PlannedValue::Memory { file: 3 }] =
        plan.variables.iter().map(|one| &one.value).collect::<Vec<_>>()[..]
    else {
        panic!("{:?}", plan.variables)
    };
    let [
        Problem::Malformed { fault: Fault::Crossed { name: old, .. }, places },
        Problem::Malformed { fault: Fault::Crossed { name: new, .. }, places: others },
    ] = &plan.problems[..]
    else {
        panic!("{:?}", plan.problems)
    };
    assert_eq!((old.as_str(), new.as_str()), ("OLD_DEV", "NEW_DEV"));
    assert_eq!(
        (&places[..], &others[..]),
        (&[in_variable("OLD_DEV", 1)][..], &[in_variable("NEW_FILE", 1)][..],)
    );
}

#[test]
fn what_is_required_is_referenced() {
    let literal = [name("HOME")].into();
    let grammar = Grammar { literal, ..Grammar::default() };
    let require = [name("A"), name("HOME"), name("B")];
    let plan = plan(vec![given("X", "$A $HOME $$B")], Vec::new(), &grammar, &require);
    let [Problem::Setting { fault, .. }, Problem::Unreferenced { name }] = &plan.problems[..]
    else {
        panic!("{:?}", plan.problems)
    };
    assert!(fault.starts_with("`HOME` is required, and it is literal"), "{fault}");
    assert_eq!(name.as_str(), "B");
}

#[test]
fn the_same_fault_is_one_problem_with_each_place() {
    let variables = vec![given("X", "${A:-1} ${B"), given("Y", "${A:-2}")];
    let documents = vec![document("a.txt", "${A:-3} $C"), document("b.txt", "$C")];
    let plan = plan(variables, documents, &Grammar::default(), &[]);
    let [Problem::Malformed { fault, places }, Problem::Malformed { fault: other, places: at }] =
        &plan.problems[..]
    else {
        panic!("{:?}", plan.problems)
    };
    assert_eq!((fault.name(), other.name()), ("A", "B"));
    let all = [in_variable("X", 1), in_variable("Y", 1), in_file("a.txt", 1, 1)];
    assert_eq!((places.as_slice(), at.as_slice()), (&all[..], &[in_variable("X", 9)][..]));
    assert_eq!(wanted(&plan), ["C"]);
    // It is not rendered, though nothing was told that had not been before.
    assert_eq!(plan.documents.iter().map(|one| one.whole).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn what_cannot_be_read_in_its_format_still_says_what_it_wants() {
    let plan = of_documents(vec![document(APP, "{\n  \"a\": $A oops $B\n}")]);
    assert_eq!(wanted(&plan), ["A", "B"]);
    let [Problem::Document { kind: format::FaultKind::Syntax { .. }, place }] = &plan.problems[..]
    else {
        panic!("{:?}", plan.problems)
    };
    assert_eq!(*place, in_file(APP, 2, 11));
    let [document] = &plan.documents[..] else { panic!("{:?}", plan.documents) };
    assert!(!document.whole && document.scalars.is_empty());
}

#[test]
fn what_holds_no_reference_is_not_judged() {
    let plan = of_documents(vec![document(APP, "{ oops $lower")]);
    assert!(plan.problems.is_empty() && plan.documents[0].whole);
}

#[test]
fn a_comment_holds_no_reference_but_in_a_text() {
    let text = "# $A\nb: $B # ${C\n";
    let plan = of_documents(vec![document("a.yaml", text)]);
    assert!(plan.problems.is_empty() && plan.documents[0].whole);
    assert_eq!(wanted(&plan), ["B"]);
    let plan = of_documents(vec![document("a.txt", text)]);
    assert_eq!(wanted(&plan), ["A", "B"]);
    assert!(!plan.documents[0].whole);
}

#[test]
fn a_file_has_literal_names_of_its_own() {
    let own = Document { literal: vec![name("A")], ..document("a.txt", "$A $B $C") };
    let grammar = Grammar { literal: [name("B")].into(), ..Grammar::default() };
    let plan = plan(vec![given("X", "$A")], vec![own], &grammar, &[]);
    assert_eq!(plan.wanted.places(&name("A")), [in_variable("X", 1)]);
    assert_eq!(wanted(&plan), ["A", "C"]);
}

#[test]
fn utf_16_is_refused() {
    for text in [b"\xff\xfe$\0A\0", b"\xfe\xff\0$\0A"] {
        let wide = Document { text: Rc::new(text.to_vec()), ..document("a.txt", "") };
        let plan = of_documents(vec![wide]);
        let [Problem::Document { kind: format::FaultKind::Unsafe { .. }, .. }] = plan.problems[..]
        else {
            panic!("{:?}", plan.problems)
        };
    }
}

#[test]
fn a_default_does_not_hide_what_else_is_wrong() {
    // What stands in its braces is none of the format, and not what is blamed.
    for (path, text, wrong) in [
        (APP, r#"{"a": "${A:-x, y: z}", "b": ${B:-2}, "c": oops}"#, "oops"),
        (APP, r#"{"a": "${A:-x", "c": oops}"#, "oops"),
        ("a.xml", "<a b='${A:-x&y}'>${B:-z}<oops></a>", "</a>"),
    ] {
        let plan = of_documents(vec![document(path, text)]);
        let [Problem::Document { .. }, rest @ ..] = &plan.problems[..] else {
            panic!("{:?}", plan.problems)
        };
        assert_eq!(rest.len(), text.matches("${").count(), "{rest:?}");
        let Problem::Document { place: Place::File { column, .. }, .. } = plan.problems[0] else {
            panic!("{:?}", plan.problems)
        };
        assert_eq!(column, text.find(wrong).expect("it is there") + 1, "{path}");
    }
}

#[test]
fn a_line_of_an_env_file_says_where_its_references_stand() {
    let variables = env_file("# one\nexport A='$X'\nB=\"a\\n$X ${Y\"\n");
    let plan = of_variables(variables, &Grammar::default());
    let places = [in_file(".env", 2, 11), in_file(".env", 3, 7)];
    assert_eq!(plan.wanted.places(&name("X")), places);
    let [Problem::Malformed { places, .. }] = &plan.problems[..] else {
        panic!("{:?}", plan.problems)
    };
    assert_eq!(places[..], [in_file(".env", 3, 10)]);
}

#[test]
fn what_an_escape_reaches_into_is_not_asked_for() {
    let plan = of_variables(env_file("A=$X\nB=\"\\$Y $X\"\nC=\"\\$ $Z\"\n"), &Grammar::default());
    let [Problem::EnvFile { kind: env_file::FaultKind::EscapedReference, place }] =
        &plan.problems[..]
    else {
        panic!("{:?}", plan.problems)
    };
    assert_eq!(*place, in_file(".env", 2, 5));
    assert_eq!(wanted(&plan), ["X", "Z"]);
    assert_eq!(plan.wanted.places(&name("X")), [in_file(".env", 1, 3)]);
    let texts = plan.variables.iter().map(|one| match &one.value {
        PlannedValue::Text { text, .. } => String::from_utf8_lossy(text).into_owned(),
        other => panic!("{other:?} is no text"),
    });
    assert_eq!(texts.collect::<Vec<_>>(), ["$X", "$Y $X", "$ $Z"]);
}

#[test]
fn a_name_in_a_hash_is_known_wherever_the_hash_stands() {
    const HASH: &str = "$P$BabcdefghijklmnopqrstuvQ";
    let one = |variables, documents| {
        let plan = plan(variables, documents, &Grammar::default(), &[]);
        (plan.wanted.standing(&name("P")), plan.wanted.standing(&name("Q")))
    };
    let hash = (Standing::Hash, Standing::Text);
    assert_eq!(one(vec![given("X", HASH)], vec![]), hash);
    assert_eq!(one(vec![given("X", "$P $Q")], vec![]), (Standing::Text, Standing::Text));
    assert_eq!(one(vec![], vec![document("a.txt", &format!("x {HASH} $Q"))]), hash);
    let quoted = env_file(&format!("A=\"{}\"\nB='{HASH} $Q'", "\\n".repeat(40)));
    assert_eq!(one(quoted, vec![]), hash);
    let wanted = |secret| variable(secret, Content::Export(name(secret)));
    let both = vec![wanted("P"), wanted("Q"), given("X", HASH)];
    assert_eq!(one(both, vec![]), (Standing::Hash, Standing::Options));
}
