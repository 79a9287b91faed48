//! `cargo xtask size`: the programs against their budgets, and what their ELF headers promise.

use crate::build;
use crate::elf::{self, Segment};
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::process::ExitCode;

/// A program and the bytes it may have on disk. All are static.
pub(crate) struct Budget {
    pub(crate) program: &'static str,
    bytes: u64,
}

pub(crate) const BUDGETS: &[Budget] = &[
    Budget { program: "tino", bytes: 16_384 },
    Budget { program: "tinyort", bytes: 2_097_152 },
    Budget { program: "tinyo", bytes: 15_728_640 },
];

pub(crate) fn run(_: Vec<OsString>) -> Result<ExitCode> {
    let programs: Vec<_> = BUDGETS.iter().map(|budget| budget.program).collect();
    let folder = build::release(&programs)?;
    let mut problems = Vec::new();
    for budget in BUDGETS {
        let path = folder.join(budget.program);
        let file = std::fs::read(&path).with_context(|| path.display().to_string())?;
        let size = file.len() as u64;
        println!("{}: {size} of {} bytes", budget.program, budget.bytes);
        if size > budget.bytes {
            let over = size - budget.bytes;
            problems.push(format!("{}: over its budget by {over} bytes", budget.program));
        }
        let segments = elf::segments(&file)?;
        for segment in &segments {
            print_segment(segment);
        }
        problems.extend(complaints(&segments).map(|text| format!("{}: {text}", budget.program)));
    }
    problems.iter().for_each(|problem| println!("{problem}"));
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_segment(segment: &Segment) {
    let (name, permissions) = (segment.name(), segment.permissions());
    println!(
        "  {name:10} {permissions} {:7} bytes in the file, {:7} in memory",
        segment.file_bytes, segment.memory_bytes
    );
}

/// What a static program with a safe layout must not have.
fn complaints(segments: &[Segment]) -> impl Iterator<Item = String> {
    let stack = segments.iter().find(|segment| segment.kind == elf::STACK);
    let stack = match stack {
        // Older kernels then make the stack, and all other memory, executable.
        None => Some("no GNU_STACK header".to_owned()),
        Some(stack) if stack.is_executable() => Some("the stack is executable".to_owned()),
        Some(_) => None,
    };
    let segments = segments.iter().filter_map(|segment| match segment.kind {
        elf::LOAD if segment.is_writable() && segment.is_executable() => {
            Some("a segment is both writable and executable".to_owned())
        }
        elf::INTERPRETER => Some("not static: it asks for a dynamic loader".to_owned()),
        _ => None,
    });
    stack.into_iter().chain(segments)
}

#[cfg(test)]
mod tests {
    use super::complaints;
    use crate::elf::{INTERPRETER, LOAD, STACK, Segment};

    fn segment(kind: u32, flags: u32) -> Segment {
        Segment { kind, flags, file_bytes: 0, memory_bytes: 0 }
    }

    #[test]
    fn a_safe_layout_passes() {
        assert_eq!(complaints(&[segment(LOAD, 5), segment(LOAD, 6), segment(STACK, 6)]).count(), 0);
    }

    #[test]
    fn each_danger_is_named() {
        let found: Vec<_> = complaints(&[segment(LOAD, 7), segment(INTERPRETER, 4)]).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        let found: Vec<_> = complaints(&[segment(STACK, 7)]).collect();
        assert_eq!(found, ["the stack is executable"]);
    }
}
