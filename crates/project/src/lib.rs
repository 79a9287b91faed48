//! Files that say what is to run, and how what runs becomes that.
//!
//! ```text
//! state.yaml ───state::parse──► Project ──plan──► Plan ──Engine──► containers
//! compose.yaml ─compose::parse─┘
//!   (YAML, with places)       plain data    what is kept,      one after the other,
//!                                           made, removed      as they depend on each other
//! ```
//!
//! One way only: nothing is asked of a file once it is a [`Project`], so another kind of file is
//! another module beside [`state`]. What a project has made is found again by labels; nothing else
//! is remembered, so whoever is killed leaves nothing that the next plan does not see. Images are
//! the caller's to get. Nothing here prints or reads the environment.

#![forbid(unsafe_code)]

mod apply;
pub mod compose;
mod down;
mod error;
mod fields;
mod found;
mod labels;
mod model;
mod plan;
pub mod state;
mod verdict;
mod words;
mod yaml;

pub use apply::{Event, Observer, apply, one_off};
pub use down::{Removed, down, start, stop};
pub use error::{Error, FileError, Position, Result};
pub use found::{Found, Turn, found};
pub use labels::label_of;
pub use model::{Need, Project, ProjectError, ProjectNetwork, Pull, Service, Until};
pub use plan::{Action, Plan, Step, plan};
