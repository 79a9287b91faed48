//! `restore`: a container from a checkpoint.

use super::checkpoint::{OUTSIDE, STREAMS, external_key, open_root};
use super::external::Externals;
use super::message::Message;
use super::options::{Criu, Folders, LAZY_PAGES};
use super::swrk::{Kind, Question, Swrk};
use crate::console::Terminal;
use crate::error::{Error, Result};
use crate::file;
use crate::parent::{Caller, Making, make};
use crate::plan::Plan;
use crate::record::Process;
use crate::request::Create;
use crate::running::Running;
use kernel::cgroup::Group;
use kernel::mount::{Mount, Propagation, Source, isolate};
use kernel::namespace::{Kind as Namespace, Set, unshare};
use kernel::path::Links;
use spec::runtime::{NamespaceKind, Spec};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use sys::OrError;
use sys::process::Spent;
use sys::rustix::fs::{CWD, FileType, Mode, OFlags, stat};
use sys::rustix::mount::mount_bind_recursive;
use sys::rustix::process::{Pid, PidfdFlags, pidfd_open};

const LOG: &str = "restore.log";

/// A container to be restored.
#[derive(Clone, Debug)]
pub struct Restore<'a> {
    /// The container, which must not exist.
    pub create: Create<'a>,
    /// What criu is told.
    pub options: Criu<'a>,
    /// `TYPE:NAME` of the security label, instead of the one it had.
    pub lsm_profile: Option<&'a str>,
    /// The SELinux context of mounts, instead of the one they had.
    pub lsm_mount_context: Option<&'a str>,
}

/// Restores a container; its processes go on, the first one as a child of the caller, which has a
/// mount namespace of its own afterwards.
///
/// # Errors
/// criu is missing, or it fails; and then nothing of the container is left.
pub fn restore(request: &Restore<'_>) -> Result<Running> {
    if request.options.lazy_pages {
        request.options.check("lazy pages", LAZY_PAGES)?;
    }
    make(&request.create, Caller::Restores, &mut |made, plan, spec, mut terminal| {
        prepare_root(plan)?;
        // Not before: criu mounts something in there, which it may only in its own namespace.
        let folders = Folders::open(&request.options, false)?;
        let (description, handed) = describe(request, plan, spec, &folders)?;
        let swrk = Swrk::start(request.options.program, true, &handed)?;
        if let Some(group) = made.group() {
            group.add(swrk.pid())?;
            group.first_process_entered()?;
        }
        let message = in_its_groups(description, made.group(), swrk.pid())?;
        let served = swrk.ask(Kind::Restore, (2, &message), |question| {
            serve(made, plan, &mut terminal, question)
        });
        drop(swrk);
        served.map_err(|error| folders.explain(LOG, error))?;
        finish(made, request, terminal)
    })
}

/// Nobody but us and criu sees what is mounted for the restore. criu wants a root that is a mount,
/// with all places for mounts in it.
fn prepare_root(plan: &Plan) -> Result<()> {
    unshare(Set::EMPTY.with(Namespace::Mount))?;
    isolate(Propagation::DEFAULT)?;
    mount_bind_recursive(&plan.rootfs, &plan.rootfs)
        .or_error("mount", || format!("{:?}, MS_BIND|MS_REC", plan.rootfs))?;
    let root = open_root(&plan.rootfs)?;
    let mode = Mode::from_raw_mode(0o755);
    let mounts = &plan.init.mounts;
    for (index, mount) in mounts.iter().enumerate() {
        // What lies on another mount comes back with that.
        if mounts[..index].iter().any(|above| mount.target.starts_with(&above.target)) {
            continue;
        }
        match source(mount).map(stat) {
            Some(Ok(found)) if !FileType::from_raw_mode(found.st_mode).is_dir() => {
                drop(root.make_file(&mount.target, Links::Follow, mode)?);
            }
            _ => drop(root.create_directory(&mount.target, Links::Follow, mode)?),
        }
    }
    Ok(())
}

/// Of what it is a bind mount.
fn source(mount: &Mount) -> Option<&std::ffi::CStr> {
    match &mount.source {
        Source::Bind(bind) => Some(&bind.from),
        _ => None,
    }
}

