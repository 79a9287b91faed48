//! `checkpoint`: all of a container's processes into files.

use super::external::Externals;
use super::message::Message;
use super::options::{Criu, Folders, LAZY_PAGES, TRACKS_MEMORY};
use super::swrk::{Kind, Question, Swrk};
use crate::container::Container;
use crate::error::{Error, Result};
use crate::file;
use crate::id::ContainerId;
use kernel::device::default_nodes;
use kernel::path::{Links, ParseError, Root, RootedPath};
use spec::runtime::{Mount, NamespaceKind, Spec, Status};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use sys::OrError;
use sys::rustix::fs::{CWD, FileType, Stat, fstat, lstat, major, readlinkat, stat};

const LOG: &str = "dump.log";

/// The file beside criu's that says what the standard streams were.
pub(super) const STREAMS: &str = "descriptors.json";

/// A checkpoint to be made.
#[derive(Debug)]
pub struct Checkpoint<'a> {
    /// The folder under which every container has its own.
    pub root: &'a Path,
    /// The container.
    pub id: &'a ContainerId,
    /// What criu is told.
    pub options: Criu<'a>,
    /// Memory alone, while the container goes on: a first part.
    pub pre_dump: bool,
    /// The container goes on afterwards.
    pub leave_running: bool,
    /// Connections of TCP that are just being made are left out, instead of being an error.
    pub tcp_skip_in_flight: bool,
    /// Files without a name get one for the time being.
    pub link_remap: bool,
    /// An earlier part, from the folder of this one.
    pub parent_path: Option<&'a Path>,
    /// Whereto memory is sent, or with lazy pages whence it can be fetched: address and port.
    pub page_server: Option<(&'a str, u16)>,
    /// With lazy pages, where a NUL is written when they can be fetched.
    pub status: Option<OwnedFd>,
}

/// Makes it. Unless it goes on, the container is gone afterwards. Returns warnings, as [`crate::delete`].
///
/// # Errors
/// The container does not run; criu is missing; or it fails, and then the container goes on.
pub fn checkpoint(request: &Checkpoint<'_>) -> Result<Vec<String>> {
    let container = Container::open_own(request.root, request.id)?;
    match container.status()? {
        Status::Running | Status::Paused => {}
        status => return Err(container.wrong("checkpoint", status, "")),
    }
    let options = &request.options;
    if request.pre_dump {
        options.check("tracking of memory", TRACKS_MEMORY)?;
    }
    if options.lazy_pages {
        options.check("lazy pages", LAZY_PAGES)?;
    }
    let folders = Folders::open(options, true)?;
    if let Some(parent) = request.parent_path {
        folders.check_parent(parent)?;
    }
    let message =
        container.with_configuration(|spec| describe(request, &container, spec, &folders))?;
    let kind = if request.pre_dump { Kind::PreDump } else { Kind::Dump };
    let swrk = Swrk::start(options.program, false, &[])?;
    let asked = swrk.ask(kind, (2, &message), |question| serve(request, &question));
    drop(swrk);
    asked.map_err(|error| folders.explain(LOG, error))?;
    if request.pre_dump || request.leave_running {
        return Ok(Vec::new());
    }
    crate::delete::delete(request.root, request.id, true)
}

fn serve(request: &Checkpoint<'_>, question: &Question) -> Result<()> {
    if let ("status-ready", Some(status)) = (&*question.point, &request.status) {
        file::write_all(status, b"\0")?;
    }
    Ok(())
}

/// `criu_opts`
fn describe(
    request: &Checkpoint<'_>,
    container: &Container,
    spec: &Spec<'_>,
    folders: &Folders,
) -> Result<Message> {
    let record = container.record()?;
    let pid = container.process().map_or(0, |process| process.pid);
    let annotation = |name: &str| record.annotations.get(name).map(String::as_str);
    let mut message = request
        .options
        .message(folders, LOG, annotation)
        .number(2, u64::from(pid.unsigned_abs()))
        .switch(3, request.leave_running)
        .switch(18, request.link_remap)
        .switch(46, request.tcp_skip_in_flight)
        .text(13, record.rootfs.as_os_str().as_bytes());
    if let Some((address, port)) = request.page_server {
        let server = Message::default().text(1, address).number(2, u64::from(port));
        message = message.message(11, &server);
    }
    if let Some(parent) = request.parent_path {
        message = message.text(14, parent.as_os_str().as_bytes());
    }
    message = message.switch(15, request.pre_dump || request.parent_path.is_some());
    if let Some(freezer) = record.cgroup.as_ref().and_then(freezer) {
        message = message.text(44, freezer);
    }
    for external in external_namespaces(spec)? {
        message = message.text(37, external);
    }
    if request.pre_dump {
        return Ok(message);
    }
    message = externals(spec, &record.bundle, pid)?.into_message(message);
    let streams = streams(pid)?;
    for outside in streams.iter().filter(|stream| stream.starts_with(OUTSIDE)) {
        message = message.text(37, outside);
    }
    let text = spec::json::to_line(&streams)
        .map_err(|_| Error::Internal("names of streams that are no JSON"))?;
    file::replace(folders.images(), Path::new(STREAMS), text.as_bytes())?;
    Ok(message)
}

