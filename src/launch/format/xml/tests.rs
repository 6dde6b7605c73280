//! What is written and what is refused, one by one.

use super::super::trial::{Failed, lay_out, render};
use super::super::{Fault, FaultKind, Format, Refusal};
use super::faults::{DECLARATION, ENCODING, NO_NAME, OUTSIDE, RETURN, UNQUOTED, VERSION};
use super::readers::{expat, roxmltree};
use super::write;

fn rendered(text: &str, value: &str) -> Result<String, Failed> {
    let out = render(Format::Xml, text.as_bytes(), |_| value.as_bytes().to_vec())?;
    Ok(String::from_utf8(out).expect("a document in UTF-8"))
}

fn fault(text: &[u8]) -> Fault {
    lay_out(Format::Xml, text).expect_err("it is refused")
}

#[test]
fn text_attributes_and_cdata() {
    let mut all = Vec::new();
    for (text, value, expected) in [
        ("<a>$NAME</a>", "x", "<a>x</a>"),
        ("<a>$NAME</a>", "", "<a></a>"),
        ("<a> $NAME&amp;${NAME}\n</a>", "x", "<a> x&amp;x\n</a>"),
        ("<a b='$NAME' c = \"${NAME}\"/>", "x", "<a b='x' c = \"x\"/>"),
        ("<a>$$NAME$$$NAME<b>$host</b></a>", "x", "<a>$NAME$x<b>$host</b></a>"),
        ("<a><![CDATA[<$NAME]]></a>", "&<", "<a><![CDATA[<&<]]></a>"),
        ("<!--$NAME--><a><!-- ${NAME} --></a>", "x", "<!--$NAME--><a><!-- ${NAME} --></a>"),
        ("<n:a xmlns:n='u' n:b='$NAME'/>", "x", "<n:a xmlns:n='u' n:b='x'/>"),
        ("<a>$&amp;$NAME</a>", "x", "<a>$&amp;x</a>"),
        (
            "<!DOCTYPE a [<?p?><?q ]>?><!-- $NAME --><!-- $NAME -->]><a>$NAME</a>",
            "x",
            "<!DOCTYPE a [<?p?><?q ]>?><!-- $NAME --><!-- $NAME -->]><a>x</a>",
        ),
        ("<a>&#x24;NAME &#36;{NAME} $NAME</a>", "x", "<a>&#x24;NAME &#36;{NAME} x</a>"),
        (
            "\u{feff}<?xml version='1.0'?>\r\n<a>\r\n\t$NAME\r\n</a>\r\n",
            "\r\n",
            "\u{feff}<?xml version='1.0'?>\r\n<a>\r\n\t&#13;\n\r\n</a>\r\n",
        ),
        (
            "<!DOCTYPE a [ <!ENTITY e '<b/>'> <!-- $NAME ]> --> <?p ]>?> ]><a>&e;$NAME</a>",
            "&e;",
            "<!DOCTYPE a [ <!ENTITY e '<b/>'> <!-- $NAME ]> --> <?p ]>?> ]><a>&e;&amp;e;</a>",
        ),
    ] {
        assert_eq!(rendered(text, value).as_deref(), Ok(expected), "{text}");
        assert!(roxmltree(expected).is_some(), "{expected}");
        all.push(expected.to_owned());
    }
    assert!(expat(&all).iter().all(Option::is_some), "{all:?}");
}

