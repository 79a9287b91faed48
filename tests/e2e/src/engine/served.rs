//! Containers whose files `fuse-overlayfs` serves, since the kernel refuses. It really does: the
//! store is on an overlay, as in a container, and the kernel takes no changes on one.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};

use super::rootless::User;
use super::support::{Engine, end_of};
use crate::expect_eq;
use crate::support::{processes, scratch, sys, until};

const PROGRAM: &str = "/usr/bin/fuse-overlayfs";

/// Mounts an overlay at a folder of the trial, in a mount namespace of its own; false if that cannot
/// be tried here.
fn mount_overlay_at(name: &str) -> Result<bool> {
    let is_device = |path: &str| fs::metadata(path).is_ok_and(|it| it.file_type().is_char_device());
    if !rustix::process::geteuid().is_root() || !Path::new(PROGRAM).exists() {
        return harness::skip("only root plays other users; fuse-overlayfs is needed")
            .map(|()| false);
    }
    if !is_device("/dev/fuse") {
        return harness::skip("there is no /dev/fuse").map(|()| false);
    }
    ::sys::process::unshare_namespaces(libc::CLONE_NEWNS as u64)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let [lower, upper, work] =
        ["lower", "upper", "work"].map(|it| scratch(&format!("{name}-{it}")));
    let place = scratch(name);
    for folder in [&lower, &upper, &work, &place] {
        fs::create_dir_all(folder)?;
    }
    let [lower, upper, work] = [lower, upper, work].map(|it| it.display().to_string());
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    mount("overlay", &place, "overlay", MountFlags::empty(), &*std::ffi::CString::new(options)?)?;
    Ok(true)
}

/// The programs that serve files of containers in a store.
fn servers(store: &Path) -> Vec<i32> {
    let serves = |pid: &i32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let log = fs::read_link(format!("/proc/{pid}/fd/1")).unwrap_or_default();
        name.trim() == "fuse-overlayfs" && log.starts_with(store) && processes::alive(*pid)
    };
    processes::all().into_iter().map(|(pid, _)| pid).filter(serves).collect()
}

/// The one that there is.
fn server(store: &Path) -> Result<i32> {
    match servers(store)[..] {
        [pid] => Ok(pid),
        ref other => anyhow::bail!("not one serves: {other:?}"),
    }
}

fn namespace(pid: i32, kind: &str) -> Result<PathBuf> {
    Ok(fs::read_link(format!("/proc/{pid}/ns/{kind}"))?)
}

fn user() -> Result<Option<(User, PathBuf)>> {
    if !mount_overlay_at("user")? {
        return Ok(None);
    }
    let user = User::new()?;
    let store = user.home.join("store");
    Ok(Some((user, store)))
}

/// What is done to files in it, and what is to be seen of that afterwards.
const CHANGE: &str = "echo new >/new; rm /data/given; mkdir /tmp/folder; echo one >/tmp/folder/one; \
                      mv /etc/group /etc/groups; ln /new /other; chown 0:0 /new";
const CHANGED: &str = "C /data\nD /data/given\nC /etc\nD /etc/group\nA /etc/groups\nA /new\nA /other\n\
                       C /tmp\nA /tmp/folder\nA /tmp/folder/one";
const LOOK: &str = "cat /new /other /tmp/folder/one; ls /data /etc";
const LOOKED: &str = "new\nnew\none\n/data:\n\n/etc:\ngroups\nhostname\nhosts\npasswd\nresolv.conf";

