//! The container's first process, from the clone to its program.

use core::ffi::CStr;
use core::mem::zeroed;
use core::ptr::null;

use libc::{
    MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC, MS_RELATIME,
    MS_REMOUNT, MS_SLAVE, MS_STRICTATIME,
};

use super::{Plan, check, check_call, fail, mount, text, try_mount, write_in};

const NAMELESS: &CStr = c"";

pub(crate) fn run(plan: &Plan) -> ! {
    if plan.version == 1 {
        for group in plan.groups.iter().map(text) {
            write_in(group, b"tasks", b"0");
        }
    }
    // SAFETY: no memory is involved.
    check("unshare", unsafe { libc::unshare(libc::CLONE_NEWCGROUP) });
    mount(None, c"/", None, MS_REC | MS_SLAVE, NAMELESS);
    mount(Some(plan.rootfs), plan.rootfs, None, MS_BIND | MS_REC, NAMELESS);
    mount(None, plan.rootfs, None, MS_PRIVATE, NAMELESS);
    // SAFETY: a C string.
    check("chdir", unsafe { libc::chdir(plan.rootfs.as_ptr()) });
    mount_all(plan);
    devices();
    protect();
    pivot();
    network_and_name();
    rights();
    execute()
}

fn mount_all(plan: &Plan) {
    let safe = MS_NOSUID | MS_NOEXEC | MS_NODEV;
    mount(Some(c"proc"), c"proc", Some(c"proc"), 0, NAMELESS);
    let data = c"mode=755,size=65536k";
    mount(Some(c"tmpfs"), c"dev", Some(c"tmpfs"), MS_NOSUID | MS_STRICTATIME, data);
    for folder in [c"dev/pts", c"dev/shm", c"dev/mqueue"] {
        make_folder(folder);
    }
    let data = c"newinstance,ptmxmode=0666,mode=0620,gid=5";
    mount(Some(c"devpts"), c"dev/pts", Some(c"devpts"), MS_NOSUID | MS_NOEXEC, data);
    mount(Some(c"shm"), c"dev/shm", Some(c"tmpfs"), safe, c"mode=1777,size=65536k");
    mount(Some(c"mqueue"), c"dev/mqueue", Some(c"mqueue"), safe, NAMELESS);
    mount(Some(c"sysfs"), c"sys", Some(c"sysfs"), safe | MS_RDONLY, NAMELESS);
    let flags = safe | MS_RELATIME;
    if plan.version == 2 {
        let kind = Some(c"cgroup2");
        return mount(Some(c"cgroup"), c"sys/fs/cgroup", kind, flags | MS_RDONLY, NAMELESS);
    }
    mount(Some(c"tmpfs"), c"sys/fs/cgroup", Some(c"tmpfs"), flags, c"mode=755");
    for group in plan.groups.iter().map(text) {
        mount_hierarchy(group, flags | MS_RDONLY);
    }
    let read_only = MS_REMOUNT | MS_BIND | flags | MS_RDONLY;
    mount(None, c"sys/fs/cgroup", None, read_only, NAMELESS);
}

/// `/sys/fs/cgroup/NAME/GROUP` becomes `sys/fs/cgroup/NAME`, seen from the cgroup namespace.
fn mount_hierarchy(group: &CStr, flags: u64) {
    const PREFIX: &[u8] = b"/sys/fs/cgroup/";
    let bytes = &group.to_bytes()[PREFIX.len()..];
    let name = &bytes[..bytes.iter().position(|byte| *byte == b'/').unwrap_or(bytes.len())];
    let (mut target, mut options) = ([0_u8; 64], [0_u8; 64]);
    target[..PREFIX.len() - 1].copy_from_slice(&PREFIX[1..]);
    target[PREFIX.len() - 1..PREFIX.len() - 1 + name.len()].copy_from_slice(name);
    let named = if name == b"systemd" { &b"name="[..] } else { b"" };
    options[..named.len()].copy_from_slice(named);
    options[named.len()..named.len() + name.len()].copy_from_slice(name);
    let terminated = |bytes| CStr::from_bytes_until_nul(bytes).unwrap_or(NAMELESS);
    let (target, options) = (terminated(&target), terminated(&options));
    make_folder(target);
    mount(Some(c"cgroup"), target, Some(c"cgroup"), flags, options);
}

fn make_folder(path: &CStr) {
    // SAFETY: a C string.
    check("mkdir", unsafe { libc::mkdir(path.as_ptr(), 0o755) });
}

fn devices() {
    let nodes = [
        (c"dev/null", 1, 3),
        (c"dev/zero", 1, 5),
        (c"dev/full", 1, 7),
        (c"dev/random", 1, 8),
        (c"dev/urandom", 1, 9),
        (c"dev/tty", 5, 0),
    ];
    for (path, major, minor) in nodes {
        let device = libc::makedev(major, minor);
        // SAFETY: a C string.
        let result = unsafe { libc::mknod(path.as_ptr(), libc::S_IFCHR | 0o666, device) };
        check("mknod", result);
    }
    let links = [
        (c"/proc/self/fd", c"dev/fd"),
        (c"/proc/self/fd/0", c"dev/stdin"),
        (c"/proc/self/fd/1", c"dev/stdout"),
        (c"/proc/self/fd/2", c"dev/stderr"),
        (c"pts/ptmx", c"dev/ptmx"),
    ];
    for (target, path) in links {
        // SAFETY: C strings.
        check("symlink", unsafe { libc::symlink(target.as_ptr(), path.as_ptr()) });
    }
}

