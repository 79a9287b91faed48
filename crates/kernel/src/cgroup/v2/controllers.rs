//! Controllers reach a group of v2 only if each group above hands them down.

use sys::rustix::io::Errno;

use super::super::error::Error;
use super::super::folder::Folder;
use super::super::write::Write;

/// What a group must have so that its use of the machine can be told.
pub(in super::super) const FOR_STATISTICS: [&str; 4] = ["cpu", "memory", "pids", "io"];

/// The controller whose file this is.
pub(super) fn needed(write: &Write) -> Option<&str> {
    let (name, _) = write.file.split_once('.')?;
    Some(name).filter(|name| *name != "cgroup")
}

/// Has `folder` hand controllers down to the groups below, and before that those above. One read
/// when it already does. The result is what could not be handed down, and why.
pub(super) fn hand_down<'name>(
    folder: &Folder,
    names: &[&'name str],
) -> Vec<(&'name str, sys::Error)> {
    let text = match folder.read("cgroup.subtree_control") {
        Ok(text) => text,
        Err(error) => return names.iter().map(|name| (*name, error.clone())).collect(),
    };
    let is_missing = |name: &&str| !text.split_whitespace().any(|had| had == *name);
    let missing: Vec<_> = names.iter().copied().filter(is_missing).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let mut failed = match add(folder, &missing) {
        Ok(()) => return Vec::new(),
        // Some of them `folder` itself has not got.
        Err(error) if error.errno == Errno::NOENT => hand_down(&folder.parent(), &missing),
        // No right to any, or no way while processes are in `folder` itself.
        Err(error) if matches!(error.errno, Errno::ACCESS | Errno::BUSY) => {
            return missing.into_iter().map(|name| (name, error.clone())).collect();
        }
        Err(_) => Vec::new(),
    };
    // One by one, for the kernel takes all or none.
    for name in missing {
        match add(folder, &[name]) {
            Ok(()) => failed.retain(|(above, _)| *above != name),
            Err(error) if failed.iter().all(|(above, _)| *above != name) => {
                failed.push((name, error));
            }
            Err(_) => {}
        }
    }
    failed
}

/// Has `folder` hand them down, at once or not at all.
pub(super) fn add(folder: &Folder, names: &[&str]) -> Result<(), sys::Error> {
    let words: Vec<_> = names.iter().map(|name| format!("+{name}")).collect();
    folder.write("cgroup.subtree_control", &words.join(" "))
}

/// The error of a limit whose controller was not handed down.
pub(super) fn error(write: &Write, controller: &str, cause: &sys::Error) -> Error {
    let (field, controller) = (write.field.clone().into_owned(), controller.to_owned());
    if cause.errno == Errno::NOENT {
        return Error::NoController { field, controller };
    }
    Error::HandDown { field, controller, source: cause.clone() }
}
