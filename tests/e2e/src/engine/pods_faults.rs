//! Pods: killed at any moment, and many at once.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::faults::guard;
use super::pods::{groups, infra, kill, member, state};
use super::support::Engine;
use crate::expect_eq;
use crate::support::{processes, sys, until};

pub(crate) fn a_killed_monitor() -> Result<()> {
    let engine = Engine::new()?;
    for share in ["net,ipc,uts", "net,ipc,uts,pid"] {
        let flags = ["--network", "none", "--share", share];
        engine.ok(&[&["pod", "create", "--name", "one"], &flags[..]].concat())?;
        let ids = [member(&engine, "one", "first", &[])?, member(&engine, "one", "second", &[])?];
        // Of one of them.
        let pid: i32 = engine.field("first", "Pid")?.parse()?;
        kill(engine.monitor(&ids[0])?)?;
        expect_eq!(state(&engine, "one")?, "Degraded");
        expect_eq!(engine.field("first", "ExitCode")?, "137");
        ensure!(!processes::alive(pid), "its program goes on");
        engine.ok(&["start", "first"])?;
        // Of what holds the namespaces: nobody goes on in what nobody holds.
        let pids: Vec<i32> = ["first", "second"]
            .map(|name| engine.field(name, "Pid"))
            .into_iter()
            .map(|text| Ok(text?.parse()?))
            .collect::<Result<_>>()?;
        // The guard would be at it, too, and have ended one after the other.
        let stopped = guard::stop(&engine)?;
        kill(engine.monitor(&infra(&engine, "one")?)?)?;
        expect_eq!(state(&engine, "one")?, "Exited");
        sys::send(stopped, libc::SIGCONT)?;
        ensure!(!pids.iter().any(|pid| processes::alive(*pid)), "programs go on");
        expect_eq!(
            groups(&engine, "one")?.iter().filter(|it| it.join(&ids[0]).exists()).count(),
            0
        );
        // All three at once.
        engine.ok(&["pod", "start", "one"])?;
        expect_eq!(state(&engine, "one")?, "Running");
        let all = [&infra(&engine, "one")?, &ids[0], &ids[1]];
        let monitors: Vec<i32> =
            all.into_iter().map(|id| engine.monitor(id)).collect::<Result<_>>()?;
        for monitor in monitors {
            // With the process ids of the first one the others end.
            let _ = sys::send(monitor, libc::SIGKILL);
            until("it has ended", || !processes::alive(monitor))?;
        }
        until("all have ended", || state(&engine, "one").is_ok_and(|it| it == "Exited"))?;
        // And by its process alone.
        engine.ok(&["pod", "start", "one"])?;
        let infra = infra(&engine, "one")?;
        engine.ok(&["kill", &infra])?;
        until("all have ended", || state(&engine, "one").is_ok_and(|it| it == "Exited"))?;
        engine.ok(&["pod", "rm", "one"])?;
        engine.is_clean()?;
    }
    Ok(())
}

/// Whatever command is killed, and whenever: the next ones can go on from there.
pub(crate) fn killed_commands() -> Result<()> {
    let engine = Engine::new()?;
    let commands: [&[&str]; 6] = [
        &["pod", "create", "--name", "one"],
        &["run", "-d", "--name", "first", "--pod", "one", "box", "sleep", "1000"],
        &["pod", "start", "one"],
        &["pod", "stop", "-t", "0", "one"],
        &["pod", "restart", "one"],
        &["pod", "rm", "-f", "-t", "0", "one"],
    ];
    for round in 0..8_u64 {
        for words in commands {
            let mut command = engine.command(words);
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
            let mut running = command.spawn()?;
            std::thread::sleep(Duration::from_millis(1 + round * 7));
            running.kill()?;
            running.wait()?;
        }
        // What is there can be looked at, stopped, started and removed.
        engine.ok(&["ps", "-a"])?;
        engine.ok(&["pod", "ps"])?;
        engine.run(&["pod", "create", "--name", "one"])?;
        engine.ok(&["pod", "start", "one"])?;
        expect_eq!(state(&engine, "one")?, "Running");
        engine.ok(&["pod", "rm", "-f", "-t", "0", "one"])?;
        engine.ok(&["pod", "prune", "-f"])?;
        engine.is_clean()?;
    }
    Ok(())
}

