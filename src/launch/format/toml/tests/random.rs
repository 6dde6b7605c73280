//! Random documents with references in every kind of scalar, and random nasty values.

use proptest::prelude::{BoxedStrategy, Just, ProptestConfig, Strategy, any, prop, prop_oneof};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use proptest::{prop_assert, proptest};
use serde_json::Value;

use super::super::super::trial::{Failed, render};
use super::super::super::{Format, Refusal};
use super::readers::{replaced, toml, tomllib};

const CASES: usize = 4_000;

/// Strings from pieces, of which some are references; what closes them is taken out.
fn pieces(
    references: [&'static str; 4],
    texts: Vec<&'static str>,
    quote: char,
) -> BoxedStrategy<String> {
    let piece = prop_oneof![
        4 => prop::sample::select(references.to_vec()),
        5 => prop::sample::select(texts),
        3 => prop::sample::select(vec![
            "a", " ", "\t", "é", "😀", "$host", "$", "{", "}", "#", "=", "[", "\u{2028}",
        ]),
    ];
    let fence = quote.to_string().repeat(3);
    prop::collection::vec(piece, 0..7)
        .prop_map(move |pieces| {
            let mut text = pieces.concat();
            while text.contains(&fence) {
                text = text.replace(&fence, &fence[1..]);
            }
            text
        })
        .boxed()
}

const ESCAPES: [&str; 7] = ["\\\\", "\\\"", "\\n", "\\u00e9", "\\U0001F600", "\\u0024", "'"];

/// Each kind of string takes its values from its own names: S any, L and M what mostly fits.
fn basic() -> BoxedStrategy<String> {
    let text = pieces(["$S0", "${S1}", "$$S0", "$$$S1"], ESCAPES.to_vec(), '"');
    text.prop_map(|text| format!("\"{text}\"")).boxed()
}

fn literal() -> BoxedStrategy<String> {
    let text = pieces(["$L0", "${L1}", "$$L0", "$$$L1"], vec!["\"", "\\", "\\n", "\\u"], '\'');
    text.prop_map(|text| format!("'{text}'")).boxed()
}

fn multi_basic() -> BoxedStrategy<String> {
    let lines = vec![
        "\n",
        "\n",
        "\r\n",
        "\"",
        "\"\"",
        "\\\n",
        "\\\n",
        "\\ \t\n \n\t",
        "\\\r\n ",
        "\n ",
        "\\\n${S0}${S1} ",
    ];
    let texts = lines.into_iter().chain(ESCAPES).collect();
    let text = pieces(["$S0", "${S1}", "${S2}", "$$$S1"], texts, '"');
    text.prop_map(|text| format!("\"\"\"{text}\"\"\"")).boxed()
}

fn multi_literal() -> BoxedStrategy<String> {
    let texts = vec!["\n", "\n", "\r\n", "'", "''", "\"\"\"", "\\\n", "\\"];
    let text = pieces(["$M0", "${M1}", "$$M0", "$$$M1"], texts, '\'');
    text.prop_map(|text| format!("'''{text}'''")).boxed()
}

/// A key of its own, whatever the values are.
fn key(number: usize) -> BoxedStrategy<String> {
    let bare = vec!["k", "$S0", "${S1}-", "a_$$S0-$S0", "b$S1"];
    prop_oneof![
        prop::sample::select(bare).prop_map(move |key| format!("{key}-{number}")),
        basic().prop_map(move |key| format!("{} {number}\"", &key[..key.len() - 1])),
        literal().prop_map(move |key| format!("{} {number}'", &key[..key.len() - 1])),
    ]
    .boxed()
}

fn blank() -> BoxedStrategy<String> {
    prop_oneof![3 => Just(String::new()), 1 => "[ \t]{1,3}"].boxed()
}

/// Where lines may end: between the items of an array.
fn gap() -> BoxedStrategy<String> {
    prop_oneof![
        2 => blank(),
        1 => (blank(), comment(), blank()).prop_map(|(a, comment, b)| format!("{a}{comment}\n{b}")),
        1 => Just("\r\n ".to_owned()),
    ]
    .boxed()
}

fn comment() -> BoxedStrategy<String> {
    prop_oneof![
        1 => Just(String::new()),
        1 => basic().prop_map(|text| format!("#{text}$L0'''\"")),
    ]
    .boxed()
}

fn value() -> impl Strategy<Value = String> {
    let bare = vec![
        "$N0",
        "${N1}",
        "-$N2",
        "+${N2}",
        "1",
        "-0.5e3",
        "true",
        "1979-05-27",
        "[]",
        "{}",
        "inf",
    ];
    let scalar = prop_oneof![
        prop::sample::select(bare).prop_map(str::to_owned),
        basic(),
        literal(),
        multi_basic(),
        multi_literal(),
    ];
    scalar.prop_recursive(3, 12, 3, |inner| {
        let item = (gap(), inner.clone(), gap());
        let item = item.prop_map(|(a, item, b)| format!("{a}{item}{b}"));
        let array =
            prop::collection::vec(item, 1..4).prop_map(|items| format!("[{}]", items.join(",")));
        let table = (key(0), key(1), blank(), inner.clone(), inner)
            .prop_map(|(one, two, b, x, y)| format!("{{{b}{one}{b}={x}{b},{two} = {y}{b}}}"));
        prop_oneof![array, table]
    })
}

fn document() -> impl Strategy<Value = String> {
    let line = |number: usize| {
        let assignment = (blank(), key(number), blank(), key(number), blank(), value());
        let assignment = assignment
            .prop_map(|(a, one, b, two, c, value)| format!("{a}{one}{b}.{two}{b}={c}{value}{c}"));
        let header = (key(number), blank(), key(number), any::<bool>());
        let header = header.prop_map(|(one, b, two, array)| match array {
            true => format!("[[{b}{one}{b}.{two}]]{b}"),
            false => format!("{b}[{b}{one}.{b}{two}{b}]"),
        });
        let line = prop_oneof![3 => assignment, 1 => header, 1 => Just(String::new())];
        let end = prop::sample::select(vec!["\n", "\r\n", "\n\n \t\n"]);
        (line, comment(), end).prop_map(|(line, comment, end)| format!("{line}{comment}{end}"))
    };
    (line(2), line(3), line(4), line(5), line(6))
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e].concat())
}

