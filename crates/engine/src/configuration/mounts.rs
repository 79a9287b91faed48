//! What is mounted in a container.

use super::{Context, owners};
use crate::error::{Error, Result};
use crate::monitor::{MEMORY, NO_SOURCE, SharedKind};
use crate::settings::{Mount as Wanted, MountKind, Settings, is_idmap};
use crate::{init, secret};
use spec::json::Text;
use spec::runtime::{Mount, NamespaceKind as Kind};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// `/dev/shm` where nothing else is said: 64 MiB.
pub const DEFAULT_SHM_SIZE: u64 = 64 << 20;

/// All mounts of the machine.
const MOUNTS: &str = "/proc/self/mountinfo";

/// The group of terminals on every Linux.
const TERMINALS: u32 = 5;

/// Whether a group exists in the user namespace, user_namespaces(7).
fn is_mapped(group: u32) -> bool {
    let text = std::fs::read_to_string("/proc/self/gid_map").unwrap_or_default();
    text.lines().any(|line| {
        let numbers: Vec<u32> = line.split_whitespace().map_while(|it| it.parse().ok()).collect();
        matches!(numbers[..], [first, _, count] if group >= first && group - first < count)
    })
}

/// The usual ones, and then those of the user, so that one below another comes after it.
pub(super) fn mounts(context: &Context<'_>) -> Result<Vec<Mount<'static>>> {
    let settings = &context.container.settings;
    let mut all = usual(settings, context.unprivileged)?;
    let ids = &settings.namespaces.ids;
    if context.unprivileged && !is_mapped(TERMINALS) || !ids.has_group(TERMINALS) {
        let terminals = all.iter_mut().filter(|mount| mount.destination == "/dev/pts");
        terminals.for_each(|mount| mount.options.retain(|option| option != "gid=5"));
    }
    all.extend(shared_memory(settings)?);
    if context.unprivileged && context.container.layers == [Path::new("/")] {
        all.extend(covers()?);
    }
    let is_covered = |target: &str| settings.mounts.iter().any(|mount| mount.target == target);
    all.retain(|mount| !is_covered(&mount.destination));
    let files: Vec<_> = files(context).filter(|file| !is_covered(&file.target)).collect();
    let secrets = secret::files(context)?;
    let mut wanted: Vec<&Wanted> = files.iter().chain(&secrets).chain(&settings.mounts).collect();
    wanted.sort_by_key(|mount| mount.target.trim_end_matches('/').matches('/').count());
    for mount in wanted {
        all.push(one(context, mount)?);
    }
    if settings.init {
        let source = context.init.to_string_lossy().into_owned();
        all.push(bind(source, init::PATH.to_owned(), &["ro", "nosuid", "nodev"]));
    }
    Ok(all)
}

/// Empty folders over what is mounted below the machine's root, for a container that has that root:
/// the kernel leaves them out for root, and `fuse-overlayfs` does not. They are as the kernel's, and
/// may be written to.
fn covers() -> Result<Vec<Mount<'static>>> {
    let text = std::fs::read_to_string(MOUNTS).map_err(Error::file(MOUNTS))?;
    let cover = |place: PathBuf| {
        // Where the user does not get to, the program that serves the files does not either.
        let status = std::fs::metadata(&place).ok().filter(std::fs::Metadata::is_dir)?;
        let mode = format!("mode={:o}", status.mode() & 0o7777);
        Some(Mount {
            destination: place.to_str()?.to_owned().into(),
            kind: "tmpfs".into(),
            source: "tmpfs".into(),
            options: ["nosuid".into(), "nodev".into(), mode.into()].into(),
            ..Mount::default()
        })
    };
    Ok(uppermost_places(&text).into_iter().filter_map(cover).collect())
}

/// Where something is mounted below the root, of those below each other the uppermost, without what
/// containers have anyway; proc_pid_mountinfo(5).
fn uppermost_places(mounts: &str) -> Vec<PathBuf> {
    let place = |line: &str| {
        let text = line.split(' ').nth(4)?;
        Some(PathBuf::from(OsString::from_vec(without_escapes(text))))
    };
    let mut places: Vec<PathBuf> = mounts.lines().filter_map(place).collect();
    places.sort();
    let mut found: Vec<PathBuf> = ["/dev", "/proc", "/sys"].map(PathBuf::from).into();
    for place in places {
        if place != Path::new("/") && !found.iter().any(|above| place.starts_with(above)) {
            found.push(place);
        }
    }
    found.split_off(3)
}

/// Spaces and their like are written as `\040`.
fn without_escapes(text: &str) -> Vec<u8> {
    let mut parts = text.split('\\');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(&part.as_bytes()[3..]);
            }
            None => bytes.extend([b"\\", part.as_bytes()].concat()),
        }
    }
    bytes
}

