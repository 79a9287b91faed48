//! What is told of pods, and of what is wrong with them.

use anyhow::{Result, ensure};
use serde_json::Value;

use super::pods::member;
use super::support::{Engine, json};
use crate::expect_eq;
use crate::support::until;

pub(crate) fn what_is_told() -> Result<()> {
    let engine = Engine::new()?;
    let id =
        engine.ok(&["pod", "create", "--name", "red", "-l", "color=red", "--network", "none"])?;
    engine.ok(&["pod", "create", "--name", "blue", "-l", "color=blue", "--network", "none"])?;
    let first = member(&engine, "red", "first", &[])?;
    engine.start("alone", &["--network", "none"], "sleep 1000")?;
    let names = |filters: &[&str]| {
        let mut words = vec!["pod", "ps", "--format", "{{.Name}}"];
        filters.iter().for_each(|filter| words.extend(["-f", filter]));
        engine.ok(&words)
    };
    for (filters, expected) in [
        (&[][..], "blue\nred"),
        (&["label=color=red"], "red"),
        (&["label=color"], "blue\nred"),
        (&["status=running"], "red"),
        (&["status=created"], "blue"),
        (&["status=created", "status=running"], "blue\nred"),
        (&["name=re"], "red"),
        (&["ctr-names=first"], "red"),
        (&["ctr-number=2"], "red"),
        (&["name=re", "status=created"], ""),
    ] {
        expect_eq!(names(filters)?, expected, "{filters:?}");
    }
    engine.fails(&["pod", "ps", "-f", "nonsense=1"], 125, "no filter")?;
    expect_eq!(engine.ok(&["pod", "ps", "-q", "--no-trunc", "--sort", "name"])?.lines().count(), 2);
    let table = engine.ok(&["pod", "ps", "--ctr-names", "-f", "name=red"])?;
    ensure!(table.contains(&format!("{}-infra,first", &id[..12])), "{table}");
    let all: Value = json(&engine.ok(&["pod", "ps", "--format", "json", "-f", "name=red"])?)?;
    expect_eq!(all[0]["Id"], id.as_str());
    expect_eq!(all[0]["Containers"][1]["Names"], "first");
    expect_eq!(all[0]["Labels"]["color"], "red");
    // Containers tell where they are.
    expect_eq!(engine.ok(&["ps", "-q", "--no-trunc", "-f", "pod=red"])?.lines().count(), 2);
    expect_eq!(engine.ok(&["ps", "-q", "-f", "pod=blue"])?, "");
    expect_eq!(engine.ok(&["ps", "-q", "-f", "pod=nonsense"])?, "");
    ensure!(engine.ok(&["ps", "--pod"])?.contains("PODNAME"), "no column");
    expect_eq!(engine.field("first", "PodName")?, "red");
    expect_eq!(engine.ok(&["inspect", "-f", "{{.Pod}}", "first"])?, id);
    expect_eq!(engine.ok(&["inspect", "-f", "{{.IsInfra}}", "first"])?, "false");
    expect_eq!(engine.ok(&["inspect", "-f", "{{.Pod}}", "alone"])?, "");
    let whole: Value = json(&engine.ok(&["pod", "inspect", "red"])?)?;
    expect_eq!(whole[0]["Containers"][1]["Id"], first.as_str());
    expect_eq!(whole[0]["SharedNamespaces"], serde_json::json!(["ipc", "net", "uts"]));
    // By any name that is not a container's or an image's.
    expect_eq!(engine.ok(&["inspect", "-f", "{{.Name}}", "red"])?, "red");
    expect_eq!(engine.ok(&["inspect", "--type", "pod", "-f", "{{.Name}}", &id[..12]])?, "red");
    engine.fails(&["inspect", "--type", "pod", "first"], 1, "no such pod")?;
    engine.fails(&["inspect", "--type", "container", "red"], 1, "no such container")?;
    engine.ok(&["pod", "rm", "-f", "-t", "0", "--all"])?;
    let events = engine.ok(&["events", "--since", "0", "--until", "0s", "-f", "type=pod"])?;
    for action in ["create", "start", "stop", "remove"] {
        ensure!(events.contains(&format!("pod {action} {id} (name=red)")), "{action}: {events}");
    }
    engine.ok(&["rm", "-f", "alone"])?;
    engine.is_clean()
}

