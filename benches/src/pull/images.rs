//! The images: one like a distribution's, one of many small files, one of a single large layer.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// An image that can be made.
pub(super) struct Image {
    pub(super) name: &'static str,
    /// What it is like, and its lines of the table: those of [`Sample`]'s fields.
    ///
    /// [`Sample`]: super::contest::Sample
    pub(super) lines: [&'static str; 4],
    /// A shell script for each layer, which writes an archive to standard output. They run one
    /// after the other in a folder that is empty at first, with the variables of [`sizes`].
    layers: &'static [&'static str],
}

pub(super) fn all() -> [Image; 3] {
    [
        Image {
            name: "debian",
            lines: [
                "Debian with packages, 6 layers: s",
                "  Debian: s until on the disk",
                "  Debian: processor s",
                "  Debian: peak kB",
            ],
            layers: &[
                "mmdebstrap --quiet --variant=minbase ${PACKAGES:+--include=$PACKAGES} bookworm root \
                 && mkdir -p root/usr/lib/gcc && tar -C root -c --exclude=./usr .",
                "tar -C root -c usr/lib/gcc",
                "tar -C root -c usr/bin usr/sbin",
                "tar -C root -c usr/share",
                "tar -C root -c usr/lib/x86_64-linux-gnu",
                "cd root && tar -c --exclude=usr/lib/gcc --exclude=usr/bin --exclude=usr/sbin \
                 --exclude=usr/share --exclude=usr/lib/x86_64-linux-gnu usr",
            ],
        },
        Image {
            name: "small",
            lines: [
                "40,000 small files: s",
                "  small files: s until on the disk",
                "  small files: processor s",
                "  small files: peak kB",
            ],
            layers: &["for d in $(seq $FOLDERS); do mkdir $d; for f in $(seq 200); do \
                       echo $d $f > $d/$f; done; done; tar -c *"],
        },
        Image {
            name: "large",
            lines: [
                "one layer of 1 GB: s",
                "  one layer: s until on the disk",
                "  one layer: processor s",
                "  one layer: peak kB",
            ],
            layers: &[
                "for f in $(seq 8); do tar -C / -c usr/bin usr/sbin | head -c $SIZE > $f; done; tar -c *",
            ],
        },
    ]
}

/// Variables for the scripts: how large it all becomes.
fn sizes(quick: bool) -> [(&'static str, &'static str); 3] {
    if quick {
        [("PACKAGES", ""), ("FOLDERS", "20"), ("SIZE", "12M")]
    } else {
        [("PACKAGES", "gcc,git,python3"), ("FOLDERS", "200"), ("SIZE", "128M")]
    }
}

impl Image {
    /// Makes the image and brings it into the registry, as an OCI layout by skopeo.
    pub(super) fn put(&self, folder: &Path, name: &str, quick: bool) -> Result<()> {
        let layout = folder.join("layout");
        let blobs = layout.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#)?;
        let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
        let work = folder.join("work");
        fs::create_dir(&work)?;
        for script in self.layers {
            let (blob, diff_id) = layer(&work, &blobs, script, quick)?;
            layers.push(blob);
            diff_ids.push(format!("\"sha256:{diff_id}\""));
        }
        fs::remove_dir_all(work)?;
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
fn layer(work: &Path, blobs: &Path, script: &str, quick: bool) -> Result<(String, String)> {
    let archive = blobs.join("layer.tar");
    let mut command = Command::new("sh");
    command
        .args(["-c", script])
        .current_dir(work)
        .envs(sizes(quick))
        .stdout(fs::File::create(&archive)?);
    // tar complains of files that change, and so be it.
    let status = command.stderr(Stdio::null()).status()?;
    ensure!(status.code().is_some_and(|code| code <= 1), "{script}: {status}");
    let diff_id = sha256(&archive)?;
    let zipped = blobs.join("layer.tar.gz");
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
