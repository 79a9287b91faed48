//! Pods whose processes are killed at random moments: commands, monitors, the one that holds the
//! namespaces, and first processes.

use anyhow::{Result, ensure};

use super::storm::{Random, nothing_is_left, rage, what_is_told_is_true};
use crate::engine::pods::{infra, state};
use crate::engine::support::Engine;
use crate::support::until;

const PODS: usize = 4;
const MEMBERS: usize = 3;
const POLICIES: [&str; 3] = ["no", "always", "on-failure"];

/// A pod is always made in the same way, and so is each of its containers.
fn create(pod: usize) -> String {
    let flags = match pod {
        0 => "--network none --share net,ipc,uts,pid",
        1 => "--network bridge -p 27001:80",
        2 => "--network own -p 27002:80 --memory 128m",
        _ => "--network own --exit-policy stop",
    };
    format!("pod create --name p{pod} {flags}")
}

/// Some end by themselves.
fn run(pod: usize, number: usize) -> String {
    let policy = POLICIES[(pod + number) % POLICIES.len()];
    let flags = if number == 2 { "-v /anonymous " } else { "" };
    let script = if number == 1 { "sleep\t1;exit\t3" } else { "sleep\t1000" };
    format!("-d --name p{pod}c{number} --pod p{pod} --restart {policy} {flags}box sh -c {script}")
}

fn command(random: &mut Random) -> String {
    let (pod, number) = (random.below(PODS), random.below(MEMBERS));
    let words = random.pick(&[
        "CREATE",
        "CREATE",
        "RUN",
        "RUN",
        "RUN",
        "RUN",
        "pod start POD",
        "pod start POD",
        "pod stop -t 0 POD",
        "pod restart POD",
        "pod kill POD",
        "pod pause POD",
        "pod unpause POD",
        "pod rm -f -t 0 POD",
        "pod ps",
        "pod inspect POD",
        "pod prune -f",
        "ps -a",
        "start NAME",
        "stop -t 0 NAME",
        "restart -t 0 NAME",
        "kill NAME",
        "rm -f -v NAME",
        "exec NAME true",
        "run --rm -d --pod POD box sleep 1",
        "run -d --pod new:lone --restart always box sleep 1000",
        "pod rm -f -t 0 lone",
        "system check --quick",
    ]);
    match words {
        "CREATE" => create(pod),
        "RUN" => format!("run {}", run(pod, number)),
        words => {
            words.replace("POD", &format!("p{pod}")).replace("NAME", &format!("p{pod}c{number}"))
        }
    }
}

pub(crate) fn kills_at_random_moments() -> Result<()> {
    let engine = Engine::new()?;
    let mut random = Random::new()?;
    engine.ok(&["network", "create", "own"])?;
    let known = rage(&engine, &mut random, command)?;
    what_is_told_is_true(&engine)?;
    pods_are_as_their_containers(&engine)?;
    pods_can_be_used(&engine)?;
    nothing_is_left(&engine, &known)
}

/// Nobody runs in namespaces that nobody holds.
fn pods_are_as_their_containers(engine: &Engine) -> Result<()> {
    for name in engine.ok(&["pod", "ps", "--format={{.Name}}"])?.lines() {
        let filter = format!("--filter=pod={name}");
        let format = "--format={{.ID}} {{.State}}";
        let all = engine.ok(&["ps", "-a", "--no-trunc", &filter, format])?;
        let infra = infra(engine, name)?;
        let runs = |line: &&str| line.ends_with(" running") || line.ends_with(" paused");
        let (holders, members): (Vec<&str>, Vec<&str>) =
            all.lines().partition(|line| line.starts_with(&infra));
        let is_held = holders.iter().any(runs);
        if !is_held && members.iter().any(runs) {
            // Its monitor may be just about to end them, or to start it again.
            until(&format!("pod {name} is consistent: {all}"), || {
                engine.ok(&["ps", "-a", "--no-trunc", &filter, format]).is_ok_and(|now| {
                    now.lines().any(|line| line.starts_with(&infra) && runs(&line))
                        || !now.lines().any(|line| runs(&line))
                })
            })?;
            continue;
        }
        let told = state(engine, name)?;
        let all_run = members.iter().chain(&holders).all(runs);
        let is_so = match told.as_str() {
            "Running" => all_run || all.contains(" restarting"),
            "Exited" | "Stopped" | "Created" => !is_held,
            _ => true,
        };
        // One that ends by itself may have done so between the two looks.
        let again = engine.ok(&["ps", "-a", "--no-trunc", &filter, format])?;
        ensure!(is_so || again != all, "pod {name} is {told}: {all}");
    }
    Ok(())
}

/// What is there can go on.
fn pods_can_be_used(engine: &Engine) -> Result<()> {
    for name in engine.ok(&["pod", "ps", "--format={{.Name}}"])?.lines() {
        if state(engine, name)? == "Paused" {
            engine.ok(&["pod", "unpause", name])?;
        }
        engine.ok(&["pod", "start", name])?;
        engine.ok(&["run", "--rm", "--pod", name, "box", "true"])?;
        engine.ok(&["pod", "stop", "-t", "0", name])?;
        ensure!(
            matches!(state(engine, name)?.as_str(), "Exited"),
            "{name}: {}",
            state(engine, name)?
        );
    }
    Ok(())
}
