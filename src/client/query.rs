//! What a list is asked for, as the query of its path.

use std::fmt::Write;

/// Which secrets a page shows, and in what order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ListQuery {
    /// A part of the name, in any case.
    pub search: Option<String>,
    /// Where the page begins: `next` of the page before.
    pub cursor: Option<String>,
    /// The most rows of the page; the store's default where nothing is said.
    pub limit: Option<usize>,
    pub sort: Option<Sort>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sort {
    Name,
    NameDescending,
    Updated,
    UpdatedDescending,
}

impl ListQuery {
    /// `?q=…&sort=…`, or nothing.
    pub(super) fn to_query(&self) -> String {
        let limit = self.limit.map(|limit| limit.to_string());
        let parts = [
            ("q", self.search.as_deref()),
            ("cursor", self.cursor.as_deref()),
            ("limit", limit.as_deref()),
            ("sort", self.sort.map(Sort::as_str)),
        ];
        let mut query = String::new();
        for (key, value) in parts {
            let Some(value) = value else { continue };
            query.push(if query.is_empty() { '?' } else { '&' });
            query.push_str(key);
            query.push('=');
            percent_encode(&mut query, value);
        }
        query
    }
}

impl Sort {
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Name, Self::NameDescending, Self::Updated, Self::UpdatedDescending]
            .into_iter()
            .find(|sort| sort.as_str() == text)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::NameDescending => "-name",
            Self::Updated => "updated",
            Self::UpdatedDescending => "-updated",
        }
    }
}

/// All but the unreserved characters (RFC 3986, section 2.3) as `%XX`.
fn percent_encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string takes every write");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_holds_what_is_asked_for() {
        assert_eq!(ListQuery::default().to_query(), "");
        let query = ListQuery {
            search: Some("a b&ü".to_owned()),
            cursor: Some("x/=".to_owned()),
            limit: Some(7),
            sort: Sort::parse("-updated"),
        };
        assert_eq!(query.to_query(), "?q=a%20b%26%C3%BC&cursor=x%2F%3D&limit=7&sort=-updated");
        assert_eq!(Sort::parse("size"), None);
    }
}
