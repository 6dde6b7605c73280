//! A list of any length, page after page.

use crate::client;

use super::Error;

/// The most rows that a list holds in memory.
const ROWS_MAX: usize = 1_000_000;
/// The most pages that a list is asked for, should they be empty.
const PAGES_MAX: usize = 100_000;

/// A page's rows, and where the next one begins.
pub type Page<T> = (Vec<T>, Option<String>);

/// All rows of all pages, of which `fetch` gets the one that begins at a cursor.
pub fn all<T>(
    mut fetch: impl FnMut(Option<String>) -> Result<Page<T>, client::Error>,
) -> Result<Vec<T>, Error> {
    let mut rows = Vec::new();
    let mut cursor = None;
    for _ in 0..PAGES_MAX {
        let (page, next) = fetch(cursor)?;
        rows.extend(page);
        match next {
            None => return Ok(rows),
            next if rows.len() <= ROWS_MAX => cursor = next,
            _ => break,
        }
    }
    Err(Error::TooManyRows { rows_max: ROWS_MAX })
}
