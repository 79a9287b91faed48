//! `tinyo cp`, `diff`, `commit`, `export`.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Resource, Rlimit, setrlimit};

use super::support::{Engine, end_of};
use crate::expect_eq;
use crate::support::scratch;

/// One that runs and one that does not.
fn engine() -> Result<Engine> {
    let engine = Engine::new()?;
    engine.start("up", &[], "sleep 1000")?;
    engine.ok(&["create", "--name", "down", "box", "true"])?;
    Ok(engine)
}

pub(crate) fn cp_out() -> Result<()> {
    let engine = engine()?;
    for name in ["up", "down"] {
        let folder = scratch(name);
        fs::create_dir_all(&folder)?;
        let target = folder.to_str().context("UTF-8")?;
        engine.ok(&["cp", &format!("{name}:/data/given"), target])?;
        expect_eq!(fs::read_to_string(folder.join("given"))?, "by the image");
        engine.ok(&["cp", &format!("{name}:data"), &format!("{target}/other")])?;
        expect_eq!(fs::read_to_string(folder.join("other/given"))?, "by the image");
        engine.ok(&["cp", &format!("{name}:/bin/sh"), target])?;
        expect_eq!(fs::read_link(folder.join("sh"))?.to_string_lossy(), "busybox");
        engine.fails(&["cp", &format!("{name}:/none"), target], 1, "no such file")?;
    }
    engine.fails(&["cp", "up:/a", "down:/b"], 1, "no such file")?;
    engine.fails(&["cp", "none:/a", "/tmp"], 1, "no such container")
}

/// What is neither file nor folder stays: `cp web:/x /dev/null` must not make a file of it.
pub(crate) fn cp_replaces_no_device() -> Result<()> {
    let engine = engine()?;
    let (device, queue) = (scratch("null"), scratch("queue"));
    let made = rustix::fs::makedev(1, 3);
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    let here = rustix::fs::CWD;
    rustix::fs::mknodat(here, &device, rustix::fs::FileType::CharacterDevice, mode, made)?;
    rustix::fs::mknodat(here, &queue, rustix::fs::FileType::Fifo, mode, 0)?;
    for name in ["up", "down"] {
        for target in [&device, &queue] {
            let before = fs::symlink_metadata(target)?.ino();
            let words = ["cp", &format!("{name}:/data/given"), target.to_str().context("UTF-8")?];
            engine.fails(&words, 1, "neither a file nor a folder")?;
            expect_eq!(fs::symlink_metadata(target)?.ino(), before, "{name}, {target:?}");
        }
    }
    Ok(())
}

/// What was copied into itself was copied for ever, and a file that was copied to itself was made anew.
pub(crate) fn cp_into_itself_is_refused() -> Result<()> {
    let engine = engine()?;
    engine.ok(&["exec", "up", "mkdir", "/data/in"])?;
    let listed = engine.ok(&["exec", "up", "ls", "-li", "/data"])?;
    for (from, to, why) in [
        ("up:/data", "up:/data/in", "into itself"),
        ("up:/data", "up:/data", "into itself"),
        ("up:/data/.", "up:/data", "to itself"),
        ("up:/data/given", "up:/data/given", "to itself"),
        ("up:/data/given", "up:/data/", "to itself"),
        ("up:/", "up:/tmp", "into itself"),
    ] {
        engine.fails(&["cp", from, to], 1, why)?;
    }
    expect_eq!(engine.ok(&["exec", "up", "ls", "-li", "/data"])?, listed);
    engine.ok(&["cp", "up:/data/in", "up:/data/beside"])?;
    engine.fails(&["cp", "down:/data", "down:/data"], 1, "into itself")
}

