//! Writes a cpio archive in the "newc" format, the kernel's initramfs
//! (Documentation/driver-api/early-userspace/buffer-format.rst).

use std::collections::BTreeSet;
use std::path::Path;

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// An initramfs being put together. Parent folders are made as needed; of two entries with the
/// same path the first one stays.
#[derive(Clone, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    paths: BTreeSet<String>,
}

impl Archive {
    /// An archive with nothing in it but `/dev/console`, which the kernel gives its first program
    /// as standard input and output.
    pub fn new() -> Self {
        let mut archive = Self::default();
        archive.node("/dev/console", 5, 1);
        archive
    }

    /// Adds an empty folder with mode 0755.
    pub fn directory(&mut self, path: &str) {
        self.entry(path, DIRECTORY | 0o755, (0, 0), b"");
    }

    /// Adds a file with this content; `mode` has permission bits only.
    pub fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, REGULAR | mode, (0, 0), content);
    }

    /// Adds a symbolic link.
    pub fn symlink(&mut self, path: &str, target: &str) {
        self.entry(path, SYMLINK | 0o777, (0, 0), target.as_bytes());
    }

    /// Adds a character device with mode 0600.
    pub fn node(&mut self, path: &str, major: u32, minor: u32) {
        self.entry(path, CHARACTER_DEVICE | 0o600, (major, minor), b"");
    }

    /// Whether this absolute path has been added.
    pub fn contains(&self, path: &str) -> bool {
        self.paths.contains(path.trim_matches('/'))
    }

    /// The finished archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.record("TRAILER!!!", 0, (0, 0), b"");
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        let path = path.trim_matches('/');
        if path.is_empty() || self.paths.contains(path) {
            return;
        }
        // The kernel makes no missing parent: it would drop the entry without a word.
        if let Some(parent) = Path::new(path).parent().and_then(Path::to_str) {
            self.directory(parent);
        }
        self.record(path, mode, device, content);
        self.paths.insert(path.to_owned());
    }

    /// One header (magic and 13 fields of 8 hex digits), the name with its NUL, and the content;
    /// the last two padded to 4 bytes.
    fn record(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        let inode = u32::try_from(self.paths.len() + 1).expect("fewer than 4 billion files");
        let size = u32::try_from(content.len()).expect("files in an initramfs are below 4 GiB");
        let name_size = u32::try_from(path.len() + 1).expect("a path is short");
        // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        let fields = [inode, mode, 0, 0, 1, 0, size, 0, 0, device.0, device.1, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn one_file_is_laid_out_as_the_format_says() {
        let mut archive = Archive::default();
        archive.file("/a", 0o644, b"hello");
        let bytes = archive.finish();
        let header = "070701\
            00000001000081a4000000000000000000000001000000000000000500000000\
            0000000000000000000000000000000200000000";
        assert_eq!(&bytes[..110], header.as_bytes());
        assert_eq!(&bytes[110..120], b"a\0hello\0\0\0");
        assert_eq!(&bytes[120..126], b"070701");
        assert!(bytes.ends_with(b"TRAILER!!!\0\0\0\0"));
    }

    #[test]
    fn parents_come_first_and_only_once() {
        let mut archive = Archive::default();
        archive.file("/usr/bin/a", 0o755, b"");
        archive.file("/usr/bin/b", 0o755, b"");
        archive.file("/usr/bin/b", 0o755, b"ignored");
        assert!(archive.contains("/usr/bin"));
        let bytes = archive.finish();
        let text = String::from_utf8_lossy(&bytes);
        let place = |name: &str| text.find(name).expect(name);
        assert!(place("usr\0") < place("usr/bin\0"));
        assert!(place("usr/bin\0") < place("usr/bin/a\0"));
        assert_eq!(text.matches("usr/bin\0").count(), 1);
        assert!(!text.contains("ignored"));
    }
}