/// The read-only and the masked paths, as far as this kernel has them.
fn protect() {
    let read_only = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_REC;
    for path in [c"proc/bus", c"proc/fs", c"proc/irq", c"proc/sys", c"proc/sysrq-trigger"] {
        if try_mount(Some(path), path, None, MS_BIND | MS_REC, NAMELESS) == 0 {
            mount(None, path, None, read_only, NAMELESS);
        }
    }
    let masked = [
        c"proc/acpi",
        c"proc/asound",
        c"proc/kcore",
        c"proc/keys",
        c"proc/latency_stats",
        c"proc/timer_list",
        c"proc/timer_stats",
        c"proc/sched_debug",
        c"sys/firmware",
        c"proc/scsi",
    ];
    for path in masked {
        if try_mount(Some(c"dev/null"), path, None, MS_BIND, NAMELESS) != 0 {
            // A folder, or nothing.
            try_mount(Some(c"tmpfs"), path, Some(c"tmpfs"), MS_RDONLY, NAMELESS);
        }
    }
    let read_only = MS_BIND | MS_REMOUNT | MS_RDONLY;
    mount(None, c".", None, read_only, NAMELESS);
}

fn pivot() {
    let here = c".".as_ptr();
    // SAFETY: C strings.
    unsafe {
        check_call("pivot_root", libc::syscall(libc::SYS_pivot_root, here, here));
        check("umount2", libc::umount2(here, libc::MNT_DETACH));
        check("chdir", libc::chdir(c"/".as_ptr()));
    }
}

/// Brings the loopback device up, as runc and crun do in a new namespace, and sets the name.
fn network_and_name() {
    // SAFETY: plain data, for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { zeroed() };
    request.ifr_name[0] = b'l'.cast_signed();
    request.ifr_name[1] = b'o'.cast_signed();
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    // SAFETY: `request` is a live local of the kernel's layout; the socket was opened here.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        check("socket", socket);
        check("ioctl", libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw const request));
        libc::close(socket);
    }
    let name = b"bare";
    // SAFETY: a live slice.
    check("sethostname", unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) });
}

/// Limits, capabilities, user, keyring.
fn rights() {
    const AUDIT_WRITE: u32 = 29;
    const KILL: u32 = 5;
    const NET_BIND_SERVICE: u32 = 10;
    const LAST: u32 = 40;
    const KEPT: [u32; 3] = [AUDIT_WRITE, KILL, NET_BIND_SERVICE];
    let limit = libc::rlimit { rlim_cur: 1024, rlim_max: 1024 };
    // SAFETY: only numbers and a live local are handed over.
    unsafe {
        check("setrlimit", libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit));
        // KEYCTL_JOIN_SESSION_KEYRING, nameless.
        check_call("keyctl", libc::syscall(libc::SYS_keyctl, 1, null::<u8>()));
        for capability in (0..=LAST).filter(|it| !KEPT.contains(it)) {
            check("prctl", libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0));
        }
        check_call("setgroups", libc::syscall(libc::SYS_setgroups, 0, null::<u32>()));
        check_call("setresgid", libc::syscall(libc::SYS_setresgid, 0, 0, 0));
        check_call("setresuid", libc::syscall(libc::SYS_setresuid, 0, 0, 0));
        check("prctl", libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    }
    let kept = KEPT.iter().fold(0, |mask, capability| mask | 1_u32 << capability);
    // `struct __user_cap_header_struct` (version 3) and two of `struct __user_cap_data_struct`:
    // effective, permitted, inheritable.
    let (header, sets) = ([0x2008_0522_u32, 0], [kept, kept, kept, 0, 0, 0]);
    // SAFETY: both are live locals of the kernel's layout.
    unsafe {
        check_call("capset", libc::syscall(libc::SYS_capset, &raw const header, &raw const sets));
        for capability in KEPT {
            let raise = libc::PR_CAP_AMBIENT_RAISE;
            check("prctl", libc::prctl(libc::PR_CAP_AMBIENT, raise, capability, 0, 0));
        }
    }
}

fn execute() -> ! {
    let (program, variable) = (c"/bin/true", c"PATH=/usr/sbin:/usr/bin:/sbin:/bin");
    let arguments = [program.as_ptr(), null()];
    let environment = [variable.as_ptr(), null()];
    let flag = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: C strings, and arrays of them that end with a null pointer; close_range only marks.
    unsafe {
        check_call("close_range", libc::syscall(libc::SYS_close_range, 3, u32::MAX, flag));
        libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr());
    }
    fail("execve")
}
