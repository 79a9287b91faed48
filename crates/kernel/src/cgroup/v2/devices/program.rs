//! A list of device rules as a program.
//!
//! The kernel asks with the kind and numbers of the device and everything that is wanted of it at
//! once: an `open` for reading and writing is one question. Each thing wanted is decided by the
//! last rule that mentions it. So the program goes through the rules from the last to the first.
//! What an allowing rule grants is wanted no longer; when nothing is wanted any more, the answer
//! is yes. A denying rule that mentions something still wanted makes it no.

use sys::bpf::Instruction;

use super::super::super::resources::{DeviceAccess, DeviceKind, DeviceRule};

/// The answer.
pub(super) const R0: u8 = 0;
/// The question: `struct bpf_cgroup_dev_ctx`, three 32-bit numbers.
pub(super) const R1: u8 = 1;
/// The kind.
const R2: u8 = 2;
/// What is still wanted.
const R3: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

/// `linux/bpf.h`: kinds and access, which share the first number.
pub(super) const KIND_BLOCK: i32 = 1;
pub(super) const KIND_CHARACTER: i32 = 2;
const KIND_MASK: i32 = 0xffff;
pub(super) const ACCESS_SHIFT: i32 = 16;
const ACCESS_MKNOD: i32 = 1;
const ACCESS_READ: i32 = 2;
const ACCESS_WRITE: i32 = 4;

/// `linux/bpf.h` and `linux/bpf_common.h`: load 32 bits; operations with a constant; jumps.
pub(super) const LOAD: u8 = 0x61;
pub(super) const MOVE_REGISTER: u8 = 0xbf;
pub(super) const MOVE: u8 = 0xb7;
pub(super) const AND: u8 = 0x57;
pub(super) const SHIFT_RIGHT: u8 = 0x77;
pub(super) const JUMP_IF_DIFFERENT: u8 = 0x55;
pub(super) const JUMP_IF_ANY_BIT: u8 = 0x45;
pub(super) const JUMP: u8 = 0x05;
pub(super) const EXIT: u8 = 0x95;

/// Makes the program. The list must be complete, and begins with nothing allowed.
pub(in super::super::super) fn compile(rules: &[DeviceRule]) -> Vec<Instruction> {
    let mut program = vec![
        load(R2, 0),
        operation(MOVE_REGISTER, R3 | R2 << 4, 0),
        operation(AND, R2, KIND_MASK),
        operation(SHIFT_RIGHT, R3, ACCESS_SHIFT),
        load(MAJOR, 4),
        load(MINOR, 8),
    ];
    for rule in rules.iter().rev() {
        if decides_everything(rule) {
            answer(&mut program, rule.allow);
            return program;
        }
        append(&mut program, rule);
    }
    answer(&mut program, false);
    program
}

/// The verifier of older kernels refuses what no path leads to, so nothing may follow it.
fn decides_everything(rule: &DeviceRule) -> bool {
    let DeviceRule { kind, major, minor, access, .. } = rule;
    *kind == DeviceKind::All && *access == DeviceAccess::ALL && (*major, *minor) == (None, None)
}

/// How many instructions a rule has after those that find out whether it is about the device.
const BODY: i16 = 4;

fn append(program: &mut Vec<Instruction>, rule: &DeviceRule) {
    let kind = match rule.kind {
        DeviceKind::All => None,
        DeviceKind::Block => Some(KIND_BLOCK),
        DeviceKind::Character => Some(KIND_CHARACTER),
    };
    let number = |number: Option<u32>| number.map(u32::cast_signed);
    let conditions = [(MINOR, number(rule.minor)), (MAJOR, number(rule.major)), (R2, kind)];
    let conditions =
        conditions.into_iter().filter_map(|(register, value)| Some((register, value?)));
    // The last of them skips the body, the one before it also the last, and so on.
    let skips = (BODY..).zip(conditions);
    let skips =
        skips.map(|(skip, (register, value))| jump(JUMP_IF_DIFFERENT, register, value, skip));
    let mut skips: Vec<_> = skips.collect();
    skips.reverse();
    program.append(&mut skips);

    let access = access_bits(rule.access);
    program.extend(match rule.allow {
        true => [operation(AND, R3, !access), jump(JUMP_IF_DIFFERENT, R3, 0, 2)],
        // Into the answer, or over it.
        false => [jump(JUMP_IF_ANY_BIT, R3, access, 1), jump(JUMP, 0, 0, 2)],
    });
    answer(program, rule.allow);
}

pub(super) fn access_bits(access: DeviceAccess) -> i32 {
    let bit = |on: bool, bit: i32| if on { bit } else { 0 };
    bit(access.mknod, ACCESS_MKNOD)
        | bit(access.read, ACCESS_READ)
        | bit(access.write, ACCESS_WRITE)
}

fn answer(program: &mut Vec<Instruction>, allow: bool) {
    program.push(operation(MOVE, R0, i32::from(allow)));
    program.push(operation(EXIT, 0, 0));
}

fn load(register: u8, offset: i16) -> Instruction {
    Instruction { code: LOAD, registers: register | R1 << 4, offset, immediate: 0 }
}

fn operation(code: u8, registers: u8, immediate: i32) -> Instruction {
    Instruction { code, registers, offset: 0, immediate }
}

fn jump(code: u8, register: u8, immediate: i32, offset: i16) -> Instruction {
    Instruction { code, registers: register, offset, immediate }
}

#[cfg(test)]
mod tests;
