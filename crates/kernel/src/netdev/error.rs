//! What can go wrong with a network device.

/// Why a device was not moved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The machine has none of this name.
    #[error("there is no network device {0}")]
    Missing(String),
    /// The container has another one of the new name.
    #[error(
        "the container has a network device {0} already; with %d in the name, such as eth%d, a free one is found"
    )]
    NameTaken(String),
    /// It is not to be found in the container, as something removed it at once.
    #[error("the network device {0} was moved, but is not in the container")]
    Lost(String),
    /// A system call failed, or a request over netlink.
    #[error("cannot {doing} the network device {device}: {error}")]
    Call {
        /// What was being done.
        doing: &'static str,
        /// The name on the machine.
        device: String,
        /// The call.
        error: sys::Error,
    },
    /// Moving failed, and then giving back.
    #[error("{because}; and it could not be given back: {error}")]
    NotReturned {
        /// Why it was to be given back.
        because: Box<Error>,
        /// Why that failed.
        error: Box<Error>,
    },
}

impl Error {
    /// Adds what was being done to a failed request.
    pub(super) fn doing(doing: &'static str, device: &str) -> impl Fn(sys::Error) -> Error {
        move |error| Error::Call { doing, device: device.to_owned(), error }
    }
}
