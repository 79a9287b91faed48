//! All that is decided about a container when it is made: what the user asked for, with what the
//! image says where he did not.

mod accounts;
mod health;
mod mounts;

pub use crate::user_namespace::{IdRange, Ids};
pub use accounts::{Accounts, HostUser};
pub use health::{Health, OnFailure, Startup};
pub(crate) use mounts::is_idmap;
pub use mounts::{FileSystem, ImageVolumes, Mount, MountKind, SecretKind, SecretUse};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A container as it is to be. It is kept in the database, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The image as the user called it.
    pub image: String,
    /// What is always run. `None`: what the image says; afterwards, what was found.
    pub entrypoint: Option<Vec<String>>,
    /// Its arguments, or the whole command.
    pub command: Vec<String>,
    /// `NAME=VALUE`, the user's own ones last.
    pub env: Vec<String>,
    /// The image's are not among them.
    pub no_image_env: bool,
    /// `NAME=VALUE` that speaks of the image's as `$NAME`, until the container is made.
    #[serde(skip)]
    pub env_merge: Vec<String>,
    /// Where the program starts; empty: what the image says.
    pub working_dir: String,
    /// `USER[:GROUP]`, names or numbers; empty: what the image says.
    pub user: String,
    /// More groups, names or numbers.
    pub group_add: Vec<String>,
    /// Who is in its `/etc/passwd` and `/etc/group` besides.
    pub accounts: Accounts,
    /// The host name; empty: the beginning of the id.
    pub hostname: String,
    /// The NIS domain name.
    pub domainname: String,
    /// Whether there is a terminal.
    pub tty: bool,
    /// Whether standard input is kept open.
    pub interactive: bool,
    /// Whether `tino` is the first process.
    pub init: bool,
    /// Anything for people and programs to find it by.
    pub labels: BTreeMap<String, String>,
    /// For the runtime.
    pub annotations: BTreeMap<String, String>,
    /// What is mounted.
    pub mounts: Vec<Mount>,
    /// What is where the image says that there are volumes.
    pub image_volumes: ImageVolumes,
    /// Secrets that it is given.
    pub secrets: Vec<SecretUse>,
    /// The root file system cannot be changed.
    pub read_only: bool,
    /// The network.
    pub network: Network,
    /// Which signal asks it to end; empty: what the image says, or TERM.
    pub stop_signal: String,
    /// Seconds until it is killed; `None`: 10.
    pub stop_timeout: Option<u32>,
    /// Seconds that it may run, whatever it does; 0: any.
    pub timeout: u32,
    /// The bits that new files do not get; `None`: the caller's.
    pub umask: Option<u32>,
    /// When it is started again.
    pub restart: Restart,
    /// How to find out whether it works.
    pub health: Option<Health>,
    /// What it may use.
    pub limits: Limits,
    /// What it may do.
    pub security: Security,
    /// What it shares with others.
    pub namespaces: Namespaces,
    /// It is removed when it ends.
    pub auto_remove: bool,
    /// How its output is kept.
    pub log: LogOptions,
    /// Where the id of its first process is written whenever it is started.
    pub pid_file: Option<PathBuf>,
    /// Where that of its monitor is written.
    pub monitor_pid_file: Option<PathBuf>,
    /// The ids of containers that are started before.
    pub requires: Vec<String>,
    /// It takes itself to be on a 32-bit machine, or not to be.
    pub personality: Option<Personality>,
    /// Device files.
    pub devices: Vec<Device>,
    /// Rules about other devices, as `c 1:3 rwm`.
    pub device_rules: Vec<String>,
}

