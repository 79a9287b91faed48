//! Archives of images: others load what `tinyo save` writes, and `tinyo load` what they do.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::commands::{find, text_of};
use crate::docker::{Docker, Setup};
use crate::podman::Podman;
use crate::sandbox;

/// `tinyo` with a store in a folder.
struct Tinyo<'a>(&'a Path);

impl Tinyo<'_> {
    fn text(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new(harness::tinyo());
        command.arg("--root").arg(self.0.join("store")).env("HOME", self.0);
        text_of(command.args(words))
    }

    /// The id and the layers of an image.
    fn inspect(&self, name: &str) -> Result<(String, Value)> {
        let found: Value = serde_json::from_str(&self.text(&["inspect", name])?)?;
        let id = found[0]["Id"].as_str().with_context(|| format!("{found:#}"))?;
        Ok((id.trim_start_matches("sha256:").to_owned(), found[0]["RootFS"]["Layers"].clone()))
    }
}

/// The same, as Docker and Podman answer `image inspect`.
fn inspect(command: &mut Command) -> Result<(String, Value)> {
    let found: Value = serde_json::from_str(&text_of(command)?)?;
    let id = found[0]["Id"].as_str().with_context(|| format!("{found:#}"))?;
    Ok((id.trim_start_matches("sha256:").to_owned(), found[0]["RootFS"]["Layers"].clone()))
}

pub(crate) fn podman() -> Result<()> {
    sandbox::inside(|folder| {
        let podman = Podman::prepare_with(folder, find("runc")?)?;
        let tinyo = Tinyo(folder);
        let name = "localhost/box:latest";
        let layers = inspect(&mut podman.command(&format!("image inspect {name}")))?.1;
        for format in ["docker-archive", "oci-archive"] {
            let theirs = format!("{}/theirs-{format}.tar", folder.display());
            text_of(&mut podman.command(&format!("save -q --format {format} -o {theirs} {name}")))?;
            text_of(&mut podman.command(&format!("rmi -f {name}")))?;
            tinyo.text(&["load", "--quiet", "-i", &theirs]).context(format)?;
            let loaded = tinyo.inspect(name)?;
            ensure!(loaded.1 == layers, "{format}: {loaded:?}");
            for format in ["docker-archive", "oci-archive"] {
                let ours = format!("{}/ours-{format}.tar", folder.display());
                let _ = std::fs::remove_file(&ours);
                tinyo.text(&["save", "--format", format, "-o", &ours, name])?;
                text_of(&mut podman.command(&format!("load -q -i {ours}"))).context(format)?;
                let again = inspect(&mut podman.command(&format!("image inspect {name}")))?;
                ensure!(again == loaded, "{format}: {again:?} instead of {loaded:?}");
                let mut run = podman.run_plain("--rm --network none", &["echo", "it runs"]);
                ensure!(text_of(&mut run)? == "it runs", "{format}");
                text_of(&mut podman.command(&format!("rmi -f {name}")))?;
                // The very manifest, for skopeo.
                if format == "oci-archive" {
                    let digest = tinyo.text(&["inspect", "-f", "{{.Digest}}", name])?;
                    let mut skopeo = Command::new(find("skopeo")?);
                    skopeo.args(["inspect", "--format={{.Digest}}"]);
                    ensure!(text_of(skopeo.arg(format!("oci-archive:{ours}")))? == digest);
                }
            }
            tinyo.text(&["rmi", "-a"])?;
            text_of(&mut podman.command(&format!("load -q -i {theirs}")))?;
        }
        Ok(())
    })
}

pub(crate) fn docker() -> Result<()> {
    sandbox::inside(|folder| {
        let docker = Docker::start_with(folder, &Setup::default())?;
        let tinyo = Tinyo(folder);
        let theirs = format!("{}/theirs.tar", folder.display());
        let ours = format!("{}/ours.tar", folder.display());
        let before = inspect(&mut docker.command("image inspect box"))?;
        text_of(&mut docker.command(&format!("save -o {theirs} box")))?;
        tinyo.text(&["load", "--quiet", "-i", &theirs])?;
        ensure!(tinyo.inspect("box")? == before);
        tinyo.text(&["tag", "box", "team/again:2"])?;
        tinyo.text(&["save", "-o", &ours, "box", "team/again:2"])?;
        text_of(&mut docker.command("rmi -f box"))?;
        text_of(&mut docker.command(&format!("load -q -i {ours}")))?;
        for name in ["box:latest", "team/again:2"] {
            let again = inspect(&mut docker.command(&format!("image inspect {name}")))?;
            ensure!(again == before, "{name}: {again:?}");
        }
        let mut run = docker.run_plain("--rm --network none", &["echo", "it runs"]);
        ensure!(text_of(&mut run)? == "it runs");
        Ok(())
    })
}
