//! Random documents with every value, read again by `roxmltree` and by expat.

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof};
use proptest::{prop_assert, prop_assert_eq, proptest};
use serde_json::Value;

use super::super::sites::mask;
use super::super::trial::{Failed, lay_out, render};
use super::super::{FaultKind, Format};
use super::characters::is_held;
use super::readers::{expat, joined, roxmltree};
use crate::launch::reference::Grammar;

const REFERENCES: [&str; 8] =
    ["$S0", "${S1}", "${S2}", "$S3", "$$S0", "$$$S1", "$${S2}", "${S0}${S1}"];

fn reference() -> impl Strategy<Value = &'static str> {
    prop::sample::select(REFERENCES.as_slice())
}

fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(PIECES.as_slice())
}

/// Blanks as XML has them.
fn blank() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just(String::new()), 1 => "[ \t\n\r]{1,3}"]
}

fn text() -> impl Strategy<Value = String> {
    let raw = prop::sample::select(vec![
        "a", " ", "\n", "\r\n", "\r", "\t", "&amp;", "&lt;", "&#10;", "&#x41;", "&#32;", "]", ">",
        "\"", "'", "é", "😀", "$host", "$", "{", "}", "\u{85}", "&#x24;S0", "#", "-->", "\u{2028}",
    ]);
    let pieces = prop::collection::vec(prop_oneof![reference(), raw], 0..6);
    // No two brackets before `>`, but what values make.
    pieces.prop_map(|pieces| pieces.concat().replace("]]>", "]] >"))
}

fn attribute_value() -> impl Strategy<Value = String> {
    text().prop_flat_map(|text| {
        prop_oneof![
            Just(format!("\"{}\"", text.replace('"', "'"))),
            Just(format!("'{}'", text.replace('\'', "\""))),
        ]
    })
}

fn element() -> impl Strategy<Value = String> {
    let other = prop_oneof![
        text().prop_map(|text| format!("<![CDATA[{}<&]]>", text.replace("]]>", ""))),
        text().prop_map(|text| format!("<!--{}-->", text.replace('-', "=").replace("]]>", ""))),
        Just("<?p $host ?>".to_owned()),
        Just("<n:x n:b='1'/>".to_owned()),
    ];
    let leaf = prop_oneof![4 => text(), 1 => other];
    let tree = leaf.prop_recursive(4, 30, 4, |inner| {
        let attribute = (blank(), blank(), attribute_value());
        let attributes = prop::collection::vec(attribute, 0..4).prop_map(|attributes| {
            let attributes = attributes.iter().enumerate();
            let attributes = attributes.map(|(i, (a, b, value))| format!(" {a}b{i}{a}={b}{value}"));
            attributes.collect::<String>()
        });
        let content = prop::collection::vec(inner, 0..4).prop_map(|items| items.concat());
        (attributes, blank(), content).prop_map(|(attributes, blank, content)| {
            match content.as_str() {
                "" => format!("<e{attributes}{blank}/>"),
                _ => format!("<e{attributes}{blank}>{content}</e{blank}>"),
            }
        })
    });
    tree.prop_map(|tree| format!("<a xmlns:n='u'>{}</a>", mended(&tree)))
}

/// A piece of text may end in what may not stand before the next one.
fn mended(tree: &str) -> String {
    let mut out = String::new();
    for (number, section) in tree.split("<![CDATA[").enumerate() {
        if number == 0 {
            out += &section.replace("]]>", "]] >");
            continue;
        }
        let (inner, behind) = section.split_once("]]>").unwrap_or((section, ""));
        out += &format!("<![CDATA[{inner}]]>{}", behind.replace("]]>", "]] >"));
    }
    // One alone before `\n` is no longer one alone.
    out.replace("\r\n", "\n").replace('\r', "\r\n")
}

fn document() -> impl Strategy<Value = String> {
    let prolog = prop::sample::select(vec![
        "",
        "<?xml version=\"1.0\"?>",
        "\u{feff}<?xml version='1.0'\r\n encoding = 'utf-8' standalone='yes' ?>\r\n<!-- $S0 -->",
        "\u{feff}<!-- <a> -->\n<?p ?>",
        "<!DOCTYPE a>",
        "<!DOCTYPE a [\n<!ENTITY e \"e>'\"> <!-- $S1 ] > ' --> <?p ' ] >?>\n]>\n",
        "<!DOCTYPE a [\n<!ATTLIST e b0 NMTOKENS #IMPLIED b1 CDATA 'x'>\n]>",
    ]);
    let epilog = prop::sample::select(vec!["", "\n", "\r\n<!-- ${S0} -->", "<?p?>"]);
    (prolog, element(), epilog)
        .prop_map(|(prolog, element, epilog)| prolog.to_owned() + &element + epilog)
}

fn value() -> impl Strategy<Value = String> {
    let nasty = vec![
        "",
        "<",
        "&",
        ">",
        "]]>",
        "]]",
        "]",
        "'",
        "\"",
        "\r",
        "\n",
        "\r\n",
        "\t",
        " ",
        "  ",
        "a",
        "&amp;",
        "&#0;",
        "</a>",
        "<b/>",
        "-->",
        "?>",
        "' x='",
        "\u{85}",
        "\u{2028}",
        "\u{9f}",
        "\u{1}",
        "\u{fffe}",
        "\u{feff}",
        "$S0",
        "${S1}",
        "lt;",
        "<![CDATA[",
        "é",
        "😀",
    ];
    let nasty = prop::collection::vec(prop::sample::select(nasty), 0..3);
    prop_oneof![3 => nasty.prop_map(|pieces| pieces.concat()), 1 => any::<String>()]
}

