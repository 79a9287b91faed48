//! Values of flags as Docker's users write them.

use anyhow::{Context as _, Result, bail};
use engine::settings::{Device, Mount, MountKind};
pub(crate) use engine::value::{bytes, cpus, duration, restart, size};
use std::path::PathBuf;

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
            "U" | "idmap" => mount.options.push(option.to_owned()),
            _ if option.starts_with("idmap=") => mount.options.push(option.to_owned()),
            "O" => bail!(
                "--volume: {text:?}: there is no option O; the changes of a container are in its own \
                 layer, and what is mounted is the machine's"
            ),
            _ => bail!(
                "--volume: {text:?}: there is no option {option:?}, only ro, rw, nocopy, U, idmap, {}",
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

/// How mounts below a bind mount, and those made later, are shared with the machine.
const PROPAGATIONS: [&str; 6] = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];

/// `--mount`: `type=bind,source=/a,target=/b,readonly`.
pub(crate) fn mount(text: &str) -> Result<Mount> {
    let mut mount = Mount { kind: MountKind::Volume, ..Mount::default() };
    for field in text.split(',') {
        let (key, value) = field.split_once('=').unwrap_or((field, "true"));
        match key {
            "type" => mount.kind = mount_kind(value)?,
            "source" | "src" => value.clone_into(&mut mount.source),
            "target" | "destination" | "dst" => {
                value.trim_end_matches('/').clone_into(&mut mount.target);
            }
            _ => field_of_mount(&mut mount, key, value)?,
        }
    }
    let kind = mount.kind;
    for (prefix, own) in
        [("bind-", MountKind::Bind), ("volume-", MountKind::Volume), ("tmpfs-", MountKind::Tmpfs)]
    {
        if kind != own && text.split(',').any(|field| field.starts_with(prefix)) {
            bail!(
                "--mount: {prefix}.. is for type={}, and this is type={}",
                own.name(),
                kind.name()
            );
        }
    }
    if !mount.target.starts_with('/') {
        bail!("--mount: {text:?}: target=/PATH is missing, the place in the container");
    }
    match (kind, mount.source.as_str()) {
        (MountKind::Bind, "") => bail!("--mount: {text:?}: source=PATH is missing"),
        (MountKind::Bind, source) => {
            mount.source = absolute(source)?;
            if std::fs::symlink_metadata(&mount.source).is_err() {
                let source = &mount.source;
                bail!(
                    "--mount: {source}: there is no such file or folder (--volume makes a folder)"
                );
            }
        }
        (MountKind::Tmpfs, source) if !matches!(source, "" | "tmpfs") => {
            bail!("--mount: type=tmpfs has no source");
        }
        _ => {}
    }
    check_tmpfs(&mount, "--mount")?;
    Ok(mount)
}

fn mount_kind(text: &str) -> Result<MountKind> {
    Ok(match text {
        "bind" => MountKind::Bind,
        "volume" => MountKind::Volume,
        "tmpfs" => MountKind::Tmpfs,
        "image" => bail!(
            "--mount: type=image is not supported; `tinyo create --name x IMAGE true` and \
             `tinyo cp x:PATH .` get files out of an image"
        ),
        _ => bail!("--mount: there is no type {text:?}, only bind, volume and tmpfs"),
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
        "volume-driver" | "volume-opt" | "volume-label" => {
            bail!("--mount: {key}: make the volume before, with `tinyo volume create`")
        }
        "volume-subpath" => bail!(
            "--mount: volume-subpath is not supported: who can write to the volume could make it \
             lead elsewhere; use a volume for each folder"
        ),
        "tmpfs-size" | "size" => {
            mount.options.push(format!("size={}", size(value).map_err(anyhow::Error::msg)?));
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
             bind-propagation, bind-recursive, volume-nocopy, tmpfs-size, tmpfs-mode"
        ),
    }
    Ok(())
}

/// `--tmpfs`: `TARGET[:OPTIONS]`.
pub(crate) fn tmpfs(text: &str) -> Result<Mount> {
    let (target, options) = text.split_once(':').unwrap_or((text, ""));
    if !target.starts_with('/') {
        bail!("--tmpfs: {text:?}: the place in the container, {target:?}, is not absolute");
    }
    let options = options.split(',').filter(|it| !matches!(*it, "" | "notmpcopyup"));
    let mount = Mount {
        kind: MountKind::Tmpfs,
        target: target.to_owned(),
        options: options.map(str::to_owned).collect(),
        ..Mount::default()
    };
    check_tmpfs(&mount, "--tmpfs")?;
    Ok(mount)
}

/// The kernel would only say that something is wrong.
fn check_tmpfs(mount: &Mount, flag: &str) -> Result<()> {
    const WITH_VALUE: [&str; 8] =
        ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "huge", "mpol"];
    const ALONE: [&str; 8] =
        ["rw", "ro", "async", "sync", "strictatime", "norelatime", "noswap", "atime"];
    if mount.kind != MountKind::Tmpfs {
        return Ok(());
    }
    for option in &mount.options {
        let is_known = match option.split_once('=') {
            Some((name, value)) => WITH_VALUE.contains(&name) && !value.is_empty(),
            None => OPTIONS.contains(&option.as_str()) || ALONE.contains(&option.as_str()),
        };
        if !is_known {
            bail!(
                "{flag}: there is no option {option:?}, only {}=.., ro, rw, {}",
                WITH_VALUE.join("=.., "),
                OPTIONS.join(", ")
            );
        }
    }
    Ok(())
}

