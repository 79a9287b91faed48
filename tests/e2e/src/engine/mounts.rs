//! Mounts of images, and of parts of volumes.

use anyhow::{Result, ensure};

use super::support::Engine;
use crate::expect_eq;

pub(crate) fn images() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&[
        "run",
        "--name",
        "maker",
        "box",
        "sh",
        "-c",
        "rm /data/given; echo 1 > /data/new",
    ])?;
    engine.ok(&["commit", "maker", "two-layers"])?;
    engine.ok(&["rm", "maker"])?;
    let mount = |what: &str| format!("--mount=type=image,{what},target=/x");
    let script = "ls /x/data; touch /x/data/y || echo no; /x/bin/echo runs";
    for (image, expected) in [("box", "given"), ("two-layers", "new")] {
        let text = engine.shell(&[&mount(&format!("source={image}"))], script)?;
        ensure!(text.starts_with(&format!("{expected}\n")), "{text}");
        ensure!(text.ends_with("no\nruns"), "{text}");
        let part = mount(&format!("source={image},subpath=data"));
        if image == "two-layers" && !takes_layers_of_detached_mounts()? {
            let words = ["run", "--rm", &part, "box", "ls", "/x"];
            engine.fails(&words, 125, "can be mounted from Linux 6.15 on")?;
            continue;
        }
        expect_eq!(engine.shell(&[&part], "ls /x")?, expected);
    }
    // It stays as long as a container has it.
    let flags = ["create", "--name", "user", &mount("src=two-layers"), "box", "ls", "/x/data"];
    engine.ok(&flags)?;
    engine.fails(&["rmi", "two-layers"], 1, "use")?;
    expect_eq!(engine.ok(&["start", "-a", "user"])?, "new");
    let kind = "{{range .Mounts}}{{.Type}} {{.Source}} {{.RW}}{{end}}";
    expect_eq!(engine.ok(&["inspect", "-f", kind, "user"])?, "image two-layers false");
    engine.ok(&["rm", "user"])?;
    engine.ok(&["rmi", "two-layers"])?;
    let run =
        |flag: &str, text: &str| engine.fails(&["run", "--rm", flag, "box", "true"], 125, text);
    run(&mount("source=box,rw=true"), "cannot be changed")?;
    run(&mount("source=host:"), "is no image")?;
    run(&mount("source=box,subpath=none"), "there is no none in it")?;
    run("--mount=type=cluster,target=/x", "only bind, volume, tmpfs and image")?;
    engine.is_clean()
}

/// Whether this is Linux 6.15 or later.
fn takes_layers_of_detached_mounts() -> Result<bool> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(['.', '-']).map(|it| it.parse().unwrap_or(0));
    Ok((numbers.next(), numbers.next()) >= (Some(6), Some(15)))
}

pub(crate) fn parts_of_volumes() -> Result<()> {
    let engine = Engine::new()?;
    let script = "mkdir -p /v/a/b; echo 1 > /v/a/b/f; ln -s /a/b /v/in; ln -s ../../.. /v/up; \
                  ln -s /bin/../etc /v/out";
    engine.shell(&["-v", "data:/v"], script)?;
    let mount = |subpath: &str| {
        format!("--mount=type=volume,source=data,target=/x,volume-subpath={subpath}")
    };
    for (subpath, script, expected) in [
        ("a/b", "cat /x/f; echo 2 > /x/f", "1"),
        ("/a", "cat /x/b/f", "2"),
        ("in", "ls /x", "f"),
        ("a/b/f", "cat /x", "2"),
        // What leads out of it leads to its top.
        ("up", "ls /x", "a\nin\nout\nup"),
    ] {
        expect_eq!(engine.shell(&[&mount(subpath)], script)?, expected, "{subpath}");
    }
    let read_only = format!("{},readonly", mount("a/b"));
    expect_eq!(engine.shell(&[&read_only], "touch /x/f || echo no")?, "no");
    for (subpath, text) in [("none", "there is no none in it"), ("out", "there is no out in it")] {
        engine.fails(&["run", "--rm", &mount(subpath), "box", "true"], 125, text)?;
    }
    // What it was replaced by while it was stopped leads nowhere else either.
    engine.ok(&["create", "--name", "again", &mount("a/b"), "box", "cat", "/x/passwd"])?;
    engine.shell(&["-v", "data:/v"], "rm -r /v/a/b; ln -s /etc /v/a/b")?;
    engine.fails(&["start", "-a", "again"], 125, "there is no a/b in it")?;
    engine.ok(&["rm", "again"])?;
    let with_ids = ["run", "--rm", "--userns", "auto", &mount("a"), "box", "true"];
    engine.fails(&with_ids, 125, "--userns")?;
    engine.ok(&["volume", "rm", "data"])?;
    engine.is_clean()
}
