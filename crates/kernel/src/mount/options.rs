//! The option strings of a mount, as fstab(5), mount(8) and the runtime specification spell them.

use super::{Attributes, Propagation, PropagationKind};
use sys::mount::{
    MOUNT_ATTR_ATIME, MOUNT_ATTR_NOATIME, MOUNT_ATTR_NODEV, MOUNT_ATTR_NODIRATIME,
    MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_RDONLY,
    MOUNT_ATTR_RELATIME, MOUNT_ATTR_STRICTATIME,
};
use sys::rustix::mount::MountFlags;

/// What a list of option strings asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `bind` (false) or `rbind` (true).
    pub bind: Option<bool>,
    /// `remount`.
    pub remount: bool,
    /// Of the mount itself.
    pub attributes: Attributes,
    /// Of the mount and all below it, of the strings with an `r` in front. Applied after
    /// `attributes`.
    pub recursive: Attributes,
    /// Of the file system: `MS_SYNCHRONOUS`, `MS_DIRSYNC`, `MS_MANDLOCK`, `MS_LAZYTIME`,
    /// `MS_I_VERSION`, `MS_SILENT`. They mean nothing for a bind mount.
    pub file_system: FileSystemFlags,
    /// In the order given; each is applied.
    pub propagation: Vec<Propagation>,
    /// `tmpcopyup`: begin with a copy of what the mount covers.
    pub copy_up: bool,
    /// `idmap` (false) or `ridmap` (true).
    pub idmap: Option<bool>,
    /// What is no word of this list, joined with commas: for the file system itself.
    pub data: String,
}

/// Flags of mount(2) that belong to a file system, not to a mount of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileSystemFlags(u32);

impl FileSystemFlags {
    pub(super) fn mount_flags(self) -> MountFlags {
        MountFlags::from_bits_retain(self.0)
    }