#[test]
fn values_are_escaped_where_they_stand() {
    let value = "&<>\"'\r\n\t]]> \u{7f}\u{85}\u{9f}\u{a0}\u{2028}é\u{fffd}😀\u{1fffe}$NAME";
    let text = "&amp;&lt;&gt;\"'&#13;\n\t]]&gt; &#127;&#133;&#159;\u{a0}&#8232;é\u{fffd}😀\
                \u{1fffe}$NAME";
    let attribute = "&amp;&lt;&gt;&quot;&apos;&#13;&#10;&#9;]]&gt; &#127;&#133;&#159;\u{a0}&#8232;é\
                     \u{fffd}😀\u{1fffe}$NAME";
    assert_eq!(rendered("<a>$NAME</a>", value), Ok(format!("<a>{text}</a>")));
    for template in ["<a b=\"$NAME\"/>", "<a b='$NAME'/>"] {
        assert_eq!(rendered(template, value), Ok(template.replace("$NAME", attribute)));
    }
    let cdata = "&<>\"'\n\t]] >\u{7f}\u{85}\u{2028}é😀";
    assert_eq!(
        rendered("<a><![CDATA[$NAME]]></a>", cdata),
        Ok(format!("<a><![CDATA[{cdata}]]></a>"))
    );
    for encoding in ["us-ascii", "ISO-8859-1", "windows-1252"] {
        let declaration = format!("<?xml version=\"1.0\" encoding=\"{encoding}\" ?>");
        let declared = format!("{declaration}<a b='$NAME'>$NAME</a>");
        assert_eq!(
            rendered(&declared, "é😀"),
            Ok(declared.replace("$NAME", "&#233;&#128512;")),
            "nothing beyond ASCII"
        );
    }
}

#[test]
fn raw_text_does_not_join_with_what_is_beside_it() {
    let mut all = Vec::new();
    for (text, value, expected) in [
        ("<a>]]$NAME</a>", ">", "<a>]]&gt;</a>"),
        ("<a>$NAME></a>", "]]", "<a>]]&gt;</a>"),
        ("<a>$NAME]></a>", "]", "<a>]]&gt;</a>"),
        ("<a>]]${NAME}></a>", "", "<a>]]&gt;</a>"),
        ("<a>]${NAME}]>></a>", "", "<a>]]&gt;></a>"),
        ("<a>]$NAME></a>", "]x", "<a>]]x></a>"),
        ("<a>&amp;$NAME;</a>", "lt", "<a>&amp;lt;</a>"),
    ] {
        assert_eq!(rendered(text, value).as_deref(), Ok(expected), "{text}");
        all.push(expected.to_owned());
    }
    assert!(expat(&all).iter().all(Option::is_some), "{all:?}");
}

#[test]
fn what_cannot_be_held_is_refused() {
    let in_text = ["<a>$NAME</a>", "<a b='$NAME'/>", "<a><![CDATA[$NAME]]></a>"];
    for text in in_text {
        for value in ["\u{1}", "a\u{8}", "\u{b}", "\u{c}", "\u{1f}", "\u{fffe}", "\u{ffff}"] {
            assert_eq!(rendered(text, value), Err(Failed::Value(write::UNHELD)), "{value:?}");
        }
        assert_eq!(rendered(text, "\0"), Err(Failed::Value(Refusal::Nul)));
        let latin = render(Format::Xml, text.as_bytes(), |_| b"\xe9".to_vec());
        assert_eq!(latin, Err(Failed::Value(Refusal::NotUtf8)));
    }
    for (text, value, refusal) in [
        ("$NAME", "]]>", write::ENDS_CDATA),
        ("]]$NAME", ">", write::ENDS_CDATA),
        ("]$NAME", "]>", write::ENDS_CDATA),
        ("${NAME}>", "]]", write::ENDS_CDATA),
        ("]]${NAME}>", "", write::ENDS_CDATA),
        ("$NAME${NAME}>", "]", write::ENDS_CDATA),
        ("$NAME", "\r", write::RETURN_IN_CDATA),
    ] {
        let text = format!("<a><![CDATA[{text}]]></a>");
        assert_eq!(rendered(&text, value), Err(Failed::Value(refusal)), "{text}");
    }
    let ascii = "<?xml version='1.0' encoding='US-ASCII'?><a><![CDATA[$NAME]]></a>";
    assert_eq!(rendered(ascii, "é"), Err(Failed::Value(write::BEYOND_ASCII)));
    assert_eq!(rendered("<a><![CDATA[$NAME]]]></a>", "]]"), Ok("<a><![CDATA[]]]]]></a>".into()));
}

