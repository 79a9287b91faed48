//! The registry client against registries that misbehave.

mod auth;
mod faults;
mod pulls;
mod pushes;
mod redirects;
mod support;
mod tls;
mod uploads;
