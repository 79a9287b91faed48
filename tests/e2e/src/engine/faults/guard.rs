//! A monitor that was killed is noticed without a command: nobody calls `tinyo` in between, and what
//! is asserted is read from files and `/proc`.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::kill;
use crate::engine::pods::{infra, member};
use crate::engine::rootless::User;
use crate::engine::support::Engine;
use crate::expect_eq;
use crate::support::{processes, sys, until};

const ALWAYS: [&str; 3] = ["--network=none", "--restart", "always"];

/// The processes whose words have all of these.
fn with_words(wanted: &[&str]) -> Vec<i32> {
    let own = std::process::id().cast_signed();
    let fits = |pid: i32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<_> = words.split(|it| *it == 0).map(String::from_utf8_lossy).collect();
        wanted.iter().all(|wanted| words.iter().any(|word| word.starts_with(wanted)))
    };
    let all = processes::all().into_iter().map(|(pid, _)| pid);
    all.filter(|pid| *pid != own && processes::alive(*pid) && fits(*pid)).collect()
}

/// The guard of a store, and processes that it has started.
fn guards(engine: &Engine) -> Vec<i32> {
    with_words(&["guard", &engine.store.to_string_lossy()])
}

/// The one there is, when it has done what it does first.
fn guard(engine: &Engine) -> Result<i32> {
    let mut found = Vec::new();
    until("there is one guard", || {
        found = guards(engine);
        found.len() == 1
    })?;
    let guard = *found.first().context("a guard")?;
    until("it is at nothing", || processes::children(guard).is_empty())?;
    Ok(guard)
}

/// Stops the one there is, for trials in which a command is to be the first.
pub(in crate::engine) fn stop(engine: &Engine) -> Result<i32> {
    let guard = guard(engine)?;
    sys::send(guard, libc::SIGSTOP)?;
    Ok(guard)
}

/// Waits until a container has another monitor than this one, and runs, and has been started again so
/// often.
fn until_replaced(engine: &Engine, id: &str, before: i32, restarts: u32) -> Result<i32> {
    let state = engine.store.join("containers").join(id).join("state");
    let mut found = None;
    until("another monitor runs it", || {
        found = engine.monitor(id).ok().filter(|now| *now != before);
        let text = fs::read_to_string(&state).unwrap_or_default();
        let last = text.trim_end().rsplit("\n\n").next().unwrap_or_default().to_owned();
        let has = |line: &str| last.lines().any(|it| it == line);
        found.is_some() && has("phase running") && has(&format!("restarts {restarts}"))
    })?;
    found.context("a monitor")
}

pub(crate) fn a_container_runs_again_without_a_command() -> Result<()> {
    let engine = Engine::new()?;
    engine.start("plain", &["--network=none"], "sleep 1000")?;
    std::thread::sleep(Duration::from_millis(300));
    ensure!(guards(&engine).is_empty(), "one that no policy needs");
    let flags = ["--restart", "on-failure", "-p", "27230:80"];
    let ids =
        [engine.start("one", &ALWAYS, "sleep 1000")?, engine.start("two", &flags, "sleep 1000")?];
    let first = guard(&engine)?;
    let mut monitors = [engine.monitor(&ids[0])?, engine.monitor(&ids[1])?];
    for round in 1..=2 {
        monitors.iter().try_for_each(|it| kill(*it))?;
        for (id, monitor) in ids.iter().zip(&mut monitors) {
            *monitor = until_replaced(&engine, id, *monitor, round)?;
        }
    }
    expect_eq!(guard(&engine)?, first, "the same one");
    expect_eq!(engine.field("two", "Ports")?, "0.0.0.0:27230->80/tcp, [::]:27230->80/tcp");
    engine.ok(&["rm", "-f", "two", "plain"])?;
    expect_eq!(guard(&engine)?, first);
    engine.ok(&["stop", "-t", "0", "one"])?;
    until("it has ended", || guards(&engine).is_empty())?;
    expect_eq!(engine.status("one")?, "exited");
    engine.ok(&["rm", "one"])?;
    engine.is_clean()
}

pub(crate) fn a_killed_guard_is_replaced() -> Result<()> {
    let engine = Engine::new()?;
    let ids =
        [engine.start("one", &ALWAYS, "sleep 1000")?, engine.start("two", &ALWAYS, "sleep 1000")?];
    let first = guard(&engine)?;
    // It is a monitor's child, which buries it.
    kill(first)?;
    let second = guard(&engine)?;
    ensure!(second != first);
    // Both at once: who is left starts another one, which looks at everything.
    let monitor = engine.monitor(&ids[0])?;
    sys::send(second, libc::SIGKILL)?;
    kill(monitor)?;
    let now = until_replaced(&engine, &ids[0], monitor, 1)?;
    let third = guard(&engine)?;
    // Who has started it has it as a child besides the container.
    let monitors = [now, engine.monitor(&ids[1])?];
    until("no more than the containers and the guard are left", || {
        monitors.iter().map(|pid| processes::children(*pid).len()).sum::<usize>() <= 3
    })?;
    // One that does not come to its work keeps nobody waiting.
    sys::send(third, libc::SIGSTOP)?;
    engine.ok(&["restart", "-t", "0", "one"])?;
    engine.start("three", &ALWAYS, "sleep 1000")?;
    sys::send(third, libc::SIGCONT)?;
    engine.ok(&["rm", "-f", "-a"])?;
    engine.is_clean()
}

