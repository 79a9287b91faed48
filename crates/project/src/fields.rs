//! The fields of a mapping, each taken once; what nobody has taken is an error.

use crate::error::{FileError, Position};
use crate::yaml::{Key, Node, Value};

/// Names that differ by more are not taken for each other.
const ALIKE: usize = 2;

/// A value, and how it is called from the top of the file on.
#[derive(Clone, Debug)]
pub(crate) struct Item<'a> {
    pub(crate) node: &'a Node,
    pub(crate) path: String,
}

/// The fields of a mapping.
pub(crate) struct Fields<'a> {
    path: String,
    entries: Vec<(&'a Key, &'a Node)>,
    known: Vec<&'static str>,
}

impl<'a> Item<'a> {
    pub(crate) fn top(node: &'a Node) -> Item<'a> {
        Item { node, path: String::new() }
    }

    pub(crate) fn position(&self) -> Position {
        self.node.position
    }

    /// An error about it.
    pub(crate) fn wrong(&self, message: impl Into<String>) -> FileError {
        let (position, field) = (self.node.position, self.path.clone());
        FileError { position, field, message: message.into() }
    }

    pub(crate) fn expected(&self, what: &str) -> FileError {
        self.wrong(format!("found {}, expected {what}", self.node.describe()))
    }

    /// Some text; numbers and words such as `yes` are text, too.
    pub(crate) fn text(&self, expected: &str) -> Result<&'a str, FileError> {
        match &self.node.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.expected(expected)),
        }
    }

    /// Text that means something.
    pub(crate) fn parsed<T>(
        &self,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, FileError> {
        parse(self.text(expected)?).ok_or_else(|| self.expected(expected))
    }

    pub(crate) fn boolean(&self) -> Result<bool, FileError> {
        self.parsed("true or false", |text| match text {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        })
    }

    pub(crate) fn list(&self, expected: &str) -> Result<Vec<Item<'a>>, FileError> {
        let Value::List(items) = &self.node.value else { return Err(self.expected(expected)) };
        let item = |(index, node)| Item { node, path: format!("{}[{index}]", self.path) };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// What is in a mapping whose names are not ours.
    pub(crate) fn map(&self, expected: &str) -> Result<Vec<(&'a Key, Item<'a>)>, FileError> {
        let Value::Map(entries) = &self.node.value else { return Err(self.expected(expected)) };
        let item = |(key, node): &'a (Key, Node)| (key, Item { node, path: self.below(&key.text) });
        Ok(entries.iter().map(item).collect())
    }

    pub(crate) fn fields(&self, expected: &str) -> Result<Fields<'a>, FileError> {
        let Value::Map(entries) = &self.node.value else { return Err(self.expected(expected)) };
        let entries = entries.iter().map(|(key, node)| (key, node)).collect();
        Ok(Fields { path: self.path.clone(), entries, known: Vec::new() })
    }

    pub(crate) fn texts(&self, expected: &str) -> Result<Vec<String>, FileError> {
        let items = self.list(expected)?;
        items.iter().map(|item| item.text("text").map(str::to_owned)).collect()
    }

    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self.node.value, Value::Nothing)
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    fn below(&self, name: &str) -> String {
        below(&self.path, name)
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

impl<'a> Fields<'a> {
    /// The field of this name, if it is there.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<Item<'a>> {
        self.known.push(name);
        let place = self.entries.iter().position(|(key, _)| key.text == name)?;
        let (_, node) = self.entries.remove(place);
        Some(Item { node, path: below(&self.path, name) })
    }

    /// What has two names may be there once.
    pub(crate) fn take_one(
        &mut self,
        names: [&'static str; 2],
    ) -> Result<Option<Item<'a>>, FileError> {
        match names.map(|name| self.take(name)) {
            [Some(_), Some(second)] => Err(second
                .wrong(format!("found both {} and {}, expected one of them", names[0], names[1]))),
            [first, second] => Ok(first.or(second)),
        }
    }

    /// Nothing is left that nobody has taken.
    pub(crate) fn finish(self) -> Result<(), FileError> {
        let Some((key, _)) = self.entries.first() else { return Ok(()) };
        let nearest = self.known.iter().min_by_key(|known| distance(known, &key.text));
        let expected = match nearest {
            Some(known) if distance(known, &key.text) <= ALIKE => known.to_string(),
            _ => format!("one of {}", self.known.join(", ")),
        };
        let message = format!("found the unknown field {:?}, expected {expected}", key.text);
        Err(FileError { position: key.position, field: self.path, message })
    }
}

/// How many letters must be changed, added or taken away.
fn distance(one: &str, other: &str) -> usize {
    // Nobody means a name of ours by that.
    if other.len() > 40 {
        return usize::MAX;
    }
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, known) in other.iter().enumerate() {
            let change = diagonal + usize::from(letter != *known);
            diagonal = row[column + 1];
            row[column + 1] = change.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn how_alike_names_are() {
        assert_eq!(distance("image", "image"), 0);
        assert_eq!(distance("image", "imgae"), 2);
        assert_eq!(distance("ports", "port"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert!(distance("image", "volumes") > 3);
    }
}
