//! What a list is asked for, as the query of its path.

use std::fmt::Write;

use jiff::Timestamp;

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
        query([
            ("q", self.search.as_deref()),
            ("cursor", self.cursor.as_deref()),
            ("limit", limit.as_deref()),
            ("sort", self.sort.map(Sort::as_str)),
        ])
    }
}

/// A page of a list that has neither search nor order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PageQuery {
    pub cursor: Option<String>,
    pub limit: Option<usize>,
}

impl PageQuery {
    pub(super) fn to_query(&self) -> String {
        let limit = self.limit.map(|limit| limit.to_string());
        query([("cursor", self.cursor.as_deref()), ("limit", limit.as_deref())])
    }
}

/// Which records of the audit trail a page shows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AuditQuery {
    /// About this secret.
    pub name: Option<String>,
    pub actor: Option<String>,
    pub workload: Option<String>,
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    pub page: PageQuery,
}

impl AuditQuery {
    pub(super) fn to_query(&self) -> String {
        let limit = self.page.limit.map(|limit| limit.to_string());
        let (since, until) =
            (self.since.map(|at| at.to_string()), self.until.map(|at| at.to_string()));
        query([
            ("name", self.name.as_deref()),
            ("actor", self.actor.as_deref()),
            ("workload", self.workload.as_deref()),
            ("since", since.as_deref()),
            ("until", until.as_deref()),
            ("cursor", self.page.cursor.as_deref()),
            ("limit", limit.as_deref()),
        ])
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

/// `?key=value&…` of what is there.
fn query<const N: usize>(parts: [(&str, Option<&str>); N]) -> String {
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

    #[test]
    fn moments_are_written_in_full() {
        let query = AuditQuery {
            actor: Some("alice+x@acme.com".to_owned()),
            since: "2026-03-01T12:00:00.5Z".parse().ok(),
            page: PageQuery { cursor: None, limit: Some(2) },
            ..AuditQuery::default()
        };
        assert_eq!(
            query.to_query(),
            "?actor=alice%2Bx%40acme.com&since=2026-03-01T12%3A00%3A00.5Z&limit=2"
        );
        assert_eq!(PageQuery::default().to_query(), "");
    }
}
