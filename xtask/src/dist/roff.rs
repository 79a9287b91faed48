//! Text for man pages.

/// Escapes what roff would take for its own: backslashes, hyphens that must stay hyphens, and a
/// dot or quote at the start of a line.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        let at_start = escaped.is_empty() || escaped.ends_with('\n');
        match character {
            '\\' => escaped.push_str("\\e"),
            '-' => escaped.push_str("\\-"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            '`' => escaped.push_str("\\(ga"),
            '\'' if !at_start => escaped.push_str("\\(aq"),
            '.' | '\'' if at_start => {
                escaped.push_str("\\&");
                escaped.push(character);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Bold text, for what is typed as it stands.
pub(super) fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escape(text))
}

/// Italic text, for what is replaced by something.
pub(super) fn italic(text: &str) -> String {
    format!("\\fI{}\\fR", escape(text))
}

#[cfg(test)]
mod tests {
    use super::{bold, escape};

    #[test]
    fn nothing_is_left_for_roff_to_obey() {
        assert_eq!(escape(".TH it's"), "\\&.TH it\\(aqs");
        assert_eq!(escape("a\\nb\n'c"), "a\\enb\n\\&'c");
        assert_eq!(bold("--all"), "\\fB\\-\\-all\\fR");
    }
}
