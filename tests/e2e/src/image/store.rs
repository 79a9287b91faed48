//! `tinyo system` and `tinyo prune`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::support::Engine;
use crate::expect_eq;
use crate::support::scratch;

pub(crate) fn df() -> Result<()> {
    let engine = Engine::new();
    expect_eq!(engine.json(&["system", "df", "--format=json"])?["Images"], 0);
    engine.import("one", &["a"], &[])?;
    engine.import("two", &["a"], &["CMD x"])?;
    let usage = engine.json(&["system", "df", "--format=json"])?;
    expect_eq!([&usage["Images"], &usage["Layers"], &usage["LayerBytes"]], [2, 1, 1]);
    let sizes = engine
        .files("blobs/sha256")?
        .into_iter()
        .map(|name| Ok(fs::metadata(engine.store.join("blobs/sha256").join(name))?.len()));
    expect_eq!(usage["BlobBytes"], sizes.sum::<Result<u64>>()?);
    let table = engine.ok(&["system", "df"])?;
    ensure!(table.starts_with("TYPE") && table.contains("(100%)"), "{table}");
    let verbose = engine.ok(&["system", "df", "-v"])?;
    // The layer is shared: neither image alone would free it.
    ensure!(verbose.contains("SHARED SIZE") && verbose.contains("UNIQUE SIZE"), "{verbose}");
    let verbose = engine.json(&["system", "df", "-v", "--format=json"])?;
    let image = &verbose["Details"][0];
    expect_eq!([&image["SharedBytes"], &image["UniqueBytes"]], [1, 0]);
    Ok(())
}

pub(crate) fn prune() -> Result<()> {
    let engine = Engine::new();
    let named = engine.import("named", &["a"], &["LABEL keep=yes"])?;
    let unnamed = engine.import("unnamed", &["b"], &[])?;
    engine.ok(&["untag", "unnamed"])?;
    engine.fails(&["prune"], "standard input is no terminal to ask on")?;
    expect_eq!(engine.ok(&["images", "-q"])?.lines().count(), 2);
    engine.ok(&["prune", "-f", "--filter", "until=1h"])?;
    expect_eq!(engine.ok(&["images", "-q"])?.lines().count(), 2);
    let text = engine.ok(&["prune", "--force"])?;
    ensure!(text.starts_with(&format!("Deleted: {unnamed}\nTotal reclaimed space: ")), "{text}");
    engine.ok(&["prune", "-a", "-f", "--filter", "label!=keep"])?;
    expect_eq!(engine.ok(&["images", "-q", "--no-trunc"])?, named);
    let json = engine.json(&["system", "prune", "-af", "--format=json"])?;
    expect_eq!(json["Deleted"], json!([named]));
    ensure!(json["SpaceReclaimed"].as_u64() > Some(0), "{json}");
    expect_eq!(engine.files("blobs/sha256")?, Vec::<String>::new());
    Ok(())
}

/// Changes a byte of a file without changing its time.
fn flip(path: &Path) -> Result<()> {
    let time = fs::metadata(path)?.modified()?;
    let mut bytes = fs::read(path)?;
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).context("a byte")? ^= 0x10;
    fs::write(path, bytes)?;
    fs::File::options().write(true).open(path)?.set_modified(time)?;
    Ok(())
}

