//! Options of mounts.

use super::size;
use crate::settings::{Mount, MountKind};

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

/// Adds an option of a bind mount or a volume: what stands behind the second colon of Docker's `-v`.
///
/// # Errors
/// What would be right.
pub fn mount_option(mount: &mut Mount, option: &str) -> Result<(), String> {
    match option {
        "ro" | "readonly" => mount.read_only = true,
        "rw" => mount.read_only = false,
        // Labels of SELinux, which is not at work here, and what only others' systems have.
        "z" | "Z" | "cached" | "delegated" | "consistent" => {}
        "nocopy" => mount.no_copy = true,
        "copy" => mount.no_copy = false,
        "U" | "idmap" => mount.options.push(option.to_owned()),
        _ if OPTIONS.contains(&option) || option.starts_with("idmap=") => {
            mount.options.push(option.to_owned());
        }
        "O" => {
            return Err("there is no option O; the changes of a container are in its own layer, \
                        and what is mounted is the machine's"
                .to_owned());
        }
        _ => {
            return Err(format!(
                "there is no option {option:?}, only ro, rw, nocopy, U, idmap, {}",
                OPTIONS.join(", ")
            ));
        }
    }
    Ok(())
}

/// `TARGET[:OPTIONS]`: a file system in memory.
///
/// # Errors
/// What would be right.
pub fn tmpfs(text: &str) -> Result<Mount, String> {
    let (target, options) = text.split_once(':').unwrap_or((text, ""));
    if !target.starts_with('/') || target.contains('\0') {
        return Err(format!("the place in the container, {target:?}, is not absolute"));
    }
    if target.bytes().all(|byte| byte == b'/') {
        return Err("/ is the container's root, and nothing can be mounted over it".to_owned());
    }
    let options = options.split(',').filter(|it| !matches!(*it, "" | "notmpcopyup"));
    let mount = Mount {
        kind: MountKind::Tmpfs,
        target: target.to_owned(),
        options: options.map(str::to_owned).collect(),
        ..Mount::default()
    };
    check_tmpfs(&mount)?;
    Ok(mount)
}

/// Whether the options are those of a tmpfs, if the mount is one: the kernel would only say that
/// something is wrong.
///
/// # Errors
/// What would be right.
pub fn check_tmpfs(mount: &Mount) -> Result<(), String> {
    const WITH_VALUE: [&str; 8] =
        ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "huge", "mpol"];
    const ALONE: [&str; 8] =
        ["rw", "ro", "async", "sync", "strictatime", "norelatime", "noswap", "atime"];
    if mount.kind != MountKind::Tmpfs {
        return Ok(());
    }
    for option in &mount.options {
        if let Some((name, value)) = option.split_once('=')
            && !is_value_of_tmpfs(name, value)
        {
            return Err(format!("{option:?}: {value:?} is no {name} of a tmpfs"));
        }
        let is_known = match option.split_once('=') {
            Some((name, value)) => WITH_VALUE.contains(&name) && !value.is_empty(),
            None => OPTIONS.contains(&option.as_str()) || ALONE.contains(&option.as_str()),
        };
        if !is_known {
            return Err(format!(
                "there is no option {option:?}, only {}=.., ro, rw, {}",
                WITH_VALUE.join("=.., "),
                OPTIONS.join(", ")
            ));
        }
    }
    Ok(())
}

/// Of those whose form is simple; others the kernel must know.
fn is_value_of_tmpfs(name: &str, value: &str) -> bool {
    match name {
        "size" if value.ends_with('%') => {
            value[..value.len() - 1].parse().is_ok_and(|it: u32| (1..=100).contains(&it))
        }
        "size" | "nr_inodes" | "nr_blocks" => size(value).is_ok(),
        "mode" => u32::from_str_radix(value, 8).is_ok_and(|bits| bits <= 0o7777),
        "uid" | "gid" => value.parse().is_ok_and(|id: u32| id != u32::MAX),
        "huge" => ["never", "always", "within_size", "advise", "deny", "force"].contains(&value),
        _ => true,
    }
}
