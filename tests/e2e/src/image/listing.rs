//! `tinyo images`.

use anyhow::{Result, ensure};

use super::support::Engine;
use crate::expect_eq;

pub(crate) fn images_as_table_json_and_ids() -> Result<()> {
    let engine = Engine::new();
    expect_eq!(engine.ok(&["images"])?, "REPOSITORY   TAG   IMAGE ID   CREATED   SIZE");
    expect_eq!(engine.ok(&["images", "--format=json"])?, "[]");
    let id = engine.import("one", &["a"], &[])?;
    engine.import("team/two:2", &["b", "c"], &[])?;
    engine.ok(&["tag", "one", "one:other"])?;
    let table = engine.ok(&["images"])?;
    let rows: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    expect_eq!(rows.len(), 4);
    let short = &id["sha256:".len()..][..12];
    let row = rows.iter().find(|row| row[..2] == ["one", "latest"]);
    ensure!(
        row.is_some_and(|row| row[2] == short && row[row.len() - 2..] == ["1", "B"]),
        "{table}"
    );
    ensure!(engine.ok(&["images", "--no-trunc"])?.contains(&id));
    ensure!(engine.ok(&["images", "--digests"])?.contains("sha256:"));
    ensure!(!engine.ok(&["images", "--noheading"])?.contains("REPOSITORY"));
    // One image under two names is one id.
    let ids = engine.ok(&["images", "-q", "--no-trunc"])?;
    expect_eq!(ids.lines().filter(|line| *line == id).count(), 1);
    expect_eq!(ids.lines().count(), 2);
    expect_eq!(engine.ok(&["images", "-q", "one"])?, short);
    expect_eq!(engine.ok(&["images", "-q", "one:none"])?, "");
    let json = engine.json(&["images", "--format=json", "team/two"])?;
    expect_eq!(json[0]["Repository"], "docker.io/team/two");
    expect_eq!(json[0]["Tag"], "2");
    expect_eq!(json[0]["Size"], 2);
    expect_eq!(json[1], serde_json::Value::Null);
    Ok(())
}

pub(crate) fn filters() -> Result<()> {
    let engine = Engine::new();
    engine.import("app:1", &["a"], &["LABEL role=web stage=test"])?;
    engine.import("app:2", &["b"], &["LABEL role=db"])?;
    engine.import("lib/tool", &["c"], &[])?;
    engine.ok(&["untag", "lib/tool"])?;
    let found = |filters: &[&str]| -> Result<String> {
        let words: Vec<&str> = filters.iter().flat_map(|filter| ["--filter", filter]).collect();
        let names =
            engine.ok(&[&["images", "--format={{.Repository}}:{{.Tag}}"], &words[..]].concat())?;
        let mut names: Vec<_> = names.lines().collect();
        names.sort_unstable();
        Ok(names.join(" "))
    };
    expect_eq!(found(&["dangling=true"])?, "<none>:<none>");
    expect_eq!(found(&["dangling=false"])?, "app:1 app:2");
    expect_eq!(found(&["label=role"])?, "app:1 app:2");
    expect_eq!(found(&["label=role=db"])?, "app:2");
    expect_eq!(found(&["label=role", "label=stage=test"])?, "app:1");
    expect_eq!(found(&["label!=role"])?, "<none>:<none>");
    expect_eq!(found(&["reference=app"])?, "app:1 app:2");
    expect_eq!(found(&["reference=a*:2"])?, "app:2");
    expect_eq!(found(&["reference=docker.io/library/*:1"])?, "app:1");
    expect_eq!(found(&["reference=x*"])?, "");
    expect_eq!(found(&["until=1h"])?, "");
    expect_eq!(found(&["until=2100-01-01T00:00:00Z", "dangling=false"])?, "app:1 app:2");
    engine.fails(&["images", "-f", "dangling=maybe"], "neither true nor false")?;
    engine.fails(&["images", "-f", "before=none"], "no image \"none\" is here")?;
    engine.fails(&["images", "-f", "until=soon"], "an age like 24h")?;
    expect_eq!(engine.run(&["images", "-f", "color=red"])?.code, Some(125));
    before_and_since(&engine, &found)
}

/// What counts is when the images were made.
fn before_and_since(engine: &Engine, found: &dyn Fn(&[&str]) -> Result<String>) -> Result<()> {
    // Times are in seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    engine.import("app:3", &["d"], &[])?;
    expect_eq!(found(&["since=app:2", "reference=app"])?, "app:3");
    expect_eq!(found(&["before=app:3", "reference=app"])?, "app:1 app:2");
    Ok(())
}

pub(crate) fn templates() -> Result<()> {
    let engine = Engine::new();
    let id = engine.import("one:1", &["a"], &[])?;
    expect_eq!(
        engine.ok(&["images", "--format", "{{.ID}} {{.Size}}"])?,
        format!("{} 1 B", &id[7..19])
    );
    let table = engine.ok(&["images", "--format", r"table {{.Tag}}\t{{.Repository}}"])?;
    expect_eq!(table, "TAG   REPOSITORY\n1     one");
    engine
        .fails(&["images", "--format={{.Nothing}}"], "there is no field \"Nothing\"; there are")?;
    let bad = engine.run(&["images", "--format={{.ID"])?;
    expect_eq!(bad.code, Some(125));
    ensure!(bad.stderr.contains("is not ended by }}"), "{bad:?}");
    Ok(())
}
