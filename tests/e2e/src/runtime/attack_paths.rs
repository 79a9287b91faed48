//! Links of an image that lead out of it. Each test has a decoy on the machine, to which a runtime
//! that follows links by the machine's rules would write.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::stdio::ConsoleSocket;
use super::support::kernel::KERNELS;
use super::support::{Bundle, Container};
use crate::expect_eq;
use crate::support::{Finished, scratch};

/// A folder of the machine that must stay as it is: a file with a text, and nothing beside.
struct Decoy(PathBuf);

impl Decoy {
    fn new() -> Result<Self> {
        let folder = scratch("decoy");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("file"), "text\n")?;
        Ok(Self(folder))
    }

    fn expect_untouched(&self) -> Result<()> {
        let names: Vec<_> = fs::read_dir(&self.0)?.flatten().map(|it| it.file_name()).collect();
        expect_eq!(names, ["file"], "what is in the decoy");
        expect_eq!(fs::read_to_string(self.0.join("file"))?, "text\n", "the file in the decoy");
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(self.0.join("file"))?.permissions().mode();
        expect_eq!(mode & 0o7777, 0o644, "the mode of the file in the decoy");
        Ok(())
    }
}

/// Runs the bundle on each kernel; whatever comes of it, the decoy must be untouched.
fn on_each_kernel(
    decoy: &Decoy,
    bundle: impl Fn() -> Result<Bundle>,
    check: impl Fn(&Container, &Finished) -> Result<()>,
) -> Result<()> {
    for kernel in KERNELS {
        let container = Container::new(bundle()?)?;
        let finished = kernel.under(container.launch_new("run", &[])).finish()?;
        let checked = decoy.expect_untouched().and_then(|()| check(&container, &finished));
        checked.with_context(|| format!("{kernel:?}: {finished:?}"))?;
        container.expect_gone()?;
    }
    Ok(())
}

/// All ways to write a link out of the root.
fn links(to: &Path) -> [PathBuf; 3] {
    let up = Path::new("../../../../../../../../../..");
    [
        to.to_owned(),
        up.join(to.strip_prefix("/").unwrap_or(to)),
        Path::new("/proc/1/root").join(to.strip_prefix("/").unwrap_or(to)),
    ]
}

/// CVE-2019-19921, 2023-27561, 2023-28642, 2025-54867: with `/proc` or `/sys` a link into a volume,
/// what the runtime writes there (labels, parameters) and reads goes to the attacker's files. A
/// naive runtime mounts procfs wherever the link leads, and goes on.
pub(crate) fn proc_and_sys_must_be_folders() -> Result<()> {
    let decoy = Decoy::new()?;
    for name in ["proc", "sys"] {
        for target in [PathBuf::from("work"), "/work".into(), decoy.0.clone(), "/no/such".into()] {
            let bundle = || {
                let bundle = Bundle::command(&["/bin/true"])?;
                fs::remove_dir(bundle.rootfs().join(name))?;
                symlink(&target, bundle.rootfs().join(name))?;
                Ok(bundle)
            };
            on_each_kernel(&decoy, bundle, |_, finished| {
                ensure!(finished.code()? != 0, "it ran");
                finished.expect_stderr("must be mounted on ordinary directory")?;
                Ok(())
            })
            .with_context(|| format!("/{name} -> {}", target.display()))?;
        }
    }
    Ok(())
}

/// CVE-2019-18837, and CVE-2021-30465 without the race: a mount target with a link in it. A naive
/// runtime joins root and target, follows the link, and mounts on the machine's files or makes
/// folders there.
pub(crate) fn mount_targets_are_resolved_in_the_root() -> Result<()> {
    let decoy = Decoy::new()?;
    for link in links(&decoy.0) {
        for (target, kind) in [
            ("/work/link", "tmpfs"),
            ("/work/link/made/deep", "tmpfs"),
            ("/work/link/file", "bind"),
            ("/work/link/new-file", "bind"),
            ("/work/../work/link/../made", "tmpfs"),
        ] {
            let bundle = || {
                let bundle = Bundle::script("cat /proc/self/mountinfo")?;
                symlink(&link, bundle.rootfs().join("work/link"))?;
                let (source, options) =
                    if kind == "bind" { ("/etc/hostname", "bind") } else { ("in-the-root", "") };
                Ok(bundle.mount(target, kind, source, options))
            };
            on_each_kernel(&decoy, bundle, |_, finished| {
                // It may refuse, and it may mount inside; it must not lose the mount.
                if finished.code()? == 0 && kind == "tmpfs" {
                    finished.expect_stdout("in-the-root")?;
                }
                Ok(())
            })
            .with_context(|| format!("{target} with link -> {}", link.display()))?;
        }
    }
    Ok(())
}

