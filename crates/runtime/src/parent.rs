//! The parent's side of making a container: `create` and the first part of `run`.
//!
//! ```text
//! claim ROOT/ID -> record -> cgroup -> clone3 -> maps, scores -> serve the child -> record -> go
//! ```
//!
//! What there is of v1 in a cgroup is made after clone3, see [`group`].
//!
//! The order is that of what a later `delete` must know: whoever kills this process with SIGKILL
//! leaves a record from which everything that exists by then can be found, and a child that ends
//! by itself, since its parent is gone.

mod group;
mod undo;

use crate::console::{Front, Terminal};
use crate::container::state_text;
use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::guests::Guests;
use crate::handshake::{Order, Report};
use crate::hooks::Hooks;
use crate::launch::{Launched, Placement, launch};
use crate::plan::{self, Invalid, Plan};
use crate::readiness::Readiness;
use crate::record::{Process, Record};
use crate::request::Create;
use crate::running::{Remains, Running};
use crate::{child, file, record, start, time};
use kernel::cgroup::{Cgroups, Group, Prepared};
use kernel::mount::whole_proc_and_sys;
use kernel::namespace::{self, Kind, Namespace};
use kernel::resctrl::{Made, Resctrl};
use spec::runtime::{Spec, Status};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::SystemTime;
use sys::process::Spent;
use sys::rustix::fs::{CWD, OFlags};
use sys::rustix::process::{Pid, Uid, geteuid};

/// Makes a container; its program waits for [`crate::start`]. Returns warnings: what is not as it
/// was asked for.
///
/// # Errors
/// Whatever is wrong, and then nothing of the container is left.
pub fn create(request: &Create<'_>) -> Result<Vec<String>> {
    let mut build = |made: &mut Making, plan: &Plan, spec: &Spec<'_>, terminal| {
        made.build(plan, spec, request, terminal, false)
    };
    make(request, Caller::Creates, &mut build).map(|made| made.warnings)
}

/// Makes a container and executes its program.
///
/// # Errors
/// As [`create`] and [`crate::start`].
pub fn run(request: &Create<'_>) -> Result<Running> {
    make(request, Caller::Runs, &mut |made, plan, spec, terminal| {
        made.build(plan, spec, request, terminal, true)
    })
}

/// What a container is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    Creates,
    Runs,
    Restores,
}

/// The part of making a container in which its first process appears.
pub(crate) type Build<'a> =
    &'a mut dyn FnMut(&mut Making, &Plan, &Spec<'_>, Terminal) -> Result<Running>;

/// Makes a container around what `build` makes, or takes all of it back.
pub(crate) fn make(request: &Create<'_>, caller: Caller, build: Build<'_>) -> Result<Running> {
    let bundle = request.bundle()?;
    let path = request.configuration.map_or_else(|| bundle.join("config.json"), Path::to_owned);
    let mut spent = Spent::default();
    let largest = crate::directory::MAX_CONFIGURATION;
    let text = file::read_all_and_spend(CWD, &path, largest, &mut spent)
        .map_err(|error| Error::File { what: "configuration", path: path.clone(), error })?;
    let spec: Spec<'_> = spec::json::parse(&text).map_err(|it| wrong(it.to_string()))?;
    let user = geteuid();
    let rootless = request.rootless.unwrap_or(!user.is_root());
    let mut cgroups = Cgroups::find(&request.cgroup_driver, rootless)?;
    spent.append(&mut cgroups.spent());
    let cgroup = plan::cgroup(&spec, request, &cgroups).map_err(|it| invalid(&it))?;
    let groups = cgroup.description();
    let nothing_before = caller == Caller::Runs && !request.holds_up_the_start();
    let mut plan = Plan::new(&spec, &bundle, request, &cgroups, &groups)
        .and_then(|plan| plan.with_start(&spec, nothing_before))
        .map_err(|it| invalid(&it))?;
    plan.init.process.ignored_signals = record::ignored_signals(&mut spent)?;
    plan.init.process.ends_with_parent = request.ends_with_caller;
    if caller == Caller::Restores {
        plan.init.mounts_before_group = None;
    }
    let stays = caller != Caller::Creates && !request.detach;
    let front = stays.then_some(Front { plain_lines: request.plain_lines });
    let terminal = Terminal::new(plan.process().terminal, request.console_socket, front)?;
    let directory = Directory::claim(request.root, request.id)?;
    let record = first_record(&plan, user);
    let mut made = Making {
        directory,
        planned: None,
        group: None,
        child: None,
        guests: None,
        record,
        warnings: std::mem::take(&mut plan.init.process.warnings),
        spent,
    };
    let result = made.begin(&mut plan, &text, cgroup);
    let result = result.and_then(|()| build(&mut made, &plan, &spec, terminal));
    match result {
        Ok(running) => {
            Ok(Running { remains: Some(made.into_remains(plan.hooks.poststop)?), ..running })
        }
        Err(error) => Err(made.undo(&plan, error)),
    }
}

