//! What goes wrong: names, rights, disks, other processes.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_change, mount_remount,
};

use super::support::{Done, Engine, archive, end_of};
use crate::expect_eq;
use crate::support::scratch;

/// A user that nobody else is.
const USER: u32 = 54_401;

pub(crate) fn bad_names() -> Result<()> {
    let engine = Engine::new();
    engine.import("one", &["a"], &[])?;
    for (name, expected) in [
        ("", "the image name is empty"),
        ("Alpine", "must be in lower case: alpine"),
        ("a//b", "may have only"),
        ("a/../b", "may have only"),
        ("a:b:c", "\"a:b\" may have only"),
        ("a:-b", "tag \"-b\" must have"),
        ("a@sha256:12", "is not sha256: and 64"),
        ("a\nb", "may have only"),
        ("exa mple.com:80/a", "is no host name"),
    ] {
        for words in [&["tag", "one", name][..], &["pull", name], &["push", "one", name]] {
            let done = engine.run(words)?;
            ensure!(
                done.code == Some(1)
                    && done.stderr.starts_with("tinyo: ")
                    && done.stderr.contains(expected),
                "{words:?}: expected {expected:?}: {done:#?}"
            );
        }
        engine.fails(&["rmi", name], "is here")?;
    }
    let long = "a/".repeat(200) + "a";
    engine.fails(&["tag", "one", &long], "characters, more than")?;
    expect_eq!(engine.names()?, ["one:latest"]);
    Ok(())
}

/// Runs a command as somebody without rights, who can reach the program.
fn as_user(engine: &Engine, words: &[&str]) -> Result<std::process::Command> {
    let program = scratch("tinyo");
    if !program.exists() {
        fs::copy(harness::tinyo(), &program)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        chown(std::env::temp_dir(), Some(USER), Some(USER))?;
        fs::create_dir_all(scratch("home"))?;
        chown(scratch("home"), Some(USER), Some(USER))?;
    }
    let template = engine.command(words);
    let mut command = std::process::Command::new(program);
    command.args(template.get_args()).env_clear().stdin(Stdio::null()).uid(USER).gid(USER);
    command.envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Ok(command)
}

pub(crate) fn no_permission() -> Result<()> {
    let engine = Engine::new();
    engine.import("one", &["a"], &[])?;
    let done = end_of(&mut as_user(&engine, &["images"])?)?;
    ensure!(done.code == Some(1) && done.stderr.contains("Permission denied"), "{done:?}");
    ensure!(done.stderr.contains("\nhint: run it as who owns that"), "{done:?}");
    // Not even the names of files are for others.
    expect_eq!(fs::metadata(&engine.store)?.mode() & 0o7777, 0o700);
    Engine { store: "/dev/null/x".into() }.fails(&["images"], "/dev/null/x")?;
    engine.fails(&["save", "-o", "/proc/none/x.tar", "one"], "/proc/none/x.tar")?;
    Ok(())
}

/// A user keeps images in a user namespace.
pub(crate) fn a_user_without_rights() -> Result<()> {
    let engine = Engine { store: scratch("home/images") };
    let tarball = archive("root", &["etc/a", "b"])?;
    let ok = |words: &[&str]| -> Result<String> {
        let done = end_of(&mut as_user(&engine, words)?)?;
        ensure!(done.code == Some(0), "{words:?}: {done:#?}");
        Ok(done.stdout.trim_end().to_owned())
    };
    // First, so that the folders are the user's.
    expect_eq!(ok(&["images", "-q"])?, "");
    if engine.store.metadata()?.uid() != USER {
        anyhow::bail!("the store is not the user's");
    }
    let id = ok(&["import", tarball.to_str().context("UTF-8")?, "one"])?;
    expect_eq!(ok(&["images", "-q", "--no-trunc"])?, id);
    let layer = engine.files("layers/sha256")?.pop().context("a layer")?;
    let file = engine.store.join("layers/sha256").join(layer).join("etc/a");
    expect_eq!(fs::metadata(&file)?.uid(), USER, "root of the namespace");
    // A whiteout needs a right that the namespace gives.
    let files = scratch("white");
    fs::create_dir_all(files.join("etc"))?;
    fs::write(files.join("etc/.wh.a"), "")?;
    fs::write(files.join("etc/.wh..wh..opq"), "")?;
    let white = super::support::tar(&files, &scratch("white.tar"), &["."])?;
    ok(&["import", white.to_str().context("UTF-8")?, "white"])?;
    expect_eq!(ok(&["system", "check", "--quiet"])?, "");
    ok(&["rmi", "-a"])?;
    expect_eq!(ok(&["images", "-q"])?, "");
    crate::support::until("the trash is empty", || {
        engine.files("trash").is_ok_and(|files| files.is_empty())
    })
}