/// The lines of an `--env-file`: `NAME=VALUE`, as it stands, or `NAME`, which takes over the
/// caller's. A shell's grammar is not obeyed, but noticed.
pub(crate) fn env_lines(text: &str) -> Result<Vec<String>, String> {
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

/// Variables of files and of the command line. A name alone takes the caller's value over, or takes
/// the image's away.
pub(crate) fn variables(files: &[PathBuf], given: &[String]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let lines = env_lines(&text).map_err(anyhow::Error::msg);
        all.extend(lines.with_context(|| format!("--env-file {}", path.display()))?);
    }
    all.extend(given.iter().cloned());
    let complete = |variable: String| match crate::context::environment(&variable) {
        Some(value) if !variable.contains('=') => format!("{variable}={value}"),
        _ => variable,
    };
    Ok(all.into_iter().map(complete).collect())
}

/// `--umask`, in octal digits.
pub(crate) fn umask(text: &str) -> Result<u32, String> {
    let bits = u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o777);
    bits.ok_or_else(|| format!("{text:?} is not octal, from 0 to 777"))
}

/// `--log-driver`. Docker's names for a file of its own mean ours, which `logs` reads as well.
pub(crate) fn log_driver(text: &str) -> Result<String, String> {
    match text {
        "k8s-file" | "json-file" | "local" => Ok("k8s-file".to_owned()),
        "none" => Ok("none".to_owned()),
        _ => Err("output is kept in a file (k8s-file), or not at all (none); other programs can \
                  read it from where `tinyo inspect --format '{{.LogPath}}'` says"
            .to_owned()),
    }
}

/// `NAME=VALUE` or `NAME`.
pub(crate) fn variable(text: &str) -> Result<String, String> {
    let name = text.split('=').next().unwrap_or_default();
    if name.is_empty() { Err(format!("{text:?} has no name")) } else { Ok(text.to_owned()) }
}

fn wrong_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("there is no name before the =");
    }
    name.contains(char::is_whitespace)
        .then_some("the name has a blank in it; it is NAME=VALUE, without export and quotes")
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
        assert_eq!(tmpfs("/run:size=1m,exec").unwrap().options, ["size=1m", "exec"]);
        assert!(tmpfs("/run:sise=1m").is_err() && tmpfs("run").is_err());
    }

    #[test]
    fn options_of_mounts() {
        assert!(volume("a:/b:ro,nocopy").unwrap().no_copy);
        for wrong in ["a:/b:foo", "/tmp:/b:/c"] {
            assert!(volume(wrong).is_err(), "{wrong}");
        }
        let fine =
            mount("type=bind,src=/tmp,dst=/y,bind-recursive=disabled,bind-propagation=rslave");
        assert_eq!(fine.unwrap().options, ["bind", "rslave"]);
        assert!(mount("type=volume,src=a,dst=/y,volume-nocopy").unwrap().no_copy);
        for (wrong, said) in [
            ("type=bind,src=/tmp,dst=/y,tmpfs-size=1m", "type=tmpfs"),
            ("type=bind,src=/no/such/folder,dst=/y", "no such file"),
            ("type=bind,dst=/y", "source="),
            ("type=volume,src=a", "target="),
            ("type=image,src=a,dst=/y", "tinyo cp"),
            ("type=volume,src=a,dst=/y,volume-subpath=x", "a volume for each"),
            ("type=bind,src=/tmp,dst=/y,readonly=maybe", "neither true nor false"),
            ("type=tmpfs,dst=/y,size=1m,foo", "no field"),
        ] {
            let error = mount(wrong).unwrap_err().to_string();
            assert!(error.contains(said), "{wrong}: {error}");
        }
    }

    #[test]
    fn files_of_variables() {
        let text = "\u{feff}A=1\r\n# no\n\n  B= x \nHOME\n";
        assert_eq!(env_lines(text), Ok(["A=1", "B= x ", "HOME"].map(str::to_owned).to_vec()));
        assert!(env_lines("A=1\nexport B=2").unwrap_err().starts_with("line 2: \"export B=2\""));
        assert!(env_lines("=x").is_err() && env_lines("A = 1").is_err());
        assert!(variable("=x").is_err());
    }

    #[test]
    fn masks_and_drivers() {
        assert_eq!(umask("027"), Ok(0o27));
        assert!(umask("8").is_err() && umask("1000").is_err());
        assert_eq!(log_driver("json-file").as_deref(), Ok("k8s-file"));
        assert!(log_driver("journald").unwrap_err().contains("LogPath"));
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
