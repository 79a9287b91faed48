//! Called by another name, `tino` stands in for that program. These tests hold for the program
//! itself too, for the tests of that name: `TINO_BIN=/usr/bin/tini e2e personality::tini`.

use anyhow::Result;

use crate::expect_eq;
use crate::support::launch::PLACES;
use crate::support::sys::{self, bit};
use crate::support::{Launch, Place, processes, until};

pub(crate) fn tini_tells_its_version() -> Result<()> {
    for name in ["tini", "docker-init", "tini-static"] {
        let finished = Launch::named(name, &["--version"]).finish()?;
        finished.expect_code(0)?.expect_stdout("tini version 0.19.0")?;
    }
    // Alone only: after it, dockerd and scripts pass other words that are no options of tini.
    expect_eq!(Launch::named("tini", &["--version", "x"]).finish()?.code()?, 1);
    Launch::named("tini", &["-h"]).finish()?.expect_code(0)?.expect_stdout("-g")?;
    Launch::named("tini", &["-l"]).finish()?.expect_code(0)?.expect_stdout("MIT")?;
    Ok(())
}

pub(crate) fn tini_warns_where_it_cannot_reap() -> Result<()> {
    let told = |launch: Launch| -> Result<bool> {
        let finished = launch.act(&["exit=7"]).finish()?;
        Ok(finished.expect_code(7)?.stderr.contains("zombie reaping won't work"))
    };
    expect_eq!(told(Launch::named("tini", &[]))?, true);
    expect_eq!(told(Launch::named("tini", &["-s"]))?, false);
    expect_eq!(told(Launch::named("tini", &[]).env("TINI_SUBREAPER="))?, false);
    expect_eq!(told(Launch::named("tini", &[]).env("TINI_SUBREAPER=0"))?, false);
    expect_eq!(told(Launch::named("tini", &[]).env("TINI_VERBOSITY=0"))?, false);
    expect_eq!(told(Launch::named("tini", &[]).place(Place::PidOne))?, false);
    Ok(())
}

pub(crate) fn tini_exits_as_it_always_did() -> Result<()> {
    for (words, code) in [
        (&["-s", "--", "/no/such/program"][..], 127),
        (&["-s", "--", "/proc"], 126),
        (&["-Z", "true"], 1),
        (&["-p", "TERM", "true"], 1),
        (&["-p", "SIGNONE", "true"], 1),
        (&["-e", "256", "true"], 1),
        (&["-s"], 1),
        (&[], 1),
    ] {
        let finished = Launch::named("tini", words).finish()?;
        expect_eq!(finished.code()?, code, "{words:?}: {}", finished.stderr);
    }
    Launch::named("tini", &["-s", "-e", "7"]).act(&["exit=7"]).finish()?.expect_code(0)?;
    Launch::named("tini", &["-s", "-e", "143"]).act(&["die=15"]).finish()?.expect_code(0)?;
    Launch::named("tini", &["-sg", "-p", "SIGTERM"]).act(&["exit=7"]).finish()?.expect_code(7)?;
    Ok(())
}

pub(crate) fn tini_speaks_of_zombies_and_levels() -> Result<()> {
    let running = Launch::named("tini", &["-s", "-vvv"]).act(&["record=15", "exit=7"]).start()?;
    running.wait_line("ready")?;
    running.send(libc::SIGTERM)?;
    let finished = running.finish()?;
    // Warnings and errors go to standard error, the rest to standard output.
    finished.expect_code(7)?.expect_stdout("[INFO  tini (")?.expect_stdout("[DEBUG tini (")?;
    finished.expect_quiet()?;
    let script = ["(", "(", "wait-orphaned", ")", "exit=0", ")", "wait", "record=15"];
    let running = Launch::named("tini", &["-s", "-w"]).act(&script).start()?;
    running.wait_value("parent ")?;
    running.wait_line("ready")?;
    until("it is reaped", || processes::children(running.pid).len() == 1)?;
    running.send(libc::SIGTERM)?;
    let finished = running.finish()?;
    finished.expect_code(0)?.expect_stderr("Reaped zombie process with pid=")?;
    finished.expect_stderr("[WARN  tini (")?;
    Ok(())
}

/// Whether signals reach the grandchild too.
fn to_the_group(launch: Launch) -> Result<bool> {
    launch.act(&["(", "record=12", ")", "record=12"]).start()?.passes_on_to_the_group()
}

