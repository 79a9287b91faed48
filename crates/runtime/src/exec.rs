//! `exec`: one more process in a container.

use crate::child::expect;
use crate::console::{Front, Terminal};
use crate::container::Container;
use crate::error::{Error, Result};
use crate::failure::{During, Failure, Step};
use crate::handshake::{Channel, Order, Report};
use crate::id::ContainerId;
use crate::launch::{self, Launched, Placement, launch};
use crate::notify::Listener;
use crate::plan::{ProcessPlan, joined_kinds};
use crate::request::{ListenFds, announce};
use crate::running::Running;
use crate::{process, start};
use kernel::cgroup::{Entry, Group, SubGroup};
use kernel::credentials::{
    join_core_group, join_session_keyring, reset_affinity, set_affinity, take_root_ids,
};
use kernel::namespace::Kind;
use kernel::path::{Procfs, Root};
use spec::runtime::{Process, Spec, Status};
use std::convert::Infallible;
use std::ffi::CString;
use std::path::Path;
use sys::OrError;
use sys::process::Spent;
use sys::rustix::io::Errno;
use sys::rustix::process::{Pid, WaitOptions, waitpid};

/// A process to be added.
#[derive(Clone, Debug)]
pub struct Exec<'a> {
    /// The folder under which every container has its own.
    pub root: &'a Path,
    /// The container.
    pub id: &'a ContainerId,
    /// What it is, all of it; [`default_process`] gives the container's own to start from.
    pub process: &'a Process<'a>,
    /// Where the master of its terminal is to be sent; without one it goes to the caller.
    pub console_socket: Option<&'a Path>,
    /// As [`Create`](crate::Create) has it.
    pub plain_lines: bool,
    /// Where a pidfd of it is to be sent.
    pub pidfd_socket: Option<&'a Path>,
    /// Where its id is to be written.
    pub pid_file: Option<&'a Path>,
    /// Whether the caller goes away: then a terminal needs a console socket.
    pub detach: bool,
    /// How many descriptors, from 3 on, the program inherits.
    pub preserve_fds: u32,
    /// `LISTEN_FDS` of the caller, passed on.
    pub listen_fds: Option<ListenFds<'a>>,
    /// Groups below the container's that it is to be in.
    pub cgroups: &'a [SubGroup],
    /// Adds it to a paused container, too: it runs once that is resumed.
    pub ignore_paused: bool,
}

