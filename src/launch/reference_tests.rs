//! The grammar against examples from the contract, and against a second, naive implementation.

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use proptest::{prop_assert_eq, proptest};

use super::{Fault, Grammar, Kind};
use crate::name::{Environment, SecretName};

fn grammar(environment: Option<&str>, literal: &[&str]) -> Grammar {
    Grammar {
        literal: literal.iter().map(|name| SecretName::parse(name).expect("a name")).collect(),
        environment: environment.map(|name| Environment::parse(name).expect("an environment")),
        environments: ["DEV", "STAGING", "PROD"]
            .map(|name| Environment::parse(name).expect("an environment"))
            .to_vec(),
    }
}

/// The text with `<NAME>` for each reference and `!NAME!` for each fault.
fn shown(grammar: &Grammar, text: &str) -> String {
    let mut out = Vec::new();
    let mut from = 0;
    for found in grammar.scan(text.as_bytes()) {
        out.extend_from_slice(&text.as_bytes()[from..found.start]);
        out.extend(std::iter::repeat_n(b'$', found.dollars));
        match &found.kind {
            Kind::Escape => {}
            Kind::Reference(name) => out.extend_from_slice(format!("<{name}>").as_bytes()),
            Kind::ReferenceFor(name) => out.extend_from_slice(format!("<{name}>").as_bytes()),
            Kind::Fault(fault) => out.extend_from_slice(format!("!{}!", fault.name()).as_bytes()),
        }
        if !matches!(found.kind, Kind::Escape) {
            assert_eq!(text.as_bytes()[found.at()], b'$');
            assert_ne!(text.as_bytes()[found.at() + 1], b'$');
        }
        from = found.end;
    }
    out.extend_from_slice(&text.as_bytes()[from..]);
    String::from_utf8(out).expect("pieces of UTF-8, cut at ASCII")
}

#[test]
fn examples_of_the_contract() {
    let plain = grammar(None, &[]);
    for (text, expected) in [
        ("$NAME", "<NAME>"),
        ("${NAME}", "<NAME>"),
        ("a$NAME-b${NAME}c", "a<NAME>-b<NAME>c"),
        (
            "$2y$10$N9qo8uLO $host $HOMEdir ${lower} ${HOMEdir}",
            "$2y$10$N9qo8uLO $host $HOMEdir ${lower} ${HOMEdir}",
        ),
        ("$$NAME", "$NAME"),
        ("$$$NAME", "$<NAME>"),
        ("$$$$NAME", "$$NAME"),
        ("$$ $$$ $", "$$ $$$ $"),
        ("$${NAME}", "${NAME}"),
        ("$$lower", "$$lower"),
        ("${NAME:-x}", "!NAME!:-x}"),
        ("${NAME", "!NAME!"),
        ("$${NAME:-x}", "${NAME:-x}"),
        ("$${NAME:-$OTHER}", "${NAME:-<OTHER>}"),
        ("${NAME:-$OTHER}", "!NAME!:-<OTHER>}"),
        ("${HOMEdir:-x} ${}", "${HOMEdir:-x} ${}"),
        ("$A$B", "<A><B>"),
        ("$A$$B", "<A>$B"),
        ("$P$B12abc", "<P>$B12abc"),
        ("${A@}", "!A@!"),
        ("${@} ${@:2} $@", "${@} ${@:2} $@"),
        ("$KEY_@", "<KEY_>@"),
        ("$(NAME) $[NAME]", "$(NAME) $[NAME]"),
        ("$_A $1A $É", "$_A $1A $É"),
    ] {
        assert_eq!(shown(&plain, text), expected, "{text}");
    }
    let long = "A".repeat(129);
    assert_eq!(shown(&plain, &format!("${long}")), format!("${long}"));
    assert_eq!(shown(&plain, &format!("${}", &long[1..])), format!("<{}>", &long[1..]));
}

#[test]
fn what_is_not_closed_is_told_with_what_stands_there() {
    for (text, message) in [
        (&b"${AWS::StackName}"[..], "`${AWS` is followed by `:`, not by `}`"),
        (b"${DB_HOST:localhost}", "`${DB_HOST` is followed by `:`, not by `}`"),
        (b"\"${A\"", "`${A` is followed by `\"`, not by `}`"),
        (b"${A }", "`${A` is followed by a blank, not by `}`"),
        (b"${A\r\n}", "`${A` is followed by a line end, not by `}`"),
        (b"${A$B}", "`${A` is followed by `$`, not by `}`"),
        (b"${A", "`${A` is not closed by `}`"),
        (b"${A`x`}", "`${A` is not closed by `}`"),
        (b"${A\x1b[m}", "`${A` is not closed by `}`"),
        (b"${A\0}", "`${A` is not closed by `}`"),
        (b"${A\xff}", "`${A` is not closed by `}`"),
        ("${Aé}".as_bytes(), "`${A` is not closed by `}`"),
    ] {
        let plain = grammar(None, &[]);
        let Some(Kind::Fault(fault)) = plain.scan(text).next().map(|found| found.kind) else {
            panic!("no fault in {}", text.escape_ascii());
        };
        assert_eq!(fault.to_string(), message);
        let literal = grammar(None, &[fault.name()]);
        assert!(!matches!(literal.scan(text).next().map(|one| one.kind), Some(Kind::Fault(_))));
    }
}

