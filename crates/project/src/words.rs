//! A command in one line, as words.

/// Splits as a shell does, without any of its other powers: spaces separate, quotes and backslashes
/// keep together.
///
/// # Errors
/// What is missing.
pub(crate) fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next().ok_or("a second '")? {
                        '\'' => break,
                        other => word.push(other),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next().ok_or("a second \"")? {
                        '"' => break,
                        '\\' => match letters.next().ok_or("something after \\")? {
                            escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        other => word.push(other),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(letters.next().ok_or("something after \\")?),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn as_a_shell_does() {
        let cases: [(&str, &[&str]); 7] = [
            ("", &[]),
            ("  a  b\n", &["a", "b"]),
            ("sh -c 'echo \"$A\"'", &["sh", "-c", "echo \"$A\""]),
            (r#"a"b c"d"#, &["ab cd"]),
            (r#""\"\\\n""#, &["\"\\\\n"]),
            (r"a\ b \'", &["a b", "'"]),
            ("'' \"\"", &["", ""]),
        ];
        for (text, words) in cases {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
        for text in ["'a", "\"a", "a\\", "\"a\\"] {
            assert!(split(text).is_err(), "{text}");
        }
    }
}
