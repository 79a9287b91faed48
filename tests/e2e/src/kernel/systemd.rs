//! A real systemd of the trial's own: PID 1 of new namespaces, in a group of its own.
//!
//! It sees the machine's files read-only, starts nothing, and ends with the trial.

use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use kernel::cgroup::{Resources, SubGroup};
use sys::process::{Cloned, clone3_of_single_thread, unshare_namespaces};
use sys::rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use sys::rustix::process::{Pid, WaitOptions, waitpid};
use sys::rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

use super::cgroup::{Own, create, folders, make_mounts_private, run, see_v2_alone};
use crate::support::{scratch, until};

const SYSTEMD: &str = "/lib/systemd/systemd";

/// The running systemd.
pub(crate) struct Systemd {
    group: Own,
    process: OwnedFd,
}

/// Whether the machine has what is needed; if not, what is missing.
pub(crate) fn missing() -> Option<&'static str> {
    [SYSTEMD, "/usr/bin/systemctl", "/usr/bin/dbus-daemon"]
        .into_iter()
        .find(|program| !std::fs::exists(program).unwrap_or(false))
}

impl Systemd {
    /// Boots it, and returns when it answers.
    pub(crate) fn boot() -> Result<Systemd> {
        see_v2_alone()?;
        let group = create(Resources::default())?;
        // The namespace's root must hold no process when systemd hands controllers down.
        std::fs::create_dir(folders(&*group)[0].join("tester"))?;
        let entry = group.entry()?;
        let log = File::create(scratch("systemd.log"))?;
        let flags = libc::CLONE_NEWPID
            | libc::CLONE_NEWNS
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWNET;
        let (pid, process) = match clone3_of_single_thread(flags as u64, entry.clone_into())? {
            Cloned::Parent(pid, process) => (pid, process),
            Cloned::Child => {
                let error = become_systemd(log).err();
                println!("systemd: {error:?}");
                sys::process::exit_now(1)
            }
        };
        let socket = format!("/proc/{}/root/run/systemd/private", pid.as_raw_nonzero());
        if let Err(error) = until("systemd listens", || UnixStream::connect(&socket).is_ok()) {
            let log = std::fs::read_to_string(scratch("systemd.log"))?;
            bail!("{error}: {log}");
        }
        Ok(Systemd { group, process })
    }

    /// Carries out `body` in a process of systemd's namespaces.
    pub(crate) fn inside(&self, body: impl FnOnce() -> Result<()>) -> Result<()> {
        let entry = self.group.entry_below(&[SubGroup::parse("tester")?])?;
        let code = run(&entry, || match self.enter_and_fork(body) {
            Ok(code) => code,
            Err(error) => {
                println!("{error:#}");
                2
            }
        })?;
        ensure!(code == 0, "see above");
        Ok(())
    }

    /// A process namespace is entered by the children of who enters it.
    fn enter_and_fork(&self, body: impl FnOnce() -> Result<()>) -> Result<i32> {
        let kinds = ThreadNameSpaceType::PROCESS_ID
            | ThreadNameSpaceType::MOUNT
            | ThreadNameSpaceType::CONTROL_GROUP
            | ThreadNameSpaceType::NETWORK;
        move_into_thread_name_spaces(self.process.as_fd(), kinds).context("setns")?;
        match clone3_of_single_thread(0, None)? {
            Cloned::Parent(pid, _) => Ok(exit_code(pid)?),
            Cloned::Child => {
                let code = body().map_or_else(
                    |error| {
                        println!("{error:#}");
                        1
                    },
                    |()| 0,
                );
                std::process::exit(code)
            }
        }
    }
}

fn exit_code(pid: Pid) -> Result<i32> {
    let (_, status) = waitpid(Some(pid), WaitOptions::empty())?.context("no child")?;
    status.exit_status().with_context(|| format!("{status:?}"))
}

/// The first process: its own `/proc`, `/run` and groups, everything else read-only.
fn become_systemd(log: File) -> Result<()> {
    unshare_namespaces(libc::CLONE_NEWCGROUP as u64).context("unshare")?;
    make_mounts_private()?;
    mount_remount("/", MountFlags::BIND | MountFlags::RDONLY, c"").context("remount /")?;
    unmount("/sys/fs/cgroup", UnmountFlags::DETACH).context("umount /sys/fs/cgroup")?;
    mount("none", "/sys/fs/cgroup", "cgroup2", MountFlags::empty(), None).context("cgroup2")?;
    mount("none", "/proc", "proc", MountFlags::empty(), None).context("proc")?;
    mount("none", "/run", "tmpfs", MountFlags::empty(), Some(c"mode=755")).context("tmpfs")?;
    std::fs::create_dir_all("/run/systemd/system")?;
    let target = "[Unit]\nDefaultDependencies=no\n";
    std::fs::write("/run/systemd/system/e2e.target", target)?;
    let mut command = Command::new(SYSTEMD);
    command.args(["--system", "--unit=e2e.target", "--log-target=console"]);
    // None of the machine's units, and no program that would make some. The first two folders are
    // those in which systemd keeps what it is told about scopes.
    let units = "/run/systemd/transient:/run/systemd/system.control:/run/systemd/system";
    let nothing_else = [
        ("container", "e2e"),
        ("SYSTEMD_UNIT_PATH", units),
        ("SYSTEMD_GENERATOR_PATH", "/run/nothing"),
    ];
    command.env_clear().envs(nothing_else).stdout(log.try_clone()?).stderr(log);
    Err(command.exec()).context(SYSTEMD)
}

/// Has the scratch folder writable in systemd's namespaces, and empty.
pub(crate) fn mount_scratch() -> Result<()> {
    let folder = scratch("");
    mount("none", &folder, "tmpfs", MountFlags::empty(), None).context("tmpfs")
}

/// Asks systemd with its own tool, and fails when that does.
pub(crate) fn control(words: &[&str]) -> Result<()> {
    let output = Command::new("systemctl").args(words).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "systemctl {words:?}: {text}{output:?}");
    Ok(())
}

/// A property of a unit, as systemd's own tool shows it.
pub(crate) fn property(unit: &str, name: &str) -> Result<String> {
    let output = Command::new("systemctl").args(["show", "--value", "-p", name, unit]).output()?;
    ensure!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}
