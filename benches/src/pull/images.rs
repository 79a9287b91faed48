//! The images: one like a distribution's, one of many small files, one of a single large layer.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// An image that can be made.
pub(super) struct Image {
    pub(super) name: &'static str,
    /// The lines of the table.
    pub(super) time: &'static str,
    pub(super) memory: &'static str,
    /// A shell script for each layer, which writes an archive to standard output. It runs in an
    /// empty folder.
    layers: &'static [&'static str],
}

pub(super) fn all() -> [Image; 3] {
    [
        Image {
            name: "debian",
            time: "Debian with packages, 6 layers: s",
            memory: "  peak kB",
            layers: &[
                "mmdebstrap --quiet --variant=minbase bookworm",
                "cd / && tar -c usr/lib/python3* usr/lib/gcc",
                "cd / && tar -c usr/bin",
                "cd / && tar -c usr/share/perl usr/share/zoneinfo usr/share/doc",
                "cd / && tar -c usr/include",
                "cd / && tar -c etc",
            ],
        },
        Image {
            name: "small",
            time: "40,000 small files: s",
            memory: "  peak kB ",
            layers: &["for d in $(seq 200); do mkdir $d; for f in $(seq 200); do \
                       echo $d $f > $d/$f; done; done; tar -c *"],
        },
        Image {
            name: "large",
            time: "one layer of 1 GB: s",
            memory: "  peak kB  ",
            layers: &[
                "for f in $(seq 8); do tar -C / -c usr/bin usr/sbin | head -c 128M > $f; done; tar -c *",
            ],
        },
    ]
}

impl Image {
    /// Makes the image and brings it into the registry, as an OCI layout by skopeo.
    pub(super) fn put(&self, folder: &Path, name: &str) -> Result<()> {
        let layout = folder.join("layout");
        let blobs = layout.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#)?;
        let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
        for script in self.layers {
            let (blob, diff_id) = layer(folder, &blobs, script)?;
            layers.push(blob);
            diff_ids.push(format!("\"sha256:{diff_id}\""));
        }
        let config = format!(
            r#"{{"os": "linux", "architecture": "amd64", "rootfs": {{"type": "layers", "diff_ids": [{}]}}}}"#,
            diff_ids.join(", ")
        );
        let config = document(&blobs, "config.v1+json", &config)?;
        let manifest = format!(
            r#"{{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {config}, "layers": [{}]}}"#,
            layers.join(", ")
        );
        let manifest = document(&blobs, "manifest.v1+json", &manifest)?;
        fs::write(
            layout.join("index.json"),
            format!(r#"{{"schemaVersion": 2, "manifests": [{manifest}]}}"#),
        )?;
        let mut copy = Command::new("skopeo");
        copy.args(["copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false"]);
        copy.arg(format!("oci:{}", layout.display())).arg(format!("docker://{name}"));
        ensure!(copy.status().context("skopeo")?.success(), "{copy:?}");
        Ok(fs::remove_dir_all(layout)?)
    }
}

/// Makes a layer: its descriptor, and the hash of the archive in it.
fn layer(folder: &Path, blobs: &Path, script: &str) -> Result<(String, String)> {
    let (work, archive) = (folder.join("layer"), folder.join("layer.tar"));
    fs::create_dir(&work)?;
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(&work).stdout(fs::File::create(&archive)?);
    // tar complains of files that change, and so be it.
    let status = command.stderr(Stdio::null()).status()?;
    fs::remove_dir_all(&work)?;
    ensure!(status.code().is_some_and(|code| code <= 1), "{script}: {status}");
    let diff_id = sha256(&archive)?;
    let zipped = folder.join("layer.tar.gz");
    let mut gzip = Command::new("gzip");
    gzip.arg("-6nf").arg(&archive);
    ensure!(gzip.status().context("gzip")?.success(), "{gzip:?}");
    Ok((store(blobs, &zipped, "layer.v1.tar+gzip")?, diff_id))
}

fn document(blobs: &Path, kind: &str, text: &str) -> Result<String> {
    let path = blobs.join("new");
    fs::write(&path, text)?;
    store(blobs, &path, kind)
}

/// Gives a blob its name, and returns its descriptor.
fn store(blobs: &Path, path: &Path, kind: &str) -> Result<String> {
    let (digest, size) = (sha256(path)?, fs::metadata(path)?.len());
    fs::rename(path, blobs.join(&digest))?;
    Ok(format!(
        r#"{{"mediaType": "application/vnd.oci.image.{kind}", "digest": "sha256:{digest}", "size": {size}}}"#
    ))
}

fn sha256(path: &Path) -> Result<String> {
    let output = Command::new("sha256sum").arg(path).output().context("sha256sum")?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}
