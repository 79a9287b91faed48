//! Runs a program as the kernel does, for tests.

use sys::bpf::Instruction;

use super::super::super::devices::model::Question;
use super::super::super::resources::DeviceKind;
use super::program::*;

/// The answer. It panics where a program reads what was not written, jumps back or out, or has an
/// instruction that [`compile`] does not use.
pub(in super::super::super) fn run(program: &[Instruction], question: Question) -> bool {
    let kind = if question.kind == DeviceKind::Block { KIND_BLOCK } else { KIND_CHARACTER };
    let first = access_bits(question.access) << ACCESS_SHIFT | kind;
    let context = [first.cast_unsigned(), question.major, question.minor];
    let mut registers = [None; 11];
    let mut next = 0;
    loop {
        let Instruction { code, registers: both, offset, immediate } = program[next];
        let (to, from) = (usize::from(both & 15), usize::from(both >> 4));
        let constant = i64::from(immediate).cast_unsigned();
        let value = |register: usize| registers[register].expect("read before written");
        let offset = usize::try_from(offset).expect("a jump back");
        next += 1;
        match code {
            LOAD => {
                assert_eq!(from, usize::from(R1), "loads from the question");
                registers[to] = Some(u64::from(context[offset / 4]));
            }
            MOVE_REGISTER => registers[to] = Some(value(from)),
            MOVE => registers[to] = Some(constant),
            AND => registers[to] = Some(value(to) & constant),
            SHIFT_RIGHT => registers[to] = Some(value(to) >> constant),
            JUMP => next += offset,
            JUMP_IF_DIFFERENT if value(to) != constant => next += offset,
            JUMP_IF_ANY_BIT if value(to) & constant != 0 => next += offset,
            JUMP_IF_DIFFERENT | JUMP_IF_ANY_BIT => {}
            EXIT => return value(usize::from(R0)) == 1,
            other => panic!("no such instruction: {other:#x}"),
        }
    }
}
