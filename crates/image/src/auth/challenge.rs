//! `WWW-Authenticate` (RFC 9110, section 11.6.1): how a registry wants to know who we are.

/// One way that the server accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// In lower case: `basic`, `bearer`.
    pub scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The value of a parameter, whose name is compared without regard to case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// All challenges of one header. What follows something malformed is passed over: a client
    /// can do nothing better than to try what it understood.
    pub fn parse(header: &str) -> Vec<Challenge> {
        let mut challenges: Vec<Challenge> = Vec::new();
        let mut rest = header;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            let word = token(rest);
            if word.is_empty() {
                return challenges;
            }
            let after = &rest[word.len()..];
            match (value(after), challenges.last_mut()) {
                // `name=value` belongs to the scheme before it.
                (Some((text, after)), Some(challenge)) => {
                    challenge.parameters.push((word.to_owned(), text));
                    rest = after;
                }
                (Some(_), None) => return challenges,
                (None, _) => {
                    let scheme = word.to_ascii_lowercase();
                    challenges.push(Challenge { scheme, parameters: Vec::new() });
                    rest = after;
                }
            }
        }
    }
}

/// The characters of a token at the start of a text (RFC 9110, 5.6.2).
fn token(text: &str) -> &str {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let end = text.bytes().position(|byte| !is_part(byte)).unwrap_or(text.len());
    &text[..end]
}

/// `= VALUE` at the start of a text, quoted or not, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start_matches([' ', '\t']).strip_prefix('=')?;
    // `abc==` after a scheme is its one token and no parameter; nobody we speak with sends one.
    let text = text.trim_start_matches([' ', '\t']);
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut content = String::new();
    let mut characters = quoted.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Some((content, &quoted[place + 1..])),
            '\\' => content.extend(characters.next().map(|(_, escaped)| escaped)),
            character => content.push(character),
        }
    }
    // No closing quote: the rest is the value.
    Some((content, ""))
}

#[cfg(test)]
mod tests {
    use super::Challenge;

    #[test]
    fn as_registries_send_it() {
        let header = r#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push""#;
        let [bearer] = &Challenge::parse(header)[..] else { panic!("one challenge") };
        assert_eq!(bearer.scheme, "bearer");
        assert_eq!(bearer.parameter("Realm"), Some("https://auth.example/token"));
        assert_eq!(bearer.parameter("scope"), Some("repository:a/b:pull,push"));
        assert_eq!(bearer.parameter("error"), None);
    }

    #[test]
    fn several_in_one_header_and_odd_spelling() {
        let header = r#"Negotiate, BASIC realm = "a \"b\", c" , Bearer realm=x,service=, error=invalid_token"#;
        let found = Challenge::parse(header);
        let schemes: Vec<_> = found.iter().map(|challenge| challenge.scheme.as_str()).collect();
        assert_eq!(schemes, ["negotiate", "basic", "bearer"]);
        assert_eq!(found[1].parameter("realm"), Some(r#"a "b", c"#));
        assert_eq!(found[2].parameter("service"), Some(""));
        assert_eq!(found[2].parameter("error"), Some("invalid_token"));
    }

    #[test]
    fn malformed_ones_end_and_do_not_panic() {
        assert_eq!(Challenge::parse(""), []);
        assert_eq!(Challenge::parse("realm=x"), []);
        assert_eq!(Challenge::parse("Bearer realm=\"x")[0].parameter("realm"), Some("x"));
        assert_eq!(Challenge::parse("Bearer realm=\"x\\").len(), 1);
        assert_eq!(Challenge::parse("Basic é=1").len(), 1);
        assert_eq!(Challenge::parse("Bearer =,="), []);
    }
}
