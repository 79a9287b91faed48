//! Image specification 1.1, with the Docker formats that say the same: descriptors, indexes,
//! manifests, configurations.
//!
//! Programs in Go write `null` for an empty list or map, and so it is read as one. Unknown fields
//! are ignored, as the specification demands; who must keep a document keeps its bytes.

mod config;
mod descriptor;
mod digest;
mod manifest;
mod media_type;
mod null;
mod platform;

pub use config::{ContainerConfig, HealthCheck, History, ImageConfig, RootFs};
pub use descriptor::Descriptor;
pub use digest::{Algorithm, BadDigest, Digest};
pub use manifest::{Index, Manifest};
pub use media_type::MediaType;
pub use platform::Platform;
