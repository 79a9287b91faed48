//! What is asked for in lists, logs and events as Docker's users know it.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::support::{Engine, json};
use crate::expect_eq;
use crate::support::scratch;

pub(crate) fn labels_in_templates() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["create", "--name", "one", "box", "true"])?;
    engine.ok(&["commit", "-c", "LABEL a.b=c d=e", "one", "said"])?;
    engine.ok(&["volume", "create", "--label", "a.b=c", "--label", "d=e", "kept"])?;
    engine.ok(&["network", "create", "--label", "a.b=c", "lan"])?;
    let template = "{{.Label \"a.b\"}}|{{.Label \"none\"}}";
    let list = |words: &[&str], format: &str| engine.ok(&[words, &["--format", format]].concat());
    expect_eq!(list(&["images", "said"], template)?, "c|");
    expect_eq!(list(&["volume", "ls"], template)?, "c|");
    expect_eq!(list(&["network", "ls", "-f", "name=lan"], template)?, "c|");
    expect_eq!(list(&["volume", "ls"], "{{.Labels}}")?, "a.b=c,d=e");
    // What is above a column need not be one of what is usually shown.
    let table = "table {{.Name}}\t{{.Label \"a.b\"}}\t{{.CreatedAt}}\t{{.Labels}}";
    for kind in ["volume", "network"] {
        let shown = list(&[kind, "ls"], table)?;
        ensure!(shown.contains("CREATED AT") && shown.contains("LABELS"), "{shown}");
    }
    // It is for templates alone.
    for kind in ["volume", "network"] {
        let shown = list(&[kind, "ls"], "json")?;
        let first = shown.lines().next().context("nothing")?;
        ensure!(json(first)?.get("Label").is_none(), "{shown}");
    }
    engine.ok(&["rm", "one"])?;
    engine.ok(&["volume", "rm", "kept"])?;
    engine.ok(&["network", "rm", "lan"])?;
    engine.is_clean()
}

pub(crate) fn events_of_images() -> Result<()> {
    let engine = Engine::new()?;
    let archive = scratch("box.save");
    let archive = archive.to_str().context("UTF-8")?;
    engine.ok(&["tag", "box", "other:1", "other:2"])?;
    engine.ok(&["save", "-o", archive, "other:1"])?;
    engine.ok(&["untag", "box", "other:2"])?;
    engine.ok(&["rmi", "other:1"])?;
    let id = engine.ok(&["images", "-q", "--no-trunc", "box"])?;
    engine.ok(&["rmi", "box"])?;
    engine.ok(&["load", "-q", "-i", archive])?;
    engine.ok(&["image", "prune", "-a", "-f"])?;
    let shown = |more: &[&str]| {
        let words = ["events", "--since", "1h", "--stream=false", "--filter", "type=image"];
        engine.ok(&[&words[..], more].concat())
    };
    let format = ["--format", "{{.Action}} {{.Name}}"];
    let expected = "import localhost/box:latest\ntag localhost/other:1\ntag localhost/other:2\n\
        save localhost/other:1\nuntag localhost/other:2\nuntag localhost/other:1\n\
        untag localhost/box:latest\ndelete <no value>\nload localhost/other:1\n\
        untag localhost/other:1\ndelete <no value>";
    let found = shown(&format)?;
    let short = |text: &str| text.replace("localhost/", "").replace("docker.io/library/", "");
    expect_eq!(short(&found), short(expected));
    let by_id = shown(&["--filter", &format!("image={}", &id[7..19]), "--format", "{{.ID}}"])?;
    expect_eq!(by_id.lines().count(), 11);
    ensure!(by_id.lines().all(|line| line == id), "{by_id}");
    let deleted = shown(&["--filter", "event=delete", "--format", "{{.Type}}"])?;
    expect_eq!(deleted, "image\nimage");
    engine.is_clean()
}

pub(crate) fn details_of_logs() -> Result<()> {
    let engine = Engine::new()?;
    let flags =
        ["--log-opt=labels=a,none", "--log-opt", "env=E,PATH2", "--label=a=b", "-e", "E=x y"];
    let words = [&["run", "--name", "one"], &flags[..], &["box", "echo", "hi"]].concat();
    engine.ok(&words)?;
    expect_eq!(engine.ok(&["logs", "one"])?, "hi");
    expect_eq!(engine.ok(&["logs", "--details", "one"])?, "E=x y,a=b hi");
    let all = engine.ok(&["logs", "--details", "--names", "-t", "one"])?;
    ensure!(all.starts_with("one 20") && all.ends_with("Z E=x y,a=b hi"), "{all}");
    let options = engine.ok(&["inspect", "-f", "{{.HostConfig.LogConfig.Config.env}}", "one"])?;
    expect_eq!(options, "E,PATH2");
    engine.fails(&["create", "--log-opt=tag=x", "box", "true"], 125, "labels and env are known")?;
    engine.ok(&["rm", "one"])?;
    engine.is_clean()
}

/// Whose ids those are that were asked for by a name that has none.
pub(crate) fn the_flag_that_was_said_is_blamed() -> Result<()> {
    let engine = Engine::new()?;
    for flag in ["--subuidname", "--subgidname"] {
        let word = format!("{flag}=nobody-of-this-name");
        let done = engine.run(&["create", &word, "box", "true"])?;
        let said = format!("{flag}: /etc/sub{}", &flag[5..8]);
        ensure!(done.code == Some(125) && done.stderr.contains(flag), "{done:?}");
        let other = if flag == "--subuidname" { "--subgidname" } else { "--subuidname" };
        ensure!(!done.stderr.contains(other), "{said}: {done:?}");
    }
    engine.is_clean()
}

pub(crate) fn names_of_services_are_offered() -> Result<()> {
    let engine = Engine::new()?;
    let file = scratch("shop.yaml");
    fs::write(&file, "services:\n  web: {image: box, depends-on: [db]}\n  db: {image: box}\n")?;
    let file = file.to_str().context("UTF-8")?;
    let offered = |words: &[&str]| engine.ok(&[&["complete", "--"], words].concat());
    expect_eq!(offered(&["up", "-f", file, ""])?, "db\nweb");
    expect_eq!(offered(&["compose", "-f", file, "logs", "w"])?, "web");
    expect_eq!(offered(&["compose", "--file", file, "up", "db", ""])?, "web");
    // A file that says nothing is none of whoever types.
    expect_eq!(offered(&["up", "-f", "/none", ""])?, "");
    expect_eq!(offered(&["up", "-f", "-", ""])?, "");
    engine.is_clean()
}