/// Gives the configuration of a container, as it was when it was made, to a function: where the
/// process of an `exec` is not told as a whole, it starts from the container's own.
///
/// # Errors
/// There is no such container, or its state is damaged.
pub fn with_configuration<T>(
    root: &Path,
    id: &ContainerId,
    use_it: impl FnOnce(&Spec<'_>) -> Result<T>,
) -> Result<T> {
    Container::open_own(root, id)?.with_configuration(use_it)
}

/// Adds a process to a container, a child of the caller.
///
/// # Errors
/// The container has stopped or is paused; a value of the process is wrong; a step of it failed.
pub fn exec(request: &Exec<'_>) -> Result<Running> {
    let container = Container::open_own(request.root, request.id)?;
    match container.status()? {
        Status::Running | Status::Created => {}
        Status::Paused if request.ignore_paused => {}
        Status::Paused => return Err(Error::Paused),
        status => return Err(container.wrong("exec in", status, "")),
    }
    let added = container.with_configuration(|spec| add(request, &container, spec));
    container.unless_ended("exec in", added)
}

fn add(request: &Exec<'_>, container: &Container, spec: &Spec<'_>) -> Result<Running> {
    let invalid = |it: crate::plan::Invalid| Error::Configuration {
        file: "process".into(),
        reason: it.to_string(),
    };
    let plan = ProcessPlan::new("", request.process, spec)
        .and_then(|plan| plan.with_filter(spec))
        .and_then(|plan| plan.with_descriptors(request.preserve_fds, request.listen_fds.as_ref()))
        .map_err(invalid)?;
    let plan = ProcessPlan {
        ignored_signals: crate::record::ignored_signals(&mut Spent::default())?,
        ..plan
    };
    let group = container.group()?;
    let entry = match &group {
        Some(group) if request.cgroups.is_empty() => beside(&**group, container)?,
        Some(group) => group.entry_below(request.cgroups)?,
        None => Entry::default(),
    };
    let front = (!request.detach).then_some(Front { plain_lines: request.plain_lines });
    let mut terminal = Terminal::new(plan.terminal, request.console_socket, front)?;
    let placement = placement(container, spec)?;
    let surroundings = Surroundings {
        placement: &placement,
        first: first_process(container, spec),
        keyring: keyring(container)?,
    };
    let start = |entry: &Entry| {
        launch(&placement, entry.clone_into(), |channel| {
            become_process(&plan, &surroundings, entry, channel)
        })
    };
    let (launched, outside) = match (start(&entry), &group) {
        // Other groups were told, and there is nothing to fall back to.
        (launched, Some(group)) if request.cgroups.is_empty() => {
            otherwise(launched, &**group, container, start)?
        }
        (launched, _) => (launched?, None),
    };
    let moved = outside.map_or(Ok(()), |group| group.add(launched.pid.as_raw_nonzero().get()));
    let followed = moved
        .map_err(Error::from)
        .and_then(|()| follow(request, container, spec, &plan, &launched, &mut terminal));
    let warnings = match followed {
        Ok(warnings) => warnings,
        Err(error) => {
            reap(&launched)?;
            return Err(error);
        }
    };
    Ok(Running {
        pid: launched.pid,
        pidfd: launched.pidfd,
        console: terminal.into_master(),
        warnings,
        readiness: None,
        remains: None,
    })
}

/// Where the first process is: a service manager may have moved it below.
fn beside(group: &dyn Group, container: &Container) -> Result<Entry> {
    Ok(group.entry_beside(container.process().map_or(0, |it| it.pid))?)
}

/// Starts the process once more if the kernel has refused to have it born in the group, and returns
/// it, with the group that it is not in yet.
fn otherwise<'a>(
    launched: Result<Launched>,
    group: &'a dyn Group,
    container: &Container,
    start: impl Fn(&Entry) -> Result<Launched>,
) -> Result<(Launched, Option<&'a dyn Group>)> {
    match launched {
        // The first process has moved on meanwhile, and its group has become one for groups alone.
        Err(Error::Clone { error }) if error.errno == Errno::BUSY => {
            Ok((start(&beside(group, container)?)?, None))
        }
        // A user may not cross from a group of others; who manages the group may.
        Err(Error::Clone { error }) if error.errno == Errno::ACCESS => {
            Ok((start(&Entry::default())?, Some(group)))
        }
        other => Ok((other?, None)),
    }
}

/// Does what the process asks for, up to its execve. Returns warnings.
fn follow(
    request: &Exec<'_>,
    container: &Container,
    spec: &Spec<'_>,
    plan: &ProcessPlan,
    launched: &Launched,
    terminal: &mut Terminal,
) -> Result<Vec<String>> {
    if let Some(score) = plan.oom_score {
        crate::parent::set_oom_score(launched.pid, score)?;
    }
    launched.channel.order(Order::Proceed)?;
    let mut warnings = plan.warnings.clone();
    let last_words = loop {
        match launched.channel.next_report()?.ok_or(Error::ChildDied)? {
            (Report::Console, Some(master)) => terminal.arrived(master)?,
            (Report::Warning(what), _) => warnings.push(what.to_string()),
            (Report::Ready, file) => break file,
            (Report::Failed(failure), _) => return Err(Error::Child(failure)),
            _ => return Err(Error::Internal("the child spoke out of turn")),
        }
    };
    announce(request.pid_file, request.pidfd_socket, launched.pid, &launched.pidfd)?;
    launched.channel.order(Order::Start)?;
    let listener = Listener::new(spec);
    let pid = launched.pid.as_raw_nonzero().get();
    let state = || container.state_text(Status::Running);
    start::until_executed(&launched.channel, listener.as_ref(), pid, last_words, state)?;
    Ok(warnings)
}

