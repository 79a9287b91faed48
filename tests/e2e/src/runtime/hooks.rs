//! Hooks: their order, their namespaces, what they are told, and what their failure does.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::support::{Bundle, Container};
use crate::expect_eq;
use crate::support::{own_program, processes, scratch, script};

const KINDS: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// Where the hooks of a trial write, on the machine. The container has it at the same path.
fn log() -> PathBuf {
    scratch("hook.log")
}

fn lines() -> Vec<String> {
    fs::read_to_string(log()).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// A script that both the machine and the container have, under the same path. It writes what
/// `text` prints to the log.
fn hook_program(bundle: Bundle, name: &str, text: &str) -> Result<Bundle> {
    let path = scratch(name);
    script(&path, &format!("#!/bin/sh\n{text} >> {}\n", log().display()))?;
    fs::File::options().create(true).append(true).open(log())?;
    Ok(bundle.mount(&path.to_string_lossy(), "bind", &path, "bind"))
}

/// Adds a hook that runs a program of this trial; its name comes first among the arguments.
fn hook(bundle: Bundle, kind: &str, program: &str, words: &[&str]) -> Bundle {
    let path = scratch(program);
    let arguments: Vec<&str> = [program].into_iter().chain(words.iter().copied()).collect();
    bundle.add(&format!("/hooks/{kind}"), json!({ "path": path, "args": arguments }))
}

/// The log, writable in the container.
fn with_log(bundle: Bundle) -> Bundle {
    bundle.mount(&log().to_string_lossy(), "bind", log(), "bind")
}

pub(crate) fn they_run_in_their_order() -> Result<()> {
    let mut bundle = hook_program(Bundle::service()?, "tell", "echo $1")?;
    bundle = with_log(bundle);
    for kind in KINDS {
        for number in [1, 2] {
            bundle = hook(bundle, kind, "tell", &[&format!("{kind} {number}")]);
        }
    }
    let container = Container::new(bundle)?;
    let named = |kinds: &[&str]| -> Vec<String> {
        kinds.iter().flat_map(|kind| [1, 2].map(|number| format!("{kind} {number}"))).collect()
    };
    container.create()?;
    expect_eq!(lines(), named(&KINDS[..3]), "after create");
    container.tell("start", &[])?.expect_code(0)?;
    expect_eq!(lines(), named(&KINDS[..5]), "after start");
    container.kill()?;
    expect_eq!(lines(), named(&KINDS[..5]), "after the end");
    container.delete()?;
    expect_eq!(lines(), named(&KINDS), "after delete");
    Ok(())
}

pub(crate) fn each_is_told_the_state() -> Result<()> {
    let text = "echo \"$1 $(cat | tr -d '\\n')\"";
    let mut bundle = with_log(hook_program(Bundle::service()?, "tell", text)?);
    for kind in KINDS {
        bundle = hook(bundle, kind, "tell", &[kind]);
    }
    let container = Container::new(bundle.set("/annotations/key", "value"))?;
    container.start()?;
    let pid = container.pid()?;
    container.kill()?;
    container.delete()?;
    let found = lines();
    expect_eq!(found.len(), KINDS.len());
    for (line, kind) in found.iter().zip(KINDS) {
        let text = line.strip_prefix(kind).context("the kind of the hook")?;
        let state: Value = serde_json::from_str(text).with_context(|| line.clone())?;
        expect_eq!(state["id"], container.id, "{kind}");
        expect_eq!(state["bundle"].as_str(), container.bundle.folder.to_str(), "{kind}");
        expect_eq!(state["annotations"]["key"], "value", "{kind}");
        ensure!(state["ociVersion"].is_string(), "{kind}: {state}");
        let status = state["status"].as_str().unwrap_or_default();
        let expected: &[&str] = match kind {
            "poststop" => &["stopped"],
            "poststart" => &["running"],
            _ => &["creating", "created"],
        };
        ensure!(expected.contains(&status), "{kind}: {status}");
        match kind {
            "poststop" => {}
            // They run inside the PID namespace, where the number is another one.
            "startContainer" | "createContainer" => {
                let seen = state["pid"].as_i64().unwrap_or(0);
                ensure!([0, 1, i64::from(pid)].contains(&seen), "{kind}: {state}");
            }
            _ => expect_eq!(state["pid"], pid, "{kind}"),
        }
    }
    Ok(())
}

pub(crate) fn each_runs_in_its_namespaces() -> Result<()> {
    let text = "echo $1 $(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/net) \
        $(test -e /bin/busybox -a ! -e /usr && echo inside || echo outside)";
    let mut bundle = with_log(hook_program(Bundle::service()?, "tell", text)?);
    for kind in KINDS {
        bundle = hook(bundle, kind, "tell", &[kind]);
    }
    let container = Container::new(bundle)?;
    container.start()?;
    let of = |pid: &str| -> Result<String> {
        let link = |name| fs::read_link(format!("/proc/{pid}/ns/{name}"));
        Ok(format!("{} {}", link("mnt")?.display(), link("net")?.display()))
    };
    let (inside, outside) = (of(&container.pid()?.to_string())?, of("self")?);
    container.kill()?;
    container.delete()?;
    let expected = KINDS.map(|kind| match kind {
        // Before the root changes: its path is one of the machine.
        "createContainer" => format!("{kind} {inside} outside"),
        "startContainer" => format!("{kind} {inside} inside"),
        _ => format!("{kind} {outside} outside"),
    });
    expect_eq!(lines(), expected);
    Ok(())
}

pub(crate) fn arguments_and_environment_are_as_configured() -> Result<()> {
    let mut bundle = hook_program(Bundle::script("true")?, "tell", "echo \"$ONE|$SECRET|$1|$2\"")?;
    let configuration = json!({
        "path": scratch("tell"), "args": ["any name", "a b", ""], "env": ["ONE=1 = 1"],
    });
    bundle = bundle.add("/hooks/createRuntime", configuration);
    let container = Container::new(bundle)?;
    container.launch_new("run", &[]).env("SECRET=of-the-caller").finish()?.expect_code(0)?;
    expect_eq!(lines(), ["1 = 1||a b|"]);
    Ok(())
}

/// As with other runtimes, and hooks rely on it.
pub(crate) fn what_is_not_configured_is_as_in_their_surroundings() -> Result<()> {
    let text = "echo \"$1|$MACHINES|$ONE|$HOME|$(pwd)\"";
    let mut bundle = with_log(hook_program(Bundle::script("true")?, "tell", text)?);
    bundle = bundle.set("/process/env", json!(["PATH=/bin", "ONE=inside", "HOME="]));
    for kind in &KINDS[..4] {
        bundle = hook(bundle, kind, "tell", &[kind]);
    }
    let none = json!({ "path": scratch("tell"), "args": ["tell", "none"], "env": [] });
    let container = Container::new(bundle.add("/hooks/createRuntime", none))?;
    let caller = ["MACHINES=yes", "HOME=/of-caller"];
    let launch = container.launch_new("run", &[]).folder("/").no_env().env(caller[0]);
    launch.env(caller[1]).finish()?.expect_code(0)?;
    let folder = container.bundle.folder.display();
    let expected = [
        format!("prestart|yes||/of-caller|{folder}"),
        format!("createRuntime|yes||/of-caller|{folder}"),
        format!("none||||{folder}"),
        // The folder from which it finds the container's files.
        format!("createContainer|yes||/of-caller|{}", container.bundle.rootfs().display()),
        "startContainer||inside|/|/".to_owned(),
    ];
    expect_eq!(lines(), expected);
    Ok(())
}

/// The program is one of the container's image, and might be anything.
pub(crate) fn those_in_the_container_are_filtered() -> Result<()> {
    let text = "echo $1 $(grep ^Seccomp: /proc/self/status) $(mkdir /dev/shm/$1 && echo made)";
    let mut bundle = with_log(hook_program(Bundle::script("true")?, "tell", text)?);
    let rule = json!({ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO" });
    let profile = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] });
    bundle = bundle.set("/linux/seccomp", profile);
    let container = Container::new(hook(bundle, "startContainer", "tell", &["tried"]))?;
    container.run()?.expect_code(0)?;
    expect_eq!(lines(), ["tried Seccomp: 2"]);
    container.change(|config| config["linux"]["seccomp"] = Value::Null)?;
    container.run()?.expect_code(0)?;
    expect_eq!(lines(), ["tried Seccomp: 2", "tried Seccomp: 0 made"]);
    Ok(())
}

