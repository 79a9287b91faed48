//! The root file system of a container: its image's layers below, its own changes on top. It is
//! mounted in the container's mount namespace, or nowhere at all and used by its descriptor.

use crate::error::{Error, Result};
use crate::folders::{ContainerFolder, Folders};
use crate::fuse;
use image::tree::LayerRoot;
use kernel::path::{Links, Root, RootedPath};
use runtime::Overlay;
use std::ffi::CString;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use sys::OrError;
use sys::rustix::fs::{FileType, OFlags, fstat};

/// A file that is larger is no `/etc/passwd`.
const LONGEST: u64 = 8 << 20;

/// What becomes the root of a container.
pub(crate) fn overlay(
    folders: &Folders,
    folder: &ContainerFolder,
    layers: &[PathBuf],
    volatile: bool,
    user_marks: bool,
) -> Result<Overlay> {
    let mut all = layers.iter().map(|path| c_path(path)).collect::<Result<Vec<_>>>()?;
    // A folder of the machine is shown as it is; and two layers must not be within each other.
    if layers.iter().all(|layer| layer.starts_with(folders.root())) {
        all.push(c_path(&folders.places())?);
    }
    let changes = (c_path(&folder.upper())?, c_path(&folder.file("work"))?);
    let changes = Some(changes);
    Ok(Overlay { layers: all, changes, volatile, user_marks, mapped_by: None })
}

pub(crate) fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_encoded_bytes())
        .map_err(|_| Error::invalid(format!("{path:?} has a NUL in it")))
}

/// A small file of the container, while nothing is mounted: from its changes, or the uppermost
/// layer that has it. Nothing if there is none.
pub(crate) fn read_file(
    folder: &ContainerFolder,
    layers: &[PathBuf],
    path: &str,
) -> Result<Option<String>> {
    let rooted = RootedPath::parse(path.as_bytes())
        .map_err(|error| Error::invalid(format!("{path}: {error}")))?;
    let upper = folder.upper();
    let names_say = fuse::has_made_changes(folder);
    for layer in std::iter::once(&upper).chain(layers) {
        let layer = LayerRoot { root: Root::open(&c_path(layer)?)?, names_say };
        let Ok(found) = layer.root.resolve(&rooted, Links::Follow) else {
            if is_said_gone(&layer, &rooted) {
                return Ok(None);
            }
            continue;
        };
        let status = fstat(&found).or_error("fstat", || path)?;
        // A mark says that the file was removed.
        if !FileType::from_raw_mode(status.st_mode).is_file() {
            return Ok(None);
        }
        let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&found));
        let mut bytes = Vec::new();
        File::open(link)
            .and_then(|file| file.take(LONGEST).read_to_end(&mut bytes))
            .map_err(Error::file(path))?;
        return Ok(Some(String::from_utf8_lossy(&bytes).into_owned()));
    }
    Ok(None)
}

fn is_said_gone(layer: &LayerRoot, path: &RootedPath) -> bool {
    let Some((parent, name)) = path.split() else { return false };
    let folder = layer.root.resolve_directory(&parent, Links::Follow);
    folder.is_ok_and(|folder| layer.says_gone(&folder, name.to_bytes()))
}

/// A small file of a container that runs, as its processes see it; empty if there is none.
pub(crate) fn read_of_process(pid: i32, path: &Path) -> Result<String> {
    let root = CString::new(format!("/proc/{pid}/root")).unwrap_or_default();
    let root = Root::open(&root)?;
    let rooted = RootedPath::parse(path.as_os_str().as_encoded_bytes())
        .map_err(|error| Error::invalid(format!("{}: {error}", path.display())))?;
    let Ok(found) = root.open_file(&rooted, OFlags::RDONLY | OFlags::CLOEXEC) else {
        return Ok(String::new());
    };
    let mut bytes = Vec::new();
    File::from(found).take(LONGEST).read_to_end(&mut bytes).map_err(Error::file(path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
