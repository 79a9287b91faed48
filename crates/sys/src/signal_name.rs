//! Names of signals.

/// Signals of signal(7) on x86-64, in the order of their numbers, from 1.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// Second names.
const ALIASES: [(&str, i32); 4] = [("IOT", 6), ("CLD", 17), ("POLL", 29), ("UNUSED", 31)];

/// Real-time signals, as programs number them that use glibc.
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

/// A signal by its name, with or without `SIG` and in any case, or by its number.
#[must_use]
pub fn parse(text: &str) -> Option<i32> {
    match text.parse() {
        Ok(number) => Some(number).filter(|number| (0..=64).contains(number)),
        Err(_) => by_name(text),
    }
}

/// What a signal is called, as `SIGTERM`; a number for those without a name.
#[must_use]
pub fn name(signal: i32) -> String {
    let index = usize::try_from(signal - 1).unwrap_or(usize::MAX);
    NAMES.get(index).map_or_else(|| signal.to_string(), |name| format!("SIG{name}"))
}

fn by_name(text: &str) -> Option<i32> {
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    if let Some(index) = NAMES.iter().position(|known| *known == name) {
        return i32::try_from(index + 1).ok();
    }
    if let Some((_, number)) = ALIASES.iter().find(|(known, _)| *known == name) {
        return Some(*number);
    }
    real_time(name)
}

/// `RTMIN+3`, `RTMAX-1`.
fn real_time(name: &str) -> Option<i32> {
    let offset = |text: &str, sign| match text {
        "" => Some(0),
        _ => text.strip_prefix(sign)?.parse::<u8>().ok().map(i32::from),
    };
    let number = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(text), _) => REAL_TIME.start() + offset(text, '+')?,
        (_, Some(text)) => REAL_TIME.end() - offset(text, '-')?,
        _ => return None,
    };
    REAL_TIME.contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn names_and_numbers() {
        for (text, number) in [
            ("TERM", 15),
            ("SIGKILL", 9),
            ("sigusr1", 10),
            ("hup", 1),
            ("SYS", 31),
            ("POLL", 29),
            ("9", 9),
            ("0", 0),
            ("64", 64),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("rtmax-1", 63),
        ] {
            assert_eq!(parse(text), Some(number), "{text}");
        }
        for text in ["", "SIG", "TERMINATE", "-9", "65", "RTMIN+31", "RTMAX-31", "RTMIN-1", "9 "] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
