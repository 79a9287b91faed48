//! How long files and functions are. The code is formatted, so that a function ends with the
//! first brace at its own indentation.

use super::Finding;
use super::code;

/// Lines of a file, lines of a function: above the first a remark, above the second an error.
const FILE: (usize, usize) = (400, 500);
const FUNCTION: (usize, usize) = (60, 80);

/// A comment with this in a file or a function says that it is a table, which may be long.
const EXEMPTION: &str = concat!("tidy", ": table");

pub(super) fn check(name: &str, text: &str) -> Vec<Finding> {
    let lines: Vec<&str> = text.lines().collect();
    let mut findings = Vec::new();
    if !text.contains(EXEMPTION) {
        findings.extend(judge(name, lines.len(), FILE));
    }
    for (index, line) in lines.iter().enumerate() {
        let Some(function) = function_name(line) else { continue };
        let length = function_length(&lines[index..]);
        if !lines[index..index + length].iter().any(|line| line.contains(EXEMPTION)) {
            let place = format!("{name}:{}: {function}", index + 1);
            findings.extend(judge(&place, length, FUNCTION));
        }
    }
    findings
}

fn judge(what: &str, lines: usize, (remark, error): (usize, usize)) -> Option<Finding> {
    let text = format!("{what} has {lines} lines");
    if lines > error {
        Some(Finding::Error(format!("{text}, more than {error}")))
    } else {
        (lines > remark).then(|| Finding::Remark(format!("{text}, more than {remark}")))
    }
}

/// The name, if a function begins on this line.
fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    if let Some(after) = rest.strip_prefix("pub(") {
        rest = after.split_once(") ")?.1;
    }
    loop {
        let (word, after) = rest.split_once(' ')?;
        match word {
            "fn" => return after.split(['(', '<']).next(),
            "pub" | "const" | "async" | "unsafe" | "extern" => rest = after,
            _ if word.starts_with('"') => rest = after,
            _ => return None,
        }
    }
}

/// From the line with `fn` to the one with the closing brace, both included.
fn function_length(lines: &[&str]) -> usize {
    let first = lines.first().copied().unwrap_or_default();
    let indentation = &first[..first.len() - first.trim_start().len()];
    let end = format!("{indentation}}}");
    for (index, line) in lines.iter().enumerate() {
        let code = code::without_text(line);
        let code = code.trim_end();
        // A body on the line of the signature, or a declaration without body.
        let complete = code.ends_with('}') || code.ends_with(';');
        let at_start = line.len() - line.trim_start().len() == indentation.len();
        if *line == end || (complete && at_start) {
            return index + 1;
        }
    }
    lines.len()
}

#[cfg(test)]
mod tests {
    use super::{Finding, check, function_length, function_name};

    #[test]
    fn functions_are_found_in_all_their_spellings() {
        assert_eq!(function_name("    pub(crate) const unsafe fn a<T>(x: T) {"), Some("a"));
        assert_eq!(function_name("pub extern \"C\" fn b() {"), Some("b"));
        assert_eq!(function_name("let run: fn(u8) = x;"), None);
        assert_eq!(function_name("// fn in a comment"), None);
    }

    #[test]
    fn a_function_ends_at_its_own_brace() {
        let text = "    fn a(\n        x: u8,\n    ) -> u8 {\n        if x { y }\n        b;\n    }\n    c";
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(function_length(&lines), 6);
        assert_eq!(function_length(&["fn a() {}", "}"]), 1);
        assert_eq!(function_length(&["fn a();", "}"]), 1);
    }

    #[test]
    fn long_ones_are_named_unless_they_are_tables() {
        let long = |lines: usize, mark: &str| {
            format!("fn a() {{{mark}\n{}}}\n", "    b;\n".repeat(lines - 2))
        };
        assert_eq!(check("x.rs", &long(60, "")), []);
        let remark = Finding::Remark("x.rs:1: a has 61 lines, more than 60".to_owned());
        assert_eq!(check("x.rs", &long(61, "")), [remark]);
        let error = Finding::Error("x.rs:1: a has 81 lines, more than 80".to_owned());
        assert_eq!(check("x.rs", &long(81, "")), [error]);
        let mark = concat!(" // tidy", ": table");
        assert_eq!(check("x.rs", &long(501, mark)), []);
    }
}