fn invalid(what: &Invalid) -> Error {
    wrong(what.to_string())
}

fn wrong(reason: String) -> Error {
    Error::Configuration { file: "config.json".into(), reason }
}

fn first_record(plan: &Plan, user: Uid) -> Record {
    Record {
        bundle: plan.bundle.clone(),
        rootfs: plan.rootfs.clone(),
        created: time::rfc3339(SystemTime::now()),
        owner: user.as_raw(),
        process: None,
        cgroup: None,
        annotations: plan.annotations.clone(),
        resctrl: Made::default(),
        restored: false,
        keyring: plan.init.keyring.as_ref().map(|name| name.to_string_lossy().into_owned()),
    }
}

/// What there is of a container that is being made.
pub(crate) struct Making {
    directory: Directory,
    /// The cgroup, until it is complete.
    planned: Option<Prepared>,
    group: Option<Box<dyn Group>>,
    child: Option<Pid>,
    guests: Option<Guests>,
    record: Record,
    warnings: Vec<String>,
    spent: Spent,
}

impl Making {
    /// Everything up to the cgroup, which is written down before it exists, and made unless it waits
    /// for the child.
    fn begin(&mut self, plan: &mut Plan, text: &[u8], cgroup: Prepared) -> Result<()> {
        if plan.notifies {
            self.directory.make_notify_folder()?;
        }
        self.record.cgroup = Some(cgroup.description());
        self.directory.begin_records(text, &self.record)?;
        self.planned = Some(cgroup);
        if plan.init.mounts_before_group.is_none() {
            self.make_group()?;
        }
        plan.init.prepare_root()?;
        if let Some(revealing) = &mut plan.init.no_pivot {
            *revealing = whole_proc_and_sys(&plan.rootfs)?;
        }
        if plan.has_hooks_in_container() {
            let pid = Some(Process { pid: 1, start: 0 });
            let record = Record { process: pid, ..self.record.clone() };
            plan.state_in_container = state_text(self.directory.id(), &record, Status::Creating)?;
        }
        Ok(())
    }

