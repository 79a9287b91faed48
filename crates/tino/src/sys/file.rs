//! Descriptors, files and memory.

use super::buffer::{Buffer, Room};
use super::call::{Errno, act, call3, call4, number};
use super::text::Text;

/// An open descriptor's number. Not owned: `tino` opens few, each close-on-exec.
pub type Descriptor = u32;

/// In place of a descriptor: none.
pub const NONE: Descriptor = u32::MAX;

/// `O_RDONLY | O_CLOEXEC | O_NOCTTY`.
pub const OPEN_READ: usize = 0o2000000 | 0o400;
/// `O_PATH | O_CLOEXEC`: to name a file, not to read it.
pub const OPEN_PATH: usize = 0o12000000;

/// open(2).
pub fn open(path: Text<'_>, flags: usize) -> Result<Descriptor, Errno> {
    // SAFETY: the path is NUL-terminated and only read.
    unsafe { call3(path.address(), flags, 0, number::OPEN) }
}

/// close(2). Its error says nothing that could be acted upon.
#[inline(never)]
pub fn close(fd: Descriptor) {
    // SAFETY: no memory is involved, and nothing uses a descriptor after closing it.
    let _nothing_to_do = unsafe { call3(fd as usize, 0, 0, number::CLOSE) };
}

/// Closes every descriptor from `first` up: close_range(2), Linux 5.9. On an older kernel, one
/// by one up to the highest that has a usual number.
pub fn close_from(first: Descriptor) {
    const USUAL_LIMIT: Descriptor = 1024;
    // SAFETY: as for `close`.
    if unsafe { act(first as usize, u32::MAX as usize, 0, number::CLOSE_RANGE) }.is_err() {
        let mut fd = first;
        while fd < USUAL_LIMIT {
            close(fd);
            fd += 1;
        }
    }
}

/// read(2) to the end of what is in the buffer: how much there was, and room for it.
pub fn read(fd: Descriptor, buffer: &mut Buffer<'_>) -> Result<u32, Errno> {
    let (address, room) = buffer.room();
    // SAFETY: the kernel writes at most `room` bytes into the buffer's memory, and says how many.
    unsafe {
        let count = call3(fd as usize, address, room, number::READ)?;
        buffer.grow(count as usize);
        Ok(count)
    }
}

/// pread(2): fills `buffer` from `offset` on, as far as there is anything to read.
pub fn pread(fd: Descriptor, buffer: &mut [u8], offset: u64) {
    let (address, length) = (buffer.as_mut_ptr() as usize, buffer.len());
    // SAFETY: the kernel writes at most `length` bytes into the buffer.
    unsafe { call4(fd as usize, address, length, number::PREAD64, offset as usize) };
}

/// Writes a line, which the kernel takes as a whole or, where nobody can read it, not at all.
pub fn write(fd: Descriptor, line: &Buffer<'_>) {
    let bytes = line.bytes();
    // SAFETY: the kernel reads at most `len` bytes of the slice.
    let _nobody_reads_it =
        unsafe { call3(fd as usize, bytes.as_ptr() as usize, bytes.len(), number::WRITE) };
}

/// chdir(2) to the root.
pub fn chdir_to_root() {
    let root = Text::of(c"/").address();
    // SAFETY: the path is NUL-terminated and only read.
    let _stays_where_it_is = unsafe { call3(root, 0, 0, number::CHDIR) };
}

/// Fresh memory for the rest of the process's life: an anonymous private mmap(2). The kernel gives
/// it as it is written to, page by page.
#[must_use]
pub fn pages<const SIZE: usize>() -> Option<&'static mut Room<SIZE>> {
    const PROT_READ_WRITE: usize = 3;
    const MAP_PRIVATE_ANONYMOUS: usize = 0x22;
    // SAFETY: a new mapping overlaps nothing, and is so long. Linux does not look at the descriptor.
    unsafe {
        let address = call4(0, SIZE, PROT_READ_WRITE, number::MMAP, MAP_PRIVATE_ANONYMOUS);
        if address < 0 { None } else { (address as *mut Room<SIZE>).as_mut() }
    }
}

/// A part of the program itself in memory, which is only read.
#[derive(Clone, Copy)]
pub struct Image {
    first: *const u8,
    end: *const u8,
}

impl Image {
    /// # Safety
    ///
    /// Both are at the beginning of pages, and the pages from `first` up to `end` hold nothing but
    /// what the program's file holds.
    #[must_use]
    pub const unsafe fn new(first: *const u8, end: *const u8) -> Image {
        Image { first, end }
    }

    /// Gives the memory back: `MADV_DONTNEED`. What is used again comes from the file again.
    pub fn forget(self) {
        const MADV_DONTNEED: usize = 4;
        let length = self.end as usize - self.first as usize;
        // SAFETY: by `new`, nothing is lost.
        let _takes_no_less_memory_then =
            unsafe { call3(self.first as usize, length, MADV_DONTNEED, number::MADVISE) };
    }
}

/// A folder being listed.
pub struct Directory {
    fd: Descriptor,
    next: usize,
    filled: usize,
    buffer: [u64; 128],
}

impl Directory {
    /// Starts listing a folder.
    pub fn open(path: Text<'_>) -> Result<Directory, Errno> {
        const OPEN_DIRECTORY: usize = 0o2200000;
        Ok(Directory { fd: open(path, OPEN_DIRECTORY)?, next: 0, filled: 0, buffer: [0; 128] })
    }

    /// The next entry that is named by a number, as all processes in `/proc` are; `None` at the
    /// end, where the folder is closed. Entries: `struct linux_dirent64`, getdents64(2).
    pub fn next_number(&mut self) -> Option<u32> {
        const LENGTH: usize = 16;
        const NAME: usize = 19;
        let buffer = self.buffer.as_mut_ptr().cast::<u8>();
        loop {
            if self.next >= self.filled {
                // SAFETY: the kernel writes at most as many bytes as the buffer has.
                let filled = unsafe {
                    let size = size_of_val(&self.buffer);
                    call3(self.fd as usize, buffer as usize, size, number::GETDENTS64)
                };
                let Ok(filled @ 1..) = filled else {
                    close(self.fd);
                    return None;
                };
                (self.filled, self.next) = (filled as usize, 0);
            }
            // SAFETY: the kernel wrote whole entries, aligned, each with its length and a name
            // that ends with a NUL, and `next` is where one begins.
            let name = unsafe {
                let entry = buffer.add(self.next);
                self.next += usize::from(*entry.add(LENGTH).cast::<u16>());
                Text::new(entry.add(NAME))
            };
            if let Some(number) = name.number(i32::MAX as u32) {
                return Some(number);
            }
        }
    }
}