/// A reader that knows the DTD drops blanks from a list of words.
#[test]
fn blanks_in_an_attribute_that_may_be_a_list_of_words_are_refused() {
    let refused = Err(Failed::Value(write::DROPS_BLANKS));
    for dtd in [
        "[<!ATTLIST a b NMTOKENS #IMPLIED>]",
        "SYSTEM 'x'",
        "PUBLIC \"-//x\" \"y\" []",
        "[<!ENTITY % x ''> %x;]",
    ] {
        let text = format!("<!DOCTYPE a {dtd}><a b='$NAME'>$NAME</a>");
        for value in [" x", "x ", " ", "x  y"] {
            assert_eq!(rendered(&text, value), refused, "{dtd} {value:?}");
        }
        for value in ["", "x", "x y", "\t"] {
            assert!(rendered(&text, value).is_ok(), "{dtd} {value:?}");
        }
        assert_eq!(rendered(&text.replace("='", "='a "), ""), refused);
    }
    for dtd in ["", "[<!ENTITY x '<!ATTLIST %x;'><!--<!ATTLIST--><?p <!ATTLIST?>]"] {
        let text = format!("<!DOCTYPE a {dtd}><a b='$NAME'/>");
        assert!(rendered(&text, "  ").is_ok(), "{dtd}");
    }
}

fn syntax(at: usize, message: &str) -> Fault {
    Fault { at, kind: FaultKind::Syntax { format: "xml", message: message.to_owned() } }
}

#[test]
fn a_template_that_is_no_xml_is_refused_where_it_ends_to_be_some() {
    for (text, at, message) in [
        (&b""[..], 0, "there is no element"),
        (b"\n<!-- $NAME -->", 15, "there is no element"),
        (b"<a>$NAME", 0, "the element that begins here is not closed"),
        (b"<a><b>$NAME</a></b>", 11, "expected `</b>`, but `</a>` was found"),
        (b"<a>$NAME</a></a>", 12, "close tag `</a>` does not match any open tag"),
        (b"<a>$NAME</a><a/>", 12, "a second root element"),
        (b"<a>$NAME</a> x", 13, OUTSIDE),
        (b"&amp;<a/>", 0, OUTSIDE),
        (b"<a/><![CDATA[]]>", 4, OUTSIDE),
        (b"\xef\xbb\xbf\xef\xbb\xbf<a/>", 3, OUTSIDE),
        (b"<a>$NAME & b</a>", 9, "a lone `&`, which is written `&amp;`"),
        (b"<a>&$NAME b</a", 4, ""),
        (b"<a>&amp</a>", 3, "a lone `&`, which is written `&amp;`"),
        (b"<a>& amp;</a>", 3, "a lone `&`, which is written `&amp;`"),
        (b"<a>&nbsp;</a>", 3, "an entity that is not declared"),
        (b"<a b='&e;'/>", 6, "an entity that is not declared"),
        (b"<a b='x &e;'/>", 8, "an entity that is not declared"),
        (b"<!DOCTYPE a [<!ENTITY e 'x'>]><a>&f;</a>", 33, "an entity that is not declared"),
        (b"<!DOCTYPE a SYSTEM 'x'><a>&1;</a>", 26, "an entity that is not declared"),
        (b"<a>&#0;</a>", 3, "a number that stands for no character"),
        (b"<a>&#xD800;</a>", 3, "a number that stands for no character"),
        (b"<a>&#x;</a>", 3, "a number that stands for no character"),
        (b"<a>&#1114112;</a>", 3, "a number that stands for no character"),
        (b"<a>$NAME ]]> </a>", 9, "`]]>` in text, where it is written `]]&gt;`"),
        (b"<a><!-- $NAME -- --></a>", 14, "`--` in a comment"),
        (b"<a><!-- --->$NAME</a>", 8, "`--` in a comment"),
        (b"<a><!-- $NAME ->", 3, "comment not closed: `-->` not found before end of input"),
        (b"<a><![CDATA[$NAME]>", 3, "CDATA not closed: `]]>` not found before end of input"),
        (
            b"<a><?p $NAME>",
            3,
            "processing instruction not closed: `?>` not found before end of \
                                input",
        ),
        (b"<a b='$NAME", 0, "attribute value not closed: `'` not found before end of input"),
        (b"<a b='$NAME'c=''/>", 12, "a blank is missing before this attribute"),
        (b"<a b='$NAME' b=''/>", 13, "this attribute is there already"),
        (b"<a b='$NAME' c/>", 14, "expected `=` and a value"),
        (b"<a b='$NAME' c=/>", 15, "expected a value"),
        (b"<a b='$NAME<'/>", 11, "`<` in an attribute, where it is written `&lt;`"),
        (b"<a b='$NAME' 1c=''/>", 13, NO_NAME),
        (b"<1>$NAME</1>", 1, NO_NAME),
        (b"<a%>$NAME</a%>", 1, NO_NAME),
        (b"< a>$NAME</ a>", 1, NO_NAME),
        (b"<a>$NAME<!b></a>", 8, "unknown or missed symbol in markup"),
        (b"<a><?XmL x?>$NAME</a>", 5, NO_NAME),
    ] {
        let expected = match message {
            "" => Fault { at, kind: FaultKind::Escape },
            message => syntax(at, message),
        };
        assert_eq!(fault(text), expected, "{}", text.escape_ascii());
    }
}