/// Run, write, list, keep, pack, copy, start again, remove.
pub(super) fn all_commands_work() -> Result<()> {
    let Some((user, store)) = user()? else { return Ok(()) };
    let doctor = user.ok(&["doctor"])?;
    ensure!(doctor.contains("by fuse-overlayfs, since the kernel refuses"), "{doctor}");
    let flags = ["--name", "one", "--network=none", "box", "sleep", "1000"];
    user.ok(&[&["run", "-d"], &flags[..]].concat())?;
    let mounted = user.ok(&["exec", "one", "mount"])?;
    ensure!(mounted.starts_with("fuse-overlayfs on / type fuse.fuse-overlayfs (rw,"), "{mounted}");
    user.ok(&["exec", "one", "sh", "-c", CHANGE])?;
    expect_eq!(user.ok(&["exec", "one", "sh", "-c", LOOK])?, LOOKED);
    expect_eq!(user.ok(&["diff", "one"])?, CHANGED);
    // It is nowhere in the container, and has nothing of whoever called.
    let pid: i32 = user.ok(&["inspect", "one", "--format={{.State.Pid}}"])?.parse()?;
    let server_pid = server(&store)?;
    for kind in ["pid", "mnt"] {
        ensure!(namespace(pid, kind)? != namespace(server_pid, kind)?, "they share {kind}");
    }
    ensure!(!user.ok(&["exec", "one", "ps"])?.contains("fuse"), "it is seen");
    user.ok(&["commit", "one", "two"])?;
    let words = ["run", "--rm", "--network=none", "two", "sh", "-c", LOOK];
    expect_eq!(user.ok(&words)?, LOOKED);
    // Of a layer that says what is gone, too.
    user.ok(&["create", "--name", "late", "--network=none", "two", "true"])?;
    let archive = user.home.join("all.tar");
    for name in ["one", "late"] {
        user.ok(&["export", "-o", archive.to_str().context("UTF-8")?, name])?;
        let listed = end_of(std::process::Command::new("tar").arg("-tf").arg(&archive))?.stdout;
        let has = |name: &str| listed.lines().any(|line| line == name);
        ensure!(has("tmp/folder/one") && has("etc/groups"), "{listed}");
        ensure!(!has("data/given") && !has("etc/group") && !listed.contains(".wh."), "{listed}");
    }
    let file = user.home.join("file");
    let text = file.to_str().context("UTF-8")?;
    user.ok(&["cp", "one:/new", text])?;
    user.ok(&["cp", text, "one:/running"])?;
    user.ok(&["restart", "-t", "0", "one"])?;
    user.ok(&["stop", "-t", "0", "one"])?;
    expect_eq!(servers(&store).len(), 0, "it has outlived its container");
    user.ok(&["cp", text, "one:/stopped"])?;
    user.ok(&["cp", "one:/new", "one:/again"])?;
    user.ok(&["start", "one"])?;
    expect_eq!(
        user.ok(&["exec", "one", "cat", "/running", "/stopped", "/again"])?,
        "new\nnew\nnew"
    );
    user.ok(&["system", "check"])?;
    user.ok(&["run", "-d", "--name", "log", "--network=none", "-v", "new:/data", "box", "cat"])?;
    user.ok(&["rm", "-f", "-a", "-v", "-t", "0"])?;
    expect_eq!(servers(&store).len(), 0);
    for folder in ["containers", "run/runtime", "run/started"] {
        until(&format!("{folder} is empty"), || {
            fs::read_dir(store.join(folder)).into_iter().flatten().next().is_none()
        })?;
    }
    Ok(())
}

/// Whoever is killed, the container says why it ended, and is mended by a start.
pub(super) fn whoever_is_killed_is_mended() -> Result<()> {
    let Some((user, store)) = user()? else { return Ok(()) };
    let id = user.ok(&["run", "-d", "--name", "one", "--network=none", "box", "sleep", "1000"])?;
    user.ok(&["exec", "one", "sh", "-c", "echo kept >/kept; rm /data/given"])?;
    let is_kept = || -> Result<()> {
        expect_eq!(user.ok(&["exec", "one", "sh", "-c", "cat /kept; ls /data"])?, "kept");
        Ok(())
    };
    // As whoever ends all that a user has left does it: it goes on until its container has ended.
    for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGINT] {
        sys::send(server(&store)?, signal)?;
    }
    is_kept()?;
    let is =
        |state: &str| user.ok(&["ps", "-a", "--format={{.State}}"]).is_ok_and(|text| text == state);
    sys::send(server(&store)?, libc::SIGKILL)?;
    until("it has ended", || is("exited"))?;
    let error = user.ok(&["inspect", "one", "--format={{.State.Error}} {{.State.ExitCode}}"])?;
    ensure!(error.starts_with("fuse-overlayfs, which served the container's files"), "{error}");
    ensure!(error.ends_with(" 137"), "{error}");
    user.ok(&["restart", "one"])?;
    expect_eq!(user.ok(&["inspect", "one", "--format={{.State.Error}}"])?, "");
    is_kept()?;
    sys::send(User::monitor(&id)?, libc::SIGKILL)?;
    until("nobody serves", || servers(&store).is_empty())?;
    user.ok(&["start", "one"])?;
    is_kept()?;
    // A policy mends it by itself.
    user.ok(&["update", "--restart=always", "one"])?;
    let first = server(&store)?;
    sys::send(first, libc::SIGKILL)?;
    until("another one serves", || {
        servers(&store).iter().any(|pid| *pid != first) && is("running")
    })?;
    is_kept()?;
    user.ok(&["rm", "-f", "-t", "0", "one"])?;
    expect_eq!(servers(&store).len(), 0);
    Ok(())
}

