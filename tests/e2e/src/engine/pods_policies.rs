//! Pods: what lives how long, and what is kept.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::pods::{infra, kill, link, member, state};
use super::support::Engine;
use crate::expect_eq;
use crate::support::until;

pub(crate) fn policies() -> Result<()> {
    let engine = Engine::new()?;
    // What the pod says for those that say nothing.
    let flags = ["--network", "none", "--restart", "on-failure:2"];
    engine.ok(&[&["pod", "create", "--name", "one"], &flags[..]].concat())?;
    engine.start("thrice", &["--pod", "one", "-v", "count:/c"], "echo x >> /c/c; exit 1")?;
    engine.start("once", &["--pod", "one", "--restart", "no"], "exit 1")?;
    engine.until_status("thrice", "exited")?;
    let path = engine.store.join("volumes/count/_data/c");
    expect_eq!(fs::read_to_string(path)?.lines().count(), 3);
    engine.until_status("once", "exited")?;
    expect_eq!(engine.field("once", "ExitCode")?, "1");
    // Whoever is started again is in the pod again.
    engine.start("always", &["--pod", "one", "--restart", "always"], "sleep 1000")?;
    member(&engine, "one", "other", &["--restart", "no"])?;
    let pid: i32 = engine.field("always", "Pid")?.parse()?;
    kill(pid)?;
    until("it runs again", || {
        engine.status("always").is_ok_and(|it| it == "running")
            && engine.field("always", "Pid").is_ok_and(|it| it != pid.to_string() && it != "0")
    })?;
    expect_eq!(link(&engine, "always", "ipc")?, link(&engine, "other", "ipc")?);
    // And what holds the namespaces comes back for its sake.
    let infra = infra(&engine, "one")?;
    let pid = engine.field("always", "Pid")?;
    kill(engine.monitor(&infra)?)?;
    engine.until_status("other", "exited")?;
    until("it is back", || {
        engine.status("always").is_ok_and(|it| it == "running")
            && engine.field("always", "Pid").is_ok_and(|it| it != pid && it != "0")
    })?;
    engine.ok(&["start", "other"])?;
    expect_eq!(link(&engine, "always", "ipc")?, link(&engine, "other", "ipc")?);
    engine.ok(&["pod", "stop", "-t", "0", "one"])?;
    expect_eq!(state(&engine, "one")?, "Exited");
    engine.ok(&["pod", "rm", "one"])?;
    // What ends with its last container.
    engine.ok(&["pod", "create", "--name", "two", "--network", "none", "--exit-policy", "stop"])?;
    member(&engine, "two", "long", &[])?;
    engine.start("short", &["--pod", "two"], "true")?;
    engine.until_status("short", "exited")?;
    expect_eq!(state(&engine, "two")?, "Degraded");
    engine.ok(&["kill", "long"])?;
    until("it has ended", || state(&engine, "two").is_ok_and(|it| it == "Exited"))?;
    engine.ok(&["pod", "rm", "two"])?;
    engine.ok(&["volume", "rm", "count"])?;
    engine.is_clean()
}

pub(crate) fn a_pod_that_goes_with_its_last_container() -> Result<()> {
    let engine = Engine::new()?;
    let run = ["run", "--rm", "--network", "none", "-h", "host", "--pod", "new:one", "box"];
    expect_eq!(engine.ok(&[&run[..], &["hostname"]].concat())?, "host");
    until("the pod is gone", || engine.ok(&["pod", "ps", "-q"]).is_ok_and(|text| text.is_empty()))?;
    // One that stays, and one that could not be made for.
    engine.ok(&[
        "run",
        "--network",
        "none",
        "--pod",
        "new:two",
        "--name",
        "first",
        "box",
        "true",
    ])?;
    expect_eq!(engine.ok(&["pod", "ps", "--format", "{{.Name}}"])?, "two");
    let taken =
        ["run", "--network", "none", "--pod", "new:three", "--name", "first", "box", "true"];
    engine.fails(&taken, 125, "in use by container")?;
    expect_eq!(engine.ok(&["pod", "ps", "--format", "{{.Name}}"])?, "two");
    let file = engine.store.join("pod-id");
    let file = file.to_str().context("UTF-8")?;
    let create = ["pod", "create", "--network", "none", "--replace", "--pod-id-file", file, "two"];
    let id = engine.ok(&create)?;
    expect_eq!(fs::read_to_string(file)?, id);
    let inside = ["run", "--rm", "--pod-id-file", file, "box", "hostname"];
    expect_eq!(engine.ok(&inside)?, "two");
    engine.ok(&["pod", "rm", "-f", "-t", "0", "--pod-id-file", file])?;
    engine.is_clean()
}

pub(crate) fn volumes() -> Result<()> {
    let engine = Engine::new()?;
    let flags = ["--network", "none", "-v", "/shared", "-v", "named:/named:ro"];
    engine.ok(&[&["pod", "create", "--name", "one"], &flags[..]].concat())?;
    member(&engine, "one", "first", &[])?;
    member(&engine, "one", "second", &["-v", "/own:/named"])?;
    engine.ok(&["exec", "first", "sh", "-c", "echo word > /shared/file"])?;
    expect_eq!(engine.ok(&["exec", "second", "cat", "/shared/file"])?, "word");
    let done = engine.run(&["exec", "first", "touch", "/named/file"])?;
    ensure!(done.code != Some(0) && done.stderr.contains("Read-only"), "{done:#?}");
    // The one without a name goes with the pod.
    engine.ok(&["rm", "-f", "-v", "first"])?;
    expect_eq!(engine.ok(&["exec", "second", "cat", "/shared/file"])?, "word");
    engine.ok(&["pod", "rm", "-f", "-t", "0", "one"])?;
    expect_eq!(engine.ok(&["volume", "ls", "-q"])?, "named");
    engine.ok(&["volume", "rm", "named"])?;
    engine.is_clean()
}
