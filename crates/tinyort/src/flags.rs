//! Every flag, once; `command.rs` says which command has which.

use crate::flag::Flag;

// Of all commands, before the command's name or after it.

/// Where the state of containers is.
pub const ROOT: Flag =
    Flag::path("root", "DIR", "where the state of containers is kept (/run/tinyort)");
/// Where records go.
pub const LOG: Flag = Flag::path("log", "FILE", "append records of errors to this file");
/// How records look.
pub const LOG_FORMAT: Flag =
    Flag::choice("log-format", &["text", "json"], "how these records look (text)");
/// Whether there are records of all that is done.
pub const DEBUG: Flag = Flag::switch("debug", "records of what is done, too");
/// The same as `--cgroup-manager systemd`, in the words of runc.
pub const SYSTEMD_CGROUP: Flag =
    Flag::switch("systemd-cgroup", "have systemd make cgroups: SLICE:PREFIX:NAME");
/// Who makes cgroups, in the words of crun.
pub const CGROUP_MANAGER: Flag = Flag::choice(
    "cgroup-manager",
    &["cgroupfs", "systemd", "disabled"],
    "who makes cgroups (cgroupfs)",
);
/// Whether cgroups may be denied to us.
pub const ROOTLESS: Flag = Flag::choice(
    "rootless",
    &["true", "false", "auto"],
    "do without cgroups that may not be made (auto)",
);
/// Who makes checkpoints.
pub const CRIU: Flag =
    Flag::path("criu", "PROGRAM", "the program of checkpoint and restore (criu)");
/// The help.
pub const HELP: Flag = Flag::switch("help", "print this help").short('h');
/// The version.
pub const VERSION: Flag = Flag::switch("version", "print the version").short('v');

// Of those that start something.

/// The bundle.
pub const BUNDLE: Flag =
    Flag::path("bundle", "DIR", "the folder with config.json (the working folder)").short('b');
/// Another configuration.
pub const CONFIG: Flag =
    Flag::path("config", "FILE", "another file than config.json of the bundle").short('f');
/// Who gets the terminal.
pub const CONSOLE_SOCKET: Flag =
    Flag::path("console-socket", "SOCKET", "send the terminal's master there");
/// Who gets a pidfd.
pub const PIDFD_SOCKET: Flag =
    Flag::path("pidfd-socket", "SOCKET", "send a pidfd of the process there");
/// Where the process id is written.
pub const PID_FILE: Flag = Flag::path("pid-file", "FILE", "write the process id there");
/// How the root is changed.
pub const NO_PIVOT: Flag =
    Flag::switch("no-pivot", "no pivot_root, for a machine that runs from an initramfs");
/// Whether the keyring of the caller stays.
pub const NO_NEW_KEYRING: Flag =
    Flag::switch("no-new-keyring", "keep the session keyring of the caller");
/// Descriptors that are passed on.
pub const PRESERVE_FDS: Flag =
    Flag::text("preserve-fds", "N", "pass on N descriptors beside stdio and $LISTEN_FDS");
/// Whether we stay.
pub const DETACH: Flag = Flag::switch("detach", "leave it running and return").short('d');
/// Whether the container stays.
pub const KEEP: Flag = Flag::switch("keep", "keep the container when it has ended");
/// Whether orphans become ours.
pub const NO_SUBREAPER: Flag =
    Flag::switch("no-subreaper", "leave the container's orphans to another process");

// Of `exec`.

/// The whole process.
pub const PROCESS: Flag =
    Flag::path("process", "FILE", "the process as config.json has it, in JSON").short('p');
/// Its working folder.
pub const CWD: Flag = Flag::text("cwd", "DIR", "working folder in the container");
/// A variable.
pub const ENV: Flag = Flag::text("env", "NAME=VALUE", "set a variable; may be repeated").short('e');
/// Whether it has a terminal.
pub const TTY: Flag = Flag::switch("tty", "give it a terminal").short('t');
/// Who it is.
pub const USER: Flag = Flag::text("user", "UID[:GID]", "user and group by number").short('u');
/// More groups.
pub const ADDITIONAL_GIDS: Flag =
    Flag::text("additional-gids", "GID", "one more group by number; may be repeated").short('g');