/// Whoever removed it was killed when its row was gone: its cgroup stayed for ever.
pub(crate) fn a_pod_that_is_half_removed() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["pod", "create", "--name", "one", "--network", "none"])?;
    engine.ok(&["pod", "start", "one"])?;
    let found = groups(&engine, "one")?;
    ensure!(!found.is_empty());
    // Another one, as the first is.
    let (id, lost) = (engine.ok(&["pod", "inspect", "-f", "{{.Id}}", "one"])?, "0".repeat(64));
    let pods = engine.store.join("pods");
    fs::create_dir(pods.join(&lost))?;
    let path = fs::read_to_string(pods.join(&id).join("cgroup"))?;
    fs::write(pods.join(&lost).join("cgroup"), path.replace(&id, &lost))?;
    let left: Vec<PathBuf> =
        found.iter().map(|it| it.to_string_lossy().replace(&id, &lost).into()).collect();
    left.iter().try_for_each(fs::create_dir)?;
    let text = format!("pod {lost}: it was removed, and its cgroup is left");
    let done = engine.run(&["system", "check", "--quick"])?;
    ensure!(done.code == Some(1) && done.stdout.contains(&text), "{done:#?}");
    engine.ok(&["container", "prune", "-f"])?;
    ensure!(!left.iter().any(|it| it.exists()) && !pods.join(&lost).exists());
    ensure!(found.iter().all(|it| it.exists()));
    engine.ok(&["system", "check", "--quick"])?;
    engine.ok(&["pod", "rm", "-f", "one"])?;
    engine.is_clean()
}

pub(crate) fn many_at_once() -> Result<()> {
    let engine = Engine::new()?;
    let mut running = Vec::new();
    for number in 0..20 {
        let pod = format!("new:pod{number}");
        let words = ["run", "-d", "--pod", &pod, "box", "sleep", "1000"];
        running.push(engine.launch(&words).start()?);
    }
    for one in running {
        one.finish()?.expect_code(0)?;
    }
    expect_eq!(engine.ok(&["pod", "ps", "-q", "-f", "status=running"])?.lines().count(), 20);
    // Many in one pod, which the first of them brings up.
    engine.ok(&["pod", "stop", "-t", "0", "pod0"])?;
    let many = (0..10)
        .map(|_| engine.launch(&["run", "--rm", "--pod", "pod0", "box", "hostname"]).start());
    let many: Vec<_> = many.collect::<Result<_>>()?;
    for one in many {
        one.finish()?.expect_code(0)?.expect_stdout("pod0\n")?;
    }
    // One name for two.
    let both: Vec<_> = (0..2)
        .map(|_| engine.launch(&["pod", "create", "--name", "two"]).start())
        .collect::<Result<_>>()?;
    let mut codes = both.into_iter().map(|one| one.finish()?.code()).collect::<Result<Vec<_>>>()?;
    codes.sort_unstable();
    expect_eq!(codes, [0, 125]);
    // All of them by two commands.
    let both: Vec<_> = (0..2)
        .map(|_| engine.launch(&["pod", "rm", "-f", "-t", "0", "-a"]).start())
        .collect::<Result<_>>()?;
    for one in both {
        one.finish()?.expect_code(0)?;
    }
    engine.is_clean()
}

pub(crate) fn removed_while_it_starts() -> Result<()> {
    let engine = Engine::new()?;
    for round in 0..10_u64 {
        engine.ok(&["pod", "create", "--name", "one", "--network", "none"])?;
        engine.ok(&["create", "--name", "first", "--pod", "one", "box", "sleep", "1000"])?;
        let starting = engine.launch(&["pod", "start", "one"]).start()?;
        let more = ["run", "-d", "--pod", "one", "box", "sleep", "1000"];
        let running = engine.launch(&more).start()?;
        std::thread::sleep(Duration::from_millis(round * 4));
        engine.ok(&["pod", "rm", "-f", "-t", "0", "one"])?;
        // Both may come too late, and say so.
        for one in [starting, running] {
            let finished = one.finish()?;
            ensure!(matches!(finished.code()?, 0 | 125), "{finished:?}");
        }
        engine.is_clean()?;
    }
    Ok(())
}