pub(crate) fn check_finds_and_mends() -> Result<()> {
    let engine = Engine::new();
    let id = engine.import("one", &["a", "folder/b"], &[])?;
    let layer = engine.files("layers/sha256")?.pop().context("a layer")?;
    let in_layer = |path: &str| engine.store.join("layers/sha256").join(&layer).join(path);
    engine.is_clean()?;
    flip(&in_layer("folder/b"))?;
    // A quick look does not read it.
    engine.ok(&["system", "check", "--quick"])?;
    let done = engine.fails(&["system", "check"], "one thing is wrong")?;
    ensure!(
        done.stdout.contains(&format!("layer sha256:{layer} (image {}) is damaged", &id[7..19]))
            && done.stdout.contains("/folder/b: its contents"),
        "{done:?}"
    );
    let done = engine.ok(&["system", "check", "--repair"])?;
    ensure!(done.contains("is damaged; repaired"), "{done}");
    expect_eq!(fs::read_to_string(in_layer("folder/b"))?, "folder/b");
    engine.is_clean()?;
    // The mode, a missing file, one too many, and the folder as a whole.
    fs::set_permissions(in_layer("a"), fs::Permissions::from_mode(0o6755))?;
    fs::remove_file(in_layer("folder/b"))?;
    fs::write(in_layer("more"), "")?;
    let done = engine.run(&["system", "check", "-q"])?;
    for expected in ["/a: its mode", "/folder/b: missing", "/more: not in the layer"] {
        ensure!(done.stdout.contains(expected), "{done:?}");
    }
    engine.ok(&["system", "check", "--repair"])?;
    engine.is_clean()?;
    fs::remove_dir_all(engine.store.join("layers/sha256").join(&layer))?;
    engine.fails(&["system", "check", "--quick"], "one thing is wrong")?;
    engine.ok(&["system", "check", "--repair"])?;
    expect_eq!(fs::read_to_string(in_layer("a"))?, "a");
    blobs_cannot_be_made_of_nothing(&engine)
}

/// A blob that no registry has is not mended, and that is said.
fn blobs_cannot_be_made_of_nothing(engine: &Engine) -> Result<()> {
    let digest = engine.ok(&["inspect", "-f", "{{(index .Layers 0).Digest}}", "one"])?;
    let blob = engine.store.join("blobs/sha256").join(&digest[7..]);
    let good = fs::read(&blob)?;
    flip(&blob)?;
    let findings = engine.run(&["system", "check", "--format=json"])?;
    expect_eq!(findings.code, Some(1));
    let findings: serde_json::Value = serde_json::from_str(&findings.stdout)?;
    expect_eq!([&findings[0]["Kind"], &findings[0]["Fault"]], ["blob", "damaged"]);
    expect_eq!(findings[0]["Digest"], digest.as_str());
    // Without a registry on this machine.
    let done = engine.run(&["system", "check", "--repair", "--retry=0"])?;
    ensure!(done.code == Some(1) && done.stdout.contains("not repaired: "), "{done:?}");
    fs::write(&blob, good)?;
    engine.is_clean()
}

/// What killed processes left, and what nobody speaks of.
pub(crate) fn leftovers_go() -> Result<()> {
    let engine = Engine::new();
    engine.import("one", &["a"], &[])?;
    let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let at = |path: String| engine.store.join(path);
    fs::write(at(format!("incoming/{}", digest("1"))), "begun")?;
    fs::create_dir_all(at(format!("unpacking/{}/folder", digest("2"))))?;
    fs::write(at(format!("blobs/sha256/{}", "3".repeat(64))), "nobody's")?;
    fs::create_dir_all(at(format!("layers/sha256/{}/folder", "4".repeat(64))))?;
    expect_eq!(engine.json(&["system", "df", "--format=json"])?["IncomingBytes"], 5);
    engine.ok(&["system", "prune", "-f"])?;
    expect_eq!(engine.files("incoming")?, Vec::<String>::new());
    expect_eq!(engine.files("unpacking")?, Vec::<String>::new());
    expect_eq!(engine.files("blobs/sha256")?.len(), 3);
    expect_eq!(engine.files("layers/sha256")?.len(), 1);
    expect_eq!(engine.names()?, ["one:latest"]);
    engine.is_clean()
}

pub(crate) fn reset() -> Result<()> {
    let engine = Engine::new();
    engine.import("one", &["a"], &[])?;
    engine.fails(&["system", "reset"], "standard input is no terminal")?;
    engine.ok(&["system", "reset", "--force"])?;
    ensure!(!engine.store.exists(), "the store is still there");
    expect_eq!(engine.names()?, Vec::<String>::new());
    // It goes on to be a store.
    engine.import("two", &["b"], &[])?;
    ensure!(scratch("store").join("tinyo.db").exists());
    engine.is_clean()
}
