//! Fields between commas, some of them in quotes: `a,"b,c"`, as Docker reads `--mount`.

use anyhow::{Result, bail};

/// Each as it is without quotes; `""` within them is one.
pub(super) fn fields(text: &str) -> Result<Vec<String>> {
    let mut all = vec![String::new()];
    let mut characters = text.chars().peekable();
    let (mut is_quoted, mut is_start) = (false, true);
    while let Some(character) = characters.next() {
        let field = all.last_mut();
        match (character, is_quoted) {
            ('"', true) if characters.next_if_eq(&'"').is_some() => {
                field.into_iter().for_each(|it| it.push('"'));
            }
            ('"', true) => {
                is_quoted = false;
                if characters.peek().is_some_and(|next| *next != ',') {
                    bail!("something follows a quote that ends a field");
                }
            }
            ('"', false) if is_start => is_quoted = true,
            (',', false) => {
                all.push(String::new());
                is_start = true;
                continue;
            }
            _ => field.into_iter().for_each(|it| it.push(character)),
        }
        is_start = false;
    }
    if is_quoted {
        bail!("a quote is not closed");
    }
    Ok(all)
}

#[cfg(test)]
#[test]
fn commas_within_quotes() {
    let read = |text: &str| fields(text).ok().map(|fields| fields.join("|"));
    for (text, expected) in [
        ("a,b=c", Some("a|b=c")),
        (r#"a,"b,c=d",e"#, Some("a|b,c=d|e")),
        (r#""a""b""#, Some("a\"b")),
        (r#"a"b"#, Some("a\"b")),
        ("", Some("")),
        (r#"a,"b"#, None),
        (r#""a"b"#, None),
    ] {
        assert_eq!(read(text).as_deref(), expected, "{text}");
    }
}
