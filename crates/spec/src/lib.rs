//! Types of the OCI specifications.
//!
//! What they hold is checked as far as that needs no system: an enumeration has no unknown value,
//! a number is in its range. Here is no I/O, and nothing knows what the values are used for.

#![forbid(unsafe_code)]

pub mod image;
pub mod json;
pub mod runtime;
