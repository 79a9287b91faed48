//! From fork to execve: what the child is before it is somebody else's program.

use core::ffi::CStr;

use crate::exec;
use crate::log::{Level, Log};
use crate::options::{Isolation, Options};
use crate::signals::signal;
use crate::sys::{self, Buffer, Descriptor, Disposition, Errno, Fork, SignalSet, Text, Texts};
use crate::terminal;
use crate::value::Value;
use crate::words::lookup;

/// What to run, and as whom.
#[derive(Clone, Copy)]
pub struct Command {
    /// The program and its arguments.
    pub words: Texts,
    /// The environment, handed on as it is.
    pub environment: Texts,
    /// The signal mask that `tino` was started with.
    pub mask: SignalSet,
}

/// What the child gets back or takes on, prepared before the fork.
pub struct Prepared {
    /// What SIGCHLD was when `tino` was started.
    pub child_signal: Disposition,
    /// The Landlock ruleset to be held by.
    pub ruleset: Option<Descriptor>,
}

/// Starts the child and returns its pid.
pub fn spawn(
    options: &Options,
    log: &Log,
    command: &Command,
    prepared: &Prepared,
) -> Result<i32, Errno> {
    // Asked before the fork: afterwards either side may have moved the child already.
    let group = sys::getpgid();
    match sys::fork()? {
        Fork::Child => sys::exit(become_program(options, log, command, prepared, group)),
        Fork::Parent(pid) => {
            if options.isolation == Isolation::ProcessGroup {
                // The child does it too. Here it makes sure that a signal for the group finds it;
                // it fails when the child has already gone on to execve, and so has a group.
                let _done_by_child = sys::setpgid(pid);
            }
            Ok(pid)
        }
    }
}

/// Returns only with the exit code of a failure.
fn become_program(
    options: &Options,
    log: &Log,
    command: &Command,
    prepared: &Prepared,
    group: i32,
) -> i32 {
    let isolated = isolate(options.isolation, group);
    if let Err((failed, error)) = isolated.and_then(|()| set_up(options, log, command, prepared)) {
        log.note(Level::Fatal, failed, error.number());
        return 1;
    }
    // Signals last: with them unblocked, one may end the child at any moment.
    sys::restore_child_signal(&prepared.child_signal);
    sys::set_mask(command.mask);
    exec::exec(log, command)
}

type Failure = (&'static CStr, Errno);

fn set_up(
    options: &Options,
    log: &Log,
    command: &Command,
    prepared: &Prepared,
) -> Result<(), Failure> {
    if options.parent_death_signal == signal::KILL {
        die_with_parent(log.pid)?;
    }
    rewrite_listen_pid(command.environment, log.pid);
    if let Some(ruleset) = prepared.ruleset {
        sys::set_no_new_privs().map_err(|error| (c"prctl(PR_SET_NO_NEW_PRIVS): %e", error))?;
        sys::landlock_restrict_self(ruleset)
            .map_err(|error| (c"landlock_restrict_self: %e", error))?;
    }
    Ok(())
}

/// `parents` is the process group of `tino`.
fn isolate(isolation: Isolation, parents: i32) -> Result<(), Failure> {
    match isolation {
        Isolation::None => {}
        Isolation::ProcessGroup => {
            sys::setpgid(0).map_err(|error| (c"setpgid: %e", error))?;
            // After the group exists, and before anything that could read from the terminal.
            terminal::hand_over(parents, sys::getpid());
        }
        Isolation::Session => {
            sys::setsid().map_err(|error| (c"setsid: %e", error))?;
            // Fails when standard input is no terminal: then there is nothing to take.
            let _no_terminal = sys::take_terminal();
        }
    }
    Ok(())
}

/// `tino` cannot pass KILL on, so the child has it sent by the kernel when `tino` dies.
fn die_with_parent(parent: i32) -> Result<(), Failure> {
    sys::parent_death_signal(signal::KILL)
        .map_err(|error| (c"prctl(PR_SET_PDEATHSIG): %e", error))?;
    if sys::getppid() != parent {
        sys::exit(128 + signal::KILL);
    }
    Ok(())
}

/// Socket activation names the process that the sockets are for. When that was `tino`, it is the
/// child; the name of its pidfd's inode would be wrong then, and none means unchecked
/// (sd_listen_fds(3)).
fn rewrite_listen_pid(environment: Texts, parent: i32) {
    let name = Value::all(Text::of(c"LISTEN_PID"));
    let pid = lookup(environment, name).and_then(|pid| Value::all(pid).number(i32::MAX as u32));
    if pid != Some(parent.cast_unsigned()) {
        return;
    }
    let mut index = 0;
    while let Some(entry) = environment.get(index) {
        if entry.after(Text::of(c"LISTEN_PIDFDID=")).is_some() {
            environment.remove(index);
            continue;
        }
        if entry.after(Text::of(c"LISTEN_PID=")).is_some() {
            let mut memory = [0; 32];
            let mut buffer = Buffer::over(&mut memory);
            buffer.append(Text::of(c"LISTEN_PID="), 0);
            buffer.number(sys::getpid());
            environment.set(index, sys::keep(buffer.text()));
        }
        index += 1;
    }
}
