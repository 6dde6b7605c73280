//! Random documents and random nasty values, read again by both readers.

use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_oneof};
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::super::Format;
use super::super::trial::{Failed, render};
use super::readers::{python_dotenv, shell};

fn line() -> impl Strategy<Value = String> {
    let references = vec!["$S0", "${S1}", "${S2}", "$S3", "$$S0", "$$$S1", "$${S2}", "$${S2:-"];
    let raw = vec![
        "a", "b c", " ", "#", " #", "'", "\"", "\\", "\\\\", "\\\"", "\\'", "\\n", "\n", "\t", "é",
        "$host", "${host}", "${x:-y}", "$", "{", "}", "{x}", "`", "\\`", "\\$", "$(", ";x", "<<",
        "~", "\r", "/", ":", "\r\n", "\u{a0}", "\u{1f}", "\u{2028}", "a=b", "=",
    ];
    let piece = prop_oneof![2 => prop::sample::select(references), 3 => prop::sample::select(raw)];
    let open = prop::sample::select(vec!["", "export ", " ", "# ", "export\t", "export B # $S0\n"]);
    let quote = prop::sample::select(vec!["\"", "'", ""]);
    let end = prop::sample::select(vec!["", " ", " # c $S0", "\t#", "\r"]);
    let pieces = prop::collection::vec(piece, 0..6);
    (open, quote, pieces, end).prop_map(|(open, quote, pieces, end)| {
        let value = pieces.concat();
        let value = format!("{quote}{value}{quote}{end}");
        // A shell ends at an `export` of what is no name.
        let ends = !open.ends_with('\n') && value.contains([' ', '\t', '\r']);
        let open = if ends { open.trim_end() } else { open };
        let open = if open == "export" { "" } else { open };
        format!("{open}A={value}\n")
    })
}

fn text_value() -> impl Strategy<Value = String> {
    let nasty = vec![
        "",
        "'",
        "\"",
        "\\",
        "$",
        "`",
        "\n",
        "\r",
        "#",
        " #",
        "$host",
        "${host}",
        "{host}",
        "}",
        "x\nB=1",
        "a",
        "'; echo x >&2; '",
        "\"; echo x >&2; \"",
        "\\'",
        "\\\"",
        "\\\n",
        "host",
        "\u{1}",
        "\u{88}",
        "~",
        " a",
    ];
    let nasty = prop::collection::vec(prop::sample::select(nasty), 1..3);
    prop_oneof![nasty.prop_map(|parts| parts.concat()), "[^\0]{0,8}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is accepted is read by both as with plain marks in the places of the values. What a
    /// line may hold depends on those behind it: one with which the whole is refused is left out.
    #[test]
    fn both_readers_find_the_values_and_nothing_else(
        lines in prop::collection::vec(line(), 24),
        texts in prop::collection::vec(text_value(), 4),
    ) {
        let value = |values: &[String], name: &str| {
            values[name[1..].parse::<usize>().expect("a number")].clone().into_bytes()
        };
        let marks: Vec<_> = (0..4).map(|i| format!("mark{i}end")).collect();
        let rendered = |template: &str, values: &[String]| {
            let out = render(Format::Env, template.as_bytes(), |name| value(values, name)).ok()?;
            Some(String::from_utf8(out).expect("UTF-8"))
        };
        let (mut template, mut names) = (String::new(), Vec::new());
        for line in lines {
            let line = line.replacen("A=", &format!("V{}=", names.len()), 1);
            // To a shell that is its process id, which is another in each run.
            if rendered(&line, &texts).is_none_or(|out| out.contains("$$")) {
                continue;
            }
            let longer = format!("{template}{line}");
            if rendered(&longer, &texts).is_some() {
                template = longer;
                names.push(format!("V{}", names.len()));
            }
        }
        let document = rendered(&template, &texts).expect("each line was tried");
        let marked = rendered(&template, &marks).expect("marks are plain");
        let replaced = |text: &String| {
            let texts = texts.iter().zip(&marks);
            texts.fold(text.clone(), |text, (value, mark)| text.replace(mark, value))
        };
        let expected = python_dotenv(&marked).expect("python-dotenv reads the marks");
        let expected: Vec<_> = expected.iter().map(|(k, v)| (k.clone(), replaced(v))).collect();
        prop_assert_eq!(python_dotenv(&document), Some(expected), "{}", document);
        names.push("V".to_owned());
        // Where a shell gives up on an odd line, it must do so with the values too.
        let expected = shell(&marked, &names);
        let expected = expected.map(|found| found.iter().map(replaced).collect::<Vec<_>>());
        prop_assert_eq!(shell(&document, &names), expected, "{}", document);
    }

    #[test]
    fn no_text_at_all_makes_it_panic(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    "A=", "\"", "'", "\\", "$S0", "${S1}", "$$S0", "$", "{", "}", "\n", "\r", "#",
                    " ", "é", "<<",
                    "export ", "\u{feff}", "`", "$${",
                ]).prop_map(|piece| piece.as_bytes().to_vec()),
                prop::collection::vec(any::<u8>(), 1..3),
            ],
            0..24,
        ),
        value in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let text = pieces.concat();
        if let Err(Failed::Template(fault)) = render(Format::Env, &text, |_| value.clone()) {
            prop_assert!(fault.at <= text.len());
        }
    }
}