/// What somebody has said meanwhile holds.
pub(crate) fn who_stops_or_removes_it_is_obeyed() -> Result<()> {
    let engine = Engine::new()?;
    for verb in ["stop -t 0 one", "rm -f one"] {
        let id = engine.start("one", &ALWAYS, "sleep 1000")?;
        let guard = guard(&engine)?;
        sys::send(guard, libc::SIGSTOP)?;
        kill(engine.monitor(&id)?)?;
        engine.ok(&verb.split(' ').collect::<Vec<_>>())?;
        sys::send(guard, libc::SIGCONT)?;
        until("the guard has nothing to do", || guards(&engine).is_empty())?;
        ensure!(engine.monitor(&id).is_err(), "{verb}: it runs");
        engine.run(&["rm", "one"])?;
    }
    // And which policy it has.
    let id = engine.start("one", &["--network=none"], "sleep 1000")?;
    engine.ok(&["update", "--restart", "always", "one"])?;
    guard(&engine)?;
    let monitor = engine.monitor(&id)?;
    kill(monitor)?;
    until_replaced(&engine, &id, monitor, 1)?;
    engine.ok(&["update", "--restart", "no", "one"])?;
    until("no guard is needed", || guards(&engine).is_empty())?;
    kill(engine.monitor(&id)?)?;
    expect_eq!(engine.status("one")?, "exited");
    engine.ok(&["rm", "one"])?;
    engine.is_clean()
}

/// Whoever looks at it for the guard may be killed as well, or have to wait.
pub(crate) fn a_killed_healer_is_replaced() -> Result<()> {
    let engine = Engine::new()?;
    let ids =
        [engine.start("one", &ALWAYS, "sleep 1000")?, engine.start("two", &ALWAYS, "sleep 1000")?];
    let guard = guard(&engine)?;
    let folder = File::open(engine.store.join("containers").join(&ids[0]))?;
    rustix::fs::flock(&folder, rustix::fs::FlockOperation::LockExclusive)?;
    let monitors = [engine.monitor(&ids[0])?, engine.monitor(&ids[1])?];
    kill(monitors[0])?;
    until("somebody looks at it", || !processes::children(guard).is_empty())?;
    // The other one does not wait for that.
    kill(monitors[1])?;
    until_replaced(&engine, &ids[1], monitors[1], 1)?;
    let healer = *processes::children(guard).first().context("it waits")?;
    kill(healer)?;
    rustix::fs::flock(&folder, rustix::fs::FlockOperation::Unlock)?;
    until_replaced(&engine, &ids[0], monitors[0], 1)?;
    engine.ok(&["rm", "-f", "-a"])?;
    engine.is_clean()
}

/// One whose monitor is killed again and again is started more and more seldom.
pub(crate) fn the_waits_become_longer() -> Result<()> {
    let engine = Engine::new()?;
    let id = engine.start("one", &ALWAYS, "sleep 1000")?;
    guard(&engine)?;
    let mut monitor = engine.monitor(&id)?;
    let mut waits = Vec::new();
    for round in 1..=5 {
        // It may be dead long before this goes on.
        let begin = Instant::now();
        kill(monitor)?;
        monitor = until_replaced(&engine, &id, monitor, round)?;
        waits.push(begin.elapsed());
    }
    // 100, 200, 400, 800, 1600 ms: a slow machine makes them longer, and none shorter.
    for (number, least) in [100, 200, 400, 800, 1600].into_iter().enumerate() {
        ensure!(waits[number] >= Duration::from_millis(least), "{waits:?}");
    }
    engine.ok(&["rm", "-f", "one"])?;
    engine.is_clean()
}

/// That of what holds a pod's namespaces: who shares them comes back with it.
pub(crate) fn a_pod_comes_back_without_a_command() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["pod", "create", "--name", "pod", "--network", "none"])?;
    let first = member(&engine, "pod", "first", &["--restart", "always"])?;
    let second = member(&engine, "pod", "second", &[])?;
    let held = infra(&engine, "pod")?;
    guard(&engine)?;
    let programs = ["first", "second"].map(|name| engine.field(name, "Pid"));
    let before = engine.monitor(&held)?;
    kill(before)?;
    until("what holds the namespaces is there again", || {
        engine.monitor(&held).is_ok_and(|now| now != before)
    })?;
    for program in programs {
        let program: i32 = program?.parse()?;
        until("nobody is left in those of before", || !processes::alive(program))?;
    }
    until("who has no policy has ended", || engine.monitor(&second).is_err())?;
    until("who has one runs", || {
        engine.monitor(&first).is_ok_and(|it| !processes::children(it).is_empty())
    })?;
    engine.until_status("first", "running")?;
    expect_eq!(engine.status("second")?, "exited");
    engine.ok(&["pod", "rm", "-f", "-t", "0", "pod"])?;
    engine.is_clean()
}

pub(crate) fn a_users_container_runs_again_without_a_command() -> Result<()> {
    let user = User::new()?;
    let words = ["run", "-d", "--name", "one", "--network=none", "--restart=always", "box"];
    let id = user.ok(&[&words[..], &["sleep", "1000"]].concat())?;
    let store = user.home.join("store").to_string_lossy().into_owned();
    until("there is a guard", || !with_words(&["guard", &store]).is_empty())?;
    for _ in 0..2 {
        let before = User::monitor(&id)?;
        kill(before)?;
        let mut last = Vec::new();
        until("another monitor is there", || {
            last = User::monitor(&id).into_iter().collect();
            last.first().is_some_and(|now| *now != before && !processes::children(*now).is_empty())
        })?;
        // In the user's namespace, as before: his commands find it.
        until("it runs", || {
            user.ok(&["ps", "--format={{.Names}} {{.State}}"]).is_ok_and(|it| it == "one running")
        })?;
        expect_eq!(user.ok(&["exec", "one", "echo", "here"])?, "here");
    }
    user.ok(&["rm", "-f", "one"])?;
    until("the guard has ended", || with_words(&["guard", &store]).is_empty())
}
