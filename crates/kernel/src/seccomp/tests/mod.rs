mod oracle;

use super::model::{self, Call, run};
use super::{Arg, Error, Profile, Rule, compile};

const X86_64: u32 = 0xc000_003e;
const X86: u32 = 0x4000_0003;
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
const NO_SUCH_CALL: u32 = ERRNO | 38;

fn rule<'a>(action: &'a str, names: &[&'a str], args: &[Arg<'a>]) -> Rule<'a> {
    Rule { names: names.to_vec(), action, errno: None, args: args.to_vec() }
}

fn arg(index: u32, op: &str, value: u64) -> Arg<'_> {
    Arg { index, value, value_two: 0, op }
}

fn profile<'a>(default_action: &'a str, syscalls: Vec<Rule<'a>>) -> Profile<'a> {
    Profile { default_action, syscalls, ..Profile::default() }
}

/// What the compiled profile answers to a call of x86-64.
fn answer(profile: &Profile<'_>, number: u32, arguments: &[u64]) -> u32 {
    answer_on(profile, X86_64, number, arguments)
}

fn answer_on(profile: &Profile<'_>, architecture: u32, number: u32, given: &[u64]) -> u32 {
    let mut arguments = [0; 6];
    arguments[..given.len()].copy_from_slice(given);
    let program = compile(profile).unwrap();
    run(program.instructions(), &Call { architecture, number, arguments }).answer
}

#[test]
fn what_is_not_allowed_is_the_default_and_what_is_newer_does_not_exist() {
    let profile =
        profile("SCMP_ACT_ERRNO", vec![rule("SCMP_ACT_ALLOW", &["read", "write", "brk"], &[])]);
    assert_eq!(answer(&profile, 0, &[]), ALLOW);
    assert_eq!(answer(&profile, 1, &[]), ALLOW);
    assert_eq!(answer(&profile, 2, &[]), ERRNO | 1);
    assert_eq!(answer(&profile, 12, &[]), ALLOW);
    assert_eq!(answer(&profile, 13, &[]), NO_SUCH_CALL);
    assert_eq!(answer(&profile, 0x3fff_ffff, &[]), NO_SUCH_CALL);
    // x32 and 32-bit x86 were not named.
    assert_eq!(answer(&profile, 0x4000_0000, &[]), 0);
    assert_eq!(answer_on(&profile, X86, 3, &[]), 0);
}

#[test]
fn where_the_default_lets_calls_happen_new_ones_happen_too() {
    for (action, default) in
        [("SCMP_ACT_ALLOW", ALLOW), ("SCMP_ACT_LOG", 0x7ffc_0000), ("SCMP_ACT_TRACE", 0x7ff0_0001)]
    {
        let profile = profile(action, vec![rule("SCMP_ACT_KILL_PROCESS", &["read"], &[])]);
        assert_eq!(answer(&profile, 0, &[]), 0x8000_0000);
        assert_eq!(answer(&profile, 999, &[]), default);
    }
}

#[test]
fn names_nobody_knows_are_passed_over() {
    let profile =
        profile("SCMP_ACT_ERRNO", vec![rule("SCMP_ACT_ALLOW", &["read", "no_such_call"], &[])]);
    assert_eq!(answer(&profile, 0, &[]), ALLOW);
}

#[test]
fn all_64_bits_are_compared() {
    let large = 0x1_0000_0005;
    for (op, below, equal, above) in [
        ("SCMP_CMP_EQ", false, true, false),
        ("SCMP_CMP_NE", true, false, true),
        ("SCMP_CMP_LT", true, false, false),
        ("SCMP_CMP_LE", true, true, false),
        ("SCMP_CMP_GT", false, false, true),
        ("SCMP_CMP_GE", false, true, true),
    ] {
        let rules = vec![rule("SCMP_ACT_ALLOW", &["close"], &[arg(0, op, large)])];
        let profile = profile("SCMP_ACT_ERRNO", rules);
        for (value, holds) in [
            (5, below),
            (large - 1, below),
            (large, equal),
            (large + 1, above),
            (0x2_0000_0000, above),
        ] {
            let expected = if holds { ALLOW } else { ERRNO | 1 };
            assert_eq!(answer(&profile, 3, &[value]), expected, "{value:#x} {op} {large:#x}");
        }
    }
}

#[test]
fn masked_bits_are_compared() {
    let mask = Arg {
        index: 1,
        value: 0xff_0000_00f0,
        value_two: 0x12_0000_0f30,
        op: "SCMP_CMP_MASKED_EQ",
    };
    let profile = profile("SCMP_ACT_ERRNO", vec![rule("SCMP_ACT_ALLOW", &["close"], &[mask])]);
    assert_eq!(answer(&profile, 3, &[0, 0xaa12_bbbb_bb3b]), ALLOW);
    assert_eq!(answer(&profile, 3, &[0, 0xaa13_bbbb_bb3b]), ERRNO | 1);
    assert_eq!(answer(&profile, 3, &[0, 0xaa12_bbbb_bb4b]), ERRNO | 1);
}

