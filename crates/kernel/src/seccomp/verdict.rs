//! What a filter may answer.

/// The answer of a filter: `SECCOMP_RET_*`, with its data in the lower half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict(pub(super) u32);

impl Verdict {
    pub(super) const KILL_THREAD: Verdict = Verdict(0);
    pub(super) const TRAP: Verdict = Verdict(0x0003_0000);
    pub(super) const ERRNO: Verdict = Verdict(0x0005_0000);
    pub(super) const NOTIFY: Verdict = Verdict(0x7fc0_0000);
    pub(super) const TRACE: Verdict = Verdict(0x7ff0_0000);
    pub(super) const LOG: Verdict = Verdict(0x7ffc_0000);
    pub(super) const ALLOW: Verdict = Verdict(0x7fff_0000);
    pub(super) const KILL_PROCESS: Verdict = Verdict(0x8000_0000);

    /// `ENOSYS`: there is no such call.
    pub(super) const NO_SUCH_CALL: Verdict = Verdict(Verdict::ERRNO.0 | 38);

    /// The action without its data.
    pub(super) fn action(self) -> Verdict {
        Verdict(self.0 & 0xffff_0000)
    }
}

/// All actions, by libseccomp's words.
pub const ACTIONS: &[&str] = &[
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];

/// The action of this word, without data.
pub(super) fn from_word(word: &str) -> Option<Verdict> {
    Some(match word {
        "SCMP_ACT_ALLOW" => Verdict::ALLOW,
        "SCMP_ACT_ERRNO" => Verdict::ERRNO,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Verdict::KILL_THREAD,
        "SCMP_ACT_KILL_PROCESS" => Verdict::KILL_PROCESS,
        "SCMP_ACT_LOG" => Verdict::LOG,
        "SCMP_ACT_NOTIFY" => Verdict::NOTIFY,
        "SCMP_ACT_TRACE" => Verdict::TRACE,
        "SCMP_ACT_TRAP" => Verdict::TRAP,
        _ => return None,
    })
}

/// The words of those [`ACTIONS`] that the running kernel knows.
#[must_use]
pub fn supported_actions() -> Vec<&'static str> {
    let known = |word: &&str| from_word(word).is_some_and(|it| sys::seccomp::knows_action(it.0));
    ACTIONS.iter().copied().filter(known).collect()
}

#[cfg(test)]
mod tests {
    use super::{ACTIONS, from_word, supported_actions};

    #[test]
    fn every_word_is_an_action() {
        assert!(ACTIONS.iter().all(|word| from_word(word).is_some()));
        assert!(ACTIONS.is_sorted());
        assert_eq!(from_word("SCMP_ACT_allow"), None);
    }

    #[test]
    fn this_kernel_can_allow() {
        assert!(supported_actions().contains(&"SCMP_ACT_ALLOW"));
    }
}
