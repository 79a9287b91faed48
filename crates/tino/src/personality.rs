//! Which program `tino` stands in for, told by the name it is called by, so that a symbolic link
//! replaces it: its command line, defaults, exit codes and the words that scripts look for.

use core::ffi::CStr;

use crate::flags::Id;
use crate::sys::Text;
use crate::value::{Value, position};

/// The program stood in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Personality {
    /// `tino` itself, under any other name.
    Tino,
    /// tini 0.19: `tini`, `tini-static`, `docker-init`.
    Tini,
    /// dumb-init 1.2.5.
    DumbInit,
    /// catatonit 0.2.1.
    Catatonit,
    /// The pause program of Kubernetes.
    Pause,
}

/// A set of options, bit n for the option with number n.
type Ids = u64;

#[inline(never)]
const fn ids(list: &[Id]) -> Ids {
    let mut set = 0;
    let mut index = 0;
    while index < list.len() {
        set |= 1 << list[index] as u8;
        index += 1;
    }
    set
}

impl Personality {
    /// The personality for a first argument such as `/sbin/docker-init`.
    #[must_use]
    pub fn of(argument: Text<'_>) -> Personality {
        const NAMES: &CStr = c"pause catatonit dumb-init docker-init tini-static tini";
        let mut name = argument;
        let mut rest = argument;
        while let Some(byte) = rest.next() {
            if byte == b'/' {
                name = rest;
            }
        }
        match position(Value::all(name), Text::of(NAMES)) {
            None => Personality::Tino,
            Some(0) => Personality::Pause,
            Some(1) => Personality::Catatonit,
            Some(2) => Personality::DumbInit,
            Some(_) => Personality::Tini,
        }
    }

    /// Whether its command line has this option, spelled as one letter or as a word.
    #[must_use]
    pub const fn accepts(self, id: Id, word: bool) -> bool {
        const TINI: Ids = ids(&[
            Id::Help,
            Id::Subreaper,
            Id::ParentDeathSignal,
            Id::Verbose,
            Id::WarnOnReap,
            Id::PgroupKill,
            Id::RemapExit,
            Id::License,
        ]);
        const DUMB_INIT: Ids =
            ids(&[Id::SingleChild, Id::Rewrite, Id::Verbose, Id::Help, Id::Version]);
        const CATATONIT: Ids =
            ids(&[Id::PgroupKill, Id::Help, Id::License, Id::Pause, Id::Version]);
        let accepted = match self {
            Personality::Tino => Ids::MAX,
            Personality::Tini if !word => TINI,
            Personality::DumbInit => DUMB_INIT,
            Personality::Catatonit if !word => CATATONIT,
            Personality::Catatonit => ids(&[Id::Version]),
            Personality::Tini | Personality::Pause => 0,
        };
        accepted & (1 << id as u8) != 0
    }

    /// What `--version` prints. Docker reads `tini version` of its `docker-init`; catatonit says
    /// the same for Docker's sake.
    #[must_use]
    pub const fn version(self) -> &'static [u8] {
        match self {
            Personality::Tino => concat!("tino ", env!("CARGO_PKG_VERSION"), "\n").as_bytes(),
            Personality::Tini => {
                concat!("tini version 0.19.0 - tino ", env!("CARGO_PKG_VERSION"), "\n").as_bytes()
            }
            Personality::DumbInit => b"dumb-init v1.2.5\n",
            Personality::Catatonit => b"tini version 0.2.1_catatonit\n",
            Personality::Pause => {
                concat!("pause (tino ", env!("CARGO_PKG_VERSION"), ")\n").as_bytes()
            }
        }
    }

    /// What is said on a wrong command line, and as help by all but `tino` itself.
    #[must_use]
    pub const fn usage(self) -> &'static [u8] {
        match self {
            Personality::Tino | Personality::Pause => b"See tino --help\n",
            Personality::Tini => {
                b"Usage: tini [-ghlsvw] [-p SIGNAL] [-e EXIT_CODE] [--] PROGRAM [ARGS] | --version\n"
            }
            Personality::DumbInit => {
                b"Usage: dumb-init [-chvV] [-r|--rewrite S:R] [--single-child] program [args]\n"
            }
            Personality::Catatonit => b"usage: catatonit [-ghLPV] [--] PROGRAM [ARGS]\n",
        }
    }

    /// The exit code of a wrong command line.
    #[must_use]
    #[inline(never)]
    pub const fn usage_code(self) -> i32 {
        if matches!(self, Personality::Tino) { 2 } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::{Personality, Text};

    #[test]
    fn the_last_part_of_the_name_decides() {
        for (name, is) in [
            (c"/sbin/docker-init", Personality::Tini),
            (c"tini", Personality::Tini),
            (c"./tini-static", Personality::Tini),
            (c"/usr/bin/dumb-init", Personality::DumbInit),
            (c"/catatonit", Personality::Catatonit),
            (c"/pause", Personality::Pause),
            (c"/tini/tino", Personality::Tino),
            (c"/run/podman-init", Personality::Tino),
            (c"", Personality::Tino),
            (c"tini2", Personality::Tino),
        ] {
            assert_eq!(Personality::of(Text::of(name)), is, "{name:?}");
        }
    }
}