/// What fails before `create` ends is as if it had never been tried; `poststop` hooks clean up.
pub(crate) fn failure_in_create_rolls_everything_back() -> Result<()> {
    for kind in &KINDS[..3] {
        let bundle = hook_program(Bundle::service()?, "tell", "echo $1")?;
        let bundle = hook_program(bundle, "fail", "echo failing; exit 9; true")?;
        let bundle = hook(bundle, "poststop", "tell", &["poststop"]);
        let bundle = hook(hook(bundle, kind, "fail", &[]), kind, "tell", &["not reached"]);
        let container = Container::new(bundle)?;
        for verb in ["create", "run"] {
            let finished = container.launch_new(verb, &[]).finish()?;
            ensure!(finished.code()? != 0, "{verb} with a failing {kind} hook succeeded");
            finished.expect_stderr(&format!("error running {kind} hook #0:"))?;
            container.expect_gone().with_context(|| format!("{verb}, {kind}"))?;
        }
        let told = lines();
        ensure!(!told.iter().any(|line| line == "not reached"), "{kind}: {told:?}");
        fs::remove_file(log())?;
    }
    Ok(())
}

pub(crate) fn failure_in_start_ends_the_container() -> Result<()> {
    let bundle = hook_program(Bundle::script("echo ran")?, "fail", "exit 9; true")?;
    let container = Container::new(hook(bundle, "startContainer", "fail", &[]))?;
    let output = container.create()?;
    let finished = container.tell("start", &[])?;
    ensure!(finished.code()? != 0, "start with a failing hook succeeded");
    finished.expect_stderr("error running startContainer hook #0:")?;
    container.wait_status("stopped")?;
    expect_eq!(output.stdout(), "", "of the container's program");
    container.delete()
}