    /// No flag.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What one word does.
#[derive(Clone, Copy)]
enum Meaning {
    Nothing,
    Set(u64),
    Clear(u64),
    AccessTime(u64),
    SetAll(u64),
    ClearAll(u64),
    AccessTimeOfAll(u64),
    SetFlag(MountFlags),
    ClearFlag(MountFlags),
    Bind(bool),
    Remount,
    Propagate(PropagationKind, bool),
    CopyUp,
    IdMap(bool),
}

use Meaning::{
    AccessTime, AccessTimeOfAll, Bind, Clear, ClearAll, ClearFlag, CopyUp, IdMap, Nothing,
    Propagate, Remount, Set, SetAll, SetFlag,
};
use PropagationKind::{Private, Shared, Slave, Unbindable};

/// `MS_I_VERSION`, which rustix lacks.
const I_VERSION: MountFlags = MountFlags::from_bits_retain(1 << 23);
const MANDLOCK: MountFlags = MountFlags::PERMIT_MANDATORY_FILE_LOCKING;

/// All words, sorted.
///
/// `relatime` is what the kernel does when nothing is said, so the words that take another choice
/// back (`atime`, `nostrictatime`) lead to it, and `norelatime` says nothing, as with mount(8).
// tidy: table
const TABLE: &[(&str, Meaning)] = &[
    ("async", ClearFlag(MountFlags::SYNCHRONOUS)),
    ("atime", AccessTime(MOUNT_ATTR_RELATIME)),
    ("bind", Bind(false)),
    ("defaults", Nothing),
    ("dev", Clear(MOUNT_ATTR_NODEV)),
    ("diratime", Clear(MOUNT_ATTR_NODIRATIME)),
    ("dirsync", SetFlag(MountFlags::DIRSYNC)),
    ("exec", Clear(MOUNT_ATTR_NOEXEC)),
    ("idmap", IdMap(false)),
    ("iversion", SetFlag(I_VERSION)),
    ("lazytime", SetFlag(MountFlags::LAZYTIME)),
    ("loud", ClearFlag(MountFlags::SILENT)),
    ("mand", SetFlag(MANDLOCK)),
    ("noatime", AccessTime(MOUNT_ATTR_NOATIME)),
    ("nodev", Set(MOUNT_ATTR_NODEV)),
    ("nodiratime", Set(MOUNT_ATTR_NODIRATIME)),
    ("noexec", Set(MOUNT_ATTR_NOEXEC)),
    ("noiversion", ClearFlag(I_VERSION)),
    ("nolazytime", ClearFlag(MountFlags::LAZYTIME)),
    ("nomand", ClearFlag(MANDLOCK)),
    ("norelatime", Nothing),
    ("nostrictatime", AccessTime(MOUNT_ATTR_RELATIME)),
    ("nosuid", Set(MOUNT_ATTR_NOSUID)),
    ("nosymfollow", Set(MOUNT_ATTR_NOSYMFOLLOW)),
    ("private", Propagate(Private, false)),
    ("ratime", AccessTimeOfAll(MOUNT_ATTR_RELATIME)),
    ("rbind", Bind(true)),
    ("rdev", ClearAll(MOUNT_ATTR_NODEV)),
    ("rdiratime", ClearAll(MOUNT_ATTR_NODIRATIME)),
    ("relatime", AccessTime(MOUNT_ATTR_RELATIME)),
    ("remount", Remount),
    ("rexec", ClearAll(MOUNT_ATTR_NOEXEC)),
    ("ridmap", IdMap(true)),
    ("rnoatime", AccessTimeOfAll(MOUNT_ATTR_NOATIME)),
    ("rnodev", SetAll(MOUNT_ATTR_NODEV)),
    ("rnodiratime", SetAll(MOUNT_ATTR_NODIRATIME)),
    ("rnoexec", SetAll(MOUNT_ATTR_NOEXEC)),
    ("rnorelatime", Nothing),
    ("rnostrictatime", AccessTimeOfAll(MOUNT_ATTR_RELATIME)),
    ("rnosuid", SetAll(MOUNT_ATTR_NOSUID)),
    ("rnosymfollow", SetAll(MOUNT_ATTR_NOSYMFOLLOW)),
    ("ro", Set(MOUNT_ATTR_RDONLY)),
    ("rprivate", Propagate(Private, true)),
    ("rrelatime", AccessTimeOfAll(MOUNT_ATTR_RELATIME)),
    ("rro", SetAll(MOUNT_ATTR_RDONLY)),
    ("rrw", ClearAll(MOUNT_ATTR_RDONLY)),
    ("rshared", Propagate(Shared, true)),
    ("rslave", Propagate(Slave, true)),
    ("rstrictatime", AccessTimeOfAll(MOUNT_ATTR_STRICTATIME)),
    ("rsuid", ClearAll(MOUNT_ATTR_NOSUID)),
    ("rsymfollow", ClearAll(MOUNT_ATTR_NOSYMFOLLOW)),
    ("runbindable", Propagate(Unbindable, true)),
    ("rw", Clear(MOUNT_ATTR_RDONLY)),
    ("shared", Propagate(Shared, false)),
    ("silent", SetFlag(MountFlags::SILENT)),
    ("slave", Propagate(Slave, false)),
    ("strictatime", AccessTime(MOUNT_ATTR_STRICTATIME)),
    ("suid", Clear(MOUNT_ATTR_NOSUID)),
    ("symfollow", Clear(MOUNT_ATTR_NOSYMFOLLOW)),
    ("sync", SetFlag(MountFlags::SYNCHRONOUS)),
    ("tmpcopyup", CopyUp),
    ("unbindable", Propagate(Unbindable, false)),
];

/// All option strings that have a meaning of their own, sorted, as `features` lists them.
pub fn option_names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

impl Options {
    /// Reads a list of option strings. A later one wins over an earlier one that contradicts it.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Options {
        let mut options = Options::default();
        for word in words {
            match TABLE.binary_search_by(|(name, _)| (*name).cmp(word)) {
                Ok(index) => options.add(TABLE[index].1),
                Err(_) if word.is_empty() => {}
                Err(_) => {
                    if !options.data.is_empty() {
                        options.data.push(',');
                    }
                    options.data.push_str(word);
                }
            }
        }
        options
    }

