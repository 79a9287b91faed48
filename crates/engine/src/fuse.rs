//! `fuse-overlayfs`: it lays the layers of a container over each other where the kernel does not, as
//! before Linux 5.11 for a user without rights, or on a disk that overlayfs takes no changes on. The
//! kernel is asked each time, by doing it; nothing is remembered of that.
//!
//! Whoever wants the files mounts a file system that nobody serves yet, nowhere, and starts the
//! program, which gets the device and the folders and nothing else. It is a helper
//! ([`kernel::helper`]), outside of the container, and ends with whoever has started it.
//!
//! It has marks of its own for what is gone. So a container whose changes it has made stays with it:
//! there is the file `fuse` in its folder. What it has to say is in there, and it holds it locked as
//! long as it lives, for two of it at the same changes would spoil them.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::folders::{self, ContainerFolder};
use crate::lock::Lock;
use crate::{id, places};
use kernel::helper::{self, Helper};
use kernel::lock::{PATIENCE, take};
use kernel::mount::{Error as MountError, Layers, Overlay, Served};
use kernel::path::Root;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::Path;
use sys::OrError;
use sys::rustix::fs::{Mode, OFlags, getxattr, openat};
use sys::rustix::io::Errno;
use sys::rustix::process::Signal;

/// The program.
pub(crate) const PROGRAM: &str = "fuse-overlayfs";

/// The file in a container's folder.
const FILE: &str = "fuse";

/// What helps where neither does it.
const ADVICE: &str = "install fuse-overlayfs (apt install fuse-overlayfs), or keep the store on \
                      another file system, such as ext4 or xfs (--root FOLDER)";

/// Sent to all that a user or a terminal has left. The container may have to end first, and the
/// program ends when nobody uses its files any more.
const UNHEARD: [Signal; 3] = [Signal::HUP, Signal::INT, Signal::TERM];

/// So much of what it says is repeated.
const LONGEST: u64 = 500;

/// The files of a container. What serves them ends after they are let go.
pub(crate) struct Files {
    pub(crate) root: Root,
    helper: Option<Helper>,
}

impl Files {
    /// What is mounted anyway.
    pub(crate) fn of(root: Root) -> Files {
        Files { root, helper: None }
    }
}

/// The files of a container whose layers the kernel lays over each other, or if it does not,
/// `fuse-overlayfs`. They are mounted nowhere.
pub(crate) fn files(overlay: &Overlay, folder: &ContainerFolder) -> Result<Files> {
    if !has_made_changes(folder) {
        match overlay.detached() {
            Err(refusal @ MountError::Refused { .. }) => check(&refusal)?,
            tree => {
                let tree = tree.map_err(runtime::Error::from)?;
                return Ok(Files::of(Root::from_descriptor(tree)));
            }
        }
    }
    let (tree, helper) = mount(overlay, folder)?;
    Ok(Files { root: Root::from_descriptor(tree), helper: Some(helper) })
}

impl Engine {
    /// Who lays the layers of containers over each other here, found out by having it done.
    ///
    /// # Errors
    /// Neither the kernel nor a program: what helps.
    pub fn who_lays_layers(&self) -> Result<String> {
        let folder = self.folders.container(&id::random()?);
        folders::make(&folder.path)?;
        // As long as this is held, nobody sweeps it away.
        let lock = Lock::take_folder(&folder.path)?;
        let tried = self.try_layers(&folder);
        folders::remove(&folder.path)?;
        drop(lock);
        tried
    }

    fn try_layers(&self, folder: &ContainerFolder) -> Result<String> {
        for name in ["upper", "work"] {
            folders::make(&folder.file(name))?;
        }
        places::provide(&self.folders)?;
        let files = self.mounted_nowhere(folder, &[])?;
        let root = self.folders.root().display();
        Ok(match files.helper {
            None => format!("by the kernel, in {root}"),
            Some(_) => format!("by {PROGRAM}, since the kernel refuses it in {root}"),
        })
    }
}

/// Whether the changes of a container are in its form.
pub(crate) fn has_made_changes(folder: &ContainerFolder) -> bool {
    folder.file(FILE).exists()
}

/// Fails with what the kernel has said, and what helps, if the program is not there.
pub(crate) fn check(refusal: &impl std::fmt::Display) -> Result<()> {
    match helper::find(PROGRAM) {
        Some(_) => Ok(()),
        None => Err(Error::invalid(format!("{refusal}; {ADVICE}"))),
    }
}

