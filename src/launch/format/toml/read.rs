//! Goes through a document with `toml_parser`, and tells a watcher of each key, value and comment.
//! It judges syntax, and tables by `tables`; it knows nothing of references.

use std::borrow::Cow;
use std::ops::Range;

use toml_parser::decoder::{Encoding, ScalarKind};
use toml_parser::lexer::{Token, TokenKind};
use toml_parser::parser::{EventReceiver, RecursionGuard, parse_document};
use toml_parser::{ErrorSink, Expected, ParseError, Raw, Source, Span};

use super::super::{Fault, FaultKind};
use super::bare;
use super::tables::{Clash, Key, Table, Tables};

/// Who wants to know of a document's parts, in their order.
pub trait Watch<'t> {
    fn comment(&mut self, range: Range<usize>) -> Result<(), Fault>;

    /// Of a value that is no array or table. Says whether it is to be judged by the parser.
    fn value(&mut self, range: Range<usize>, encoding: Option<Encoding>) -> Result<bool, Fault>;

    /// Of each part of a dotted key, before it is judged.
    fn key(&mut self, range: Range<usize>, encoding: Option<Encoding>) -> Result<(), Fault>;

    /// The same key, which the parser found to be one, with its text.
    fn judged(&mut self, range: Range<usize>, text: Cow<'t, str>) -> Key<'t>;
}

/// Why a document was not read to its end.
#[derive(Debug)]
pub enum Stop {
    Fault(Fault),
    Clash(Clash),
}

/// The readers of TOML that recurse give up at about this depth, too.
const DEPTH_MAX: u32 = 256;

/// So many tokens are worth a call of the parser: it keeps no state between two lines.
const BATCH_TOKENS: usize = 1_024;

pub fn read<'t>(text: &'t str, watch: &mut impl Watch<'t>) -> Result<(), Stop> {
    let source = Source::new(text);
    let mut reader = Reader {
        source,
        watch,
        tables: Tables::new(),
        path: Vec::new(),
        table: Tables::ROOT,
        outer: Vec::new(),
        value: Tables::ROOT,
        stop: None,
    };
    let mut tokens = Vec::new();
    let mut depth = 0_usize;
    for token in source.lex() {
        match token.kind() {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => depth += 1,
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        tokens.push(token);
        let is_whole = token.kind() == TokenKind::Newline && depth == 0;
        if is_whole && tokens.len() >= BATCH_TOKENS {
            reader.parse(&tokens)?;
            tokens.clear();
        }
    }
    reader.parse(&tokens)
}

struct Reader<'t, 'w, W> {
    source: Source<'t>,
    watch: &'w mut W,
    tables: Tables<'t>,
    /// The parts of the key that is being read.
    path: Vec<Key<'t>>,
    /// The table that keys are put in.
    table: Table,
    /// The tables around the inline table that is being read.
    outer: Vec<Table>,
    /// The table that the last key's value is, if it is one. Nothing is in it, for what is put in
    /// it has a key; so an inline table in an array, which has none, may be it as well.
    value: Table,
    stop: Option<Stop>,
}

/// What the parser is told when the reader stops: it has no words for why.
const STOPPED: &str = "stopped";

impl<'t, W: Watch<'t>> Reader<'t, '_, W> {
    fn parse(&mut self, tokens: &[Token]) -> Result<(), Stop> {
        let mut error: Option<ParseError> = None;
        parse_document(tokens, &mut RecursionGuard::new(self, DEPTH_MAX), &mut error);
        match (error, self.stop.take()) {
            (None, None) => Ok(()),
            (Some(error), Some(stop)) if error.description() == STOPPED => Err(stop),
            (Some(error), _) => Err(Stop::Fault(fault(&error))),
            (None, Some(stop)) => Err(stop),
        }
    }

    /// The first thing that is wrong is the one that counts, whoever found it.
    fn settle<T>(
        &mut self,
        result: Result<T, impl Into<Stop>>,
        error: &mut dyn ErrorSink,
    ) -> Option<T> {
        result
            .map_err(|stop| {
                self.stop.get_or_insert(stop.into());
                error.report_error(ParseError::new(STOPPED));
            })
            .ok()
    }

