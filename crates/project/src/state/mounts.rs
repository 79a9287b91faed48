//! `mounts` and `tmpfs`.

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
    if let Some(item) = fields.take("tmpfs") {
        const EXPECTED: &str = "a list of folders, such as [/run, \"/tmp:size=64m\"]";
        for item in item.list(EXPECTED)? {
            let mount = engine::value::tmpfs(item.text(EXPECTED)?);
            all.push(mount.map_err(|why| item.wrong(why))?);
        }
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
    let mut mount =
        Mount { kind: source.0, source: source.1, target, read_only, ..Mount::default() };
    if let Some(item) = fields.take("options") {
        options(&mut mount, &item, item.texts("a list such as [noexec, rslave]")?)?;
    }
    if mount.kind == MountKind::Volume
        && let Some(item) = fields.take("subpath")
    {
        let path = item.text("a path in the volume")?;
        // What a part of a volume is to have, is there already.
        mount.no_copy = true;
        path.trim_matches('/').clone_into(&mut mount.subpath);
    }
    fields.finish()?;
    Ok(mount)
}

fn options(
    mount: &mut Mount,
    item: &Item<'_>,
    options: impl IntoIterator<Item = impl AsRef<str>>,
) -> Result<(), FileError> {
    let mut add = |option: &str| engine::value::mount_option(mount, option);
    options.into_iter().try_for_each(|it| add(it.as_ref())).map_err(|why| item.wrong(why))
}

/// `SOURCE:TARGET[:OPTIONS]`, as Docker's users write it.
fn short(item: &Item<'_>, folder: &Path) -> Result<Mount, FileError> {
    const EXPECTED: &str = "{source: PATH, target: /PATH} or \"SOURCE:/TARGET[:ro]\"";
    let text = item.text(EXPECTED)?;
    let parts: Vec<&str> = text.split(':').collect();
    let (from, target, more) = match parts[..] {
        [target] => ("", target, ""),
        [source, target] => (source, target, ""),
        [source, target, options] => (source, target, options),
        _ => return Err(item.expected(EXPECTED)),
    };
    let target = absolute(target).ok_or_else(|| item.expected(EXPECTED))?;
    let (kind, source) = match from {
        "" if parts.len() == 1 => (MountKind::Volume, String::new()),
        from => source(item, from, folder)?,
    };
    let mut mount = Mount { kind, source, target, ..Mount::default() };
    options(&mut mount, item, more.split(',').filter(|it| !it.is_empty()))?;
    Ok(mount)
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
