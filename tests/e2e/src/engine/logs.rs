//! `tinyo logs`.

use std::fs;

use anyhow::{Result, ensure};

use super::support::Engine;
use crate::expect_eq;

pub(crate) fn what_was_printed() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&[
        "create",
        "--name",
        "one",
        "box",
        "sh",
        "-c",
        "echo out; echo err >&2; echo -n rest",
    ])?;
    engine.fails(&["logs", "none"], 1, "no such container")?;
    expect_eq!(engine.ok(&["logs", "one"])?, "");
    engine.run(&["start", "-a", "one"])?;
    let done = engine.run(&["logs", "one"])?;
    expect_eq!((done.stdout.as_str(), done.stderr.as_str()), ("out\nrest", "err\n"));
    // What is kept is in the format of Kubernetes.
    let id = engine.ok(&["ps", "-aq", "--no-trunc"])?;
    let text = fs::read_to_string(engine.store.join("containers").join(id).join("log"))?;
    ensure!(text.lines().any(|line| line.ends_with("Z stdout F out")), "{text}");
    ensure!(text.lines().any(|line| line.ends_with("Z stdout P rest")), "{text}");
    engine.ok(&["run", "--name", "mute", "--log-driver", "none", "box", "echo", "x"])?;
    expect_eq!(engine.ok(&["logs", "mute"])?, "");
    Ok(())
}

pub(crate) fn tail_and_times() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["run", "--name", "one", "box", "seq", "100"])?;
    expect_eq!(engine.ok(&["logs", "-n", "2", "one"])?, "99\n100");
    expect_eq!(engine.ok(&["logs", "--tail", "0", "one"])?, "");
    expect_eq!(engine.ok(&["logs", "one"])?.lines().count(), 100);
    expect_eq!(engine.ok(&["logs", "--until", "10m", "one"])?, "");
    expect_eq!(engine.ok(&["logs", "--since", "10m", "one"])?.lines().count(), 100);
    let line = engine.ok(&["logs", "-t", "-n", "1", "one"])?;
    ensure!(line.ends_with("Z 100"), "{line}");
    let time = line.split(' ').next().unwrap_or_default();
    expect_eq!(engine.ok(&["logs", "--until", "1970-01-02T00:00:00Z", "one"])?, "");
    ensure!(!time.is_empty());
    engine.fails(&["logs", "--since", "yesterday", "one"], 125, "yesterday")
}

pub(crate) fn follow_to_the_end() -> Result<()> {
    let engine = Engine::new()?;
    engine.start("one", &[], "for i in $(seq 5); do echo $i; sleep 0.1; done")?;
    expect_eq!(engine.ok(&["logs", "-f", "one"])?, "1\n2\n3\n4\n5");
    Ok(())
}

pub(crate) fn full_files_are_renamed() -> Result<()> {
    let engine = Engine::new()?;
    let flags = ["--log-opt", "max-size=1k", "--log-opt", "max-file=3"];
    engine.ok(&[
        &["run", "--name", "one"],
        &flags[..],
        &["box", "sh", "-c", "for i in $(seq 200); do echo line $i; done"],
    ]
    .concat())?;
    let text = engine.ok(&["logs", "one"])?;
    ensure!(text.ends_with("line 200") && text.lines().count() < 200, "{text}");
    let id = engine.ok(&["ps", "-aq", "--no-trunc"])?;
    let folder = engine.store.join("containers").join(id);
    ensure!(folder.join("log.2").exists() && !folder.join("log.3").exists());
    Ok(())
}

/// Of several containers, with their ids or names.
pub(crate) fn of_several() -> Result<()> {
    let engine = Engine::new()?;
    let mut ids = Vec::new();
    for name in ["aa", "bb"] {
        let script = format!("echo {name}1; sleep 0.3; echo {name}2 >&2");
        ids.push(engine.start(name, &[], &script)?);
    }
    let done = engine.run(&["logs", "-f", "--names", "aa", "bb"])?;
    let mut lines: Vec<_> = done.stdout.lines().collect();
    lines.sort_unstable();
    expect_eq!(lines, ["aa aa1", "bb bb1"]);
    ensure!(done.stderr.contains("aa aa2\n") && done.stderr.contains("bb bb2\n"), "{done:#?}");
    expect_eq!(
        engine.ok(&["logs", "-n", "2", "aa", "bb"])?.lines().next(),
        Some(&*format!("{} aa1", &ids[0][..12]))
    );
    expect_eq!(engine.ok(&["logs", "--names", "--color", "aa"])?, "\x1b[31maa\x1b[0m aa1");
    expect_eq!(engine.ok(&["logs", "-l"])?, "bb1");
    engine.fails(&["logs", "aa", "none"], 1, "no such container: none")
}
