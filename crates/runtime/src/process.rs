//! The last part of every process in a container, its first one or one that `exec` adds: from a
//! process that stands in the container to the program.

use crate::child::expect;
use crate::failure::{During, Failure, Step};
use crate::handshake::{Channel, Order, Report};
use crate::hooks::Surroundings;
use crate::last_words::LastWords;
use crate::launch::{self, fail};
use crate::plan::ProcessPlan;
use crate::{home, program};
use kernel::credentials::set_limits;
use kernel::device::{Console, take_terminal};
use kernel::landlock::{self, Rules, Ruleset};
use kernel::path::{Procfs, Root};
use std::borrow::Cow;
use std::convert::Infallible;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::process::{Words, close_all_but, execve};
use sys::rustix::fs::{FileType, Mode, fchown, fstat, major, minor};
use sys::rustix::io::Errno;
use sys::rustix::net::{SocketFlags, accept_with};
use sys::rustix::process::{
    Signal, Uid, chdir, getcwd, set_parent_process_death_signal, setsid, umask,
};
use sys::rustix::stdio;
use sys::rustix::thread::set_no_new_privs;

/// What a process has whose configuration does not say: new files are written by their user alone.
const USUAL_UMASK: u32 = 0o022;

/// The program, found, with its environment.
pub(crate) struct Program {
    file: CString,
    environment: Words,
    restrictions: Option<Ruleset>,
}

/// Takes on everything that the process is to have, and finds its program.
///
/// The order is one of rights: what needs them comes before they are given up, and nothing of the
/// host that is still open can be reached by a path (`/proc/self/fd/7`) once paths of the
/// container's are followed.
pub(crate) fn prepare(
    plan: &ProcessPlan,
    procfs: Option<Procfs>,
    channel: &Channel,
    listening: Option<&OwnedFd>,
) -> Result<Program, Failure> {
    // Before it has no more rights than others that can be in its PID namespace: those of `exec`
    // while it waits, and what its hooks leave behind. It has the caller's memory, and no filter.
    if listening.is_some() || !plan.start_hooks.is_empty() {
        launch::hide().during(Step::Internal)?;
        sys::command_line::forget();
    }
    if let Some(procfs) = &procfs {
        label(plan, procfs)?;
    }
    // Whoever owned one of those that are closed below would close whatever has its number then.
    drop(procfs);
    plan.scheduling.apply().during(Step::Scheduling)?;
    set_limits(&plan.limits).during(Step::Limits)?;
    if plan.no_new_privileges {
        set_no_new_privs(true)
            .or_error("prctl", || "PR_SET_NO_NEW_PRIVS, 1")
            .during(Step::NoNewPrivileges)?;
    }
    plan.capabilities.limit_bounding_set().during(Step::Capabilities)?;
    give_standard_streams(plan.identity.user)?;
    let kept: Vec<BorrowedFd<'_>> =
        [channel.as_fd()].into_iter().chain(listening.map(AsFd::as_fd)).collect();
    close_all_but(&kept, 3 + plan.preserved_descriptors)
        .or_error("close_range", || "")
        .during(Step::Descriptors)?;
    // With the rights to find all paths of the rules.
    let restrictions = plan.landlock.as_ref().map(find_places).transpose()?;
    become_user_in_folder(plan)?;
    let lacking = plan.capabilities.apply(plan.restricts_without_no_new_privileges());
    let lacking = lacking.during(Step::Capabilities)?;
    if !lacking.is_empty() {
        let what = format!("{lacking}: the caller has no such rights, so the program has not");
        let warning = Report::Warning(Failure::new(Step::Capabilities, what));
        channel.report(&warning, None).during(Step::Internal)?;
    }
    umask(Mode::from_raw_mode(plan.umask.unwrap_or(USUAL_UMASK)));
    let mut environment = plan.environment.clone();
    if plan.needs_home {
        environment.extend(home::variable(plan.identity.user));
    }
    let file = program::find(&plan.program, plan.path.as_deref())?;
    if let Some(launched) = &plan.launched {
        program::find(launched, plan.path.as_deref())?;
    }
    Ok(Program { file, environment: Words::new(environment), restrictions })
}

/// Takes the ids of the user, in the working folder.
fn become_user_in_folder(plan: &ProcessPlan) -> Result<(), Failure> {
    // Once with all rights, and if that is not enough, as on a network file system, as the user.
    let entered = chdir(&plan.working_folder);
    plan.identity.assume().during(Step::User)?;
    let folder = || format!("{:?}", plan.working_folder);
    if entered == Err(Errno::ACCESS) { chdir(&plan.working_folder) } else { entered }
        .or_error("chdir", folder)
        .during(Step::WorkingDirectory)?;
    // What is the root now cannot be outside.
    if plan.working_folder.as_c_str() != c"/" {
        refuse_outside()?;
    }
    Ok(())
}

