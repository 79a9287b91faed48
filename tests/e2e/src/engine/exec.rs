//! `tinyo exec`.

use std::fs::{self, File};

use anyhow::{Context as _, Result, ensure};

use super::support::{Engine, end_of};
use crate::expect_eq;
use crate::support::pty::Pty;
use crate::support::{scratch, until};

fn started() -> Result<Engine> {
    let engine = Engine::new()?;
    engine.start("one", &["-e", "A=1", "-w", "/data"], "sleep 1000")?;
    Ok(engine)
}

pub(crate) fn a_program_more() -> Result<()> {
    let engine = started()?;
    let done = engine.run(&["exec", "one", "sh", "-c", "echo out; echo err >&2"])?;
    expect_eq!((done.stdout.as_str(), done.stderr.as_str()), ("out\n", "err\n"));
    ensure!(engine.ok(&["exec", "one", "ps"])?.contains("sleep 1000"));
    engine.ok(&["exec", "-d", "one", "sh", "-c", "echo x > /tmp/mark; sleep 1000"])?;
    until("it has left its mark", || {
        engine.run(&["exec", "one", "test", "-e", "/tmp/mark"]).is_ok_and(|it| it.code == Some(0))
    })?;
    engine.ok(&["rm", "-f", "one"])?;
    engine.is_clean()
}

pub(crate) fn users_variables_and_folders() -> Result<()> {
    let engine = started()?;
    let shell = |flags: &[&str], script: &str| {
        engine.ok(&[&["exec"], flags, &["one", "sh", "-c", script]].concat())
    };
    expect_eq!(shell(&[], "echo $A,$B,$PWD")?, "1,,/data");
    expect_eq!(shell(&["-e", "B=2", "-w", "/tmp"], "echo $A,$B,$PWD")?, "1,2,/tmp");
    expect_eq!(shell(&["-u", "web"], "id")?, "uid=33(web) gid=34(web) groups=4(log),34(web)");
    ensure!(shell(&["-u", "33"], "grep CapEff /proc/self/status")?.ends_with("0000000000000000"));
    // Whatever there is here.
    let own = std::fs::read_to_string("/proc/self/status")?;
    let own = own.lines().find_map(|line| line.strip_prefix("CapBnd:\t")).context("a line")?;
    expect_eq!(
        shell(&["--privileged"], "grep CapEff /proc/self/status")?,
        format!("CapEff:\t{own}")
    );
    expect_eq!(
        shell(&[], "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status")?,
        "NoNewPrivs:\t1\nSeccomp:\t2"
    );
    Ok(())
}

pub(crate) fn input_is_passed_on() -> Result<()> {
    let engine = started()?;
    let file = scratch("input");
    let text: String = (0..100_000).map(|number| format!("{number}\n")).collect();
    fs::write(&file, &text)?;
    let mut command = engine.command(&["exec", "-i", "one", "cat"]);
    let done = end_of(command.stdin(File::open(&file)?))?;
    ensure!(done.code == Some(0) && done.stdout == text, "{:?} {}", done.code, done.stdout.len());
    let mut command = engine.command(&["exec", "one", "cat"]);
    expect_eq!(end_of(command.stdin(File::open(&file)?))?.stdout, "");
    Ok(())
}

pub(crate) fn with_a_terminal() -> Result<()> {
    let engine = started()?;
    let (mut terminal, peer) = Pty::open()?;
    let launch =
        engine.launch(&["exec", "-it", "one", "sh", "-c", "test -t 0 && read a; echo got $a"]);
    let running = launch.terminal(peer).start()?;
    terminal.type_text("xyz\n")?;
    terminal.see("got xyz")?;
    running.finish()?.expect_code(0)?;
    Ok(())
}

pub(crate) fn exit_codes() -> Result<()> {
    let engine = started()?;
    for (words, code) in [
        (&["sh", "-c", "exit 9"][..], 9),
        (&["sh", "-c", "kill -9 $$"], 137),
        (&["no-such-program"], 127),
        (&["/etc/passwd"], 126),
    ] {
        let done = engine.run(&[&["exec", "one"], words].concat())?;
        ensure!(done.code == Some(code), "{words:?}: {done:#?}");
    }
    Ok(())
}

pub(crate) fn only_where_something_runs() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["create", "--name", "two", "box", "true"])?;
    engine.fails(&["exec", "two", "true"], 1, "not started")?;
    engine.fails(&["exec", "none", "true"], 1, "no such container")
}

pub(crate) fn the_callers_files_stay_out_of_reach() -> Result<()> {
    let engine = started()?;
    let file = scratch("output");
    let mut command = engine.command(&[
        "exec",
        "one",
        "sh",
        "-c",
        "ls -l /proc/self/fd/1; test -p /dev/stdout && echo pipe >&2",
    ]);
    command.stdout(File::create(&file)?);
    let done = end_of(&mut command)?;
    expect_eq!(done.stderr, "pipe\n");
    ensure!(fs::read_to_string(&file)?.contains("pipe:"));
    Ok(())
}
