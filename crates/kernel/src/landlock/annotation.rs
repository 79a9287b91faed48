//! From annotations to rules.

use super::rights::{
    BIND_TCP, CONNECT_TCP, EXEC, EXECUTABLE, IOCTL, READ, SCOPE_ABSTRACT_UNIX, SCOPE_SIGNALS,
    WRITABLE, WRITE, WRITE_FILE,
};
use super::{PREFIX, PathRule, PortRule, Rules};
use crate::path::RootedPath;

/// All annotations, without [`PREFIX`].
pub const ANNOTATIONS: &[&str] = &[
    "bind-tcp-allow",
    "connect-tcp-allow",
    "device-ioctl-allow",
    "exec-allow",
    "read-allow",
    "scope-abstract-unix",
    "scope-signals",
    "warn-only",
    "write-allow",
    "write-no-dev",
];

/// What is wrong with an annotation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// One that begins like ours but is none of them.
    #[error("{PREFIX}{name}: there is no such annotation, but {}", ANNOTATIONS.join(", "))]
    Unknown {
        /// Its name without the prefix.
        name: String,
    },
    /// A value that is not of its kind.
    #[error("{PREFIX}{name}: {value:?} is {expected}")]
    Value {
        /// The name of the annotation, without the prefix.
        name: &'static str,
        /// The part of the value that is wrong.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// One that says something about another one that is missing.
    #[error("{PREFIX}write-no-dev: means nothing without {PREFIX}write-allow")]
    NothingToWrite,
}

/// Reads the rules of a container from its annotations. All that do not begin with [`PREFIX`] are
/// passed over. `None` where nothing is taken away.
///
/// # Errors
/// An annotation that there is not, or a value that is not of its kind.
pub fn parse<'a>(
    annotations: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Option<Rules>, ParseError> {
    let mut rules = Rules::default();
    let (mut keep_dev, mut write) = (true, false);
    for (name, value) in annotations {
        let Some(name) = name.strip_prefix(PREFIX) else { continue };
        let index = ANNOTATIONS.iter().position(|known| *known == name);
        let index = index.ok_or_else(|| ParseError::Unknown { name: name.to_owned() })?;
        let annotation = Annotation { name: ANNOTATIONS[index], value };
        match annotation.name {
            "write-allow" => {
                write = true;
                annotation.paths(&mut rules, WRITE, WRITABLE)?;
            }
            "write-no-dev" => keep_dev = !annotation.switch()?,
            "read-allow" => annotation.paths(&mut rules, READ, READ)?,
            "exec-allow" => annotation.paths(&mut rules, EXEC, EXECUTABLE)?,
            "device-ioctl-allow" => annotation.paths(&mut rules, IOCTL, IOCTL)?,
            "bind-tcp-allow" => annotation.ports(&mut rules, BIND_TCP)?,
            "connect-tcp-allow" => annotation.ports(&mut rules, CONNECT_TCP)?,
            "scope-signals" => annotation.scope(&mut rules, SCOPE_SIGNALS)?,
            "scope-abstract-unix" => annotation.scope(&mut rules, SCOPE_ABSTRACT_UNIX)?,
            _ => rules.warn_only = annotation.switch()?,
        }
    }
    if !keep_dev && !write {
        return Err(ParseError::NothingToWrite);
    }
    if keep_dev && write {
        let path = RootedPath::parse("/dev").unwrap_or_else(|_| RootedPath::root());
        rules.paths.push(PathRule { path, rights: WRITE_FILE, optional: true });
    }
    let nothing = rules.handled == sys::landlock::Handled::default();
    Ok((!nothing).then_some(rules))
}

struct Annotation<'a> {
    name: &'static str,
    value: &'a str,
}