/// Folders can be as deep as their maker likes; neither descriptors nor stack are.
pub(crate) fn folders_of_any_depth() -> Result<()> {
    const DEPTH: usize = 300;
    let engine = engine()?;
    engine.ok(&["volume", "create", "deep"])?;
    engine.start("other", &["-v", "deep:/deep"], "sleep 1000")?;
    let down = format!("for i in $(seq {DEPTH}); do mkdir d; cd d; done; echo found > file");
    for name in ["up", "other"] {
        engine.ok(&["exec", name, "sh", "-c", &format!("mkdir -p /deep; cd /deep; {down}")])?;
    }
    let few = Rlimit { current: Some(100), maximum: Some(100) };
    setrlimit(Resource::Nofile, few)?;
    let copy = scratch("copy").to_string_lossy().into_owned();
    engine.ok(&["cp", "up:/deep", &copy])?;
    engine.ok(&["cp", &copy, "up:/tmp/again"])?;
    let depth =
        "cd /tmp/again; n=0; while cd d 2>/dev/null; do n=$((n+1)); done; cat file; echo $n";
    let found = engine.ok(&["exec", "up", "sh", "-c", depth])?;
    expect_eq!(found, format!("found\n{DEPTH}"));
    expect_eq!(engine.ok(&["ps", "-a", "--size", "--format={{.Size}}"])?.lines().count(), 3);
    engine.ok(&["system", "df"])?;
    engine.ok(&["rm", "-f", "up", "down", "other"])?;
    engine.ok(&["volume", "rm", "deep"])?;
    ensure!(!engine.store.join("volumes/deep").exists(), "the volume is left");
    expect_eq!(end_of(Command::new("rm").args(["-r", &copy]))?.code, Some(0));
    engine.is_clean()
}

pub(crate) fn cp_in() -> Result<()> {
    let engine = engine()?;
    let folder = scratch("give");
    fs::create_dir_all(folder.join("sub"))?;
    fs::write(folder.join("sub/file"), "text")?;
    fs::set_permissions(folder.join("sub/file"), fs::Permissions::from_mode(0o640))?;
    rustix::fs::chown(folder.join("sub/file"), Some(rustix::process::Uid::from_raw(77)), None)?;
    let source = folder.to_str().context("UTF-8")?;
    for name in ["up", "down"] {
        engine.ok(&["cp", &format!("{source}/sub"), &format!("{name}:/tmp")])?;
        engine.ok(&["cp", "-a", &format!("{source}/sub/."), &format!("{name}:/tmp/kept")])?;
    }
    engine.ok(&["start", "down"])?;
    expect_eq!(engine.ok(&["wait", "down"])?, "0");
    let upper = engine.store.join("containers");
    for id in engine.ok(&["ps", "-aq", "--no-trunc"])?.lines() {
        let tmp = upper.join(id).join("upper/tmp");
        let status = fs::metadata(tmp.join("sub/file"))?;
        expect_eq!((status.uid(), status.mode() & 0o7777), (0, 0o640));
        expect_eq!(fs::metadata(tmp.join("kept/file"))?.uid(), 77);
    }
    Ok(())
}

pub(crate) fn cp_follows_no_link_out_of_the_container() -> Result<()> {
    let engine = engine()?;
    let secret = scratch("secret");
    fs::write(&secret, "of the machine")?;
    let path = secret.to_str().context("UTF-8")?;
    let folder = secret.parent().and_then(|it| it.to_str()).context("UTF-8")?;
    engine.ok(&[
        "exec",
        "up",
        "sh",
        "-c",
        &format!("mkdir /x; busybox ln -s {folder} /x/out; busybox ln -s {path} /x/file"),
    ])?;
    let target = scratch("target");
    fs::create_dir_all(&target)?;
    let target = target.to_str().context("UTF-8")?;
    let done = engine.run(&["cp", "up:/x/out/secret", target])?;
    ensure!(done.code == Some(1), "{done:#?}");
    // A link is copied as one.
    engine.ok(&["cp", "up:/x/file", target])?;
    ensure!(fs::symlink_metadata(format!("{target}/file"))?.is_symlink());
    let own = scratch("own");
    fs::write(&own, "harmless")?;
    let own = own.to_str().context("UTF-8")?;
    let done = engine.run(&["cp", own, "up:/x/out/secret"])?;
    ensure!(done.code == Some(1), "{done:#?}");
    // Where it leads inside there is nothing yet, and then something.
    expect_eq!(engine.run(&["cp", own, "up:/x/file"])?.code, Some(1));
    engine.ok(&["exec", "up", "mkdir", "-p", folder])?;
    engine.ok(&["cp", own, "up:/x/file"])?;
    expect_eq!(engine.ok(&["exec", "up", "cat", path])?, "harmless");
    // The link that was copied leads no later copy away, and neither would one to a folder.
    engine.ok(&["exec", "up", "sh", "-c", "rm /x/file; echo evil > /x/file"])?;
    engine.ok(&["cp", "up:/x/file", &format!("{target}/file")])?;
    ensure!(!fs::symlink_metadata(format!("{target}/file"))?.is_symlink());
    std::os::unix::fs::symlink(folder, format!("{target}/folder"))?;
    engine.fails(&["cp", "up:/x/file", &format!("{target}/folder")], 1, "a link to a folder")?;
    engine.ok(&["cp", "up:/x/file", &format!("{target}/folder/")])?;
    expect_eq!(fs::read_to_string(&secret)?, "of the machine");
    Ok(())
}