/// Has the program lay the layers of a container over each other, and its changes on top.
pub(crate) fn mount(overlay: &Overlay, folder: &ContainerFolder) -> Result<(OwnedFd, Helper)> {
    let path = folder.file(FILE);
    let is_first = !path.exists();
    let file = open(&path)?;
    // Of whoever was killed with it, it ends at once.
    take(file.as_fd(), PATIENCE)?;
    let mounted = serve(overlay, file);
    if mounted.is_err() && is_first {
        // It has changed nothing.
        std::fs::remove_file(&path).map_err(Error::file(path))?;
    }
    mounted
}

/// The same of layers that are only read, for one of a container's mounts.
pub(crate) fn mount_read_only(
    overlay: &Overlay,
    folder: &ContainerFolder,
) -> Result<(OwnedFd, Helper)> {
    serve(overlay, open(&folder.file(FILE))?)
}

fn open(path: &Path) -> Result<File> {
    let opened = OpenOptions::new().read(true).append(true).create(true).open(path);
    opened.map_err(Error::file(path))
}

fn serve(overlay: &Overlay, mut file: File) -> Result<(OwnedFd, Helper)> {
    let program = helper::find(PROGRAM)
        .ok_or_else(|| Error::invalid(format!("{PROGRAM} has the container's files: {ADVICE}")))?;
    let begin = file.seek(SeekFrom::End(0)).map_err(Error::file(FILE))?;
    let layers = overlay.open()?;
    let Served { tree, device } = Served::mount(PROGRAM)?;
    let options = options(overlay, &layers);
    // As libfuse spells what is mounted already: by the number of the device.
    let place = format!("/dev/fd/{}", device.as_raw_fd());
    let words = [PROGRAM, "-f", "-o", &options, &place].map(OsStr::new);
    let inherited: Vec<_> = layers.descriptors().chain([device.as_fd()]).collect();
    let helper = Helper::start(&helper::Request {
        program: &program,
        words: &words,
        inherited: &inherited,
        output: file.as_fd(),
        ignored: &UNHEARD,
    })?;
    // Nobody but the program, or who waits for files would wait for ever when it has ended.
    drop(device);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match openat(&tree, c".", flags, Mode::empty()).or_error("openat", || "the container's root") {
        Ok(_) if !helper.has_ended() => Ok((tree, helper)),
        answer => {
            let said = said(file, begin);
            let why = answer.err().filter(|_| said.is_empty()).map(|it| it.to_string());
            let text = format!("{} has ended: {}", program.display(), why.unwrap_or(said));
            Err(Error::Invalid(text))
        }
    }
}

fn options(overlay: &Overlay, layers: &Layers) -> String {
    let all: Vec<String> = layers.paths().collect();
    let mut options = format!("lowerdir={}", all.join(":"));
    if let Some((upper, work)) = layers.paths_of_changes() {
        // What a program has written is on the disk's side, and not lost with this program.
        options.push_str(&format!(",upperdir={upper},workdir={work},writeback=0"));
    }
    if overlay.volatile {
        options.push_str(",volatile");
    }
    // What is the machine's root's is nobody's in a user namespace, and could not be changed.
    let is_machine = overlay.layers.iter().any(|layer| layer.as_c_str() == c"/");
    if is_machine && overlay.user_marks {
        options.push_str(",squash_to_root");
    }
    // Whoever looks for one where there can be none gets an error. Other file systems are mounted
    // below the machine's root alone.
    if is_machine || lacks_lists(layers) {
        options.push_str(",noacl");
    }
    options
}

/// Whether one of the file systems has no access control lists, acl(5).
fn lacks_lists(layers: &Layers) -> bool {
    let changes = layers.paths_of_changes().into_iter().flat_map(|(upper, work)| [upper, work]);
    let attribute = "system.posix_acl_access";
    let mut is_lacking =
        |path: String| getxattr(path, attribute, &mut [0_u8; 0]) == Err(Errno::OPNOTSUPP);
    layers.paths().chain(changes).any(&mut is_lacking)
}

/// What it has said from a point on, without what it always says.
fn said(mut file: File, begin: u64) -> String {
    let mut text = Vec::new();
    // What cannot be read is not said.
    let _ = file.seek(SeekFrom::Start(begin));
    let _ = file.take(LONGEST).read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text);
    let counts = |line: &&str| !line.contains("unknown argument ignored") && !line.is_empty();
    text.lines().filter(counts).collect::<Vec<_>>().join(", ")
}
