//! `checkpoint` and `restore`, which criu(8) does: what it is asked, and what it asks back.
//!
//! ```text
//! checkpoint.rs, restore.rs   the verbs
//! options.rs                  what both of them can be told
//! external.rs                 mounts whose other side stays where it is
//! swrk.rs                     `criu swrk FD`: requests, answers and questions over a socket
//! message.rs                  Protocol Buffers, as far as they are needed
//! ```
//!
//! The numbers of fields are those of criu's `images/rpc.proto`.

mod checkpoint;
mod external;
mod message;
mod options;
mod restore;
mod swrk;

pub use checkpoint::{Checkpoint, checkpoint};
pub use options::{CgroupsMode, Criu};
pub use restore::{Restore, restore};
