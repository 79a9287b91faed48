//! Rights as the kernel numbers them, and which of them a kernel has.

use super::Rules;
use sys::landlock::{self, Handled};

const EXECUTE: u64 = 1 << 0;
pub(super) const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const REMOVE_DIR: u64 = 1 << 4;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_CHAR: u64 = 1 << 6;
const MAKE_DIR: u64 = 1 << 7;
const MAKE_REG: u64 = 1 << 8;
const MAKE_SOCK: u64 = 1 << 9;
const MAKE_FIFO: u64 = 1 << 10;
const MAKE_BLOCK: u64 = 1 << 11;
const MAKE_SYM: u64 = 1 << 12;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// What `write-allow` takes away.
pub(super) const WRITE: u64 = WRITABLE | MAKE_CHAR | MAKE_BLOCK;
/// What it gives back: everything but making devices.
pub(super) const WRITABLE: u64 = WRITE_FILE
    | REMOVE_DIR
    | REMOVE_FILE
    | MAKE_DIR
    | MAKE_REG
    | MAKE_SOCK
    | MAKE_FIFO
    | MAKE_SYM
    | REFER
    | TRUNCATE;
/// What `read-allow` takes away and gives back.
pub(super) const READ: u64 = READ_FILE | READ_DIR;
/// What `exec-allow` takes away.
pub(super) const EXEC: u64 = EXECUTE;
/// What it gives back: the kernel reads what it executes.
pub(super) const EXECUTABLE: u64 = EXECUTE | READ_FILE;
/// What `device-ioctl-allow` takes away and gives back.
pub(super) const IOCTL: u64 = IOCTL_DEV;
/// The rights that there are on what is no folder.
pub(super) const ON_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

pub(super) const BIND_TCP: u64 = 1 << 0;
pub(super) const CONNECT_TCP: u64 = 1 << 1;

pub(super) const SCOPE_ABSTRACT_UNIX: u64 = 1 << 0;
pub(super) const SCOPE_SIGNALS: u64 = 1 << 1;

/// What a kernel cannot take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// What was asked for.
    pub feature: &'static str,
    /// The version of Linux that has it.
    pub since: &'static str,
}

/// What came after Landlock itself: the ABI that brought it, what it is, the rights that stand for
/// it. Moving files between folders is always forbidden before ABI 2, so nothing is lacking.
const LATER: &[(u32, Option<Lacking>, Handled)] = &[
    (2, None, filesystem(REFER)),
    (3, lacking("truncate(2)", "6.2"), filesystem(TRUNCATE)),
    (4, lacking("TCP ports", "6.7"), Handled { network: BIND_TCP | CONNECT_TCP, ..NOTHING }),
    (5, lacking("ioctl(2) on devices", "6.10"), filesystem(IOCTL_DEV)),
    (
        6,
        lacking("scopes of signals and sockets", "6.12"),
        Handled { scopes: SCOPE_ABSTRACT_UNIX | SCOPE_SIGNALS, ..NOTHING },
    ),
];

const NOTHING: Handled = Handled { filesystem: 0, network: 0, scopes: 0 };

const fn filesystem(filesystem: u64) -> Handled {
    Handled { filesystem, ..NOTHING }
}

const fn lacking(feature: &'static str, since: &'static str) -> Option<Lacking> {
    Some(Lacking { feature, since })
}

impl Rules {
    /// As much of the rules as the running kernel can enforce, and what it lacks.
    ///
    /// # Errors
    /// What it lacks, unless `warn-only` was said.
    pub fn for_this_kernel(self) -> Result<(Rules, Vec<Lacking>), Vec<Lacking>> {
        // A kernel without Landlock is as one that has nothing of it.
        let abi = landlock::abi().unwrap_or(0);
        self.for_abi(abi)
    }

    fn for_abi(mut self, abi: u32) -> Result<(Rules, Vec<Lacking>), Vec<Lacking>> {
        let mut lacking = Vec::new();
        if abi == 0 {
            lacking.push(Lacking { feature: "a program by Landlock", since: "5.13" });
            self.handled = NOTHING;
        }
        for (_, feature, rights) in LATER.iter().filter(|(since, ..)| abi < *since) {
            if take_away(&mut self.handled, rights) {
                lacking.extend(*feature);
            }
        }
        if lacking.is_empty() || self.warn_only { Ok((self, lacking)) } else { Err(lacking) }
    }
}

/// Whether there was anything of it.
fn take_away(handled: &mut Handled, rights: &Handled) -> bool {
    let before = *handled;
    handled.filesystem &= !rights.filesystem;
    handled.network &= !rights.network;
    handled.scopes &= !rights.scopes;
    *handled != before
}

impl std::fmt::Display for Lacking {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Lacking { feature, since } = self;
        write!(formatter, "this kernel cannot restrict {feature} (Linux {since} can)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::landlock::parse;

    fn rules(annotations: &[(&str, &str)]) -> Rules {
        let prefixed: Vec<_> = annotations
            .iter()
            .map(|(name, value)| (format!("{}{name}", crate::landlock::PREFIX), *value))
            .collect();
        let pairs = prefixed.iter().map(|(name, value)| (name.as_str(), *value));
        parse(pairs).unwrap().unwrap()
    }

    #[test]
    fn each_abi_has_the_rights_that_the_kernel_documents() {
        let all = rules(&[
            ("write-allow", ""),
            ("read-allow", ""),
            ("exec-allow", ""),
            ("device-ioctl-allow", ""),
            ("bind-tcp-allow", ""),
            ("connect-tcp-allow", ""),
            ("scope-signals", "true"),
            ("scope-abstract-unix", "true"),
            ("warn-only", "true"),
        ]);
        for (abi, filesystem) in [(1, 13), (2, 14), (3, 15), (4, 15), (5, 16), (6, 16), (7, 16)] {
            let (rules, _) = all.clone().for_abi(abi).unwrap();
            assert_eq!(rules.handled.filesystem, (1 << filesystem) - 1, "ABI {abi}");
            assert_eq!(rules.handled.network, if abi >= 4 { 3 } else { 0 });
            assert_eq!(rules.handled.scopes, if abi >= 6 { 3 } else { 0 });
        }
        let (nothing, lacking) = all.for_abi(0).unwrap();
        assert_eq!(nothing.handled, NOTHING);
        assert_eq!(
            lacking[0].to_string(),
            "this kernel cannot restrict a program by Landlock (Linux 5.13 can)"
        );
    }

    #[test]
    fn what_is_not_asked_for_is_not_lacking() {
        assert!(rules(&[("read-allow", "/")]).for_abi(1).is_ok());
        let lacking = rules(&[("write-allow", "/")]).for_abi(2).unwrap_err();
        assert_eq!(lacking, [Lacking { feature: "truncate(2)", since: "6.2" }]);
        assert!(rules(&[("bind-tcp-allow", "80")]).for_abi(3).is_err());
        assert!(rules(&[("scope-signals", "true")]).for_abi(5).is_err());
        assert!(rules(&[("scope-signals", "true")]).for_abi(0).is_err());
    }

    #[test]
    fn a_writable_folder_takes_no_devices() {
        assert_eq!(WRITABLE & (MAKE_CHAR | MAKE_BLOCK), 0);
        assert_eq!(WRITE | READ | EXEC | IOCTL, (1 << 16) - 1);
    }
}
