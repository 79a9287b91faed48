//! From entries to a stream of bytes, always the same bytes for the same entries.

use super::{BLOCK, Entry, Kind, Time};
use std::io::{self, Write};

/// An archive that is written from its beginning to its end: POSIX, with extended headers only
/// where the plain ones are too small.
pub struct Writer<Sink> {
    sink: Sink,
    /// How much of the entry's data is still to come.
    remaining: u64,
    padding: usize,
}

/// What no plain number field holds.
const LARGEST_SIZE: u64 = 0o777_7777_7777;
const LARGEST_OWNER: u32 = 0o777_7777;

impl<Sink: Write> Writer<Sink> {
    /// Nothing written yet.
    pub fn new(sink: Sink) -> Writer<Sink> {
        Writer { sink, remaining: 0, padding: 0 }
    }

    /// Begins an entry. If it is a regular file, `size` bytes of [`Writer::data`] must follow, all
    /// of the file: sparse ones are not written.
    ///
    /// # Errors
    /// The bytes cannot be written, or those of the entry before are not complete.
    pub fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.end_entry()?;
        if entry.attributes.iter().any(|(name, _)| name.contains(&b'=')) {
            return Err(io::Error::other("no archive can hold an attribute with = in its name"));
        }
        let mut records = Vec::new();
        let header = header(entry, &mut records);
        if !records.is_empty() {
            let extended = Entry { size: records.len() as u64, ..blank(entry) };
            let mut block = header_with_type(&extended, b'x', b"PaxHeaders", &mut Vec::new());
            set_checksum(&mut block);
            self.sink.write_all(&block)?;
            self.sink.write_all(&records)?;
            self.sink.write_all(&[0; BLOCK][..padding(records.len() as u64)])?;
        }
        self.sink.write_all(&header)?;
        if entry.kind == Kind::Regular {
            self.remaining = entry.size;
            self.padding = padding(entry.size);
        }
        Ok(())
    }

    /// Writes the next bytes of a regular file.
    ///
    /// # Errors
    /// The bytes cannot be written, or are more than were announced.
    pub fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        let left = self.remaining.checked_sub(bytes.len() as u64);
        self.remaining = left.ok_or_else(|| io::Error::other("the file grew while it was read"))?;
        self.sink.write_all(bytes)
    }

    /// Ends the archive, and gives back what it was written to.
    ///
    /// # Errors
    /// The bytes cannot be written, or those of the last entry are not complete.
    pub fn finish(mut self) -> io::Result<Sink> {
        self.end_entry()?;
        self.sink.write_all(&[0; 2 * BLOCK])?;
        Ok(self.sink)
    }

    fn end_entry(&mut self) -> io::Result<()> {
        if self.remaining > 0 {
            return Err(io::Error::other("the file shrank while it was read"));
        }
        let padding = std::mem::take(&mut self.padding);
        self.sink.write_all(&[0; BLOCK][..padding])
    }
}

fn padding(size: u64) -> usize {
    (size.wrapping_neg() % BLOCK as u64) as usize
}

/// An entry with the owner and time of this one and nothing else.
fn blank(entry: &Entry) -> Entry {
    let modified = Time { nanoseconds: 0, ..entry.modified };
    let blank = Entry::new(super::Name::default(), Kind::Regular, 0o644);
    Entry { user: entry.user, group: entry.group, modified, size: entry.size, ..blank }
}

/// The header, and in `records` what does not fit into it.
fn header(entry: &Entry, records: &mut Vec<u8>) -> [u8; BLOCK] {
    let type_byte = match entry.kind {
        Kind::Regular => b'0',
        Kind::HardLink(_) => b'1',
        Kind::SymbolicLink(_) => b'2',
        Kind::CharacterDevice(..) => b'3',
        Kind::BlockDevice(..) => b'4',
        Kind::Folder => b'5',
        Kind::Fifo => b'6',
    };
    let mut name = entry.name.as_bytes().to_vec();
    if entry.name.is_root() {
        name.extend_from_slice(b"./");
    } else if entry.kind == Kind::Folder {
        name.push(b'/');
    }
    let mut block = header_with_type(entry, type_byte, &name, records);
    match &entry.kind {
        Kind::SymbolicLink(target) => set_link(&mut block, target, records),
        Kind::HardLink(target) => set_link(&mut block, target.as_bytes(), records),
        Kind::CharacterDevice(major, minor) | Kind::BlockDevice(major, minor) => {
            set_octal(&mut block[329..337], u64::from(*major));
            set_octal(&mut block[337..345], u64::from(*minor));
        }
        Kind::Regular | Kind::Folder | Kind::Fifo => {}
    }
    for (name, value) in &entry.attributes {
        record(records, &[b"SCHILY.xattr.", name.as_slice()].concat(), value);
    }
    set_checksum(&mut block);
    block
}

