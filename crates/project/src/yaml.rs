//! YAML as a tree in which everything knows its place.
//!
//! A value is text, a list, a mapping or nothing: whether a text is a number is for who needs one
//! to say, so that `1.10` and `22:22` stay what was written.

use crate::error::{FileError, Position};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};
use std::collections::BTreeMap;

/// The longest file, in bytes. One that a person writes has a thousandth of it.
const LONGEST: usize = 1 << 20;

/// How many values there may be, aliases counted as often as they are used: a file of a hundred
/// lines can stand for more of them than there is memory.
const MOST: usize = 100_000;

/// How deep they may be in each other.
const DEEPEST: usize = 64;

/// A value, and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) position: Position,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Nothing,
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The name of a value in a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) position: Position,
    pub(crate) text: String,
}

impl Node {
    /// As an error calls it.
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            Value::Nothing => "nothing".to_owned(),
            Value::Text(text) if text.chars().count() > 60 => {
                format!("{:?}...", text.chars().take(60).collect::<String>())
            }
            Value::Text(text) => format!("{text:?}"),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }

    fn count(&self) -> usize {
        match &self.value {
            Value::Nothing | Value::Text(_) => 1,
            Value::List(items) => 1 + items.iter().map(Node::count).sum::<usize>(),
            Value::Map(entries) => 1 + entries.iter().map(|(_, it)| it.count()).sum::<usize>(),
        }
    }

    fn depth(&self) -> usize {
        match &self.value {
            Value::Nothing | Value::Text(_) => 1,
            Value::List(items) => 1 + items.iter().map(Node::depth).max().unwrap_or(0),
            Value::Map(entries) => 1 + entries.iter().map(|(_, it)| it.depth()).max().unwrap_or(0),
        }
    }
}

/// Reads a file. `None` if it says nothing.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Node>, FileError> {
    if bytes.len() > LONGEST {
        return Err(wrong(START, format!("found more than {LONGEST} bytes")));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (before, after) = bytes.split_at(error.valid_up_to());
        // What is before it is valid.
        let before = String::from_utf8_lossy(before);
        let line = before.rsplit('\n').next().unwrap_or_default();
        let position =
            Position { line: before.matches('\n').count() + 1, column: line.chars().count() + 1 };
        let byte = after.first().copied().unwrap_or_default();
        wrong(position, format!("found the byte {byte:#04x}, expected UTF-8"))
    })?;
    // A byte order mark says nothing about UTF-8.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Builder::default().read(Parser::new_from_str(text))
}

const START: Position = Position { line: 1, column: 1 };

fn wrong(position: Position, message: impl Into<String>) -> FileError {
    FileError { position, field: String::new(), message: message.into() }
}

/// A list or mapping that has not ended.
enum Open {
    List { position: Position, anchor: usize, items: Vec<Node> },
    Map { position: Position, anchor: usize, entries: Entries },
}

#[derive(Default)]
struct Entries {
    all: Vec<(Key, Node)>,
    /// The line of each.
    lines: BTreeMap<String, usize>,
    /// The one whose value comes next.
    key: Option<Key>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    /// What aliases stand for: 0 is nobody's number.
    anchors: BTreeMap<usize, Node>,
    count: usize,
    documents: usize,
}

impl Builder {
    fn read(mut self, mut parser: Parser<'_, StrInput<'_>>) -> Result<Option<Node>, FileError> {
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| {
                let marker = error.marker();
                let position = Position { line: marker.line(), column: marker.col() + 1 };
                wrong(position, format!("this is no YAML: {}", error.info()))
            })?;
            self.take(event, &span)?;
        }
        Ok(self.root)
    }

    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), FileError> {
        let position = Position { line: span.start.line(), column: span.start.col() + 1 };
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(wrong(position, "found a second document, expected only one"));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                check_tag(tag.as_deref(), position)?;
                let is_nothing = style == ScalarStyle::Plain
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value =
                    if is_nothing { Value::Nothing } else { Value::Text(text.into_owned()) };
                self.add(Node { position, value }, anchor)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(wrong(position, "found an alias of what it is a part of"));
                };
                let is_too_deep = self.open.len() + node.depth() > DEEPEST;
                self.count = self.count.saturating_add(node.count());
                self.check_size(position, is_too_deep)?;
                // It was counted now, so it is not cloned in vain.
                let node = node_at(&self.anchors, anchor, position);
                self.add(node, 0)
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), position)?;
                self.begin(Open::List { position, anchor, items: Vec::new() }, position)
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), position)?;
                let entries = Entries::default();
                self.begin(Open::Map { position, anchor, entries }, position)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { position, anchor, items }) => {
                    self.add(Node { position, value: Value::List(items) }, anchor)
                }
                Some(Open::Map { position, anchor, entries }) => {
                    self.add(Node { position, value: Value::Map(entries.all) }, anchor)
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn begin(&mut self, open: Open, position: Position) -> Result<(), FileError> {
        if let Some(Open::Map { entries: Entries { key: None, .. }, .. }) = self.open.last() {
            let what = if matches!(open, Open::List { .. }) { "a list" } else { "a mapping" };
            return Err(wrong(position, format!("found {what}, expected the name of a field")));
        }
        self.open.push(open);
        self.check_size(position, self.open.len() > DEEPEST)
    }

    fn check_size(&self, position: Position, is_too_deep: bool) -> Result<(), FileError> {
        if is_too_deep {
            return Err(wrong(position, format!("found values more than {DEEPEST} deep")));
        }
        if self.count > MOST {
            return Err(wrong(position, format!("found more than {MOST} values")));
        }
        Ok(())
    }

    /// Puts a whole value where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), FileError> {
        self.count += 1;
        self.check_size(node.position, false)?;
        if anchor != 0 {
            // The copy is a value, too.
            self.count = self.count.saturating_add(node.count());
            self.check_size(node.position, false)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, .. }) => entries.add(node)?,
        }
        Ok(())
    }
}

