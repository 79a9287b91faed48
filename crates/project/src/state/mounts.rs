//! `mounts` and `tmpfs`.

use super::service;
use crate::error::FileError;
use crate::fields::{Fields, Item};
use engine::settings::{Mount, MountKind};
use std::path::{Component, Path, PathBuf};

pub(super) fn read(fields: &mut Fields<'_>, folder: &Path) -> Result<Vec<Mount>, FileError> {
    const EXPECTED: &str = "a list such as [{source: ./site, target: /srv}]";
    let mut all = Vec::new();
    if let Some(item) = fields.take("mounts") {
        for item in item.list(EXPECTED)? {
            all.push(if item.is_map() { long(&item, folder)? } else { short(&item, folder)? });
        }
    }
    for target in service::list(fields, "tmpfs", "a list of folders")? {
        all.push(Mount { kind: MountKind::Tmpfs, target, ..Mount::default() });
    }
    Ok(all)
}

fn long(item: &Item<'_>, folder: &Path) -> Result<Mount, FileError> {
    let mut fields = item.fields("source and target")?;
    let target = fields.take("target");
    let target =
        target.ok_or_else(|| item.wrong("found no target, expected \"target: /FOLDER\""))?;
    let target = target.parsed("an absolute path in the container", absolute)?;
    let source = match fields.take("source") {
        Some(item) => source(&item, item.text("a path, or the name of a volume")?, folder)?,
        None => (MountKind::Volume, String::new()),
    };
    let read_only = fields.take("read-only").map_or(Ok(false), |item| item.boolean())?;
    fields.finish()?;
    Ok(Mount { kind: source.0, source: source.1, target, read_only, ..Mount::default() })
}

/// `SOURCE:TARGET[:ro]`, as Docker's users write it.
fn short(item: &Item<'_>, folder: &Path) -> Result<Mount, FileError> {
    const EXPECTED: &str = "{source: PATH, target: /PATH} or \"SOURCE:/TARGET[:ro]\"";
    let text = item.text(EXPECTED)?;
    let parts: Vec<&str> = text.split(':').collect();
    let (from, target, read_only) = match parts[..] {
        [target] => ("", target, false),
        [source, target] | [source, target, "rw"] => (source, target, false),
        [source, target, "ro"] => (source, target, true),
        _ => return Err(item.expected(EXPECTED)),
    };
    let target = absolute(target).ok_or_else(|| item.expected(EXPECTED))?;
    let (kind, source) = match from {
        "" if parts.len() == 1 => (MountKind::Volume, String::new()),
        from => source(item, from, folder)?,
    };
    Ok(Mount { kind, source, target, read_only, ..Mount::default() })
}

fn absolute(path: &str) -> Option<String> {
    let is_good = path.starts_with('/') && !path.contains('\0');
    is_good.then(|| path.trim_end_matches('/').to_owned()).filter(|path| !path.is_empty())
}

/// What has a slash or begins with a dot is a path, any other a volume.
fn source(item: &Item<'_>, text: &str, folder: &Path) -> Result<(MountKind, String), FileError> {
    if text.starts_with(['/', '.', '~']) || text.contains('/') {
        if text.starts_with('~') || text.contains('\0') {
            return Err(item.expected("a path such as ./site or /srv/site"));
        }
        let path = without_dots(&folder.join(text)).into_os_string().into_string();
        let path = path.map_err(|_| item.wrong("the folder of the file is not UTF-8"))?;
        return Ok((MountKind::Bind, path));
    }
    let is_volume = text.len() > 1 && crate::model::is_name(text);
    if is_volume {
        return Ok((MountKind::Volume, text.to_owned()));
    }
    Err(item.expected("a path such as ./site, or the name of a volume"))
}

/// So that `./site` and `site/.` are the same mount. `..` is left to the kernel, which knows links.
fn without_dots(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, Component::CurDir)).collect()
}
