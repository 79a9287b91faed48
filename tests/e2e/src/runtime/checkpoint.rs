//! `checkpoint` and `restore`. criu must work with this kernel, which it asks for itself; Debian's
//! does in the virtual machine.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::support::{Bundle, Container};
use crate::expect_eq;
use crate::support::{Finished, scratch};

/// criu takes its time, above all on an emulated machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Skips the trial where criu does not work.
pub(super) fn criu() -> Result<()> {
    let Ok(output) = Command::new("criu").arg("check").output() else {
        return harness::skip("criu is not installed");
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = said.lines().next().unwrap_or_default().to_owned();
        return harness::skip(format!("criu does not work with this kernel: {line}"));
    }
    Ok(())
}

/// A container that counts in `/tmp/n`, which is a file system of its own, until there is `/tmp/go`.
fn counting() -> Result<Bundle> {
    let script = "i=0; while [ ! -e /tmp/go ]; do i=$((i+1)); echo $i > /tmp/n; sleep 0.1; done; \
        echo went; exit 7";
    Ok(Bundle::script(script)?.mount("/tmp", "tmpfs", "tmpfs", "nosuid"))
}

fn count(container: &Container) -> Result<u32> {
    let finished = container.exec("cat /tmp/n")?;
    finished.expect_code(0)?;
    finished.stdout.trim().parse().context(finished.stdout.clone())
}

fn images(name: &str) -> String {
    scratch(name).to_string_lossy().into_owned()
}

pub(super) fn checkpoint(container: &Container, flags: &[&str]) -> Result<Finished> {
    let launch = container.launch(&["checkpoint"]).words(flags).words(&[&container.id]);
    launch.start()?.finish_within(PATIENCE)
}

/// The container that the machine's `restore` makes, in the background.
fn restore(container: &Container, images: &str) -> Result<()> {
    let flags = ["--detach", "--image-path", images];
    let launch = container.launch_new("restore", &flags);
    launch.start()?.finish_within(PATIENCE)?.expect_code(0)?;
    Ok(())
}

pub(crate) fn a_container_goes_on_where_it_was() -> Result<()> {
    criu()?;
    let told = scratch("told");
    let hook = json!([{ "path": "/bin/sh", "args": ["sh", "-c", format!("echo x >> {}", told.display())] }]);
    let container = Container::new(counting()?.set("/hooks/createRuntime", hook))?;
    container.start()?;
    crate::support::until("it counts", || count(&container).is_ok_and(|number| number > 2))?;
    let before = count(&container)?;
    let images = images("images");
    checkpoint(&container, &["--image-path", &images])?.expect_code(0)?;
    container.expect_gone()?;
    restore(&container, &images)?;
    expect_eq!(container.status()?, "running");
    let after = count(&container)?;
    ensure!(after >= before, "it began anew: {after} after {before}");
    crate::support::until("it counts on", || count(&container).is_ok_and(|it| it > after))?;
    let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", container.pid()?))?;
    ensure!(groups.contains(&container.id), "its groups are {groups}");
    expect_eq!(std::fs::read_to_string(&told)?, "x\nx\n", "hooks");
    container.exec("hostname")?.expect_code(0)?.expect_stdout("e2e\n")?;
    container.kill()?;
    container.delete()?;
    container.expect_gone()
}

/// Restored in the foreground, it is what `run` is: its pipes are those of the caller, and the exit
/// code is passed on.
pub(crate) fn a_restored_container_is_attended() -> Result<()> {
    criu()?;
    let container = Container::new(counting()?.without_namespace("network"))?;
    let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
    let (_before, end) = pipe()?;
    container.launch_new("create", &[]).pass(end, 1).finish()?.expect_code(0)?;
    container.tell("start", &[])?.expect_code(0)?;
    let images = images("images");
    let flags = ["--image-path", &*images, "--leave-running"];
    checkpoint(&container, &flags)?.expect_code(0)?;
    expect_eq!(container.status()?, "running");
    container.kill()?;
    container.delete()?;
    let (output, end) = pipe()?;
    let launch = container.launch_new("restore", &["--image-path", &images]);
    let running = launch.pass(end, 1).start()?;
    crate::support::until("it is restored", || {
        container.exec("touch /tmp/go").is_ok_and(|it| it.code().is_ok_and(|code| code == 0))
    })?;
    let finished = running.finish_within(PATIENCE)?;
    finished.expect_code(7)?;
    let mut said = String::new();
    std::fs::File::from(output).read_to_string(&mut said)?;
    expect_eq!(said, "went\n");
    container.expect_gone()
}

pub(crate) fn a_checkpoint_may_have_several_parts() -> Result<()> {
    criu()?;
    let container = Container::new(counting()?.without_namespace("network"))?;
    container.start()?;
    let (first, second) = (images("first"), images("second"));
    let part = checkpoint(&container, &["--pre-dump", "--image-path", &first])?;
    part.expect_code(0)?;
    expect_eq!(container.status()?, "running");
    let before = count(&container)?;
    let flags = ["--image-path", &*second, "--parent-path", "../first"];
    checkpoint(&container, &flags)?.expect_code(0)?;
    ensure!(PathBuf::from(&second).join("parent").exists(), "it has no parent");
    container.expect_gone()?;
    restore(&container, &second)?;
    ensure!(count(&container)? >= before, "it began anew");
    container.tell_with("delete", &["--force"], &[])?.expect_code(0)?;
    container.expect_gone()
}

