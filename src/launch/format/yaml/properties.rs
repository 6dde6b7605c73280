//! Random documents and values: what is rendered is read as the template with its references
//! replaced, by a reader of YAML 1.2 and by one of 1.1.

use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_oneof};
use proptest::test_runner::TestCaseError;
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::super::super::reference::{Grammar, Kind};
use super::super::trial::{Failed, render};
use super::super::{Format, Refusal};
use super::readers::{READERS, READERS_OF_CUT, Reader};
use super::writing::UNENDED;

/// Chooses with random bytes; without any left, what is simplest.
struct Dice<'b> {
    bytes: &'b [u8],
    anchors: usize,
    keys: usize,
}

impl Dice<'_> {
    fn below(&mut self, limit: usize) -> usize {
        match self.bytes.split_first() {
            Some((byte, rest)) => {
                self.bytes = rest;
                usize::from(*byte) % limit
            }
            None => 0,
        }
    }

    fn one<'w>(&mut self, of: &[&'w str]) -> &'w str {
        of[self.below(of.len())]
    }
}

const WORDS: [&str; 14] = [
    "$N0",
    "a",
    "${N1}",
    "$N2",
    "x${N3}y",
    "$N0$N1",
    "$$N0",
    "foo",
    "é$N2",
    "😀",
    "a#b",
    "$host",
    "${N0}$$$N3",
    "-1",
];

/// Words of which none begins or ends what stands plain.
fn line(dice: &mut Dice<'_>) -> String {
    let words: Vec<_> = (0..=dice.below(3)).map(|_| dice.one(&WORDS)).collect();
    words.join(dice.one(&[" ", "  ", " \t "]))
}

/// Lines that are folded.
fn lines(dice: &mut Dice<'_>, indent: usize) -> String {
    let mut text = line(dice);
    for _ in 0..dice.below(5).saturating_sub(2) {
        text += dice.one(&["\n", " \n", "\n\n", "\t\n \n\n"]);
        text += &" ".repeat(indent + dice.below(2));
        text += &line(dice);
    }
    text
}

fn double(dice: &mut Dice<'_>, text: &str) -> String {
    let begins = dice.one(&["", "\\\"", "\\\\", " ", "\\x41", "\\t", "\\u00e9", "'", "{"]);
    let ends = dice.one(&["", "\\\\", "\\n", " ", "'", "\\\n    \\ ", ": ", " # "]);
    format!("\"{begins}{text}{}\"", if text.contains('\n') { ends } else { "" })
}

fn single(dice: &mut Dice<'_>, text: &str) -> String {
    format!(
        "'{}{text}{}'",
        dice.one(&["", "''", "\"", " ", "\\"]),
        dice.one(&["", "''", " ", ": "])
    )
}

fn scalar(dice: &mut Dice<'_>, indent: usize) -> String {
    let text = lines(dice, indent);
    match dice.below(3) {
        0 => text,
        1 => double(dice, &text),
        _ => single(dice, &text),
    }
}

fn key(dice: &mut Dice<'_>) -> String {
    dice.keys += 1;
    let text = format!("{} k{}", line(dice), dice.keys);
    match dice.below(3) {
        0 => text,
        1 => format!("\"{text}\""),
        _ => format!("'{text}'"),
    }
}

fn properties(dice: &mut Dice<'_>) -> String {
    match dice.below(8) {
        6 => {
            dice.anchors += 1;
            format!("&a{} ", dice.anchors)
        }
        7 => dice.one(&["!!str ", "!t ", "!!int "]).to_owned(),
        _ => String::new(),
    }
}

fn flow(dice: &mut Dice<'_>, indent: usize, depth: usize) -> String {
    let kind = if depth == 0 { 0 } else { dice.below(4) };
    let between = dice.one(&["", " ", "\n    ", " # $N0 x\n    "]);
    let between = if between.contains('\n') {
        format!("{between}{}", " ".repeat(indent))
    } else {
        between.to_owned()
    };
    match kind {
        2 => {
            let items: Vec<_> = (0..dice.below(4)).map(|_| flow(dice, indent, depth - 1)).collect();
            format!("[{between}{}{between}]", items.join(" , "))
        }
        3 => {
            let items: Vec<_> = (0..dice.below(4))
                .map(|_| format!("{}: {}", key(dice), flow(dice, indent, depth - 1)))
                .collect();
            format!("{{{between}{}{between}}}", items.join(", "))
        }
        _ => format!("{}{}", properties(dice), scalar(dice, indent + 4)),
    }
}