/// How a container is connected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// `none`, `host`, `container:ID`, or the name of a network; empty: what is usual.
    pub mode: String,
    /// Other names by which those on the same network find it.
    pub aliases: Vec<String>,
    /// Published ports, `[HOST:][PORT:]PORT[/PROTOCOL]`.
    pub ports: Vec<String>,
    /// All ports that it says it listens on are published, too.
    pub publish_all: bool,
    /// Its addresses, if they are not to be chosen.
    pub addresses: Vec<String>,
    /// Its Ethernet address.
    pub mac: Option<String>,
    /// What its device there is called; empty: `ethN`.
    pub device: String,
    /// More networks that it is in from the start.
    pub more: Vec<Endpoint>,
    /// Ports that it says it listens on, `PORT/PROTOCOL`.
    pub exposed: Vec<String>,
    /// Servers for names.
    pub dns: Vec<String>,
    /// Domains in which short names are looked for.
    pub dns_search: Vec<String>,
    /// Options of resolv.conf(5).
    pub dns_options: Vec<String>,
    /// Lines of its `/etc/hosts`, `NAME:ADDRESS`.
    pub hosts: Vec<String>,
    /// More containers that it finds by names of its own, `CONTAINER:ALIAS`.
    pub links: Vec<String>,
    /// What its `/etc/hosts` begins with.
    pub base_hosts: BaseHosts,
    /// `/etc/hosts` is the image's.
    pub no_hosts: bool,
    /// `/etc/hostname` is the image's.
    pub no_hostname: bool,
}

impl Network {
    /// How it is connected to the first of its networks, and to the others.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let first = Endpoint {
            network: self.mode.clone(),
            aliases: self.aliases.clone(),
            addresses: self.addresses.clone(),
            mac: self.mac.clone(),
            device: self.device.clone(),
        };
        std::iter::once(first).chain(self.more.iter().cloned()).collect()
    }
}

/// How a container is connected to one network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    /// The name of the network.
    pub network: String,
    /// Other names by which those on the same network find it.
    pub aliases: Vec<String>,
    /// Its addresses, if they are not to be chosen.
    pub addresses: Vec<String>,
    /// Its Ethernet address.
    pub mac: Option<String>,
    /// What its device there is called; empty: `ethN`.
    pub device: String,
}

/// What `/etc/hosts` begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BaseHosts {
    /// The names of this machine itself; with its network, its own file.
    #[default]
    None,
    /// The image's file.
    Image,
    /// A file of the machine.
    File(PathBuf),
}

/// A domain of personality(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Personality {
    /// That of the kernel.
    Linux,
    /// uname(2) speaks of a 32-bit machine.
    Linux32,
}

/// When a container is started again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Restart {
    /// When.
    pub policy: RestartPolicy,
    /// How often at most; 0: always.
    pub limit: u32,
}

/// When a container is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Never.
    #[default]
    No,
    /// When it has failed.
    OnFailure,
    /// Always, and when the machine has started.
    Always,
    /// The same, unless somebody has stopped it.
    UnlessStopped,
}

impl RestartPolicy {
    /// As Docker calls it.
    pub fn name(self) -> &'static str {
        match self {
            RestartPolicy::No => "no",
            RestartPolicy::OnFailure => "on-failure",
            RestartPolicy::Always => "always",
            RestartPolicy::UnlessStopped => "unless-stopped",
        }
    }
}

/// What a container may use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes.
    pub memory: Option<i64>,
    /// Bytes of memory and swap together; -1: any.
    pub memory_swap: Option<i64>,
    /// Bytes that it keeps when memory is short.
    pub memory_reservation: Option<i64>,
    /// How readily memory is swapped.
    pub memory_swappiness: Option<u64>,
    /// It waits instead of being killed when memory is short.
    pub oom_kill_disable: bool,
    /// How likely it is killed when the machine's memory is short.
    pub oom_score_adj: Option<i32>,
    /// Billionths of a processor.
    pub nano_cpus: Option<u64>,
    /// Weight beside others.
    pub cpu_shares: Option<u64>,
    /// Microseconds.
    pub cpu_period: Option<u64>,
    /// Microseconds in each period.
    pub cpu_quota: Option<i64>,
    /// A list such as `0-3,7`.
    pub cpuset_cpus: String,
    /// A list such as `0-3,7`.
    pub cpuset_mems: String,
    /// Processes.
    pub pids: Option<i64>,
    /// Weight beside others for disks.
    pub blkio_weight: Option<u16>,
    /// Limits for some disks: which, the path of the disk, how much a second.
    pub disks: Vec<(DiskLimit, String, u64)>,
    /// Limits of processes: name, soft, hard.
    pub ulimits: Vec<(String, u64, u64)>,
    /// Kernel parameters.
    pub sysctls: BTreeMap<String, String>,
    /// Files of the cgroup, on cgroup v2, and what is written to them.
    pub unified: BTreeMap<String, String>,
    /// Bytes of `/dev/shm`.
    pub shm_size: Option<u64>,
}

