//! A wrong configuration is refused before anything is made, and the message says where it is
//! wrong.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::support::{Bundle, Container};
use crate::expect_eq;

/// `create` must fail and its message have all these texts; nothing may be left.
fn refused(bundle: Bundle, texts: &[&str]) -> Result<()> {
    let container = Container::new(bundle)?;
    let finished = container.launch_new("create", &[]).finish()?;
    ensure!(finished.code()? != 0, "it was created");
    for text in texts {
        finished.expect_stderr(text)?;
    }
    container.expect_gone()
}

/// JSON pointer, value, how the message spells the place.
fn wrong_values() -> Vec<(&'static str, Value, &'static str)> {
    // tidy: table
    vec![
        ("/process/cwd", json!("relative"), "process.cwd"),
        ("/process/cwd", json!(""), "process.cwd"),
        ("/process/args", json!([]), "process.args"),
        ("/process/args", json!("sh"), "process.args"),
        ("/process/args/0", json!(7), "process.args[0]"),
        ("/process/env", json!(["no equals sign"]), "process.env[0]"),
        ("/process/user/uid", json!(-1), "process.user.uid"),
        ("/process/user/uid", json!(4_294_967_296_u64), "process.user.uid"),
        ("/process/user/uid", json!(u32::MAX), "process.user.uid"),
        ("/process/user/gid", json!(u32::MAX), "process.user.gid"),
        ("/process/user/gid", json!("root"), "process.user.gid"),
        ("/process/user/additionalGids", json!([1, u32::MAX]), "process.user.additionalGids[1]"),
        ("/process/user/additionalGids", json!([1, "x"]), "process.user.additionalGids[1]"),
        ("/process/env", json!(["A=1", "=no name"]), "process.env[1]"),
        ("/process/oomScoreAdj", json!(1001), "process.oomScoreAdj"),
        ("/process/rlimits/0/type", json!("RLIMIT_NONE"), "process.rlimits[0].type"),
        ("/process/rlimits/0/soft", json!(2000), "process.rlimits[0]"),
        ("/process/rlimits/0/hard", json!(-1), "process.rlimits[0].hard"),
        (
            "/process/ioPriority",
            json!({ "class": "IOPRIO_NONE", "priority": 1 }),
            "process.ioPriority",
        ),
        ("/process/scheduler", json!({ "policy": "SCHED_SOME" }), "process.scheduler.policy"),
        ("/process/scheduler", json!({ "policy": "SCHED_RR" }), "process.scheduler.priority"),
        (
            "/process/scheduler",
            json!({ "policy": "SCHED_BATCH", "priority": 1 }),
            "process.scheduler.priority",
        ),
        (
            "/process/scheduler",
            json!({ "policy": "SCHED_OTHER", "period": 1 }),
            "process.scheduler.period",
        ),
        ("/process/terminal", json!("yes"), "process.terminal"),
        ("/root/path", json!("/no/such/rootfs"), "/no/such/rootfs"),
        ("/root/readonly", json!(1), "root.readonly"),
        ("/mounts/0/destination", json!(""), "mounts[0].destination"),
        ("/mounts/0/options", json!("ro"), "mounts[0].options"),
        ("/mounts/0", json!("x"), "mounts[0]"),
        ("/hooks/prestart", json!([{ "path": "relative" }]), "hooks.prestart[0].path"),
        ("/hooks/poststop", json!([{ "path": "/x", "timeout": 0 }]), "hooks.poststop[0].timeout"),
        ("/hooks/poststop", json!([{ "path": "/x", "timeout": -1 }]), "hooks.poststop[0].timeout"),
        ("/linux/namespaces/0/type", json!("space"), "linux.namespaces[0].type"),
        ("/linux/namespaces/1/type", json!("pid"), "linux.namespaces"),
        (
            "/linux/uidMappings",
            json!([{ "containerID": 0, "hostID": 0, "size": 1 }]),
            "linux.uidMappings",
        ),
        ("/linux/devices", json!([{ "path": "/dev/x", "type": "x" }]), "linux.devices[0].type"),
        ("/linux/devices", json!([{ "path": "rel", "type": "p" }]), "linux.devices[0].path"),
        (
            "/linux/devices",
            json!([{ "path": "/dev/x", "type": "c", "major": 4096, "minor": 0 }]),
            "linux.devices[0].major",
        ),
        (
            "/linux/devices",
            json!([{ "path": "/dev/x", "type": "c", "major": 1, "minor": 1_048_576 }]),
            "linux.devices[0].minor",
        ),
        (
            "/linux/devices",
            json!([{ "path": "/dev/x", "type": "p", "uid": u32::MAX }]),
            "linux.devices[0].uid",
        ),
        (
            "/linux/devices",
            json!([
                { "path": "/dev/x", "type": "c", "major": 1, "minor": 3 },
                { "path": "/dev/x", "type": "c", "major": 1, "minor": 3, "fileMode": 384 },
                { "path": "/dev/x", "type": "c", "major": 1, "minor": 5 },
            ]),
            "linux.devices[2].path",
        ),
        ("/linux/resources/memory", json!({ "limit": "1G" }), "linux.resources.memory.limit"),
        ("/linux/resources/memory", json!({ "limit": -5 }), "linux.resources.memory.limit"),
        (
            "/linux/resources/memory",
            json!({ "swappiness": 101 }),
            "linux.resources.memory.swappiness",
        ),
        ("/linux/resources/cpu", json!({ "shares": -1 }), "linux.resources.cpu.shares"),
        ("/linux/resources/cpu", json!({ "cpus": "0-x" }), "linux.resources.cpu.cpus"),
        ("/linux/resources/pids", json!({ "limit": 1.5 }), "linux.resources.pids.limit"),
        (
            "/linux/resources/devices",
            json!([{ "allow": true, "access": "x" }]),
            "linux.resources.devices[0].access",
        ),
        (
            "/linux/resources/devices",
            json!([{ "allow": true, "type": "z", "access": "r" }]),
            "linux.resources.devices[0].type",
        ),
        ("/linux/resources/blockIO", json!({ "weight": 9 }), "linux.resources.blockIO.weight"),
        (
            "/linux/resources/blockIO",
            json!({ "weightDevice": [{ "major": 1, "minor": 1 }] }),
            "linux.resources.blockIO.weightDevice[0].weight",
        ),
        // What the kernel refuses only when it is written.
        (
            "/linux/resources/blockIO",
            json!({ "throttleReadBpsDevice": [{ "major": 4000, "minor": 1, "rate": 1 }] }),
            "linux.resources.blockIO.throttleReadBpsDevice",
        ),
        ("/linux/resources/rdma", json!({ "mlx5_1": {} }), "linux.resources.rdma.mlx5_1"),
        (
            "/linux/resources/hugepageLimits",
            json!([{ "pageSize": "2", "limit": 1 }]),
            "linux.resources.hugepageLimits[0]",
        ),
        ("/linux/rootfsPropagation", json!("everywhere"), "linux.rootfsPropagation"),
        ("/linux/maskedPaths", json!(["relative"]), "linux.maskedPaths[0]"),
        ("/linux/maskedPaths", json!(["/etc/.."]), "linux.maskedPaths[0]"),
        ("/linux/readonlyPaths", json!(["relative"]), "linux.readonlyPaths[0]"),
        ("/linux/sysctl", json!({ "kernel.msgmax": 5 }), "linux.sysctl"),
        (
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_SOME" }),
            "linux.seccomp.defaultAction",
        ),
        (
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{ "names": ["read"], "action": "SCMP_ACT_SOME" }] }),
            "linux.seccomp.syscalls[0].action",
        ),
        (
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/x" }),
            "linux.seccomp",
        ),
        (
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{ "names": [], "action": "SCMP_ACT_ERRNO" }] }),
            "linux.seccomp.syscalls[0].names",
        ),
        (
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x" }),
            "linux.seccomp.listenerMetadata",
        ),
        ("/linux/personality", json!({ "domain": "BEOS" }), "linux.personality.domain"),
        ("/linux/timeOffsets", json!({ "monotonic": { "secs": 1 } }), "linux.timeOffsets"),
        ("/linux/timeOffsets", json!({ "realtime": { "secs": 1 } }), "linux.timeOffsets"),
        (
            "/linux/memoryPolicy",
            json!({ "mode": "MPOL_SOME", "nodes": "0" }),
            "linux.memoryPolicy.mode",
        ),
        ("/linux/memoryPolicy", json!({ "mode": "MPOL_BIND" }), "linux.memoryPolicy.nodes"),
        (
            "/linux/memoryPolicy",
            json!({ "mode": "MPOL_LOCAL", "nodes": "0" }),
            "linux.memoryPolicy.nodes",
        ),
        ("/linux/intelRdt", json!({ "closID": "a/b" }), "linux.intelRdt.closID"),
        ("/linux/intelRdt", json!({ "memBwSchema": "L3:0=f" }), "linux.intelRdt.memBwSchema"),
        (
            "/linux/intelRdt",
            json!({ "schemata": ["L3:0=f\nMB:0=5"] }),
            "linux.intelRdt.schemata[0]",
        ),
        (
            "/hostname",
            json!("a-name-that-is-longer-than-the-sixty-four-bytes-that-the-kernel-takes"),
            "hostname",
        ),
        ("/ociVersion", json!("2.0.0"), "ociVersion"),
        ("/ociVersion", json!(1), "ociVersion"),
        ("/annotations", json!({ "key": 1 }), "annotations"),
        ("/annotations", json!({ "": "value" }), "annotations"),
    ]
}

