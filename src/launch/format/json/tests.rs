//! Every value, read again by `serde_json`.

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof};
use proptest::{prop_assert, prop_assert_eq, proptest};
use serde_json::Value;

use super::super::trial::{Failed, lay_out, render};
use super::super::{Changed, Fault, FaultKind, Format, Refusal};
use super::judge::{COMMA_IN_ARRAY, COMMA_IN_OBJECT, COMMENT};

fn rendered(text: &str, value: &str) -> Result<String, Failed> {
    let out = render(Format::Json, text.as_bytes(), |_| value.as_bytes().to_vec())?;
    Ok(String::from_utf8(out).expect("a document in UTF-8"))
}

fn fault(text: &[u8]) -> Fault {
    lay_out(Format::Json, text).expect_err("it is refused")
}

#[test]
fn strings_keys_and_bare_tokens() {
    for (text, value, expected) in [
        (r#""$NAME""#, "x", r#""x""#),
        (r#""$NAME""#, "", r#""""#),
        (r#"{"a$NAME": "${NAME}b", "c": $NAME}"#, "7", r#"{"a7": "7b", "c": 7}"#),
        (r#"{"$NAME":"$$NAME$$$NAME"}"#, "x", r#"{"x":"$NAME$x"}"#),
        ("[${NAME},-${NAME}\t,$NAME.5,1${NAME}${NAME}]", "2", "[2,-2\t,2.5,122]"),
        ("$NAME", "-0.5e+3", "-0.5e+3"),
        (" $NAME\n", "true", " true\n"),
        ("[${NAME}]", "null", "[null]"),
        (r#""\\$NAME\"${NAME}\u0041$NAME""#, "x", r#""\\x\"x\u0041x""#),
        (r#""\ud83d\ude00$NAME""#, "x", r#""\ud83d\ude00x""#),
        // What is written as an escape is no reference.
        (r#"["\u0024NAME", "$NAME"]"#, "x", r#"["\u0024NAME", "x"]"#),
        (r#"{"a":"$NAME","a":"$NAME"}"#, "x", r#"{"a":"x","a":"x"}"#),
        (
            "\u{feff}{\r\n\t\"a\" :\r\n\t\"$NAME\"\r\n}\r\n",
            "x",
            "\u{feff}{\r\n\t\"a\" :\r\n\t\"x\"\r\n}\r\n",
        ),
        (r#"{"$host": "no reference at all"}"#, "x", r#"{"$host": "no reference at all"}"#),
    ] {
        assert_eq!(rendered(text, value).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn values_are_escaped_and_no_more_than_needed() {
    for (value, expected) in [
        ("\"\\/", r#"\"\\/"#),
        ("\0\u{1}\n\r\t\u{1f}", r"\u0000\u0001\u000a\u000d\u0009\u001f"),
        ("\u{7f}\u{85}\u{2028}é😀'$NAME${NAME}", "\u{7f}\u{85}\u{2028}é😀'$NAME${NAME}"),
        (r#"", "admin": true, "x": ""#, r#"\", \"admin\": true, \"x\": \""#),
    ] {
        assert_eq!(rendered("\"$NAME\"", value), Ok(format!("\"{expected}\"")));
    }
    let refused = render(Format::Json, b"\"$NAME\"", |_| b"\xff".to_vec());
    assert_eq!(refused, Err(Failed::Value(Refusal::NotUtf8)));
}

#[test]
fn a_bare_token_becomes_one_scalar_or_is_refused() {
    for value in [
        "", "x", "01", "+1", "1.", ".5", "0x10", "NaN", "Infinity", "True", "nul", "1 ", " 1",
        "1\n", "1,2", "1]", "[]", "{}", "\"x\"", "1//", "-", "1e", "\0", "1\u{a0}",
    ] {
        assert_eq!(
            rendered("[$NAME]", value),
            Err(Failed::Value(Refusal::NotBare { allowed: super::ALLOWED })),
            "{value:?}"
        );
    }
    let refused = render(Format::Json, b"[$NAME]", |_| b"\xff".to_vec());
    assert_eq!(refused, Err(Failed::Value(Refusal::NotBare { allowed: super::ALLOWED })));
}

#[test]
fn a_template_that_is_no_json_is_refused_where_it_ends_to_be_some() {
    for (text, at, message) in [
        (&b""[..], 0, "the file ends where a value should begin"),
        (b"{\"a\": \"$NAME\",\n \"b\" \"c\"}", 20, "expected `:`"),
        (b"\xef\xbb\xbf[$NAME $NAME]", 10, "expected `,` or `]`"),
        (b"\xef\xbb\xbf\xef\xbb\xbf[]", 3, "a value is expected here"),
        (b"{$NAME: 1}", 1, "a key in double quotes is expected here"),
        (b"[1] / $NAME", 4, "something stands behind the end of the value"),
        (b"{\"a\": 1", 7, "the file ends within an object"),
        (b"[$NAME", 6, "the file ends within an array"),
        (b"['$NAME']", 1, "a value is expected here"),
        (b"[$$NAME]", 1, "a value is expected here"),
        (b"[1$NAME%]", 2, "expected `,` or `]`"),
        (b"[${NAME}{$NAME}]", 8, "expected `,` or `]`"),
        (b"[\"$NAME]", 8, "the file ends within a string"),
        (b"[\"$NAME\n\"]", 7, "a line end or another control character stands in a string"),
        (b"[\"$NAME \n\"]", 8, "a line end or another control character stands in a string"),
        (b"{\"$NAME\"}", 8, "expected `:`"),
        (b"{\"a\": $NAME]", 11, "expected `,` or `}`"),
        (b"[\"\\q$NAME\"]", 3, "invalid escape"),
        (b"[\"$NAME\" \"\\$NAME\"]", 9, "expected `,` or `]`"),
        (b"[\"$NAME\", \"\xff\"]", 11, "it is not UTF-8"),
        (b"\xff\xfe[\0", 0, "it is not UTF-8"),
        (b"[\"$NAME\0\"]", 7, "a line end or another control character stands in a string"),
        (b"[1,\n\n\n  x]", 8, "a value is expected here"),
        (b"[01, $NAME]", 2, "invalid number"),
        (b"[\"\\ud83d$NAME\"]", 2, "lone surrogate in a `\\u` escape"),
        (b"[\"$NAME\\ude00\"]", 7, "lone surrogate in a `\\u` escape"),
        (b"[\"\\ud83d${NAME}\\ude00\"]", 2, "lone surrogate in a `\\u` escape"),
        (b"[\"$NAME\", \"\\ud83d\\u0041\"]", 11, "lone surrogate in a `\\u` escape"),
    ] {
        let kind = FaultKind::Syntax { format: "json", message: message.to_owned() };
        assert_eq!(fault(text), Fault { at, kind }, "{}", text.escape_ascii());
    }
}

#[test]
fn comments_and_a_last_comma_have_a_way_out() {
    for (text, at, kind) in [
        ("// x\n[\"$NAME\"]", 0, COMMENT),
        ("\u{feff}/* x */[\"$NAME\"]", 3, COMMENT),
        ("[1] // $NAME", 4, COMMENT),
        ("{\"a\": $NAME, // it's\n\"b\": 1}", 13, COMMENT),
        ("{\"a\": $NAME// \"x\n}", 11, COMMENT),
        ("{ // $NAME\n}", 2, COMMENT),
        ("{\"a\" /* \"\\$NAME\" */: 1}", 5, COMMENT),
        ("[1, /**/ $NAME]", 4, COMMENT),
        ("[$NAME /**/]", 7, COMMENT),
        ("{\"a\": \"$NAME\",\n}", 15, COMMA_IN_OBJECT),
        ("[$NAME, ]", 8, COMMA_IN_ARRAY),
    ] {
        assert_eq!(fault(text.as_bytes()), Fault { at, kind }, "{text}");
    }
}

#[test]
fn a_number_that_is_read_as_infinity_is_refused() {
    let large = "9".repeat(400);
    for (text, value) in
        [("[1e$NAME]", "12345"), ("[-$NAME]", "1e309"), ("[$NAME]", "1.8e308"), ("[$NAME]", &large)]
    {
        let refused = Refusal::NotBare { allowed: super::FINITE };
        assert_eq!(rendered(text, value), Err(Failed::Value(refused)), "{text} {value}");
    }
    for value in ["1.7e308", "-1e-999", "18446744073709551616", "0e999"] {
        assert_eq!(rendered("[$NAME]", value), Ok(format!("[{value}]")));
    }
}

#[test]
fn an_escape_that_reaches_into_a_reference_is_refused() {
    for (text, at) in [
        (r#"["\$NAME"]"#, 3),
        (r#"["\\\$NAME"]"#, 5),
        (r#"["\$$NAME"]"#, 3),
        (r#"["\u$NAME"]"#, 4),
        (r#"["\u004$NAME"]"#, 7),
        (r#"["x\u00$NAME"]"#, 7),
        (r#"{"\u00${NAME}": 1}"#, 6),
    ] {
        assert_eq!(fault(text.as_bytes()), Fault { at, kind: FaultKind::Escape }, "{text}");
    }
}

#[test]
fn depth_is_no_matter() {
    for depth in [100, 100_000] {
        let text = format!("{}\"$NAME\"{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(rendered(&text, "\""), Ok(text.replace("$NAME", "\\\"")));
        let open = &text[..text.len() - 1];
        assert_eq!(fault(open.as_bytes()).at, open.len());
    }
    let text = format!("{}$NAME{}", "{\"a\":".repeat(100), "}".repeat(100));
    assert_eq!(rendered(&text, "1"), Ok(text.replace("$NAME", "1")));
}

#[test]
fn keys_that_become_the_same_in_one_object_are_refused() {
    for (text, value, scalar) in [
        (r#"{"a": 1, "$NAME": 2}"#, "a", 0),
        (r#"{"$NAME": "$NAME", "a": 2}"#, "a", 0),
        (r#"{"b": "$NAME", "${NAME}a" : 2, "aa": []}"#, "a", 1),
        (r#"{"$NAME": 1, "\u0061": 2}"#, "a", 0),
        (r#"[{}, {"x": {"$NAME": [{"y": 1}], "\"": 2}}]"#, "\"", 0),
        (r#"{"$NAME\n": {}, "a": {"$NAME": 1}, "}\u000a": 2}"#, "}", 0),
        (r#"{"$NAME": 1, "$NAME": 2}"#, "", 1),
    ] {
        let changed = Changed { scalar, why: Refusal::Duplicate };
        assert_eq!(rendered(text, value), Err(Failed::Output(changed)), "{text}");
    }
    for (text, value) in [
        (r#"{"a": 1, "a": "$NAME"}"#, "a"),
        (r#"{"a": 1, "a": 2, "$NAME": 3}"#, "b"),
        (r#"{"a": {"$NAME": "a"}, "b": ["a", {"$NAME": 1}, "a"], "c": "$NAME"}"#, "a"),
    ] {
        assert!(rendered(text, value).is_ok(), "{text}");
    }
    let deep = 100_000;
    let text = format!("{}{{\"$NAME\":1,\"a\":2}}{}", "{\"a\":".repeat(deep), "}".repeat(deep));
    let changed = Changed { scalar: 0, why: Refusal::Duplicate };
    assert_eq!(rendered(&text, "a"), Err(Failed::Output(changed)));
    assert!(rendered(&text, "b").is_ok());
}

/// Blanks as JSON has them.
fn blank() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just(String::new()), 1 => "[ \t\n\r]{1,3}"]
}

/// A string with references of every kind among text that looks like some.
fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec!["$S0", "${S1}", "${S2}", "$S3", "$$S0", "$$$S1", "$${S2}"]),
        4 => prop::sample::select(vec![
            "a", " ", "\\\\", "\\\"", "\\n", "\\u00e9", "\\ud83d\\ude00", "é", "😀", "$host",
            "$",
            "{", "}", ",", ":", "[", "]", "//", "'", "\\u0024", "#", "\u{2028}", "\u{7f}", "\\/",
        ]),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn scalar() -> impl Strategy<Value = String> {
    let bare = vec!["$N0", "${N1}", "-$N2", "-${N2}", "1", "-0.5e3", "true", "null", "[]", "{}"];
    prop_oneof![
        string().prop_map(|string| format!("\"{string}\"")),
        prop::sample::select(bare).prop_map(str::to_owned),
    ]
}

fn document() -> impl Strategy<Value = String> {
    scalar().prop_recursive(5, 40, 5, |inner| {
        let item = (blank(), inner, blank());
        let item = item.prop_map(|(a, item, b)| format!("{a}{item}{b}")).boxed();
        let array = prop::collection::vec(item.clone(), 1..5)
            .prop_map(|items| format!("[{}]", items.join(",")));
        let member = (blank(), string(), blank(), item);
        let object = prop::collection::vec(member, 1..5).prop_map(|members| {
            // A key of its own for each, whatever the values are.
            let members = members.iter().enumerate();
            let members: Vec<_> = members
                .map(|(i, (a, key, b, item))| format!("{a}\"{key} {i}\"{b}:{item}"))
                .collect();
            format!("{{{}}}", members.join(","))
        });
        prop_oneof![array, object]
    })
}

fn text_value() -> impl Strategy<Value = String> {
    let nasty = vec!["", "\"", "\\", "\",\"x\":\"", "$S0", "\\u0000", "\0", "\u{2028}", "\n", "\\"];
    prop_oneof![prop::sample::select(nasty).prop_map(str::to_owned), any::<String>()]
}

fn bare_value() -> impl Strategy<Value = String> {
    let scalars =
        vec!["true", "false", "null", "0", "-0", "1e5", "-12.5E-3", "18446744073709551615"];
    prop::sample::select(scalars).prop_map(str::to_owned)
}

/// The structure that a rendering with marks has, with what each mark stands for.
fn replaced(marked: &Value, texts: &[String], bares: &[String]) -> Value {
    let text_of = |text: &String| {
        let texts = texts.iter().enumerate();
        texts.fold(text.clone(), |text, (i, value)| text.replace(&format!("mark{i}mark"), value))
    };
    match marked {
        Value::String(text) => Value::String(text_of(text)),
        Value::Array(items) => items.iter().map(|item| replaced(item, texts, bares)).collect(),
        Value::Object(members) => {
            let members = members.iter();
            members.map(|(key, item)| (text_of(key), replaced(item, texts, bares))).collect()
        }
        Value::Number(number) => match number.as_i64() {
            Some(i @ 900..=902) => parsed(&bares[i as usize - 900]),
            Some(-902) => parsed(&format!("-{}", bares[2])),
            _ => marked.clone(),
        },
        Value::Bool(_) | Value::Null => marked.clone(),
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn rendered_with(document: &str, texts: &[String], bares: &[String]) -> Result<String, Failed> {
    let out = render(Format::Json, document.as_bytes(), |name| {
        let values = if name.starts_with('S') { texts } else { bares };
        let number: usize = name[1..].parse().expect("a number");
        values[number].clone().into_bytes()
    })?;
    Ok(String::from_utf8(out).expect("a document in UTF-8"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_structure_is_the_templates(
        document in document(),
        texts in prop::collection::vec(text_value(), 4),
        bares in (bare_value(), bare_value(), "0|[1-9][0-9]{0,5}(\\.[0-9]{1,3})?"),
    ) {
        let bares = [bares.0, bares.1, bares.2];
        let marks: Vec<_> = (0..4).map(|i| format!("mark{i}mark")).collect();
        let numbers: Vec<_> = (900..903).map(|i| i.to_string()).collect();
        let marked = rendered_with(&document, &marks, &numbers).expect("it is rendered");
        let out = rendered_with(&document, &texts, &bares).expect("it is rendered");
        prop_assert_eq!(parsed(&out), replaced(&parsed(&marked), &texts, &bares), "{}", out);
    }

    /// Two objects, one in the other, with these keys in each.
    #[test]
    fn keys_are_the_same_if_and_only_if_they_are_refused(
        outer in prop::collection::vec(prop::sample::select(KEYS.to_vec()), 0..4),
        inner in prop::collection::vec(prop::sample::select(KEYS.to_vec()), 0..4),
        values in prop::collection::vec(prop::sample::select(vec!["", "a", "b", "aa", "\""]), 2),
    ) {
        let member = |key: &&str| format!(",\"{key}\":1");
        let members = |keys: &[&str]| keys.iter().map(member).collect::<String>();
        let document = format!("[{{\"o\":{{\"i\":0{}}}{}}}]", members(&inner), members(&outer));
        let out = render(Format::Json, document.as_bytes(), |name| {
            values[usize::from(name == "S1")].as_bytes().to_vec()
        });
        let text_of = |key: &str| {
            let text = key.replace("$S0", values[0]).replace("${S1}", values[1]);
            text.replace("\\u0061", "a").replace("\\\"", "\"")
        };
        let same = |keys: &[&str]| keys.iter().enumerate().any(|(i, key)| {
            keys[..i].iter().any(|other| {
                text_of(key) == text_of(other) && (key.contains('$') || other.contains('$'))
            })
        });
        match out {
            Ok(out) => {
                prop_assert!(serde_json::from_slice::<Value>(&out).is_ok());
                prop_assert!(!same(&outer) && !same(&inner), "{document}");
            }
            Err(Failed::Output(_)) => prop_assert!(same(&outer) || same(&inner), "{document}"),
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn no_text_at_all_makes_it_panic(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    "\"", "\\", "\\u", "\\ud800", "$N0", "${N1}", "$$N0", "{", "}", "[", "]", ",",
                    ":", " ", "\n", "1", "é", "\u{feff}",
                ]).prop_map(|piece| piece.as_bytes().to_vec()),
                prop::collection::vec(any::<u8>(), 1..3),
            ],
            0..24,
        ),
        value in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let text = pieces.concat();
        match render(Format::Json, &text, |_| value.clone()) {
            Ok(out) => {
                let out = &out[if out.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 }..];
                prop_assert!(serde_json::from_slice::<Value>(out).is_ok());
            }
            Err(Failed::Template(fault)) => prop_assert!(fault.at <= text.len()),
            Err(Failed::Value(_) | Failed::Output(_)) => {}
        }
    }
}

const KEYS: [&str; 9] = ["a", "b", "aa", "$S0", "${S1}", "a$S0", "\\u0061", "\\u0061$S0", "\\\""];
