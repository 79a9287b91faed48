//! Profiles and calls out of bytes, which a fuzzer or a generator of random numbers makes.

use super::super::architecture::Architecture;
use super::super::syscalls::{__, SYSCALLS};
use super::super::{ACTIONS, ARCHITECTURES, Arg, FLAGS, OPERATORS, Profile, Rule};
use super::Call;

/// Bytes as a source of choices; zeros when they have run out.
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    fn byte(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.byte() << 8 | self.byte()) % bound
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Few values, so that conditions meet, and the edges of halves.
    fn value(&mut self) -> u64 {
        let edges = [0, 1, 2, 3, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32, u64::MAX];
        let low = self.one_of(&edges);
        if self.byte() < 200 { low } else { low ^ self.one_of(&edges) << 32 }
    }
}

/// A profile. Every one of its words is known.
#[must_use]
pub fn profile(bytes: &[u8]) -> Profile<'static> {
    let mut source = Source(bytes);
    let actions: Vec<_> = ACTIONS.iter().filter(|it| **it != "SCMP_ACT_NOTIFY").copied().collect();
    let architectures = (0..source.below(5)).map(|_| source.one_of(ARCHITECTURES)).collect();
    let default_action = source.one_of(&actions);
    let with_errno = |action: &str| matches!(action, "SCMP_ACT_ERRNO" | "SCMP_ACT_TRACE");
    let default_errno =
        Some(source.byte() as u32).filter(|it| with_errno(default_action) && *it < 200);
    let flags = Some(FLAGS[source.below(FLAGS.len())..].to_vec());
    let mut syscalls = Vec::new();
    // Names from a window of the table, so that some are in several rules.
    let window = 1 + source.below(SYSCALLS.len());
    while !source.0.is_empty() && syscalls.len() < 600 {
        let action = source.one_of(&actions);
        let errno = Some(source.byte() as u32).filter(|it| with_errno(action) && *it < 200);
        let names = (0..1 + source.below(4)).map(|_| SYSCALLS[source.below(window)].0).collect();
        let args = (0..source.byte().saturating_sub(100) / 40)
            .map(|_| Arg {
                index: source.below(6) as u32,
                value: source.value(),
                value_two: source.value(),
                op: source.one_of(OPERATORS),
            })
            .collect();
        syscalls.push(Rule { names, action, errno, args });
    }
    Profile { default_action, default_errno, architectures, flags, syscalls }
}

/// Calls that matter to a profile: each number it speaks of and those beside it, on all
/// architectures, with arguments near the values of its conditions.
pub fn calls(profile: &Profile<'_>, bytes: &[u8]) -> Vec<Call> {
    use Architecture::{Aarch64, Arm, X32, X86, X86_64};
    let mut source = Source(bytes);
    let mut calls = Vec::new();
    let mut add = |architecture: Architecture, number: u32, arguments: [u64; 6]| {
        calls.push(Call { architecture: architecture.audit(), number, arguments });
    };
    for architecture in [X86_64, X86, X32, Aarch64, Arm] {
        for number in [0, 1, 500, 0x3fff_ffff, 0x4000_0000, 0x4000_0fff, 0x8000_0000, u32::MAX] {
            add(architecture, number, [0; 6]);
        }
        for rule in &profile.syscalls {
            let mut arguments = [(); 6].map(|()| source.value());
            for arg in &rule.args {
                let near = [0, 0, 1, u64::MAX, 1 << 32][source.below(5)];
                let value = if arg.op == "SCMP_CMP_MASKED_EQ" { arg.value_two } else { arg.value };
                arguments[arg.index as usize] = value.wrapping_add(near);
            }
            for name in &rule.names {
                let row = super::syscalls::row(name);
                let entry = row.map_or(__, |row| row[architecture as usize]);
                if entry != __ {
                    let number = architecture.number(entry);
                    add(architecture, number, arguments);
                    add(architecture, number + 1, arguments);
                }
                if architecture == X86
                    && let Some(through) = super::multiplexed(name)
                {
                    let first = u64::from(through.call)
                        .wrapping_add(source.below(2) as u64 * source.value());
                    arguments[0] = first;
                    add(architecture, through.number, arguments);
                }
            }
        }
    }
    calls
}
