//! The filter of a container for which nothing else is said: [`default_seccomp`].
// tidy: table

use super::{
    Architecture, ArgumentRule, Operator, Seccomp, SeccompAction, SeccompFlag, SyscallRule,
};

/// The filter that a container gets by default, for a bounding set of capabilities.
///
/// It lets a program do everything that concerns itself, its files, its sockets and its processes.
/// It keeps back what reaches beyond the container, what the kernel's own check of capabilities is
/// the only guard of, and what hardly anybody needs but has a long history of holes:
///
/// - What belongs to a capability that the container lacks fails with `EPERM`, as it would without
///   a filter.
/// - What no container is offered, such as io_uring and keyrings, fails with `ENOSYS`, as in a kernel
///   without it. So do calls that are newer than this list: programs have a way to do without.
/// - Socket families that are not listed fail with `EAFNOSUPPORT`, as in a kernel without them. The
///   call through which old 32-bit programs make sockets, whose arguments a filter cannot see, is
///   refused for this reason.
/// - `clone` and `unshare` work, but make no namespaces. The flags of `clone3` cannot be seen: it
///   does not exist, and libraries fall back to `clone`.
///
/// Numbers of x32 are refused by killing: nothing uses them.
#[must_use]
pub fn default_seccomp(bounding: &[impl AsRef<str>]) -> Seccomp<'static> {
    let has = |name: &str| bounding.iter().any(|it| it.as_ref() == name);
    let administers = has("CAP_SYS_ADMIN");
    let mut syscalls = vec![allow(OWN), allow(FILES), allow(SOCKETS), allow(PROCESSES)];
    for (capability, calls) in BY_CAPABILITY {
        let granted = administers && SHARES_OF_ADMIN.contains(capability) || has(capability);
        syscalls.push(if granted { allow(calls) } else { refuse(calls, EPERM) });
    }
    if administers {
        syscalls.push(allow(&["clone", "clone3", "unshare"]));
    } else {
        let none_of = |mask| masked(0, mask, 0);
        syscalls.push(allow_when(&["clone"], none_of(NAMESPACES)));
        syscalls.push(allow_when(&["unshare"], none_of(NAMESPACES | NEW_TIME)));
    }
    syscalls.extend(personalities());
    if has("CAP_NET_ADMIN") {
        syscalls.push(allow(&["socket", "socketcall"]));
    } else {
        syscalls.extend(socket_families());
    }
    Seccomp {
        default_action: SeccompAction::Errno,
        default_errno_ret: Some(ENOSYS),
        architectures: architectures(),
        // What a filter does to branch prediction is no matter of policy: as without a filter.
        flags: Some(vec![SeccompFlag::SpecAllow]),
        syscalls,
        listener_path: "".into(),
        listener_metadata: "".into(),
    }
}

const EPERM: u16 = 1;
const ENOSYS: u16 = 38;
const EAFNOSUPPORT: u16 = 97;

/// `CLONE_NEWNS`, `NEWCGROUP`, `NEWUTS`, `NEWIPC`, `NEWUSER`, `NEWPID`, `NEWNET`.
const NAMESPACES: u64 = 0x7e02_0000;
/// `CLONE_NEWTIME`; to clone(2), this bit is part of a signal's number.
const NEW_TIME: u64 = 0x80;

/// The lower half of an argument: the kernel looks at no more of an `int`.
const INT: u64 = 0xffff_ffff;

