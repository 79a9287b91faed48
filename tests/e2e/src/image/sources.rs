//! Where images come from: archives, folders, the program itself.

use std::fs;

use anyhow::{Result, ensure};

use super::support::Engine;
use crate::expect_eq;
use crate::support::scratch;

pub(crate) fn pull_from_archives_and_folders() -> Result<()> {
    let engine = Engine::new();
    let one = engine.import("one:1", &["a"], &[])?;
    let two = engine.import("two:2", &["b"], &[])?;
    let at = |name: &str| scratch(name).display().to_string();
    engine.ok(&["save", "-o", &at("both.tar"), "one:1", "two:2"])?;
    engine.ok(&["save", "--format=oci-archive", "-o", &at("one.oci"), "one:1"])?;
    engine.ok(&["save", "--format=oci-dir", "-o", &at("layout"), "one:1"])?;
    engine.ok(&["save", "--format=oci-dir", "-o", &at("layout"), "two:2"])?;
    let pull = |source: String| -> Result<String> {
        engine.ok(&["rmi", "-q", "-a"])?;
        engine.ok(&["pull", "-q", &source])
    };
    expect_eq!(pull(format!("docker-archive:{}:two:2", at("both.tar")))?, two);
    expect_eq!(engine.names()?, ["two:2"]);
    expect_eq!(pull(format!("docker-archive:{}", at("both.tar")))?, format!("{one}\n{two}"));
    expect_eq!(pull(format!("oci-archive:{}", at("one.oci")))?, one);
    expect_eq!(pull(format!("oci:{}:2", at("layout")))?, two);
    expect_eq!(pull(format!("oci:{}", at("layout")))?, format!("{one}\n{two}"));
    // The layout's own labels are no names of images; the folder's name is taken then.
    let index = fs::read_to_string(scratch("layout/index.json"))?;
    let index = index.replace("io.containerd.image.name", "x");
    fs::write(scratch("layout/index.json"), index)?;
    expect_eq!(pull(format!("oci:{}:1", at("layout")))?, one);
    expect_eq!(engine.names()?, ["localhost/layout:1"]);
    let missing = format!("docker-archive:{}:none", at("both.tar"));
    let done = engine.fails(&["pull", &missing], "no image in it is called none")?;
    ensure!(done.stderr.contains("there are: one:1 two:2"), "{done:?}");
    engine.fails(&["pull", &format!("oci:{}", at("nothing"))], "nothing: No such file")?;
    for source in ["host:", "dir:/etc"] {
        engine.fails(&["pull", source], "is used as it is; there is nothing to pull")?;
    }
    engine.fails(&["pull", "oci:"], "a path must follow the colon")?;
    engine.is_clean()
}

pub(crate) fn hello() -> Result<()> {
    let engine = Engine::new();
    let id = engine.ok(&["pull", "-q", "hello"])?;
    expect_eq!(engine.ok(&["pull", "-q", "hello"])?, id);
    expect_eq!(engine.names()?, ["localhost/hello:latest"]);
    expect_eq!(engine.ok(&["inspect", "-f", "{{.Config.Entrypoint}}", "hello"])?, "[/hello]");
    expect_eq!(engine.ok(&["rmi", "hello"])?.lines().count(), 2);
    Ok(())
}

pub(crate) fn short_names_are_looked_for_in_the_list() -> Result<()> {
    let engine = Engine::new();
    let one = engine.import("quay.local/team/app:1", &["a"], &[])?;
    let hub = engine.import("docker.io/library/app:2", &["b"], &[])?;
    let id_of = |name: &str| engine.ok(&["inspect", "-f", "{{.Id}}", name]);
    expect_eq!(id_of("app:2")?, hub);
    engine.fails(&["image", "inspect", "app:1"], "no image \"app:1\" is here")?;
    let list = "unqualified-search-registries = [\"quay.local/team\", \"docker.io\"]\n\
                [aliases]\n\"short\" = \"quay.local/team/app\"\n";
    fs::write(scratch("registries.conf"), list)?;
    expect_eq!(id_of("app:1")?, one);
    expect_eq!(id_of("app:2")?, hub);
    expect_eq!(id_of("short:1")?, one);
    // What was named shortly here is found, whatever the list says.
    engine.ok(&["tag", "app:1", "localhost/mine"])?;
    expect_eq!(id_of("mine")?, one);
    fs::write(scratch("registries.conf"), "unqualified-search-registries = 5\n")?;
    engine.fails(&["pull", "app"], "registries.conf")?;
    Ok(())
}
