//! The same profiles, compiled by libseccomp: both programs must answer alike.
//!
//! What libseccomp 2.5.4 does wrong is kept away from it: several rules with conditions on one call
//! (it may drop one, refuse them or never end), and on architectures beside the machine's own a rule
//! without conditions for a call that one of them has not (it then forgets to load a number).

use super::super::model::{self, run};
use super::super::syscalls::{self, __};
use super::super::{Arg, Profile, Rule, compile};
use super::{NO_SUCH_CALL, arg, profile, random_bytes, rule};
use std::collections::HashSet;
use std::io::Write as _;
use std::process::{Command, Stdio};
use sys::seccomp::Instruction;

#[test]
fn libseccomp_answers_alike() {
    let mut bytes = random_bytes(0x1234_5678_9abc_def1);
    let mut profiles: Vec<_> =
        (0..300).map(|length| model::profile(&bytes(10 + 2 * length))).collect();
    profiles.iter_mut().for_each(simplify);
    let Some(programs) = libseccomp(&profiles) else {
        eprintln!("skipped: there is no python3-seccomp");
        return;
    };
    assert_eq!(programs.len(), profiles.len());
    let mut count = 0;
    for (profile, theirs) in profiles.iter().zip(programs) {
        let ours = compile(profile).unwrap();
        for call in model::calls(profile, &bytes(500)) {
            let answer = run(ours.instructions(), &call).answer;
            // What runc adds to libseccomp.
            if answer != NO_SUCH_CALL {
                assert_eq!(answer, run(&theirs, &call).answer, "{call:x?} {profile:#x?}");
                count += 1;
            }
        }
    }
    assert!(count > 50_000, "{count} calls");
}

/// Leaves what libseccomp can do.
fn simplify(profile: &mut Profile<'_>) {
    let columns: Vec<_> = profile.architectures.iter().filter_map(|word| column(word)).collect();
    let mut seen = HashSet::new();
    for rule in &mut profile.syscalls {
        rule.names.retain(|name| {
            let row = syscalls::row(name).unwrap();
            let new = row.iter().any(|number| (451..512).contains(number));
            let new = new || ["uprobe", "uretprobe"].contains(name);
            !new && row[0] != __ && columns.iter().all(|it| row[*it] != __) && seen.insert(*name)
        });
        let mut indexes = HashSet::new();
        if !rule.args.iter().all(|arg| indexes.insert(arg.index)) {
            rule.args.iter_mut().for_each(|arg| arg.op = "SCMP_CMP_EQ");
        }
    }
}

fn column(word: &str) -> Option<usize> {
    super::super::architecture::Architecture::from_word(word).map(|it| it as usize)
}

/// Where rules with different actions meet, in ways that libseccomp can do: it has an order.
#[test]
fn libseccomp_decides_conflicts_alike() {
    let pairs: &[(&[Arg<'_>], &[Arg<'_>])] = &[
        (&[arg(0, "SCMP_CMP_EQ", 1)], &[arg(1, "SCMP_CMP_EQ", 1)]),
        (&[arg(1, "SCMP_CMP_EQ", 1)], &[arg(0, "SCMP_CMP_EQ", 1)]),
        (&[arg(0, "SCMP_CMP_NE", 1)], &[arg(0, "SCMP_CMP_EQ", 2)]),
        (&[arg(0, "SCMP_CMP_EQ", 2)], &[arg(0, "SCMP_CMP_NE", 1)]),
        (&[arg(0, "SCMP_CMP_NE", 1)], &[arg(1, "SCMP_CMP_NE", 2)]),
        (&[arg(0, "SCMP_CMP_GT", 0)], &[arg(0, "SCMP_CMP_GT", 1)]),
        (&[arg(0, "SCMP_CMP_LT", 3)], &[arg(0, "SCMP_CMP_LT", 2)]),
        (&[arg(0, "SCMP_CMP_EQ", 1), arg(2, "SCMP_CMP_EQ", 1)], &[arg(2, "SCMP_CMP_NE", 2)]),
    ];
    let with = |(first, second): &(&[Arg<'static>], &[Arg<'static>])| {
        let rules: Vec<Rule<'_>> = vec![
            rule("SCMP_ACT_ALLOW", &["dup3"], first),
            rule("SCMP_ACT_TRAP", &["dup3"], second),
        ];
        profile("SCMP_ACT_ERRNO", rules)
    };
    let profiles: Vec<_> = pairs.iter().map(with).collect();
    let Some(programs) = libseccomp(&profiles) else {
        eprintln!("skipped: there is no python3-seccomp");
        return;
    };
    for (profile, theirs) in profiles.iter().zip(programs) {
        let ours = compile(profile).unwrap();
        for index in 0..64 {
            let arguments = [index & 3, index >> 2 & 3, index >> 4, 0, 0, 0];
            let call = model::Call { architecture: super::X86_64, number: 292, arguments };
            let (answer, theirs) = (run(ours.instructions(), &call), run(&theirs, &call));
            assert_eq!(answer.answer, theirs.answer, "{call:x?} {profile:#x?}");
        }
    }
}

/// What libseccomp makes of profiles; `None` where it, or its Python module, is not there.
fn libseccomp(profiles: &[Profile<'_>]) -> Option<Vec<Vec<Instruction>>> {
    const SCRIPT: &str = include_str!("oracle.py");
    let lines: String = profiles.iter().map(literal).collect();
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = python.wait_with_output().unwrap();
    let written = writer.join().unwrap();
    // As the script says when there is no module.
    if output.status.code() == Some(77) {
        return None;
    }
    assert!(output.status.success(), "{}", output.status);
    written.unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    Some(output.lines().map(instructions).collect())
}

/// A profile as a line of Python, which spells lists, numbers and simple strings like Rust.
fn literal(profile: &Profile<'_>) -> String {
    let number = |errno: Option<u32>| errno.unwrap_or(1);
    let default = (profile.default_action, number(profile.default_errno));
    let rules = profile.syscalls.iter().map(|rule| {
        let args = rule.args.iter().map(|arg| (arg.index, arg.op, arg.value, arg.value_two));
        (rule.action, number(rule.errno), &rule.names, args.collect::<Vec<_>>())
    });
    let rules: Vec<_> = rules.collect();
    format!("{:?}\n", (default, &profile.architectures, rules))
}

fn instructions(hexadecimal: &str) -> Vec<Instruction> {
    let byte = |at: usize| u8::from_str_radix(&hexadecimal[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..hexadecimal.len()).step_by(2).map(byte).collect();
    let instruction = |it: &[u8]| Instruction {
        code: u16::from_le_bytes([it[0], it[1]]),
        when_true: it[2],
        when_false: it[3],
        k: u32::from_le_bytes([it[4], it[5], it[6], it[7]]),
    };
    bytes.chunks_exact(8).map(instruction).collect()
}