/// Every program: its memory, its clocks and timers, its signals, waiting, and limiting itself.
#[rustfmt::skip]
const OWN: &[&str] = &[
    "adjtimex", "alarm", "arch_prctl", "brk", "cachestat", "capget", "capset",
    "clock_adjtime", "clock_adjtime64", "clock_getres", "clock_getres_time64", "clock_gettime",
    "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "exit", "exit_group",
    "futex", "futex_requeue", "futex_time64", "futex_wait", "futex_waitv", "futex_wake",
    "get_mempolicy", "get_robust_list", "get_thread_area", "getcpu", "getegid", "getegid32",
    "geteuid", "geteuid32", "getgid", "getgid32", "getgroups", "getgroups32", "getitimer",
    "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getrandom", "getresgid",
    "getresgid32", "getresuid", "getresuid32", "getrlimit", "getrusage", "getsid", "gettid",
    "gettimeofday", "getuid", "getuid32", "landlock_add_rule", "landlock_create_ruleset",
    "landlock_restrict_self", "lsm_get_self_attr", "lsm_list_modules", "lsm_set_self_attr",
    "madvise", "map_shadow_stack", "mbind", "membarrier", "memfd_create", "memfd_secret",
    "mincore", "mlock", "mlock2", "mlockall", "mmap", "mmap2", "mprotect", "mremap", "mseal",
    "msync", "munlock", "munlockall", "munmap", "nanosleep", "nice", "pause", "pkey_alloc",
    "pkey_free", "pkey_mprotect", "prctl", "prlimit64", "remap_file_pages", "restart_syscall",
    "rseq", "rseq_slice_yield", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
    "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
    "rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sched_get_priority_max",
    "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
    "sched_getscheduler", "sched_rr_get_interval", "sched_rr_get_interval_time64",
    "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield",
    "seccomp", "set_mempolicy", "set_mempolicy_home_node", "set_robust_list", "set_thread_area",
    "set_tid_address", "setfsgid", "setfsgid32", "setfsuid", "setfsuid32", "setgid", "setgid32",
    "setgroups", "setgroups32", "setitimer", "setpriority", "setregid", "setregid32",
    "setresgid", "setresgid32", "setresuid", "setresuid32", "setreuid", "setreuid32",
    "setrlimit", "setuid", "setuid32", "sgetmask", "sigaction", "sigaltstack", "signal",
    "sigpending", "sigprocmask", "sigreturn", "sigsuspend", "ssetmask", "sysinfo", "time",
    "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64",
    "timer_settime", "timer_settime64", "times", "ugetrlimit", "umask", "uname",
    // Made by the kernel in a program that is being traced by another.
    "uprobe", "uretprobe",
    // 32-bit Arm.
    "breakpoint", "cacheflush", "get_tls", "set_tls",
];

/// Files, and everything that is a descriptor without reaching over the network.
#[rustfmt::skip]
const FILES: &[&str] = &[
    "_llseek", "_newselect", "access", "arm_fadvise64_64", "arm_sync_file_range", "chdir",
    "chmod", "chown", "chown32", "close", "close_range", "copy_file_range", "creat", "dup",
    "dup2", "dup3", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old",
    "epoll_pwait", "epoll_pwait2", "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2",
    "faccessat", "faccessat2", "fadvise64", "fadvise64_64", "fallocate", "fanotify_mark",
    "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchown32", "fchownat", "fcntl",
    "fcntl64", "fdatasync", "fgetxattr", "file_getattr", "file_setattr", "flistxattr", "flock",
    "fremovexattr", "fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64",
    "fsync", "ftruncate", "ftruncate64", "futimesat", "getcwd", "getdents", "getdents64",
    "getxattr", "getxattrat", "inotify_add_watch", "inotify_init", "inotify_init1",
    "inotify_rm_watch", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents",
    "io_pgetevents_time64", "io_setup", "io_submit", "ioctl", "ioprio_get", "ioprio_set",
    "lchown", "lchown32", "lgetxattr", "link", "linkat", "listmount", "listxattr",
    "listxattrat", "llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat", "lstat64",
    "mkdir", "mkdirat", "mknod", "mknodat", "mq_getsetattr", "mq_notify", "mq_open",
    "mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend", "mq_timedsend_time64",
    "mq_unlink", "name_to_handle_at", "newfstatat", "open", "openat", "openat2", "pipe",
    "pipe2", "poll", "ppoll", "ppoll_time64", "pread64", "preadv", "preadv2", "pselect6",
    "pselect6_time64", "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlink",
    "readlinkat", "readv", "removexattr", "removexattrat", "rename", "renameat", "renameat2",
    "rmdir", "select", "sendfile", "sendfile64", "setxattr", "setxattrat", "signalfd",
    "signalfd4", "splice", "stat", "stat64", "statfs", "statfs64", "statmount", "statx",
    "symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "tee", "timerfd_create",
    "timerfd_gettime", "timerfd_gettime64", "timerfd_settime", "timerfd_settime64", "truncate",
    "truncate64", "unlink", "unlinkat", "utime", "utimensat", "utimensat_time64", "utimes",
    "vmsplice", "write", "writev",
];