#[test]
fn a_declaration_a_dtd_and_characters_that_are_none_are_refused() {
    for (text, at, message) in [
        (&b"\n<?xml version='1.0'?><a/>"[..], 1, "an XML declaration behind the start"),
        (b"<?xml encoding='UTF-8'?><a/>", 6, DECLARATION),
        (b"<?xml ?><a/>", 0, DECLARATION),
        (b"<?xml version='1.0' standalone='yes' encoding='UTF-8'?><a/>", 37, DECLARATION),
        (b"<?xml version='1.0' standalone='1'?><a/>", 32, DECLARATION),
        (
            b"<?xml version='1.0' encoding='ASCII'?><a>\xc3\xa9</a>",
            41,
            "it declares to be ASCII, \
                                                                       and is not",
        ),
        (b"<a/><!DOCTYPE a>", 4, "a DOCTYPE behind another, or behind the root"),
        (b"<!doctype a><a/>", 0, "a DOCTYPE that cannot be read"),
        (b"<!DOCTYPE [ ]><a/>", 0, "a DOCTYPE that cannot be read"),
        (b"<a>$NAME\x01</b>", 8, "a character that XML cannot hold"),
        (b"<a>$NAME\x01\x01</a>", 8, "a character that XML cannot hold"),
        (b"<a>$NAME</a>\x01", 12, "a character that XML cannot hold"),
        (b"<a>$NAME</b>\x01", 8, "expected `</a>`, but `</b>` was found"),
        (b"<a>$NAME\xef\xbf\xbf</a>", 8, "a character that XML cannot hold"),
        (b"<a>$NAME\xe9</a>", 8, "it is not UTF-8"),
        (b"\xff\xfe<\0", 0, "it is UTF-16, and not UTF-8"),
        (b"<\0a\0", 0, "it is UTF-16, and not UTF-8"),
    ] {
        assert_eq!(fault(text), syntax(at, message), "{}", text.escape_ascii());
    }
}

#[test]
fn a_document_that_readers_differ_on_is_refused() {
    for (text, at, kind) in [
        ("<?xml version=\"1.1\"?><a>$NAME</a>", 15, VERSION),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><a>\u{e9}$NAME</a>", 30, ENCODING),
        ("<?xml version='1.0' encoding='Shift_JIS'?><a>$NAME</a>", 30, ENCODING),
        ("<a>\r\n\r${NAME}</a>", 5, RETURN),
        ("<a>$NAME\r</a>", 8, RETURN),
        ("<a b='x\r$$NAME'/>", 7, RETURN),
        ("<a><![CDATA[\r$NAME]]></a>", 12, RETURN),
        ("<?xml version='1.0' encoding='UTF-16'?><a>$NAME</a>", 30, ENCODING),
    ] {
        assert_eq!(fault(text.as_bytes()), Fault { at, kind }, "{text}");
    }
}

