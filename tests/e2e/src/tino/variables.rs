//! The `TINO_*` variables: one for every option, and those of tini.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result};
use tino::flags::{FLAGS, Flag, Id, Kind};

use crate::expect_eq;
use crate::support::sys::landlock_abi;
use crate::support::{Launch, scratch};

fn name(flag: &Flag) -> String {
    format!("TINO_{}", flag.long.to_uppercase().replace('-', "_"))
}

/// The words that do the same as `NAME=value`, for each part of a list.
fn as_words(flag: &Flag, value: &str) -> Vec<String> {
    let parts: Vec<&str> = match flag.kind {
        Kind::Codes | Kind::Rules | Kind::Ports | Kind::Presets => value.split(',').collect(),
        Kind::Paths => value.split(':').collect(),
        _ => vec![value],
    };
    parts.iter().map(|part| format!("--{}={part}", flag.long)).collect()
}

/// A value for the variable that shows in `--explain` as something else than the default.
fn telling_value(flag: &Flag) -> String {
    let value = match flag.kind {
        Kind::Switch => "on",
        Kind::Count => "3",
        Kind::Number => "1234",
        Kind::Signal => "USR1",
        Kind::Policy => "on-failure:2",
        Kind::Codes => "3,4",
        Kind::Rules => "TERM:INT,USR1:0",
        Kind::Ports => "80,443",
        Kind::Presets => "tmp,runtime",
        Kind::Paths => "/tmp:/proc",
    };
    value.to_owned()
}

/// Another value, for the command line.
fn other_value(kind: Kind) -> &'static str {
    match kind {
        Kind::Switch => "off",
        Kind::Count => "1",
        Kind::Number | Kind::Codes | Kind::Ports => "77",
        Kind::Signal => "HUP",
        Kind::Policy => "no",
        Kind::Rules => "HUP:0",
        Kind::Presets => "tmp",
        Kind::Paths => "/dev",
    }
}

/// Options that end the program at once, so that `--explain` is not reached.
fn ends_at_once(id: Id) -> bool {
    matches!(id, Id::License | Id::Help | Id::Version)
}

/// The words of what `--explain` says, whatever their order, and where options come from.
fn explained(launch: Launch) -> Result<(BTreeSet<String>, bool)> {
    let finished = launch.words(&["--explain", "--", "command"]).finish()?;
    finished.expect_code(0)?.expect_quiet()?;
    let by_variable = finished.stdout.contains("(variable)");
    let plain = finished.stdout.replace("(variable)", "").replace("(command line)", "");
    Ok((plain.split_whitespace().map(str::to_owned).collect(), by_variable))
}

pub(crate) fn every_option_has_a_variable_that_does_the_same() -> Result<()> {
    for flag in FLAGS.iter().filter(|flag| !ends_at_once(flag.id) && flag.id != Id::Explain) {
        let (name, value) = (name(flag), telling_value(flag));
        let (default, _) = explained(Launch::tino(&[]))?;
        let (by_variable, told) = explained(Launch::tino(&[]).env(format!("{name}={value}")))?;
        let (by_word, _) = explained(Launch::tino(&[]).words(&as_words(flag, &value)))?;
        expect_eq!(by_variable, by_word, "{name}={value}");
        anyhow::ensure!(by_variable != default, "{name}={value} changes nothing: {default:?}");
        expect_eq!(told, true, "{name}={value} is said to come from a variable");
    }
    Ok(())
}

pub(crate) fn the_variables_of_informing_options_inform() -> Result<()> {
    for flag in FLAGS.iter().filter(|flag| ends_at_once(flag.id) || flag.id == Id::Explain) {
        let launch = Launch::tino(&[]).env(format!("{}=on", name(flag))).act(&["say=ran"]);
        let finished = launch.finish()?;
        finished.expect_code(0)?;
        let ran = finished.stdout.lines().any(|line| line == "ran");
        anyhow::ensure!(!ran && !finished.stdout.is_empty(), "{}: {finished:?}", name(flag));
    }
    Ok(())
}

pub(crate) fn a_bad_value_is_warned_of_and_ignored() -> Result<()> {
    for flag in FLAGS {
        let bad = match flag.kind {
            Kind::Paths => "",
            _ => "no-good-value",
        };
        let name = name(flag);
        let finished =
            Launch::tino(&[]).env(format!("{name}={bad}")).act(&["say=ran", "exit=7"]).finish()?;
        finished
            .expect_code(7)
            .and_then(|it| it.expect_stdout("ran\n"))
            .and_then(|it| it.expect_stderr("[WARN  tino ("))
            .and_then(|it| it.expect_stderr(&name))
            .with_context(|| format!("{name}={bad}"))?;
    }
    Ok(())
}

