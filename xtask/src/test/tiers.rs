//! The tiers: what each needs and how it is run.

use super::report::Report;
use crate::{build, fuzz};
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use vm::{Ending, Job, Machine, Outcome, Status};

/// What the user chose to run within the tiers.
pub(super) struct Choice {
    pub(super) filter: Option<String>,
    pub(super) fuzz_seconds: u64,
}

/// A kind of tests.
pub(super) struct Tier {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Debian's names.
    pub(super) packages: &'static [&'static str],
    /// Whether it is of no use without them; otherwise each test looks for itself.
    pub(super) needs_packages: bool,
    /// Whether it runs beside the one before it: that one keeps only one processor busy, and it
    /// only computes.
    pub(super) beside: bool,
    pub(super) run: fn(&Choice, &mut Report) -> Result<()>,
}

/// From the fastest to the slowest.
pub(super) const TIERS: &[Tier] = &[
    Tier {
        name: "unit",
        about: "functions, in every crate",
        packages: &["gcc", "libc6-dev", "man-db", "groff-base", "python3-seccomp"],
        needs_packages: false,
        beside: false,
        run: unit,
    },
    Tier {
        name: "e2e",
        about: "our programs on this kernel",
        packages: &[
            "bind9-dnsutils",
            "busybox-static",
            "dbus",
            "dnsmasq-base",
            "firewalld",
            "fish",
            "iproute2",
            "iptables",
            "nftables",
            "nginx-light",
            "nodejs",
            "openjdk-17-jre-headless",
            "passt",
            "postgresql-15",
            "python3",
            "redis-server",
            "slirp4netns",
            "fuse-overlayfs",
            "rhino",
            "socat",
            "sqlite3",
            "systemd",
            "util-linux",
            "zsh",
        ],
        needs_packages: false,
        beside: false,
        run: e2e,
    },
    Tier {
        name: "peers",
        about: "programs of others that drive ours",
        packages: &[
            "tini",
            "dumb-init",
            "catatonit",
            "docker.io",
            "containerd",
            "podman",
            "conmon",
            "crun",
            "runc",
            "lxc",
            "busybox-static",
            "docker-registry",
            "skopeo",
            "umoci",
            "attr",
            "openssl",
            "python3",
            "iproute2",
            "iptables",
            "uidmap",
            "util-linux",
        ],
        needs_packages: false,
        beside: false,
        run: peers,
    },
    Tier {
        name: "vm",
        about: "our programs on Debian's kernel, in a virtual machine, and as its PID 1",
        packages: &[
            "apparmor",
            "qemu-system-x86",
            "qemu-system-common",
            "linux-image-cloud-amd64",
            "busybox-static",
            "criu",
            "secilc",
            "dbus",
            "iproute2",
            "iptables",
            "systemd",
            "util-linux",
            "e2fsprogs",
            "xfsprogs",
        ],
        needs_packages: true,
        beside: false,
        run: vm,
    },
    Tier {
        name: "fuzz",
        about: "parsers of untrusted input, for some seconds each",
        packages: &["g++"],
        needs_packages: true,
        beside: true,
        run: fuzz,
    },
];

fn unit(choice: &Choice, report: &mut Report) -> Result<()> {
    let mut command = build::cargo();
    command.args(["test", "--no-fail-fast", "--workspace", "--tests"]);
    // Programs full of tests that need the built programs: the other tiers.
    command.args(["--exclude", "e2e", "--exclude", "peers", "--"]).args(&choice.filter);
    let (output, success) = run(&mut command)?;
    report.add_libtest("unit", &output, success);
    Ok(())
}

/// The programs under test.
const PROGRAMS: &[&str] = &["tino", "tinyo", "tinyort"];

/// Four at a time, as most of each is waiting.
fn e2e(choice: &Choice, report: &mut Report) -> Result<()> {
    trials("e2e", "4", choice, report)
}

/// Those of others are no faster than their daemons.
fn peers(choice: &Choice, report: &mut Report) -> Result<()> {
    trials("peers", "2", choice, report)
}