/// The folder by which criu freezes all processes.
fn freezer(group: &kernel::cgroup::Description) -> Option<&str> {
    let v1 = group.v1.iter().find(|(controllers, _)| controllers == "freezer");
    v1.map(|(_, folder)| folder.as_str()).or(group.v2.as_deref())
}

/// Namespaces that are not the container's own stay what they are: `net[INODE]:extRootNetNS`.
fn external_namespaces(spec: &Spec<'_>) -> Result<Vec<String>> {
    let mut external = Vec::new();
    for namespace in spec.linux.namespaces.iter().filter(|it| !it.path.is_empty()) {
        if let Some((kind, key)) = external_key(namespace.kind) {
            let path = &*namespace.path;
            let inode = stat(path).or_error("stat", || format!("{path:?}"))?.st_ino;
            external.push(format!("{kind}[{inode}]:{key}"));
        }
    }
    Ok(external)
}

/// What criu calls the kind of a namespace that it leaves alone, and what this one is known by.
pub(super) fn external_key(kind: NamespaceKind) -> Option<(&'static str, &'static str)> {
    match kind {
        NamespaceKind::Network => Some(("net", "extRootNetNS")),
        NamespaceKind::Pid => Some(("pid", "extRootPidNS")),
        _ => None,
    }
}

/// What lies outside: the places of mounts, and by what names a restore knows them.
fn externals(spec: &Spec<'_>, bundle: &Path, pid: i32) -> Result<Externals> {
    let mut all = Externals::default();
    let root = open_root(Path::new(&format!("/proc/{pid}/root")))?;
    for (name, source) in binds(spec, bundle)? {
        all.add(place_of(&root, &name, &source)?, name.to_string())?;
    }
    for place in groups_of_v1(spec, pid)? {
        all.add(&place, &place)?;
    }
    for place in masked_files(spec, &format!("/proc/{pid}/root")) {
        all.add(place, "/dev/null")?;
    }
    Ok(all)
}

/// Bind mounts, and of what. In a user namespace device files are some.
fn binds(spec: &Spec<'_>, bundle: &Path) -> Result<Vec<(RootedPath, PathBuf)>> {
    let name = |path: &str| {
        let damaged = |error: ParseError| Error::Unsupported(format!("{path:?}: {error}"));
        RootedPath::parse(path).map_err(damaged)
    };
    let mut all = Vec::new();
    for mount in spec.mounts.iter().filter(|mount| is_bind(mount)) {
        all.push((name(&mount.destination)?, bundle.join(&*mount.source)));
    }
    if spec.linux.namespaces.iter().any(|it| it.kind == NamespaceKind::User) {
        let mut nodes: Vec<_> = default_nodes(Vec::new()).into_iter().map(|it| it.path).collect();
        for device in &spec.linux.devices {
            nodes.push(name(&device.path)?);
        }
        all.extend(nodes.into_iter().map(|node| {
            let source = node.to_string().into();
            (node, source)
        }));
    }
    Ok(all)
}

/// Where there is no cgroup namespace those of cgroup v1 are binds.
fn groups_of_v1(spec: &Spec<'_>, pid: i32) -> Result<Vec<String>> {
    if spec.linux.namespaces.iter().any(|it| it.kind == NamespaceKind::Cgroup) {
        return Ok(Vec::new());
    }
    let text = file::read_all(CWD, format!("/proc/{pid}/mountinfo"), 16 << 20)?;
    let text = String::from_utf8_lossy(&text);
    let of_v1 = text.lines().filter(|line| line.contains(" - cgroup "));
    Ok(of_v1.filter_map(|line| line.split(' ').nth(4)).map(str::to_owned).collect())
}

