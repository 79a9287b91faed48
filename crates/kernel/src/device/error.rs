//! What can go wrong with a device.

use std::fmt;

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Finding or making the folder it is in.
    Folder,
    /// Making the node.
    Node,
    /// Mounting the machine's device file.
    Bind,
    /// Making a link.
    Link,
    /// Opening a terminal.
    Terminal,
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Step::Folder => "prepare the folder of",
            Step::Node => "make the device",
            Step::Bind => "mount the machine's device on",
            Step::Link => "make the link",
            Step::Terminal => "open a terminal by",
        })
    }
}

/// Why a device is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("cannot {step} {path}: {error}")]
    Call {
        /// What was being done.
        step: Step,
        /// The path in the container.
        path: String,
        /// The call.
        error: sys::Error,
    },
    /// A user namespace can have the devices that the machine has, at the same path.
    #[error(
        "in a user namespace {path} must be the machine's {path}, but that is not the device {wanted}"
    )]
    OtherDevice {
        /// The path in the container and on the machine.
        path: String,
        /// As `c 1:3`.
        wanted: String,
    },
    /// Not the device that opens terminals.
    #[error("{path} is not the ptmx of a devpts file system, so no terminal is opened by it")]
    NotPtmx {
        /// The path in the container.
        path: String,
    },
}

impl Error {
    /// Adds where it happened to the failure of a call.
    pub(super) fn at(step: Step, path: &impl fmt::Display) -> impl Fn(sys::Error) -> Error {
        move |error| Error::Call { step, path: path.to_string(), error }
    }
}