#[test]
fn an_attribute_without_quotes() {
    for (text, at) in [
        ("<a b=$NAME/>", 5),
        ("<a b = ${NAME}>x</a>", 7),
        ("<a b='$NAME' c=$$NAME/>", 15),
        ("<a b='$NAME' c=d/>", 15),
        ("<a b=http://$NAME/>", 5),
    ] {
        assert_eq!(fault(text.as_bytes()), Fault { at, kind: UNQUOTED }, "{text}");
    }
}

#[test]
fn bytes_of_the_encoding_that_is_declared() {
    for (text, at) in [
        (&b"<?xml version='1.0' encoding='windows-1252'?><a>$NAME\xe9</a>"[..], 30),
        (b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<a b='\x80'>$NAME</a>", 30),
        (b"<?xml version='1.0' encoding='us-ascii'?><a>$NAME\xe9</a>", 30),
        (b"\xef\xbb\xbf<?xml version='1.0' encoding='latin1'?><a>$NAME\xe9</a>", 33),
    ] {
        assert_eq!(fault(text), Fault { at, kind: ENCODING }, "{}", text.escape_ascii());
    }
    for (text, at) in [
        (&b"<?xml version='1.0' encoding='utf-8'?><a>$NAME\xe9</a>"[..], 46),
        (b"<?xml version='1.0'?><a>$NAME\xe9<?xml encoding='latin1'?></a>", 29),
        (b"<?xml version='1.0' encoding='$NAME'?><a>\xe9</a>", 41),
        (b"<?xml version='1.0' encoding='latin1\xe9'?><a>$NAME</a>", 36),
    ] {
        assert_eq!(fault(text), syntax(at, "it is not UTF-8"), "{}", text.escape_ascii());
    }
}

#[test]
fn references_where_there_is_no_scalar_or_half_an_entity() {
    for (text, at) in [
        ("<$NAME/>", 1),
        ("<a>x</a$NAME>", 7),
        ("<a $NAME=''>$NAME</a>", 3),
        ("<a $NAME/>", 3),
        ("<a $NAME=$NAME/>", 3),
        ("<a ${NAME}b='${NAME}'/>", 3),
        ("<a xmlns='$NAME'/>", 10),
        ("<a xmlns:n='u$NAME'/>", 13),
        ("<?p $NAME?><a/>", 4),
        ("<a><?$NAME x?>$NAME</a>", 5),
        ("<?xml version='$NAME'?><a/>", 15),
        ("<?xml version='1.0' encoding='$NAME'?><a/>", 30),
        ("<!DOCTYPE $NAME><a/>", 10),
        ("<!DOCTYPE a [<!ENTITY e '$NAME'> <!-- $NAME -->]><a>&e;</a>", 25),
        ("<!DOCTYPE a SYSTEM '$NAME'><a>$NAME</a>", 20),
        ("$NAME<a/>", 0),
        ("<a/>$$NAME", 4),
    ] {
        assert_eq!(fault(text.as_bytes()), Fault { at, kind: FaultKind::NoScalar }, "{text}");
    }
    for (text, at) in [
        ("<a>&$NAME;</a>", 4),
        ("<a>&am$NAME;</a>", 6),
        ("<a>&amp${NAME}</a>", 7),
        ("<a>&#$NAME;</a>", 5),
        ("<a>&#x2${NAME};</a>", 7),
        ("<a b='&$$NAME;'/>", 7),
    ] {
        assert_eq!(fault(text.as_bytes()), Fault { at, kind: FaultKind::Escape }, "{text}");
    }
}

#[test]
fn depth_and_an_entity_bomb_are_no_matter() {
    for depth in [100, 100_000] {
        let text = format!("{}$NAME{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert_eq!(rendered(&text, "<"), Ok(text.replace("$NAME", "&lt;")));
        let open = &text[..text.len() - 4];
        assert_eq!(fault(open.as_bytes()).at, 0);
    }
    let entities: String =
        (1..40).map(|i| format!("<!ENTITY e{i} '&e{};&e{};'>", i - 1, i - 1)).collect();
    let bomb = format!("<!DOCTYPE a [<!ENTITY e0 'x'>{entities}]><a>&e39;$NAME</a>");
    assert_eq!(rendered(&bomb, "x"), Ok(bomb.replace("$NAME", "x")));
}