/// They say what is true of the network and the host name, whosever these are, and who there is.
fn files(context: &Context<'_>) -> impl Iterator<Item = Wanted> {
    let folder = |kind: SharedKind| context.folder_of(kind);
    let files = [
        ("resolv.conf", folder(SharedKind::Network)),
        ("hostname", folder(SharedKind::Uts)),
        ("hosts", folder(SharedKind::Network)),
        ("passwd", context.folder.clone()),
        ("group", context.folder.clone()),
    ];
    let settings = &context.container.settings;
    let is_mapped = !settings.namespaces.ids.is_empty() && !context.unprivileged;
    let network = &settings.network;
    let is_left = |name: &str| match name {
        "hosts" => network.no_hosts,
        "hostname" => network.no_hostname,
        "passwd" | "group" => settings.accounts.is_empty(),
        _ => false,
    };
    files.into_iter().filter(move |(name, _)| !is_left(name)).map(move |(name, folder)| Wanted {
        source: folder.file(name).to_string_lossy().into_owned(),
        target: format!("/etc/{name}"),
        read_only: settings.read_only,
        // They belong to the container's root, in one way or the other.
        options: if is_mapped { vec!["idmap".to_owned()] } else { Vec::new() },
        ..Wanted::default()
    })
}

/// What belongs to the machine cannot be mounted in a user namespace, only shown.
fn usual(settings: &Settings, unprivileged: bool) -> Result<Vec<Mount<'static>>> {
    let privileged = settings.security.privileged;
    let read_only = if privileged { "rw" } else { "ro" };
    let mount = |target: &'static str, kind: &'static str, options: &[&'static str]| Mount {
        destination: target.into(),
        kind: kind.into(),
        source: kind.into(),
        options: options.iter().map(|option| (*option).into()).collect(),
        ..Mount::default()
    };
    let mut all = vec![
        mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount(
            "/dev/pts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        mount("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", read_only]),
        mount("/sys/fs/cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", read_only]),
    ];
    all[0].options.extend(settings.security.proc_options.iter().cloned().map(Into::into));
    let is_inside = unprivileged || !settings.namespaces.ids.is_empty();
    let foreign = if is_inside { super::namespaces::foreign(settings) } else { Vec::new() };
    for (kind, paths) in foreign {
        for path in paths {
            // Not every machine has mounted its message queues.
            if !Path::new(path).exists() {
                all.retain(|mount| mount.destination != *path);
                continue;
            }
            let of_machine = |mount: &&mut Mount<'_>| mount.destination == *path;
            if let Some(mount) = all.iter_mut().find(of_machine) {
                let read_only: &[_] = if kind == Kind::Pid { &[] } else { &["ro"] };
                let options = [&["rslave", "nosuid", "noexec", "nodev"][..], read_only].concat();
                *mount = bind((*path).to_owned(), (*path).to_owned(), &options);
            }
        }
    }
    Ok(all)
}

fn shared_memory(settings: &Settings) -> Result<Option<Mount<'static>>> {
    let target = MEMORY.to_owned();
    match settings.namespaces.ipc.as_str() {
        "host" => return Ok(Some(bind(MEMORY.to_owned(), target, &["rprivate"]))),
        "none" => return Ok(None),
        // The monitor has that of the other container.
        mode if mode.starts_with("container:") => {
            return Ok(Some(bind(NO_SOURCE.to_owned(), target, &["rprivate"])));
        }
        _ => {}
    }
    let size = settings.limits.shm_size.unwrap_or(DEFAULT_SHM_SIZE);
    if size == 0 {
        return super::wrong("--shm-size", "0", "is no size");
    }
    let options = ["nosuid", "noexec", "nodev", "mode=1777"].map(Into::into);
    Ok(Some(Mount {
        destination: target.into(),
        kind: "tmpfs".into(),
        source: "shm".into(),
        options: options.into_iter().chain([format!("size={size}").into()]).collect(),
        ..Mount::default()
    }))
}

/// Whether `/dev/shm` is that of another container.
pub(crate) fn has_shared_memory(settings: &Settings) -> bool {
    let is_covered = settings.mounts.iter().any(|mount| mount.target == MEMORY);
    settings.namespaces.ipc.starts_with("container:") && !is_covered
}

