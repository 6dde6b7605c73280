//! Takes out of the page's files what only their readers here need: comments, indentation, blanks
//! that mean nothing, what stands around a function's one parameter, and that a name is constant,
//! which says nothing of a script that works. `build.rs` alone uses it. It renames nothing and
//! reorders nothing, and keeps a script's lines, for an end of line may end a statement.

/// A script, or a style sheet: which of the two decides where a blank means something.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Kind {
    Script,
    Style,
}

/// Where in a script one is.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Within {
    Code,
    /// Code in braces, within a template or not.
    Braces {
        of_template: bool,
    },
    Template,
}

/// The text, shorter.
pub fn shortened(text: &str, kind: Kind) -> String {
    let mut reader = Reader { rest: text, out: String::with_capacity(text.len()), kind };
    let mut within = vec![Within::Code];
    while let Some(c) = reader.rest.chars().next() {
        match within.last() {
            Some(Within::Template) => reader.template(c, &mut within),
            _ => reader.code(c, &mut within),
        }
    }
    reader.out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || "_$#".contains(c)
}

struct Reader<'t> {
    rest: &'t str,
    out: String,
    kind: Kind,
}

impl<'t> Reader<'t> {
    fn code(&mut self, c: char, within: &mut Vec<Within>) {
        let is_script = self.kind == Kind::Script;
        // A word behind a brace begins a statement, or else the browser takes nothing.
        if is_script && is_word(c) && self.out.ends_with("}\n") {
            self.out.pop();
        }
        if self.rest.starts_with("/*") {
            self.drop_until("*/");
        } else if is_script && self.rest.starts_with("//") {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.rest = &self.rest[end..];
        } else if c.is_whitespace() {
            self.blank();
        } else if c == '"' || c == '\'' {
            self.keep_quoted(c);
        } else if is_script && c == '/' && self.begins_pattern() {
            self.keep_quoted('/');
        } else if is_script && let Some((name, after)) = self.only_parameter() {
            self.out.push_str(if self.out.ends_with(is_word) { " " } else { "" });
            self.out.push_str(name);
            self.rest = after;
        } else if is_script && self.rest.starts_with("const ") && !self.out.ends_with(is_word) {
            self.out.push_str("let");
            self.rest = &self.rest["const".len()..];
        } else {
            // A brace ends a statement as well as a semicolon does.
            let is_spare = |last| last == ';' && c == '}' || last == ',' && ")}".contains(c);
            if self.out.ends_with(is_spare) {
                self.out.pop();
            }
            self.keep(c);
            match c {
                '`' if is_script => within.push(Within::Template),
                '{' => within.push(Within::Braces { of_template: false }),
                '}' if within.len() > 1 => drop(within.pop()),
                _ => {}
            }
        }
    }

    /// What stands in a template is kept as it is, but for the code in its braces.
    fn template(&mut self, c: char, within: &mut Vec<Within>) {
        self.keep(c);
        match c {
            '\\' => self.keep_next(),
            '`' => drop(within.pop()),
            '$' if self.rest.starts_with('{') => {
                self.keep('{');
                within.push(Within::Braces { of_template: true });
            }
            _ => {}
        }
    }

    /// One or many blanks: none, or one where two words would become one, or the end of a line.
    fn blank(&mut self) {
        let after = self.rest.trim_start();
        let has_break = self.rest[..self.rest.len() - after.len()].contains('\n');
        self.rest = after;
        let (Some(before), Some(next)) = (self.out.chars().last(), after.chars().next()) else {
            return;
        };
        match self.kind {
            Kind::Script if has_break => {
                let goes_on = "{([,;:?&|=\n".contains(before) || ")]}.,;:?&|".contains(next);
                self.out.push_str(if goes_on { "" } else { "\n" });
            }
            Kind::Script => {
                let is_sign = |c: char| "+-/".contains(c);
                let joins = is_word(before) && is_word(next) || is_sign(before) && is_sign(next);
                self.out.push_str(if joins { " " } else { "" });
            }
            Kind::Style => {
                let means_nothing = "{};,:>".contains(before) || "{};,>".contains(next);
                self.out.push_str(if means_nothing { "" } else { " " });
            }
        }
    }

    /// The name in `(name) =>`, and what follows its bracket.
    fn only_parameter(&self) -> Option<(&'t str, &'t str)> {
        let inner = self.rest.strip_prefix('(')?;
        let (name, after) = inner.split_at(inner.find(|c| !is_word(c))?);
        let after = after.strip_prefix(')')?;
        (!name.is_empty() && after.trim_start().starts_with("=>")).then_some((name, after))
    }

    /// Whether a slash begins a pattern: a division has a value before it.
    fn begins_pattern(&self) -> bool {
        self.out.chars().last().is_none_or(|before| "(,=:[!&|?{};\n".contains(before))
    }

    /// From one quote to the other; a bracket in a pattern may hold its quote.
    fn keep_quoted(&mut self, quote: char) {
        self.keep(quote);
        let mut in_class = false;
        while let Some(c) = self.rest.chars().next() {
            self.keep(c);
            match c {
                '\\' => self.keep_next(),
                '[' if quote == '/' => in_class = true,
                ']' if quote == '/' => in_class = false,
                c if c == quote && !in_class => return,
                _ => {}
            }
        }
    }

    fn drop_until(&mut self, end: &str) {
        let at = self.rest.find(end).map_or(self.rest.len(), |at| at + end.len());
        self.rest = &self.rest[at..];
    }

    fn keep_next(&mut self) {
        if let Some(next) = self.rest.chars().next() {
            self.keep(next);
        }
    }

    fn keep(&mut self, c: char) {
        self.out.push(c);
        self.rest = &self.rest[c.len_utf8()..];
    }
}
