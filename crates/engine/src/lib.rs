//! Containers without a daemon: what they are, how they start, who looks after them.
//!
//! ```text
//! Engine::create   image + settings -> a row, a folder
//! Engine::start    row -> config.json -> a monitor of its own -> the runtime's library -> program
//! monitor          holds the terminal or pipes, keeps the log, answers who attaches, starts it
//!                  again, records the end
//! ```
//!
//! A row of the database says what was asked for; a small file what the monitor has seen; and
//! what lives now is asked of the kernel, each time ([`Engine::look`]). Whoever finds that a
//! monitor is gone puts in order what it has left (`heal.rs`). Nothing here prints, reads the
//! environment, or keeps global state. A command is a process with one thread.

#![forbid(unsafe_code)]

mod attach;
mod blame;
mod boot;
mod changes;
mod check;
mod clock;
mod configuration;
mod copy;
mod create;
mod cursor;
mod database;
mod engine;
mod error;
mod events;
mod exec;
mod folders;
mod foreground;
mod fuse;
pub mod guard;
mod heal;
mod health_log;
mod id;
mod inherited;
mod init;
mod keeper;
mod lock;
mod log;
mod members;
mod merge;
pub mod monitor;
mod network;
mod pause;
mod places;
mod pod;
mod protocol;
mod remove;
mod reset;
mod room;
mod rootfs;
mod seccomp_profile;
mod secret;
pub mod settings;
mod shown;
mod small_file;
mod start;
mod state;
mod status;
mod stop;
mod stream;
mod streams;
mod sweep;
mod update;
mod usage;
mod user;
mod user_namespace;
pub mod value;
mod volume;

pub use attach::{Client, Heard};
pub use changes::Kind as ChangeKind;
pub use check::Fault;
pub use clock::text as time_text;
pub use configuration::DEFAULT_SHM_SIZE;
pub use copy::Copying;
pub use database::{Container, Volume};
pub use engine::Engine;
pub use error::{Error, Result};
pub use events::{Event, tell_event_of_image};
pub use exec::Exec;
pub use folders::Folders;
pub use health_log::Check;
pub use inherited::Inherited;
pub use keeper::Outcome;
pub use log::{Entry, Follow, Logs};
pub use members::Members;
pub use network::{
    Connected, DEFAULT as DEFAULT_NETWORK, Network, NetworkSettings, Range, SharedDevice,
    is_network,
};
pub use pod::{ExitPolicy, Pod, PodSeen, PodSettings, PodStatus, Share};
pub use protocol::Stream;
pub use room::Room;
pub use runtime::Keys;
pub use secret::{Secret, TOO_LARGE as TOO_LARGE_FOR_SECRET};
pub use start::Attach;
pub use state::{HealthStatus, Phase, State};
pub use status::{Seen, Status};
pub use stop::signal;
pub use usage::Usage;
