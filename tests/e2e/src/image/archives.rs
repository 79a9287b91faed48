//! `tinyo save`, `tinyo load`, `tinyo import` and `tinyo export`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::support::{Done, Engine, archive, end_of, listed, tar};
use crate::expect_eq;
use crate::support::scratch;

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// Programs that compress, and what they make here.
const PACKED: [(&str, &str); 4] = [
    ("gzip", "docker.tar.gz"),
    ("zstd", "docker.tar.zst"),
    ("xz", "docker.tar.xz"),
    ("bzip2", "docker.tar.bz2"),
];

pub(crate) fn save_and_load_in_every_form() -> Result<()> {
    let engine = Engine::new();
    let id = engine.import("one:1", &["a"], &["CMD x"])?;
    let digest = engine.ok(&["inspect", "-f", "{{.Digest}}", "one:1"])?;
    let file = |name: &str| scratch(name).to_str().unwrap_or_default().to_owned();
    engine.ok(&["save", "-o", &file("docker.tar"), "one:1"])?;
    engine.ok(&["save", "--format=oci-archive", "--output", &file("oci.tar"), "one:1"])?;
    engine.ok(&["save", "--format=oci-dir", "-o", &file("oci"), "one:1"])?;
    ensure!(listed(&scratch("docker.tar"))?.contains(&"manifest.json".to_owned()));
    ensure!(!listed(&scratch("oci.tar"))?.contains(&"manifest.json".to_owned()));
    // The same image gives the same bytes, to standard output too.
    let mut stream = engine.command(&["save", "one:1"]);
    expect_eq!(stream.output()?.stdout, fs::read(scratch("docker.tar"))?);
    for (program, name) in PACKED {
        let packed = Command::new(program).arg("-c").arg(scratch("docker.tar")).output();
        fs::write(scratch(name), packed.with_context(|| program.to_owned())?.stdout)?;
    }
    for form in ["docker.tar", "oci.tar", "oci"].into_iter().chain(PACKED.map(|it| it.1)) {
        engine.ok(&["rmi", "one:1"])?;
        expect_eq!(engine.ok(&["load", "-i", &file(form)])?, "Loaded image: one:1", "{form}");
        let loaded = engine.ok(&["inspect", "-f", "{{.Id}} {{.Digest}}", "one:1"])?;
        expect_eq!(loaded, format!("{id} {digest}"), "{form}");
    }
    // A stream, compressed or not.
    for form in ["docker.tar", "docker.tar.gz"] {
        engine.ok(&["rmi", "one:1"])?;
        let mut cat = Command::new("cat").arg(scratch(form)).stdout(Stdio::piped()).spawn()?;
        let mut load = engine.command(&["load", "--quiet"]);
        let done = end_of(load.stdin(cat.stdout.take().context("a pipe")?))?;
        cat.wait()?;
        ensure!(done.stdout == "Loaded image: one:1\n" && done.stderr.is_empty(), "{done:?}");
    }
    engine.is_clean()?;
    engine.fails(&["save", "--format=oci-dir", "one:1"], "needs --output FOLDER")?;
    engine.fails(&["load", "-i", &file("none.tar")], "none.tar")?;
    engine.fails(&["load", "-i", text(&archive("plain", &["a"])?)], "no archive of images")?;
    Ok(())
}

/// What registries have no name for is kept inflated, so that it can be pushed.
pub(crate) fn import_of_compressed_files() -> Result<()> {
    let engine = Engine::new();
    let plain = archive("root", &["etc/a", "b"])?;
    for (program, name) in PACKED {
        let packed = Command::new(program).arg("-c").arg(&plain).output()?.stdout;
        fs::write(scratch(name), &packed)?;
        let from_file = engine.ok(&["import", text(&scratch(name)), program])?;
        let layers = engine.ok(&["inspect", "-f", "{{json .Layers}}", program])?;
        let layers: serde_json::Value = serde_json::from_str(&layers)?;
        let kept = ["gzip", "zstd"].contains(&program);
        let size = if kept { packed.len() as u64 } else { fs::metadata(&plain)?.len() };
        expect_eq!(layers[0]["BlobSize"].as_u64(), Some(size), "{program}");
        let mut cat = Command::new("cat").arg(scratch(name)).stdout(Stdio::piped()).spawn()?;
        let mut import = engine.command(&["import", "-", program]);
        let done = end_of(import.stdin(cat.stdout.take().context("a pipe")?))?;
        cat.wait()?;
        ensure!(done.code == Some(0), "{program}: {done:?}");
        ensure!(from_file.starts_with("sha256:"), "{program}: {from_file}");
        let out = scratch("out.tar");
        engine.ok(&["export", "-o", text(&out), program])?;
        let mut names = listed(&out)?;
        names.sort();
        expect_eq!(names, ["b", "etc/a"], "{program}");
        // Cut off in the middle.
        fs::write(scratch(name), &packed[..packed.len() / 2])?;
        engine.fails(&["import", text(&scratch(name)), "cut"], "cannot inflate")?;
    }
    engine.is_clean()
}

