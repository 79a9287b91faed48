//! Entry by entry.

use super::files::{File, Files, SMALL, Skipped};
use super::finish::Pending;
use super::folders::{Folders, OfEntry, display};
use super::metadata::{self, Target};
use super::special::{self, Made};
use super::whiteout::{self, Says};
use super::{Error, Options, Unpacked, data};
use crate::tar::{Entry, Kind, Name, Reader};
use kernel::path::{self, Root};
use std::io::BufRead;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use sys::OrError;
use sys::rustix::fs::{Mode, OFlags, mkdirat, open, openat};
use sys::rustix::io::Errno;
use sys::rustix::process::{getegid, geteuid};

/// Unpacks a whole archive. `umask` is what the kernel leaves away of modes.
pub(super) fn extract<Source: BufRead>(
    mut archive: Reader<Source>,
    root: &Root,
    options: &Options,
    umask: Mode,
    wrote: &(dyn Fn(u64) + Sync),
) -> Result<Unpacked, Error> {
    thread::scope(|scope| {
        let mut extraction = Extraction {
            options,
            umask,
            wrote,
            files: Files::start(scope)?,
            creator: (geteuid().as_raw(), getegid().as_raw()),
            folders: Folders::new(root, options.marks, umask),
            pending: Pending::default(),
            unpacked: Unpacked::default(),
        };
        while let Some(entry) = archive.next_entry()? {
            if extraction.unpacked.entries == 0 {
                // Until the root has an entry itself.
                extraction.folders.implied.insert(Vec::new(), entry.modified);
            }
            extraction.unpacked.entries += 1;
            if extraction.unpacked.entries > options.limits.entries {
                return Err(Error::TooManyEntries(options.limits.entries));
            }
            extraction.entry(&mut archive, entry)?;
            extraction.check_folders()?;
        }
        extraction.finish()
    })
}

/// What of a mode the kernel leaves away. There is no call that tells it without changing it for
/// all threads.
pub(super) fn umask() -> Result<Mode, sys::Error> {
    let path = c"/proc/thread-self";
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let process = open(path, flags, Mode::empty()).or_error("open", || format!("{path:?}"))?;
    let status = path::read_at(process.as_fd(), c"status", 1 << 16)?;
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Umask:"));
    let octal = line.and_then(|text| std::str::from_utf8(text).ok());
    let umask = octal.and_then(|text| u32::from_str_radix(text.trim(), 8).ok());
    // Linux before 4.7 does not say it: then every mode is set by hand.
    Ok(Mode::from_raw_mode(umask.unwrap_or(0o777)))
}

struct Extraction<'a, 'scope> {
    options: &'a Options,
    umask: Mode,
    /// Is told how much of the disk was used.
    wrote: &'a (dyn Fn(u64) + Sync),
    /// Where small files are filled.
    files: Files<'scope>,
    /// Whose new files are.
    creator: (u32, u32),
    folders: Folders<'a>,
    pending: Pending,
    unpacked: Unpacked,
}

/// What a file takes of a disk beyond its contents: its name, and the rest of its last block.
const BLOCK: u64 = 4096;

const SPECIAL_BITS: Mode = Mode::SUID.union(Mode::SGID).union(Mode::SVTX);

impl Extraction<'_, '_> {
    /// A small layer must not fill the memory either.
    fn check_folders(&self) -> Result<(), Error> {
        let most = self.options.limits.folders;
        let in_memory = self.pending.remembered + self.folders.remembered;
        if self.pending.times.length > most || in_memory > most / 32 {
            return Err(Error::TooManyFolders(most));
        }
        Ok(())
    }

    fn entry<Source: BufRead>(
        &mut self,
        archive: &mut Reader<Source>,
        mut entry: Entry,
    ) -> Result<(), Error> {
        let name = entry.name.clone();
        let (path, last) = name.split();
        let refused =
            || Error::Refused(name.clone(), "its name begins like a whiteout's".to_owned());
        match whiteout::folder_says(path) {
            Says::File => {}
            Says::Ignored => return Ok(()),
            _ => return Err(refused()),
        }
        match whiteout::says(last) {
            Says::File if name.is_root() => self.root(&mut entry),
            Says::File => self.make(archive, &mut entry, path, last),
            Says::Gone(gone) => {
                let folder = self.folders.at(path, entry.modified).of_entry(&name)?;
                let set = whiteout::set(folder.as_fd(), gone, entry.modified, self.options.marks);
                self.folders.names_say |= set.of_entry(&name)?;
                Ok(())
            }
            Says::AllGone if path.is_empty() => {
                self.unpacked.hides_all_below = true;
                Ok(())
            }
            Says::AllGone => self.hide_below(path, &entry),
            Says::Ignored => Ok(()),
            Says::Refused => Err(refused()),
        }
    }

