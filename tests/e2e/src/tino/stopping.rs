//! Stop signals: the delay, the grace time, and the end of everything with `--all`.

use anyhow::Result;

use crate::expect_eq;
use crate::support::launch::PLACES;
use crate::support::{Launch, Place, Running, processes, scratch, until};

/// Long enough that a test which waits for it hits the time limit instead.
const HOUR: &str = "3600000";

fn recorder(options: &[&str], place: Place, last: i32) -> Result<Running> {
    let script = [format!("record={last}")];
    let script = [script[0].as_str()];
    let running = Launch::tino(options).act(&script).place(place).start()?;
    running.wait_line("ready")?;
    Ok(running)
}

pub(crate) fn a_second_term_cuts_the_delay_and_other_signals_pass_at_once() -> Result<()> {
    for place in PLACES {
        let running = recorder(&["--term-delay-ms", HOUR], place, libc::SIGTERM)?;
        running.send(libc::SIGTERM)?;
        running.send(libc::SIGUSR1)?;
        running.wait_value("got 10 ")?;
        running.send(libc::SIGINT)?;
        running.wait_value("got 2 ")?;
        expect_eq!(running.stdout().contains("got 15"), false, "TERM before its time");
        running.send(libc::SIGTERM)?;
        running.finish()?.expect_code(0)?.expect_stdout("got 15 ")?;
    }
    Ok(())
}

pub(crate) fn the_end_of_the_child_cuts_the_delay() -> Result<()> {
    for place in PLACES {
        let running = recorder(&["--term-delay-ms", HOUR], place, libc::SIGUSR1)?;
        running.send(libc::SIGTERM)?;
        running.send(libc::SIGUSR1)?;
        let finished = running.finish()?;
        finished.expect_code(0)?;
        expect_eq!(finished.stdout.contains("got 15"), false);
    }
    Ok(())
}

pub(crate) fn term_is_passed_on_when_the_delay_is_over() -> Result<()> {
    let running = recorder(&["--term-delay-ms=100"], Place::Ordinary, libc::SIGTERM)?;
    running.send(libc::SIGTERM)?;
    running.finish()?.expect_code(0)?.expect_stdout("got 15 ")?;
    Ok(())
}

pub(crate) fn a_stubborn_child_is_killed_after_the_grace_time() -> Result<()> {
    for place in PLACES {
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT] {
            is_told_and_killed(place, signal)?;
        }
    }
    Ok(())
}

/// It is killed in any case; on a busy machine, only a long time is enough to tell of the signal.
fn is_told_and_killed(place: Place, signal: i32) -> Result<()> {
    let mut finished = None;
    for grace in ["100", "1000", "10000", "60000"] {
        let running = recorder(&["--grace-ms", grace], place, 0)?;
        running.send(signal)?;
        let told = finished.insert(running.finish()?).expect_code(137)?;
        if told.stdout.contains(&format!("got {signal} ")) {
            return Ok(());
        }
    }
    anyhow::bail!("it was not told of signal {signal}: {finished:?}")
}

pub(crate) fn a_second_stop_signal_kills_at_once() -> Result<()> {
    for signals in [[15, 15], [15, 2], [3, 15]] {
        let running = recorder(&["-t", HOUR], Place::Ordinary, 0)?;
        running.send(signals[0])?;
        running.wait_value(&format!("got {} ", signals[0]))?;
        running.send(signals[1])?;
        running.finish()?.expect_code(137)?;
    }
    Ok(())
}

pub(crate) fn grace_and_g_kill_the_whole_group() -> Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let running =
        Launch::tino(&["-g", "-t", "100"]).act(&["(", "record=0", ")", "record=0"]).start()?;
    until("both are ready", || running.stdout().matches("ready").count() == 2)?;
    let grandchild = processes::children(running.child()?)[0];
    running.send(libc::SIGTERM)?;
    running.finish()?.expect_code(137)?;
    until("the grandchild is dead too", || !processes::alive(grandchild))
}

pub(crate) fn other_signals_start_no_grace_time() -> Result<()> {
    let running = recorder(&["--grace-ms", "1"], Place::Ordinary, libc::SIGUSR2)?;
    running.send(libc::SIGHUP)?;
    running.send(libc::SIGUSR1)?;
    until("both came", || running.stdout().matches("got").count() == 2)?;
    // Many grace times, as many as fit into a few turns of the scheduler.
    std::thread::sleep(std::time::Duration::from_millis(100));
    running.send(libc::SIGUSR2)?;
    running.finish()?.expect_code(0)?;
    Ok(())
}

