//! Trials of other tiers in the emulated machine: which, and how.

use super::report::Report;
use super::tiers::{Choice, PROGRAMS};
use crate::build;
use anyhow::{Context, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use vm::{Ending, Job, Machine, Outcome, Status};

/// The trials of one test program, for which a machine is booted.
pub(super) struct Tests {
    /// The test program's name.
    program: &'static str,
    /// Those that need nothing but busybox.
    plain: &'static [&'static str],
    /// Those that need the host's programs, too, which only root can show to the machine.
    of_root: &'static [&'static str],
}

pub(super) const TESTS: &[Tests] = &[
    Tests { program: "e2e", plain: IN_MACHINE, of_root: OF_ENGINE },
    Tests { program: "peers", plain: &[], of_root: OF_PEERS },
];

/// The trials for the emulated machine, which is some ten times slower, and has another kernel and
/// version 2 of cgroups alone: what depends on that, but not those that do a thing many times.
// tidy: table
const IN_MACHINE: &[&str] = &[
    "landlock_paths::",
    "landlock_limits::",
    "orphans::",
    "exit_codes::",
    "parent_death::",
    "checkpoint::",
    "attack::a_target_that_is",
    "attack::nothing",
    "attack::proc_and_sys",
    "attack::what",
    "cgroup::",
    "cgroup_devices::",
    "cgroup_failures::",
    "cgroup_life::",
    "cgroup_systemd::",
    "cgroup_use::",
    "device::",
    "handed::",
    "landlock::",
    "mount::",
    "netdev::",
    "path::links",
    "path::only",
    "path::small",
    "path::what",
    "proc_writes::",
    "seccomp::",
    "runtime::attack_descriptors::",
    "runtime::attack_fields::exec",
    "runtime::attack_fields::many",
    "runtime::attack_mounts::",
    "runtime::attack_paths::",
    "runtime::attack_proc::",
    "runtime::devices::",
    "runtime::exec::",
    "runtime::faults_with::a_checkpoint",
    "runtime::hooks::",
    "runtime::kill::",
    "runtime::lifecycle::",
    "runtime::mounts::",
    "runtime::namespaces::",
    "runtime::pause::",
    "runtime::process::",
    "runtime::resources::",
    "runtime::rootless::",
    "runtime::seccomp_agent::",
    "runtime::sigkill_with::checkpoints",
    "runtime::sigkill_with::restores",
    "runtime::stdio::",
];

/// Those that need the host's programs, too: what depends on the kernel's networks, its cgroups, and
/// its mapping of ids.
// tidy: table
const OF_ENGINE: &[&str] = &[
    "engine::network_shared::",
    "engine::pods::limits_hold",
    "engine::pods::what_is_shared",
    "engine::rootless::names",
    "engine::rootless::ports",
    "engine::run::a_user",
    "engine::run::limits",
    "engine::sctp::",
    "engine::userns::ids",
    "engine::userns::networks",
];

/// Those in which others drive our runtime with what version 2 of cgroups has otherwise: limits,
/// their change, statistics, an end for want of memory, the freezer. A minute each, so only these.
// tidy: table
const OF_PEERS: &[&str] = &["containerd_runtime::the_whole_cycle", "podman_runtime::limits"];

/// For the engine's networks, some of which the host's kernel may lack.
// tidy: table
const NETWORK_MODULES: &[&str] = &[
    "overlay",
    "veth",
    "bridge",
    "br_netfilter",
    "nf_tables",
    "nft_chain_nat",
    "nft_masq",
    "nft_redir",
    "nft_ct",
    "nft_reject",
    "nft_fib_inet",
    "sctp",
    "ipvlan",
    "macvlan",
    "tun",
];

/// How long a trial may take in the emulated machine, which is some ten times slower, or thirty
/// where others are busy as well.
const TRIAL_SECONDS: u64 = 600;