/// Sockets once they are there, and System V IPC. `socket` itself depends on its family.
#[rustfmt::skip]
const SOCKETS: &[&str] = &[
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "ipc",
    "listen", "msgctl", "msgget", "msgrcv", "msgsnd", "recv", "recvfrom", "recvmmsg",
    "recvmmsg_time64", "recvmsg", "semctl", "semget", "semop", "semtimedop",
    "semtimedop_time64", "send", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shmat",
    "shmctl", "shmdt", "shmget", "shutdown", "socketpair",
];

/// Starting, watching, tracing and ending processes. The kernel lets a process trace those that
/// it could be itself, and since Linux 4.8 no tracer gets around a filter.
#[rustfmt::skip]
const PROCESSES: &[&str] = &[
    "execve", "execveat", "fork", "kill", "pidfd_getfd", "pidfd_open", "pidfd_send_signal",
    "process_madvise", "process_mrelease", "process_vm_readv", "process_vm_writev", "ptrace",
    "setpgid", "setsid", "tgkill", "tkill", "vfork", "wait4", "waitid", "waitpid",
];

/// What is of use only with a capability.
#[rustfmt::skip]
const BY_CAPABILITY: &[(&str, &[&str])] = &[
    (
        // The tree of mounts, namespaces, names of the machine, quotas, watching a whole mount.
        "CAP_SYS_ADMIN",
        &[
            "fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick", "listns",
            "lookup_dcookie", "mount", "mount_setattr", "move_mount", "open_tree",
            "open_tree_attr", "pivot_root", "quotactl", "quotactl_fd", "setdomainname",
            "sethostname", "setns", "swapoff", "swapon", "umount", "umount2",
        ],
    ),
    ("CAP_BPF", &["bpf"]),
    ("CAP_PERFMON", &["perf_event_open"]),
    ("CAP_SYSLOG", &["syslog"]),
    ("CAP_DAC_READ_SEARCH", &["open_by_handle_at"]),
    ("CAP_SYS_BOOT", &["kexec_file_load", "kexec_load", "reboot"]),
    ("CAP_SYS_CHROOT", &["chroot"]),
    ("CAP_SYS_MODULE", &["delete_module", "finit_module", "init_module"]),
    ("CAP_SYS_NICE", &["migrate_pages", "move_pages"]),
    ("CAP_SYS_PACCT", &["acct"]),
    ("CAP_SYS_PTRACE", &["kcmp", "userfaultfd"]),
    ("CAP_SYS_RAWIO", &["ioperm", "iopl"]),
    ("CAP_SYS_TIME", &["clock_settime", "clock_settime64", "settimeofday", "stime"]),
    ("CAP_SYS_TTY_CONFIG", &["vhangup"]),
];

/// Capabilities that were split off from CAP_SYS_ADMIN, which the kernel still takes for them.
const SHARES_OF_ADMIN: &[&str] = &["CAP_BPF", "CAP_PERFMON", "CAP_SYSLOG"];

/// The execution domains of Linux itself, 32-bit or with an old version number, and without
/// address space randomization, as debuggers and builds of old software ask for. The others turn
/// off protections or are code that nobody looks at.
fn personalities() -> [SyscallRule<'static>; 2] {
    /// `PER_LINUX32`, `UNAME26`, `ADDR_NO_RANDOMIZE`.
    const HARMLESS: u64 = 0x8 | 0x2_0000 | 0x4_0000;
    /// Only asks.
    const QUERY: u64 = INT;
    let names = &["personality"];
    [allow_when(names, masked(0, INT & !HARMLESS, 0)), allow_when(names, masked(0, INT, QUERY))]
}

