//! Signal numbers and names, signal(7).

use core::ffi::CStr;

use crate::sys::{SignalSet, Text};

#[allow(missing_docs, reason = "the names are the kernel's")]
pub mod signal {
    pub const HUP: i32 = 1;
    pub const INT: i32 = 2;
    pub const QUIT: i32 = 3;
    pub const KILL: i32 = 9;
    pub const PIPE: i32 = 13;
    pub const TERM: i32 = 15;
    pub const CHLD: i32 = 17;
    pub const CONT: i32 = 18;
    pub const STOP: i32 = 19;
    pub const TSTP: i32 = 20;
    pub const TTIN: i32 = 21;
    pub const TTOU: i32 = 22;
    pub const WINCH: i32 = 28;
}

/// The highest signal number.
pub const LAST: i32 = 64;

/// Names in the order of their numbers, from 1. Small letters stand for capital ones, too.
const NAMES: &CStr =
    c"hup int quit ill trap abrt bus fpe kill usr1 segv usr2 pipe alrm term stkflt \
chld cont stop tstp ttin ttou urg xcpu xfsz vtalrm prof winch io pwr sys";

/// SIGRTMIN as C libraries and `kill -l` have it: they keep 32 and 33 for their threads.
const RTMIN: i32 = 34;

/// The set that holds `signal` alone.
#[must_use]
pub const fn set(signal: i32) -> SignalSet {
    1 << (signal - 1)
}

/// Signals by which the kernel tells a process of its own fault: ILL TRAP ABRT BUS FPE SEGV SYS.
pub const FAULTS: SignalSet = set(4) | set(5) | set(6) | set(7) | set(8) | set(11) | set(31);

/// Signals that stop a job from its terminal.
pub const JOB_STOPS: SignalSet = set(signal::TSTP) | set(signal::TTIN) | set(signal::TTOU);

/// Signals that ask a program to end.
pub const STOPS: SignalSet = set(signal::TERM) | set(signal::INT) | set(signal::QUIT);

/// Whether `signal` is in `set`.
#[must_use]
pub const fn contains(signals: SignalSet, signal: i32) -> bool {
    signals & set(signal) != 0
}

/// The number of a signal given as a number, `TERM`, `sigterm`, `RTMIN+3` or `RTMAX-1`.
#[must_use]
#[inline(never)]
pub fn parse(value: Text<'_>) -> Option<i32> {
    let number = if let Some(number) = value.number(LAST as u32) {
        number.cast_signed()
    } else {
        let name = value.after_word(Text::of(c"sig")).unwrap_or(value);
        if let Some(offset) = name.after_word(Text::of(c"rtmin")) {
            RTMIN + real_time(offset, b'+')?
        } else if let Some(offset) = name.after_word(Text::of(c"rtmax")) {
            LAST - real_time(offset, b'-')?
        } else {
            name.position(Text::of(NAMES))?.cast_signed() + 1
        }
    };
    (number != 0).then_some(number)
}

/// The number after the sign, at most as large as there are real-time signals.
#[inline(never)]
fn real_time(offset: Text<'_>, sign: u8) -> Option<i32> {
    if offset.first() == 0 {
        return Some(0);
    }
    let number = offset.rest().number((LAST - RTMIN) as u32)?;
    (offset.first() == sign).then_some(number.cast_signed())
}

#[cfg(test)]
mod tests {
    use crate::sys::Text;
    use std::ffi::CString;

    fn parse(text: &str) -> Option<i32> {
        let text = CString::new(text).unwrap();
        super::parse(Text::of(&text))
    }

    #[test]
    fn names_and_numbers() {
        for (text, number) in [
            ("TERM", 15),
            ("SIGTERM", 15),
            ("sigterm", 15),
            ("Hup", 1),
            ("SYS", 31),
            ("64", 64),
            ("1", 1),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("RTMIN+30", 64),
            ("RTMAX", 64),
            ("rtmax-30", 34),
            ("IO", 29),
        ] {
            assert_eq!(parse(text), Some(number), "{text}");
        }
    }

    #[test]
    fn nothing_else() {
        for text in [
            "",
            "0",
            "65",
            "SIG",
            "TER",
            "TERMX",
            "RTMIN-1",
            "RTMIN+31",
            "RTMAX+1",
            "RTMAX-31",
            "HUP INT",
            "-15",
            "RTMAX-4294967295",
            "RTMIN+4294967295",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
