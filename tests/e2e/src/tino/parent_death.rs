//! `-p`: the death of whoever started `tino`.

use anyhow::Result;

use crate::expect_eq;
use crate::support::{Launch, Running, act, processes, until};

/// An outer init that is killed, and an inner one with the options; gives both children's pids.
fn orphan(options: &[&str], script: &[&str]) -> Result<(Running, i32, i32)> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let program = harness::tino();
    let outer = Launch::tino(&["--"])
        .words(&[program.as_os_str()])
        .words(options)
        .words(&["--"])
        .words(&act(script))
        .start()?;
    outer.wait_line("ready")?;
    let inner = outer.child()?;
    let child = processes::children(inner)[0];
    outer.send(libc::SIGKILL)?;
    Ok((outer, inner, child))
}

pub(crate) fn the_signal_is_passed_on() -> Result<()> {
    for (name, number) in [("SIGTERM", 15), ("USR1", 10), ("sighup", 1), ("34", 34)] {
        let (outer, inner, _) = orphan(&["-p", name], &["record=0"])?;
        until("the child has the signal", || {
            outer.stdout().contains(&format!("got {number} from {inner} "))
        })?;
    }
    Ok(())
}

pub(crate) fn kill_reaches_the_child_too() -> Result<()> {
    for name in ["SIGKILL", "KILL", "9"] {
        let (_outer, inner, child) = orphan(&["-p", name], &["record=0"])?;
        until("the init is dead", || !processes::alive(inner))?;
        until("the child is dead", || !processes::alive(child))?;
    }
    Ok(())
}

pub(crate) fn without_p_nothing_happens() -> Result<()> {
    let (outer, inner, child) = orphan(&[], &["record=12"])?;
    until("it is adopted", || {
        processes::stat(inner).is_some_and(|it| it.parent == std::process::id().cast_signed())
    })?;
    crate::support::sys::send(inner, libc::SIGUSR2)?;
    until("the child has ended", || !processes::alive(child))?;
    expect_eq!(outer.stdout().matches("got").count(), 1);
    Ok(())
}