fn block_scalar(dice: &mut Dice<'_>, indent: usize) -> String {
    let chomp = dice.one(&["", "-", "+"]);
    let mut text = format!("{}{chomp}{}\n", dice.one(&["|", ">"]), dice.one(&["", "  # $N0"]));
    text += &"\n".repeat(dice.below(3).saturating_sub(1));
    for number in 0..=dice.below(4) {
        let more = if number == 0 { "" } else { dice.one(&["", "", " ", "\t", "# ", "- "]) };
        text += &format!("{}{more}{}{}\n", " ".repeat(indent), line(dice), dice.one(&["", " "]));
        text += &"\n".repeat(dice.below(4).saturating_sub(2));
    }
    text
}

/// What stands behind a key or a dash, to the end of its last line.
fn node(dice: &mut Dice<'_>, indent: usize, depth: usize) -> String {
    let kind = if depth == 0 { dice.below(4) } else { dice.below(8) };
    let end = dice.one(&["\n", "\n", " # $N1\n", "\n# $N2\n\n"]);
    let deeper = indent + 1 + dice.below(2);
    match kind {
        2 => format!(" {}{}", properties(dice), block_scalar(dice, indent + 1)),
        3 => format!(" {}{end}", flow(dice, indent, 2)),
        4 | 5 => mapping(dice, deeper, depth - 1),
        6 => sequence(dice, deeper, depth - 1),
        7 if dice.anchors > 0 => format!(" *a{}{end}", dice.anchors),
        _ => format!(" {}{}{end}", properties(dice), scalar(dice, indent + 1)),
    }
}

fn mapping(dice: &mut Dice<'_>, indent: usize, depth: usize) -> String {
    let mut text = format!("{}\n", dice.one(&["", "", " # $N3", " !!map"]));
    for _ in 0..=dice.below(3) {
        text += &" ".repeat(indent);
        if dice.below(8) == 7 {
            dice.keys += 1;
            let key = block_scalar(dice, indent + 2);
            let number = format!("{}k{}\n", " ".repeat(indent + 2), dice.keys);
            text += &format!("? {key}{number}{}:{}", " ".repeat(indent), node(dice, indent, depth));
        } else {
            text += &format!("{}:{}", key(dice), node(dice, indent, depth));
        }
    }
    text
}

fn sequence(dice: &mut Dice<'_>, indent: usize, depth: usize) -> String {
    let mut text = "\n".to_owned();
    for _ in 0..=dice.below(3) {
        text += &format!("{}-{}", " ".repeat(indent), node(dice, indent, depth));
    }
    text
}

fn document(bytes: &[u8]) -> String {
    let mut dice = Dice { bytes, anchors: 0, keys: 0 };
    let mut text = dice.one(&["", "", "\u{feff}", "# $N0\n", "%YAML 1.1\n"]).to_owned();
    for number in 0..=dice.below(3) {
        if number > 0 || text.starts_with('%') {
            text += "---";
            dice.anchors = 0;
            text += &node(&mut dice, 0, 3);
        } else {
            text += mapping(&mut dice, 0, 3).trim_start_matches(" !!map").trim_start();
        }
        text += dice.one(&["", "", "...\n", "# $N1\n"]);
    }
    if dice.below(6) == 5 { text.replace('\n', "\r\n") } else { text }
}

/// The document with text for each reference that has no meaning anywhere in YAML.
pub fn marked(document: &str) -> String {
    let mut out = String::new();
    let mut copied = 0;
    for found in Grammar::default().scan(document.as_bytes()) {
        out += &document[copied..found.start];
        out += &"$".repeat(found.dollars);
        if let Kind::Reference(name) = found.kind {
            out += &format!("mark{}mark", &name[1..]);
        }
        copied = found.end;
    }
    out + &document[copied..]
}

/// These readers find in the output what they find in the template, with the values for the marks.
pub fn same(
    readers: &[Reader],
    document: &str,
    out: &str,
    values: &[String],
) -> Result<(), TestCaseError> {
    for reader in readers {
        let template = reader(&marked(document)).map_err(TestCaseError::fail)?;
        let output = reader(out).map_err(TestCaseError::fail)?;
        prop_assert_eq!(output.len(), template.len(), "{}", out);
        for (seen, template) in output.iter().zip(&template) {
            let mut expected = template.clone();
            if let Some(text) = &mut expected.text {
                let marks = (0..values.len()).map(|number| format!("mark{number}mark"));
                // A scalar with a value is a string; one with an escape may become one.
                let is_touched = marks.clone().any(|mark| text.contains(&mark));
                expected.plain &= !is_touched && (seen.plain || !text.contains('$'));
                for (mark, value) in marks.zip(values) {
                    *text = text.replace(&mark, value);
                }
            }
            prop_assert_eq!(seen, &expected, "{}", out);
        }
    }
    Ok(())
}

