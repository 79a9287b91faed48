//! The file systems of a container: what is mounted where, with which attributes.
//!
//! [`Mount`] is read from text by the parent, with all that the user could have got wrong, and
//! has no side effect. [`Assembly`] does it, in the child, in a mount namespace of its own. Every
//! target is resolved once inside the container's root and then used by its descriptor, so that
//! no link which appears meanwhile leads a mount anywhere else.
//!
//! ```text
//! isolate          the namespace hears of the machine's mounts, but not the other way round
//! attach_root      the container's folder becomes a mount, and a path::Root
//! attach_overlay   or an overlay of layers does
//! attach_tree      or one that the parent has made
//! Assembly::new
//!   mount          one after the other, in the order of the configuration
//!   (devices, see crate::device)
//!   mask, protect  hide and write-protect parts of what was mounted
//!   finish         file systems that had to be filled first become read-only
//! enter_root       pivot_root
//! ```
//!
//! Linux 5.3 is the oldest kernel (detached mounts, clone3). On one without mount_setattr(2)
//! attributes are set right after a mount was attached, and the recursive ones are an error.

mod assembly;
mod attributes;
mod copy_up;
mod error;
mod filesystem;
mod handed;
mod mask;
mod options;
mod overlay;
mod propagation;
mod request;
mod revealing;
mod root;
mod served;
mod target;
mod tree;

pub use assembly::Assembly;
pub use attributes::{AttributeCall, Attributes};
pub use error::{Error, ParseError, Step};
pub use options::{FileSystemFlags, Options, option_names};
pub use overlay::{Layers, Mapped, Overlay, attach_overlay, attach_tree};
pub use propagation::{Propagation, PropagationKind};
pub use request::{Bind, FileSystem, Mount, Remount, Source};
pub use revealing::whole_proc_and_sys;
pub use root::{attach_root, enter_root, isolate, move_root};
pub use served::Served;
