//! `secrets`: those that `tinyo secret` keeps.

use crate::error::FileError;
use crate::fields::Item;
use engine::settings::{SecretKind, SecretUse};
use engine::value;

pub(super) fn read(item: &Item<'_>) -> Result<Vec<SecretUse>, FileError> {
    const EXPECTED: &str = "a list such as [password, {source: key, target: /etc/key}]";
    let one = |item: &Item<'_>| {
        if item.is_map() {
            return long(item);
        }
        item.parsed("the name of a secret", |text| value::secret(text).ok())
    };
    item.list(EXPECTED)?.iter().map(one).collect()
}

fn long(item: &Item<'_>) -> Result<SecretUse, FileError> {
    let mut fields = item.fields("source and target")?;
    let mut secret = SecretUse::default();
    let source = fields.take_one(["source", "name"])?;
    let source =
        source.ok_or_else(|| item.wrong("found no source, expected \"source: SECRET\""))?;
    source.text("the name of a secret")?.clone_into(&mut secret.name);
    if let Some(item) = fields.take("type") {
        secret.kind = item.parsed("mount or env", |text| match text {
            "mount" => Some(SecretKind::Mount),
            "env" => Some(SecretKind::Env),
            _ => None,
        })?;
    }
    if let Some(item) = fields.take("target") {
        let expected = "a path, or for type env the name of a variable";
        secret.target = item.parsed(expected, |text| {
            let leads_out = text.split('/').any(|part| part == "..");
            (!text.is_empty() && !leads_out && !text.contains(['=', '\0'])).then(|| text.to_owned())
        })?;
    }
    let mut is_of_file = None;
    for (name, id) in [("uid", &mut secret.user), ("gid", &mut secret.group)] {
        if let Some(item) = fields.take(name) {
            *id = item.parsed("a number", |text| text.parse().ok())?;
            is_of_file = Some(item);
        }
    }
    if let Some(item) = fields.take("mode") {
        secret.mode = item.parsed("octal digits such as 0400", |text| value::mode(text).ok())?;
        is_of_file = Some(item);
    }
    fields.finish()?;
    match is_of_file {
        Some(item) if secret.kind == SecretKind::Env => {
            Err(item.wrong("found this with type env, expected it with type mount alone"))
        }
        _ => Ok(secret),
    }
}
