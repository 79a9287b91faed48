//! Which containers a command is about.

use super::fitting::{self, fits};
use crate::commands::wanted::Filter;
use anyhow::{Context as _, Result};
use clap::Args;
use engine::{Container, Engine, Error, Status};
use std::io::ErrorKind;
use std::path::PathBuf;

/// The flags that choose some, in a command that has a flag `--all`, too.
#[derive(Args)]
pub(super) struct Chosen {
    /// Only those that fit, as with `ps`; without names, of all
    #[arg(long, value_name = "FILTER", value_parser = fitting::filter)]
    filter: Vec<Filter>,
    /// The newest one
    #[arg(short, long, conflicts_with_all = ["all", "filter", "cidfile"])]
    latest: bool,
    /// That whose id --cidfile has written to a file
    #[arg(long, value_name = "FILE")]
    cidfile: Vec<PathBuf>,
    /// Names or ids
    #[arg(
        value_name = "CONTAINER",
        required_unless_present_any = ["all", "filter", "latest", "cidfile"],
        conflicts_with_all = ["all", "latest"]
    )]
    containers: Vec<String>,
}

/// Of which containers those are that nobody has named.
pub(super) type Scope = fn(Status) -> bool;

/// Whatever they do.
pub(super) const ANY: Scope = |_| true;
/// Those that run.
pub(super) const RUNNING: Scope = Status::is_running;
/// Those that do not.
pub(super) const OVER: Scope = Status::is_over;

impl Chosen {
    /// Names, as they were given, or found.
    pub(super) fn names(&self, engine: &Engine, all: bool, scope: Scope) -> Result<Vec<String>> {
        self.names_but(engine, all, scope, false)
    }

    /// The same. With `ignore`, without those that there are not.
    pub(super) fn names_but(
        &self,
        engine: &Engine,
        all: bool,
        scope: Scope,
        ignore: bool,
    ) -> Result<Vec<String>> {
        if self.latest {
            return Ok(vec![newest(engine)?.name]);
        }
        let mut given = self.containers.clone();
        for path in &self.cidfile {
            match std::fs::read_to_string(path) {
                Err(error) if ignore && error.kind() == ErrorKind::NotFound => {}
                text => {
                    let text = text.with_context(|| format!("--cidfile {}", path.display()))?;
                    given.push(text.trim().to_owned());
                }
            }
        }
        if ignore {
            given.retain(|name| !matches!(engine.find(name), Err(Error::NoSuchContainer(_))));
        }
        let is_named = !self.containers.is_empty() || !self.cidfile.is_empty();
        if is_named && self.filter.is_empty() {
            return Ok(given);
        }
        let mut found = Vec::new();
        if all || !is_named {
            for container in engine.containers()?.into_iter().filter(|it| !it.is_infra) {
                found.push((container.name.clone(), container));
            }
        } else {
            for name in given {
                let container = engine.find(&name)?;
                found.push((name, container));
            }
        }
        let mut names = Vec::new();
        for (name, container) in found {
            let seen = match engine.look(&container) {
                Err(Error::NoSuchContainer(_)) => continue,
                seen => seen?,
            };
            if (is_named || scope(seen.status)) && fits(engine, &container, &seen, &self.filter)? {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// The one that was made last.
pub(crate) fn newest(engine: &Engine) -> Result<Container> {
    // What holds the namespaces of a pod goes with that.
    let newest = engine.containers()?.into_iter().find(|it| !it.is_infra);
    newest.context("--latest: there is no container")
}

/// That of this name, or the newest one.
pub(crate) fn one(engine: &Engine, name: Option<&str>) -> Result<Container> {
    match name {
        Some(name) => Ok(engine.find(name)?),
        None => newest(engine),
    }
}