/// Finds the places of Landlock's rules, in what is the root by now.
fn find_places(rules: &Rules) -> Result<Ruleset, Failure> {
    let root = Root::open(c"/").during(Step::Landlock)?;
    rules.ruleset(&root).map_err(|error| match error {
        landlock::Error::Call(error) => Failure::call(Step::Landlock, &error),
        error @ landlock::Error::Path { .. } => Failure::new(Step::Landlock, error),
    })
}

/// Waits for the word to start, and executes the program.
pub(crate) fn wait_and_execute(
    plan: &ProcessPlan,
    program: &Program,
    listening: Option<&OwnedFd>,
    channel: Channel,
    state: &str,
) -> Infallible {
    let prepared = filter(plan, &channel).and_then(|filter| {
        let last_words = LastWords::new(filter.as_deref()).during(Step::Seccomp)?;
        Ok((filter, last_words))
    });
    let (filter, mut last_words) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => return fail(&channel, failure),
    };
    let channel = match wait(listening, channel, last_words.as_ref().map(AsFd::as_fd)) {
        Ok(channel) => channel,
        Err((channel, failure)) => return fail(&channel, failure),
    };
    match execute(plan, program, filter.as_deref(), &channel, state) {
        Ok(never) => never,
        Err(failure) => {
            if let Some(last_words) = &mut last_words {
                last_words.say(&failure);
            }
            fail(&channel, failure)
        }
    }
}

/// The filter of the plan, or the one that the parent has compiled meanwhile.
fn filter<'a>(
    plan: &'a ProcessPlan,
    channel: &Channel,
) -> Result<Option<Cow<'a, kernel::seccomp::Program>>, Failure> {
    match &plan.seccomp {
        Some(filter) => Ok(Some(Cow::Borrowed(filter))),
        None if !plan.is_filtered => Ok(None),
        None => match channel.next_filter().during(Step::Seccomp)? {
            Some(filter) => Ok(Some(Cow::Owned(filter))),
            // The parent is gone: there is nobody to be a container for.
            None => sys::process::exit_now(1),
        },
    }
}

/// Returns the channel to whoever gave the word.
fn wait(
    listening: Option<&OwnedFd>,
    channel: Channel,
    last_words: Option<BorrowedFd<'_>>,
) -> Result<Channel, (Channel, Failure)> {
    if let Err(error) = channel.report(&Report::Ready, last_words).during(Step::Internal) {
        return Err((channel, error));
    }
    let Some(listening) = listening else {
        return match expect(&channel, Order::Start) {
            Ok(()) => Ok(channel),
            Err(failure) => Err((channel, failure)),
        };
    };
    if let Err(failure) = expect(&channel, Order::Proceed) {
        return Err((channel, failure));
    }
    loop {
        let caller = match accept_with(listening, SocketFlags::CLOEXEC) {
            Ok(caller) => Channel::new(caller),
            Err(Errno::INTR | Errno::CONNABORTED) => continue,
            Err(errno) => {
                let error = sys::Error::new("accept4", "the start socket", errno);
                return Err((channel, Failure::call(Step::Internal, &error)));
            }
        };
        // Whoever was killed before it gave the word has not started anything.
        if caller.next_order() == Ok(Some(Order::Start))
            && caller.report(&Report::Ready, last_words).is_ok()
        {
            return Ok(caller);
        }
    }
}

fn execute(
    plan: &ProcessPlan,
    program: &Program,
    filter: Option<&kernel::seccomp::Program>,
    channel: &Channel,
    state: &str,
) -> Result<Infallible, Failure> {
    let environment = Some(program.environment.strings());
    let found = Surroundings { folder: None, environment, filter };
    plan.start_hooks.run(state, found).map_err(|error| Failure::new(Step::Hook, error))?;
    if plan.ends_with_parent {
        end_with_parent(channel)?;
    }
    // What is open by now, besides what is passed on, was opened to be closed by execve.
    sys::process::reset_signals(plan.ignored_signals);
    if let Some(restrictions) = &program.restrictions {
        restrictions.restrict_self().during(Step::Landlock)?;
    }
    // Last, so that a profile need allow nothing of the runtime but execve (and the rest of the
    // handing over of a listener). The CAP_SYS_ADMIN that was kept for this goes by execve itself:
    // what a program has does not depend on what was permitted or effective before, but on the
    // bounding, inheritable and ambient sets, which it is not in.
    let listener = match filter {
        Some(filter) => filter.install().during(Step::Seccomp)?,
        None => None,
    };
    if let (Some(filter), Some(listener)) = (filter, &listener) {
        // Closed by execve: the agent may be asked about close as well.
        channel.notify(filter, listener.as_fd()).during(Step::Seccomp)?;
        expect(channel, Order::Proceed)?;
    }
    let Err(errno) = execve(&program.file, &plan.arguments, &program.environment);
    Err(program::refused(&program.file, errno))
}

