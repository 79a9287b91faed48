//! Secrets and variables, as people write them.

use crate::settings::{SecretKind, SecretUse};

/// `--secret`: `NAME[,OPTION=VALUE..]`, or `source=NAME,..`.
///
/// # Errors
/// What would be right.
pub fn secret(text: &str) -> Result<SecretUse, String> {
    let mut secret = SecretUse::default();
    let mut of_files = None;
    for (place, field) in text.split(',').enumerate() {
        let (key, value) = field.split_once('=').unwrap_or((field, ""));
        if place == 0 && !field.contains('=') {
            field.clone_into(&mut secret.name);
            continue;
        }
        let number = |range: &str| {
            value.parse().map_err(|_| format!("{text:?}: {key} is {range}, not {value:?}"))
        };
        match (key, value) {
            (_, "") => return Err(format!("{text:?}: {key:?} has no value")),
            ("source" | "src", _) => value.clone_into(&mut secret.name),
            ("type", "mount") => secret.kind = SecretKind::Mount,
            ("type", "env") => secret.kind = SecretKind::Env,
            ("type", _) => return Err(format!("{text:?}: type is mount or env, not {value:?}")),
            ("target" | "dst" | "destination", _) => value.clone_into(&mut secret.target),
            ("uid", _) => (secret.user, of_files) = (number("a number")?, Some(key)),
            ("gid", _) => (secret.group, of_files) = (number("a number")?, Some(key)),
            ("mode", _) => (secret.mode, of_files) = (mode(value)?, Some(key)),
            _ => {
                return Err(format!(
                    "{text:?}: there is no option {key:?}, only type, target, uid, gid, mode"
                ));
            }
        }
    }
    if secret.name.is_empty() {
        return Err(format!("{text:?} has no name"));
    }
    if let (SecretKind::Env, Some(key)) = (secret.kind, of_files) {
        return Err(format!("{text:?}: {key} is for type=mount: a variable belongs to nobody"));
    }
    match secret.kind {
        SecretKind::Env if secret.target.contains('=') => {
            Err(format!("{text:?}: no variable can have this name"))
        }
        SecretKind::Mount if secret.target.split('/').any(|part| part == "..") => {
            Err(format!("{text:?}: the target leads out of its folder"))
        }
        _ => Ok(secret),
    }
}

/// Permissions of a file, in octal digits.
///
/// # Errors
/// What would be right.
pub fn mode(text: &str) -> Result<u32, String> {
    let bits = u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o777);
    bits.ok_or_else(|| format!("mode {text:?} is not octal, from 0 to 777"))
}

/// The lines of an `--env-file`: `NAME=VALUE`, as it stands, or `NAME`, which takes over the
/// caller's. A shell's grammar is not obeyed, but noticed.
///
/// # Errors
/// What would be right.
pub fn env_lines(text: &str) -> Result<Vec<String>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut all = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split('=').next().unwrap_or_default();
        if let Some(wrong) = wrong_name(name) {
            return Err(format!("line {}: {line:?}: {wrong}", number + 1));
        }
        all.push(line.to_owned());
    }
    Ok(all)
}

fn wrong_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("there is no name before the =");
    }
    name.contains(char::is_whitespace)
        .then_some("the name has a blank in it; it is NAME=VALUE, without export and quotes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_variables() {
        let text = "\u{feff}A=1\r\n# no\n\n  B= x \nHOME\n";
        assert_eq!(env_lines(text), Ok(["A=1", "B= x ", "HOME"].map(str::to_owned).to_vec()));
        assert!(env_lines("A=1\nexport B=2").unwrap_err().starts_with("line 2: \"export B=2\""));
        assert!(env_lines("=x").is_err() && env_lines("A = 1").is_err());
    }

    #[test]
    fn secrets() {
        let found = secret("key,target=/etc/key,uid=33,gid=0,mode=0400").unwrap();
        assert_eq!((found.name.as_str(), found.target.as_str()), ("key", "/etc/key"));
        assert_eq!((found.user, found.group, found.mode), (33, 0, 0o400));
        assert_eq!(secret("key").unwrap().mode, 0o444);
        let found = secret("source=key,type=env,target=PASSWORD").unwrap();
        assert_eq!((found.name.as_str(), found.kind), ("key", SecretKind::Env));
        for (wrong, said) in [
            ("", "no name"),
            ("type=env", "no name"),
            ("a,b", "\"b\" has no value"),
            ("a,color=red", "no option"),
            ("a,type=file", "mount or env"),
            ("a,mode=999", "octal"),
            ("a,uid=-1", "uid is a number"),
            ("a,type=env,mode=400", "for type=mount"),
            ("a,type=env,target=A=B", "no variable"),
            ("a,target=../../etc/passwd", "leads out"),
        ] {
            let error = secret(wrong).unwrap_err();
            assert!(error.contains(said), "{wrong}: {error}");
        }
    }
}
