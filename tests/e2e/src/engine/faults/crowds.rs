//! Many commands at once on one container and on many, and many containers at once.

use std::process::{Child, Stdio};

use anyhow::{Result, ensure};

use crate::engine::support::Engine;
use crate::expect_eq;
use crate::support::{processes, until};

const COMMANDS: [&str; 22] = [
    "start NAME",
    "stop -t 0 NAME",
    "restart -t 0 NAME",
    "kill NAME",
    "exec NAME true",
    "exec -d NAME sleep 1",
    "rename NAME other-NAME",
    "rename other-NAME NAME",
    "network connect own NAME",
    "network disconnect own NAME",
    "inspect NAME",
    "ps -a",
    "ps -a --size",
    "stats --no-stream",
    "logs NAME",
    "pause NAME",
    "unpause NAME",
    "update --restart always NAME",
    "update --memory 64m NAME",
    "top NAME",
    "container prune -f --filter label=none",
    "rm -f NAME",
];

const POD_COMMANDS: [&str; 20] = [
    "pod start pod",
    "pod stop -t 0 pod",
    "pod restart pod",
    "pod kill pod",
    "pod pause pod",
    "pod unpause pod",
    "pod inspect pod",
    "pod ps",
    "pod logs pod",
    "pod top pod",
    "start one",
    "stop -t 0 two",
    "restart -t 0 one",
    "kill two",
    "exec one true",
    "rename two second",
    "rm -f two",
    "run --rm --pod pod box true",
    "run -d --pod pod box sleep 1000",
    "pod rm -f -t 0 pod",
];

fn begin(engine: &Engine, words: &str) -> Result<Child> {
    let words: Vec<&str> = words.split(' ').collect();
    let mut command = engine.command(&words);
    Ok(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?)
}

/// Waits for commands. Some find the container in a state in which they can do nothing, and say so;
/// none hangs or is confused.
fn end(all: Vec<(String, Child)>) -> Result<()> {
    for (words, mut child) in all {
        let mut code = None;
        until(&format!("{words} ends"), || {
            code = child.try_wait().ok().flatten().and_then(|status| status.code());
            code.is_some()
        })?;
        let said = String::from_utf8(child.wait_with_output()?.stderr)?;
        ensure!(matches!(code, Some(0 | 1 | 125 | 137 | 143)), "{words}: {code:?}: {said}");
        let confusions = [
            "o such file",
            "not empty",
            "panicked",
            "damaged",
            "is locked",
            "errno",
            "os error",
            "/proc/",
        ];
        let is_confused = confusions.iter().any(|text| said.contains(text));
        ensure!(!is_confused, "{words}: {said}");
    }
    Ok(())
}

/// What is told to run does, and nothing else.
fn is_true(engine: &Engine) -> Result<()> {
    let format = "--format={{.Names}} {{.ID}} {{.State}} {{.Pid}}";
    for line in engine.ok(&["ps", "-a", "--no-trunc", format])?.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [name, id, status, pid] = fields[..] else { continue };
        match status {
            "running" | "paused" => {
                let first: i32 = pid.parse()?;
                // One that was just killed ends a little later, and runs again if its policy says so.
                until(&format!("{line}: its process and monitor are there"), || {
                    processes::alive(first) && engine.monitor(id).is_ok()
                        || engine.field(name, "Pid").is_ok_and(|now| now != pid)
                })?;
            }
            _ => until(&format!("{line}: no monitor"), || engine.monitor(id).is_err())?,
        }
    }
    engine.ok(&["system", "check", "--quick"]).map(drop)
}

pub(crate) fn twenty_commands_on_one() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["network", "create", "own"])?;
    for round in 0..3 {
        engine.start("one", &["-v", "/anonymous", "-p", "27200:80"], "sleep 1000")?;
        let mut all = Vec::new();
        for number in 0..COMMANDS.len() {
            // Another order each time; the last of all is not always the removal.
            let words = COMMANDS[(number * 7 + round * 3) % COMMANDS.len()].replace("NAME", "one");
            all.push((words.clone(), begin(&engine, &words)?));
        }
        end(all)?;
        is_true(&engine)?;
        engine.ok(&["rm", "-f", "-a", "-v"])?;
        engine.is_clean()?;
    }
    Ok(())
}