#[test]
fn conditions_of_a_rule_hold_together_but_not_those_on_one_argument() {
    let both = [arg(0, "SCMP_CMP_EQ", 1), arg(1, "SCMP_CMP_EQ", 2)];
    let profile_and = profile("SCMP_ACT_ERRNO", vec![rule("SCMP_ACT_ALLOW", &["close"], &both)]);
    assert_eq!(answer(&profile_and, 3, &[1, 2]), ALLOW);
    assert_eq!(answer(&profile_and, 3, &[1, 3]), ERRNO | 1);
    let either = [arg(0, "SCMP_CMP_EQ", 1), arg(0, "SCMP_CMP_EQ", 2), arg(1, "SCMP_CMP_EQ", 7)];
    let profile_or = profile("SCMP_ACT_ERRNO", vec![rule("SCMP_ACT_ALLOW", &["close"], &either)]);
    for (arguments, expected) in
        [([1, 0], ALLOW), ([2, 0], ALLOW), ([3, 7], ALLOW), ([3, 6], ERRNO | 1)]
    {
        assert_eq!(answer(&profile_or, 3, &arguments), expected, "{arguments:?}");
    }
}

#[test]
fn a_rule_without_conditions_outweighs_those_with() {
    let conditional = rule("SCMP_ACT_TRAP", &["close"], &[arg(0, "SCMP_CMP_EQ", 1)]);
    let always = rule("SCMP_ACT_ALLOW", &["close"], &[]);
    for rules in [vec![conditional.clone(), always.clone()], vec![always, conditional]] {
        assert_eq!(answer(&profile("SCMP_ACT_ERRNO", rules), 3, &[1]), ALLOW);
    }
    let twice =
        vec![rule("SCMP_ACT_ALLOW", &["close"], &[]), rule("SCMP_ACT_TRAP", &["close"], &[])];
    assert_eq!(answer(&profile("SCMP_ACT_ERRNO", twice), 3, &[1]), ALLOW);
}