pub fn value() -> impl Strategy<Value = String> {
    let nasty = vec![
        "",
        " ",
        "\n",
        "a\nb\n",
        " a\n b\n\n",
        "\t",
        "'",
        "\"",
        "\\",
        "# x",
        "a: b",
        "- a",
        "---",
        "\n---\n",
        "...",
        "null",
        "12345",
        "yes",
        "~",
        "{",
        "]",
        ", x",
        "&a",
        "*a",
        "!!int",
        "|",
        ">",
        "%YAML",
        "@",
        "`",
        "$N0",
        "\0",
        "\r\n",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{7f}",
        "\u{fffe}",
        "\u{1f600}",
        "-----BEGIN KEY-----\nMIIB\nabc=\n-----END KEY-----\n",
        "a \nb",
        "\u{1b}[0m",
        "a\n\n\nb",
        "a\n\tb",
        "\\\n",
        "x\n   \ny",
    ];
    prop_oneof![
        3 => prop::sample::select(nasty).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[a-z \\n\\t:#'\"-]{0,20}",
    ]
}

pub fn rendered(document: &str, values: &[String]) -> Result<String, Failed> {
    let out = render(Format::Yaml, document.as_bytes(), |name| {
        let number: usize = name[1..].parse().expect("a number");
        values[number].clone().into_bytes()
    })?;
    Ok(String::from_utf8(out).expect("a document in UTF-8"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn the_structure_is_the_templates(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        values in prop::collection::vec(value(), 4),
    ) {
        let document = document(&bytes);
        let out = rendered(&document, &values);
        prop_assert!(out.is_ok(), "{:?}\n{}", out, document);
        same(&READERS, &document, &out.unwrap_or_default(), &values)?;
    }

    #[test]
    fn a_block_scalar_that_ends_the_file_is_each_readers_own(
        bytes in prop::collection::vec(any::<u8>(), 0..40),
        values in prop::collection::vec(value(), 4),
    ) {
        let mut dice = Dice { bytes: &bytes, anchors: 0, keys: 0 };
        let begins = dice.one(&["a: ", "- ", "--- ", "a: 1\r\nb:\n  - "]);
        let block = block_scalar(&mut dice, 4);
        let document = format!("{begins}{}", block.trim_end_matches('\n'));
        match rendered(&document, &values) {
            Ok(out) => same(&READERS_OF_CUT, &document, &out, &values)?,
            Err(failed) => prop_assert_eq!(failed, Failed::Value(UNENDED), "{}", document),
        }
    }

    #[test]
    fn no_text_at_all_makes_it_panic(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    "\"", "'", "\\", "\\u", "\\x4", "$N0", "${N1}", "$$N0", "{", "}", "[", "]", ",",
                    ": ", ":", " ", "\n", "\r", "\t", "- ", "? ", "|", ">", "|2-", "&a ", "*a",
                    "!t ", "#", " # ", "---", "...", "%YAML 1.2", "é", "\u{feff}", "\u{85}", "a",
                ]).prop_map(|piece| piece.as_bytes().to_vec()),
                prop::collection::vec(any::<u8>(), 1..3),
            ],
            0..24,
        ),
        values in prop::collection::vec(value(), 4),
    ) {
        let text = pieces.concat();
        let out = render(Format::Yaml, &text, |name| {
            values[usize::from(name.ends_with('1'))].clone().into_bytes()
        });
        match out {
            Ok(out) => {
                let (text, out) = (String::from_utf8(text), String::from_utf8(out));
                let (text, out) = (text.expect("it was laid out"), out.expect("UTF-8"));
                let seen = super::readers::granit(&out);
                prop_assert!(seen.is_ok(), "{:?} {}", seen, out);
                let template = super::readers::granit(&marked(&text)).expect("it was laid out");
                prop_assert_eq!(seen.unwrap_or_default().len(), template.len());
            }
            Err(Failed::Template(fault)) => prop_assert!(fault.at <= text.len()),
            Err(Failed::Value(Refusal::NotUtf8)) => prop_assert!(false, "values are UTF-8"),
            Err(Failed::Value(_) | Failed::Output(_)) => {}
        }
    }
}
