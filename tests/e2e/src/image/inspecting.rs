//! `tinyo inspect` and `tinyo history`.

use anyhow::{Result, ensure};

use super::support::Engine;
use crate::expect_eq;

pub(crate) fn inspect() -> Result<()> {
    let engine = Engine::new();
    let changes = [
        "CMD [\"sh\", \"-c\"]",
        "ENV A=1 B=2",
        "LABEL a.b=c",
        "USER 5:6",
        "WORKDIR /w",
        "EXPOSE 80",
    ];
    let id = engine.import("one:1", &["a"], &changes)?;
    let all = engine.json(&["inspect", "one:1"])?;
    let image = &all[0];
    expect_eq!(image["Id"], id.as_str());
    expect_eq!(image["RepoTags"], serde_json::json!(["one:1"]));
    expect_eq!(image["Config"]["Cmd"], serde_json::json!(["sh", "-c"]));
    expect_eq!(image["Config"]["WorkingDir"], "/w");
    expect_eq!(image["Config"]["Entrypoint"], serde_json::json!([]));
    expect_eq!(image["RootFS"]["Type"], "layers");
    expect_eq!(image["Size"], 1);
    let shown = |template: &str| engine.ok(&["inspect", "-f", template, "one:1"]);
    expect_eq!(shown("{{.Id}}")?, id);
    expect_eq!(shown("{{json .Config.Env}}")?, r#"["A=1","B=2"]"#);
    expect_eq!(shown("{{.Config.Env}} {{.Config.User}}")?, "[A=1 B=2] 5:6");
    expect_eq!(shown(r#"{{index .Config.Labels "a.b"}}"#)?, "c");
    expect_eq!(shown("{{index .RepoTags 0}}")?, "one:1");
    expect_eq!(shown("{{range $p, $_ := .Config.ExposedPorts}}{{$p}}{{end}}")?, "80/tcp");
    expect_eq!(shown("{{len .RootFS.Layers}}")?, "1");
    engine
        .fails(&["inspect", "-f", "{{.Config.Colour}}", "one:1"], "there is no field \"Colour\"")?;
    // By id, by its beginning, and by the manifest's digest.
    let digest = shown("{{.Digest}}")?;
    for text in [id.as_str(), &id[7..19], &id[7..10], &digest] {
        expect_eq!(engine.ok(&["inspect", "-f", "{{.Id}}", text])?, id, "{text}");
    }
    // What is there is shown, whatever else is not.
    let done = engine
        .fails(&["inspect", "-f", "{{.Id}}", "nothing", "one:1", "nor/this"], "\"nothing\"")?;
    ensure!(done.stdout.trim() == id && done.stderr.contains("\"nor/this\""), "{done:?}");
    Ok(())
}

pub(crate) fn history() -> Result<()> {
    let engine = Engine::new();
    let archive = super::support::archive(&"long".repeat(20), &["a"])?;
    let archive = archive.to_str().unwrap_or_default();
    engine.ok(&["import", "--message", "made for a test", archive, "one"])?;
    let table = engine.ok(&["history", "one"])?;
    ensure!(table.starts_with("LAYER          CREATED"), "{table}");
    ensure!(table.contains("made for a test") && table.contains("..."), "{table}");
    let in_full = engine.ok(&["history", "--no-trunc", "one"])?;
    ensure!(in_full.contains(archive) && in_full.contains("sha256:"), "{in_full}");
    let json = engine.json(&["history", "--format=json", "one"])?;
    expect_eq!(json[0]["Comment"], "made for a test");
    expect_eq!(json[0]["Size"], 1);
    let ids = engine.ok(&["history", "-q", "--no-trunc", "one"])?;
    expect_eq!(json[0]["DiffId"], ids.as_str());
    expect_eq!(
        engine.ok(&["history", "--format={{.Size}} {{.Comment}}", "one"])?,
        "1 B made for a test"
    );
    engine.fails(&["history", "none"], "no image \"none\" is here; `tinyo pull` gets it")?;
    Ok(())
}