/// Its SELinux context.
pub const PROCESS_LABEL: Flag = Flag::text("process-label", "LABEL", "SELinux context");
/// Its AppArmor profile.
pub const APPARMOR: Flag = Flag::text("apparmor", "PROFILE", "AppArmor profile");
/// Whether it can get no more rights.
pub const NO_NEW_PRIVS: Flag =
    Flag::switch("no-new-privs", "no program gives it rights that it does not have");
/// One more capability.
pub const CAP: Flag = Flag::text("cap", "CAP", "add a capability; may be repeated").short('c');
/// A cgroup below the container's.
pub const CGROUP: Flag = Flag::text(
    "cgroup",
    "[CONTROLLER[,..]:]PATH",
    "cgroup below the container's; v1: may be repeated",
);
/// Whether it may wait.
pub const IGNORE_PAUSED: Flag =
    Flag::switch("ignore-paused", "in a paused container, too: it waits until that is resumed");

// Of `checkpoint` and `restore`.

/// Where a checkpoint is.
pub const IMAGE_PATH: Flag =
    Flag::path("image-path", "DIR", "the folder of the checkpoint (checkpoint)");
/// Where logs go.
pub const WORK_PATH: Flag =
    Flag::path("work-path", "DIR", "the folder for logs (that of the checkpoint)");
/// An earlier part of the checkpoint.
pub const PARENT_PATH: Flag =
    Flag::path("parent-path", "DIR", "folder of an earlier --pre-dump, from --image-path");
/// Only memory.
pub const PRE_DUMP: Flag = Flag::switch("pre-dump", "only memory, while it goes on; a first part");
/// It goes on.
pub const LEAVE_RUNNING: Flag = Flag::switch("leave-running", "it goes on afterwards");
/// Connections of TCP.
pub const TCP_ESTABLISHED: Flag = Flag::switch("tcp-established", "keep open TCP connections");
/// Those that are being made.
pub const TCP_SKIP_IN_FLIGHT: Flag =
    Flag::switch("tcp-skip-in-flight", "leave out TCP connections that are just being made");
/// Files without a name.
pub const LINK_REMAP: Flag =
    Flag::switch("link-remap", "files without a name get one for the time being");
/// Unix sockets.
pub const EXT_UNIX_SK: Flag =
    Flag::switch("ext-unix-sk", "unix sockets may be connected to the outside");
/// Sessions.
pub const SHELL_JOB: Flag =
    Flag::switch("shell-job", "its session or terminal may be one of the outside");
/// Locks.
pub const FILE_LOCKS: Flag = Flag::switch("file-locks", "keep locks on files");
/// Cgroups.
pub const MANAGE_CGROUPS_MODE: Flag = Flag::choice(
    "manage-cgroups-mode",
    &["soft", "full", "strict", "ignore"],
    "what becomes of limits and groups below",
);
/// A namespace without content.
pub const EMPTY_NS: Flag =
    Flag::choice("empty-ns", &["network"], "the namespace is new and empty afterwards");
/// Duplicates.
pub const AUTO_DEDUP: Flag =
    Flag::switch("auto-dedup", "take out of earlier parts what is there again");
/// A server of memory.
pub const PAGE_SERVER: Flag =
    Flag::text("page-server", "ADDRESS:PORT", "send memory there; with --lazy-pages be there");
/// Memory later on.
pub const LAZY_PAGES: Flag = Flag::switch("lazy-pages", "fetch memory when it is needed");
/// Who is told.
pub const STATUS_FD: Flag =
    Flag::text("status-fd", "FD", "write a NUL there when pages can be fetched");
/// Another label.
pub const LSM_PROFILE: Flag =
    Flag::text("lsm-profile", "TYPE:NAME", "its security label: apparmor:NAME, selinux:LABEL");
/// Another label of mounts.
pub const LSM_MOUNT_CONTEXT: Flag =
    Flag::text("lsm-mount-context", "LABEL", "the SELinux context of its mounts");

// Of the rest.