/// The files of an image have many owners, and so has a user to whom `/etc/subuid` gives them.
pub(crate) fn a_user_with_further_ids() -> Result<()> {
    if !Path::new("/usr/bin/newuidmap").exists() {
        return harness::skip("newuidmap is not installed");
    }
    let engine = Engine { store: scratch("home/images") };
    let files = scratch("files");
    fs::create_dir_all(&files)?;
    fs::write(files.join("a"), "a")?;
    chown(files.join("a"), Some(1000), Some(7))?;
    let tarball = super::support::tar(&files, &scratch("a.tar"), &["."])?;
    let words = ["import", tarball.to_str().context("UTF-8")?, "one"];
    sys::process::unshare_namespaces(libc::CLONE_NEWNS as u64).context("unshare")?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let replace = |path: &str, more: &str| -> Result<()> {
        let own = scratch(&path.replace('/', "_"));
        let text = fs::read_to_string(path).unwrap_or_default() + more;
        fs::write(&own, text)?;
        fs::set_permissions(&own, fs::Permissions::from_mode(0o644))?;
        Ok(mount_bind(&own, path)?)
    };
    replace("/etc/passwd", &format!("trial:x:{USER}:{USER}::/:/bin/sh\n"))?;
    replace("/etc/subuid", "trial:300000:20\n")?;
    replace("/etc/subgid", &format!("{USER}:400000:20\n"))?;
    let done = end_of(&mut as_user(&engine, &words)?)?;
    ensure!(done.stderr.contains("\nhint: the user namespace has no such id"), "{done:?}");
    fs::write("/etc/subuid", "trial:300000:65536\n")?;
    fs::write("/etc/subgid", format!("{USER}:400000:65536\n"))?;
    let done = end_of(&mut as_user(&engine, &words)?)?;
    ensure!(done.code == Some(0), "{done:?}");
    let layer = engine.files("layers/sha256")?.pop().context("a layer")?;
    let file = fs::metadata(engine.store.join("layers/sha256").join(layer).join("a"))?;
    expect_eq!((file.uid(), file.gid()), (300_000 + 999, 400_000 + 6));
    let done = end_of(&mut as_user(&engine, &["system", "check", "-q"])?)?;
    ensure!(done.code == Some(0) && done.stdout.is_empty(), "{done:?}");
    // What was removed is freed, although the user alone could not.
    let done = end_of(&mut as_user(&engine, &["rmi", "one"])?)?;
    ensure!(done.code == Some(0), "{done:?}");
    until_trash_is_empty(&engine)
}

/// A file system of its own for the store, which nobody else sees.
pub(super) fn disk(engine: &Engine, size: &str) -> Result<()> {
    sys::process::unshare_namespaces(libc::CLONE_NEWNS as u64).context("unshare")?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    fs::create_dir_all(&engine.store)?;
    let options = std::ffi::CString::new(format!("size={size},mode=0700"))?;
    Ok(mount("none", &engine.store, "tmpfs", MountFlags::empty(), options.as_c_str())?)
}

pub(crate) fn read_only_disk() -> Result<()> {
    let engine = Engine::new();
    disk(&engine, "32m")?;
    let id = engine.import("one:1", &["a"], &[])?;
    engine.ok(&["save", "-o", scratch("one.tar").to_str().context("UTF-8")?, "one:1"])?;
    let before = engine.store_listing()?;
    mount_remount(&engine.store, MountFlags::RDONLY, c"")?;
    expect_eq!(engine.ok(&["images", "-q", "--no-trunc"])?, id);
    expect_eq!(engine.ok(&["inspect", "-f", "{{.Id}}", "one:1"])?, id);
    ensure!(engine.command(&["save", "one:1"]).output()?.stdout == fs::read(scratch("one.tar"))?);
    ensure!(engine.command(&["export", "one:1"]).output()?.status.success());
    engine.ok(&["history", "one:1"])?;
    engine.ok(&["system", "df"])?;
    let tarball = archive("b", &["b"])?;
    for words in [
        &["rmi", "one:1"][..],
        &["tag", "one:1", "two"],
        &["untag", "one:1"],
        &["load", "-i", scratch("one.tar").to_str().context("UTF-8")?],
        &["import", tarball.to_str().context("UTF-8")?, "b"],
        &["pull", "hello"],
        &["prune", "-af"],
        &["system", "reset", "-f"],
        &["system", "check"],
        &["system", "check", "--repair"],
    ] {
        engine.fails(words, "read-only")?;
    }
    // The quick look works.
    engine.ok(&["system", "check", "--quick"])?;
    expect_eq!(engine.store_listing()?, before);
    Ok(())
}