#[test]
fn what_is_not_closed_has_a_way_out() {
    for (text, hint) in [
        (
            "${A:-x}",
            "write `${A}`, for there are no defaults; for plain text, write `$${A` or name it with \
             `--literal A`",
        ),
        ("${A", "write `${A}`; for plain text, write `$${A` or name it with `--literal A`"),
        ("${A_@ }", "write `${A_@}`; for plain text, write `$${A_@`"),
    ] {
        let plain = grammar(None, &[]);
        let Some(Kind::Fault(fault)) = plain.scan(text.as_bytes()).next().map(|found| found.kind)
        else {
            panic!("no fault in {text}");
        };
        assert_eq!(fault.hint(), hint);
    }
}

#[test]
fn the_environment() {
    let prod = grammar(Some("prod"), &[]);
    assert_eq!(
        shown(&prod, "${API_KEY_@} ${@_KEY} ${A_@_@}"),
        "<API_KEY_PROD> <PROD_KEY> <A_PROD_PROD>"
    );
    assert_eq!(shown(&prod, "$API_KEY_DEV"), "!API_KEY_DEV!");
    assert_eq!(shown(&prod, "$API_KEY_PROD $DEV $ADEV"), "<API_KEY_PROD> <DEV> <ADEV>");
    assert_eq!(shown(&prod, "$$API_KEY_DEV $${API_KEY_@}"), "$API_KEY_DEV ${API_KEY_@}");
    assert_eq!(
        shown(&grammar(Some("EU_PROD"), &[]), "$KEY_EU_PROD $KEY_PROD"),
        "<KEY_EU_PROD> !KEY_PROD!"
    );
    let mut nested = grammar(Some("PROD"), &[]);
    nested.environments.push(Environment::parse("EU_PROD").expect("an environment"));
    assert_eq!(shown(&nested, "$DB_EU_PROD $DB_PROD"), "!DB_EU_PROD! <DB_PROD>");
    let without = grammar(None, &[]);
    assert_eq!(shown(&without, "${API_KEY_@} $API_KEY_DEV"), "!API_KEY_@! <API_KEY_DEV>");
    let text = format!("${{{}@}}", "A".repeat(126));
    let found = prod.scan(text.as_bytes()).next().expect("one");
    assert!(matches!(found.kind, Kind::Fault(Fault::TooLong { .. })));
}

#[test]
fn literal_names_are_plain_text() {
    let home = grammar(Some("PROD"), &["HOME", "API_KEY_PROD", "KEY_DEV"]);
    assert_eq!(
        shown(&home, "$HOME ${HOME} $$HOME ${HOME:-x} $HOMES"),
        "$HOME ${HOME} $$HOME ${HOME:-x} <HOMES>"
    );
    assert_eq!(shown(&home, "${API_KEY_@} $KEY_DEV"), "${API_KEY_@} $KEY_DEV");
}

/// The grammar once more, a character at a time, with nothing shared but the words of the contract.
fn naive(text: &[u8], environment: Option<&str>) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = |s: &str| {
        let mut chars = s.chars();
        s.len() <= 128
            && matches!(chars.next(), Some('A'..='Z'))
            && chars.all(|c| matches!(c, 'A'..='Z' | '0'..='9' | '_'))
    };
    let text: Vec<char> = text.iter().map(|b| *b as char).collect();
    let mut out = String::new();
    let mut i = 0;
    while i < text.len() {
        if text[i] != '$' {
            out.push(text[i]);
            i += 1;
            continue;
        }
        let mut n = 0;
        while i + n < text.len() && text[i + n] == '$' {
            n += 1;
        }
        let rest: String = text[i + n..].iter().collect();
        let (inner, closed, length, braced) = match rest.strip_prefix('{') {
            Some(rest) => {
                let inner: String = rest.chars().take_while(|c| word(*c) || *c == '@').collect();
                let closed = rest[inner.len()..].starts_with('}');
                let length = 1 + inner.len() + usize::from(closed);
                (inner, closed, length, true)
            }
            None => {
                let inner: String = rest.chars().take_while(|c| word(*c)).collect();
                let length = inner.len();
                (inner, true, length, false)
            }
        };
        let shaped = inner.chars().any(|c| c != '@') && name(&inner.replace('@', "A"));
        if !shaped || !braced && inner.contains('@') {
            out.extend(std::iter::repeat_n('$', n));
        } else {
            out.extend(std::iter::repeat_n('$', n / 2));
            if n % 2 == 1 {
                let full = environment.map(|e| inner.replace('@', e));
                let fails = !closed || inner.contains('@') && full.is_none();
                let used = full.unwrap_or_else(|| inner.clone());
                let foreign = environment.is_some_and(|e| {
                    !used.ends_with(&format!("_{e}"))
                        && ["_DEV", "_STAGING", "_PROD"].iter().any(|s| used.ends_with(s))
                });
                if fails {
                    out += &format!("!{inner}!");
                } else if foreign || !name(&used) {
                    out += &format!("!{}!", if name(&used) { &used } else { &inner });
                } else {
                    out += &format!("<{used}>");
                }
                i += n + length;
                continue;
            }
        }
        i += n;
    }
    out
}

fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec!["$", "$", "{", "}", "@", "_", "A", "B9", "x", ":-", " "])
            .prop_map(str::to_owned),
        2 => prop::sample::select(vec!["${A_@}", "$KEY_DEV", "${KEY_PROD}", "$$A", "${A"])
            .prop_map(str::to_owned),
        1 => any::<char>().prop_filter("ASCII, for the naive reader", char::is_ascii)
            .prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(4096))]
    #[test]
    fn agrees_with_the_naive_implementation(
        text in texts(),
        environment in prop_oneof![Just(None), Just(Some("PROD")), Just(Some("QA"))],
    ) {
        let grammar = grammar(environment, &[]);
        prop_assert_eq!(shown(&grammar, &text), naive(text.as_bytes(), environment));
    }
}
