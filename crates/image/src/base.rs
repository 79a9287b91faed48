//! What a container is made of: the folders under its root, and what its image says of it.
//!
//! Whoever runs containers of images needs five things of this crate:
//!
//! 1. [`Store::find_by_name`] and [`Store::find_by_digest`] find an image that is here;
//!    [`crate::pull::pull`], [`crate::archive::Archive::load`] and [`crate::hello::hello`] get one.
//! 2. [`Store::begin_use`] says, under a name like `container:ID`, that it is in use. From then
//!    on neither it nor a layer of it is removed. It fails if the image was removed since it was
//!    found; then it is to be found or pulled again.
//! 3. [`Store::base`] gives the folders for overlayfs, and the configuration.
//! 4. [`Base::prepare_upper`] puts into the container's own, empty upper folder what the layers
//!    leave unsaid. It is to be called once, before the overlay is mounted for the first time.
//! 5. [`Store::end_use`] ends the use.
//!
//! [`Base::folder`] and [`Base::host`] are for roots without an image: nothing is marked for them.

use crate::store::{Error, Image, Store};
use crate::tree::{Mends, make_alike};
use crate::unpack::Marks;
use spec::image::{Digest, ImageConfig};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use sys::OrError;
use sys::rustix::fs::{CWD, Mode, OFlags, openat};

/// What a container is made of.
#[derive(Debug)]
pub struct Base {
    /// The image; none for a folder that is used as it is.
    pub image: Option<Image>,
    /// What the image says its containers are like: command, variables, user, volumes and more.
    /// For a folder it says nothing.
    pub config: ImageConfig,
    /// The lower folders for overlayfs, uppermost first, as its option `lowerdir` wants them.
    /// They are never written to. An image without layers has none: the container's own folder is
    /// then all there is.
    pub lowers: Vec<Lower>,
    /// Which attributes are overlayfs' marks in them. [`Marks::User`] needs the option `userxattr`.
    pub marks: Marks,
    mends: Mends,
}

/// A folder that is not to be written to.
#[derive(Debug)]
pub struct Lower {
    /// Where it is, to be remembered.
    pub path: PathBuf,
    /// It itself, opened with `O_PATH`: `/proc/self/fd/N` is short, and cannot be replaced.
    pub folder: OwnedFd,
}

impl Store {
    /// What a container of an image is made of.
    ///
    /// # Errors
    /// A layer or the configuration is gone or damaged: `system check --repair` is what helps.
    pub fn base(&self, image: &Image) -> Result<Base, Error> {
        let config = self.config(image)?;
        let lower = |diff_id: &Digest| -> Result<Lower, Error> {
            Ok(Lower { path: self.layer_path(diff_id), folder: self.open_layer(diff_id)? })
        };
        let layers = image.visible_layers().iter().rev();
        let lowers = layers.map(|layer| lower(&layer.diff_id)).collect::<Result<Vec<_>, _>>()?;
        let mends = self.mends(image, |store| store.roots(image))?;
        Ok(Base::of_image(image.clone(), config, lowers, self.marks(), mends))
    }
}

impl Base {
    /// A root file system that lies ready (`dir:FOLDER`).
    ///
    /// # Errors
    /// There is no such folder.
    pub fn folder(path: &Path) -> Result<Base, Error> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, &path, flags, Mode::empty())
            .or_error("openat", || format!("{path:?}, O_DIRECTORY"))?;
        Ok(Base { lowers: vec![Lower { path, folder }], ..Base::nothing() })
    }

    pub(crate) fn of_image(
        image: Image,
        config: ImageConfig,
        lowers: Vec<Lower>,
        marks: Marks,
        mends: Mends,
    ) -> Base {
        Base { image: Some(image), config, lowers, marks, mends }
    }

    /// No files at all, for a container that needs none.
    #[must_use]
    pub fn nothing() -> Base {
        Base {
            image: None,
            config: crate::assemble::blank_config(),
            lowers: Vec::new(),
            marks: Marks::default(),
            mends: Mends::default(),
        }
    }

    /// The machine's own file system (`host:`): what is mounted at `/`, without what is mounted
    /// below. It is a lower folder as any other, so a container cannot change it.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn host() -> Result<Base, Error> {
        Base::folder(Path::new("/"))
    }

    /// Makes a container's empty upper folder what overlayfs is to show: the root gets the owner
    /// and mode of the image's, and folders are made that a layer puts files into without saying
    /// what they are like, for overlayfs would show that layer's defaults instead of what a layer
    /// below says. Mostly there are none of these.
    ///
    /// # Errors
    /// A folder cannot be made.
    pub fn prepare_upper(&self, upper: BorrowedFd<'_>) -> Result<(), Error> {
        self.mends.make(upper)?;
        match self.lowers.first() {
            Some(uppermost) => Ok(make_alike(upper, uppermost.as_fd())?),
            None => Ok(()),
        }
    }
}

impl AsFd for Lower {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}