/// The trials' files are on a disk: a tmpfs of Linux 6.1 maps no ids, and its size is memory.
const ON_DISK: &str =
    "mkdir -p /mnt && mount -t ext4 /dev/vda /mnt && chmod 1777 /mnt && exec \"$@\"";

/// A file with an empty file system, which goes when this is dropped.
struct Disk(PathBuf);

impl Disk {
    fn create() -> Result<Self> {
        let disk = Self(std::env::temp_dir().join(format!("vm-disk-{}", std::process::id())));
        // Nearly all of it is a hole.
        File::create(&disk.0).and_then(|file| file.set_len(8 << 30)).context("a disk")?;
        build::check(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&disk.0))?;
        Ok(disk)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whoever cannot remove it cannot do anything about it either.
        std::fs::remove_file(&self.0).ok();
    }
}

/// Boots a machine for these trials and adds what they found to the report.
pub(super) fn run(
    tests: &Tests,
    choice: &Choice,
    programs: &Path,
    report: &mut Report,
) -> Result<()> {
    let title = format!("{} in the machine", tests.program);
    let is_root = rustix::process::geteuid().is_root();
    if tests.plain.is_empty() && !is_root {
        report.skip(&title, "needs root, which can show the host's programs to the machine");
        return Ok(());
    }
    let filters: Vec<&str> = match (&choice.filter, is_root) {
        (Some(filter), _) => vec![filter],
        (None, true) => [tests.plain, tests.of_root].concat(),
        (None, false) => tests.plain.to_vec(),
    };
    let outcome = boot(tests.program, &filters, is_root, programs)?;
    let output = String::from_utf8_lossy(&outcome.stdout);
    let success = outcome.ending == Ending::PowerOff && outcome.status == Some(Status::Exited(0));
    if !success {
        eprintln!("the machine ended with {:?}, {:?}", outcome.ending, outcome.status);
        eprint!("{}", outcome.console);
    }
    if outcome.status.is_none() {
        // Each trial's name is on the console when it begins, and in the output when it has ended.
        let begun = outcome.console.lines().filter_map(|line| line.strip_prefix("begun: "));
        for name in begun.filter(|name| !output.contains(&format!("test {name} ... "))) {
            report.fail(&format!("{title}: {name}"), "it began, and the machine ended");
        }
    }
    report.add_harness(&title, &output, success);
    Ok(())
}

/// As root with the host's programs in sight, otherwise with nothing but busybox.
fn boot(tests: &str, filters: &[&str], is_root: bool, programs: &Path) -> Result<Outcome> {
    // No trial lasts longer than it may, so whoever is silent for longer hangs.
    let silence = Duration::from_secs(TRIAL_SECONDS + 120);
    let mut machine = Machine::new(&programs.join("vm-init"))?.cpus(2).memory(3072);
    machine = machine.silence_limit(silence).time_limit(Duration::from_secs(1800)).tee();
    if is_root {
        machine = machine.host_root();
    }
    for name in NETWORK_MODULES {
        machine = machine.module(name);
    }
    let disk = Disk::create()?;
    let busybox = Path::new("/bin/busybox");
    machine = machine.disk(&disk.0).program("/bin/busybox", busybox)?.symlink("/bin/sh", "busybox");
    let mut job = Job::new(["/bin/sh", "-c", ON_DISK, "sh"]).variable("TMPDIR", "/mnt");
    for name in PROGRAMS {
        let (with_it, path) = machine.command(&programs.join(name))?;
        machine = with_it;
        job = job.variable(format!("{}_BIN", name.to_uppercase()), path);
    }
    let (machine, tests) = machine.command(&build::trials(tests)?.join(tests))?;
    job.command.push(tests.into());
    job.command.extend(["--begun", "/dev/console", "--time-limit"].map(Into::into));
    job.command.push(TRIAL_SECONDS.to_string().into());
    job.command.extend(filters.iter().map(Into::into));
    machine.run(job)
}
