//! A machine for classic BPF, as strict as the kernel: what it would refuse is a panic.

use sys::seccomp::Instruction;

/// What a filter sees of a system call: `struct seccomp_data`.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// `AUDIT_ARCH_*`.
    pub architecture: u32,
    /// The number of the call.
    pub number: u32,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// What a program has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `SECCOMP_RET_*` with data.
    pub answer: u32,
    /// How many instructions were executed.
    pub steps: usize,
}

/// Runs a program on one call.
///
/// # Panics
/// When the kernel would not take the program.
#[must_use]
pub fn run(program: &[Instruction], call: &Call) -> Outcome {
    assert!((1..=4096).contains(&program.len()), "{} instructions", program.len());
    let mut accumulator = 0;
    let mut next = 0;
    let mut steps = 0;
    loop {
        let Instruction { code, when_true, when_false, k } = program[next];
        next += 1;
        steps += 1;
        let branch = |holds: bool| usize::from(if holds { when_true } else { when_false });
        match code {
            0x20 => accumulator = call.word(k),
            0x54 => accumulator &= k,
            0x05 => next += usize::try_from(k).expect("a jump within the program"),
            0x15 => next += branch(accumulator == k),
            0x25 => next += branch(accumulator > k),
            0x35 => next += branch(accumulator >= k),
            0x06 => return Outcome { answer: k, steps },
            other => panic!("instruction {other:#x} at {}", next - 1),
        }
    }
}

impl Call {
    /// A word of `struct seccomp_data`: number, architecture, address, arguments.
    fn word(&self, offset: u32) -> u32 {
        let half = |value: u64, upper: bool| (if upper { value >> 32 } else { value }) as u32;
        match offset {
            0 => self.number,
            4 => self.architecture,
            16..64 if offset.is_multiple_of(4) => {
                let index = usize::try_from((offset - 16) / 8).expect("small");
                half(self.arguments[index], offset % 8 == 4)
            }
            _ => panic!("load from {offset}"),
        }
    }
}
