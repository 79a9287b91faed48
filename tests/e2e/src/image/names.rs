//! `tinyo tag`, `tinyo untag` and `tinyo rmi`.

use anyhow::{Result, ensure};

use super::support::Engine;
use crate::expect_eq;

pub(crate) fn tag_and_untag() -> Result<()> {
    let engine = Engine::new();
    let id = engine.import("one", &["a"], &[])?;
    let other = engine.import("other", &["b"], &[])?;
    engine.ok(&["tag", "one", "registry.local:5000/team/app:1", "two"])?;
    engine.ok(&["tag", &id[7..19], "three"])?;
    let id_of = |name: &str| engine.ok(&["inspect", "-f", "{{.Id}}", name]);
    for name in ["registry.local:5000/team/app:1", "two:latest", "docker.io/library/three"] {
        expect_eq!(id_of(name)?, id, "{name}");
    }
    // A name moves.
    engine.ok(&["tag", "other", "two"])?;
    expect_eq!(id_of("two")?, other);
    engine.ok(&["untag", "other", "two"])?;
    engine.fails(&["image", "inspect", "two"], "no image \"two\" is here")?;
    engine.fails(&["untag", "other", "one"], "has no such name")?;
    // All names; the image stays.
    engine.ok(&["untag", "one"])?;
    expect_eq!(id_of(&id)?, id);
    expect_eq!(engine.names()?.iter().filter(|name| *name == "<none>:<none>").count(), 1);
    engine.fails(&["tag", "other", "Upper"], "must be in lower case: upper")?;
    let digest = format!("x@{id}");
    engine.fails(&["tag", "other", &digest], "a digest cannot be given to an image")?;
    engine.fails(&["tag", "none", "x"], "no image \"none\" is here")?;
    Ok(())
}

pub(crate) fn rmi() -> Result<()> {
    let engine = Engine::new();
    let one = engine.import("one", &["a"], &[])?;
    engine.ok(&["tag", "one", "one:2"])?;
    // One name of two: the image stays.
    expect_eq!(engine.ok(&["rmi", "one:2"])?, "Untagged: one:2");
    engine.ok(&["tag", "one", "one:2"])?;
    // By its id it goes with all names, but only by force.
    let refused = engine.fails(&["rmi", &one], "has the names")?;
    ensure!(refused.stderr.contains("or use --force"), "{refused:?}");
    let removed = engine.ok(&["rmi", "-f", &one[7..19]])?;
    expect_eq!(removed, format!("Untagged: one:2\nUntagged: one:latest\nDeleted: {one}"));
    expect_eq!(engine.names()?, Vec::<String>::new());
    // Several at once, and what is shared stays.
    let (two, three) = (engine.import("two", &["b"], &[])?, engine.import("three", &["c"], &[])?);
    engine.import("four", &["b"], &["CMD x"])?;
    let json = engine.json(&["rmi", "--format=json", "two", "three"])?;
    expect_eq!(json["Deleted"], serde_json::json!([two, three]));
    expect_eq!(json["Layers"].as_array().map(Vec::len), Some(1));
    engine.is_clean()?;
    expect_eq!(engine.ok(&["rmi", "-q", "--all"])?, "");
    expect_eq!(engine.names()?, Vec::<String>::new());
    for folder in ["blobs/sha256", "layers/sha256", "incoming", "unpacking", "locks"] {
        expect_eq!(engine.files(folder)?, Vec::<String>::new(), "{folder}");
    }
    // What was removed is freed by a process that nobody waits for.
    crate::support::until("the trash is empty", || {
        engine.files("trash").is_ok_and(|files| files.is_empty())
    })
}

pub(crate) fn rmi_of_what_is_not_there() -> Result<()> {
    let engine = Engine::new();
    engine.import("one", &["a"], &[])?;
    // Everything that can be removed is.
    let done =
        engine.fails(&["rmi", "none", "one", "0123456789ab"], "no image \"none\" is here")?;
    ensure!(done.stdout.starts_with("Untagged: one:latest\nDeleted: "), "{done:?}");
    ensure!(done.stderr.contains("no image \"0123456789ab\" is here"), "{done:?}");
    engine.ok(&["rmi", "--ignore", "none"])?;
    engine.ok(&["rmi", "--force", "none"])?;
    expect_eq!(engine.run(&["rmi"])?.code, Some(1));
    Ok(())
}

pub(crate) fn what_containers_use_stays() -> Result<()> {
    let engine = Engine::new();
    let runroot = crate::support::scratch("run").display().to_string();
    engine.ok(&["pull", "-q", "hello"])?;
    engine.ok(&["tag", "hello", "second"])?;
    // Without a network, as this one has no namespace of its own to make a bridge in.
    let words = ["--runroot", &runroot, "create", "--network", "none", "--name", "user", "hello"];
    let container = engine.ok(&words)?;
    // One name of two may go, the last one not.
    engine.ok(&["rmi", "second"])?;
    let done = engine.fails(&["rmi", "hello"], "is used by")?;
    let is_short = !done.stderr.contains(&container);
    ensure!(is_short && done.stderr.contains(&container[..12]), "{done:?}");
    engine.ok(&["prune", "-af"])?;
    engine.ok(&["rmi", "-a"])?;
    expect_eq!(engine.names()?, ["localhost/hello:latest"]);
    let usage = engine.json(&["system", "df", "--format=json"])?;
    expect_eq!([&usage["ImagesInUse"], &usage["Reclaimable"]], [1, 0]);
    // Force takes the name, and the image stays for its container.
    engine.ok(&["rmi", "--force", "hello"])?;
    expect_eq!(engine.ok(&["images", "-q"])?.lines().count(), 1);
    engine.ok(&["--runroot", &runroot, "rm", "user"])?;
    engine.ok(&["prune", "-f"])?;
    expect_eq!(engine.names()?, Vec::<String>::new());
    engine.is_clean()
}

/// `tinyo image ...` does what the commands do that it is short for.
pub(crate) fn group() -> Result<()> {
    let engine = Engine::new();
    let id = engine.import("one", &["a"], &[])?;
    engine.ok(&["image", "tag", "one", "two"])?;
    for list in ["ls", "list"] {
        expect_eq!(engine.ok(&["image", list, "-q", "--no-trunc"])?, id);
    }
    expect_eq!(engine.ok(&["image", "inspect", "-f", "{{.Id}}", "two"])?, id);
    expect_eq!(engine.ok(&["image", "rm", "two"])?, "Untagged: two:latest");
    for (name, code) in [("one", 0), ("two", 1)] {
        let done = engine.run(&["image", "exists", name])?;
        ensure!(done.code == Some(code) && done.stdout.is_empty(), "{name}: {done:?}");
    }
    engine.ok(&["image", "untag", "one"])?;
    ensure!(engine.ok(&["image", "prune", "--force"])?.contains(&id));
    expect_eq!(engine.ok(&["image", "ls", "-q"])?, "");
    engine.fails(&["image", "inspect", "one"], "no image \"one\" is here")?;
    Ok(())
}
