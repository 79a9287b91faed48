//! `--expand-env`: `${VAR}`, `${VAR:-TEXT}` and `$$` in the child's arguments, without a shell.

use crate::sys::{self, Buffer, Text, Texts};
use crate::value::Value;
use crate::words::lookup;

/// Defaults within defaults, at most so deep.
const DEEPEST: u32 = 16;

/// The longest argument that the kernel takes, with its NUL: `MAX_ARG_STRLEN`.
const LONGEST: usize = 128 * 1024;

/// Replaces each argument by its expansion; an argument that has none is the error.
#[inline(never)]
pub fn expand_all(arguments: Texts, environment: Texts) -> Result<(), Text<'static>> {
    let mut index = 0;
    while let Some(argument) = arguments.get(index) {
        let mut rest = argument;
        if rest.any(|byte| byte == b'$') {
            // The kernel gives memory as it is written to, a page or two.
            let memory = sys::pages(LONGEST).map_err(|_| argument)?;
            rest = argument;
            expand(&mut rest, environment, 0, &mut Buffer::over(memory), true).ok_or(argument)?;
            arguments.set(index, sys::text_in(memory));
        }
        index += 1;
    }
    Ok(())
}

/// Expands `text` up to its end or, `depth` above 0 within `${...}`, up to the brace that closes
/// it, and leaves `text` there. `None` when it is malformed or too long. What is passed over
/// (`wanted` is false) does not go to `out`.
#[inline(never)]
pub fn expand(
    text: &mut Text<'_>,
    environment: Texts,
    depth: u32,
    out: &mut Buffer<'_>,
    wanted: bool,
) -> Option<()> {
    loop {
        let byte = text.first();
        if byte == 0 || (depth > 0 && byte == b'}') {
            return ((depth > 0) == (byte != 0) && depth < DEEPEST).then_some(());
        }
        *text = text.rest();
        if byte == b'$' && text.first() == b'{' {
            *text = text.rest();
            expand_braces(text, environment, depth + 1, out, wanted)?;
            continue;
        }
        if byte == b'$' && text.first() == b'$' {
            *text = text.rest();
        }
        if wanted && !out.push(byte) {
            return None;
        }
    }
}

/// `VAR}` or `VAR:-TEXT}`.
fn expand_braces(
    text: &mut Text<'_>,
    environment: Texts,
    depth: u32,
    out: &mut Buffer<'_>,
    wanted: bool,
) -> Option<()> {
    let name = *text;
    if name.first().is_ascii_digit() {
        return None;
    }
    while text.first() == b'_' || text.first().is_ascii_alphanumeric() {
        *text = text.rest();
    }
    let end = text.first();
    let name = Value { text: name, end };
    if name.is_empty() {
        return None;
    }
    let value = lookup(environment, name).unwrap_or(Text::of(c""));
    if end == b':' {
        *text = text.after(Text::of(c":-"))?;
        expand(text, environment, depth, out, wanted && value.first() == 0)?;
    }
    if text.first() != b'}' {
        return None;
    }
    *text = text.rest();
    (!wanted || out.append(value, 0)).then_some(())
}

#[cfg(test)]
mod tests {
    use super::{Buffer, LONGEST, Text, expand};
    use crate::sys::texts;
    use std::ffi::CString;

    fn expanded(text: &str) -> Option<std::string::String> {
        let environment = texts(&[c"A=one", c"EMPTY=", c"_b2=$A }", c"AA=no"]);
        let text = CString::new(text).unwrap();
        let mut memory = std::vec![0; LONGEST];
        let mut out = Buffer::over(&mut memory);
        expand(&mut Text::of(&text), environment, 0, &mut out, true)?;
        Some(std::string::String::from_utf8(out.bytes().to_vec()).unwrap())
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
