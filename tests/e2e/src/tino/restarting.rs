//! `--restart`.

use anyhow::Result;

use crate::expect_eq;
use crate::support::launch::PLACES;
use crate::support::{Launch, Running, processes, until};

fn runs(text: &str) -> usize {
    text.lines().filter(|line| *line == "run").count()
}

fn start(options: &[&str], script: &[&str]) -> Result<Running> {
    let mut steps = vec!["say=run"];
    steps.extend_from_slice(script);
    Launch::tino(options).act(&steps).start()
}

pub(crate) fn on_failure_counts_the_starts() -> Result<()> {
    for (policy, starts) in [("on-failure:1", 2), ("on-failure:2", 3), ("no", 1)] {
        for place in PLACES {
            let launch = Launch::tino(&["--restart", policy]).act(&["say=run", "exit=3"]);
            let finished = launch.place(place).finish()?;
            finished.expect_code(3)?;
            expect_eq!(runs(&finished.stdout), starts, "{policy}, {place:?}");
        }
    }
    Ok(())
}

pub(crate) fn on_failure_does_not_restart_a_success() -> Result<()> {
    let finished = start(&["--restart=on-failure"], &["exit=0"])?.finish()?;
    expect_eq!(runs(&finished.expect_code(0)?.stdout), 1);
    let finished = start(&["--restart=on-failure", "-e", "3"], &["exit=3"])?.finish()?;
    expect_eq!(runs(&finished.expect_code(0)?.stdout), 1, "a remapped code is a success");
    Ok(())
}

pub(crate) fn death_by_a_signal_is_a_failure() -> Result<()> {
    let finished = start(&["--restart=on-failure:1"], &["die=9"])?.finish()?;
    expect_eq!(runs(&finished.expect_code(137)?.stdout), 2);
    Ok(())
}

pub(crate) fn always_goes_on_until_a_stop_signal() -> Result<()> {
    for (signal, code) in [(libc::SIGTERM, 143), (libc::SIGINT, 130), (libc::SIGQUIT, 131)] {
        let running = start(&["--restart=always"], &["exit=0"])?;
        until("it ran three times", || runs(&running.stdout()) >= 3)?;
        running.send(signal)?;
        let finished = running.finish()?;
        anyhow::ensure!([0, code].contains(&finished.code()?), "{finished:?}");
    }
    Ok(())
}

pub(crate) fn a_stop_signal_that_the_child_obeys_ends_it_all() -> Result<()> {
    let running = start(&["--restart=always"], &["record=15", "exit=4"])?;
    running.wait_line("ready")?;
    running.send(libc::SIGTERM)?;
    let finished = running.finish()?;
    expect_eq!(runs(&finished.expect_code(4)?.stdout), 1);
    Ok(())
}

pub(crate) fn another_signal_does_not_end_it() -> Result<()> {
    let running = start(&["--restart=always"], &["record=10", "exit=4"])?;
    running.wait_line("ready")?;
    running.send(libc::SIGUSR1)?;
    until("it is started again", || runs(&running.stdout()) == 2)
}

pub(crate) fn a_stop_signal_in_the_wait_gives_the_last_exit_code() -> Result<()> {
    for policy in ["on-failure", "always"] {
        let running = start(&["--restart", policy], &["exit=4"])?;
        // By now the wait is 6.4 s, in which the signal surely arrives.
        until("it waits to start the eighth", || {
            runs(&running.stdout()) == 7 && processes::children(running.pid).is_empty()
        })?;
        running.send(libc::SIGTERM)?;
        let finished = running.finish()?;
        expect_eq!(runs(&finished.expect_code(4)?.stdout), 7);
    }
    Ok(())
}

pub(crate) fn orphans_are_reaped_in_the_wait() -> Result<()> {
    let script = ["(", "sleep-ms=50", ")", "exit=4"];
    let running = start(&["--restart=always"], &script)?;
    until("it waits with nothing left", || {
        runs(&running.stdout()) >= 4 && processes::children(running.pid).is_empty()
    })?;
    running.send(libc::SIGTERM)?;
    running.finish()?;
    Ok(())
}

pub(crate) fn signals_go_to_the_new_child() -> Result<()> {
    let running = start(&["--restart=always", "-g"], &["record=10", "exit=1"])?;
    running.wait_line("ready")?;
    running.send(libc::SIGUSR1)?;
    until("the second is ready", || running.stdout().matches("ready").count() == 2)?;
    running.send(libc::SIGTERM)?;
    running.wait_value("got 15 ")?;
    running.send(libc::SIGUSR1)?;
    running.finish()?.expect_code(1)?;
    Ok(())
}