pub(crate) fn each_signals_the_group_when_it_always_did() -> Result<()> {
    expect_eq!(to_the_group(Launch::named("tini", &["-s"]))?, false);
    expect_eq!(to_the_group(Launch::named("tini", &["-s", "-g"]))?, true);
    let variable = "TINI_KILL_PROCESS_GROUP=";
    expect_eq!(to_the_group(Launch::named("tini", &["-s"]).env(variable))?, true);
    expect_eq!(to_the_group(Launch::named("dumb-init", &[]))?, true);
    expect_eq!(to_the_group(Launch::named("dumb-init", &["-c"]))?, false);
    expect_eq!(to_the_group(Launch::named("dumb-init", &["--single-child"]))?, false);
    expect_eq!(to_the_group(Launch::named("dumb-init", &[]).env("DUMB_INIT_SETSID=0"))?, false);
    expect_eq!(to_the_group(Launch::named("dumb-init", &[]).env("DUMB_INIT_SETSID=1"))?, true);
    expect_eq!(to_the_group(Launch::named("catatonit", &[]))?, false);
    expect_eq!(to_the_group(Launch::named("catatonit", &["-g"]))?, true);
    Ok(())
}

pub(crate) fn dumb_init_gives_the_child_a_session() -> Result<()> {
    for (words, own) in [(&[][..], true), (&["-c"], false)] {
        let running = Launch::named("dumb-init", words).act(&["say=up", "pause"]).start()?;
        running.wait_line("up")?;
        let child = running.child()?;
        let session = processes::stat(child).map(|stat| stat.session);
        expect_eq!(session == Some(child), own, "{words:?}");
    }
    Ok(())
}

pub(crate) fn dumb_init_exits_as_it_always_did() -> Result<()> {
    for (words, code) in [
        (&["/no/such/program"][..], 2),
        (&["/proc"], 2),
        (&["--no-such-option", "true"], 1),
        (&["-r", "15", "true"], 1),
        (&[], 1),
    ] {
        let finished = Launch::named("dumb-init", words).finish()?;
        expect_eq!(finished.code()?, code, "{words:?}: {}", finished.stderr);
    }
    for option in ["-V", "--version"] {
        let finished = Launch::named("dumb-init", &[option]).finish()?;
        finished.expect_code(0)?.expect_stderr("dumb-init v1.2.5\n")?;
    }
    for option in ["-h", "--help"] {
        Launch::named("dumb-init", &[option])
            .finish()?
            .expect_code(0)?
            .expect_stderr("--rewrite")?;
    }
    Launch::named("dumb-init", &[]).act(&["die=15"]).finish()?.expect_code(143)?;
    Ok(())
}

pub(crate) fn dumb_init_takes_words_cut_short() -> Result<()> {
    for (word, code) in [("--vers", 0), ("--he", 0), ("--ver", 1), ("--", 1), ("--x", 1)] {
        let finished = Launch::named("dumb-init", &[word]).finish()?;
        expect_eq!(finished.code()?, code, "{word}: {}", finished.stderr);
    }
    Ok(())
}

pub(crate) fn dumb_init_rewrites_signals() -> Result<()> {
    for (words, sent, received) in [
        (&["-r", "15:2"][..], 15, 2),
        (&["--rewrite", "15:3"], 15, 3),
        (&["--rew=15:3"], 15, 3),
        (&["--s", "--r", "15:3"], 15, 3),
        (&["-r", "15:2", "-r", "1:10"], 1, 10),
        (&["-c", "-r", "15:2"], 15, 2),
    ] {
        let running = Launch::named("dumb-init", words).act(&["record=0"]).start()?;
        running.wait_line("ready")?;
        running.send(sent)?;
        running.wait_value(&format!("got {received} "))?;
    }
    let running = Launch::named("dumb-init", &["-r", "10:0"]).act(&["record=12"]).start()?;
    running.wait_line("ready")?;
    running.send(libc::SIGUSR1)?;
    running.send(libc::SIGUSR2)?;
    let finished = running.finish()?;
    expect_eq!(finished.expect_code(0)?.stdout.contains("got 10"), false);
    Ok(())
}

pub(crate) fn dumb_init_stops_the_child_and_itself() -> Result<()> {
    for signal in [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
        let running = Launch::named("dumb-init", &[]).act(&["record=12"]).start()?;
        running.wait_line("ready")?;
        let child = running.child()?;
        let stopped = |pid| processes::stat(pid).is_some_and(|stat| stat.state == 'T');
        running.send(signal)?;
        until("both are stopped", || stopped(running.pid) && stopped(child))?;
        running.send(libc::SIGCONT)?;
        until("both go on", || !stopped(running.pid) && !stopped(child))?;
        running.send(libc::SIGUSR2)?;
        running.finish()?.expect_code(0)?;
    }
    Ok(())
}

