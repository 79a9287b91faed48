//! Enough of Rust's grammar to tell code from comments and strings, a line at a time.

/// A line without its comment and without what its strings contain.
pub(super) fn without_text(line: &str) -> String {
    let mut code = String::new();
    let mut in_string = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if in_string => _ = characters.next(),
            // A quote as a character, '"', opens no string.
            '"' if code.ends_with('\'') && characters.peek() == Some(&'\'') => {}
            '"' => in_string = !in_string,
            '/' if !in_string && characters.peek() == Some(&'/') => break,
            _ if in_string => {}
            _ => code.push(character),
        }
    }
    code
}

/// Whether the code has this word, as a whole.
pub(super) fn has_word(code: &str, word: &str) -> bool {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use super::{has_word, without_text};

    #[test]
    fn comments_and_strings_are_not_code() {
        assert_eq!(without_text(r#"let a = "un//safe \" x"; // unsafe"#), "let a = ; ");
        assert_eq!(without_text(r#"if c == '"' { b } // "#), "if c == '' { b } ");
    }

    #[test]
    fn only_whole_words_count() {
        assert!(has_word("unsafe { x }", "unsafe"));
        assert!(!has_word("#![forbid(unsafe_code)]", "unsafe"));
    }
}