fn nasty() -> impl Strategy<Value = String> {
    let nasty = vec![
        "",
        "",
        "\"",
        "\"\"\"",
        "\\",
        "\\\n",
        "'",
        "\",\"x\":\"",
        "$S0",
        "\\u0000",
        "\0",
        "\n",
        "\n x",
        " ",
        " x ",
        "\t",
        "\r\n",
        "x\r",
        "\u{7f}",
        "\u{feff}",
        "#",
        "x\"",
        "\nadmin = true\n",
    ];
    prop_oneof![2 => prop::sample::select(nasty).prop_map(str::to_owned), 1 => any::<String>()]
}

/// What a string without escapes holds, mostly.
fn plain(also: Vec<&'static str>) -> impl Strategy<Value = String> {
    let plain = vec!["", "", "\"", "\\", "$L0", "é", " ", "\t", "#", "x", "\"\"\"", "=\\u0041"];
    prop_oneof![
        8 => prop::sample::select(plain).prop_map(str::to_owned),
        2 => prop::sample::select(also).prop_map(str::to_owned),
    ]
}

#[derive(Debug)]
struct Values {
    texts: Vec<(String, String)>,
    bares: [String; 3],
}

impl Values {
    fn of(&self, name: &str) -> &str {
        let number: usize = name[1..].parse().expect("a number");
        match &name[..1] {
            "S" => &self.texts[number].1,
            "L" => &self.texts[3 + number].1,
            "M" => &self.texts[5 + number].1,
            _ => &self.bares[number],
        }
    }

    fn marks(&self) -> Self {
        let texts = self.texts.iter().map(|(mark, _)| (mark.clone(), mark.clone())).collect();
        Self { texts, bares: [900, 901, 902].map(|number| number.to_string()) }
    }
}

