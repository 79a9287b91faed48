//! The functions that templates may call.

use super::evaluate::is_true;
use super::printf::{MOST_PADDED, printf};
use super::text::text_of;
use super::{TemplateError, error};
use serde_json::Value;
use std::cmp::Ordering;

/// All of them.
pub(super) const NAMES: &[&str] = &[
    "and", "eq", "ge", "gt", "html", "index", "join", "json", "le", "len", "lower", "lt", "ne",
    "not", "or", "pad", "print", "printf", "println", "slice", "split", "title", "truncate",
    "upper", "urlquery",
];

/// What `.Label "name"` calls. It has no name of a function, so that nobody else does.
pub(super) const LABEL: &str = ".Label";

pub(super) fn call(name: &str, values: &[Value]) -> Result<Value, TemplateError> {
    match (name, values) {
        ("json", [value]) => Ok(value.to_string().into()),
        ("len", [value]) => length(value),
        ("not", [value]) => Ok((!is_true(value)).into()),
        ("and", [first, ..]) => Ok(values
            .iter()
            .find(|it| !is_true(it))
            .unwrap_or_else(|| values.last().unwrap_or(first))
            .clone()),
        ("or", [first, ..]) => Ok(values
            .iter()
            .find(|it| is_true(it))
            .unwrap_or_else(|| values.last().unwrap_or(first))
            .clone()),
        ("eq", [first, others @ ..]) if !others.is_empty() => Ok(others.contains(first).into()),
        ("ne", [first, second]) => Ok((first != second).into()),
        ("lt" | "le" | "gt" | "ge", [first, second]) => {
            let order = order(first, second)?;
            Ok(match name {
                "lt" => order.is_lt(),
                "le" => order.is_le(),
                "gt" => order.is_gt(),
                _ => order.is_ge(),
            }
            .into())
        }
        ("index", [value, keys @ ..]) => {
            keys.iter().try_fold(value.clone(), |value, key| index(&value, key))
        }
        ("slice", [value, bounds @ ..]) => slice(value, bounds),
        (LABEL, [Value::Object(labels), Value::String(name)]) => {
            Ok(labels.get(name).cloned().unwrap_or_else(|| "".into()))
        }
        // The heading of such a column: the last word of the label's name.
        (LABEL, [_, Value::String(name)]) => {
            Ok(name.rsplit('.').next().unwrap_or(name).replace(['-', '_'], " ").into())
        }
        _ => call_of_texts(name, values),
    }
}

/// Those whose result is a text, or its parts.
fn call_of_texts(name: &str, values: &[Value]) -> Result<Value, TemplateError> {
    match (name, values) {
        ("join", [Value::Array(items), Value::String(between)]) => {
            Ok(items.iter().map(text_of).collect::<Vec<_>>().join(between).into())
        }
        ("join", [Value::Null, Value::String(_)]) => Ok("".into()),
        ("split", [Value::String(text), Value::String(between)]) => {
            Ok(text.split(between.as_str()).collect::<Vec<_>>().into())
        }
        ("lower", [Value::String(text)]) => Ok(text.to_lowercase().into()),
        ("upper", [Value::String(text)]) => Ok(text.to_uppercase().into()),
        ("title", [Value::String(text)]) => Ok(title(text).into()),
        ("truncate", [Value::String(text), Value::Number(length)]) => {
            let length = length.as_u64().and_then(|it| it.try_into().ok()).unwrap_or(usize::MAX);
            Ok(text.chars().take(length).collect::<String>().into())
        }
        ("print", values) => Ok(values.iter().map(text_of).collect::<String>().into()),
        ("println", values) => {
            Ok((values.iter().map(text_of).collect::<Vec<_>>().join(" ") + "\n").into())
        }
        ("printf", [Value::String(format), values @ ..]) => Ok(printf(format, values)?.into()),
        ("pad", [Value::String(text), Value::Number(before), Value::Number(after)]) => {
            let blanks = |count: &serde_json::Number| {
                " ".repeat(count.as_u64().unwrap_or(0).min(MOST_PADDED) as usize)
            };
            let is_empty = text.is_empty();
            let padded = || format!("{}{text}{}", blanks(before), blanks(after));
            Ok(if is_empty { "".into() } else { padded().into() })
        }
        ("html", values) => Ok(html(&values.iter().map(text_of).collect::<String>()).into()),
        ("urlquery", values) => {
            Ok(url_query(&values.iter().map(text_of).collect::<String>()).into())
        }
        _ => {
            let values: Vec<_> = values.iter().map(Value::to_string).collect();
            error(format!(
                "{name} does not take {}",
                if values.is_empty() { "nothing".to_owned() } else { values.join(" ") }
            ))
        }
    }
}

fn length(value: &Value) -> Result<Value, TemplateError> {
    match value {
        Value::String(text) => Ok(text.len().into()),
        Value::Array(items) => Ok(items.len().into()),
        Value::Object(fields) => Ok(fields.len().into()),
        Value::Null => Ok(0.into()),
        other => error(format!("{other} has no length")),
    }
}

fn order(first: &Value, second: &Value) -> Result<Ordering, TemplateError> {
    let ordered = match (first, second) {
        (Value::String(first), Value::String(second)) => Some(first.cmp(second)),
        (Value::Number(first), Value::Number(second)) => first
            .as_f64()
            .zip(second.as_f64())
            .and_then(|(first, second)| first.partial_cmp(&second)),
        _ => None,
    };
    match ordered {
        Some(order) => Ok(order),
        None => error(format!("{first} and {second} cannot be compared")),
    }
}

/// What a map does not have is an empty text, as it is with Docker's maps of texts.
fn index(value: &Value, key: &Value) -> Result<Value, TemplateError> {
    match (value, key) {
        (Value::Object(fields), Value::String(name)) => {
            Ok(fields.get(name).cloned().unwrap_or_else(|| "".into()))
        }
        (Value::Array(items), Value::Number(number)) => {
            let item = number.as_u64().and_then(|it| items.get(usize::try_from(it).ok()?));
            match item {
                Some(item) => Ok(item.clone()),
                None => error(format!("index {number} is not within 0 to {} items", items.len())),
            }
        }
        (Value::Null, _) => Ok("".into()),
        _ => error(format!("{} cannot be indexed by {key}", text_of(value))),
    }
}

fn slice(value: &Value, bounds: &[Value]) -> Result<Value, TemplateError> {
    let bound = |place: usize| {
        bounds.get(place).map(|it| it.as_u64().and_then(|it| usize::try_from(it).ok()))
    };
    let (start, end) = match (bounds.len(), bound(0), bound(1)) {
        (0..=2, None | Some(Some(_)), None | Some(Some(_))) => {
            (bound(0).flatten().unwrap_or(0), bound(1).flatten())
        }
        _ => return error("slice takes a value, and up to two places in it"),
    };
    let found = match value {
        Value::String(text) => text.get(start..end.unwrap_or(text.len())).map(Value::from),
        Value::Array(items) => items.get(start..end.unwrap_or(items.len())).map(Value::from),
        _ => None,
    };
    match found {
        Some(found) => Ok(found),
        None => error(format!("{value} has no such slice")),
    }
}

/// Each word with a capital letter.
fn title(text: &str) -> String {
    let mut starts = true;
    let change = |character: char| {
        let capital = if starts { character.to_ascii_uppercase() } else { character };
        starts = character.is_whitespace();
        capital
    };
    text.chars().map(change).collect()
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;")
}

/// As a part of a URL's query.
fn url_query(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        b' ' => "+".to_owned(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}
