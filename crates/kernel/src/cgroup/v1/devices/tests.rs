use super::super::super::devices::complete;
use super::super::super::devices::model::{Numbers, allowed, numbers, questions};
use super::super::super::resources::{DeviceAccess, DeviceKind, DeviceRule};
use super::{Operation, State, check, operations, would_allow};

const READ: DeviceAccess = DeviceAccess { read: true, write: false, mknod: false };

fn rule(allow: bool, major: Option<u32>, minor: Option<u32>, access: DeviceAccess) -> DeviceRule {
    DeviceRule { allow, kind: DeviceKind::Character, major, minor, access }
}

fn everything(allow: bool) -> DeviceRule {
    DeviceRule { kind: DeviceKind::All, ..rule(allow, None, None, DeviceAccess::ALL) }
}

fn new(rules: &[DeviceRule]) -> Vec<Operation> {
    operations(None, &State::of(rules).unwrap())
}

fn allow(text: &str) -> Operation {
    (true, text.to_owned())
}

fn deny(text: &str) -> Operation {
    (false, text.to_owned())
}

#[test]
fn a_list_is_what_is_left_of_it() {
    let one = rule(true, Some(1), Some(3), DeviceAccess::ALL);
    let not_read = DeviceRule { allow: false, access: READ, ..one };
    assert_eq!(new(&[]), [deny("a")]);
    assert_eq!(new(&[one]), [deny("a"), allow("c 1:3 rwm")]);
    assert_eq!(new(&[one, not_read]), [deny("a"), allow("c 1:3 wm")]);
    assert_eq!(new(&[not_read, one]), [deny("a"), allow("c 1:3 rwm")]);
    assert_eq!(new(&[one, everything(false)]), [deny("a")]);
    assert_eq!(new(&[everything(true), not_read]), [allow("a"), deny("c 1:3 r")]);
    // The usual devices come last, and so stay usable.
    let list = complete(&[everything(true), DeviceRule { allow: false, ..one }]);
    assert_eq!(new(&list), [allow("a")]);
}

#[test]
fn both_kinds_are_two_exceptions() {
    let both = DeviceRule { kind: DeviceKind::All, ..rule(true, Some(8), None, READ) };
    assert_eq!(new(&[both]), [deny("a"), allow("b 8:* r"), allow("c 8:* r")]);
}

#[test]
fn a_device_cannot_be_taken_out_of_many() {
    let many = rule(true, Some(1), None, DeviceAccess::ALL);
    let one = rule(false, Some(1), Some(3), READ);
    let error = check(&[many, one]).unwrap_err().to_string();
    assert_eq!(error, "devices[1]: cgroup v1 cannot except c 1:3 r from c 1:* rwm");
    // But all of them can, and so can one that is not among them.
    assert!(check(&[many, DeviceRule { minor: None, ..one }]).is_ok());
    assert!(check(&[many, DeviceRule { major: Some(2), ..one }]).is_ok());
}

#[test]
fn what_has_a_form_means_what_the_list_says() {
    let mut numbers = Numbers(numbers(2));
    let mut expressible = 0;
    for length in 0..2000 {
        let rules: Vec<_> = (0..length % 6).filter_map(|_| numbers.rule()).collect();
        expressible += usize::from(check(&rules).is_ok());
        for question in questions() {
            if let Some(found) = would_allow(&rules, question) {
                assert_eq!(found, allowed(&rules, question), "{question:?}: {rules:#?}");
            }
        }
    }
    assert!(expressible > 500, "{expressible}");
}

#[test]
fn reading_and_writing_may_come_from_two_rules() {
    let write = DeviceAccess { read: false, write: true, mknod: false };
    let reads = rule(true, Some(1), None, READ);
    let writes = rule(true, None, Some(3), write);
    let expected = [deny("a"), allow("c *:3 w"), allow("c 1:* r"), allow("c 1:3 rw")];
    assert_eq!(new(&[reads, writes]), expected);
}

#[test]
fn a_rule_about_nothing_is_none() {
    assert_eq!(new(&[rule(true, Some(1), Some(3), DeviceAccess::NONE)]), [deny("a")]);
}

#[test]
fn an_update_changes_what_differs() {
    let state = |rules: &[DeviceRule]| State::of(rules).unwrap();
    let one = rule(true, Some(1), Some(3), DeviceAccess::ALL);
    let two = rule(true, Some(1), Some(5), READ);
    let old = State::parse("c 1:3 rwm\nc *:* m\n").unwrap();
    let node = rule(true, None, None, DeviceAccess::MKNOD);
    assert_eq!(old, state(&[one, node]));
    let update = |rules: &[DeviceRule]| operations(Some(&old), &state(rules));
    assert_eq!(update(&[one, node]), []);
    assert_eq!(update(&[DeviceRule { access: READ, ..one }, node]), [deny("c 1:3 wm")]);
    assert_eq!(update(&[two, node]), [deny("c 1:3 rwm"), allow("c 1:5 r")]);
    // From one kind of list to the other there is no way but through all or nothing.
    assert_eq!(update(&[everything(true)]), [allow("a")]);
    assert_eq!(State::parse("a *:* rwm\n"), None);
}
