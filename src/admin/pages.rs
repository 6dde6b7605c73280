//! A list of any length, page after page, to its end: a store that has none for it is found out.

use std::time::{Duration, Instant};

use crate::client;

use super::Error;

/// The most rows that a list holds in memory.
const ROWS_MAX: usize = 1_000_000;
/// The most pages that a list is asked for, should they be empty.
const PAGES_MAX: usize = 100_000;
/// The longest that a list may take, all of its pages together.
const LIST_TIME_MAX: Duration = Duration::from_secs(600);

/// A page's rows, and where the next one begins.
pub type Page<T> = (Vec<T>, Option<String>);

/// All rows of all pages, of which `fetch` gets the one that begins at a cursor.
pub fn all<T>(
    mut fetch: impl FnMut(Option<String>) -> Result<Page<T>, client::Error>,
) -> Result<Vec<T>, Error> {
    match up_to(ROWS_MAX, None, |cursor, _| fetch(cursor))? {
        (rows, None) => Ok(rows),
        (rows, Some(_)) => Err(Error::Endless { rows: rows.len() }),
    }
}

/// So many rows from a cursor on, and where the next one is. `fetch` is told how many are left.
pub fn up_to<T>(
    rows_max: usize,
    mut cursor: Option<String>,
    mut fetch: impl FnMut(Option<String>, usize) -> Result<Page<T>, client::Error>,
) -> Result<Page<T>, Error> {
    let mut rows = Vec::new();
    let mut turned = Turned::default();
    let start = Instant::now();
    loop {
        let (page, next) = fetch(cursor, rows_max - rows.len())?;
        rows.extend(page);
        match next {
            Some(next) if rows.len() < rows_max => {
                turned.judge(&next, rows.len(), start.elapsed())?;
                cursor = Some(next);
            }
            next => return Ok((rows, next)),
        }
    }
}

/// Pages that were turned.
#[derive(Default)]
struct Turned {
    pages: usize,
    /// A cursor of before. It is a newer one each time that the pages have doubled, so that a
    /// circle of any length is met within three rounds (Brent, 1980, "An improved Monte Carlo
    /// factorization algorithm", section 2), and nothing grows with the list.
    seen: Option<String>,
}

impl Turned {
    /// Whether to go on at this cursor, with so many rows and so much time behind.
    fn judge(&mut self, next: &str, rows: usize, waited: Duration) -> Result<(), Error> {
        if self.seen.as_deref() == Some(next) {
            return Err(Error::PageAgain { rows });
        }
        self.pages += 1;
        if self.pages.is_power_of_two() {
            self.seen = Some(next.to_owned());
        }
        if waited >= LIST_TIME_MAX {
            return Err(Error::ListTimeout { rows, waited });
        }
        if self.pages >= PAGES_MAX { Err(Error::Endless { rows }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many pages a list without an end is found out, whose cursors are a line of so many
    /// and then a circle.
    fn found_out(line: usize, circle: usize) -> Option<usize> {
        let mut turned = Turned::default();
        (0..PAGES_MAX - 1).find(|page| {
            let place = if *page < line { *page } else { line + (page - line) % circle };
            let judged = turned.judge(&place.to_string(), 0, Duration::ZERO);
            matches!(judged, Err(Error::PageAgain { .. }))
        })
    }

    #[test]
    fn a_circle_of_any_length_is_met() {
        assert_eq!(found_out(0, 1), Some(1));
        for (line, circle) in [(0, 2), (1, 1), (3, 1), (0, 7), (5, 3), (100, 64), (1000, 999)] {
            let pages = found_out(line, circle).expect("it is met");
            assert!(pages <= 3 * (line + circle), "{line} {circle}: {pages}");
        }
        assert_eq!(found_out(PAGES_MAX, 1), None, "a line is no circle");
    }

    #[test]
    fn what_takes_too_long_or_too_many_pages_ends() {
        let mut turned = Turned::default();
        let mut judge = |page: usize, waited| turned.judge(&page.to_string(), 3, waited);
        assert!(judge(0, LIST_TIME_MAX - Duration::from_secs(1)).is_ok());
        assert!(matches!(judge(1, LIST_TIME_MAX), Err(Error::ListTimeout { rows: 3, .. })));
        let last = (2..PAGES_MAX).find(|page| judge(*page, Duration::ZERO).is_err());
        assert_eq!(last, Some(PAGES_MAX - 1));
    }

    #[test]
    fn as_many_rows_as_are_asked_for() {
        let page = |cursor: Option<String>, left: usize| {
            let from = cursor.map_or(0, |cursor| cursor.parse::<usize>().expect("a number"));
            let to = from + left.min(10);
            Ok(((from..to).collect::<Vec<_>>(), Some(to.to_string())))
        };
        let (rows, next) = up_to(25, Some("5".to_owned()), page).expect("rows");
        assert_eq!((rows, next.as_deref()), ((5..30).collect(), Some("30")));
    }
}
