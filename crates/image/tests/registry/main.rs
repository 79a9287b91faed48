//! The registry client against registries that misbehave.

mod auth;
mod faults;
mod redirects;
mod support;
mod tls;
mod uploads;
