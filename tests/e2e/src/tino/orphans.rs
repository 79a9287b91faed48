//! Reaping what others leave.

use anyhow::Result;

use crate::expect_eq;
use crate::support::launch::PLACES;
use crate::support::{Launch, Place, processes, until};

fn one_hundred_thousand(place: Place) -> Result<()> {
    let running = Launch::tino(&[]).act(&["orphans=100000", "record=15"]).place(place).start()?;
    let made: u32 = running.wait_value("orphans ")?.parse()?;
    anyhow::ensure!(made >= 1_000, "only {made} orphans could be made");
    running.wait_line("ready")?;
    until("only the child is left", || processes::children(running.pid).len() == 1)?;
    println!("{made} orphans");
    running.send(libc::SIGTERM)?;
    running.finish()?.expect_code(0)?;
    Ok(())
}

pub(crate) fn a_hundred_thousand_are_reaped_by_pid_one() -> Result<()> {
    one_hundred_thousand(Place::PidOne)
}

pub(crate) fn a_hundred_thousand_are_reaped_by_a_subreaper() -> Result<()> {
    one_hundred_thousand(Place::Ordinary)
}

/// Runs an orphan that tells who its new parent is; gives that and the pids of init and trial.
fn adopter(launch: Launch) -> Result<(i32, i32)> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let running =
        launch.act(&["(", "(", "wait-orphaned", ")", "exit=0", ")", "wait", "pause"]).start()?;
    let parent = running.wait_value("parent ")?.parse()?;
    Ok((parent, running.pid))
}

pub(crate) fn orphans_are_adopted_unless_that_is_turned_off() -> Result<()> {
    let own = std::process::id().cast_signed();
    for options in [&[][..], &["-s"], &["--subreaper"], &["--subreaper=on"]] {
        let (parent, init) = adopter(Launch::tino(options))?;
        expect_eq!(parent, init, "{options:?}");
    }
    for options in [&["--subreaper=off"], &["--subreaper=no"], &["--subreaper=0"]] {
        let (parent, _) = adopter(Launch::tino(options))?;
        expect_eq!(parent, own, "{options:?}");
    }
    expect_eq!(adopter(Launch::tino(&[]).env("TINO_SUBREAPER=off"))?.0, own);
    expect_eq!(adopter(Launch::tino(&["--subreaper=off"]).place(Place::PidOne))?.0, 1);
    Ok(())
}

pub(crate) fn reaping_is_reported_on_demand() -> Result<()> {
    let script = ["(", "(", "wait-orphaned", "ids=orphan", ")", "exit=0", ")", "wait", "record=15"];
    for (options, reported) in [(&["-w"][..], true), (&["--warn-on-reap"], true), (&[], false)] {
        for place in PLACES {
            let running = Launch::tino(options).act(&script).place(place).start()?;
            let ids = running.wait_value("orphan pid ")?;
            let orphan = ids.split(' ').next().unwrap_or_default();
            running.wait_line("ready")?;
            until("it is reaped", || processes::children(running.pid).len() == 1)?;
            running.send(libc::SIGTERM)?;
            let finished = running.finish()?;
            finished.expect_code(0)?;
            if reported {
                finished.expect_stderr("[WARN  tino (")?;
                finished.expect_stderr(&format!("Reaped zombie process with pid={orphan}\n"))?;
                // The child itself is no zombie to be warned of.
                expect_eq!(finished.stderr.matches("Reaped").count(), 1);
            } else {
                finished.expect_quiet()?;
            }
        }
    }
    Ok(())
}

pub(crate) fn orphans_that_die_by_any_signal_do_no_harm() -> Result<()> {
    for place in PLACES {
        for signal in [1, 6, 9, 11, 14, 27, 31, 33, 34, 64] {
            let die = format!("die={signal}");
            let script = ["(", "(", "wait-orphaned", &die, ")", "exit=0", ")", "wait", "record=15"];
            let running = Launch::tino(&[]).act(&script).place(place).start()?;
            running.wait_value("parent ")?;
            running.wait_line("ready")?;
            until("it is reaped", || processes::children(running.pid).len() == 1)?;
            running.send(libc::SIGTERM)?;
            running.finish()?.expect_code(0)?.expect_quiet()?;
        }
    }
    Ok(())
}