/// Whether all processes are meant.
pub const ALL: Flag = Flag::switch("all", "all of the container's processes").short('a');
/// Whether it is killed.
pub const FORCE: Flag =
    Flag::switch("force", "kill it if it runs; no error if there is none").short('f');
/// Table or JSON.
pub const FORMAT: Flag =
    Flag::choice("format", &["table", "json"], "how it looks (table)").short('f');
/// Only names.
pub const QUIET: Flag = Flag::switch("quiet", "only ids").short('q');
/// For an unprivileged user.
pub const SPEC_ROOTLESS: Flag = Flag::switch("rootless", "for an unprivileged user");
/// The time between statistics.
pub const INTERVAL: Flag = Flag::text("interval", "TIME", "between statistics: 5s, 1m30s (5s)");
/// Statistics once.
pub const STATS: Flag = Flag::switch("stats", "print statistics once and return");

// Of `update`.

/// All limits.
pub const RESOURCES: Flag =
    Flag::path("resources", "FILE", "limits in JSON, as linux.resources has them; - for stdin")
        .short('r');
/// `blockIO.weight`.
pub const BLKIO_WEIGHT: Flag = Flag::text("blkio-weight", "N", "weight for disks, 10 to 1000");
/// `cpu.period`.
pub const CPU_PERIOD: Flag = Flag::text("cpu-period", "US", "period of the quota");
/// `cpu.quota`.
pub const CPU_QUOTA: Flag =
    Flag::text("cpu-quota", "US", "processor time in a period; -1 no limit");
/// `cpu.burst`.
pub const CPU_BURST: Flag = Flag::text("cpu-burst", "US", "time to be saved up beyond the quota");
/// `cpu.shares`.
pub const CPU_SHARE: Flag = Flag::text("cpu-share", "N", "weight for processors, 2 to 262144");
/// `cpu.realtimePeriod`.
pub const CPU_RT_PERIOD: Flag = Flag::text("cpu-rt-period", "US", "period of real-time processes");
/// `cpu.realtimeRuntime`.
pub const CPU_RT_RUNTIME: Flag =
    Flag::text("cpu-rt-runtime", "US", "time of real-time processes in that period");
/// `cpu.cpus`.
pub const CPUSET_CPUS: Flag = Flag::text("cpuset-cpus", "LIST", "processors: 0-3,7");
/// `cpu.mems`.
pub const CPUSET_MEMS: Flag = Flag::text("cpuset-mems", "LIST", "memory nodes: 0-3,7");
/// `cpu.idle`.
pub const CPU_IDLE: Flag = Flag::text("cpu-idle", "0|1", "run only when nothing else wants to");
/// `memory.limit`.
pub const MEMORY: Flag = Flag::text("memory", "BYTES", "limit: 512m, 2g; -1 none");
/// `memory.reservation`.
pub const MEMORY_RESERVATION: Flag =
    Flag::text("memory-reservation", "BYTES", "what is left to it when memory is short");
/// `memory.swap`.
pub const MEMORY_SWAP: Flag =
    Flag::text("memory-swap", "BYTES", "limit of memory and swap together; -1 none");
/// What kernels before 5.16 had.
pub const KERNEL_MEMORY: Flag =
    Flag::text("kernel-memory", "BYTES", "has no effect: no kernel since 5.16 has this limit");
/// `memory.kernelTCP`.
pub const KERNEL_MEMORY_TCP: Flag =
    Flag::text("kernel-memory-tcp", "BYTES", "limit of buffers for TCP (cgroup v1); -1 none");
/// `pids.limit`.
pub const PIDS_LIMIT: Flag = Flag::text("pids-limit", "N", "limit of tasks; -1 none");
/// `intelRdt.l3CacheSchema`.
pub const L3_CACHE_SCHEMA: Flag =
    Flag::text("l3-cache-schema", "SCHEMA", "share of the L3 cache: L3:0=7f0;1=1f");
/// `intelRdt.memBwSchema`.
pub const MEM_BW_SCHEMA: Flag =
    Flag::text("mem-bw-schema", "SCHEMA", "share of memory bandwidth: MB:0=20;1=70");