    fn build(
        &mut self,
        plan: &Plan,
        spec: &Spec<'_>,
        request: &Create<'_>,
        terminal: Terminal,
        start_it: bool,
    ) -> Result<Running> {
        let entry = self.birthplace()?;
        let listening = if start_it { None } else { Some(self.directory.listen()?) };
        let placement = placement(plan)?;
        let launched = launch(&placement, entry.clone_into(), |channel| {
            child::become_container(plan, &entry, listening.as_ref(), channel)
        })?;
        self.child = Some(launched.pid);
        drop(listening);
        let process = Process::now(launched.pid, &mut self.spent)?;
        self.record.process = Some(process);
        if let Some(class) = &plan.resctrl {
            Resctrl::find()?.assign(class, process.pid, &mut self.record.resctrl)?;
            self.directory.write_record(&self.record)?;
        }
        prepare(plan, &launched)?;
        let late_entry = self.tell_in_advance(plan, spec, &launched)?;
        let (master, last_words) = self.serve(plan, &launched, terminal)?;
        // The child has closed its own by now, and goes on meanwhile.
        [Some(entry), late_entry].into_iter().flatten().for_each(|it| it.spend(&mut self.spent));
        self.spent.add(sys::early::left_open());
        self.spent.close();
        if !plan.starts_in_advance {
            if let Some(group) = &self.group {
                group.first_process_entered()?;
            }
            self.directory.write_record(&self.record)?;
            request.announce(launched.pid, &launched.pidfd)?;
        }
        let mut readiness = None;
        if start_it {
            readiness = readiness_of(&self.directory, request.notify_socket)?;
            if !plan.starts_in_advance {
                launched.channel.order(Order::Start)?;
            }
            let listener = plan.listener.as_ref();
            let state = || state_text(self.directory.id(), &self.record, Status::Created);
            start::until_executed(&launched.channel, listener, process.pid, last_words, state)?;
            self.poststart(plan)?;
            if let Some(readiness) = readiness.take_if(|_| request.detach) {
                readiness.wait(launched.pid, launched.pidfd.as_fd())?;
            }
        } else {
            launched.channel.order(Order::Proceed)?;
        }
        let Launched { pid, pidfd, .. } = launched;
        Ok(Running { readiness, ..self.running(pid, pidfd, master) })
    }

    /// What the caller gets.
    pub(crate) fn running(
        &mut self,
        pid: Pid,
        pidfd: OwnedFd,
        console: Option<OwnedFd>,
    ) -> Running {
        let warnings = std::mem::take(&mut self.warnings);
        Running { pid, pidfd, console, warnings, readiness: None, remains: None }
    }

    /// The container's cgroup.
    pub(crate) fn group(&self) -> Option<&dyn Group> {
        self.group.as_deref()
    }

    /// The child that is to be ended if something fails.
    pub(crate) fn child(&self) -> Option<Pid> {
        self.child
    }

    /// Notes the first process that somebody else has made.
    pub(crate) fn is_process(&mut self, process: Process) {
        self.record.process = Some(process);
    }

    /// Notes that it is a child of ours.
    pub(crate) fn is_child(&mut self, pid: Pid) {
        self.child = Some(pid);
    }

    /// Writes down that it comes from a checkpoint.
    pub(crate) fn write_restored(&mut self) -> Result<()> {
        self.record.restored = true;
        self.directory.write_record(&self.record)
    }

    /// Does what the child asks for, until it is ready. Returns the master of the terminal and the
    /// file for last words, if there are any.
    fn serve(
        &mut self,
        plan: &Plan,
        launched: &Launched,
        mut terminal: Terminal,
    ) -> Result<(Option<OwnedFd>, Option<OwnedFd>)> {
        loop {
            let Some((report, fd)) = launched.channel.next_report()? else {
                return Err(Error::ChildDied);
            };
            match (report, fd) {
                (Report::TimeNamespace, _) => {
                    if !plan.namespaces.clocks.is_empty() {
                        namespace::write_time_offsets(launched.pid, &plan.namespaces.clocks)?;
                    }
                    launched.channel.order(Order::Proceed)?;
                }
                (Report::Tree, Some(namespace)) => {
                    plan.init.hand_trees(namespace.as_fd(), &launched.channel)?;
                }
                (Report::Hooks, _) => {
                    self.bring_devices(plan, launched.pidfd.as_fd())?;
                    self.runtime_hooks(plan)?;
                    launched.channel.order(Order::Proceed)?;
                }
                (Report::Console, Some(master)) => terminal.arrived(master)?,
                (Report::Warning(what), _) => self.warnings.push(what.to_string()),
                (Report::Ready, last_words) => return Ok((terminal.into_master(), last_words)),
                (Report::Failed(failure), _) => return Err(Error::Child(failure)),
                _ => return Err(Error::Internal("the child spoke out of turn")),
            }
        }
    }

