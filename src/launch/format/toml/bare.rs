//! What stands outside of quotes: which of it is a number, a boolean or a date to TOML. It finds
//! nothing and writes nothing.

use std::borrow::Cow;
use std::num::{IntErrorKind, ParseIntError};

use toml::value::Datetime;
use toml_parser::decoder::ScalarKind;
use toml_parser::{ErrorSink, ParseError, Raw, Span};

/// Reports what is none of these. A number may be one that is too large for some readers.
pub fn judge(raw: Raw<'_>, span: Span, error: &mut dyn ErrorSink) {
    let mut text = Cow::Borrowed("");
    let kind = raw.decode_scalar(&mut text, error);
    let fits = match kind {
        // It was reported already.
        ScalarKind::String | ScalarKind::Boolean(_) => true,
        ScalarKind::DateTime => raw.as_str().parse::<Datetime>().is_ok(),
        ScalarKind::Float => text.parse::<f64>().is_ok(),
        ScalarKind::Integer(radix) => match i64::from_str_radix(&text, radix.value()) {
            Ok(_) => true,
            Err(failed) => is_large(&failed),
        },
    };
    if !fits {
        error.report_error(ParseError::new(kind.invalid_description()).with_unexpected(span));
    }
}

fn is_large(failed: &ParseIntError) -> bool {
    matches!(failed.kind(), IntErrorKind::PosOverflow | IntErrorKind::NegOverflow)
}

/// Whether it is one number or one boolean, and the same to all readers: integers have 64 bits, and
/// to some a float that is larger than any is an error, to others infinity.
pub fn is_number_or_boolean(token: &str) -> bool {
    let mut error: Option<ParseError> = None;
    let mut text = Cow::Borrowed("");
    let raw = Raw::new_unchecked(token, None, Span::default());
    let kind = raw.decode_scalar(&mut text, &mut error);
    let fits = match kind {
        ScalarKind::Boolean(_) => true,
        ScalarKind::Integer(radix) => i64::from_str_radix(&text, radix.value()).is_ok(),
        ScalarKind::Float => {
            let is_named = text.ends_with("inf") || text.ends_with("nan");
            is_named || text.parse::<f64>().is_ok_and(f64::is_finite)
        }
        ScalarKind::DateTime | ScalarKind::String => false,
    };
    fits && error.is_none()
}