pub(crate) fn a_wrong_value_is_named_by_its_path() -> Result<()> {
    super::support::runtime()?;
    let mut problems = Vec::new();
    for (place, value, path) in wrong_values() {
        let bundle = Bundle::command(&["/bin/true"])?.set(place, value.clone());
        if let Err(error) = refused(bundle, &[path]) {
            problems.push(format!("{place} = {value}: {error:#}"));
        }
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

pub(crate) fn what_is_missing_is_named() -> Result<()> {
    for (place, path) in [
        ("/root", "root"),
        ("/root/path", "root.path"),
        ("/process/args", "process.args"),
        ("/process/cwd", "process.cwd"),
        ("/ociVersion", "ociVersion"),
        ("/mounts/0/destination", "mounts[0].destination"),
        ("/linux/namespaces/0/type", "linux.namespaces[0].type"),
        ("/process/rlimits/0/type", "process.rlimits[0].type"),
    ] {
        let bundle = Bundle::command(&["/bin/true"])?;
        let pointer = place.rsplit_once('/').context("a pointer")?;
        let mut bundle = bundle.set(place, json!(0));
        if let Some(object) = bundle.config.pointer_mut(pointer.0).and_then(Value::as_object_mut) {
            object.remove(pointer.1);
        }
        refused(bundle, &[path]).with_context(|| place.to_owned())?;
    }
    Ok(())
}

pub(crate) fn what_is_no_json_is_refused() -> Result<()> {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for text in [
        "",
        "{",
        "null",
        "[]",
        "\"config\"",
        "{}x",
        "\u{0}",
        "{\"process\":{\"args\":[\"\\ud800\"]}}",
        &deep,
    ] {
        let container = Container::new(Bundle::command(&["/bin/true"])?)?;
        std::fs::write(container.bundle.folder.join("config.json"), text)?;
        let finished = container.launch_new("create", &[]).finish()?;
        let start: String = text.chars().take(20).collect();
        ensure!(finished.code()? != 0, "{start:?} was taken");
        ensure!(!finished.stderr.is_empty(), "{start:?} was refused without a word");
        container.expect_gone()?;
    }
    Ok(())
}

pub(crate) fn a_missing_bundle_or_configuration_is_named() -> Result<()> {
    let container = Container::new(Bundle::command(&["/bin/true"])?)?;
    std::fs::remove_file(container.bundle.folder.join("config.json"))?;
    let finished = container.launch_new("create", &[]).finish()?;
    ensure!(finished.code()? != 0, "created from nothing");
    finished.expect_stderr("config.json")?;
    let words = ["create", "--bundle", "/no/such/bundle", &container.id];
    let finished = container.launch(&words).finish()?;
    ensure!(finished.code()? != 0, "created from nothing");
    finished.expect_stderr("/no/such/bundle")?;
    container.expect_gone()
}

/// As the specification asks: a newer caller may know more.
pub(crate) fn what_is_unknown_is_ignored() -> Result<()> {
    let bundle = Bundle::script("echo ran")?
        .set("/unknown", json!({ "deep": [1, 2, { "x": null }] }))
        .set("/process/unknown", 1)
        .set("/linux/unknown", "x")
        .set("/linux/resources/unknown", json!([]))
        .set("/windows", json!({ "layerFolders": ["c:\\x"] }));
    expect_eq!(Container::new(bundle)?.output()?, "ran\n");
    Ok(())
}

/// Writing `null` or an empty list is how some callers leave things out.
pub(crate) fn null_is_absent() -> Result<()> {
    let bundle = Bundle::script("echo ran")?
        .set("/hooks", Value::Null)
        .set("/annotations", Value::Null)
        .set("/process/rlimits", Value::Null)
        .set("/process/user/additionalGids", Value::Null)
        .set("/linux/seccomp", Value::Null)
        .set("/linux/maskedPaths", Value::Null)
        .set("/linux/resources/memory", Value::Null)
        .set("/linux/devices", json!([]))
        .set("/linux/uidMappings", json!([]));
    expect_eq!(Container::new(bundle)?.output()?, "ran\n");
    Ok(())
}

pub(crate) fn a_change_after_create_has_no_effect() -> Result<()> {
    let container = Container::new(Bundle::script("echo first")?)?;
    let output = container.create()?;
    let other = Bundle::script("echo second")?;
    std::fs::write(container.bundle.folder.join("config.json"), other.config.to_string())?;
    container.tell("start", &[])?.expect_code(0)?;
    output.wait_line("first")
}

pub(crate) fn mistakes_on_the_command_line_are_explained() -> Result<()> {
    let container = Container::new(Bundle::command(&["/bin/true"])?)?;
    for (words, text) in [
        (&["frobnicate"][..], "frobnicate"),
        (&["create"], ""),
        (&["create", "--no-such-flag", "x"], "no-such-flag"),
        (&["create", "one", "two"], ""),
        (&["create", "--bundle"], "bundle"),
        (&["kill"], ""),
        (&["state", "a", "b"], ""),
        (&["list", "--format", "xml"], "xml"),
        (&["run", "--preserve-fds", "many", "x"], "many"),
        (&["exec", "x"], ""),
    ] {
        let finished = container.launch(words).finish()?;
        ensure!(finished.code()? != 0, "{words:?} succeeded");
        finished.expect_stderr(text).with_context(|| format!("{words:?}"))?;
    }
    container.expect_gone()
}

/// Where callers look for the reason of a failure.
pub(crate) fn failures_are_logged_as_json_on_demand() -> Result<()> {
    let bundle = Bundle::command(&["/no/such/program"])?;
    let container = Container::new(bundle)?;
    let log = crate::support::scratch("log.json");
    let words = ["--log", &log.to_string_lossy(), "--log-format", "json", "create", "--bundle"];
    let launch = container.launch(&words).words(&[&container.bundle.folder]);
    let finished = launch.words(&[&container.id]).finish()?;
    ensure!(finished.code()? != 0, "it was created");
    let text = std::fs::read_to_string(&log)?;
    let last = text.lines().last().context("a line in the log")?;
    let record: Value = serde_json::from_str(last).with_context(|| last.to_owned())?;
    expect_eq!(record["level"], "error");
    let message = record["msg"].as_str().context("a message")?;
    ensure!(message.contains("/no/such/program"), "{message}");
    ensure!(message.contains("no such file or directory"), "{message}");
    let time = record["time"].as_str().context("a time")?;
    ensure!(time.len() >= 20 && time.as_bytes()[10] == b'T', "{time} is not of RFC 3339");
    container.expect_gone()
}

pub(crate) fn spec_and_features_tell_what_there_is() -> Result<()> {
    let container = Container::new(Bundle::command(&["/bin/true"])?)?;
    let folder = crate::support::scratch("spec");
    std::fs::create_dir_all(folder.join("rootfs"))?;
    container.launch(&["spec"]).folder(&folder).finish()?.expect_code(0)?;
    let spec: Value = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?)?;
    expect_eq!(spec["process"]["args"], json!(["sh"]));
    // It never overwrites one.
    let finished = container.launch(&["spec"]).folder(&folder).finish()?;
    ensure!(finished.code()? != 0, "a second `spec` succeeded");
    std::fs::remove_file(folder.join("config.json"))?;
    container.launch(&["spec", "--rootless"]).folder(&folder).finish()?.expect_code(0)?;
    let spec: Value = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?)?;
    ensure!(spec["linux"]["uidMappings"].is_array(), "no mappings for a user without rights");

    let finished = container.launch(&["features"]).finish()?;
    finished.expect_code(0)?;
    let features: Value = serde_json::from_str(&finished.stdout)?;
    ensure!(features["ociVersionMax"].is_string(), "{features}");
    let namespaces = features["linux"]["namespaces"].as_array().context("namespaces")?;
    ensure!(namespaces.contains(&json!("user")), "{namespaces:?}");
    ensure!(
        features["mountOptions"].as_array().is_some_and(|it| it.contains(&json!("rro"))),
        "{features}"
    );
    Ok(())
}
