//! What is said of a document that is not read.

use super::FaultKind;

pub const DECLARATION: &str = "an XML declaration is `<?xml version=\"1.0\" encoding=\"UTF-8\"?>`";
pub const NO_NAME: &str = "a name is expected here";
pub const OUTSIDE: &str = "text outside of the root element";

pub const ENCODING: FaultKind = FaultKind::Unsafe {
    what: "this document declares another encoding than UTF-8",
    hint: "save it as UTF-8, and declare `encoding=\"UTF-8\"`",
};
/// `roxmltree` reads one as a line feed, but not beside a character reference.
pub const RETURN: FaultKind = FaultKind::Unsafe {
    what: "a carriage return stands alone beside a reference, and readers differ on it",
    hint: "end the lines with line feeds",
};
pub const UNQUOTED: FaultKind = FaultKind::Unread {
    what: "this attribute's value has no quotes, which XML needs",
    hint: "put the value in quotes: `\"…\"`",
};
pub const VERSION: FaultKind = FaultKind::Unsafe {
    what: "this document is not of XML 1.0, and few readers know another",
    hint: "declare `version=\"1.0\"`",
};