    fn raw(&self, span: Span, encoding: Option<Encoding>) -> Raw<'t> {
        let text = self.source.input().get(range(span)).unwrap_or_default();
        Raw::new_unchecked(text, encoding, span)
    }

    fn open(&mut self, array: bool, error: &mut dyn ErrorSink) {
        let result = if array {
            self.tables.array_header(&mut self.path)
        } else {
            self.tables.header(&mut self.path)
        };
        if let Some(Some(table)) = self.settle(result, error) {
            self.table = table;
        }
    }
}

impl<'t, W: Watch<'t>> EventReceiver for Reader<'t, '_, W> {
    fn std_table_close(&mut self, _: Span, error: &mut dyn ErrorSink) {
        self.open(false, error);
    }

    fn array_table_close(&mut self, _: Span, error: &mut dyn ErrorSink) {
        self.open(true, error);
    }

    fn inline_table_open(&mut self, _: Span, _: &mut dyn ErrorSink) -> bool {
        self.outer.push(std::mem::replace(&mut self.table, self.value));
        true
    }

    fn inline_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.table = self.outer.pop().unwrap_or(Tables::ROOT);
    }

    fn simple_key(&mut self, span: Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) {
        if span.is_empty() {
            return error.report_error(ParseError::new("missing key").with_unexpected(span));
        }
        let result = self.watch.key(range(span), encoding);
        self.settle(result, error);
        let mut text = Cow::Borrowed("");
        self.raw(span, encoding).decode_key(&mut text, error);
        let key = self.watch.judged(range(span), text);
        self.path.push(key);
    }

    fn key_val_sep(&mut self, _: Span, error: &mut dyn ErrorSink) {
        let result = self.tables.assign(self.table, &mut self.path);
        if let Some(Some(value)) = self.settle(result, error) {
            self.value = value;
        }
    }

    fn scalar(&mut self, span: Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) {
        if span.is_empty() {
            return error.report_error(ParseError::new("missing value").with_unexpected(span));
        }
        let result = self.watch.value(range(span), encoding);
        if self.settle(result, error) != Some(true) {
            return;
        }
        let raw = self.raw(span, encoding);
        if encoding.is_some() {
            let _: ScalarKind = raw.decode_scalar(&mut (), error);
        } else {
            bare::judge(raw, span, error);
        }
    }

    fn comment(&mut self, span: Span, error: &mut dyn ErrorSink) {
        self.raw(span, None).decode_comment(error);
        let result = self.watch.comment(range(span));
        self.settle(result, error);
    }

    fn newline(&mut self, span: Span, error: &mut dyn ErrorSink) {
        self.raw(span, None).decode_newline(error);
    }
}

fn range(span: Span) -> Range<usize> {
    span.start()..span.end()
}

/// What the parser says of a document that is too deep for it.
const DEEP: &str = "cannot recurse further; max recursion depth met";

pub const TOO_DEEP: FaultKind = FaultKind::Unread {
    what: "this is nested deeper than 256 levels, which is more than `inject` reads",
    hint: "nest it less deep, or use `--format text`, which escapes nothing",
};

fn fault(error: &ParseError) -> Fault {
    let at = error.unexpected().or(error.context()).map_or(0, |span| span.start());
    if error.description() == DEEP {
        return Fault { at, kind: TOO_DEEP };
    }
    let mut message = error.description().to_owned();
    let all = error.expected().unwrap_or_default();
    for (number, expected) in all.iter().enumerate() {
        message.push_str(match number {
            0 => ", expected ",
            _ if number + 1 == all.len() => " or ",
            _ => ", ",
        });
        match expected {
            Expected::Literal("\n") => message.push_str("a line end"),
            Expected::Literal(literal) => message.extend(["`", literal, "`"]),
            Expected::Description(what) => message.push_str(what),
            _ => {}
        }
    }
    Fault { at, kind: FaultKind::Syntax { format: "toml", message } }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Clash> for Stop {
    fn from(clash: Clash) -> Self {
        Self::Clash(clash)
    }
}