pub(crate) fn diff_commit_and_export() -> Result<()> {
    let engine = Engine::new()?;
    let script = "echo new > /data/new; echo other > /data/given; rm /bin/true; mkdir /made";
    engine.ok(&["run", "--name", "one", "box", "sh", "-c", script])?;
    let text = engine.ok(&["diff", "one"])?;
    let expected = ["C /bin", "D /bin/true", "C /data", "C /data/given", "A /data/new", "A /made"];
    for line in expected {
        ensure!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    ensure!(!text.contains("/etc/hosts") && !text.contains("/proc"), "{text}");
    // A layer of its own has the places for what is mounted.
    let id = engine.ok(&["ps", "-aq", "--no-trunc"])?;
    let upper = engine.store.join("containers").join(id).join("upper");
    ensure!(upper.join("made").exists() && !upper.join("etc").exists(), "{upper:?}");
    engine.ok(&[
        "commit",
        "-m",
        "changed",
        "-c",
        "CMD [\"cat\", \"/data/new\"]",
        "one",
        "changed",
    ])?;
    expect_eq!(engine.ok(&["run", "--rm", "changed"])?, "new");
    let done = engine.run(&["run", "--rm", "changed", "ls", "/bin/true"])?;
    ensure!(done.code == Some(1), "{done:#?}");
    let archive = scratch("one.tar");
    engine.ok(&["export", "-o", archive.to_str().context("UTF-8")?, "one"])?;
    let mut tar = Command::new("tar");
    let listed = end_of(tar.arg("-tf").arg(&archive))?.stdout;
    ensure!(listed.contains("data/new") && !listed.contains("bin/true"), "{listed}");
    Ok(())
}

pub(crate) fn what_is_used_and_what_happens() -> Result<()> {
    let engine = Engine::new()?;
    engine.start("one", &["-m", "64m"], "sleep 1000")?;
    ensure!(engine.ok(&["top", "one"])?.contains("sleep 1000"));
    let line =
        engine.ok(&["stats", "--no-stream", "--format={{.Name}} {{.PIDs}} {{.MemUsage}}"])?;
    ensure!(line.starts_with("one ") && line.ends_with("67.1 MB"), "{line}");
    let inspected = super::support::json(&engine.ok(&["inspect", "one"])?)?;
    expect_eq!(inspected[0]["State"]["Status"], "running");
    expect_eq!(inspected[0]["HostConfig"]["Memory"], 64 << 20);
    expect_eq!(engine.ok(&["inspect", "-f", "{{.State.Running}} {{.Name}}", "one"])?, "true /one");
    engine.ok(&["update", "-m", "96m", "--memory-swap", "192m", "one"])?;
    let limit = engine.ok(&["exec", "one", "sh", "-c", "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; true"])?;
    expect_eq!(limit, (96 << 20).to_string());
    engine.ok(&["rm", "-f", "one"])?;
    let events =
        engine.ok(&["events", "--since", "10m", "--until", "0s", "--format={{.Action}}"])?;
    for action in ["create", "start", "update", "die", "destroy"] {
        ensure!(events.lines().any(|line| line == action), "{action}: {events}");
    }
    Ok(())
}
