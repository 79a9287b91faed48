//! The devices that a container may use, as runc and crun allow them by default.

use core::ffi::{CStr, c_char, c_int};
use core::mem::size_of;

use super::{check_call, has_prefix, open_in, text, write_in};

/// Any node may be made; these may be used: null, zero, full, random, urandom, tty, console,
/// ptmx and the pseudo-terminals.
const ALLOWED: [&[u8]; 10] = [
    b"b *:* m",
    b"c *:* m",
    b"c 1:3 rwm",
    b"c 1:5 rwm",
    b"c 1:7 rwm",
    b"c 1:8 rwm",
    b"c 1:9 rwm",
    b"c 5:0 rwm",
    b"c 5:2 rwm",
    b"c 136:* rwm",
];

/// cgroup v1: one rule a write.
pub(crate) fn write(groups: &[*const c_char]) {
    let is_devices = |group: &&CStr| has_prefix(group, b"/sys/fs/cgroup/devices/");
    let Some(group) = groups.iter().map(text).find(is_devices) else { return };
    write_in(group, b"devices.deny", b"a");
    let allow = open_in(group, &[b"/devices.allow"], libc::O_WRONLY);
    for rule in ALLOWED {
        // SAFETY: a live slice.
        check_call("write", unsafe { libc::write(allow, rule.as_ptr().cast(), rule.len()) } as i64);
    }
    // SAFETY: opened above and used no more.
    unsafe { libc::close(allow) };
}

/// An instruction of `linux/bpf.h`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

const fn instruction(code: u8, registers: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers, offset, immediate }
}

/// `struct bpf_cgroup_dev_ctx`: kind and access, major, minor. The kind is in the low half of the
/// first word (2 is a character device), the access in the high half (1 is mknod).
const LOAD_KIND: Instruction = instruction(0x61, 0x12, 0, 0);
const LOAD_ACCESS: Instruction = instruction(0x61, 0x13, 0, 0);
const LOAD_MAJOR: Instruction = instruction(0x61, 0x14, 4, 0);
const LOAD_MINOR: Instruction = instruction(0x61, 0x15, 8, 0);
const KEEP_KIND: Instruction = instruction(0x54, 2, 0, 0xffff);
const KEEP_ACCESS: Instruction = instruction(0x74, 3, 0, 16);
const ALLOW: Instruction = instruction(0xb7, 0, 0, 1);
const REFUSE: Instruction = instruction(0xb7, 0, 0, 0);
const RETURN: Instruction = instruction(0x95, 0, 0, 0);

const fn unless_equal(register: u8, value: i32, skip: i16) -> Instruction {
    instruction(0x55, register, skip, value)
}

const CHARACTER: i32 = 2;
const MKNOD: i32 = 1;

/// The same rules as [`ALLOWED`].
static PROGRAM: [Instruction; 46] = {
    let mut program = [REFUSE; 46];
    let start = [LOAD_KIND, LOAD_ACCESS, LOAD_MAJOR, LOAD_MINOR, KEEP_KIND, KEEP_ACCESS];
    let mut at = 0;
    while at < start.len() {
        program[at] = start[at];
        at += 1;
    }
    program[at] = unless_equal(3, MKNOD, 2);
    program[at + 1] = ALLOW;
    program[at + 2] = RETURN;
    program[at + 3] = unless_equal(2, CHARACTER, 29 + 4);
    program[at + 4] = unless_equal(4, 136, 2);
    program[at + 5] = ALLOW;
    program[at + 6] = RETURN;
    at += 7;
    let devices = [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)];
    let mut device = 0;
    while device < devices.len() {
        program[at] = unless_equal(4, devices[device].0, 3);
        program[at + 1] = unless_equal(5, devices[device].1, 2);
        program[at + 2] = ALLOW;
        program[at + 3] = RETURN;
        at += 4;
        device += 1;
    }
    program[44] = REFUSE;
    program[45] = RETURN;
    program
};

/// cgroup v2: a program attached to the group.
pub(crate) fn attach(group: &CStr) {
    const PROG_LOAD: c_int = 5;
    const PROG_ATTACH: c_int = 8;
    const TYPE_CGROUP_DEVICE: u32 = 15;
    const ATTACH_CGROUP_DEVICE: u32 = 6;
    // The heads of the parts of `union bpf_attr` for the two commands.
    #[repr(C)]
    struct Load {
        kind: u32,
        count: u32,
        program: u64,
        licence: u64,
    }
    #[repr(C)]
    struct Attach {
        target: c_int,
        program: c_int,
        kind: u32,
        flags: u32,
    }
    let load = Load {
        kind: TYPE_CGROUP_DEVICE,
        count: PROGRAM.len() as u32,
        program: (&raw const PROGRAM).addr() as u64,
        licence: c"Dual MIT/GPL".as_ptr().addr() as u64,
    };
    let (size, folder) = (size_of::<Load>(), open_in(group, &[], libc::O_RDONLY));
    // SAFETY: the attributes and the program are live and have the kernel's layout.
    let program = check_call("bpf", unsafe {
        libc::syscall(libc::SYS_bpf, PROG_LOAD, &raw const load, size)
    });
    let attach = Attach { target: folder, program, kind: ATTACH_CGROUP_DEVICE, flags: 0 };
    let size = size_of::<Attach>();
    // SAFETY: as above.
    let result = unsafe { libc::syscall(libc::SYS_bpf, PROG_ATTACH, &raw const attach, size) };
    check_call("bpf", result);
    // SAFETY: both were opened here and are used no more.
    unsafe { (libc::close(program), libc::close(folder)) };
}