impl Annotation<'_> {
    fn wrong(&self, part: &str, expected: &'static str) -> ParseError {
        ParseError::Value { name: self.name, value: part.to_owned(), expected }
    }

    fn switch(&self) -> Result<bool, ParseError> {
        match self.value {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(self.wrong(other, "neither true nor false")),
        }
    }

    fn scope(&self, rules: &mut Rules, scope: u64) -> Result<(), ParseError> {
        rules.handled.scopes |= if self.switch()? { scope } else { 0 };
        Ok(())
    }

    /// The parts of a list. An empty value is a list of nothing.
    fn parts(&self, separator: char) -> impl Iterator<Item = &str> {
        let nothing = self.value.is_empty();
        self.value.split(separator).filter(move |_| !nothing)
    }

    fn paths(&self, rules: &mut Rules, taken: u64, given_back: u64) -> Result<(), ParseError> {
        rules.handled.filesystem |= taken;
        for part in self.parts(':') {
            let path = RootedPath::parse(part).ok().filter(|_| part.starts_with('/'));
            let path = path.ok_or_else(|| self.wrong(part, "not an absolute path"))?;
            rules.paths.push(PathRule { path, rights: given_back, optional: false });
        }
        Ok(())
    }

    fn ports(&self, rules: &mut Rules, right: u64) -> Result<(), ParseError> {
        rules.handled.network |= right;
        for part in self.parts(',') {
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            let port = part.parse().ok().filter(|_| digits);
            let port = port.ok_or_else(|| self.wrong(part, "not a port, from 0 to 65535"))?;
            rules.ports.push(PortRule { port, rights: right });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{ANNOTATIONS, PREFIX, parse};
    use crate::landlock::{PathRule, PortRule, Rules};
    use crate::path::RootedPath;

    fn parsed(annotations: &[(&str, &str)]) -> Result<Option<Rules>, String> {
        let named: Vec<_> =
            annotations.iter().map(|(name, value)| (format!("{PREFIX}{name}"), *value)).collect();
        let pairs = named.iter().map(|(name, value)| (name.as_str(), *value));
        parse(pairs).map_err(|error| error.to_string())
    }

    fn text(annotations: &[(&str, &str)]) -> String {
        parsed(annotations).unwrap_err().replace(PREFIX, "")
    }

    #[test]
    fn nothing_said_is_nothing_taken_away() {
        assert_eq!(parse([("org.example", "x"), ("landlock", "")]), Ok(None));
        assert_eq!(parsed(&[("scope-signals", "false"), ("warn-only", "true")]), Ok(None));
    }

    #[test]
    fn paths_are_given_back() {
        let rules = parsed(&[("write-allow", "/data:/var//log/"), ("read-allow", "")]);
        let rules = rules.unwrap().unwrap();
        assert_eq!(rules.handled.filesystem, 0xffff & !(1 << 15) & !1);
        let rule = |path, rights, optional| PathRule {
            path: RootedPath::parse(path).unwrap(),
            rights,
            optional,
        };
        let writable = 0x77b2;
        let expected = [
            rule("/data", writable, false),
            rule("/var/log", writable, false),
            rule("/dev", 2, true),
        ];
        assert_eq!(rules.paths, expected);
        let no_dev = parsed(&[("write-allow", ""), ("write-no-dev", "true")]);
        assert_eq!(no_dev.unwrap().unwrap().paths, []);
    }

    #[test]
    fn ports_and_scopes() {
        let rules = parsed(&[
            ("bind-tcp-allow", "80,443"),
            ("connect-tcp-allow", ""),
            ("scope-abstract-unix", "true"),
        ]);
        let rules = rules.unwrap().unwrap();
        assert_eq!((rules.handled.network, rules.handled.scopes), (3, 1));
        let port = |port| PortRule { port, rights: 1 };
        assert_eq!(rules.ports, [port(80), port(443)]);
    }

    #[test]
    fn errors_say_what_is_right() {
        assert!(ANNOTATIONS.is_sorted());
        assert!(text(&[("writable", "/")]).starts_with(
            "writable: there is no such annotation, but bind-tcp-allow, connect-tcp-allow, "
        ));
        assert_eq!(text(&[("read-allow", "/a:b")]), "read-allow: \"b\" is not an absolute path");
        assert_eq!(text(&[("exec-allow", "/a:")]), "exec-allow: \"\" is not an absolute path");
        for port in ["65536", "+1", "", "http", "-1"] {
            let value = format!("1,{port}");
            let expected = format!("bind-tcp-allow: {port:?} is not a port, from 0 to 65535");
            assert_eq!(text(&[("bind-tcp-allow", &value)]), expected);
        }
        assert_eq!(text(&[("warn-only", "yes")]), "warn-only: \"yes\" is neither true nor false");
        assert_eq!(
            text(&[("write-no-dev", "true")]),
            "write-no-dev: means nothing without write-allow"
        );
    }
}
