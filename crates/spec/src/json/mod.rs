//! JSON as the types of this crate read and write it.
//!
//! It differs from plain serde where Go, in which the specifications are written, does: `null` is
//! the same as a missing field, and so is `""` for an enumeration. Errors name the path of the
//! wrong value (`linux.resources.memory.limit: ...`) and what would be right. The last of several
//! fields of one name counts. Texts never hold a NUL, which no kernel interface could take.

mod map;
mod names;
mod object;
mod scalar;
mod value;

pub use map::Map;
pub use value::Value;

pub(crate) use names::names;
pub(crate) use object::object;

/// What the macros use.
pub(crate) mod macros {
    pub(crate) use super::names::read_name;
    pub(crate) use super::object::{
        Object, missing, missing_field, next_field, next_name, read_object, skip_field,
    };
    pub(crate) use super::value::is_absent;
}

use serde::Serialize;
use std::borrow::Cow;

/// A text: a part of the file where it has no escape sequence, and a copy otherwise.
pub type Text<'a> = Cow<'a, str>;

/// What is wrong with a JSON text, where: `process.cwd: "tmp" is not absolute at line 3 column 9`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// A value that has the right type and is still wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem(pub(crate) String);

impl Problem {
    /// A problem with the field `path` of the value that is being checked.
    pub(crate) fn at(path: impl std::fmt::Display, what: impl std::fmt::Display) -> Problem {
        Problem(format!(".{path}: {what}"))
    }
}

/// Reads a whole JSON document.
///
/// # Errors
/// The path, line and column of what is wrong, and what would be right.
pub fn parse<'a, T: Value<'a>>(text: &'a [u8]) -> Result<T, Error> {
    let text = std::str::from_utf8(text).map_err(|error| Error(format!("not UTF-8: {error}")))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = T::read(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| Error(error.to_string().trim_start_matches('.').to_owned()))
}

/// The document on one line, as small as it can be.
pub fn to_line<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error(error.to_string()))
}

/// The document for people to read, each level indented by `indent`.
pub fn to_lines<T: Serialize>(value: &T, indent: &str) -> Result<String, Error> {
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    value.serialize(&mut serializer).map_err(|error| Error(error.to_string()))?;
    String::from_utf8(text).map_err(|error| Error(error.to_string()))
}

/// The error with one more step of its path in front of it. A step is `.name` or `[index]`; what
/// follows the last one never begins like one.
fn below<E: serde::de::Error>(step: std::fmt::Arguments<'_>, error: &E) -> E {
    let inner = error.to_string();
    let separator = if inner.starts_with(['.', '[']) { "" } else { ": " };
    E::custom(format_args!("{step}{separator}{inner}"))
}

#[cfg(test)]
mod tests;