    fn add(&mut self, meaning: Meaning) {
        let set = |set| Attributes { set, clear: 0 };
        let clear = |clear| Attributes { set: 0, clear };
        let access_time = |set| Attributes { set, clear: MOUNT_ATTR_ATIME };
        match meaning {
            Nothing => {}
            Set(it) => self.attributes = self.attributes.then(set(it)),
            Clear(it) => self.attributes = self.attributes.then(clear(it)),
            AccessTime(it) => self.attributes = self.attributes.then(access_time(it)),
            SetAll(it) => self.recursive = self.recursive.then(set(it)),
            ClearAll(it) => self.recursive = self.recursive.then(clear(it)),
            AccessTimeOfAll(it) => self.recursive = self.recursive.then(access_time(it)),
            SetFlag(it) => self.file_system.0 |= it.bits(),
            ClearFlag(it) => self.file_system.0 &= !it.bits(),
            Bind(recursive) => self.bind = Some(recursive),
            Remount => self.remount = true,
            Propagate(kind, recursive) => self.propagation.push(Propagation { kind, recursive }),
            CopyUp => self.copy_up = true,
            IdMap(recursive) => self.idmap = Some(recursive),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Options {
        Options::parse(words.split_whitespace())
    }

    #[test]
    fn all_words_of_the_specification_are_known() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
        let known: Vec<_> = option_names().collect();
        let wanted = "async atime bind defaults dev diratime dirsync exec idmap iversion lazytime \
            loud mand noatime nodev nodiratime noexec noiversion nolazytime nomand norelatime \
            nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime relatime remount \
            rexec ridmap rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid \
            rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid \
            rsymfollow runbindable rw shared silent slave strictatime suid symfollow sync \
            tmpcopyup unbindable";
        assert_eq!(known, wanted.split_whitespace().collect::<Vec<_>>());
    }

    #[test]
    fn the_last_word_wins() {
        assert_eq!(parse("ro rw").attributes, Attributes { set: 0, clear: MOUNT_ATTR_RDONLY });
        assert_eq!(parse("rw ro").attributes, Attributes { set: MOUNT_ATTR_RDONLY, clear: 0 });
        let noatime = Attributes { set: MOUNT_ATTR_NOATIME, clear: MOUNT_ATTR_ATIME };
        assert_eq!(parse("strictatime noatime").attributes, noatime);
        assert_eq!(parse("noatime relatime").attributes.set, 0);
        assert!(parse("sync async").file_system.is_empty());
    }

    #[test]
    fn words_with_an_r_are_for_all_below() {
        let options = parse("rbind ro rro rnosuid rrw");
        assert_eq!(options.bind, Some(true));
        assert_eq!(options.attributes, Attributes::READ_ONLY);
        let recursive = Attributes { set: MOUNT_ATTR_NOSUID, clear: MOUNT_ATTR_RDONLY };
        assert_eq!(options.recursive, recursive);
    }

    #[test]
    fn the_rest_is_for_the_file_system() {
        let options = parse("nosuid mode=755 size=65536k newinstance");
        assert_eq!(options.data, "mode=755,size=65536k,newinstance");
        assert_eq!(options.attributes.set, MOUNT_ATTR_NOSUID);
        // Words are not parts of words.
        assert_eq!(parse("row").data, "row");
    }

    #[test]
    fn propagation_keeps_its_order() {
        let options = parse("rprivate shared");
        let private = Propagation { kind: Private, recursive: true };
        let shared = Propagation { kind: Shared, recursive: false };
        assert_eq!(options.propagation, [private, shared]);
    }
}
