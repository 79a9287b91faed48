//! Resource limits, getrlimit(2).

use sys::OrError;
use sys::rustix::process::{Resource, Rlimit, setrlimit};

/// All kinds, by name.
const KINDS: [(&str, Resource); 16] = [
    ("RLIMIT_AS", Resource::As),
    ("RLIMIT_CORE", Resource::Core),
    ("RLIMIT_CPU", Resource::Cpu),
    ("RLIMIT_DATA", Resource::Data),
    ("RLIMIT_FSIZE", Resource::Fsize),
    ("RLIMIT_LOCKS", Resource::Locks),
    ("RLIMIT_MEMLOCK", Resource::Memlock),
    ("RLIMIT_MSGQUEUE", Resource::Msgqueue),
    ("RLIMIT_NICE", Resource::Nice),
    ("RLIMIT_NOFILE", Resource::Nofile),
    ("RLIMIT_NPROC", Resource::Nproc),
    ("RLIMIT_RSS", Resource::Rss),
    ("RLIMIT_RTPRIO", Resource::Rtprio),
    ("RLIMIT_RTTIME", Resource::Rttime),
    ("RLIMIT_SIGPENDING", Resource::Sigpending),
    ("RLIMIT_STACK", Resource::Stack),
];

/// A limit of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    name: &'static str,
    kind: Resource,
    /// What counts; `u64::MAX` for none.
    soft: u64,
    /// The most that the process may set itself; `u64::MAX` for none.
    hard: u64,
}

/// No limit has this name.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no limit; they are named RLIMIT_NOFILE, RLIMIT_NPROC, ... (getrlimit(2))")]
pub struct UnknownLimit(String);

/// The names of all kinds of limits, sorted.
pub fn limit_names() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(name, _)| *name)
}

impl Limit {
    /// A limit of the kind with this name.
    ///
    /// # Errors
    /// There is no such kind.
    pub fn new(name: &str, soft: u64, hard: u64) -> Result<Limit, UnknownLimit> {
        let found = KINDS.iter().find(|(known, _)| *known == name);
        let (name, kind) = *found.ok_or_else(|| UnknownLimit(name.into()))?;
        Ok(Limit { name, kind, soft, hard })
    }
}

/// Sets limits of the calling process.
///
/// # Errors
/// EPERM for a hard limit above the one it has, without CAP_SYS_RESOURCE in the initial user
/// namespace; EINVAL for a soft one above the hard one.
pub fn set_limits(limits: &[Limit]) -> Result<(), sys::Error> {
    let value = |number: u64| (number != u64::MAX).then_some(number);
    for Limit { name, kind, soft, hard } in limits {
        let limit = Rlimit { current: value(*soft), maximum: value(*hard) };
        setrlimit(*kind, limit).or_error("setrlimit", || format!("{name}, {soft}, {hard}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Limit;

    #[test]
    fn kinds_have_their_names() {
        assert_eq!(Limit::new("RLIMIT_NOFILE", 1, 2).unwrap().name, "RLIMIT_NOFILE");
        for name in ["RLIMIT_", "NOFILE", "rlimit_nofile", ""] {
            assert!(Limit::new(name, 1, 2).is_err(), "{name}");
        }
    }
}
