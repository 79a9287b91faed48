//! Compares the answers of programs with what the list says.

use super::super::super::super::devices::model::{Numbers, Question, allowed, numbers, questions};
use super::super::super::super::devices::{ALWAYS, complete};
use super::super::interpreter::run;
use super::*;

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
    let mut numbers = Numbers(numbers(1));
    for length in 0..400 {
        let rules: Vec<_> = (0..length % 9).filter_map(|_| numbers.rule()).collect();
        compare(&rules);
    }
}

#[test]
fn a_number_no_device_can_have_matches_none() {
    let rule = DeviceRule { major: Some(u32::MAX), ..everything(true) };
    assert!(questions().all(|question| !run(&compile(&[rule]), question)));
}