fn trials(tier: &str, jobs: &str, choice: &Choice, report: &mut Report) -> Result<()> {
    let programs = build::release(PROGRAMS)?;
    let mut tests = Command::new(build::trials(tier)?.join(tier));
    tests.args(["--jobs", jobs]).args(&choice.filter);
    for program in PROGRAMS {
        tests.env(format!("{}_BIN", program.to_uppercase()), programs.join(program));
    }
    harness(tier, &mut tests, report)
}

fn vm(choice: &Choice, report: &mut Report) -> Result<()> {
    let programs = build::release(&[PROGRAMS, &["vm"]].concat())?;
    let vm_init = programs.join("vm-init");
    let mut tests = Command::new(programs.join("vm-tests"));
    // A machine takes a while to boot when two others do as well.
    tests.args(["--time-limit", "900"]).args(&choice.filter).env("VM_INIT", &vm_init);
    harness("vm", &mut tests, report)?;

    let outcome = e2e_in_machine(choice, &vm_init, &programs)?;
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
            report.fail(&format!("e2e in the machine: {name}"), "it began, and the machine ended");
        }
    }
    report.add_harness("e2e in the machine", &output, success);
    Ok(())
}

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

/// How long a trial may take in the emulated machine, which is some ten times slower.
const TRIAL_SECONDS: u64 = 300;

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

/// As root with the host's programs in sight, otherwise with nothing but busybox.
fn e2e_in_machine(choice: &Choice, vm_init: &Path, programs: &Path) -> Result<Outcome> {
    // No trial lasts longer than it may, so whoever is silent for longer hangs.
    let silence = Duration::from_secs(TRIAL_SECONDS + 120);
    let mut machine = Machine::new(vm_init)?.cpus(2).memory(3072).silence_limit(silence);
    machine = machine.time_limit(Duration::from_secs(1800)).tee();
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        machine = machine.host_root();
    }
    for name in NETWORK_MODULES {
        machine = machine.module(name);
    }
    let disk = Disk::create()?;
    let machine = machine.disk(&disk.0);
    let (machine, tino) = machine.command(&programs.join("tino"))?;
    let (machine, tinyort) = machine.command(&programs.join("tinyort"))?;
    let (machine, tinyo) = machine.command(&programs.join("tinyo"))?;
    let (machine, e2e) = machine.command(&build::trials("e2e")?.join("e2e"))?;
    let busybox = Path::new("/bin/busybox");
    let machine = machine.program("/bin/busybox", busybox)?.symlink("/bin/sh", "busybox");
    let mut job = Job::new(["/bin/sh", "-c", ON_DISK, "sh"]).variable("TMPDIR", "/mnt");
    job.command.push(e2e.into());
    job = job.variable("TINO_BIN", tino).variable("TINYORT_BIN", tinyort);
    job = job.variable("TINYO_BIN", tinyo);
    job.command.extend(["--begun", "/dev/console", "--time-limit"].map(Into::into));
    job.command.push(TRIAL_SECONDS.to_string().into());
    match &choice.filter {
        Some(filter) => job.command.push(filter.into()),
        None => {
            let of_engine = if is_root { OF_ENGINE } else { &[] };
            job.command.extend(IN_MACHINE.iter().chain(of_engine).map(Into::into));
        }
    }
    machine.run(job)
}

fn fuzz(choice: &Choice, report: &mut Report) -> Result<()> {
    let mut targets = fuzz::targets()?;
    targets.retain(|target| target.contains(choice.filter.as_deref().unwrap_or_default()));
    for (target, result) in fuzz::run_briefly(targets, choice.fuzz_seconds)? {
        match result {
            Ok(()) => report.pass(),
            Err(error) => report.fail(&format!("fuzz: {target}"), &format!("{error:#}")),
        }
    }
    Ok(())
}

fn harness(tier: &str, command: &mut Command, report: &mut Report) -> Result<()> {
    let (output, success) = run(command)?;
    report.add_harness(tier, &output, success);
    Ok(())
}

/// Runs a command, shows its output as it comes, and returns it and whether it succeeded.
fn run(command: &mut Command) -> Result<(String, bool)> {
    let name = format!("{}", command.get_program().display());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| name.clone())?;
    let mut output = String::new();
    let mut lines = BufReader::new(child.stdout.take().context("a pipe was asked for")?);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        output.push_str(&text);
        line.clear();
    }
    Ok((output, child.wait()?.success()))
}
