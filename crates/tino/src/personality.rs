//! Which program `tino` stands in for, told by the name it is called by, so that a symbolic link
//! replaces it: its command line, defaults and exit codes. What it says is in `texts.rs`.

use crate::flags::{Id, Ids};
use crate::sys::Text;

/// The program stood in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
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

/// A set of options up to [`Id::Version`]; all options, if it is negative.
type Accepted = i16;

const ALL: Accepted = -1;

const fn set(ids: &[Id]) -> Accepted {
    let mut set = 0;
    let mut index = 0;
    while index < ids.len() {
        set |= 1 << ids[index] as u8;
        index += 1;
    }
    set
}

const TINI: Accepted = set(&[
    Id::Help,
    Id::Subreaper,
    Id::ParentDeathSignal,
    Id::Verbose,
    Id::WarnOnReap,
    Id::PgroupKill,
    Id::RemapExit,
    Id::License,
]);
const DUMB_INIT: Accepted =
    set(&[Id::SingleChild, Id::Rewrite, Id::Verbose, Id::Help, Id::Version]);
const CATATONIT: Accepted = set(&[Id::PgroupKill, Id::Help, Id::License, Id::Pause, Id::Version]);
const VERSION: Accepted = set(&[Id::Version]);

/// What each personality accepts as a letter, and as a word.
static ACCEPTED: [[Accepted; 2]; 5] =
    [[ALL, ALL], [TINI, VERSION], [DUMB_INIT, DUMB_INIT], [CATATONIT, VERSION], [VERSION, 0]];

impl Personality {
    /// The personality for a first argument such as `/sbin/docker-init`.
    #[must_use]
    pub fn of(argument: Text<'_>) -> Personality {
        let names = Text::of(c"pause catatonit dumb-init docker-init tini-static tini");
        match argument.behind_last(b'/').position(names) {
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
        let accepted = ACCEPTED[self as usize][word as usize];
        accepted as Ids & id.bit() != 0
    }

    /// The letter of `tino` for a letter of its own. Two differ.
    #[must_use]
    pub const fn letter(self, letter: u8) -> u8 {
        match (self, letter) {
            (Personality::Catatonit, b'L') => b'l',
            (Personality::Pause, b'v') => b'V',
            _ => letter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Id, Personality, Text};

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

    #[test]
    fn each_has_its_own_options() {
        for id in [Id::Version, Id::Explain, Id::Landlock, Id::ScopeAbstractUnix] {
            assert!(Personality::Tino.accepts(id, true) && Personality::Tino.accepts(id, false));
            assert_eq!(Personality::Catatonit.accepts(id, true), id == Id::Version, "{id:?}");
        }
        assert!(Personality::DumbInit.accepts(Id::Rewrite, true));
        assert!(!Personality::Tini.accepts(Id::Pause, false));
        assert!(!Personality::Pause.accepts(Id::Help, true));
    }
}