pub(crate) fn full_disk() -> Result<()> {
    let engine = Engine::new();
    disk(&engine, "12m")?;
    engine.import("small", &["a"], &[])?;
    let files = scratch("large.files");
    fs::create_dir_all(&files)?;
    fs::write(files.join("large"), vec![7; 9 << 20])?;
    let large = archive("large", &["b"])?;
    let large = large.to_str().context("UTF-8")?;
    // The layer and the archive together do not fit.
    for _ in 0..3 {
        let done = engine.fails(&["import", large, "large"], "No space left on device")?;
        ensure!(done.stderr.contains("\nhint: make room, for example with `tinyo"), "{done:?}");
        until_trash_is_empty(&engine)?;
    }
    expect_eq!(engine.names()?, ["small:latest"]);
    // Of half a layer nothing stays; the archive does, for the next try.
    until_trash_is_empty(&engine)?;
    expect_eq!(engine.files("unpacking")?, Vec::<String>::new());
    engine.ok(&["system", "prune", "-f"])?;
    until_trash_is_empty(&engine)?;
    engine.is_clean()?;
    // Not a byte is free: images go all the same.
    let filled = fill(&engine)?;
    engine.ok(&["rmi", "small"])?;
    until_trash_is_empty(&engine)?;
    fs::remove_file(filled)?;
    engine.import("again", &["a"], &[])?;
    engine.is_clean()
}

fn until_trash_is_empty(engine: &Engine) -> Result<()> {
    crate::support::until("the trash is empty", || {
        engine.files("trash").is_ok_and(|files| files.is_empty())
    })
}

/// Takes all that is left of the disk.
fn fill(engine: &Engine) -> Result<std::path::PathBuf> {
    use std::io::Write as _;
    let path = engine.store.join("filler");
    let mut file = fs::File::create(&path)?;
    while file.write(&[1; 4096]).is_ok() {}
    Ok(path)
}

pub(crate) fn two_at_once() -> Result<()> {
    let engine = Engine::new();
    let saved = scratch("one.tar");
    engine.import("one", &["a", "b/c"], &[])?;
    engine.ok(&["save", "-o", saved.to_str().context("UTF-8")?, "one"])?;
    for round in 0..10 {
        let words: [&[&str]; 6] = [
            &["load", "-q", "-i", saved.to_str().context("UTF-8")?],
            &["rmi", "-q", "-a"],
            &["load", "-q", "-i", saved.to_str().context("UTF-8")?],
            &["system", "prune", "-f"],
            &["images", "--format=json"],
            &["tag", "one", "two"],
        ];
        let start = |words: &&[&str]| -> Result<Child> {
            let mut command = engine.command(words);
            Ok(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
        };
        let children = words.iter().map(start).collect::<Result<Vec<_>>>()?;
        for (child, words) in children.into_iter().zip(words) {
            let output = child.wait_with_output()?;
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            // An image that somebody else has just removed is no longer there.
            let is_gone = words[0] == "tag" && stderr.contains("is here");
            ensure!(output.status.success() || is_gone, "round {round}: {words:?}: {stderr}");
        }
        engine.is_clean()?;
        engine.ok(&["load", "-q", "-i", saved.to_str().context("UTF-8")?])?;
        engine.is_clean()?;
    }
    Ok(())
}

pub(crate) fn killed_imports_leave_a_clean_store() -> Result<()> {
    let engine = Engine::new();
    let names: Vec<String> =
        (0..400).map(|number| format!("folder{}/{number}", number % 9)).collect();
    let tarball = archive("many", &names.iter().map(String::as_str).collect::<Vec<_>>())?;
    let tarball = tarball.to_str().context("UTF-8")?.to_owned();
    for round in 0..20_u64 {
        let words =
            if round % 4 == 3 { vec!["rmi", "-a"] } else { vec!["import", &tarball, "many"] };
        let mut child = engine.command(&words).stdout(Stdio::null()).spawn()?;
        std::thread::sleep(Duration::from_millis(2 + 7 * (round % 13)));
        // It may have ended by itself.
        let _ = child.kill();
        child.wait()?;
        engine.is_clean()?;
    }
    engine.ok(&["import", &tarball, "many"])?;
    engine.ok(&["system", "prune", "-f"])?;
    engine.is_clean()?;
    for folder in ["incoming", "unpacking"] {
        expect_eq!(engine.files(folder)?, Vec::<String>::new(), "{folder}");
    }
    // One import is one image, whatever the killed ones left: times differ, layers do not.
    expect_eq!(engine.files("layers/sha256")?.len(), 1);
    Ok(())
}

impl Engine {
    /// All files of the store, and how long they are.
    fn store_listing(&self) -> Result<String> {
        let mut find = std::process::Command::new("find");
        let done: Done = end_of(find.arg(&self.store).args(["-printf", "%p %s %m\\n"]))?;
        Ok(done.stdout)
    }
}
