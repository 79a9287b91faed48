//! Loads kernel modules in the order given.

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::system::finit_module;
use std::ffi::OsString;
use std::fs::File;
use std::path::Path;

/// MODULE_INIT_COMPRESSED_FILE (Linux 5.17, CONFIG_MODULE_DECOMPRESS).
const COMPRESSED: i32 = 4;

pub(crate) fn load(modules: &[OsString]) -> Result<()> {
    for path in modules {
        let name = || path.display().to_string();
        let file = File::open(path).with_context(name)?;
        let plain = Path::new(path).extension().is_some_and(|extension| extension == "ko");
        match finit_module(&file, c"", if plain { 0 } else { COMPRESSED }) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).with_context(name),
        }
    }
    Ok(())
}
