//! Boots Debian's own kernel under QEMU and runs a command in it, or boots any program as the
//! machine's PID 1.
//!
//! The machine has four serial ports, so that what the command prints stays byte for byte what it
//! printed: the kernel's console, standard output, standard error, and the command's status. Its
//! root is an initramfs made on the spot, kept in memory only; with [`Machine::host_root`] it is
//! the host's file system, read-only (virtiofs), below a throw-away layer in the guest's memory.
//!
//! Always emulated (TCG): nested KVM hangs stock kernels. A boot takes about three seconds. This
//! crate does not build the guest's init (`vm-init`); `cargo xtask` does, statically.
#![forbid(unsafe_code)]

mod archive;
mod control;
mod job;
mod kernel;
mod machine;
mod programs;
mod qemu;
mod share;

pub use archive::Archive;
pub use control::Ending;
pub use job::{Job, Status};
pub use kernel::Kernel;
pub use machine::{Machine, Outcome};