pub(crate) fn without_grace_the_child_is_never_killed() -> Result<()> {
    for place in PLACES {
        let running = recorder(&[], place, libc::SIGUSR2)?;
        for count in 1..=5 {
            running.send(libc::SIGTERM)?;
            until("it came", || running.stdout().matches("got 15").count() == count)?;
        }
        running.send(libc::SIGUSR2)?;
        running.finish()?.expect_code(0)?;
    }
    Ok(())
}

/// A child that ends with 5 at USR1, and a process in a session of its own that plays `script`.
fn with_stray(options: &[&str], place: Place, script: &[&str]) -> Result<(Running, i32)> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut steps = vec!["(", "setsid"];
    steps.extend_from_slice(script);
    steps.extend([")", "record=10", "exit=5"]);
    let running = Launch::tino(options).act(&steps).place(place).start()?;
    running.wait_line("ready")?;
    let up = || running.stdout().lines().filter(|line| ["up", "ready"].contains(line)).count();
    until("the stray is up", || up() == 2)?;
    let stray = processes::children(running.child()?)[0];
    Ok((running, stray))
}

pub(crate) fn all_kills_a_stubborn_stray() -> Result<()> {
    for place in PLACES {
        let (running, stray) =
            with_stray(&["--all", "-t", "100"], place, &["ignore=15", "say=up", "pause"])?;
        running.send(libc::SIGUSR1)?;
        running.finish()?.expect_code(5)?;
        expect_eq!(processes::alive(stray), false, "{place:?}");
    }
    Ok(())
}

pub(crate) fn all_waits_for_a_polite_stray_and_no_longer() -> Result<()> {
    for (place, name) in [(Place::Ordinary, "ordinary"), (Place::PidOne, "pid-one")] {
        let file = scratch(name);
        let create = format!("create={}", file.display());
        let (running, stray) =
            with_stray(&["-a", "-t", HOUR], place, &["record=15", "sleep-ms=50", &create])?;
        running.send(libc::SIGUSR1)?;
        running.finish()?.expect_code(5)?.expect_stdout("got 15 ")?;
        expect_eq!(file.exists(), true, "{place:?}");
        expect_eq!(processes::alive(stray), false, "{place:?}");
    }
    Ok(())
}

pub(crate) fn all_does_not_wait_when_nothing_is_left() -> Result<()> {
    for place in PLACES {
        let launch = Launch::tino(&["--all", "--grace-ms", HOUR]).act(&["exit=5"]);
        launch.place(place).finish()?.expect_code(5)?;
    }
    Ok(())
}

pub(crate) fn all_wakes_a_stopped_stray() -> Result<()> {
    let (running, stray) =
        with_stray(&["-a", "-t", "200"], Place::Ordinary, &["say=up", "stop", "pause"])?;
    until("it is stopped", || processes::stat(stray).is_some_and(|stat| stat.state == 'T'))?;
    running.send(libc::SIGUSR1)?;
    running.finish()?.expect_code(5)?;
    expect_eq!(processes::alive(stray), false);
    Ok(())
}

pub(crate) fn all_reaches_grandchildren_of_strays() -> Result<()> {
    let inner = ["(", "setsid", "ignore=15", "(", "setsid", "ignore=15", "pause", ")", "say=up"];
    let mut script = inner.to_vec();
    script.extend(["pause", ")", "pause"]);
    for place in PLACES {
        let (running, _) = with_stray(&["--all", "-t", "100"], place, &script)?;
        let family = processes::descendants(running.pid);
        expect_eq!(family.len(), 4, "{place:?}");
        running.send(libc::SIGUSR1)?;
        running.finish()?.expect_code(5)?;
        let left: Vec<_> = family.into_iter().filter(|pid| processes::alive(*pid)).collect();
        expect_eq!(left, Vec::<i32>::new(), "{place:?}");
    }
    Ok(())
}

pub(crate) fn without_all_a_stray_is_left_alone() -> Result<()> {
    let (running, stray) = with_stray(&["-t", "1"], Place::Ordinary, &["say=up", "pause"])?;
    running.send(libc::SIGUSR1)?;
    running.finish()?.expect_code(5)?;
    expect_eq!(processes::alive(stray), true);
    Ok(())
}
