//! Descriptors, files and memory.

use super::call::{Errno, act, call3, call5, checked, number};
use super::text::Text;

/// An open descriptor's number. Not owned: `tino` opens few, each close-on-exec.
pub type Descriptor = i32;

/// `O_RDONLY | O_CLOEXEC | O_NOCTTY`.
pub const OPEN_READ: usize = 0o2000000 | 0o400;
/// `O_PATH | O_CLOEXEC`: to name a file, not to read it.
pub const OPEN_PATH: usize = 0o12000000;
/// `O_RDONLY | O_DIRECTORY | O_CLOEXEC`.
pub const OPEN_DIRECTORY: usize = 0o2200000;

/// open(2).
pub fn open(path: Text<'_>, flags: usize) -> Result<Descriptor, Errno> {
    // SAFETY: the path is NUL-terminated and only read.
    unsafe { call3(path.address(), flags, 0, number::OPEN) }.map(u32::cast_signed)
}

/// close(2). Its error says nothing that could be acted upon.
pub fn close(fd: Descriptor) {
    // SAFETY: no memory is involved, and nothing uses a descriptor after closing it.
    let _nothing_to_do = unsafe { call3(fd as usize, 0, 0, number::CLOSE) };
}

/// Closes every descriptor from `first` up: close_range(2), Linux 5.9. On an older kernel, one
/// by one up to the highest that has a usual number.
pub fn close_from(first: Descriptor) {
    const USUAL_LIMIT: Descriptor = 1024;
    // SAFETY: as for `close`.
    if unsafe { call3(first as usize, u32::MAX as usize, 0, number::CLOSE_RANGE) }.is_err() {
        (first..USUAL_LIMIT).for_each(close);
    }
}

/// read(2): the number of bytes read, 0 at the end.
pub fn read(fd: Descriptor, buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most `len` bytes into the buffer.
    unsafe { call3(fd as usize, buffer.as_mut_ptr() as usize, buffer.len(), number::READ) }
        .map(|count| count as usize)
}

/// pread(2): like [`read`], from `offset` on.
pub fn pread(fd: Descriptor, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
    let length = buffer.len();
    // SAFETY: as for `read`.
    unsafe {
        let buffer = buffer.as_mut_ptr() as usize;
        checked(call5([fd as usize, buffer, length, offset as usize, 0], number::PREAD64))
    }
    .map(|count| count as usize)
}

/// Writes all of `bytes`, as far as `fd` takes them: a message that nobody can read is lost.
pub fn write(fd: Descriptor, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        // SAFETY: the kernel reads at most `len` bytes of the slice.
        match unsafe { call3(fd as usize, rest.as_ptr() as usize, rest.len(), number::WRITE) } {
            Ok(count) => rest = rest.get(count as usize..).unwrap_or_default(),
            Err(_) => return,
        }
    }
}

/// chdir(2).
pub fn chdir(path: Text<'_>) -> Result<(), Errno> {
    // SAFETY: the path is NUL-terminated and only read.
    unsafe { act(path.address(), 0, 0, number::CHDIR) }
}

/// Fresh zeroed memory for the rest of the process's life: an anonymous private mmap(2).
pub fn pages(length: usize) -> Result<&'static mut [u8], Errno> {
    const PROT_READ_WRITE: usize = 3;
    const MAP_PRIVATE_ANONYMOUS: usize = 0x22;
    // SAFETY: a new mapping overlaps nothing, and it is never unmapped.
    unsafe {
        let address =
            call5([0, length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, usize::MAX], number::MMAP);
        if address < 0 {
            return Err(Errno::new(-(address as i32)));
        }
        Ok(core::slice::from_raw_parts_mut(address as *mut u8, length))
    }
}

/// A folder being listed, for [`read_directory`].
pub struct Directory {
    fd: Descriptor,
    buffer: [u8; 1024],
    filled: usize,
    next: usize,
}

/// Starts listing the folder `fd`, which is closed at the end of the list.
#[must_use]
pub fn read_directory(fd: Descriptor) -> Directory {
    Directory { fd, buffer: [0; 1024], filled: 0, next: 0 }
}

impl Directory {
    /// The next entry that is named by a number, as all processes in `/proc` are; `None` at the
    /// end. Entries: `struct linux_dirent64`, getdents64(2).
    pub fn next_number(&mut self) -> Option<i32> {
        const LENGTH: usize = 16;
        const NAME: usize = 19;
        loop {
            if self.next >= self.filled {
                self.refill()?;
            }
            let entry = self.next;
            let length = [*self.buffer.get(entry + LENGTH)?, *self.buffer.get(entry + LENGTH + 1)?];
            self.next += usize::from(u16::from_le_bytes(length));
            let (mut number, mut at) = (0, entry + NAME);
            // No name is longer than its entry, and no number longer than ten digits.
            while let digit @ 0..=9 = self.buffer.get(at)?.wrapping_sub(b'0') {
                number = number * 10 + i32::from(digit);
                at += 1;
            }
            if self.buffer.get(at) == Some(&0) && number > 0 {
                return Some(number);
            }
        }
    }

    #[inline(never)]
    fn refill(&mut self) -> Option<()> {
        let buffer = self.buffer.as_mut_ptr() as usize;
        // SAFETY: the kernel writes at most `len` bytes into the buffer.
        let filled =
            unsafe { call3(self.fd as usize, buffer, self.buffer.len(), number::GETDENTS64) };
        match filled {
            Ok(filled) if filled > 0 => {
                (self.filled, self.next) = (filled as usize, 0);
                Some(())
            }
            _ => {
                close(self.fd);
                None
            }
        }
    }
}