/// The specification lets a runtime go on, newer versions have it stop the container.
pub(crate) fn failure_after_the_start_is_told() -> Result<()> {
    let bundle = hook_program(Bundle::service()?, "fail", "exit 9; true")?;
    let container = Container::new(hook(bundle, "poststart", "fail", &[]))?;
    container.create()?;
    let finished = container.tell("start", &[])?;
    if finished.code()? == 0 {
        expect_eq!(container.status()?, "running");
    } else {
        container.wait_status("stopped")?;
    }
    finished.expect_stderr("error running poststart hook #0:")?;
    Ok(())
}

pub(crate) fn failure_after_the_end_does_not_keep_the_container() -> Result<()> {
    let bundle = hook_program(Bundle::service()?, "tell", "echo $1")?;
    let bundle = hook_program(bundle, "fail", "exit 9; true")?;
    let bundle = hook(hook(bundle, "poststop", "fail", &[]), "poststop", "tell", &["second"]);
    let container = Container::new(bundle)?;
    container.start()?;
    container.kill()?;
    let finished = container.tell("delete", &[])?;
    finished.expect_code(0)?.expect_stderr("error running poststop hook #0:")?;
    expect_eq!(lines(), ["second"]);
    container.expect_gone()
}

pub(crate) fn failure_after_the_end_is_not_the_end_of_the_program() -> Result<()> {
    for code in [0, 7] {
        let bundle =
            hook_program(Bundle::script(&format!("exit {code}"))?, "fail", "exit 9; true")?;
        let finished = Container::new(hook(bundle, "poststop", "fail", &[]))?.run()?;
        finished.expect_code(code)?.expect_stderr("error running poststop hook #0:")?;
    }
    Ok(())
}