#[test]
fn contradictions_are_refused() {
    let on = [arg(0, "SCMP_CMP_EQ", 1)];
    let rules = vec![
        rule("SCMP_ACT_ALLOW", &["read"], &[]),
        rule("SCMP_ACT_ALLOW", &["close"], &on),
        rule("SCMP_ACT_TRAP", &["close"], &on),
    ];
    let error = compile(&profile("SCMP_ACT_ERRNO", rules)).unwrap_err();
    let expected =
        "syscalls[2]: another action than in syscalls[1] for close on the same conditions";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn thirty_two_bit_sockets_go_through_socketcall() {
    let rules = vec![rule("SCMP_ACT_ALLOW", &["connect"], &[arg(0, "SCMP_CMP_EQ", 9)])];
    let mut profile = profile("SCMP_ACT_ERRNO", rules);
    profile.architectures = vec!["SCMP_ARCH_X86"];
    assert_eq!(answer_on(&profile, X86, 362, &[9]), ALLOW);
    assert_eq!(answer_on(&profile, X86, 362, &[8]), ERRNO | 1);
    assert_eq!(answer_on(&profile, X86, 102, &[3]), ALLOW);
    assert_eq!(answer_on(&profile, X86, 102, &[2]), ERRNO | 1);
}

#[test]
fn x32_is_an_architecture_of_its_own() {
    let mut profile = profile("SCMP_ACT_ERRNO", vec![rule("SCMP_ACT_ALLOW", &["ioctl"], &[])]);
    profile.architectures = vec!["SCMP_ARCH_X32"];
    assert_eq!(answer(&profile, 16, &[]), ALLOW);
    assert_eq!(answer(&profile, 0x4000_0000 + 514, &[]), ALLOW);
    assert_eq!(answer(&profile, 0x4000_0000 + 16, &[]), ERRNO | 1);
    assert_eq!(answer(&profile, 0x4000_0000 + 515, &[]), NO_SUCH_CALL);
}

#[test]
fn errors_name_the_field_and_what_is_allowed() {
    let text = |profile: &Profile<'_>| compile(profile).unwrap_err().to_string();
    let mut bad = profile("SCMP_ACT_ERRNO", vec![rule("SCMP_ACT_ALLOW", &["read"], &[])]);
    bad.syscalls.push(rule("SCMP_ACT_ALLOW", &["write"], &[arg(0, "EQ", 1)]));
    assert_eq!(
        text(&bad),
        "syscalls[1].args[0].op: \"EQ\" is none of SCMP_CMP_EQ, SCMP_CMP_GE, SCMP_CMP_GT, SCMP_CMP_LE, SCMP_CMP_LT, SCMP_CMP_MASKED_EQ, SCMP_CMP_NE"
    );
    bad.syscalls[1].args[0] = arg(6, "SCMP_CMP_EQ", 1);
    assert_eq!(text(&bad), "syscalls[1].args[0].index: 6 is not in the range from 0 to 5");
    bad.syscalls[1] = rule("SCMP_ACT_NOTIFY", &["sendmsg", "sendmmsg"], &[]);
    assert_eq!(
        text(&bad),
        "syscalls: SCMP_ACT_NOTIFY is not possible for sendmsg and sendmmsg at once, one of which hands over its listener"
    );
    bad.syscalls[1] = rule("SCMP_ACT_ALLOW", &[""], &[]);
    assert_eq!(text(&bad), "syscalls[1].names[0]: the name of a system call is missing");
    bad.syscalls[1] = Rule { errno: Some(4096), ..rule("SCMP_ACT_ERRNO", &["read"], &[]) };
    assert_eq!(text(&bad), "syscalls[1].errnoRet: 4096 is not in the range from 0 to 4095");
    bad.syscalls[1] = Rule { errno: Some(1), ..rule("SCMP_ACT_ALLOW", &["read"], &[]) };
    assert_eq!(
        text(&bad),
        "syscalls[1].errnoRet: SCMP_ACT_ALLOW takes no error number; SCMP_ACT_ERRNO and SCMP_ACT_TRACE do"
    );
    bad.flags = Some(vec!["TSYNC"]);
    bad.syscalls.pop();
    assert!(text(&bad).starts_with("flags[0]: \"TSYNC\" is none of SECCOMP_FILTER_FLAG_LOG, "));
    bad.architectures = vec!["SCMP_ARCH_X86", "amd64"];
    assert!(text(&bad).starts_with("architectures[1]: \"amd64\" is none of SCMP_ARCH_AARCH64, "));
    bad.default_errno = Some(70_000);
    assert_eq!(text(&bad), "defaultErrnoRet: 70000 is not in the range from 0 to 4095");
    (bad.default_action, bad.default_errno) = ("SCMP_ACT_NOTIFY", None);
    assert_eq!(
        text(&bad),
        "defaultAction: SCMP_ACT_NOTIFY is possible only for system calls by name"
    );
    bad.default_action = "";
    assert!(text(&bad).starts_with("defaultAction: \"\" is none of SCMP_ACT_ALLOW, "));
}

#[test]
fn flags_are_those_given_or_else_the_usual_one() {
    use sys::seccomp::*;
    let flags = |words: Option<&[&'static str]>, action| {
        let mut profile = profile("SCMP_ACT_ALLOW", vec![rule(action, &["chroot"], &[])]);
        profile.flags = words.map(<[_]>::to_vec);
        compile(&profile).unwrap().flags
    };
    assert_eq!(flags(None, "SCMP_ACT_TRAP"), FILTER_FLAG_SPEC_ALLOW);
    assert_eq!(flags(Some(&[]), "SCMP_ACT_TRAP"), 0);
    let recv = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";
    assert_eq!(flags(Some(&[recv]), "SCMP_ACT_TRAP"), 0);
    let listener = FILTER_FLAG_NEW_LISTENER;
    assert_eq!(flags(Some(&[recv]), "SCMP_ACT_NOTIFY"), FILTER_FLAG_WAIT_KILLABLE_RECV | listener);
    assert_eq!(
        flags(Some(&["SECCOMP_FILTER_FLAG_TSYNC"]), "SCMP_ACT_NOTIFY"),
        FILTER_FLAG_TSYNC | FILTER_FLAG_TSYNC_ESRCH | listener
    );
}

#[test]
fn too_many_rules_are_refused() {
    let rules =
        (0..2000).map(|value| rule("SCMP_ACT_ALLOW", &["close"], &[arg(0, "SCMP_CMP_EQ", value)]));
    let error = compile(&profile("SCMP_ACT_ERRNO", rules.collect())).unwrap_err();
    assert!(matches!(error, Error::TooLarge { instructions: 8000.., largest: 4096 }), "{error}");
}

/// A generator of bytes: any do, but always the same ones (xorshift).
fn random_bytes(mut state: u64) -> impl FnMut(usize) -> Vec<u8> {
    move |length| {
        let mut byte = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        (0..length).map(|_| byte()).collect()
    }
}

#[test]
fn programs_do_what_profiles_mean() {
    let mut bytes = random_bytes(0x9e37_79b9_7f4a_7c15);
    let mut compiled = 0;
    for round in 0..250_usize {
        let profile = model::profile(&bytes(10 + round * 7));
        let Ok(program) = compile(&profile) else { continue };
        compiled += 1;
        let calls = model::calls(&profile, &bytes(500));
        model::with(&profile, |model| {
            for call in calls {
                let answer = run(program.instructions(), &call).answer;
                let expected = model.answers(&call);
                let right = expected.contains(&answer);
                assert!(right, "{answer:#x} not in {expected:x?}: {call:x?} {profile:#?}");
            }
        });
    }
    assert!(compiled > 125, "{compiled} of 250 are no contradictions");
}
