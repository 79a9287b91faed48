//! The places in which something is mounted in every container, as a layer below those of its
//! image. Images that lack them are many; else they would be made for each container, and removed
//! with it, and be among its changes.

use crate::error::{Error, Result};
use crate::folders::{self, Folders};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

const FOLDERS: [&str; 4] = ["dev", "etc", "proc", "sys"];

const FILES: [&str; 3] = ["etc/hostname", "etc/hosts", "etc/resolv.conf"];

/// Sees to it that the layer is there, as a whole.
pub(crate) fn provide(folders: &Folders) -> Result<()> {
    let layer = folders.places();
    // Others may be at it at the same time; what comes last is there when everything is.
    if FILES.last().is_some_and(|last| layer.join(last).exists()) {
        return Ok(());
    }
    folders::make_with(&layer, 0o755)?;
    for name in FOLDERS {
        let path = layer.join(name);
        folders::make_with(&path, 0o755)?;
        set_mode(&path, 0o755)?;
    }
    for name in FILES {
        let path = layer.join(name);
        File::options().append(true).create(true).open(&path).map_err(Error::file(&path))?;
        set_mode(&path, 0o644)?;
    }
    Ok(())
}

/// Whatever the mask of whoever is the first to start a container.
fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(Error::file(path))
}
