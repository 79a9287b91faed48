//! `--volume`, `--mount` and `--tmpfs`.

use super::csv;
use super::parse::{self, size};
use super::volume::file_system;
use anyhow::{Context as _, Result, anyhow, bail};
use engine::settings::{Mount, MountKind};
use engine::value;

/// `-v`: `[SOURCE:]TARGET[:OPTIONS]`. A source with a slash is a path, any other a volume.
pub(crate) fn volume(text: &str) -> Result<Mount> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts[..] {
        [target] => ("", target, ""),
        [source, target] => (source, target, ""),
        [source, target, options] => (source, target, options),
        _ => bail!("--volume: {text:?} is not SOURCE:TARGET[:OPTIONS]"),
    };
    if !target.starts_with('/') {
        bail!("--volume: {text:?}: the place in the container, {target:?}, is not absolute");
    }
    let is_path = source.starts_with(['/', '.', '~']);
    let mut mount = Mount {
        kind: if is_path { MountKind::Bind } else { MountKind::Volume },
        source: if is_path { absolute(source)? } else { source.to_owned() },
        target: target.trim_end_matches('/').to_owned(),
        ..Mount::default()
    };
    for option in options.split(',').filter(|option| !option.is_empty()) {
        value::mount_option(&mut mount, option)
            .map_err(|why| anyhow!("--volume: {text:?}: {why}"))?;
    }
    if is_path {
        // As with Docker's -v, a folder that is missing is made.
        std::fs::create_dir_all(&mount.source)
            .or_else(
                |error| {
                    if std::path::Path::new(&mount.source).exists() { Ok(()) } else { Err(error) }
                },
            )
            .with_context(|| format!("--volume {}", mount.source))?;
    }
    check_target(target, "--volume", text)?;
    Ok(mount)
}

/// How mounts below a bind mount, and those made later, are shared with the machine.
const PROPAGATIONS: [&str; 6] = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];

/// `--mount`: `type=bind,source=/a,target=/b,readonly`.
pub(crate) fn mount(text: &str) -> Result<Mount> {
    let mut mount = Mount { kind: MountKind::Volume, ..Mount::default() };
    let mut options = Vec::new();
    let fields = csv::fields(text).with_context(|| format!("--mount: {text:?}"))?;
    for field in &fields {
        let (key, value) = field.split_once('=').unwrap_or((field, "true"));
        match key {
            "type" => mount.kind = mount_kind(value)?,
            "source" | "src" => value.clone_into(&mut mount.source),
            "target" | "destination" | "dst" => {
                check_target(value, "--mount", text)?;
                value.trim_end_matches('/').clone_into(&mut mount.target);
            }
            "volume-opt" => {
                options.push(parse::pair(value).map_err(|why| anyhow!("--mount: {key}: {why}"))?);
            }
            _ => field_of_mount(&mut mount, key, value)?,
        }
    }
    mount.file_system = file_system("--mount: volume-opt", &options)?;
    check_prefixes(&fields, mount.kind)?;
    if !mount.target.starts_with('/') {
        bail!("--mount: {text:?}: target=/PATH is missing, the place in the container");
    }
    check_source(&mount, text)?;
    match mount.kind {
        MountKind::Bind => mount.source = existing(&mount.source)?,
        MountKind::Image => {
            if fields.iter().any(|it| matches!(it.as_str(), "rw" | "rw=true" | "readonly=false")) {
                bail!("--mount: {text:?}: the files of an image cannot be changed: leave out rw");
            }
            mount.read_only = true;
        }
        MountKind::Volume | MountKind::Tmpfs => {}
    }
    value::check_tmpfs(&mount).map_err(|why| anyhow!("--mount: {why}"))?;
    Ok(mount)
}

/// Fields that say in their name for which kind they are.
fn check_prefixes(fields: &[String], kind: MountKind) -> Result<()> {
    for (prefix, own) in [
        ("bind-", MountKind::Bind),
        ("volume-", MountKind::Volume),
        ("tmpfs-", MountKind::Tmpfs),
        ("image-", MountKind::Image),
    ] {
        if kind != own && fields.iter().any(|field| field.starts_with(prefix)) {
            bail!(
                "--mount: {prefix}.. is for type={}, and this is type={}",
                own.name(),
                kind.name()
            );
        }
    }
    Ok(())
}

fn check_source(mount: &Mount, text: &str) -> Result<()> {
    match (mount.kind, mount.source.as_str()) {
        (MountKind::Bind | MountKind::Tmpfs, _) if !mount.subpath.is_empty() => {
            bail!("--mount: {text:?}: subpath is for a volume or an image")
        }
        (MountKind::Bind, "") => bail!("--mount: {text:?}: source=PATH is missing"),
        (MountKind::Image, "") => bail!("--mount: {text:?}: source=IMAGE is missing"),
        (MountKind::Volume, "") if !mount.subpath.is_empty() => {
            bail!("--mount: {text:?}: a new volume has no {}", mount.subpath)
        }
        (MountKind::Tmpfs, source) if !matches!(source, "" | "tmpfs") => {
            bail!("--mount: type=tmpfs has no source")
        }
        _ => Ok(()),
    }
}

