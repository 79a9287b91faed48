//! The first process of a container: `tino`, which is in this program.

use crate::error::{Error, Result};
use crate::folders::Folders;
use crate::small_file;
use std::path::{Path, PathBuf};

/// A static executable for the machine that this is built for.
const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tino"));

/// Where containers see it: in `/dev`, which is theirs alone, so that nothing appears in their
/// root file system.
pub(crate) const PATH: &str = "/dev/tino";

/// Where the program lies on the machine; it is put there if it is not.
pub(crate) fn file(folders: &Folders) -> Result<PathBuf> {
    let path = folders.root().join(name());
    let is_there =
        std::fs::metadata(&path).is_ok_and(|status| status.len() == PROGRAM.len() as u64);
    if !is_there {
        put(&path).map_err(|error| Error::File { path: path.clone(), error })?;
    }
    Ok(path)
}

/// Another version of it is another file: containers that run keep theirs.
fn name() -> String {
    let mix = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    format!("tino-{:016x}", PROGRAM.iter().fold(0xcbf2_9ce4_8422_2325, mix))
}

fn put(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    // Whoever executes it must find it as a whole, and nobody may have it open for writing.
    small_file::replace_with(path, PROGRAM, |file| {
        file.set_permissions(std::fs::Permissions::from_mode(0o755))
    })
}

#[cfg(test)]
mod tests {
    use super::PROGRAM;

    #[test]
    fn is_a_small_static_program() {
        assert_eq!(&PROGRAM[..4], b"\x7fELF");
        assert!(PROGRAM.len() <= 16 << 10, "{}", PROGRAM.len());
    }
}
