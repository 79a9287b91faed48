//! The image `hello`, which needs no registry: one static program that shows what the container
//! sees of its isolation.

use crate::assemble::{Draft, Error, assemble, blank_config};
use crate::reference::Reference;
use crate::store::{Image, Store};
use crate::tar::{Entry, Kind, Name, Writer};
use spec::image::{ContainerConfig, History, ImageConfig};
use std::io::{self, Write};
use sys::rustix::io::{retry_on_intr, write};

/// What it is called in the store.
pub const NAME: &str = "localhost/hello:latest";

/// Puts the image into the store, if it is not there. It is always the same, so it has no date.
///
/// # Errors
/// The store cannot take it.
pub fn hello(store: &Store) -> Result<Image, Error> {
    let name: Reference = NAME.parse().map_err(io::Error::other)?;
    let layer = store.spool()?;
    let mut writer = Writer::new(Output(&layer));
    for folder in ["dev", "etc", "proc", "sys"] {
        writer.entry(&entry(folder, Kind::Folder, 0))?;
    }
    writer.entry(&entry("hello", Kind::Regular, hello::PROGRAM.len() as u64))?;
    writer.data(hello::PROGRAM)?;
    writer.finish()?;
    let config = ContainerConfig {
        entrypoint: Some(vec!["/hello".to_owned()]),
        working_dir: "/".to_owned(),
        ..ContainerConfig::default()
    };
    let config = ImageConfig { config, created: None, ..blank_config() };
    let comment = Some("in the program itself".to_owned());
    let draft = Draft { config, base: None, history: History { comment, ..History::default() } };
    assemble(store, draft, layer, &[name])
}

fn entry(name: &str, kind: Kind, size: u64) -> Entry {
    let name = Name::new(name.as_bytes()).unwrap_or_default();
    Entry { size, ..Entry::new(name, kind, 0o755) }
}

/// A file as a stream.
struct Output<'a>(&'a std::os::fd::OwnedFd);

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(retry_on_intr(|| write(self.0, bytes))?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