/// Has the kernel kill the program when the parent ends. It may have ended before, and its word to
/// start still have been there: in a PID namespace of its own nobody can see that by its id.
fn end_with_parent(channel: &Channel) -> Result<(), Failure> {
    // Kept over execve, as the program gains no rights by that; and not before the ids have changed.
    set_parent_process_death_signal(Some(Signal::KILL))
        .or_error("prctl", || "PR_SET_PDEATHSIG, SIGKILL")
        .during(Step::Internal)?;
    if channel.is_closed().during(Step::Internal)? {
        sys::process::exit_now(1);
    }
    Ok(())
}

/// The working folder must be one that the container can see: not one of the host that something
/// left open led to (CVE-2024-21626).
fn refuse_outside() -> Result<(), Failure> {
    let folder = getcwd(Vec::new()).or_error("getcwd", || "").during(Step::WorkingDirectory)?;
    if folder.to_bytes().starts_with(b"/") {
        return Ok(());
    }
    let reason = format!("the working directory is outside the container's root: {folder:?}");
    Err(Failure::new(Step::WorkingDirectory, reason))
}

/// Lets the user open its own standard streams again by `/dev/stdout`. Others own what is shared:
/// what cannot be given stays as it is.
fn give_standard_streams(user: u32) -> Result<(), Failure> {
    if user == 0 {
        return Ok(());
    }
    for stream in [stdio::stdin(), stdio::stdout(), stdio::stderr()] {
        let status = match fstat(stream) {
            Err(Errno::BADF) => continue,
            result => result.or_error("fstat", || "a standard stream").during(Step::User)?,
        };
        let is_null = FileType::from_raw_mode(status.st_mode) == FileType::CharacterDevice
            && (major(status.st_rdev), minor(status.st_rdev)) == (1, 3);
        if is_null || status.st_uid == user {
            continue;
        }
        match fchown(stream, Some(Uid::from_raw(user)), None) {
            Ok(()) | Err(Errno::INVAL | Errno::PERM | Errno::ROFS) => {}
            Err(errno) => {
                let error = sys::Error::new("fchown", format!("a standard stream, {user}"), errno);
                return Err(Failure::call(Step::User, &error));
            }
        }
    }
    Ok(())
}

/// The security labels that the program gets when it is executed.
fn label(plan: &ProcessPlan, procfs: &Procfs) -> Result<(), Failure> {
    let failed = |error| Failure::new(Step::Label, error);
    if let Some(profile) = &plan.apparmor_profile {
        profile.set_for_exec(procfs).map_err(failed)?;
    }
    if let Some(label) = &plan.selinux_label {
        label.set_for_exec(procfs).map_err(failed)?;
    }
    Ok(())
}

/// Gives the process another session keyring than its caller's, by `join`, if there is a name for
/// one.
pub(crate) fn leave_keyring(
    plan: &ProcessPlan,
    name: Option<&CStr>,
    procfs: Option<&Procfs>,
    join: fn(&CStr) -> Result<(), sys::Error>,
) -> Result<(), Failure> {
    let Some(name) = name else { return Ok(()) };
    if let (Some(label), Some(procfs)) = (&plan.selinux_label, procfs) {
        label.set_for_keys(procfs).map_err(|error| Failure::new(Step::Label, error))?;
    }
    join(name).during(Step::Keyring)
}

/// Opens a terminal of the container's and sends its master to the parent.
pub(crate) fn open_console(
    plan: &ProcessPlan,
    root: &Root,
    procfs: &Procfs,
    channel: &Channel,
) -> Result<Console, Failure> {
    let failed = |error| Failure::new(Step::Console, error);
    let console = Console::open(root, procfs).map_err(failed)?;
    if let Some((rows, columns)) = plan.console_size {
        console.set_size(columns, rows).map_err(failed)?;
    }
    channel.report(&Report::Console, Some(console.master.as_fd())).during(Step::Console)?;
    Ok(console)
}

/// Leads a session of its own, on this terminal if there is one.
pub(crate) fn lead_session(console: Option<Console>) -> Result<(), Failure> {
    match console {
        Some(console) => {
            take_terminal(console.peer.as_fd()).map_err(|error| Failure::new(Step::Console, error))
        }
        None => setsid().or_error("setsid", || "").during(Step::Internal).map(drop),
    }
}
