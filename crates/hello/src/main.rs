//! Shows what a process can see of the box that it is in: namespaces, users, capabilities, filters,
//! limits, mounts, devices, networks.
//!
//! It reads files of `/proc`, `/sys` and `/dev`, changes nothing and needs nothing, least of all a
//! file system around it: it is the only file of its image. What cannot be read is left out.

#![forbid(unsafe_code)]

mod files;
mod limits;
mod network;
mod process;

use std::fmt::Display;

fn main() {
    println!("Hello! This is what I can see of the container that I am in.");
    process::show();
    limits::show();
    files::show();
    network::show();
}

/// A heading.
fn section(title: &str) {
    println!("\n{title}");
}

/// A line with a name and a value, which is left out if it is not known.
fn line(name: &str, value: Option<impl Display>) {
    if let Some(value) = value {
        println!("  {name:<14} {value}");
    }
}

/// A file's text, without the end of its last line.
fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim_end().to_owned())
}
