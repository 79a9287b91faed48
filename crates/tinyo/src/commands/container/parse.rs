//! Values of flags as Docker's users write them.

use anyhow::{Context as _, Result, bail};
use engine::settings::{Device, Mount, MountKind};
pub(crate) use engine::value::{bytes, cpus, duration, restart, size};

/// `nofile=1024[:2048]`: name, soft, hard.
pub(crate) fn ulimit(text: &str) -> Result<(String, u64, u64), String> {
    let wrong = || format!("{text:?} is not like nofile=1024:2048");
    let (name, values) = text.split_once('=').ok_or_else(wrong)?;
    let number = |text: &str| match text {
        "-1" | "unlimited" => Ok(u64::MAX),
        _ => text.parse().map_err(|_| wrong()),
    };
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    Ok((name.to_owned(), number(soft)?, number(hard)?))
}

/// `NAME=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    if name.is_empty() {
        return Err(format!("{text:?} has no name"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// `/dev/sda[:/dev/xvda[:rwm]]`.
pub(crate) fn device(text: &str) -> Result<Device, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let is_access = |text: &str| !text.is_empty() && text.bytes().all(|it| b"rwm".contains(&it));
    let (source, target, access) = match parts[..] {
        [source] => (source, source, "rwm"),
        [source, access] if is_access(access) => (source, source, access),
        [source, target] => (source, target, "rwm"),
        [source, target, access] if is_access(access) => (source, target, access),
        _ => return Err(format!("{text:?} is not like /dev/sda:/dev/xvda:rwm")),
    };
    let [source, target, access] = [source, target, access].map(str::to_owned);
    Ok(Device { source, target, access })
}

/// Options of a bind mount or a volume, as mount(8) has them.
const OPTIONS: [&str; 18] = [
    "private",
    "rprivate",
    "shared",
    "rshared",
    "slave",
    "rslave",
    "bind",
    "rbind",
    "exec",
    "noexec",
    "suid",
    "nosuid",
    "dev",
    "nodev",
    "noatime",
    "nodiratime",
    "relatime",
    "nosymfollow",
];

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
        match option {
            "ro" | "readonly" => mount.read_only = true,
            "rw" => mount.read_only = false,
            // Labels of SELinux, which is not at work here, and what only others' systems have.
            "z" | "Z" | "cached" | "delegated" | "consistent" => {}
            "nocopy" => mount.no_copy = true,
            "copy" => mount.no_copy = false,
            _ if OPTIONS.contains(&option) => mount.options.push(option.to_owned()),
            "U" | "idmap" | "O" => bail!(
                "--volume: {text:?}: there is no option {option}; `chown -R USER {source}` gives \
                 files to whom the container runs as"
            ),
            _ => bail!(
                "--volume: {text:?}: there is no option {option:?}, only ro, rw, nocopy, {}",
                OPTIONS.join(", ")
            ),
        }
    }
    if is_path {
        // As with Docker's -v, a folder that is missing is made.
        std::fs::create_dir_all(&mount.source)
            .or_else(
                |error| {
                    if std::path::Path::new(&mount.source).exists() { Ok(()) } else { Err(error) }
                },
            )
            .with_context(|| mount.source.clone())?;
    }
    Ok(mount)
}

/// `--mount`: `type=bind,source=/a,target=/b,readonly`.
pub(crate) fn mount(text: &str) -> Result<Mount> {
    let mut mount = Mount { kind: MountKind::Volume, ..Mount::default() };
    for field in text.split(',') {
        let (key, value) = field.split_once('=').unwrap_or((field, "true"));
        let is_on = matches!(value, "true" | "1");
        match key {
            "type" => {
                mount.kind = match value {
                    "bind" => MountKind::Bind,
                    "volume" => MountKind::Volume,
                    "tmpfs" => MountKind::Tmpfs,
                    _ => bail!("--mount: there is no type {value:?}, only bind, volume and tmpfs"),
                };
            }
            "source" | "src" => value.clone_into(&mut mount.source),
            "target" | "destination" | "dst" => {
                value.trim_end_matches('/').clone_into(&mut mount.target);
            }
            "readonly" | "ro" => mount.read_only = is_on,
            "bind-propagation" => mount.options.push(value.to_owned()),
            "tmpfs-size" => {
                mount.options.push(format!("size={}", size(value).map_err(anyhow::Error::msg)?));
            }
            "tmpfs-mode" => mount.options.push(format!("mode={value}")),
            _ => bail!("--mount: there is no field {key:?}"),
        }
    }
    if mount.target.is_empty() {
        bail!("--mount: {text:?} has no target");
    }
    if mount.kind == MountKind::Bind {
        mount.source = absolute(&mount.source)?;
    }
    Ok(mount)
}

/// `--tmpfs`: `TARGET[:OPTIONS]`.
pub(crate) fn tmpfs(text: &str) -> Mount {
    let (target, options) = text.split_once(':').unwrap_or((text, ""));
    let options = options.split(',').filter(|option| !option.is_empty());
    Mount {
        kind: MountKind::Tmpfs,
        target: target.to_owned(),
        options: options.map(str::to_owned).collect(),
        ..Mount::default()
    }
}

fn absolute(path: &str) -> Result<String> {
    let path = std::path::absolute(path).with_context(|| format!("{path:?}"))?;
    path.into_os_string().into_string().map_err(|path| anyhow::anyhow!("{path:?} is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts() {
        let named = volume("data:/var:ro").unwrap();
        assert_eq!(
            (named.kind, named.source.as_str(), named.read_only),
            (MountKind::Volume, "data", true)
        );
        let path = volume("/tmp:/x/").unwrap();
        assert_eq!((path.kind, path.target.as_str()), (MountKind::Bind, "/x"));
        assert_eq!(volume("/x").unwrap().source, "");
        assert!(volume("a:b").is_err() && volume("a:/b:c:d").is_err());
        let long = mount("type=bind,src=/tmp,dst=/y,readonly").unwrap();
        assert_eq!(
            (long.kind, long.source.as_str(), long.read_only),
            (MountKind::Bind, "/tmp", true)
        );
        assert!(mount("type=bind,src=/tmp").is_err() && mount("type=x,dst=/y").is_err());
        assert_eq!(tmpfs("/run:size=1m,exec").options, ["size=1m", "exec"]);
    }

    #[test]
    fn devices_and_limits() {
        assert_eq!(device("/dev/a:rw").unwrap().access, "rw");
        assert_eq!(device("/dev/a:/dev/b").unwrap().target, "/dev/b");
        assert!(device("/dev/a:/dev/b:x").is_err());
        assert_eq!(ulimit("nofile=1:2"), Ok(("nofile".into(), 1, 2)));
        assert_eq!(ulimit("core=-1"), Ok(("core".into(), u64::MAX, u64::MAX)));
        assert!(ulimit("nofile").is_err());
    }
}
