//! Runs programs in an interpreter, and compares their answers with what the list says.

use super::super::super::super::devices::{ALWAYS, complete};
use super::*;

/// Somebody asks for a device.
#[derive(Clone, Copy, Debug)]
struct Question {
    kind: DeviceKind,
    major: u32,
    minor: u32,
    access: DeviceAccess,
}

/// What the kernel does, for the few instructions that occur. It panics where a program reads what
/// was not written, jumps back or out, or does not end.
fn run(program: &[Instruction], question: Question) -> bool {
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
        next += 1;
        match code {
            LOAD => {
                assert_eq!(from, usize::from(R1));
                registers[to] = Some(u64::from(context[usize::try_from(offset / 4).unwrap()]));
            }
            MOVE_REGISTER => registers[to] = Some(value(from)),
            MOVE => registers[to] = Some(constant),
            AND => registers[to] = Some(value(to) & constant),
            SHIFT_RIGHT => registers[to] = Some(value(to) >> constant),
            EXIT => return value(usize::from(R0)) == 1,
            _ => {
                let jumps = match code {
                    JUMP => true,
                    JUMP_IF_DIFFERENT => value(to) != constant,
                    JUMP_IF_ANY_BIT => value(to) & constant != 0,
                    other => panic!("no such instruction: {other:#x}"),
                };
                if jumps {
                    next += usize::try_from(offset).unwrap();
                }
            }
        }
    }
}

/// What the list says, each access on its own.
fn allowed(rules: &[DeviceRule], question: Question) -> bool {
    let about = |rule: &&DeviceRule| {
        (rule.kind == DeviceKind::All || rule.kind == question.kind)
            && rule.major.is_none_or(|major| major == question.major)
            && rule.minor.is_none_or(|minor| minor == question.minor)
    };
    let last = |has: fn(&DeviceAccess) -> bool| {
        let mut relevant = rules.iter().filter(about).filter(|rule| has(&rule.access));
        !has(&question.access) || relevant.next_back().is_some_and(|rule| rule.allow)
    };
    last(|access| access.read) && last(|access| access.write) && last(|access| access.mknod)
}

fn accesses() -> impl Iterator<Item = DeviceAccess> {
    (0..8).map(|bits| DeviceAccess { read: bits & 1 > 0, write: bits & 2 > 0, mknod: bits & 4 > 0 })
}

fn questions() -> impl Iterator<Item = Question> {
    let asked = |access: &DeviceAccess| *access != DeviceAccess::NONE;
    accesses().filter(asked).flat_map(|access| {
        [DeviceKind::Block, DeviceKind::Character].into_iter().flat_map(move |kind| {
            [1, 2, 5, 136].into_iter().flat_map(move |major| {
                [0, 1, 3, 5].into_iter().map(move |minor| Question { kind, major, minor, access })
            })
        })
    })
}

fn compare(rules: &[DeviceRule]) {
    let program = compile(rules);
    for question in questions() {
        let expected = allowed(rules, question);
        assert_eq!(run(&program, question), expected, "{question:?} of {rules:#?}");
    }
}

fn everything(allow: bool) -> DeviceRule {
    let (kind, access) = (DeviceKind::All, DeviceAccess::ALL);
    DeviceRule { allow, kind, major: None, minor: None, access }
}

/// The numbers of a generator that repeats: no list of lists could be as thorough.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn rule(&mut self) -> DeviceRule {
        let kinds = [DeviceKind::All, DeviceKind::Block, DeviceKind::Character];
        let mut number = |of: [u32; 3]| of.get(self.below(4) as usize).copied();
        let (major, minor) = (number([1, 2, 5]), number([0, 1, 3]));
        let access = accesses().nth(self.below(8) as usize).unwrap();
        let kind = kinds[self.below(3) as usize];
        DeviceRule { allow: self.below(2) == 0, kind, major, minor, access }
    }
}

#[test]
fn an_empty_list_allows_nothing_but_what_is_always_allowed() {
    assert!(questions().all(|question| !run(&compile(&[]), question)));
    compare(&complete(&[]));
    let null = Question {
        kind: DeviceKind::Character,
        major: 1,
        minor: 3,
        access: DeviceAccess { mknod: false, ..DeviceAccess::ALL },
    };
    assert!(run(&compile(&ALWAYS), null));
    assert!(!run(&compile(&ALWAYS), Question { minor: 1, ..null }), "/dev/mem");
    assert!(!run(&compile(&ALWAYS), Question { kind: DeviceKind::Block, ..null }));
}

#[test]
fn the_last_rule_that_matches_decides() {
    let one = DeviceRule { kind: DeviceKind::Block, major: Some(1), ..everything(true) };
    let write = DeviceAccess { write: true, ..DeviceAccess::NONE };
    compare(&[everything(false), one]);
    compare(&[one, everything(false)]);
    compare(&[everything(true), DeviceRule { allow: false, ..one }]);
    compare(&[everything(true), DeviceRule { allow: false, access: write, ..one }]);
    compare(&[
        DeviceRule { access: write, ..everything(true) },
        DeviceRule { minor: Some(5), ..one },
    ]);
}

#[test]
fn programs_answer_as_lists_say() {
    let mut numbers = Numbers(1);
    for length in 0..400 {
        let rules: Vec<_> = (0..length % 9).map(|_| numbers.rule()).collect();
        compare(&rules);
    }
}

#[test]
fn a_number_no_device_can_have_matches_none() {
    let rule = DeviceRule { major: Some(u32::MAX), ..everything(true) };
    assert!(questions().all(|question| !run(&compile(&[rule]), question)));
}
