//! What is wrong with a file, where; and why something could not be done.

use std::fmt;

/// The result of what is done with a project.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1 on.
    pub line: usize,
    /// In characters, from 1 on.
    pub column: usize,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// Where.
    pub position: Position,
    /// In which field, as `services.web.port`; empty at the top.
    pub field: String,
    /// What was found, and what was expected.
    pub message: String,
}

impl fmt::Display for FileError {
    /// `4:9: services.web.port: found a list, expected ...`, so that the file's name with a colon
    /// can be put before it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FileError { position: Position { line, column }, field, message } = self;
        match field.as_str() {
            "" => write!(formatter, "{line}:{column}: {message}"),
            field => write!(formatter, "{line}:{column}: {field}: {message}"),
        }
    }
}

impl std::error::Error for FileError {}

/// Why a project could not be made what it is to be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine refused it.
    #[error(transparent)]
    Engine(Box<engine::Error>),
    /// The same, about a service.
    #[error("{service}: {error}")]
    Service {
        /// Which.
        service: String,
        /// Why.
        error: Box<engine::Error>,
    },
    /// A file or folder of the machine that a service is to have is not there.
    #[error("{service}: {path} cannot be mounted: {error}")]
    Source {
        /// Which.
        service: String,
        /// What it is to have.
        path: String,
        /// Why not.
        error: std::io::Error,
    },
    /// A service ended, or its check fails.
    #[error("{service} {what}")]
    NotReady {
        /// Which.
        service: String,
        /// What became of it.
        what: String,
        /// Its container.
        container: String,
    },
    /// The caller has had enough.
    #[error("stopped while waiting for {0}")]
    Cancelled(String),
    /// The lock of the project.
    #[error("{}: {error}", path.display())]
    Lock {
        /// Which file.
        path: std::path::PathBuf,
        /// Why not.
        error: std::io::Error,
    },
}

impl Error {
    pub(crate) fn of(service: &str) -> impl FnOnce(engine::Error) -> Error {
        let service = service.to_owned();
        move |error| Error::Service { service, error: Box::new(error) }
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Error {
        Error::Engine(Box::new(error))
    }
}
