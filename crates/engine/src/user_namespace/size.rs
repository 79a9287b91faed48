//! How many ids a container needs: those of its files, of its users and groups, and of its program.

use crate::error::{Error, Result};
use crate::folders::ContainerFolder;
use crate::rootfs;
use crate::settings::Settings;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// As with Podman.
pub(super) const LEAST: u32 = 1024;
/// All ids that most images can have, and Kubernetes gives to each pod.
pub(super) const MOST: u32 = 65_536;

/// Who owns what nobody owns, on every Linux.
const NOBODY: u32 = 65_534;

/// One more than the largest id, up to [`MOST`].
pub(super) fn least(
    folder: &ContainerFolder,
    layers: &[PathBuf],
    settings: &Settings,
) -> Result<u32> {
    let mut largest = LEAST - 1;
    for file in ["/etc/passwd", "/etc/group"] {
        let text = rootfs::read_file(folder, layers, file)?.unwrap_or_default();
        largest = largest.max(largest_of_file(&text));
    }
    let said = settings.user.split(':').chain(settings.group_add.iter().map(String::as_str));
    let said = said.filter_map(|text| text.parse::<u32>().ok());
    largest = largest.max(said.max().unwrap_or(0));
    for layer in layers {
        largest = largest.max(largest_owner(layer).map_err(Error::file(layer))?);
    }
    Ok(largest.saturating_add(1).clamp(LEAST, MOST))
}

/// The third and fourth fields of passwd(5) and group(5), where they are numbers.
fn largest_of_file(text: &str) -> u32 {
    let ids = text.lines().flat_map(|line| line.split(':').skip(2).take(2));
    ids.filter_map(|id| id.parse().ok()).filter(|id| *id != NOBODY).max().unwrap_or(0)
}

/// Of a layer, which nobody changes.
fn largest_owner(folder: &Path) -> std::io::Result<u32> {
    let mut largest = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let status = entry.metadata()?;
            for id in [status.uid(), status.gid()] {
                largest = if id == NOBODY { largest } else { largest.max(id) };
            }
            if status.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(largest)
}

#[cfg(test)]
mod tests {
    use super::largest_of_file;

    #[test]
    fn nobody_counts_for_nothing() {
        let text = "root:x:0:0::/:\nnobody:x:65534:65534::/:\nweb:x:33:2000::/:\nbroken\n";
        assert_eq!(largest_of_file(text), 2000);
        assert_eq!(largest_of_file("nogroup:x:65534:\nold:x:1500:a,b\n"), 1500);
        assert_eq!(largest_of_file(""), 0);
    }
}