pub(crate) fn dumb_init_ends_the_group_with_the_child() -> Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let running = Launch::named("dumb-init", &[])
        .act(&["(", "record=15", ")", "record=10", "exit=5"])
        .start()?;
    until("both are ready", || running.stdout().matches("ready").count() == 2)?;
    let grandchild = processes::children(running.child()?)[0];
    sys::send(running.child()?, libc::SIGUSR1)?;
    running.finish()?.expect_code(5)?.expect_stdout("got 10 ")?;
    until("the rest has had TERM", || !processes::alive(grandchild))
}

pub(crate) fn dumb_init_explains_on_demand() -> Result<()> {
    for launch in [
        Launch::named("dumb-init", &["-v"]),
        Launch::named("dumb-init", &["--verbose"]),
        Launch::named("dumb-init", &[]).env("DUMB_INIT_DEBUG=1"),
    ] {
        launch.act(&["exit=7"]).finish()?.expect_code(7)?.expect_stderr("[dumb-init] ")?;
    }
    let quiet = Launch::named("dumb-init", &[]).env("DUMB_INIT_DEBUG=0").act(&["exit=7"]);
    quiet.finish()?.expect_code(7)?.expect_quiet()?;
    Ok(())
}

pub(crate) fn catatonit_exits_as_it_always_did() -> Result<()> {
    for (words, code) in
        [(&["/no/such/program"][..], 1), (&["/proc"], 1), (&["-Z", "true"], 1), (&[], 1)]
    {
        let finished = Launch::named("catatonit", words).finish()?;
        expect_eq!(finished.code()?, code, "{words:?}: {}", finished.stderr);
        finished.expect_stderr("catatonit")?;
    }
    for option in ["-V", "--version"] {
        let finished = Launch::named("catatonit", &[option]).finish()?;
        finished.expect_code(0)?.expect_stdout("tini version")?.expect_stdout("_catatonit")?;
    }
    Launch::named("catatonit", &["-h"]).finish()?.expect_code(0)?;
    Launch::named("catatonit", &["-L"]).finish()?.expect_code(0)?;
    Launch::named("catatonit", &[]).act(&["exit=7"]).finish()?.expect_code(7)?.expect_quiet()?;
    Launch::named("catatonit", &[]).act(&["die=15"]).finish()?.expect_code(143)?;
    Ok(())
}

pub(crate) fn catatonit_adopts_by_itself() -> Result<()> {
    let running = Launch::named("catatonit", &[])
        .act(&["(", "(", "wait-orphaned", ")", "exit=0", ")", "wait", "pause"])
        .start()?;
    expect_eq!(running.wait_value("parent ")?, running.pid.to_string());
    Ok(())
}

pub(crate) fn catatonit_pauses() -> Result<()> {
    pauses(|| Launch::named("catatonit", &["-P"]))
}

pub(crate) fn pause_pauses() -> Result<()> {
    pauses(|| Launch::named("pause", &[]))?;
    let finished = Launch::named("pause", &["-v"]).finish()?;
    finished.expect_code(0)?.expect_stdout("pause")?;
    Ok(())
}

fn pauses(launch: impl Fn() -> Launch) -> Result<()> {
    for place in PLACES {
        for signal in [libc::SIGTERM, libc::SIGINT] {
            let running = launch().place(place).start()?;
            until("it waits", || {
                processes::stat(running.pid).is_some_and(|stat| stat.state == 'S')
            })?;
            running.send(signal)?;
            running.finish()?.expect_code(0)?;
        }
    }
    Ok(())
}

pub(crate) fn options_of_the_others_are_not_theirs() -> Result<()> {
    for (name, words) in [
        ("tini", &["--grace-ms", "5", "true"][..]),
        ("tini", &["-a", "true"]),
        ("dumb-init", &["-g", "true"]),
        ("dumb-init", &["--landlock", "true"]),
        ("catatonit", &["-s", "true"]),
    ] {
        expect_eq!(Launch::named(name, words).finish()?.code()?, 1, "{name} {words:?}");
    }
    Ok(())
}

pub(crate) fn the_mask_is_restored_by_each() -> Result<()> {
    let mask = bit(libc::SIGUSR1);
    for name in ["tini", "dumb-init", "catatonit"] {
        let launch = Launch::named(name, &[]).act(&["status=SigBlk", "status=SigIgn"]).mask(mask);
        let finished = launch.ignore(libc::SIGHUP).finish()?;
        let wanted = format!("SigBlk {mask:016x}\nSigIgn 0000000000000001\n");
        expect_eq!(finished.stdout, wanted, "{name}");
    }
    Ok(())
}
