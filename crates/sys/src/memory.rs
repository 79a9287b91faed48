//! Memory that another process reads as a file: what is written there arrives without a system
//! call, which a seccomp filter may forbid.

#![allow(unsafe_code)]

use crate::call;
use crate::rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use crate::rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

/// An anonymous file of some length, all zeros, that is mapped, until execve(2).
#[derive(Debug)]
pub struct SharedMemory {
    file: OwnedFd,
    address: NonNull<u8>,
    length: usize,
}

impl SharedMemory {
    /// `int memfd_create(const char *name, unsigned flags)`, memfd_create(2), Linux 3.17, and
    /// `void *mmap(NULL, size_t length, PROT_WRITE, MAP_SHARED, int fd, 0)`, mmap(2).
    ///
    /// # Errors
    /// ENOMEM, EMFILE, ENFILE.
    pub fn new(name: &str, length: usize) -> Result<SharedMemory, Errno> {
        let file = memfd_create(name, MemfdFlags::CLOEXEC)?;
        ftruncate(&file, length as u64)?;
        let (rights, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping, at a place of the kernel's choice, overlaps nothing.
        let address =
            unsafe { libc::mmap(std::ptr::null_mut(), length, rights, flags, file.as_raw_fd(), 0) };
        if address == libc::MAP_FAILED {
            call::done(-1)?;
        }
        let address = NonNull::new(address.cast()).ok_or(Errno::NOMEM)?;
        Ok(SharedMemory { file, address, length })
    }

    /// Writes to the beginning of the file, as far as there is room.
    pub fn write(&mut self, bytes: &[u8]) {
        for (index, byte) in bytes.iter().take(self.length).enumerate() {
            // SAFETY: the mapping is `length` bytes long and lives as long as `self`. The file is
            // never made shorter: nobody else has it for writing. Volatile, as nothing in this
            // program reads it.
            unsafe { self.address.add(index).write_volatile(*byte) };
        }
    }
}

impl AsFd for SharedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: the mapping is this one's own, and nothing refers to it any more.
        unsafe { libc::munmap(self.address.as_ptr().cast(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::SharedMemory;
    use crate::rustix::io::pread;

    #[test]
    fn what_is_written_is_in_the_file() {
        let mut memory = SharedMemory::new("test", 4).unwrap();
        let read = |memory: &SharedMemory| {
            let mut bytes = [9; 8];
            let length = pread(&memory.file, &mut bytes, 0).unwrap();
            bytes[..length].to_vec()
        };
        assert_eq!(read(&memory), [0; 4]);
        memory.write(b"ab");
        assert_eq!(read(&memory), *b"ab\0\0");
        memory.write(b"abcdef");
        assert_eq!(read(&memory), *b"abcd");
    }
}
