//! What changes a container that is there, killed at random moments: networks, volumes, copies,
//! images made of it, limits, names.

use anyhow::{Result, ensure};

use super::storm::{Random, nothing_is_left, rage, what_is_told_is_true};
use crate::engine::support::{Engine, json};

const CONTAINERS: usize = 5;

/// Some are to run whatever happens, and some are not.
const POLICIES: [[&str; 2]; 2] = [["always", "unless-stopped"], ["no", "on-failure:3"]];

fn run(number: usize) -> String {
    let policy = POLICIES[number % 2][0];
    let flags = ["-p 2700N:80", "", "-v kept:/data", "-v /anonymous", "--network own"][number % 5];
    let flags = flags.replace('N', &number.to_string());
    let words = format!("run -d --name x{number} --restart {policy} {flags} box sleep 1000");
    words.replace("  ", " ")
}

fn command(random: &mut Random) -> String {
    let number = random.below(CONTAINERS);
    let words = random.pick(&[
        "RUN",
        "RUN",
        "RUN",
        "start NAME",
        "restart -t 0 NAME",
        "restart -t 0 NAME",
        "network connect other NAME",
        "network connect --alias another other NAME",
        "network connect third NAME",
        "network disconnect other NAME",
        "network disconnect third NAME",
        "network disconnect -f bridge NAME",
        "network connect bridge NAME",
        "network rm third",
        "network create third",
        "network prune -f",
        "volume create vN",
        "volume rm vN",
        "volume prune -f -a",
        "run --rm -v vN:/v box touch /v/file",
        "commit NAME madeN",
        "commit --pause=false NAME madeN",
        "rmi -f madeN",
        "cp STORE NAME:/data/copied",
        "cp NAME:/bin/busybox /dev/null",
        "update --memory 64m NAME",
        "update --restart POLICY NAME",
        "update --restart POLICY NAME",
        "update --pids-limit 50 NAME",
        "rename NAME yN",
        "rename yN NAME",
        "pause NAME",
        "unpause NAME",
        "pause NAME",
        "unpause NAME",
        "rm -f -v NAME",
        "rm -f yN",
        "exec NAME true",
    ]);
    let name = format!("x{number}");
    let policy = random.pick(&POLICIES[number % 2]);
    match words {
        "RUN" => run(number),
        words => {
            let words = words.replace("NAME", &name).replace("POLICY", policy);
            words.replace('N', &number.to_string())
        }
    }
}

pub(crate) fn kills_at_random_moments() -> Result<()> {
    let engine = Engine::new()?;
    let mut random = Random::new()?;
    for network in ["own", "other", "third"] {
        engine.ok(&["network", "create", network])?;
    }
    let copied = crate::support::scratch("box").join("bin/busybox");
    let copied = copied.to_string_lossy().into_owned();
    let known = rage(&engine, &mut random, |random| command(random).replace("STORE", &copied))?;
    what_is_told_is_true(&engine)?;
    networks_are_as_told(&engine)?;
    everything_can_be_used(&engine)?;
    for image in engine.ok(&["images", "--format={{.Repository}}"])?.lines() {
        if image.contains("made") {
            engine.ok(&["run", "--rm", image, "true"])?;
        }
    }
    nothing_is_left(&engine, &known)
}

/// A container that runs is in the networks that are told, with those addresses, and in no other.
fn networks_are_as_told(engine: &Engine) -> Result<()> {
    for name in engine.ok(&["ps", "--filter=status=running", "--format={{.Names}}"])?.lines() {
        let told =
            json(&engine.ok(&["inspect", "--format={{json .NetworkSettings.Networks}}", name])?)?;
        let mut told: Vec<String> = told
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(_, network)| network["IPAddress"].as_str().map(str::to_owned))
            .collect();
        let pid = engine.field(name, "Pid")?;
        let words = ["-t", &pid, "-n", "ip", "-o", "-4", "addr", "show", "scope", "global"];
        let found = std::process::Command::new("nsenter").args(words).output()?;
        let found = String::from_utf8(found.stdout)?;
        let mut found: Vec<String> = found
            .lines()
            .filter_map(|line| line.split_ascii_whitespace().nth(3)?.split('/').next())
            .map(str::to_owned)
            .collect();
        told.sort();
        found.sort();
        ensure!(told == found, "{name}: {told:?} is told, {found:?} is there");
    }
    Ok(())
}

fn everything_can_be_used(engine: &Engine) -> Result<()> {
    let all = engine.ok(&["ps", "-a", "--format={{.Names}}"])?;
    // The others are to be removed in the end, and may have been.
    let names = || all.lines().filter(|name| name.len() == 2);
    for name in names() {
        engine.ok(&["stop", "-t", "0", name])?;
    }
    // One that was renamed may have the same port as the next one of its old name.
    for name in names() {
        engine.ok(&["restart", "-t", "0", name])?;
        engine.ok(&["exec", name, "true"])?;
        engine.ok(&["stop", "-t", "0", name])?;
    }
    Ok(())
}