/// It is our child until we wait for it, so its id is its own.
fn reap(launched: &Launched) -> Result<()> {
    let killed =
        sys::process::send_signal(std::os::fd::AsFd::as_fd(&launched.pidfd), sys::process::SIGKILL);
    killed.or_error("pidfd_send_signal", || "SIGKILL")?;
    waitpid(Some(launched.pid), WaitOptions::empty()).or_error("waitpid", || "the process")?;
    Ok(())
}

/// The namespaces of the container's first process, as far as they are not the caller's own.
fn placement(container: &Container, spec: &Spec<'_>) -> Result<Placement> {
    let pidfd = container.pidfd()?.ok_or_else(|| Error::NotRunning(container.id().clone()))?;
    let mut kinds = joined_kinds(&spec.linux);
    if container.record()?.restored {
        kinds = kinds.with(Kind::Time);
    }
    // Who has no rights on the machine must be in the user namespace first. In a PID namespace others
    // see the process, so it is born where it is in all of them.
    let is_outside = kinds.contains(Kind::User) && !sys::rustix::process::geteuid().is_root();
    let child_enters = is_outside || kinds.contains(Kind::Pid);
    Ok(Placement { of_process: Some((pidfd, kinds)), child_enters, ..Placement::default() })
}

/// Whether this is the machine's own user namespace, where every user is whom it says.
pub(crate) fn owns_machine() -> Result<bool> {
    let map = crate::file::read_made_up("/proc/self/uid_map", &mut Spent::default())?;
    let map = String::from_utf8_lossy(&map);
    Ok(map.split_ascii_whitespace().eq(["0", "0", "4294967295"]))
}

/// The container's first process as the new one sees it, which is in the same PID namespace.
fn first_process(container: &Container, spec: &Spec<'_>) -> Option<Pid> {
    let own = joined_kinds(&spec.linux).contains(Kind::Pid);
    if own { Some(Pid::INIT) } else { container.process()?.id() }
}

/// The name of the container's session keyring.
fn keyring(container: &Container) -> Result<Option<CString>> {
    let name = container.record()?.keyring.clone().map(CString::new);
    name.transpose().map_err(|_| Error::Internal("a keyring with a NUL in its name"))
}

/// What the new process comes into.
struct Surroundings<'a> {
    placement: &'a Placement,
    first: Option<Pid>,
    /// The name of the container's session keyring, unless the caller's is to be kept.
    keyring: Option<CString>,
}

fn become_process(
    plan: &ProcessPlan,
    surroundings: &Surroundings<'_>,
    entry: &Entry,
    channel: Channel,
) -> Infallible {
    match set_up(plan, surroundings, entry, &channel) {
        Ok(program) => process::wait_and_execute(plan, &program, None, channel, ""),
        Err(failure) => launch::fail(&channel, failure),
    }
}

fn set_up(
    plan: &ProcessPlan,
    Surroundings { placement, first, keyring }: &Surroundings<'_>,
    entry: &Entry,
    channel: &Channel,
) -> std::result::Result<process::Program, Failure> {
    expect(channel, Order::Proceed)?;
    if let Some(processors) = &plan.affinity.0 {
        set_affinity(processors).during(Step::Scheduling)?;
    }
    entry.enter().during(Step::JoinCgroup)?;
    match &plan.affinity {
        (_, Some(processors)) => set_affinity(processors).during(Step::Scheduling)?,
        (Some(_), None) => {}
        (None, None) => reset_affinity(),
    }
    if placement.of_process.as_ref().is_some_and(|(_, kinds)| kinds.contains(Kind::User)) {
        take_root_ids().during(Step::BecomeRoot)?;
    }
    let procfs = if plan.needs_procfs() {
        // The root is the container's by now.
        let root = Root::open(c"/").during(Step::Console)?;
        let procfs = Procfs::open().during(Step::Console)?;
        let console = plan.terminal.then(|| process::open_console(plan, &root, &procfs, channel));
        process::lead_session(console.transpose()?)?;
        Some(procfs)
    } else {
        process::lead_session(None)?;
        None
    };
    process::leave_keyring(plan, keyring.as_deref(), procfs.as_ref(), join_session_keyring)?;
    if let Some(first) = first.filter(|_| plan.own_cores) {
        join_core_group(first).during(Step::Scheduling)?;
    }
    process::prepare(plan, procfs, channel, None)
}
