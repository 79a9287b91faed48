//! `$NAME` and `${NAME:-...}` in a Compose file.

use crate::error::FileError;
use crate::yaml::{Node, Value};

/// So deep may variables be in the defaults of others.
const DEEPEST: usize = 16;

/// What a variable is.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Fills in variables wherever there are some.
pub(super) fn fill(node: &mut Node, value: Lookup<'_>) -> Result<(), FileError> {
    let position = node.position;
    match &mut node.value {
        Value::Text(text) if text.contains('$') => {
            *text = filled_in(text, value).map_err(|message| FileError {
                position,
                field: String::new(),
                message,
            })?;
            Ok(())
        }
        Value::Nothing | Value::Text(_) => Ok(()),
        Value::List(items) => items.iter_mut().try_for_each(|item| fill(item, value)),
        Value::Map(entries) => entries.iter_mut().try_for_each(|(_, item)| fill(item, value)),
    }
}

/// A text with its variables filled in.
pub(super) fn filled_in(text: &str, value: Lookup<'_>) -> Result<String, String> {
    filled(text, value, DEEPEST)
}

fn filled(text: &str, value: Lookup<'_>, depth: usize) -> Result<String, String> {
    let mut all = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        all.push_str(before);
        let length = name_length(after);
        if let Some(rest_of_it) = after.strip_prefix('$') {
            all.push('$');
            rest = rest_of_it;
        } else if let Some(inner) = after.strip_prefix('{') {
            let end = end_of(inner).ok_or_else(|| format!("found {text:?}, expected }} in it"))?;
            all.push_str(&braced(&inner[..end], value, depth)?);
            rest = &inner[end + 1..];
        } else if length > 0 {
            all.push_str(&value(&after[..length]).unwrap_or_default());
            rest = &after[length..];
        } else {
            return Err(format!("found {text:?}, expected a variable behind $, or $$ for a $"));
        }
    }
    all.push_str(rest);
    Ok(all)
}

/// `NAME`, and what is to be where it is not set, or (with a colon) empty.
fn braced(text: &str, value: Lookup<'_>, depth: usize) -> Result<String, String> {
    let depth = depth.checked_sub(1).ok_or("found variables too deep in each other")?;
    let (name, rest) = text.split_at(name_length(text));
    let (counts_empty, rest) = match rest.strip_prefix(':') {
        Some(rest) => (false, rest),
        None => (true, rest),
    };
    let found = value(name).filter(|it| counts_empty || !it.is_empty());
    match (rest.chars().next(), found) {
        _ if name.is_empty() => Err(format!("found ${{{text}}}, expected a name in it")),
        (None, found) if counts_empty => Ok(found.unwrap_or_default()),
        (Some('-' | '?'), Some(found)) => Ok(found),
        (Some('-'), None) | (Some('+'), Some(_)) => filled(&rest[1..], value, depth),
        (Some('+'), None) => Ok(String::new()),
        (Some('?'), None) => match &rest[1..] {
            "" => Err(format!("the variable {name} is not set")),
            why => Err(format!("the variable {name} is not set: {why}")),
        },
        _ => Err(format!("found ${{{text}}}, expected {name}, {name}:-DEFAULT or {name}:?MESSAGE")),
    }
}

fn name_length(text: &str) -> usize {
    let is_part = |(place, byte): (usize, u8)| {
        byte == b'_' || byte.is_ascii_alphabetic() || place > 0 && byte.is_ascii_digit()
    };
    text.bytes().enumerate().take_while(|it| is_part(*it)).count()
}

/// Where the brace is that closes the one before.
fn end_of(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(place),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::filled;

    #[test]
    fn variables_are_filled_in() {
        let value = |name: &str| match name {
            "A" => Some("a".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let of = |text: &str| filled(text, &value, 2);
        for (text, expected) in [
            ("$A-${A}.$$A", "a-a.$A"),
            ("$EMPTY${NONE}$NONE.", "."),
            ("${EMPTY:-x}${EMPTY-y}${NONE-z}", "xz"),
            ("${NONE:-${A}/{}}${A:-x}", "a/{}a"),
            ("${A:+x}${EMPTY:+x}${EMPTY+y}${NONE+z}", "xy"),
            ("${A:?is needed}", "a"),
        ] {
            assert_eq!(of(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(of("${EMPTY:?say it}").unwrap_err(), "the variable EMPTY is not set: say it");
        for text in ["${X-${X-${X-}}}", "$", "a$ b", "${A", "${}", "${A:}", "${A!}", "$1"] {
            assert!(of(text).is_err(), "{text}");
        }
    }
}