/// What is limited of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskLimit {
    /// Bytes read.
    ReadBytes,
    /// Bytes written.
    WriteBytes,
    /// Times that it is read.
    ReadTimes,
    /// Times that it is written.
    WriteTimes,
}

/// What a container may do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Security {
    /// Capabilities beyond the usual ones, `CAP_...` or `ALL`.
    pub cap_add: Vec<String>,
    /// Those that it lacks.
    pub cap_drop: Vec<String>,
    /// It may do nearly all that the machine's root may.
    pub privileged: bool,
    /// No program gives it more than it has; `None`: where that is possible.
    pub no_new_privileges: Option<bool>,
    /// The filter of system calls.
    pub seccomp: SeccompChoice,
    /// The AppArmor profile.
    pub apparmor: String,
    /// The SELinux label of processes.
    pub label: String,
    /// Nothing of `/proc` and `/sys` is hidden.
    pub unmasked: bool,
    /// What is hidden besides, in the container.
    pub mask: Vec<String>,
    /// What of that which usually is hidden or cannot be changed is as the kernel has it. A `*` at
    /// the end is anything.
    pub unmask: Vec<String>,
    /// Options of the mount of `/proc`, such as `hidepid=2`.
    pub proc_options: Vec<String>,
}

/// The filter of system calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeccompChoice {
    /// Ours.
    #[default]
    Default,
    /// None.
    Unconfined,
    /// That of this text: the section `linux.seccomp`, or Docker's form of it until the container
    /// is made.
    Profile(String),
}

/// What a container shares: empty for what is usual, `host`, `private`, `container:ID`, or for
/// IPC also `none` and `shareable`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Namespaces {
    /// Process ids.
    pub pid: String,
    /// System V IPC and `/dev/shm`.
    pub ipc: String,
    /// Host name.
    pub uts: String,
    /// User ids: `host`, `auto[:OPTIONS]`, `private` or `container:ID`.
    pub user: String,
    /// Mappings of user ids, `CONTAINER:HOST[:COUNT]`.
    pub uid_maps: Vec<String>,
    /// The same of groups.
    pub gid_maps: Vec<String>,
    /// Whose ids of subuid(5) it has.
    pub subuid_name: String,
    /// Whose of subgid(5).
    pub subgid_name: String,
    /// The ids that it has by all this; none if they are the machine's. Found when it is made.
    pub ids: Ids,
    /// The cgroup tree.
    pub cgroup: String,
    /// The cgroup above the container's.
    pub cgroup_parent: String,
}

/// How output is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogOptions {
    /// Nothing is kept.
    pub none: bool,
    /// Bytes of a file; 0: any.
    pub max_size: u64,
    /// How many files.
    pub max_files: u32,
    /// Which labels of the container belong to what it prints.
    pub labels: Vec<String>,
    /// Which of its variables do.
    pub env: Vec<String>,
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        // An endless log fills the disk some day. Docker's has no limit, and that is its best known
        // trap.
        LogOptions { none: false, max_size: 64 << 20, max_files: 2, labels: vec![], env: vec![] }
    }
}

/// A device file in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// Of the machine.
    pub source: String,
    /// In the container.
    pub target: String,
    /// Any of `r`, `w` and `m`.
    pub access: String,
}

impl Settings {
    /// The program and its arguments.
    pub fn words(&self) -> impl Iterator<Item = &String> {
        self.entrypoint.iter().flatten().chain(&self.command)
    }
}