pub(crate) fn the_command_line_beats_the_variables() -> Result<()> {
    for flag in FLAGS.iter().filter(|flag| !ends_at_once(flag.id) && flag.id != Id::Explain) {
        let other = other_value(flag.kind);
        let variable = format!("{}={}", name(flag), telling_value(flag));
        let word = format!("--{}={other}", flag.long);
        let (alone, _) = explained(Launch::tino(&[&word]))?;
        let (both, told) = explained(Launch::tino(&[&word]).env(&variable))?;
        expect_eq!(both, alone, "{variable} {word}");
        expect_eq!(told, false, "{variable} {word}: nothing comes from a variable");
    }
    Ok(())
}

/// Not only explained: obeyed.
pub(crate) fn the_variables_are_obeyed() -> Result<()> {
    let exits = [
        ("TINO_REMAP_EXIT=6,7", "exit=7", 0),
        ("TINO_RESTART=no", "exit=7", 7),
        ("TINO_REMAP_EXIT=137", "die=9", 0),
    ];
    for (variable, step, code) in exits {
        Launch::tino(&[]).env(variable).act(&[step]).finish()?.expect_code(code)?;
    }
    let after_term = [
        (&["TINO_GRACE_MS=50"][..], "record=0", 137),
        (&["TINO_TERM_SUCCESS=1"], "pause", 0),
        (&["TINO_REWRITE=USR1:0,TERM:USR2"], "record=12", 0),
        (&["TINO_TERM_DELAY_MS=1"], "record=15", 0),
        (&["TINO_VERBOSE=0", "TINO_GRACE_MS=50"], "record=0", 137),
    ];
    for (variables, step, code) in after_term {
        let mut launch = Launch::tino(&[]);
        for variable in variables {
            launch = launch.env(*variable);
        }
        let running = launch.act(&["block-all", "say=ready", step]);
        let running = if step == "pause" {
            Launch::tino(&[]).env(variables[0]).act(&["say=ready", step])
        } else {
            running
        };
        let running = running.start()?;
        running.wait_line("ready")?;
        running.send(libc::SIGTERM)?;
        running.finish()?.expect_code(code).with_context(|| format!("{variables:?}"))?;
    }
    Ok(())
}

pub(crate) fn landlock_variables_are_obeyed() -> Result<()> {
    if landlock_abi() < super::landlock_paths::WRITES {
        return harness::skip(format!("this kernel's Landlock ABI is {}", landlock_abi()));
    }
    let (inside, outside) = (scratch("in"), scratch("out"));
    fs::create_dir(&inside)?;
    fs::create_dir(&outside)?;
    let steps = [
        (format!("create={}/new", outside.display()), libc::EACCES),
        (format!("mkdir={}/new", inside.display()), 0),
    ];
    let script: Vec<&str> = steps.iter().map(|(step, _)| step.as_str()).collect();
    for name in ["TINO_LANDLOCK_WRITABLE", "TINO_WRITE_ALLOW"] {
        let launch = Launch::tino(&[]).env(format!("{name}=/proc:{}", inside.display()));
        let finished = launch.act(&script).finish()?;
        super::landlock_paths::expect_steps(&finished, &steps)?;
        fs::remove_dir(inside.join("new"))?;
    }
    Ok(())
}

/// Whether a signal goes to the group of the child, with this variable.
fn kills_group(variable: &str) -> Result<bool> {
    let launch = Launch::tino(&[]).env(variable);
    launch.act(&["(", "record=12", ")", "record=12"]).start()?.passes_on_to_the_group()
}

pub(crate) fn the_variables_of_tini_work_by_value() -> Result<()> {
    for (value, wanted) in [
        ("", true),
        ("1", true),
        ("yes", true),
        ("0", false),
        ("false", false),
        ("no", false),
        ("off", false),
    ] {
        let variable = format!("TINI_KILL_PROCESS_GROUP={value}");
        expect_eq!(kills_group(&variable)?, wanted, "{variable}");
    }
    let finished = Launch::tino(&[]).env("TINI_VERBOSITY=3").act(&["exit=7"]).finish()?;
    finished.expect_code(7)?.expect_stderr("[INFO  tino (")?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let own = std::process::id().to_string();
    for (value, adopted) in [("", true), ("1", true), ("off", false), ("0", false)] {
        let running = Launch::tino(&[])
            .env(format!("TINI_SUBREAPER={value}"))
            .act(&["(", "(", "wait-orphaned", ")", "exit=0", ")", "wait", "pause"])
            .start()?;
        let parent = running.wait_value("parent ")?;
        let wanted = if adopted { running.pid.to_string() } else { own.clone() };
        expect_eq!(parent, wanted, "TINI_SUBREAPER={value}");
    }
    Ok(())
}