fn rendered(document: &str, values: &[String]) -> Result<String, Failed> {
    let out = render(Format::Xml, document.as_bytes(), |name| {
        values[name[1..].parse::<usize>().expect("a number")].clone().into_bytes()
    })?;
    Ok(String::from_utf8(out).expect("a document in UTF-8"))
}

fn marks() -> Vec<String> {
    (0..4).map(|i| format!("mark{i}end")).collect()
}

/// What the marks stand for, in the place of each.
fn replaced(items: &[Value], values: &[String]) -> Vec<Value> {
    joined(items.iter().map(|item| replaced_in(item, values)))
}

fn replaced_in(item: &Value, values: &[String]) -> Value {
    match item {
        Value::String(text) => {
            let marks = marks();
            let pairs = marks.iter().zip(values);
            pairs.fold(text.clone(), |text, (mark, value)| text.replace(mark, value)).into()
        }
        Value::Array(items) => items.iter().map(|item| replaced_in(item, values)).collect(),
        item => item.clone(),
    }
}

/// Whether it may be that a document refuses such a value.
fn may_refuse(document: &str, values: &[String]) -> bool {
    let unheld = values.iter().any(|value| !value.chars().all(is_held));
    unheld || document.contains("<![CDATA[") || document.contains("<!ATTLIST")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_structure_is_the_templates(
        document in document(),
        values in prop::collection::vec(value(), 4),
    ) {
        let marked = rendered(&document, &marks()).expect("marks stand anywhere");
        let structure = roxmltree(&marked).expect("it is a document");
        match rendered(&document, &values) {
            // This reader does not know lists of words, and so finds what one that does would.
            Ok(out) => prop_assert_eq!(
                roxmltree(&out), Some(replaced(&structure, &values)), "{}", out
            ),
            Err(Failed::Value(_)) => prop_assert!(may_refuse(&document, &values)),
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn no_text_at_all_makes_it_panic(
        pieces in prop::collection::vec(
            prop_oneof![
                piece().prop_map(|piece| piece.as_bytes().to_vec()),
                reference().prop_map(|piece| piece.as_bytes().to_vec()),
                prop::collection::vec(any::<u8>(), 1..3),
            ],
            0..24,
        ),
        value in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let text = pieces.concat();
        if let Err(Failed::Template(fault)) = render(Format::Xml, &text, |_| value.clone()) {
            prop_assert!(fault.at <= text.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn expat_finds_the_same_structure(
        documents in prop::collection::vec((document(), prop::collection::vec(value(), 4)), 50),
    ) {
        let (mut texts, mut all) = (Vec::new(), Vec::new());
        for (document, values) in documents {
            if let Ok(out) = rendered(&document, &values) {
                texts.push(rendered(&document, &marks()).expect("marks stand anywhere"));
                texts.push(out);
                all.push(values);
            }
        }
        for (found, values) in expat(&texts).chunks(2).zip(&all) {
            let structure = found[0].as_ref().expect("it is a document");
            prop_assert_eq!(&found[1], &Some(replaced(structure, values)), "{:?}", values);
        }
    }

    /// A document with one piece too many or too few: what expat refuses is refused, and no more.
    #[test]
    fn expat_agrees_on_what_is_no_xml(
        documents in prop::collection::vec(
            (document(), any::<prop::sample::Index>(), 0_usize..4, piece()),
            50,
        ),
    ) {
        let (mut texts, mut all) = (Vec::new(), Vec::new());
        for (document, at, length, piece) in documents {
            let mut chars: Vec<char> = document.chars().collect();
            // Of a DTD's own faults not all are known.
            let dtd = document.split("]>").next().filter(|dtd| dtd.contains("[\n"));
            let from = dtd.map_or(0, |dtd| dtd.chars().count() + 2);
            let at = from + at.index(chars.len() - from);
            let end = (at + length).min(chars.len());
            chars.splice(at..end, piece.chars());
            let document: String = chars.into_iter().collect();
            let laid_out = lay_out(Format::Xml, document.as_bytes());
            let grammar = Grammar::default();
            let references: Vec<_> =
                grammar.scan(document.as_bytes()).map(|found| found.start..found.end).collect();
            let masked = mask(document.as_bytes(), &references, b'A').into_owned();
            let is_xml = match laid_out {
                Ok(_) => true,
                Err(fault) => match fault.kind {
                    FaultKind::Syntax { .. } => false,
                    _ => continue,
                },
            };
            texts.push(String::from_utf8(masked).expect("it is of characters"));
            all.push((document, is_xml));
        }
        for (found, (document, is_xml)) in expat(&texts).iter().zip(&all) {
            prop_assert_eq!(found.is_some(), *is_xml, "{}", document);
        }
    }
}

const PIECES: [&str; 44] = [
    "",
    "<",
    ">",
    "/",
    "&",
    ";",
    "=",
    "'",
    "\"",
    "<e>",
    "</e>",
    "<e",
    "</e",
    "/>",
    "<e/>",
    "</a>",
    "</ e>",
    " b0='",
    " b9=''",
    " b9='<'",
    " x",
    "&amp;",
    "&lt",
    "&nbsp;",
    "&#0;",
    "&#x;",
    "&e;",
    "&#xfffe;",
    "<!--",
    "-->",
    "--",
    "<![CDATA[",
    "]]>",
    "<!DOCTYPE a>",
    "<!DOCTYPE a",
    "<!",
    "<?p ?>",
    "<?",
    "?>",
    "<?xml version='1.0'?>",
    "\u{1}",
    "\u{fffe}",
    "<1/>",
    "]",
];
