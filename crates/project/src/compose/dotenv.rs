//! Files of variables as Compose reads them: `.env`, and the `env_file` of a service.
//!
//! `NAME=value # comment`, `NAME='as it stands'`, `NAME="$OTHER\n"`, each with `export` before it if one
//! likes; what is in quotes may have several lines. A name alone is for the caller to complete.

use super::variables::{self, Lookup};

const BLANKS: [char; 3] = [' ', '\t', '\r'];

/// The variables as `NAME=VALUE`. What one refers to is looked up, and then looked for above it.
pub(super) fn read(text: &str, value: Lookup<'_>) -> Result<Vec<String>, String> {
    let mut all: Vec<String> = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (line, below) = first_line(rest);
        if line.starts_with('#') {
            rest = below.trim_start();
            continue;
        }
        let above = |name: &str| value(name).or_else(|| find(&all, name));
        let (variable, after) = variable(rest, &above).map_err(|what| {
            let number = text[..text.len() - rest.len()].matches('\n').count() + 1;
            format!("line {number}: {line:?}: {what}")
        })?;
        all.push(variable);
        rest = after.trim_start();
    }
    Ok(all)
}

/// The last one of this name.
pub(super) fn find(all: &[String], name: &str) -> Option<String> {
    let mut pairs = all.iter().rev().filter_map(|line| line.split_once('='));
    pairs.find(|(own, _)| *own == name).map(|(_, value)| value.to_owned())
}

/// The variable that the text begins with, and what follows it.
fn variable<'a>(text: &'a str, value: Lookup<'_>) -> Result<(String, &'a str), String> {
    let text = text.strip_prefix("export").filter(|it| it.starts_with(BLANKS)).unwrap_or(text);
    let (line, below) = first_line(text);
    let Some(end) = line.find(['=', ':']) else {
        return Ok((name(line)?.to_owned(), below));
    };
    let name = name(&text[..end])?;
    let given = text[end + 1..].trim_start_matches(BLANKS);
    let Some(quote) = given.chars().next().filter(|it| matches!(it, '\'' | '"')) else {
        let filled = variables::filled_in(without_comment(first_line(given).0), value)?;
        return Ok((format!("{name}={filled}"), below));
    };
    let (inside, rest) = quoted(&given[1..], quote)?;
    let (line, below) = first_line(rest);
    if !without_comment(line).is_empty() {
        return Err(format!("expected nothing behind the second {quote}"));
    }
    let filled = if quote == '"' { variables::filled_in(&inside, value)? } else { inside };
    Ok((format!("{name}={filled}"), below))
}

fn first_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

fn name(text: &str) -> Result<&str, String> {
    let name = text.trim();
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err("expected NAME=VALUE".to_owned());
    }
    Ok(name)
}

/// What is before a `#` that begins a word.
fn without_comment(line: &str) -> &str {
    let is_begin = |(place, _): &(usize, _)| {
        line[..*place].chars().next_back().is_none_or(|it| BLANKS.contains(&it))
    };
    let end = line.match_indices('#').find(is_begin).map_or(line.len(), |(place, _)| place);
    line[..end].trim()
}

/// What is before the second quote, and what is behind it. Where variables count, `\$` is none.
fn quoted(text: &str, quote: char) -> Result<(String, &str), String> {
    let mut all = String::new();
    let mut letters = text.char_indices();
    while let Some((place, letter)) = letters.next() {
        if letter == quote {
            return Ok((all, &text[place + 1..]));
        }
        if letter != '\\' {
            all.push(letter);
            continue;
        }
        match (letters.next().map(|(_, letter)| letter), quote) {
            (Some('\''), '\'') => all.push('\''),
            (Some('n'), '"') => all.push('\n'),
            (Some('r'), '"') => all.push('\r'),
            (Some('t'), '"') => all.push('\t'),
            (Some('$'), '"') => all.push_str("$$"),
            (Some(letter @ ('"' | '\\')), '"') => all.push(letter),
            (Some(letter), _) => all.extend(['\\', letter]),
            (None, _) => break,
        }
    }
    Err(format!("expected a second {quote}"))
}

#[cfg(test)]
mod tests {
    use super::{find, read};

    #[test]
    fn files_of_variables() {
        let value = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
        let of = |text: &str| read(text, &value);
        for (text, expected) in [
            ("\u{feff}A=1\r\n\n# no\n  B= x y \n", &["A=1", "B=x y"][..]),
            ("export A=1\nexport\tB='2'\nexported=3", &["A=1", "B=2", "exported=3"]),
            ("A=b#c # d\nB=#\nC=\"#\" # e", &["A=b#c", "B=", "C=#"]),
            ("A='$HOME \\n it\\'s'", &["A=$HOME \\n it's"]),
            (
                "A=\"$HOME\\t\\\"\\$A\\x\"\nB=${A}s",
                &["A=/home/me\t\"$A\\x", "B=/home/me\t\"$A\\xs"],
            ),
            (
                "A=\"one\ntwo\"\nB=${NONE:-3}\nHOME=x\nC=$HOME",
                &["A=one\ntwo", "B=3", "HOME=x", "C=/home/me"],
            ),
            ("A\nB: 2", &["A", "B=2"]),
            ("A='{\"a\": 1}'", &["A={\"a\": 1}"]),
            ("", &[]),
        ] {
            assert_eq!(
                of(text).as_deref(),
                Ok(&expected.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()[..]),
                "{text}"
            );
        }
        for (text, expected) in [
            ("A=1\nB C=2", "line 2: \"B C=2\": expected NAME=VALUE"),
            ("=1", "expected NAME=VALUE"),
            ("A='b\nc", "line 1: \"A='b\": expected a second '"),
            ("A=\"b\" c", "expected nothing behind the second \""),
            ("A=\"\\", "expected a second \""),
            ("A=${HOME", "expected } in it"),
        ] {
            let said = of(text).unwrap_err();
            assert!(said.contains(expected), "{text}: {said}");
        }
    }

    #[test]
    fn the_last_one_counts() {
        let all = ["A=1", "B", "A=2=3"].map(str::to_owned);
        assert_eq!(find(&all, "A").as_deref(), Some("2=3"));
        assert_eq!(find(&all, "B"), None);
    }
}