/// `criu_opts`, and the descriptors that criu is handed.
fn describe(
    request: &Restore<'_>,
    plan: &Plan,
    spec: &Spec<'_>,
    folders: &Folders,
) -> Result<(Message, Vec<OwnedFd>)> {
    let annotation = |name: &str| plan.annotations.get(name).map(String::as_str);
    let mut message = request
        .options
        .message(folders, LOG, annotation)
        .switch(6, true)
        .text(13, plan.rootfs.as_os_str().as_bytes())
        // Its parent is ours.
        .switch(26, true)
        .some_text(53, request.lsm_profile)
        .some_text(63, request.lsm_mount_context);
    message = externals(plan)?.into_message(message);
    for (number, stream) in (0..).zip(streams(folders)?) {
        if stream.starts_with("pipe:") || stream.starts_with(OUTSIDE) {
            message = message.message(27, &inherited(&stream, number));
        }
    }
    let mut handed = Vec::new();
    for namespace in spec.linux.namespaces.iter().filter(|it| !it.path.is_empty()) {
        if let Some((_, key)) = external_key(namespace.kind) {
            let file = file::open(CWD, &*namespace.path, OFlags::RDONLY)?;
            message = message.message(27, &inherited(key, file.as_raw_fd().unsigned_abs()));
            handed.push(file);
        } else if namespace.kind == NamespaceKind::Cgroup {
            let what = "criu cannot join a cgroup namespace (linux.namespaces)";
            return Err(Error::Unsupported(what.into()));
        } else {
            let joined = Message::default().text(1, namespace_name(namespace.kind));
            message = message.message(39, &joined.text(2, &*namespace.path));
        }
    }
    Ok((message, handed))
}

/// What lies outside, by the names that the checkpoint has given them: as the configuration calls
/// their places, wherever links of the image lead by now.
fn externals(plan: &Plan) -> Result<Externals> {
    let mut all = Externals::default();
    for mount in &plan.init.mounts {
        if let Some(source) = source(mount) {
            all.add(mount.target.to_string(), source.to_bytes())?;
        }
    }
    all.add("/dev/null", "/dev/null")?;
    let nodes = plan.init.devices.iter().flatten().filter(|_| plan.init.bind_devices);
    for place in nodes.map(|node| node.path.to_string()) {
        all.add(&place, &place)?;
    }
    Ok(all)
}

/// The name of its file in `/proc/PID/ns`.
fn namespace_name(kind: NamespaceKind) -> &'static str {
    match kind {
        NamespaceKind::Cgroup => "cgroup",
        NamespaceKind::Ipc => "ipc",
        NamespaceKind::Mount => "mnt",
        NamespaceKind::Network => "net",
        NamespaceKind::Pid => "pid",
        NamespaceKind::Time => "time",
        NamespaceKind::User => "user",
        NamespaceKind::Uts => "uts",
    }
}

/// `inherit_fd`
fn inherited(key: &str, number: u32) -> Message {
    Message::default().text(1, key).number(2, u64::from(number))
}

/// What the standard streams were.
fn streams(folders: &Folders) -> Result<Vec<String>> {
    let bytes = file::read_all(folders.images(), STREAMS, 1 << 16)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::Configuration { file: STREAMS.into(), reason: error.to_string() })
}

/// The groups that criu is in are those of what it restores, whatever they were called before.
fn in_its_groups(mut message: Message, group: Option<&dyn Group>, pid: i32) -> Result<Message> {
    if group.is_none() {
        return Ok(message);
    }
    let text = file::read_all(CWD, format!("/proc/{pid}/cgroup"), 1 << 16)?;
    for line in String::from_utf8_lossy(&text).lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        if let (Some(controllers), Some(path)) = (fields.next(), fields.next()) {
            for controller in controllers.split(',') {
                let root = Message::default().text(1, controller).text(2, path);
                message = message.message(25, &root);
            }
        }
    }
    Ok(message)
}

fn serve(
    made: &mut Making,
    plan: &Plan,
    terminal: &mut Terminal,
    question: Question,
) -> Result<()> {
    let pid = Pid::from_raw(question.pid);
    match (&*question.point, pid, question.fd) {
        ("setup-namespaces", Some(pid), _) => {
            made.is_process(Process::now(pid, &mut Spent::default())?);
            let pidfd = pidfd_open(pid, PidfdFlags::empty()).or_error("pidfd_open", || "it")?;
            made.bring_devices(plan, pidfd.as_fd())?;
            made.runtime_hooks(plan)
        }
        ("post-restore", Some(pid), _) => {
            made.is_process(Process::now(pid, &mut Spent::default())?);
            made.is_child(pid);
            Ok(())
        }
        ("orphan-pts-master", _, Some(master)) => terminal.arrived(master),
        _ => Ok(()),
    }
}

fn finish(made: &mut Making, request: &Restore<'_>, terminal: Terminal) -> Result<Running> {
    let pid = made.child().ok_or(Error::Internal("criu did not tell what it has restored"))?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).or_error("pidfd_open", || "it")?;
    made.write_restored()?;
    request.create.announce(pid, &pidfd)?;
    Ok(made.running(pid, pidfd, terminal.into_master()))
}
