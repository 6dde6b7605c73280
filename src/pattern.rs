//! Names and globs: `*` stands for any run of characters, everything else for itself. Pure.

/// A name or a glob such as `STRIPE_*`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern(Box<[u8]>);

impl Pattern {
    pub fn new(text: &[u8]) -> Self {
        Self(text.into())
    }

    /// Whether the whole name fits. Takes time in proportion to both lengths, not more: on a
    /// mismatch only the last `*` is tried again.
    pub fn matches(&self, name: &[u8]) -> bool {
        let pattern = &self.0;
        let (mut p, mut n) = (0, 0);
        let mut last_star = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    last_star = Some((p, n));
                    p += 1;
                }
                Some(b) if *b == name[n] => {
                    p += 1;
                    n += 1;
                }
                _ => match &mut last_star {
                    Some((star, taken)) => {
                        *taken += 1;
                        (p, n) = (*star + 1, *taken);
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|b| *b == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching() {
        for (pattern, name, expected) in [
            ("A", "A", true),
            ("A", "AB", false),
            ("A*", "A", true),
            ("A*", "ABC", true),
            ("*_PROD", "DB_PROD", true),
            ("*_PROD", "_PROD_X", false),
            ("A*B*C", "AxBxBxC", true),
            ("A*B*C", "AxBxBx", false),
            ("*", "", true),
            ("", "", true),
            ("", "A", false),
            ("**", "A", true),
            ("A**", "A", true),
            ("A*B", "AB", true),
            ("A*", "B", false),
            ("*AB", "AAB", true),
            ("*A*AB", "AAAB", true),
            ("A", "", false),
        ] {
            assert_eq!(
                Pattern::new(pattern.as_bytes()).matches(name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }
}
