//! In front of containers and of what runs in them: streams, and keys that leave them.

use std::fs::{self, File};

use anyhow::{Result, ensure};

use super::support::{Engine, end_of};
use crate::expect_eq;
use crate::support::pty::Pty;
use crate::support::{processes, scratch, sys, until};

/// In front of a container, left, and come back, by `run`, `attach` and `start`.
pub(crate) fn containers_are_left_by_keys() -> Result<()> {
    let engine = Engine::new()?;
    let in_front = |words: &[&str], typed: &str, seen: &str, keys: &str| -> Result<()> {
        let (mut terminal, peer) = Pty::open()?;
        let running = engine.launch(words).terminal(peer).start()?;
        until("it runs", || engine.status("one").is_ok_and(|it| it == "running"))?;
        terminal.type_text(typed)?;
        terminal.see(seen)?;
        terminal.type_text(keys)?;
        running.finish()?.expect_code(0)?;
        expect_eq!(engine.status("one")?, "running");
        Ok(())
    };
    let script = "while read a; do echo [$a]; done";
    let run = ["run", "-it", "--name", "one", "box", "sh", "-c", script];
    in_front(&run, "first\n", "[first]", "\x10\x11")?;
    in_front(&["attach", "one"], "again\n", "[again]", "\x10\x11")?;
    in_front(&["attach", "--detach-keys", "q,q", "one"], "\x10x\n", "[\x10x]", "qq")?;
    // Who types nothing has no keys either; a signal ends only the command.
    let (_terminal, peer) = Pty::open()?;
    let words = ["attach", "--no-stdin", "--sig-proxy=false", "one"];
    let running = engine.launch(&words).terminal(peer).start()?;
    until("no signal ends it unseen", || {
        processes::signals(running.pid, "SigBlk").is_ok_and(|it| it & sys::bit(libc::SIGTERM) != 0)
    })?;
    running.send(libc::SIGTERM)?;
    running.finish()?.expect_code(1)?;
    expect_eq!(engine.status("one")?, "running");
    engine.ok(&["stop", "-t", "0", "one"])?;
    let start = ["start", "-ai", "--detach-keys", "ctrl-a", "one"];
    in_front(&start, "third\n", "[third]", "\x01")?;
    engine.ok(&["rm", "-f", "-t", "0", "one"])?;
    engine.is_clean()
}

/// `-a`: each stream, and some together.
pub(crate) fn streams_to_be_in_front_of() -> Result<()> {
    let engine = Engine::new()?;
    let file = scratch("input");
    fs::write(&file, "typed\n")?;
    let script = "cat; echo out; echo err >&2; exit 3";
    for (flags, expected) in [
        (&["-a", "stdout"][..], ("out\n", "")),
        (&["-a", "STDERR"], ("", "err\n")),
        (&["-a", "stdout", "-a", "stderr"], ("out\n", "err\n")),
        (&["-i", "-a", "stdin", "-a", "stdout"], ("typed\nout\n", "")),
        (&["-a", "stdin", "--attach=stderr"], ("", "err\n")),
    ] {
        let words = [&["run", "--rm"], flags, &["box", "sh", "-c", script]].concat();
        let done = end_of(engine.command(&words).stdin(File::open(&file)?))?;
        expect_eq!((done.stdout.as_str(), done.stderr.as_str()), expected, "{flags:?}");
        expect_eq!(done.code, Some(3), "{flags:?}");
    }
    // Who only types sees its id, and leaves when all is typed.
    let words = ["run", "-i", "-a", "stdin", "--name", "one", "box", "sh", "-c", "cat; sleep 100"];
    let done = end_of(engine.command(&words).stdin(File::open(&file)?))?;
    ensure!(done.code == Some(0) && done.stdout.len() == 65, "{done:#?}");
    expect_eq!(engine.status("one")?, "running");
    until("it has read all", || engine.ok(&["logs", "one"]).is_ok_and(|it| it == "typed"))?;
    engine.fails(&["run", "-d", "-a", "stdout", "box", "true"], 125, "cannot be used with")?;
    engine.fails(&["run", "-a", "out", "box", "true"], 125, "stdin")?;
    engine.ok(&["rm", "-f", "-t", "0", "one"])?;
    engine.is_clean()
}

/// Docker's keys, or others: the process goes on, with a terminal that somebody reads, and is
/// buried in the end.
pub(crate) fn added_programs_are_left_by_keys() -> Result<()> {
    let engine = with_one()?;
    let script = "read a; test $a = go && seq 20000 && touch /tmp/$a$0; exec sleep 100";
    for (name, flags, keys) in
        [("1", &[][..], "\x10\x11"), ("2", &["--detach-keys", "ctrl-x,q"], "\x18q")]
    {
        let (mut terminal, peer) = Pty::open()?;
        let words = [&["exec", "-it"], flags, &["one", "sh", "-c", script, name]].concat();
        let running = engine.launch(&words).terminal(peer).start()?;
        terminal.type_text("go\n")?;
        terminal.see("20000")?;
        terminal.type_text(keys)?;
        running.finish()?.expect_code(0)?;
        until("it goes on", || {
            engine.ok(&["exec", "one", "ls", &format!("/tmp/go{name}")]).is_ok()
        })?;
    }
    until("both sleep", || {
        let all = engine.ok(&["exec", "one", "ps", "-o", "args"]).unwrap_or_default();
        all.lines().filter(|line| *line == "sleep 100").count() == 2
    })?;
    // Without keys they are typed; and what ends says how.
    let (mut terminal, peer) = Pty::open()?;
    let words = ["exec", "-it", "--detach-keys=", "one", "sh", "-c", "echo up; read a; exit 7"];
    let running = engine.launch(&words).terminal(peer).start()?;
    terminal.see("up")?;
    terminal.type_text("\x10\x11\n")?;
    running.finish()?.expect_code(7)?;
    let (_terminal, peer) = Pty::open()?;
    let running = engine.launch(&["exec", "-it", "one", "nothing"]).terminal(peer).start()?;
    running.finish()?.expect_code(127)?;
    engine.fails(&["exec", "--detach-keys", "ctrl-1", "one", "true"], 125, "is no key")?;
    engine.ok(&["rm", "-f", "-t", "0", "one"])?;
    engine.is_clean()
}

/// Who kills the command in front of it ends what it has started, as it always was.
pub(crate) fn a_killed_command_hangs_up() -> Result<()> {
    let engine = with_one()?;
    let (mut terminal, peer) = Pty::open()?;
    let words = ["exec", "-it", "one", "sh", "-c", "echo up; exec sleep 77"];
    let running = engine.launch(&words).terminal(peer).start()?;
    terminal.see("up")?;
    running.send(libc::SIGKILL)?;
    running.finish()?;
    until("it has ended", || {
        engine.ok(&["exec", "one", "ps", "-o", "args"]).is_ok_and(|all| !all.contains("sleep 77"))
    })
}

fn with_one() -> Result<Engine> {
    let engine = Engine::new()?;
    engine.start("one", &[], "sleep 1000")?;
    Ok(engine)
}