/// The hook is killed, with what it has started, and has failed.
pub(crate) fn a_time_out_is_a_failure() -> Result<()> {
    for kind in ["createRuntime", "createContainer"] {
        let text = "echo $$ > $0.pid; exec sleep 1013; true";
        let bundle = hook_program(Bundle::service()?, "hang", text)?;
        let path = scratch("hang");
        let configuration = json!({ "path": path, "args": [path], "timeout": 1 });
        let container = Container::new(bundle.add(&format!("/hooks/{kind}"), configuration))?;
        let finished = container.launch_new("create", &[]).finish()?;
        ensure!(finished.code()? != 0, "a {kind} hook that hangs let the container be created");
        finished.expect_stderr(&format!("error running {kind} hook #0:"))?;
        let pid = fs::read_to_string(scratch("hang.pid"))?;
        let left = processes::all().into_iter().filter(|(pid, stat)| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            stat.state != 'Z' && words == b"sleep\x001013\0"
        });
        expect_eq!(left.count(), 0, "{kind}: the hook (pid {pid}) lives");
        container.expect_gone()?;
    }
    Ok(())
}

/// The program of a hook in the container is one of the image's. In another process group than the one
/// it was given it was not found, and `start` waited for it for ever.
pub(crate) fn a_time_out_ends_who_leaves_its_group() -> Result<()> {
    let hook = json!({ "path": "/e2e", "args": ["e2e", "--helper", "leave-group"], "timeout": 1 });
    let bundle = Bundle::script("echo ran")?
        .mount("/e2e", "bind", own_program(), "bind,ro")
        .add("/hooks/startContainer", hook);
    let container = Container::new(bundle)?;
    let finished = container.run()?;
    ensure!(finished.code()? != 0, "a hook that hangs let the container be started");
    finished.expect_stderr("error running startContainer hook #0: killed after its time-out")?;
    container.expect_gone()
}

/// What such a program prints is shown to whoever started the container, on a terminal maybe, which
/// would do what it says.
pub(crate) fn what_they_print_says_nothing_to_a_terminal() -> Result<()> {
    let words = json!(["sh", "-c", "printf 'bad\\033]0;title\\007\\nworse\\r'; exit 1"]);
    let hook = json!({ "path": "/bin/sh", "args": words });
    let container = Container::new(Bundle::script("true")?.add("/hooks/startContainer", hook))?;
    let finished = container.run()?;
    ensure!(finished.code()? != 0, "a hook that fails let the container be started");
    finished.expect_stderr("bad?]0;title?; worse")?;
    container.expect_gone()
}

pub(crate) fn a_program_that_is_missing_is_named() -> Result<()> {
    for kind in &KINDS[..4] {
        let bundle = hook(Bundle::service()?, kind, "no-such-hook", &[]);
        let container = Container::new(bundle)?;
        let finished = container.run()?;
        ensure!(finished.code()? != 0, "{kind}: it ran");
        finished.expect_stderr("no-such-hook").with_context(|| (*kind).to_owned())?;
        container.expect_gone()?;
    }
    Ok(())
}

pub(crate) fn a_path_that_is_relative_is_refused() -> Result<()> {
    let bundle = Bundle::script("true")?.add("/hooks/prestart", json!({ "path": "bin/true" }));
    let finished = Container::new(bundle)?.run()?;
    ensure!(finished.code()? != 0, "it ran");
    finished.expect_stderr("hooks.prestart[0].path")?;
    Ok(())
}