pub(crate) fn several_images_in_one_archive() -> Result<()> {
    let engine = Engine::new();
    let one = engine.import("one:1", &["a"], &[])?;
    engine.ok(&["tag", "one:1", "one:2"])?;
    engine.import("team/two", &["a", "b"], &[])?;
    let unnamed = engine.import("x", &["c"], &[])?;
    engine.ok(&["untag", "x"])?;
    let file = scratch("all.tar");
    engine.ok(&["save", "-o", text(&file), "one:1", "one:2", "team/two", &unnamed[7..]])?;
    engine.ok(&["rmi", "-a"])?;
    let loaded = engine.ok(&["load", "-i", text(&file)])?;
    let mut lines: Vec<_> = loaded.lines().collect();
    lines.sort_unstable();
    let id = format!("Loaded image ID: {unnamed}");
    let expected = [
        id.as_str(),
        "Loaded image: one:1",
        "Loaded image: one:2",
        "Loaded image: team/two:latest",
    ];
    expect_eq!(lines, expected);
    expect_eq!(engine.ok(&["inspect", "-f", "{{.Id}}", "one:2"])?, one);
    let json = engine.json(&["load", "--format=json", "-q", "-i", text(&file)])?;
    expect_eq!(json.as_array().map(Vec::len), Some(3));
    engine.is_clean()
}

pub(crate) fn import_and_export() -> Result<()> {
    let engine = Engine::new();
    let tarball = archive("root", &["etc/a", "b"])?;
    let import =
        ["import", "-m", "why", "-c", "ENV A=b", "-c", "CMD [\"/b\"]", text(&tarball), "one"];
    let id = engine.ok(&import)?;
    ensure!(id.starts_with("sha256:"), "{id}");
    let shown = engine.ok(&["inspect", "-f", "{{.Config.Env}}{{.Config.Cmd}}", "one"])?;
    expect_eq!(shown, "[A=b][/b]");
    let out = scratch("out.tar");
    engine.ok(&["export", "-o", text(&out), "one"])?;
    let mut names = listed(&out)?;
    names.sort();
    expect_eq!(names, ["b", "etc/a"]);
    let piped = engine.command(&["export", "one"]).output()?;
    ensure!(piped.status.success() && piped.stdout == fs::read(&out)?);
    // Without a name, from standard input.
    let mut stream = engine.command(&["import", "-"]);
    let done = end_of(stream.stdin(fs::File::open(&tarball)?))?;
    ensure!(done.code == Some(0) && done.stdout.starts_with("sha256:"), "{done:?}");
    engine.fails(&["import", "-c", "RUN x", text(&tarball)], "\"RUN x\": no instruction")?;
    fs::write(scratch("junk"), [7; 5000])?;
    engine.fails(&["import", text(&scratch("junk")), "junk"], "junk: the layer")?;
    engine.fails(&["import", text(&scratch("missing")), "x"], "missing: No such file")?;
    ensure!(!engine.names()?.contains(&"junk:latest".to_owned()));
    engine.is_clean()
}

/// A file is there whole, or not at all, and the old one stays until then.
pub(crate) fn nothing_is_left_of_an_archive_that_cannot_be_written() -> Result<()> {
    let engine = Engine::new();
    engine.import("one", &["a"], &[])?;
    // Whoever reads the stream may have enough.
    let reads_none = |words: &[&str]| -> Result<Done> {
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        end_of(engine.command(words).stdout(writer))
    };
    for words in [["export", "one"], ["save", "one"]] {
        let done = reads_none(&words)?;
        ensure!(done.code == Some(141) && done.stderr.is_empty(), "{done:?}");
    }
    let done = reads_none(&["images"])?;
    ensure!(done.code == Some(0) && done.stderr.is_empty(), "{done:?}");
    let folder = scratch("out");
    fs::create_dir(&folder)?;
    fs::write(folder.join("old.tar"), "old")?;
    let blob = engine.store.join("blobs/sha256").join(&engine.files("blobs/sha256")?[0]);
    fs::set_permissions(&blob, fs::Permissions::from_mode(0o600))?;
    fs::write(&blob, "damaged")?;
    engine.fails(&["save", "-o", text(&folder.join("old.tar")), "one"], "system check --repair")?;
    expect_eq!(fs::read_to_string(folder.join("old.tar"))?, "old");
    expect_eq!(fs::read_dir(&folder)?.count(), 1);
    Ok(())
}

/// A layer with a file in `/tmp` but without `/tmp` itself is no reason for another mode.
pub(crate) fn folders_that_a_layer_leaves_unsaid_are_exported_as_below() -> Result<()> {
    let engine = Engine::new();
    let files = scratch("files");
    fs::create_dir_all(files.join("tmp"))?;
    fs::write(files.join("tmp/x"), "x")?;
    fs::set_permissions(files.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    let lower = tar(&files, &scratch("lower.tar"), &["tmp"])?;
    let upper = tar(&files, &scratch("upper.tar"), &["tmp/x"])?;
    let layout = scratch("layout");
    let image = format!("{}:two", layout.display());
    let umoci = |words: &[&str]| -> Result<()> {
        let done = end_of(Command::new("umoci").args(words))?;
        ensure!(done.code == Some(0), "{words:?}: {done:#?}");
        Ok(())
    };
    if Command::new("umoci").arg("--version").output().is_err() {
        return harness::skip("umoci is not installed");
    }
    umoci(&["init", "--layout", text(&layout)])?;
    umoci(&["new", "--image", &image])?;
    umoci(&["raw", "add-layer", "--image", &image, text(&lower)])?;
    umoci(&["raw", "add-layer", "--image", &image, text(&upper)])?;
    engine.ok(&["load", "-q", "-i", text(&layout)])?;
    let id = engine.ok(&["images", "-q"])?;
    let out = scratch("out.tar");
    engine.ok(&["export", "-o", text(&out), &id])?;
    let list = end_of(Command::new("tar").arg("-tvf").arg(&out))?.stdout;
    ensure!(
        list.lines().any(|line| line.starts_with("drwxrwxrwt") && line.contains("tmp")),
        "{list}"
    );
    Ok(())
}