fn header_with_type(
    entry: &Entry,
    type_byte: u8,
    name: &[u8],
    records: &mut Vec<u8>,
) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    set_name(&mut block, name, records);
    set_octal(&mut block[100..108], u64::from(entry.mode & 0o7777));
    set_owner(&mut block[108..116], entry.user, b"uid", records);
    set_owner(&mut block[116..124], entry.group, b"gid", records);
    let size = if matches!(entry.kind, Kind::Regular) { entry.size } else { 0 };
    if size > LARGEST_SIZE {
        record(records, b"size", size.to_string().as_bytes());
    }
    set_octal(&mut block[124..136], if size > LARGEST_SIZE { 0 } else { size });
    set_time(&mut block, entry.modified, records);
    block[156] = type_byte;
    block[257..265].copy_from_slice(b"ustar\x0000");
    set_octal(&mut block[329..337], 0);
    set_octal(&mut block[337..345], 0);
    block
}

/// Puts the name into its field, or its first part into the field for that.
fn set_name(block: &mut [u8; BLOCK], name: &[u8], records: &mut Vec<u8>) {
    let (name_room, prefix_room) = (100, 155);
    if name.len() <= name_room {
        block[..name.len()].copy_from_slice(name);
        return;
    }
    let fits = |slash: &usize| {
        *slash <= prefix_room && (1..=name_room).contains(&(name.len() - slash - 1))
    };
    let slashes = (1..name.len()).filter(|index| name[*index] == b'/');
    if let Some(slash) = slashes.rev().find(fits) {
        block[345..345 + slash].copy_from_slice(&name[..slash]);
        block[..name.len() - slash - 1].copy_from_slice(&name[slash + 1..]);
    } else {
        record(records, b"path", name);
        block[..name_room].copy_from_slice(&name[..name_room]);
    }
}

fn set_link(block: &mut [u8; BLOCK], target: &[u8], records: &mut Vec<u8>) {
    let shown = target.len().min(100);
    if target.len() > shown {
        record(records, b"linkpath", target);
    }
    block[157..157 + shown].copy_from_slice(&target[..shown]);
}

fn set_owner(field: &mut [u8], owner: u32, key: &[u8], records: &mut Vec<u8>) {
    if owner > LARGEST_OWNER {
        record(records, key, owner.to_string().as_bytes());
    }
    set_octal(field, u64::from(if owner > LARGEST_OWNER { 0 } else { owner }));
}

fn set_time(block: &mut [u8; BLOCK], time: Time, records: &mut Vec<u8>) {
    let plain = u64::try_from(time.seconds).ok().filter(|seconds| *seconds <= LARGEST_SIZE);
    if plain.is_none() || time.nanoseconds != 0 {
        record(records, b"mtime", decimals(time).as_bytes());
    }
    set_octal(&mut block[136..148], plain.unwrap_or(0));
}

/// `-1.5` for a second and a half before 1970.
fn decimals(time: Time) -> String {
    let Time { seconds, nanoseconds } = time;
    let (sign, seconds, nanoseconds) = match (seconds < 0, nanoseconds) {
        (false, _) => ("", seconds.unsigned_abs(), nanoseconds),
        (true, 0) => ("-", seconds.unsigned_abs(), 0),
        (true, _) => ("-", seconds.unsigned_abs() - 1, 1_000_000_000 - nanoseconds),
    };
    if nanoseconds == 0 {
        format!("{sign}{seconds}")
    } else {
        format!("{sign}{seconds}.{nanoseconds:09}")
    }
}

/// Appends `LENGTH KEY=VALUE`, where the length counts its own digits.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let content = key.len() + value.len() + 3;
    let mut length = content + 1;
    while length.to_string().len() + content != length {
        length = length.to_string().len() + content;
    }
    records.extend_from_slice(length.to_string().as_bytes());
    records.push(b' ');
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

fn set_octal(field: &mut [u8], value: u64) {
    let digits = format!("{value:0width$o}", width = field.len() - 1);
    field[..digits.len()].copy_from_slice(digits.as_bytes());
}

fn set_checksum(block: &mut [u8; BLOCK]) {
    block[148..156].copy_from_slice(b"        ");
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}
