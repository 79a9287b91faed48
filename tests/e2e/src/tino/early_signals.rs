//! TERM at a random moment of the start: it must never be lost, and nothing may stay alive.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::support::sys::{self, Change};
use crate::support::{Launch, Place, processes, until};

const STARTS: u32 = 150;

pub(crate) fn none_of_150_is_lost() -> Result<()> {
    start_and_terminate(|| Launch::tino(&[]))
}

pub(crate) fn none_of_150_is_lost_with_g() -> Result<()> {
    start_and_terminate(|| Launch::tino(&["-g"]))
}

pub(crate) fn none_of_150_is_lost_with_c() -> Result<()> {
    start_and_terminate(|| Launch::tino(&["-c"]))
}

pub(crate) fn none_of_150_is_lost_with_g_and_restart() -> Result<()> {
    start_and_terminate(|| Launch::tino(&["-g", "--restart=always"]))
}

pub(crate) fn none_of_150_is_lost_as_tini() -> Result<()> {
    start_and_terminate(|| Launch::named("tini", &["-s", "-g"]))
}

pub(crate) fn none_of_150_is_lost_as_dumb_init() -> Result<()> {
    start_and_terminate(|| Launch::named("dumb-init", &[]))
}

pub(crate) fn none_of_150_is_lost_as_catatonit() -> Result<()> {
    start_and_terminate(|| Launch::named("catatonit", &["-g"]))
}

pub(crate) fn none_of_150_is_lost_as_pid_one() -> Result<()> {
    start_and_terminate_in(Place::PidOne, || Launch::tino(&["-g"]).place(Place::PidOne))
}

fn start_and_terminate(launch: impl Fn() -> Launch) -> Result<()> {
    start_and_terminate_in(Place::Ordinary, launch)
}

fn start_and_terminate_in(place: Place, launch: impl Fn() -> Launch) -> Result<()> {
    // Whatever an init leaves behind becomes a child of this process and is seen below.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut random = u64::from(std::process::id()) | 1;
    for start in 0..STARTS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let running = launch().act(&["pause"]).start()?;
        if place == Place::PidOne {
            // Until PID 1 has blocked a signal, the kernel drops it: nobody can be faster.
            until("the init has blocked TERM", || {
                let blocked = processes::signals(running.pid, "SigBlk").unwrap_or(0);
                // While it waits for signals, the kernel shows them as not blocked.
                blocked & sys::bit(libc::SIGTERM) != 0
                    || !processes::children(running.pid).is_empty()
            })?;
        }
        std::thread::sleep(Duration::from_micros(random % 3000));
        running.send(libc::SIGTERM)?;
        let moment = || format!("start {start}, TERM after {} us", random % 3000);
        let finished = running.finish().with_context(moment)?;
        // Killed: the TERM came before the init had blocked it, so nothing was started.
        if !matches!(finished.change, Change::Exited(143) | Change::Killed(libc::SIGTERM)) {
            bail!("{}: ended with {:?}, {:?}", moment(), finished.change, finished.stderr);
        }
        if let Ok(left) = sys::wait(-1, libc::WNOHANG) {
            bail!("{}: a process was left: {left:?}", moment());
        }
    }
    Ok(())
}
