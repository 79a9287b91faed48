//! Removing everything, so that the machine is as it was before the first container.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::folders::{GUARD, MOUNTED, STARTED, remove_tree};
use crate::network::LOCK_OF_MACHINE;
use kernel::cgroup::{Cgroups, Driver};
use net::firewall::Firewall;
use net::link;
use std::path::Path;
use std::{fs, io};
use sys::netlink::Socket;

/// What is ours in the root folder besides what the image store has there.
const FILES: [&str; 7] =
    ["events", "events.1", "containers", "places", "secrets", "volumes", crate::members::FILE];

impl Engine {
    /// Removes all containers, those that run are killed; all volumes with what is in them; and all
    /// networks with their bridges. Images stay, as the store removes these.
    ///
    /// # Errors
    /// With all that could not be removed, after everything else was.
    pub fn remove_all(&self) -> Result<()> {
        let mut failures = Vec::new();
        let mut note = |result: Result<()>| match result {
            // Somebody else was faster.
            Ok(()) | Err(Error::NoSuchContainer(_) | Error::NoSuchVolume(_)) => {}
            Err(error) => failures.push(error.to_string()),
        };
        for pod in self.pods()? {
            note(self.remove_pod(&pod, true, Some(0)));
        }
        for container in self.containers()? {
            note(self.remove(&container, true, true));
        }
        note(self.sweep().map(drop));
        for volume in self.volumes()? {
            note(self.remove_volume(&volume.name));
        }
        self.remove_networks(&self.networks()?).into_iter().for_each(note);
        if failures.is_empty() { Ok(()) } else { Err(Error::Several(failures)) }
    }

    /// Removes the last that is left when there is neither container nor image any more: the
    /// folders, and what all stores of the machine share, unless another one uses it. Files that
    /// are not ours stay.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn forget(self) -> Result<()> {
        if !self.user_marks {
            self.remove_shared()?;
        }
        let (root, run) = (self.folders.root().to_owned(), self.folders.run().to_owned());
        let store_files = self.store.file_names();
        // Whoever opens the store from now on makes a new one.
        drop(self);
        for name in ["runtime", "rootfs", "networks", "projects", STARTED, GUARD, MOUNTED] {
            remove_tree(&run.join(name))?;
        }
        remove_if_empty(&run)?;
        let inits = fs::read_dir(&root).map_err(Error::file(&root))?;
        let inits = inits.flatten().map(|it| it.file_name().to_string_lossy().into_owned());
        let inits = inits.filter(|name| name.starts_with("tino-")).collect::<Vec<_>>();
        let own = FILES.into_iter().chain(store_files.iter().copied());
        own.chain(inits.iter().map(String::as_str))
            .try_for_each(|name| remove_tree(&root.join(name)))?;
        remove_if_empty(&root)
    }

    /// The firewall's table, the lock for subnets, and the group above those of containers.
    fn remove_shared(&self) -> Result<()> {
        // Nobody makes a bridge meanwhile.
        let _lock = self.lock_subnets()?;
        let is_in_use = match Socket::open() {
            Ok(mut socket) => !link::bridge_names(&mut socket)?.is_empty(),
            Err(_) => false,
        };
        if !is_in_use {
            // Where the kernel has no nf_tables there is nothing of ours.
            if let Ok(mut firewall) = Firewall::open() {
                firewall.clear()?;
            }
            remove_tree(Path::new(LOCK_OF_MACHINE))?;
        }
        if let Ok(cgroups) = Cgroups::find(&Driver::Files, false) {
            for (_, mount_point) in cgroups.mount_points() {
                remove_if_empty(&Path::new(mount_point).join("tinyo"))?;
            }
        }
        Ok(())
    }
}

/// What others have put there stays, and the folder with it.
fn remove_if_empty(path: &Path) -> Result<()> {
    match fs::remove_dir(path) {
        Ok(()) => Ok(()),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::DirectoryNotEmpty
            // A cgroup with groups below it, or a mount point.
            | io::ErrorKind::ResourceBusy
            | io::ErrorKind::ReadOnlyFilesystem => Ok(()),
            _ => Err(Error::File { path: path.to_owned(), error }),
        },
    }
}
