//! What is left out of the page when it is packed: nothing that means something.

#[path = "../../src/store/page/shorten.rs"]
mod shorten;

use crate::harness::files;

use shorten::{Kind, shortened};

#[test]
fn what_is_quoted_stays_as_it_is() {
    for kept in [
        r#""a  b // c""#,
        r#"'it  \'s  /* so */'"#,
        "`a  b ${x} // c\n  d`",
        "`a ${`b  ${c}  `}  d`",
        r"x.replace(/[/ ]  \/ +/g,y)",
        r"let x=/ '/;",
    ] {
        assert_eq!(shortened(kept, Kind::Script), kept);
    }
}

#[test]
fn what_means_nothing_goes() {
    for (text, expected) in [
        ("a  =  b  +  c ;\n\n  d ( ) ;\n", "a=b+c;d();\n"),
        ("return x ; // why\nlet y", "return x;let y"),
        ("/* why\n * so */ f( a , b )", "f(a,b)"),
        ("a + +b - -c", "a+ +b- -c"),
        ("a / b / c // d", "a/b/c"),
        ("if (x) {\n  y ( ) ;\n}\nz", "if(x){y()}z"),
        ("x = `${ a + b }` ;", "x=`${a+b}`;"),
        ("return \"x\" in y", "return\"x\"in y"),
        ("a\nb", "a\nb"),
        ("const [a, b] = constant ;", "let[a,b]=constant;"),
        ("f({\n  a,\n  b,\n}, [, c], \"const \",\n)", "f({a,b},[,c],\"const \")"),
        ("f((x) => (y), async (z) => z)", "f(x=>(y),async z=>z)"),
        ("() => (a, b) => f(c) > d", "()=>(a,b)=>f(c)>d"),
    ] {
        assert_eq!(shortened(text, Kind::Script).trim_end(), expected.trim_end(), "{text}");
    }
    let style =
        "a:hover , b > c {\n  font: 15px/1.5 \"A  B\" ; /* why */\n}\n@media (x) and (y) { }\n";
    let expected = "a:hover,b>c{font:15px/1.5 \"A  B\"}@media (x) and (y){}";
    assert_eq!(shortened(style, Kind::Style), expected);
}

#[test]
fn twice_is_as_once() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/page");
    for (path, bytes) in files(&root) {
        let kind = match path.extension().and_then(|end| end.to_str()) {
            Some("js") => Kind::Script,
            Some("css") => Kind::Style,
            _ => continue,
        };
        let once = shortened(&String::from_utf8(bytes).expect("sources are UTF-8"), kind);
        assert_eq!(shortened(&once, kind), once, "{}", path.display());
        assert!(!once.contains("/*") && !once.contains("\n\n"), "{}", path.display());
    }
}
