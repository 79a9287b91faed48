//! Bugs that were reproduced in other inits; none may be ours. Each test names what broke.

use anyhow::Result;

use crate::expect_eq;
use crate::support::launch::PLACES;
use crate::support::{Launch, Place, processes, until};

/// lvillis/tino 0.1.24 polls with a time-out of 0 and uses a whole core.
pub(crate) fn idle_init_spins() -> Result<()> {
    for place in PLACES {
        let options =
            [&["-s"][..], &["--grace-ms", "500"], &["-a"], &["-g", "-s", "--restart=always"]];
        for options in options {
            let running = Launch::tino(options)
                .act(&["block-all", "say=up", "pause"])
                .place(place)
                .start()?;
            running.wait_line("up")?;
            until("it sleeps", || processes::stat(running.pid).is_some_and(|it| it.state == 'S'))?;
            let before = processes::stat(running.pid).map(|it| it.ticks);
            std::thread::sleep(std::time::Duration::from_millis(500));
            expect_eq!(processes::stat(running.pid).map(|it| it.ticks), before, "{options:?}");
        }
    }
    Ok(())
}

/// lvillis/tino 0.1.24 dies when a reaped process was killed by a signal outside its list.
pub(crate) fn orphan_killed_by_unusual_signal_kills_init() -> Result<()> {
    for signal in [29, 30, 31, 32, 33, 34, 50, 64] {
        let die = format!("die={signal}");
        let script = ["(", "(", "wait-orphaned", &die, ")", "exit=0", ")", "wait", "record=15"];
        let running = Launch::tino(&["-s"]).act(&script).start()?;
        running.wait_line("ready")?;
        until("it is reaped", || processes::children(running.pid).len() == 1)?;
        running.send(libc::SIGTERM)?;
        running.finish()?.expect_code(0)?;
    }
    Ok(())
}

/// lvillis/tino 0.1.24 exits half a second to a second late if a detached process lives.
/// Here the grace time is an hour, so the delay would be the time limit.
pub(crate) fn detached_process_delays_the_exit() -> Result<()> {
    let script = ["(", "setsid", "say=up", "pause", ")", "record=10", "exit=5"];
    for options in [&["-t", "3600000"][..], &["-t", "3600000", "-g"], &[]] {
        let running = Launch::tino(options).act(&script).start()?;
        running.wait_line("up")?;
        running.wait_line("ready")?;
        running.send(libc::SIGUSR1)?;
        running.finish()?.expect_code(5)?;
    }
    Ok(())
}

/// tini, catatonit and lvillis/tino never exit when their parent ignores SIGCHLD: the kernel
/// then reaps for them.
pub(crate) fn parent_that_ignores_sigchld_hangs_init() -> Result<()> {
    for place in PLACES {
        let launch = Launch::tino(&[]).act(&["status=SigIgn", "exit=7"]).ignore(libc::SIGCHLD);
        let finished = launch.place(place).finish()?;
        finished.expect_code(7)?.expect_stdout("SigIgn 0000000000010000\n")?;
    }
    Ok(())
}

/// tini: `tcsetpgrp failed: Bad file descriptor`, exit 1.
pub(crate) fn closed_stdin_is_fatal() -> Result<()> {
    for place in PLACES {
        let finished = Launch::tino(&["-s"]).act(&["exit=7"]).close(0).place(place).finish()?;
        finished.expect_code(7)?.expect_quiet()?;
    }
    Ok(())
}

/// tini exits with 1 for ENOTDIR.
pub(crate) fn not_a_directory_is_exit_1() -> Result<()> {
    Launch::tino(&["-s", "--", "/proc/self/status/x"]).finish()?.expect_code(127)?;
    Ok(())
}

/// `tini true -l` prints the licence: options after the program are taken for its own.
pub(crate) fn option_after_the_program_is_eaten() -> Result<()> {
    let own = crate::support::own_program();
    let finished = Launch::tino(&["-s"])
        .words(&[own.as_os_str()])
        .words(&["--helper", "arguments", "exit=7", "-l"])
        .finish()?;
    finished.expect_code(7)?.expect_stdout("argument 2d6c\narguments end 5\n")?;
    Ok(())
}

/// dumb-init indexes an array of 32 entries with real-time signals.
pub(crate) fn real_time_signal_overruns_a_table() -> Result<()> {
    for name in ["tino", "dumb-init"] {
        let running = Launch::named(name, &[]).act(&["record=12"]).start()?;
        running.wait_line("ready")?;
        for signal in 32..=64 {
            running.send(signal)?;
            running.wait_value(&format!("got {signal} "))?;
        }
        running.send(libc::SIGUSR2)?;
        running.finish()?.expect_code(0)?;
    }
    Ok(())
}

/// catatonit leaves TSTP, TTIN and TTOU blocked in the child; dumb-init unblocks everything and
/// forgets what was ignored.
pub(crate) fn child_has_another_mask() -> Result<()> {
    for mask in [0, 1 << 9] {
        let launch = Launch::tino(&[]).act(&["status=SigBlk", "status=SigIgn"]);
        let finished = launch.mask(mask).ignore(libc::SIGHUP).finish()?;
        expect_eq!(finished.stdout, format!("SigBlk {mask:016x}\nSigIgn 0000000000000001\n"));
    }
    Ok(())
}

/// dumb-init, `tini -g` and `catatonit -g` lose a TERM that comes before the child has a group.
pub(crate) fn early_sigterm_is_lost() -> Result<()> {
    super::early_signals::none_of_150_is_lost_with_g()
}

/// With tini and lvillis/tino the child stops and the init does not: the shell waits for ever.
pub(crate) fn ctrl_z_wedges_the_terminal() -> Result<()> {
    super::terminal::bg_goes_on_without_the_terminal()
}

/// tini `-p SIGKILL` dies, and its child lives on.
pub(crate) fn parent_death_by_sigkill_leaves_the_child() -> Result<()> {
    super::parent_death::kill_reaches_the_child_too()
}

/// lvillis/tino refuses words that are not UTF-8.
pub(crate) fn words_that_are_not_utf8_are_refused() -> Result<()> {
    use std::os::unix::ffi::OsStrExt as _;
    let strange = std::ffi::OsStr::from_bytes(b"\xff");
    let finished = Launch::tino(&[]).act(&["exit=7"]).words(&[strange]).finish()?;
    finished.expect_code(7)?;
    Ok(())
}

/// lvillis/tino passes on only the signals of a list of 21.
pub(crate) fn unusual_signals_are_dropped() -> Result<()> {
    for place in [Place::Ordinary, Place::PidOne] {
        let running = Launch::tino(&[]).act(&["record=12"]).place(place).start()?;
        running.wait_line("ready")?;
        for signal in [16, 23, 25, 27, 29, 30, 36, 63] {
            running.send(signal)?;
            running.wait_value(&format!("got {signal} "))?;
        }
    }
    Ok(())
}