/// What fails leaves the container as it was, or nothing of a new one.
pub(crate) fn what_cannot_be_is_explained() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    container.create()?;
    let images = images("images");
    let refused = |finished: Finished, text: &str| -> Result<()> {
        ensure!(finished.code()? != 0, "it worked: {text}");
        finished.expect_stderr(text)?;
        Ok(())
    };
    let flags = ["--image-path", &*images];
    refused(checkpoint(&container, &flags)?, "it is created")?;
    container.tell("start", &[])?.expect_code(0)?;
    let missing = ["--criu", "/no/such/criu", "--image-path", &images];
    refused(checkpoint(&container, &missing)?, "/no/such/criu: No such file")?;
    let parent = ["--image-path", &*images, "--parent-path", "/tmp"];
    refused(checkpoint(&container, &parent)?, "must be relative")?;
    let parent = ["--image-path", &*images, "--parent-path", "../missing"];
    refused(checkpoint(&container, &parent)?, "parent checkpoint")?;
    let lazy = ["--image-path", &*images, "--lazy-pages"];
    refused(checkpoint(&container, &lazy)?, "--page-server")?;
    expect_eq!(container.status()?, "running");

    let again = container.launch_new("restore", &["--detach", "--image-path", &images]).finish()?;
    refused(again, "already exists")?;
    container.kill()?;
    container.delete()?;
    let nowhere = container.launch_new("restore", &["--detach", "--image-path", "/no/images"]);
    refused(nowhere.finish()?, "/no/images")?;
    container.expect_gone()?;
    let missing = ["--detach", "--criu", "/no/such/criu", "--image-path", &images];
    std::fs::write(PathBuf::from(&images).join("descriptors.json"), "[]")?;
    refused(container.launch_new("restore", &missing).finish()?, "/no/such/criu: No such file")?;
    container.expect_gone()
}

/// A service with these links in `/tmp` of its image, and a folder of the machine's mounted behind
/// each of them.
fn behind_links(links: &[(&str, &str)]) -> Result<Container> {
    let mut bundle = Bundle::service()?.without_namespace("network");
    for (name, target) in links {
        let source = scratch(&format!("source-{name}"));
        std::fs::create_dir_all(&source)?;
        std::fs::write(source.join("name"), name)?;
        let folder = bundle.rootfs().join("tmp");
        std::fs::create_dir_all(folder.join(target))?;
        std::os::unix::fs::symlink(target, folder.join(name))?;
        bundle = bundle.mount(&format!("/tmp/{name}"), "bind", source, "bind,ro");
    }
    let container = Container::new(bundle)?;
    container.start_service()?;
    Ok(container)
}

/// CVE-2026-115520, CVE-2026-119101: links of the image have criu take one mount for another, or
/// a part of a path for one of the machine's, so that after a restore the container has what it was
/// never given, or can write what it could only read.
pub(crate) fn links_of_the_image_confuse_no_mounts() -> Result<()> {
    let images = images("images");
    let flags = ["--criu", "/no/such/criu", "--image-path", &images];
    for (links, text) in [
        (&[("one", "a"), ("two", "b/c")][..], "/no/such/criu"),
        (&[("one", "a]:/etc")], "]:"),
        (&[("one", "both"), ("two", "both")], "do not lead to what is mounted"),
    ] {
        let container = behind_links(links)?;
        let finished = checkpoint(&container, &flags)?;
        ensure!(finished.code()? != 0, "there is no criu");
        finished.expect_stderr(text)?;
        expect_eq!(container.status()?, "running");
    }
    let container = behind_links(&[("three", "a"), ("four", "b")])?;
    let folder = container.bundle.rootfs().join("tmp");
    let (one, other) = (folder.join("three"), folder.join("four"));
    rustix::fs::renameat_with(
        rustix::fs::CWD,
        &one,
        rustix::fs::CWD,
        &other,
        rustix::fs::RenameFlags::EXCHANGE,
    )?;
    checkpoint(&container, &flags)?.expect_stderr("do not lead to what is mounted there")?;
    Ok(())
}

/// Links that are no trap are in many images.
pub(crate) fn mounts_behind_links_come_back() -> Result<()> {
    criu()?;
    let container = behind_links(&[("one", "a"), ("two", "b")])?;
    let images = images("images");
    checkpoint(&container, &["--image-path", &images])?.expect_code(0)?;
    restore(&container, &images)?;
    let script = "cat /tmp/one/name /tmp/b/name; touch /tmp/a/new /tmp/two/new";
    let finished = container.exec(script)?;
    expect_eq!(finished.stdout, "onetwo");
    expect_eq!(finished.stderr.matches("Read-only file system").count(), 2, "{finished:?}");
    container.kill()?;
    container.delete()
}