/// A copy that is where the alias is.
fn node_at(anchors: &BTreeMap<usize, Node>, anchor: usize, position: Position) -> Node {
    let value = anchors.get(&anchor).map_or(Value::Nothing, |node| node.value.clone());
    Node { position, value }
}

impl Entries {
    fn add(&mut self, node: Node) -> Result<(), FileError> {
        if let Some(key) = self.key.take() {
            self.all.push((key, node));
            return Ok(());
        }
        let position = node.position;
        let text = match node.value {
            Value::Text(text) => text,
            // A name may look like that.
            Value::Nothing => String::new(),
            Value::List(_) | Value::Map(_) => {
                let what = node.describe();
                return Err(wrong(position, format!("found {what}, expected the name of a field")));
            }
        };
        if let Some(line) = self.lines.insert(text.clone(), position.line) {
            let text = format!("found {text:?} a second time; the first one is in line {line}");
            return Err(wrong(position, text));
        }
        self.key = Some(Key { position, text });
        Ok(())
    }
}

/// Tags say which type a value is of, and that is known. Others mean something to somebody else.
fn check_tag(tag: Option<&saphyr_parser::Tag>, position: Position) -> Result<(), FileError> {
    match tag {
        Some(tag)
            if !tag.is_yaml_core_schema() && (tag.handle != "!" || !tag.suffix.is_empty()) =>
        {
            Err(wrong(position, format!("found the tag {tag}, expected none")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Value, parse};

    /// The error about a file.
    fn error(text: impl AsRef<[u8]>) -> String {
        parse(text.as_ref()).unwrap_err().to_string()
    }

    #[test]
    fn text_stays_as_it_was_written() {
        let node = parse(b"[1.10, 22:22, yes, 'null', null, ~, \"\"]").unwrap().unwrap();
        let Value::List(items) = node.value else { panic!("a list") };
        let found: Vec<String> = items.iter().map(super::Node::describe).collect();
        let all = ["\"1.10\"", "\"22:22\"", "\"yes\"", "\"null\"", "nothing", "nothing", "\"\""];
        assert_eq!(found, all);
    }

    #[test]
    fn nothing_is_no_error_here() {
        for text in ["", "\n# only a comment\n", "\u{feff}"] {
            assert!(parse(text.as_bytes()).unwrap().is_none(), "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        assert_eq!(
            error("a: 1\nb: 2\na: 3\n"),
            "3:1: found \"a\" a second time; the first one is in line 1"
        );
        assert_eq!(error("a: 1\n---\nb: 2\n"), "2:1: found a second document, expected only one");
        assert_eq!(error("a:\n  [x]: 1\n"), "2:3: found a list, expected the name of a field");
        assert_eq!(error("a: !secret x\n"), "1:4: found the tag !secret, expected none");
        assert_eq!(
            error("a: ä\nb: \u{fc}x\n".replace('ü', "\u{0}").as_bytes()).split(':').next(),
            Some("2")
        );
        assert_eq!(
            error(b"a: \xc3\xa4\nb: \xc3\xa4\xff"),
            "2:5: found the byte 0xff, expected UTF-8"
        );
        assert!(error("a: b: c\n").starts_with("1:"), "{}", error("a: b: c\n"));
        assert!(error("a: [1, 2\nb: 3").starts_with("2:"), "{}", error("a: [1, 2\nb: 3"));
        assert!(error("a: *b\n").starts_with("1:4: this is no YAML"), "{}", error("a: *b\n"));
    }

    #[test]
    fn aliases_stand_for_what_they_name() {
        let node = parse(b"a: &x [1, 2]\nb: *x\n").unwrap().unwrap();
        let Value::Map(entries) = node.value else { panic!("a mapping") };
        assert!(matches!(&entries[1].1.value, Value::List(items) if items.len() == 2));
        assert_eq!(entries[1].1.position.line, 2);
        assert_eq!(error("a: &x [*x]\n"), "1:8: found an alias of what it is a part of");
    }

    #[test]
    fn a_small_file_cannot_become_a_large_one() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = format!("*a{}, ", level - 1).repeat(9);
            bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        assert!(error(&bomb).contains("found more than 100000 values"), "{}", error(&bomb));
        assert_eq!(error("[".repeat(65)), "1:65: found values more than 64 deep");
        assert_eq!(error(vec![b'#'; (1 << 20) + 1]), "1:1: found more than 1048576 bytes");
        // Each of them as deep as is allowed.
        let mut deep = "a0: &a0 [x]\n".to_owned();
        for level in 1..70 {
            deep.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
        }
        assert!(error(&deep).contains("more than 64 deep"), "{}", error(&deep));
    }
}