    fn hide_below(&mut self, path: &[u8], entry: &Entry) -> Result<(), Error> {
        // Made if it is missing, and then marked under its name in the folder above.
        self.folders.at(path, entry.modified).of_entry(&entry.name)?;
        let folder = Name::new(path).unwrap_or_default();
        let (above, last) = folder.split();
        let above = self.folders.at(above, entry.modified).of_entry(&entry.name)?;
        whiteout::make_opaque(above.as_fd(), last, self.options.marks).of_entry(&entry.name)
    }

    /// The layer's own root.
    fn root(&mut self, entry: &mut Entry) -> Result<(), Error> {
        if entry.kind != Kind::Folder {
            let why = "the root of a layer can only be a folder".to_owned();
            return Err(Error::Refused(entry.name.clone(), why));
        }
        self.folders.implied.remove(&b""[..]);
        let folder = self.folders.find(b"").of_entry(&entry.name)?;
        self.pending.add(entry, folder.as_fd()).of_entry(&entry.name)?;
        self.settle_folder(folder.as_fd(), b".", entry, Mode::empty(), true)
    }

    fn make<Source: BufRead>(
        &mut self,
        archive: &mut Reader<Source>,
        entry: &mut Entry,
        path: &[u8],
        last: &[u8],
    ) -> Result<(), Error> {
        let of = entry.name.clone();
        let folder = self.folders.at(path, entry.modified).of_entry(&of)?;
        let place = Place { folder: folder.as_fd(), name: last, gives_group: folder.gives_group };
        let was_gone = self.folders.names_say
            && whiteout::clear_name(place.folder, place.name).of_entry(&of)?;
        match &entry.kind {
            Kind::Folder if was_gone => {
                self.make_folder(place, entry)?;
                whiteout::make_opaque(place.folder, place.name, self.options.marks).of_entry(&of)
            }
            Kind::Folder => self.make_folder(place, entry),
            Kind::Regular => self.make_file(archive, place, entry),
            Kind::HardLink(target) => self.make_link(place, &of, target),
            _ => self.make_special(place, entry),
        }
    }

    fn make_folder(&mut self, place: Place<'_>, entry: &mut Entry) -> Result<(), Error> {
        let of = entry.name.clone();
        self.folders.implied.remove(of.as_bytes());
        self.pending.add(entry, place.folder).of_entry(&of)?;
        let mode = permissions(entry);
        let mut is_new = true;
        let result = match mkdirat(place.folder, place.name, mode) {
            Err(Errno::EXIST) => {
                is_new = false;
                self.reuse_folder(place, mode).of_entry(&of)?;
                Ok(())
            }
            result => result,
        };
        result.or_error("mkdirat", || display(place.name)).of_entry(&of)?;
        let is_settled = is_new && !place.gives_group;
        self.settle_folder(place.folder, place.name, entry, self.umask, !is_settled)
    }