/// The absolute path of something that is there.
fn existing(source: &str) -> Result<String> {
    let source = absolute(source)?;
    if std::fs::symlink_metadata(&source).is_err() {
        bail!("--mount: {source}: there is no such file or folder (--volume makes a folder)");
    }
    Ok(source)
}

fn mount_kind(text: &str) -> Result<MountKind> {
    Ok(match text {
        "bind" => MountKind::Bind,
        "volume" => MountKind::Volume,
        "tmpfs" => MountKind::Tmpfs,
        "image" => MountKind::Image,
        "devpts" | "ramfs" | "glob" | "npipe" | "cluster" | "artifact" => {
            bail!("--mount: type={text} is not supported, only bind, volume, tmpfs and image")
        }
        _ => bail!("--mount: there is no type {text:?}, only bind, volume, tmpfs and image"),
    })
}

fn field_of_mount(mount: &mut Mount, key: &str, value: &str) -> Result<()> {
    let is_on = || match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => bail!("--mount: {key}={value}: neither true nor false"),
    };
    match key {
        "readonly" | "ro" => mount.read_only = is_on()?,
        "rw" => mount.read_only = !is_on()?,
        "bind-propagation" if PROPAGATIONS.contains(&value) => mount.options.push(value.to_owned()),
        "bind-propagation" => {
            bail!("--mount: bind-propagation={value}: only {}", PROPAGATIONS.join(", "))
        }
        "bind-nonrecursive" => mount.options.extend(is_on()?.then(|| "bind".to_owned())),
        "bind-recursive" => match value {
            "enabled" | "writable" => {}
            "disabled" => mount.options.push("bind".to_owned()),
            "readonly" => mount.options.push("rro".to_owned()),
            _ => {
                bail!("--mount: bind-recursive={value}: only enabled, disabled, writable, readonly")
            }
        },
        "volume-nocopy" => mount.no_copy = is_on()?,
        "volume-driver" if value == "local" => {}
        "volume-driver" => bail!("--mount: {key}={value}: there is none but local"),
        "volume-label" => {
            let label = parse::pair(value).map_err(|why| anyhow!("--mount: {key}: {why}"))?;
            mount.labels.extend([label]);
        }
        // What a part of a volume is to have, is there already.
        "volume-subpath" | "image-subpath" | "subpath" => {
            mount.no_copy = true;
            value.trim_matches('/').clone_into(&mut mount.subpath);
        }
        "tmpfs-size" | "size" => {
            mount
                .options
                .push(format!("size={}", size(value).map_err(|why| anyhow!("--mount: {why}"))?));
        }
        "tmpfs-mode" | "mode" => mount.options.push(format!("mode={value}")),
        "nosuid" | "suid" | "nodev" | "dev" | "noexec" | "exec" => {
            mount.options.push(key.to_owned());
        }
        // What is not here to be changed: labels of SELinux, others' machines, and what Podman
        // calls its default.
        "relabel" | "consistency" | "notmpcopyup" => {}
        "U" | "chown" => mount.options.extend(is_on()?.then(|| "U".to_owned())),
        "idmap" if value == "true" => mount.options.push(key.to_owned()),
        "idmap" => mount.options.push(format!("idmap={value}")),
        _ => bail!(
            "--mount: there is no field {key:?}, only type, source, target, readonly, \
             bind-propagation, bind-recursive, bind-nonrecursive, volume-nocopy, volume-subpath, \
             image-subpath, tmpfs-size, tmpfs-mode, U, idmap"
        ),
    }
    Ok(())
}

/// `--tmpfs`: `TARGET[:OPTIONS]`.
pub(crate) fn tmpfs(text: &str) -> Result<Mount> {
    value::tmpfs(text).map_err(|why| anyhow!("--tmpfs: {text:?}: {why}"))
}

/// `--tz`: the machine's file about a time zone, which programs read from `/etc/localtime`.
pub(crate) fn time_zone(zone: &str) -> Result<Mount> {
    const FOLDER: &str = "/usr/share/zoneinfo";
    let path = if zone == "local" {
        "/etc/localtime".into()
    } else {
        let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.');
        if !zone.split('/').all(is_plain) {
            bail!("--tz {zone}: it is like Europe/Berlin, or local");
        }
        format!("{FOLDER}/{zone}")
    };
    let found = std::fs::canonicalize(&path).ok().filter(|path| path.is_file());
    let found = found.with_context(|| {
        format!("--tz {zone}: there is no {path} (Debian's package tzdata has them)")
    })?;
    Ok(Mount {
        kind: MountKind::Bind,
        source: absolute(&found.to_string_lossy())?,
        target: "/etc/localtime".to_owned(),
        read_only: true,
        ..Mount::default()
    })
}

fn check_target(target: &str, flag: &str, text: &str) -> Result<()> {
    if !target.is_empty() && target.bytes().all(|byte| byte == b'/') {
        bail!("{flag}: {text:?}: / is the container's root, and nothing can be mounted over it");
    }
    Ok(())
}

fn absolute(path: &str) -> Result<String> {
    let path = std::path::absolute(path).with_context(|| format!("{path:?}"))?;
    path.into_os_string().into_string().map_err(|path| anyhow!("{path:?} is not UTF-8"))
}

#[cfg(test)]
mod tests;