/// CVE-2026-41579, 2026-47766: `/dev` itself leads out. A naive runtime makes device nodes and
/// links in the machine's folder, or removes what is there.
pub(crate) fn dev_may_lead_nowhere() -> Result<()> {
    let decoy = Decoy::new()?;
    for link in links(&decoy.0) {
        for mounted in [true, false] {
            let bundle = || {
                let mut bundle = Bundle::command(&["/bin/true"])?;
                fs::remove_dir(bundle.rootfs().join("dev"))?;
                symlink(&link, bundle.rootfs().join("dev"))?;
                if !mounted {
                    bundle = without_dev(bundle);
                }
                Ok(bundle.set("/root/readonly", false))
            };
            on_each_kernel(&decoy, bundle, |_, _| Ok(()))
                .with_context(|| format!("/dev -> {}, mounted {mounted}", link.display()))?;
        }
    }
    Ok(())
}

fn without_dev(bundle: Bundle) -> Bundle {
    ["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"]
        .iter()
        .fold(bundle, |bundle, target| bundle.without_mount(target))
}

/// CVE-2026-88264, 2026-88265: devices in the image are links, and nothing is mounted on `/dev`. A
/// naive runtime opens, truncates or changes the mode of what they lead to.
pub(crate) fn devices_of_the_image_are_not_followed() -> Result<()> {
    let decoy = Decoy::new()?;
    for link in links(&decoy.0.join("file")) {
        for name in
            ["null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "fd", "stdin"]
        {
            let bundle = || {
                let bundle = without_dev(Bundle::script("stat -c '%F %t:%T' /dev/null")?);
                symlink(&link, bundle.rootfs().join("dev").join(name))?;
                let given = json!([{
                    "path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600,
                    "uid": 7, "gid": 7,
                }]);
                Ok(bundle.set("/linux/devices", given).set("/root/readonly", false))
            };
            on_each_kernel(&decoy, bundle, |_, finished| {
                if finished.code()? == 0 {
                    finished.expect_stdout("character special file 1:3")?;
                }
                Ok(())
            })
            .with_context(|| format!("/dev/{name} -> {}", link.display()))?;
        }
    }
    Ok(())
}

/// CVE-2025-52565, 2026-88264: the terminal becomes `/dev/console`, and opens as `/dev/ptmx`. Where
/// these lead out of the image, a naive runtime binds the terminal over the machine's file, makes
/// one there, or hands the container a terminal of the machine's.
pub(crate) fn the_console_of_the_image_is_not_followed() -> Result<()> {
    let decoy = Decoy::new()?;
    for link in links(&decoy.0.join("file")) {
        for name in ["console", "ptmx", "pts"] {
            let bundle = without_dev(Bundle::script("stat -c %F /dev/console")?)
                .set("/process/terminal", true)
                .set("/root/readonly", false);
            symlink(&link, bundle.rootfs().join("dev").join(name))?;
            let socket = ConsoleSocket::open()?;
            let container = Container::new(bundle)?;
            let finished = container.launch_new("create", &[&socket.flag()]).finish()?;
            decoy.expect_untouched().with_context(|| format!("/dev/{name}: {finished:?}"))?;
            if finished.code()? == 0 {
                container.tell("start", &[])?.expect_code(0)?;
                socket.receive()?.see("character special file")?;
                container.wait_status("stopped")?;
                container.delete()?;
            }
            decoy.expect_untouched().with_context(|| format!("/dev/{name}"))?;
            container.expect_gone()?;
        }
    }
    Ok(())
}

/// CVE-2025-31133, CVE-2025-62161 without the race: what masks is taken from the container, where
/// `/dev/null` is the attacker's file, or a link to one of the kernel's. A naive runtime binds
/// that over the path: instead of nothing there is a file to read and write.
pub(crate) fn masks_are_the_machines_null() -> Result<()> {
    let decoy = Decoy::new()?;
    for link in ["", "/work/own", "/proc/sys/kernel/core_pattern", "../work/own"] {
        let bundle = || {
            let bundle =
                without_dev(Bundle::script("cat /work/secret; stat -c %F:%t:%T /work/secret")?);
            fs::write(bundle.rootfs().join("work/own"), "attacker's\n")?;
            fs::write(bundle.rootfs().join("work/secret"), "secret\n")?;
            let null = bundle.rootfs().join("dev/null");
            if link.is_empty() {
                fs::write(null, "attacker's\n")?;
            } else {
                symlink(link, null)?;
            }
            let bundle = bundle.set("/linux/maskedPaths", json!(["/work/secret"]));
            Ok(bundle.set("/root/readonly", false))
        };
        on_each_kernel(&decoy, bundle, |_, finished| {
            if finished.code()? == 0 {
                expect_eq!(finished.stdout, "character special file:1:3\n");
            }
            Ok(())
        })
        .with_context(|| format!("/dev/null -> {link:?}"))?;
    }
    Ok(())
}

/// Paths to mask or protect that lead out: a naive runtime binds over the machine's file (in the
/// container's mount namespace, where nobody sees it) and leaves the container's own as it is.
pub(crate) fn masked_and_read_only_paths_are_resolved_in_the_root() -> Result<()> {
    let decoy = Decoy::new()?;
    for link in links(Path::new("/work/real")) {
        let bundle = || {
            let script =
                "cat /work/real/masked; (echo x > /work/real/kept) 2>/dev/null && echo written";
            let bundle = Bundle::script(&format!("{script}; true"))?;
            let work = bundle.rootfs().join("work");
            fs::create_dir(work.join("real"))?;
            fs::write(work.join("real/masked"), "secret\n")?;
            fs::write(work.join("real/kept"), "")?;
            symlink(&link, work.join("link"))?;
            let bundle = bundle
                .set("/linux/maskedPaths", json!(["/work/link/masked"]))
                .set("/linux/readonlyPaths", json!(["/work/link/kept"]));
            Ok(bundle.set("/root/readonly", false))
        };
        on_each_kernel(&decoy, bundle, |_, finished| {
            if finished.code()? == 0 {
                expect_eq!(finished.stdout, "");
            }
            Ok(())
        })
        .with_context(|| format!("link -> {}", link.display()))?;
    }
    Ok(())
}

/// The working folder of the image leads out: where a naive runtime makes it before it changes the
/// root, it makes it on the machine.
pub(crate) fn the_working_folder_is_made_in_the_root() -> Result<()> {
    let decoy = Decoy::new()?;
    for link in links(&decoy.0) {
        let bundle = || {
            let bundle = Bundle::script("pwd")?.set("/process/cwd", "/work/link/made/here");
            symlink(&link, bundle.rootfs().join("work/link"))?;
            Ok(bundle)
        };
        on_each_kernel(&decoy, bundle, |_, _| Ok(()))?;
    }
    Ok(())
}

/// The users of the image, which tell the home folder, are a link to the machine's.
pub(crate) fn the_users_of_the_image_are_read_in_the_root() -> Result<()> {
    let decoy = Decoy::new()?;
    let users = scratch("users");
    fs::write(&users, "user:x:1000:1000::/of-the-machine:/bin/sh\n")?;
    for link in links(&users) {
        let bundle = || {
            let bundle = Bundle::script("echo home $HOME")?.set("/process/user/uid", 1000);
            let passwd = bundle.rootfs().join("etc/passwd");
            fs::remove_file(&passwd)?;
            symlink(&link, passwd)?;
            Ok(bundle)
        };
        on_each_kernel(&decoy, bundle, |_, finished| {
            ensure!(!finished.stdout.contains("machine"), "the machine's users were read");
            Ok(())
        })?;
    }
    Ok(())
}

/// They are a link to what procfs tells of the process that reads them: the runtime, with the
/// environment of its caller, of which one variable has what a line of users has.
pub(crate) fn the_users_of_the_image_do_not_tell_the_callers_environment() -> Result<()> {
    let bundle = Bundle::script("echo home $HOME")?;
    let passwd = bundle.rootfs().join("etc/passwd");
    fs::remove_file(&passwd)?;
    symlink("/proc/self/environ", passwd)?;
    let container = Container::new(bundle)?;
    let launch = container.launch_new("run", &[]).env("LIST=a\nx:x:0:0::/of-the-caller:\n");
    expect_eq!(launch.finish()?.stdout, "home /\n");
    Ok(())
}