    /// A folder takes the place of what has its name, unless that is a folder itself.
    fn reuse_folder(&mut self, place: Place<'_>, mode: Mode) -> Result<(), sys::Error> {
        let make =
            || mkdirat(place.folder, place.name, mode).or_error("mkdirat", || display(place.name));
        if whiteout::clear(place.folder, place.name)? {
            make()?;
            return whiteout::make_opaque(place.folder, place.name, self.options.marks);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(place.folder, place.name, flags, Mode::empty()) {
            Ok(_) => Ok(()),
            Err(Errno::NOTDIR | Errno::LOOP) => {
                self.clear(place)?;
                make()
            }
            Err(errno) => Err(errno).or_error("openat", || display(place.name)),
        }
    }

    /// Owner, mode and attributes of a folder. What a new one has already is left as it is.
    fn settle_folder(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &[u8],
        entry: &Entry,
        umask: Mode,
        set_all: bool,
    ) -> Result<(), Error> {
        let of = &entry.name;
        let owner = self.owner(entry)?;
        if set_all || owner != self.creator {
            metadata::set_owner(folder, name, owner).of_entry(of)?;
        }
        let mode = Mode::from_raw_mode(entry.mode);
        if set_all || mode.intersects(SPECIAL_BITS | umask) {
            metadata::set_mode(folder, name, mode).of_entry(of)?;
        }
        if entry.attributes.is_empty() {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(folder, name, flags, Mode::empty());
        let opened = opened.or_error("openat", || display(name)).of_entry(of)?;
        self.set_attributes(Target::Open(opened.as_fd()), entry)
    }

    fn make_file<Source: BufRead>(
        &mut self,
        archive: &mut Reader<Source>,
        place: Place<'_>,
        entry: &Entry,
    ) -> Result<(), Error> {
        let file = self.new_file(place, entry).of_entry(&entry.name)?;
        self.unpacked.bytes += entry.size;
        (self.wrote)(entry.size.saturating_add(BLOCK));
        let owner = self.owner(entry)?;
        let is_owned = owner == self.creator && !place.gives_group;
        let mode = Mode::from_raw_mode(entry.mode);
        let has_mode = !mode.intersects(SPECIAL_BITS | self.umask);
        let file = File {
            file,
            entry: entry.clone(),
            owner: (!is_owned).then_some(owner),
            mode: (!has_mode).then_some(mode),
        };
        if entry.size <= SMALL && entry.fragments.is_none() {
            let contents = data::read_all(archive, entry)?;
            return self.files.add(file, contents);
        }
        data::write_data(archive, file.file.as_fd(), entry)?;
        file.settle(|what| skip(&mut self.unpacked.skipped, &entry.name, what))
    }

    fn new_file(&mut self, place: Place<'_>, entry: &Entry) -> Result<OwnedFd, sys::Error> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || openat(place.folder, place.name, flags, permissions(entry));
        let file = match open() {
            Err(Errno::EXIST) => {
                self.clear(place)?;
                open()
            }
            result => result,
        };
        file.or_error("openat", || format!("{}, O_CREAT|O_EXCL", display(place.name)))
    }

    fn make_link(&mut self, place: Place<'_>, of: &Name, target: &Name) -> Result<(), Error> {
        if target.is_root() {
            return Err(Error::Refused(of.clone(), "it is a hard link to a folder".to_owned()));
        }
        let (path, last) = target.split();
        let from = self.folders.find(path).of_entry(of)?;
        let link = || special::link(from.as_fd(), last, place.folder, place.name).of_entry(of);
        if link()? == Made::Yes
            || special::is_same(place.folder, place.name, from.as_fd(), last).of_entry(of)?
        {
            return Ok(());
        }
        self.clear(place).of_entry(of)?;
        link().map(|_| ())
    }

    fn make_special(&mut self, place: Place<'_>, entry: &Entry) -> Result<(), Error> {
        let of = &entry.name;
        let make = || {
            special::make(place.folder, place.name, &entry.kind, permissions(entry)).of_entry(of)
        };
        let mut made = make()?;
        if made == Made::NameTaken {
            self.clear(place).of_entry(of)?;
            made = make()?;
        }
        if made == Made::NotAllowed {
            self.skip(of, "devices cannot be made here".to_owned());
            return Ok(());
        }
        let owner = self.owner(entry)?;
        if owner != self.creator || place.gives_group {
            metadata::set_owner(place.folder, place.name, owner).of_entry(of)?;
        }
        let mode = Mode::from_raw_mode(entry.mode);
        let is_link = matches!(entry.kind, Kind::SymbolicLink(_));
        if !is_link && mode.intersects(SPECIAL_BITS | self.umask) {
            metadata::set_mode(place.folder, place.name, mode).of_entry(of)?;
        }
        self.set_attributes(Target::Named(place.folder, place.name), entry)?;
        metadata::set_times(place.folder, place.name, entry.modified, entry.accessed).of_entry(of)
    }

    /// Removes what has the name of a later entry.
    fn clear(&mut self, place: Place<'_>) -> Result<(), sys::Error> {
        self.folders.forget();
        super::remove(place.folder, place.name)
    }

    fn owner(&self, entry: &Entry) -> Result<(u32, u32), Error> {
        let outside = self.options.owners.outside(entry.user, entry.group);
        outside.map_err(|error| Error::Refused(entry.name.clone(), error.to_string()))
    }

    fn set_attributes(&mut self, target: Target<'_>, entry: &Entry) -> Result<(), Error> {
        let skip = |what| skip(&mut self.unpacked.skipped, &entry.name, what);
        metadata::set_attributes(target, entry, skip).of_entry(&entry.name)
    }

    fn skip(&mut self, name: &Name, what: String) {
        skip(&mut self.unpacked.skipped, name, what);
    }

    fn finish(mut self) -> Result<Unpacked, Error> {
        let skipped = &mut self.unpacked.skipped;
        for (name, what) in self.files.end()? {
            skip(skipped, &name, what);
        }
        self.pending.finish(&self.folders, |name, what| skip(skipped, name, what))?;
        let implied = self.folders.implied.keys().filter(|path| !path.is_empty());
        self.unpacked.implied = implied.filter_map(|path| Name::new(path).ok()).collect();
        Ok(self.unpacked)
    }
}

/// Where an entry goes.
#[derive(Clone, Copy)]
struct Place<'a> {
    folder: BorrowedFd<'a>,
    name: &'a [u8],
    gives_group: bool,
}

fn permissions(entry: &Entry) -> Mode {
    Mode::from_raw_mode(entry.mode & 0o777)
}

/// Remembers what was not kept, unless that is too much already.
pub(super) fn skip(skipped: &mut Skipped, name: &Name, what: String) {
    if skipped.len() < Unpacked::MOST_SKIPPED {
        skipped.push((name.clone(), what));
    }
}
