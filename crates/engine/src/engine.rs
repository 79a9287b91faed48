//! What every call needs: the store, the folders.

use crate::database::{self, Container};
use crate::error::{Error, Result};
use crate::folders::{ContainerFolder, Folders};
use crate::lock::Lock;
use image::store::Store;
use runtime::ContainerId;
use spec::image::ImageConfig;

/// An engine: any number of processes may use the same folders at the same time.
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) folders: Folders,
    /// Layers have their marks where an unprivileged user can set them.
    pub(crate) user_marks: bool,
    /// Told how many of how many layers are copied, where that must be done.
    pub(crate) progress: fn(usize, usize),
}

impl Engine {
    /// On a store that is kept in the root folder of `folders`.
    ///
    /// # Errors
    /// The database is damaged, or of a newer program.
    pub fn open(store: Store, folders: Folders, user_marks: bool) -> Result<Engine> {
        database::prepare(&store, &folders)?;
        Ok(Engine { store, folders, user_marks, progress: |_, _| () })
    }

    /// The same, which says how far it is when it copies layers: after how many of how many.
    #[must_use]
    pub fn with_progress(self, progress: fn(usize, usize)) -> Engine {
        Engine { progress, ..self }
    }

    /// The images.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Where things lie.
    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// All containers, the newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn containers(&self) -> Result<Vec<Container>> {
        database::all(&self.store)
    }

    /// The container that a name, an id or the beginning of an id means.
    ///
    /// # Errors
    /// None or several are meant.
    pub fn find(&self, text: &str) -> Result<Container> {
        database::find(&self.store, crate::id::without_slash(text))
    }

    /// Gives a container another name.
    ///
    /// # Errors
    /// The name is taken, or none.
    pub fn rename(&self, container: &Container, name: &str) -> Result<()> {
        let name = crate::id::without_slash(name);
        crate::id::check_name(name)?;
        database::rename(&self.store, &container.id, name)?;
        if let Some(pod) = self.pod_of(container)? {
            self.tell_names(&pod)?;
        }
        self.tell_event(container, "rename", &[("oldName", &container.name), ("newName", name)])
    }

    /// What the image says about containers of it.
    ///
    /// # Errors
    /// The image is damaged.
    pub fn image_config(&self, image: &image::store::Image) -> Result<ImageConfig> {
        let bytes = self.store.read_blob(&image.id)?;
        serde_json::from_slice(&bytes).map_err(|error| Error::Damaged {
            what: format!("the configuration of image {}", image.id.short()),
            reason: error.to_string(),
        })
    }

    pub(crate) fn folder(&self, container: &Container) -> ContainerFolder {
        self.folders.container(&container.id)
    }

    /// Nobody else starts, stops or removes the container while this is held.
    pub(crate) fn lock(&self, container: &Container) -> Result<Lock> {
        let lock = Lock::take_folder(&self.folder(container).path)?;
        lock.ok_or_else(|| Error::NoSuchContainer(container.name.clone()))
    }
}

/// As the runtime checks it.
pub(crate) fn runtime_id(id: &str) -> Result<ContainerId> {
    ContainerId::new(id).map_err(|error| runtime::Error::from(error).into())
}
