//! `--expand-env`: `${VAR}`, `${VAR:-TEXT}` and `$$` in the child's arguments, without a shell.

use crate::sys::{self, Buffer, Text, Texts, Word};
use crate::words::lookup;

/// Defaults within defaults, at most so deep.
const DEEPEST: u32 = 16;

/// The longest argument that the kernel takes, with its NUL: `MAX_ARG_STRLEN`.
const LONGEST: usize = 128 * 1024;

/// Replaces each argument by its expansion; an argument that has none is the error.
pub fn expand_all(arguments: Texts, environment: Texts) -> Result<(), Word> {
    let mut index = 0;
    while let Some(argument) = arguments.get(index) {
        if argument.behind(b'$').is_some() {
            let room = sys::pages::<{ LONGEST + 1 }>().ok_or(argument)?;
            let expanded = expand(argument, environment, Buffer::over(room)).ok_or(argument)?;
            arguments.set(index, Some(expanded.into_word()));
        }
        index += 1;
    }
    Ok(())
}

/// Expands an argument into `out`. `None` when it is malformed, or when `out` is full then:
/// something may have been left out.
pub fn expand<'a>(argument: Word, environment: Texts, out: Buffer<'a>) -> Option<Buffer<'a>> {
    let mut expansion = Expansion { rest: argument, environment, out, depth: 0 };
    expansion.expand(0)?;
    (!expansion.out.is_full()).then_some(expansion.out)
}

/// An argument on its way to its expansion.
struct Expansion<'a> {
    /// What is not expanded yet.
    rest: Word,
    environment: Texts,
    /// What is.
    out: Buffer<'a>,
    depth: u32,
}

impl Expansion<'_> {
    /// Expands the text up to the byte `end`: its own end or, within `${...}`, the brace that
    /// closes it. `None` when it is malformed.
    #[inline(never)]
    fn expand(&mut self, end: u8) -> Option<()> {
        loop {
            let byte = self.rest.first();
            if byte == end {
                return Some(());
            }
            self.rest = self.rest.rest();
            match (byte, self.rest.first()) {
                (0, _) => return None,
                (b'$', b'{') => {
                    self.rest = self.rest.rest();
                    self.expand_braces()?;
                    continue;
                }
                (b'$', b'$') => self.rest = self.rest.rest(),
                _ => {}
            }
            self.out.push(byte);
        }
    }

    /// `VAR}` or `VAR:-TEXT}`.
    #[inline(never)]
    fn expand_braces(&mut self) -> Option<()> {
        let name = self.rest;
        while self.rest.first() == b'_' || self.rest.first().is_ascii_alphanumeric() {
            self.rest = self.rest.rest();
        }
        let end = self.rest.first();
        self.rest = name.cut(end)?;
        // Nothing, or a digit in front, is no name.
        let good = name.first() > b'9';
        let value = lookup(self.environment, *name).unwrap_or(Text::NONE);
        self.rest.join(end);
        if end == b':' {
            self.rest = self.rest.after(Text::of(c"-"))?;
            let length = self.out.length();
            self.depth += 1;
            if self.depth == DEEPEST {
                return None;
            }
            self.expand(b'}')?;
            self.depth -= 1;
            self.rest = self.rest.rest();
            if value.first() != 0 {
                self.out.shorten(length);
            }
        } else if end != b'}' {
            return None;
        }
        self.out.append(value, 0);
        good.then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::expand_all;
    use crate::sys::texts;

    fn expanded(text: &str) -> Option<std::string::String> {
        let environment = texts(&["A=one", "EMPTY=", "_b2=$A }", "AA=no"]);
        let arguments = texts(&[text]);
        expand_all(arguments, environment).ok()?;
        let expansion = arguments.get(0).unwrap();
        Some(std::string::String::from_utf8(expansion.bytes().to_vec()).unwrap())
    }

    #[test]
    fn what_is_expanded() {
        for (text, is) in [
            ("plain", "plain"),
            ("--port=${A}", "--port=one"),
            ("${A}${A}", "oneone"),
            ("${NONE}|${EMPTY}", "|"),
            ("${NONE:-8900}", "8900"),
            ("${EMPTY:-x}", "x"),
            ("${A:-x}", "one"),
            ("${NONE:-${A}s}", "ones"),
            ("${A:-${NONE:-x}}!", "one!"),
            ("$$A $${A}", "$A ${A}"),
            ("$A 5$ {A}", "$A 5$ {A}"),
            ("${_b2}", "$A }"),
            ("a}b", "a}b"),
        ] {
            assert_eq!(expanded(text).as_deref(), Some(is), "{text}");
        }
    }

    #[test]
    fn what_is_malformed() {
        for text in [
            "${",
            "${A",
            "${}",
            "${1A}",
            "${A-x}",
            "${A:x}",
            "${A:-",
            "${A b}",
            "${:-x}",
            "${NONE:-${A}",
        ] {
            assert_eq!(expanded(text), None, "{text}");
        }
        assert_eq!(expanded(&("${N:-".repeat(40) + &"}".repeat(40))), None, "too deep");
        assert_eq!(expanded(&"${A}".repeat(50_000)), None, "longer than the kernel takes");
    }
}