fn values() -> impl Strategy<Value = Values> {
    let bare = || {
        let bares = vec!["true", "false", "0", "1_000", "-1.5e3", "nan", "-inf", "0xff", "1e-5"];
        prop::sample::select(bares).prop_map(str::to_owned)
    };
    let literal = || plain(vec!["'", "\n", "\u{7f}"]);
    let multi = || plain(vec!["\n", "\nx\n", "'", "x'y", "''"]);
    let texts = (nasty(), nasty(), nasty(), literal(), literal(), multi(), multi());
    let bares = (bare(), bare(), "0|[1-9][0-9]{0,5}(\\.[0-9]{1,3})?");
    (texts, bares).prop_map(|((a, b, c, d, e, f, g), (x, y, z))| {
        let texts = [a, b, c, d, e, f, g].into_iter().enumerate();
        let texts = texts.map(|(number, value)| (format!("mark{number}mark"), value)).collect();
        Values { texts, bares: [x, y, z] }
    })
}

fn rendered(document: &str, values: &Values) -> Result<String, Failed> {
    let out = render(Format::Toml, document.as_bytes(), |name| values.of(name).into())?;
    Ok(String::from_utf8(out).expect("a document in UTF-8"))
}

/// What this reader makes of the output must be what it makes of the template, with the values.
fn compared(
    read: impl Fn(&[String]) -> Vec<Option<Value>>,
    cases: &[(String, Values, String, String)],
) {
    let of = |case: &(String, Values, String, String)| {
        let [x, y, z] = &case.1.bares;
        let bares = format!("x = {x}\ny = {y}\nz = {z}\nw = -{z}\n");
        [case.2.clone(), case.3.clone(), bares]
    };
    let documents: Vec<String> = cases.iter().flat_map(of).collect();
    let found = read(&documents);
    for (case, found) in cases.iter().zip(found.chunks(3)) {
        let (document, values, _, out) = case;
        let [Some(marked), Some(read), Some(bares)] = found else {
            panic!("it is not read: {document}\n{values:?}\n{out}\n{found:?}");
        };
        let marks = ["i:900", "i:901", "i:902", "i:-902"];
        let integers = marks.iter().zip(["x", "y", "z", "w"]);
        let integers: Vec<_> =
            integers.map(|(mark, name)| ((*mark).to_owned(), bares[name].clone())).collect();
        let expected = replaced(marked, &values.texts, &integers);
        assert_eq!(expected.as_ref(), Some(read), "{document}\n{values:?}\n{out}");
    }
}

#[test]
fn the_structure_is_the_templates() {
    let strategy = (document(), values());
    let mut runner = TestRunner::deterministic();
    let mut cases = Vec::new();
    let mut refused = 0;
    for _ in 0..CASES {
        let (document, values) = strategy.new_tree(&mut runner).expect("a case").current();
        let marked = rendered(&document, &values.marks()).expect("it is rendered");
        match rendered(&document, &values) {
            Ok(out) => cases.push((document, values, marked, out)),
            Err(Failed::Value(Refusal::Unheld { .. })) => refused += 1,
            Err(failed) => panic!("{document}: {failed:?}"),
        }
    }
    assert!(refused < CASES / 2 && refused > CASES / 50, "{refused} refused");
    compared(|documents| tomllib(documents.iter().map(String::as_str)), &cases);
    compared(|documents| documents.iter().map(|document| toml(document)).collect(), &cases);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_text_at_all_makes_it_panic(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    "\"", "\"\"\"", "'", "'''", "\\", "\\u", "\\U0", "$N0", "${N1}", "$$N0", "{",
                    "}", "[", "]", "[[", "]]", ",", "=", " ", "\n", "\r\n", "\r", "1", "é", "#",
                    "\u{feff}", ".", "a", "a = ", "-", "\\\n", "${N",
                ]).prop_map(|piece| piece.as_bytes().to_vec()),
                prop::collection::vec(any::<u8>(), 1..3),
            ],
            0..24,
        ),
        value in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..8),
            prop::sample::select(vec!["", "1", "'", "\"", "\n"]).prop_map(|text| text.into()),
        ],
    ) {
        let text = pieces.concat();
        match render(Format::Toml, &text, |_| value.clone()) {
            Ok(out) => {
                let out = String::from_utf8(out).expect("a document in UTF-8");
                prop_assert!(toml(&out).is_some(), "{}", out);
            }
            Err(Failed::Template(fault)) => prop_assert!(fault.at <= text.len()),
            Err(Failed::Value(_) | Failed::Output(_)) => {}
        }
    }
}