/// Twenty at once on a pod and its containers.
pub(crate) fn twenty_commands_on_one_pod() -> Result<()> {
    let engine = Engine::new()?;
    for round in 0..3 {
        engine.ok(&["pod", "create", "--name", "pod", "-p", "27210:80"])?;
        for name in ["one", "two"] {
            engine.start(name, &["--pod", "pod", "--restart", "always"], "sleep 1000")?;
        }
        let mut all = Vec::new();
        for number in 0..POD_COMMANDS.len() {
            let words = POD_COMMANDS[(number * 7 + round * 3) % POD_COMMANDS.len()].to_owned();
            all.push((words.clone(), begin(&engine, &words)?));
        }
        end(all)?;
        is_true(&engine)?;
        engine.ok(&["pod", "rm", "-f", "-a", "-t", "0"])?;
        engine.is_clean()?;
    }
    Ok(())
}

pub(crate) fn twenty_commands_on_twenty() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["network", "create", "own"])?;
    let names: Vec<String> = (0..20).map(|number| format!("c{number}")).collect();
    let run = |name: &String| format!("run -d --name {name} --network bridge box sleep 1000");
    let started = names.iter().map(|name| Ok((run(name), begin(&engine, &run(name))?)));
    end(started.collect::<Result<_>>()?)?;
    expect_eq!(engine.ok(&["ps", "-q"])?.lines().count(), names.len());
    for round in 0..2 {
        let begun =
            names.iter().zip(COMMANDS.iter().cycle().skip(round * 9)).map(|(name, words)| {
                let words = words.replace("NAME", name);
                Ok((words.clone(), begin(&engine, &words)?))
            });
        end(begun.collect::<Result<_>>()?)?;
        is_true(&engine)?;
    }
    engine.ok(&["rm", "-f", "-a", "-v"])?;
    engine.is_clean()
}

fn number() -> usize {
    std::env::var("TINYO_CROWD").ok().and_then(|text| text.parse().ok()).unwrap_or(30)
}

/// Addresses, each of which only one container may have.
fn addresses(engine: &Engine, names: &[String]) -> Result<Vec<String>> {
    let format = "--format={{.NetworkSettings.IPAddress}}";
    let words: Vec<&str> =
        ["inspect", format].into_iter().chain(names.iter().map(String::as_str)).collect();
    let mut found: Vec<String> = engine.ok(&words)?.lines().map(str::to_owned).collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// `TINYO_CROWD` says how many: 30 for those who wait, 100 for those who want to know.
pub(crate) fn many_containers_at_once_and_one_after_the_other() -> Result<()> {
    let engine = Engine::new()?;
    let names: Vec<String> = (0..number()).map(|number| format!("c{number}")).collect();
    for at_once in [true, false] {
        let mut all = Vec::new();
        for name in &names {
            let words = format!("run -d --name {name} --network bridge box sleep 1000");
            all.push((words.clone(), begin(&engine, &words)?));
            if !at_once {
                end(std::mem::take(&mut all))?;
            }
        }
        end(all)?;
        let running = engine.ok(&["ps", "-q"])?.lines().count();
        let all = || engine.ok(&["ps", "-a"]).unwrap_or_else(|error| error.to_string());
        ensure!(running == names.len(), "{running} run of these:\n{}", all());
        expect_eq!(addresses(&engine, &names)?.len(), names.len());
        is_true(&engine)?;
        if at_once {
            let begun = names.iter().map(|name| {
                let words = format!("rm -f {name}");
                Ok((words.clone(), begin(&engine, &words)?))
            });
            end(begun.collect::<Result<_>>()?)?;
        } else {
            engine.ok(&["rm", "-f", "-a"])?;
        }
        engine.is_clean()?;
        engine.ok(&["system", "check", "--quick"])?;
    }
    Ok(())
}