/// Without it, and of who has no device, it is said what helps.
pub(super) fn without_it_that_is_said() -> Result<()> {
    let Some((user, store)) = user()? else { return Ok(()) };
    user.ok(&["create", "--name", "used", "--network=none", "box", "cat", "/etc/passwd"])?;
    user.ok(&["start", "-a", "used"])?;
    mount_bind("/dev/null", PROGRAM)?;
    let words = ["run", "--rm", "--network=none", "box", "true"];
    user.fails(&words, "Invalid argument (errno 22); install fuse-overlayfs (apt install")?;
    let refused = end_of(&mut user.command(&["start", "used"]))?;
    ensure!(refused.stderr.contains("install fuse-overlayfs"), "{refused:#?}");
    user.fails(&["run", "--rm", "host:", "true"], "host: needs fuse-overlayfs")?;
    let doctor = user.ok(&["doctor"])?;
    let line = doctor.lines().find(|line| line.starts_with("layers")).unwrap_or_default();
    ensure!(line.contains(" no ") && line.contains("apt install fuse-overlayfs"), "{doctor}");
    rustix::mount::unmount(PROGRAM, rustix::mount::UnmountFlags::DETACH)?;
    mount_bind("/dev/null", "/dev/fuse")?;
    user.fails(&words, "fuse")?;
    rustix::mount::unmount("/dev/fuse", rustix::mount::UnmountFlags::DETACH)?;
    user.ok(&words)?;
    expect_eq!(servers(&store).len(), 0);
    Ok(())
}

/// The machine's root has no more luck on an overlay.
pub(super) fn for_root_as_well() -> Result<()> {
    if !mount_overlay_at("store")? {
        return Ok(());
    }
    let engine = Engine::new()?;
    engine.ok(&["run", "-d", "--name", "one", "--network=none", "box", "sleep", "1000"])?;
    engine.ok(&["exec", "one", "sh", "-c", CHANGE])?;
    expect_eq!(engine.ok(&["diff", "one"])?, CHANGED);
    engine.ok(&["commit", "one", "two"])?;
    // An image that is mounted has its layers laid over each other as well.
    let words = ["run", "--rm", "--network=none", "--mount", "type=image,source=two,target=/two"];
    let look = ["box", "sh", "-c", "cat /two/new; ls /two/data; cat /data/given"];
    expect_eq!(engine.ok(&[&words[..], &look].concat())?, "new\nby the image");
    engine.ok(&["restart", "-t", "0", "one"])?;
    expect_eq!(engine.ok(&["exec", "one", "sh", "-c", LOOK])?, LOOKED);
    engine.ok(&["rm", "-f", "-a", "-t", "0"])?;
    expect_eq!(servers(&engine.store).len(), 0);
    engine.ok(&["system", "check"])?;
    engine.is_clean().or_else(|error| {
        // The store itself is a mount.
        ensure!(error.to_string().contains("a mount is left"), "{error}");
        Ok(())
    })
}

/// The machine's own files, without what is mounted over them, and with changes that go.
pub(super) fn the_machine_itself_as_an_image() -> Result<()> {
    let Some((user, _)) = user()? else { return Ok(()) };
    let hidden = scratch("mounted");
    fs::create_dir_all(&hidden)?;
    mount("tmpfs", &hidden, "tmpfs", MountFlags::empty(), None)?;
    fs::write(hidden.join("secret"), "secret")?;
    let machine = fs::read_to_string("/etc/debian_version")?;
    // All that the user can read is the container's root's, and can be changed for it.
    let own = scratch("own");
    fs::create_dir_all(&own)?;
    fs::write(own.join("file"), "the machine's")?;
    fs::set_permissions(&own, fs::Permissions::from_mode(0o777))?;
    let script = format!(
        "cat /etc/debian_version; ls {0}; touch {0}/x; cat {1}/file; rm {1}/file; echo new >{1}/new; \
         cat {1}/new; echo more >/usr/new; cat /usr/new; stat -c %u /usr; cat /etc/shadow 2>/dev/null || echo refused",
        hidden.display(),
        own.display()
    );
    let words = ["run", "--rm", "--network=none", "host:", "sh", "-c", &script];
    expect_eq!(user.ok(&words)?, format!("{machine}the machine'snew\nmore\n0\nrefused"));
    ensure!(own.join("file").exists() && !own.join("new").exists(), "it was changed");
    ensure!(!hidden.join("x").exists(), "it is not covered");
    ensure!(!Path::new("/usr/new").exists(), "the machine was changed");
    Ok(())
}
