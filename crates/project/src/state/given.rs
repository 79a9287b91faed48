//! `secrets` and `configs`: what services are given in files. At the top the file says where it comes
//! from; secrets that it does not know there are those that `tinyo secret` keeps.

use super::Defaults;
use crate::error::FileError;
use crate::fields::{Fields, Item};
use engine::settings::{Mount, MountKind, SecretKind, SecretUse};
use engine::value;
use image::Hasher;
use spec::image::Algorithm;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Both lists, and where their files are if nothing else is said.
const LISTS: [(&str, &str); 2] = [("secrets", "/run/secrets/"), ("configs", "/")];

/// What the file has at the top.
pub(super) struct Given<'a> {
    project: &'a str,
    pub(super) folder: &'a Path,
    /// Some things mean something else there.
    pub(super) is_compose: bool,
    sources: [BTreeMap<String, Source>; 2],
}

/// Where something comes from.
enum Source {
    /// A path of the machine.
    File(String),
    Text(Vec<u8>),
    /// A secret that `tinyo secret` keeps.
    Kept(String),
}

/// What a service is given.
#[derive(Default)]
pub(super) struct Files {
    pub(super) mounts: Vec<Mount>,
    pub(super) secrets: Vec<SecretUse>,
    /// By the names of the secrets that they are.
    pub(super) texts: BTreeMap<String, Vec<u8>>,
}

impl<'a> Given<'a> {
    pub(super) fn nothing(project: &'a str, defaults: Defaults<'a>) -> Given<'a> {
        let sources = [const { BTreeMap::new() }; 2];
        Given { project, folder: defaults.folder, is_compose: false, sources }
    }

    pub(super) fn read(
        fields: &mut Fields<'_>,
        project: &'a str,
        defaults: Defaults<'a>,
        is_compose: bool,
    ) -> Result<Given<'a>, FileError> {
        const EXPECTED: &str = "names with where it comes from, such as \"key: {file: ./key}\"";
        let mut given = Given { is_compose, ..Given::nothing(project, defaults) };
        for ((list, _), sources) in LISTS.iter().zip(&mut given.sources) {
            for (name, item) in fields.take(list).map_or(Ok(Vec::new()), |it| it.map(EXPECTED))? {
                sources.insert(name.text.clone(), source(&item, &name.text, defaults)?);
            }
        }
        Ok(given)
    }

    /// Takes those fields of a service.
    pub(super) fn of_service(&self, fields: &mut Fields<'_>) -> Result<Files, FileError> {
        const EXPECTED: &str = "a list such as [password, {source: key, target: /etc/key}]";
        let mut files = Files::default();
        for ((list, folder), sources) in LISTS.iter().zip(&self.sources) {
            for item in fields.take(list).map_or(Ok(Vec::new()), |it| it.list(EXPECTED))? {
                let (wanted, is_plain) = match item.is_map() {
                    true => long(&item)?,
                    false => (item.parsed("a name", |text| value::secret(text).ok())?, true),
                };
                match sources.get(&wanted.name) {
                    Some(source) => {
                        self.add(&mut files, source, (wanted, is_plain, folder), &item)?;
                    }
                    None if *list == "secrets" => files.secrets.push(wanted),
                    None => {
                        let name = &wanted.name;
                        return Err(item.wrong(format!(
                            "found {name:?}, expected a name that \"configs:\" at the top has"
                        )));
                    }
                }
            }
        }
        Ok(files)
    }

    fn add(
        &self,
        files: &mut Files,
        source: &Source,
        (mut wanted, is_plain, folder): (SecretUse, bool, &str),
        item: &Item<'_>,
    ) -> Result<(), FileError> {
        if wanted.target.is_empty() {
            wanted.target.clone_from(&wanted.name);
        }
        if wanted.kind == SecretKind::Mount && !wanted.target.starts_with('/') {
            wanted.target.insert_str(0, folder);
        }
        let text = match source {
            // As it is at any time, with its own rights.
            Source::File(path) if is_plain => {
                let (kind, source) = (MountKind::Bind, path.clone());
                let target = wanted.target;
                files.mounts.push(Mount {
                    kind,
                    source,
                    target,
                    read_only: true,
                    ..Mount::default()
                });
                return Ok(());
            }
            Source::File(path) => {
                contents(path).map_err(|error| item.wrong(format!("{path}: {error}")))?
            }
            Source::Text(text) => text.clone(),
            Source::Kept(name) => {
                wanted.name.clone_from(name);
                files.secrets.push(wanted);
                return Ok(());
            }
        };
        // Another text is another name, by which a container is made anew.
        let digest = Hasher::of(Algorithm::Sha256, &text);
        wanted.name = format!("{}.{}", self.project, digest.hex());
        files.texts.insert(wanted.name.clone(), text);
        files.secrets.push(wanted);
        Ok(())
    }
}

/// A secret that is larger is refused.
fn contents(path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(1 << 20).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn source(item: &Item<'_>, key: &str, of: Defaults<'_>) -> Result<Source, FileError> {
    const EXPECTED: &str = "one of file, content, environment and external";
    let mut fields = item.fields(EXPECTED)?;
    let name = fields.take("name").map_or(Ok(key), |item| item.text("a name"))?;
    let mut found = Vec::new();
    if let Some(item) = fields.take("file") {
        let good =
            |text: &str| (!text.is_empty() && !text.contains('\0')).then(|| of.folder.join(text));
        let path = item.parsed("the path of a file", good)?;
        found.push(Source::File(path.to_string_lossy().into_owned()));
    }
    if let Some(item) = fields.take("content") {
        found.push(Source::Text(item.text("a text")?.as_bytes().to_vec()));
    }
    if let Some(item) = fields.take("environment") {
        // Whether it is set matters to who makes a container.
        let value = (of.environment)(item.text("a variable")?).unwrap_or_default();
        found.push(Source::Text(value.into_bytes()));
    }
    if let Some(item) = fields.take("external")
        && item.boolean()?
    {
        found.push(Source::Kept(name.to_owned()));
    }
    fields.finish()?;
    match found.pop() {
        Some(source) if found.is_empty() => Ok(source),
        _ => Err(item.expected(EXPECTED)),
    }
}

/// True if it says nothing of whom the file belongs to, and is a file.
fn long(item: &Item<'_>) -> Result<(SecretUse, bool), FileError> {
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
        owner => Ok((secret.clone(), owner.is_none() && secret.kind == SecretKind::Mount)),
    }
}