pub(crate) fn logs_stats_and_processes() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["pod", "create", "--name", "one", "--network", "none"])?;
    let first =
        engine.start("first", &["--pod", "one"], "echo a; sleep 0.3; echo c; sleep 1000")?;
    engine.start("second", &["--pod", "one"], "sleep 0.15; echo b >&2; sleep 1000")?;
    let logs = |flags: &[&str]| engine.run(&[&["pod", "logs"], flags, &["one"]].concat());
    until("all is printed", || {
        logs(&["-n"]).is_ok_and(|done| done.stdout.contains("first c") && !done.stderr.is_empty())
    })?;
    let done = logs(&["--names"])?;
    expect_eq!((&*done.stdout, &*done.stderr), ("first a\nfirst c\n", "second b\n"));
    expect_eq!(logs(&["--tail", "1"])?.stdout, format!("{} c\n", &first[..12]));
    expect_eq!(logs(&["-c", "second"])?.stdout, "");
    engine.start("alone", &["--network", "none"], "sleep 1000")?;
    engine.fails(&["pod", "logs", "-c", "alone", "one"], 125, "is not in pod one")?;
    let stats =
        engine.ok(&["pod", "stats", "--no-stream", "--format", "{{.Pod}} {{.Name}}", "one"])?;
    expect_eq!(stats.lines().filter(|line| line.contains(' ')).count(), 3, "{stats}");
    ensure!(stats.ends_with("second") && !stats.contains("alone"), "{stats}");
    let top = engine.ok(&["pod", "top", "one"])?;
    ensure!(top.contains("/dev/tino -P") && top.matches("sleep 1000").count() >= 2, "{top}");
    // To the end of all of them, and those that come later.
    let followed = engine.launch(&["pod", "logs", "-f", "-n", "one"]).start()?;
    followed.wait_line("first c")?;
    engine.start("third", &["--pod", "one"], "echo later")?;
    followed.wait_line("third later")?;
    engine.ok(&["pod", "stop", "-t", "0", "one"])?;
    followed.finish()?.expect_code(0)?;
    engine.ok(&["pod", "rm", "one"])?;
    engine.ok(&["rm", "-f", "alone"])?;
    engine.is_clean()
}

pub(crate) fn what_is_wrong_is_said() -> Result<()> {
    let engine = Engine::new()?;
    for (words, expected) in [
        (&["--share", "net,user"][..], "cannot be shared"),
        (&["--infra=false", "--share", "net"], "nobody would hold"),
        (&["--share", "none", "-p", "80:80"], "does not share its network"),
        (&["--share", "uts", "-p", "80:80"], "does not share its network"),
        (&["--share", "net", "-h", "name"], "does not share uts"),
        (&["--share", "none", "-v", "/x"], "needs an infra container"),
        (&["--network", "none", "-p", "80:80"], "cannot be published with --network none"),
        (&["--network", "elsewhere"], "no such network"),
        (&["--infra-image", "x"], "tino holds what is shared"),
        (&["--exit-policy", "x"], "neither continue nor stop"),
        (&["--memory", "64m", "--memory-swap", "1m"], "is less than --memory"),
        (&["--memory", "much"], "is no size"),
        (&["--pids-limit", "0"], "0 is not in"),
        (&["--ip", "x"], "is not like 172.17.0.9"),
        (&["--name", "a/b"], "invalid name"),
        (&["--infra-name", "a/b"], "invalid name"),
        (&["--replace"], "--name"),
    ] {
        engine.fails(&[&["pod", "create"], words].concat(), 125, expected)?;
    }
    expect_eq!(engine.ok(&["pod", "ps", "-q"])?, "");
    engine.is_clean()?;
    engine.ok(&["pod", "create", "--name", "one"])?;
    for (words, expected) in [
        (&["-p", "80:80"][..], "published ports are the pod's: give --publish to `pod create`"),
        (&["-P"], "published ports are the pod's"),
        (&["--network", "host"], "the network is the pod's"),
        (&["--ip", "10.200.0.9"], "addresses are the pod's"),
        (&["--dns", "10.0.0.1"], "servers for names are the pod's"),
        (&["--add-host", "a:10.0.0.1"], "lines of /etc/hosts are the pod's"),
        (&["-h", "name"], "the host name is the pod's"),
        (&["--shm-size", "1m"], "`/dev/shm` is the pod's"),
        (&["--cgroup-parent", "/x"], "the cgroup above is the pod's"),
        (&["--pod-id-file", "/nowhere"], "cannot be used with"),
    ] {
        engine.fails(
            &[&["run", "--pod", "one"], words, &["box", "true"]].concat(),
            125,
            expected,
        )?;
    }
    let taken = ["run", "--pod", "new:one", "box", "true"];
    engine.fails(&taken, 125, "in use by pod")?;
    expect_eq!(engine.ok(&["pod", "inspect", "-f", "{{.NumContainers}}", "one"])?, "1");
    engine.ok(&["pod", "rm", "one"])?;
    engine.is_clean()
}