    /// Before the hooks, which may set them up.
    pub(crate) fn bring_devices(&mut self, plan: &Plan, process: BorrowedFd<'_>) -> Result<()> {
        if plan.net_devices.is_empty() {
            return Ok(());
        }
        self.guests = Some(Guests::bring(&plan.net_devices, process)?);
        Ok(())
    }

    pub(crate) fn runtime_hooks(&self, plan: &Plan) -> Result<()> {
        let state = state_text(self.directory.id(), &self.record, Status::Creating)?;
        plan.hooks.prestart.run(&state, plan.by_runtime())?;
        plan.hooks.create_runtime.run(&state, plan.by_runtime())
    }

    fn poststart(&self, plan: &Plan) -> Result<()> {
        if plan.hooks.poststart.is_empty() {
            return Ok(());
        }
        let state = state_text(self.directory.id(), &self.record, Status::Running)?;
        plan.hooks.poststart.run(&state, plan.by_runtime())
    }

    fn into_remains(self, poststop: Hooks) -> Result<Remains> {
        let record = Record { process: None, ..self.record };
        let state = state_text(self.directory.id(), &record, Status::Stopped)?;
        let Making { directory, group, .. } = self;
        Ok(Remains { directory, group, resctrl: record.resctrl, poststop, state })
    }
}

/// What a container tells the service manager, if it was made so that it can.
pub(crate) fn readiness_of(
    directory: &Directory,
    manager: Option<&Path>,
) -> Result<Option<Readiness>> {
    let Some(manager) = manager else { return Ok(None) };
    let socket = directory.bind_notify_socket()?;
    socket.map(|socket| Readiness::new(socket, manager)).transpose()
}

/// What only the parent may do for the child, before that does anything.
fn prepare(plan: &Plan, launched: &Launched) -> Result<()> {
    if plan.namespaces.new.contains(Kind::User) {
        namespace::write_id_maps(launched.pid, &plan.namespaces.users, &plan.namespaces.groups)?;
    }
    if let Some(score) = plan.process().oom_score {
        set_oom_score(launched.pid, score)?;
    }
    if plan.namespaces.new.contains(Kind::User) {
        launched.channel.order(Order::Proceed)?;
    }
    Ok(())
}

/// How likely the kernel kills a process when memory is short; proc_pid_oom_score_adj(5).
pub(crate) fn set_oom_score(pid: Pid, score: i32) -> Result<()> {
    let path = format!("/proc/{pid}/oom_score_adj");
    let file = file::open(CWD, &path, OFlags::WRONLY)?;
    let refused = |error: sys::Error| Error::Configuration {
        file: "config.json".into(),
        reason: format!(
            "process.oomScoreAdj: {score} cannot be set, for less than the caller has needs \
             CAP_SYS_RESOURCE: {}",
            sys::Error { arguments: format!("{path:?}, {score}"), ..error }
        ),
    };
    file::write_all(&file, score.to_string().as_bytes()).map_err(refused)
}

fn placement(plan: &Plan) -> Result<Placement> {
    let open = |(kind, path): &(Kind, std::path::PathBuf)| Namespace::open(*kind, path);
    let joined =
        plan.namespaces.joined.iter().map(open).collect::<std::result::Result<Vec<_>, _>>()?;
    // Who has no rights on the machine could not return from the machine's own ones.
    let child_enters = joined.iter().any(|it| it.kind() == Kind::User)
        || joined.iter().any(|it| it.kind() != Kind::Mount) && !crate::exec::owns_machine()?;
    Ok(Placement { new: plan.namespaces.new, joined, of_process: None, child_enters })
}