fn is_bind(mount: &Mount<'_>) -> bool {
    let bind = |option: &spec::json::Text<'_>| matches!(&**option, "bind" | "rbind");
    mount.kind == "bind" || mount.options.iter().any(bind)
}

/// The masked paths that are files, which lie below this root: the machine's `/dev/null` is mounted
/// on them.
fn masked_files<'a>(spec: &'a Spec<'_>, root: &str) -> impl Iterator<Item = &'a str> {
    let root = root.to_owned();
    let is_file = move |path: &&str| {
        let found = lstat(format!("{root}{path}"));
        found.is_ok_and(|it| !FileType::from_raw_mode(it.st_mode).is_dir())
    };
    spec.linux.masked_paths.iter().map(|path| &**path).filter(is_file)
}

pub(super) fn open_root(rootfs: &Path) -> Result<Root> {
    let path = CString::new(rootfs.as_os_str().as_bytes());
    let path = path.map_err(|_| Error::Internal("a root folder with a NUL in its name"))?;
    Ok(Root::open(&path)?)
}

/// The place in the container without links on the way, as the kernel knows the mount there.
fn place_of(root: &Root, name: &RootedPath, source: &Path) -> Result<Vec<u8>> {
    let found = root.resolve(name, Links::Follow).ok();
    let Some((found, place)) = found.and_then(|found| Some((path_of(found.as_fd())?, found)))
    else {
        return Ok(name.to_string().into_bytes());
    };
    if found == name.to_string().as_bytes() {
        return Ok(found);
    }
    // Links may have led elsewhere when the mount was made: what is there now may be another one,
    // which is to stay read-only.
    let identity = |it: Stat| (it.st_dev, it.st_ino);
    let there = fstat(&place).or_error("fstat", || name.to_string())?;
    let outside = stat(source).or_error("stat", || format!("{source:?}"))?;
    if identity(there) == identity(outside) {
        return Ok(found);
    }
    Err(Error::Unsupported(format!(
        "{name}: its links do not lead to what is mounted there any more"
    )))
}

fn path_of(place: std::os::fd::BorrowedFd<'_>) -> Option<Vec<u8>> {
    let link = format!("/proc/self/fd/{}", place.as_raw_fd());
    readlinkat(CWD, link, Vec::new()).ok().map(CString::into_bytes)
}

/// What the three standard streams are: `pipe:[77]`, the path of a file, or what criu calls a file
/// that is outside of the container's mounts, which whoever restores it gives again.
fn streams(pid: i32) -> Result<[String; 3]> {
    let mounts = file::read_all(CWD, format!("/proc/{pid}/mountinfo"), 16 << 20)?;
    let mounts = String::from_utf8_lossy(&mounts);
    let is_own = |mount: &str| mounts.lines().any(|line| line.split(' ').next() == Some(mount));
    let stream = |number: u32| {
        let path = format!("/proc/{pid}/fd/{number}");
        let link = readlinkat(CWD, &*path, Vec::new()).unwrap_or_default();
        let link = link.to_string_lossy().into_owned();
        let outside = outside_file(pid, number, is_own).filter(|_| link.starts_with('/'));
        outside.unwrap_or(link)
    };
    Ok([0, 1, 2].map(stream))
}

/// `file[MOUNT:INODE]`, both in hexadecimal digits, unless it is on a mount of the container's own
/// or a terminal.
fn outside_file(pid: i32, number: u32, is_own: impl Fn(&str) -> bool) -> Option<String> {
    let information = file::read_all(CWD, format!("/proc/{pid}/fdinfo/{number}"), 1 << 16).ok()?;
    let information = String::from_utf8_lossy(&information);
    let mount = information.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim();
    if is_own(mount) {
        return None;
    }
    let found = stat(format!("/proc/{pid}/fd/{number}")).ok()?;
    let is_device = FileType::from_raw_mode(found.st_mode).is_char_device();
    if is_device && !NO_TERMINALS.contains(&major(found.st_rdev)) {
        return None;
    }
    Some(format!("{OUTSIDE}{:x}:{:x}]", mount.parse::<u64>().ok()?, found.st_ino))
}

/// How criu's word for a file outside begins.
pub(super) const OUTSIDE: &str = "file[";

/// The devices that criu treats as files: those of memory, such as `/dev/null`.
const NO_TERMINALS: [u32; 1] = [1];