/// Which families of sockets can be made. Each other one is a door to code that few have looked
/// at and that the kernel loads on demand, or, as `AF_VSOCK` and `AF_ALG`, leads past what
/// isolates the container.
fn socket_families() -> Vec<SyscallRule<'static>> {
    /// `AF_UNSPEC`, which the kernel refuses, `AF_UNIX`, `AF_INET`, `AF_INET6`, `AF_NETLINK`,
    /// `AF_PACKET` (for which the kernel wants CAP_NET_RAW).
    const OFFERED: [u64; 6] = [0, 1, 2, 10, 16, 17];
    const LAST: u64 = 17;
    let names = &["socket"];
    let mut rules: Vec<_> = (0..=LAST)
        .map(|family| {
            let when = masked(0, INT, family);
            if OFFERED.contains(&family) {
                allow_when(names, when)
            } else {
                SyscallRule { args: vec![when], ..refuse(names, EAFNOSUPPORT) }
            }
        })
        .collect();
    let beyond = argument(0, Operator::Greater, LAST, 0);
    rules.push(SyscallRule { args: vec![beyond], ..refuse(names, EAFNOSUPPORT) });
    rules.push(refuse(&["socketcall"], EPERM));
    rules
}

/// The machine's own architecture, and its 32-bit companion.
fn architectures() -> Vec<Architecture> {
    if cfg!(target_arch = "aarch64") {
        vec![Architecture::Aarch64, Architecture::Arm]
    } else {
        vec![Architecture::X86_64, Architecture::X86]
    }
}

fn rule(names: &[&'static str], action: SeccompAction) -> SyscallRule<'static> {
    let names = names.iter().map(|name| (*name).into()).collect();
    SyscallRule { names, action, errno_ret: None, args: Vec::new() }
}

fn allow(names: &[&'static str]) -> SyscallRule<'static> {
    rule(names, SeccompAction::Allow)
}

fn allow_when(names: &[&'static str], when: ArgumentRule) -> SyscallRule<'static> {
    SyscallRule { args: vec![when], ..allow(names) }
}

fn refuse(names: &[&'static str], errno: u16) -> SyscallRule<'static> {
    SyscallRule { errno_ret: Some(errno), ..rule(names, SeccompAction::Errno) }
}

/// The argument, but for the bits outside the mask, is this value.
fn masked(index: u32, mask: u64, value: u64) -> ArgumentRule {
    argument(index, Operator::MaskedEqual, mask, value)
}

fn argument(index: u32, operator: Operator, value: u64, value_two: u64) -> ArgumentRule {
    ArgumentRule { index, value, value_two, operator }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    const NONE: &[&str] = &[];

    fn action(profile: &Seccomp<'_>, name: &str) -> Option<(SeccompAction, Option<u16>)> {
        let about = |rule: &&SyscallRule<'_>| rule.names.iter().any(|it| it == name);
        let mut rules = profile.syscalls.iter().filter(about);
        let rule = rules.next()?;
        assert!(rule.args.is_empty() && rules.next().is_none(), "{name}");
        Some((rule.action, rule.errno_ret))
    }

    #[test]
    fn capabilities_open_what_belongs_to_them() {
        let refused = Some((SeccompAction::Errno, Some(EPERM)));
        let allowed = Some((SeccompAction::Allow, None));
        let without = default_seccomp(NONE);
        for (capability, calls) in BY_CAPABILITY {
            let with = default_seccomp(&[capability]);
            for call in *calls {
                assert_eq!(action(&without, call), refused, "{call}");
                assert_eq!(action(&with, call), allowed, "{call}");
            }
        }
        assert_eq!(action(&default_seccomp(&["CAP_SYS_ADMIN"]), "bpf"), allowed);
        assert_eq!(action(&default_seccomp(&["CAP_BPF"]), "mount"), refused);
        assert_eq!(action(&default_seccomp(&["CAP_SYS_ADMIN"]), "clone3"), allowed);
        assert_eq!(action(&without, "clone3"), None);
        assert_eq!(action(&without, "io_uring_setup"), None);
    }

    #[test]
    fn every_call_has_one_place() {
        let everything = default_seccomp(NONE);
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (place, rule) in everything.syscalls.iter().enumerate() {
            for name in &rule.names {
                let first = *places.entry(name).or_insert(place);
                // What depends on its arguments has several rules, all of them with conditions.
                let conditional = |place: usize| !everything.syscalls[place].args.is_empty();
                assert!(first == place || conditional(first) && conditional(place), "{name}");
            }
        }
    }

    #[test]
    fn names_are_sorted_so_that_they_are_found() {
        for names in [FILES, SOCKETS, PROCESSES] {
            assert!(names.is_sorted());
        }
    }
}