fn bind(source: String, target: String, options: &[&'static str]) -> Mount<'static> {
    let mut options: Vec<_> = options.iter().map(|option| (*option).into()).collect();
    options.push("rbind".into());
    Mount {
        destination: target.into(),
        kind: "bind".into(),
        source: source.into(),
        options,
        ..Mount::default()
    }
}

/// Those that the runtime is told.
fn options(wanted: &Wanted) -> Vec<Text<'static>> {
    let own = wanted.options.iter().filter(|option| *option != "U");
    let mut options: Vec<Text<'static>> = own
        .map(|option| if is_idmap(option) { "idmap".into() } else { option.clone().into() })
        .collect();
    if wanted.read_only {
        options.push("ro".into());
    }
    options
}

/// Those of `usual` whose contrary is not asked for.
fn restrictions(asked: &[String], usual: &[&'static str]) -> Vec<Text<'static>> {
    let is_off = |restriction: &str| asked.iter().any(|it| *it == restriction["no".len()..]);
    usual.iter().filter(|it| !is_off(it)).map(|it| (*it).into()).collect()
}

fn one(context: &Context<'_>, wanted: &Wanted) -> Result<Mount<'static>> {
    if !wanted.target.starts_with('/') {
        return super::wrong("--mount, --volume", &wanted.target, "is not absolute");
    }
    let mut options = options(wanted);
    let target = wanted.target.clone();
    if wanted.kind == MountKind::Tmpfs {
        options.extend(restrictions(&wanted.options, &["nosuid", "nodev", "noexec"]));
        return Ok(Mount {
            destination: target.into(),
            kind: "tmpfs".into(),
            source: "tmpfs".into(),
            options,
            ..Mount::default()
        });
    }
    if wanted.is_opened_by_monitor() {
        return opened_by_monitor(context, wanted, options);
    }
    if let Some(own) = wanted.file_system.as_ref().filter(|it| !it.is_bind()) {
        options.extend(own.options.iter().map(|option| option.clone().into()));
        options.extend(restrictions(&own.options, &["nosuid", "nodev"]));
        return Ok(Mount {
            destination: target.into(),
            kind: own.kind.clone().into(),
            source: own.device.clone().into(),
            options,
            ..Mount::default()
        });
    }
    let source = match wanted.kind {
        MountKind::Volume if wanted.file_system.is_some() => {
            let own = wanted.file_system.clone().unwrap_or_default();
            let is_extra = |option: &String| !matches!(option.as_str(), "bind" | "rbind");
            options.extend(own.options.into_iter().filter(is_extra).map(Into::into));
            std::fs::symlink_metadata(&own.device).map_err(Error::file(&own.device))?;
            own.device
        }
        MountKind::Volume => context.volume(wanted).to_string_lossy().into_owned(),
        MountKind::Bind | MountKind::Tmpfs | MountKind::Image => {
            std::fs::symlink_metadata(&wanted.source).map_err(Error::file(&wanted.source))?;
            wanted.source.clone()
        }
    };
    if !wanted
        .options
        .iter()
        .any(|it| it.contains("private") || it.contains("sha") || it.contains("slave"))
    {
        options.push("rprivate".into());
    }
    let mut mount = bind(source, target, &[]);
    if wanted.options.iter().any(|option| option == "bind") {
        mount.options.clear();
    }
    mount.options.extend(options);
    (mount.uid_mappings, mount.gid_mappings) = owners::id_mappings(context, wanted)?;
    Ok(mount)
}

/// The runtime is given it: in the configuration is only where, and how.
fn opened_by_monitor(
    context: &Context<'_>,
    wanted: &Wanted,
    options: Vec<Text<'static>>,
) -> Result<Mount<'static>> {
    let what = || format!("--mount type={},target={}", wanted.kind.name(), wanted.target);
    // A mount that was made outside of its user namespace could be changed inside.
    if !context.container.settings.namespaces.ids.is_empty() {
        let text =
            "an image or a part of a volume cannot be mounted with ids of its own (--userns)";
        return Err(Error::invalid(format!("{}: {text}", what())));
    }
    if wanted.file_system.is_some() {
        let text = "volume-subpath is for volumes that are folders of the engine's";
        return Err(Error::invalid(format!("{}: {text}", what())));
    }
    let mut mount = bind(NO_SOURCE.to_owned(), wanted.target.clone(), &["rprivate"]);
    mount.options.extend(options);
    if wanted.kind == MountKind::Image {
        mount.options.extend(["ro", "nosuid", "nodev"].map(Into::into));
    }
    Ok(mount)
}

/// The names of the volumes that are mounted.
pub(crate) fn volumes_of(settings: &Settings) -> Vec<String> {
    let volumes = settings.mounts.iter().filter(|mount| mount.kind == MountKind::Volume);
    volumes.map(|mount| mount.source.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::uppermost_places;
    use std::path::Path;

    #[test]
    fn what_is_mounted_below_the_root() {
        let line = |place: &str| format!("21 1 0:5 / {place} rw - tmpfs x rw\n");
        let places = ["/run/user/7", "/", "/proc/sys", "/run", "/a\\040b", "/run", "/dev", "/runs"];
        let found = uppermost_places(&places.map(line).concat());
        assert_eq!(found, ["/a b", "/run", "/runs"].map(Path::new));
    }
}
