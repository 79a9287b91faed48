//! What several containers print, a line each with the name of its service before it.

use super::file::ProjectOptions;
use crate::commands::container::{front, logs};
use crate::context::Context;
use anyhow::{Result, bail};
use clap::Args;
use engine::{Container, Engine, Entry, Follow, Logs};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: logs::Which,
    /// Names of services [default: all]
    services: Vec<String>,
}

pub(super) fn run(context: &Context, of: &ProjectOptions, arguments: &Arguments) -> Result<()> {
    let name = of.name()?;
    let engine = context.engine()?;
    let found = project::found(&engine, &name)?;
    let is_there = |service: &&String| found.iter().any(|it| it.service() == **service);
    if let Some(service) = arguments.services.iter().find(|it| !is_there(it)) {
        bail!("project {name} has no container of a service {service}");
    }
    let is_meant = |service: &str| {
        arguments.services.is_empty() || arguments.services.iter().any(|it| it == service)
    };
    let meant = found.iter().rev().filter(|it| is_meant(it.service()));
    let meant = meant.map(|it| (it.service().to_owned(), it.container.clone())).collect();
    let mut printing = Printing::begin(&engine, meant, arguments.which.logs()?)?;
    printing.timestamps = arguments.which.timestamps;
    printing.print_past()?;
    while arguments.which.follow && printing.go_on()? {
        std::thread::sleep(logs::PACE);
    }
    Ok(())
}

/// Containers whose output is printed.
pub(super) struct Printing<'a> {
    engine: &'a Engine,
    /// Of the longest name.
    width: usize,
    logs: Logs,
    timestamps: bool,
    sources: Vec<Source>,
}

struct Source {
    service: String,
    container: Container,
    past: Vec<Entry>,
    follow: Option<Follow>,
    is_over: bool,
}

impl<'a> Printing<'a> {
    pub(super) fn begin(
        engine: &'a Engine,
        containers: Vec<(String, Container)>,
        logs: Logs,
    ) -> Result<Printing<'a>> {
        let width = containers.iter().map(|(service, _)| service.len()).max().unwrap_or(0);
        let mut sources = Vec::new();
        for (service, container) in containers {
            let (past, follow) = engine.logs(&container, &logs)?;
            sources.push(Source { service, container, past, follow, is_over: false });
        }
        Ok(Printing { engine, width, logs, timestamps: false, sources })
    }

    /// What they have printed so far, in the order of time.
    pub(super) fn print_past(&mut self) -> Result<()> {
        let mut past = Vec::new();
        for (place, source) in self.sources.iter_mut().enumerate() {
            past.extend(source.past.drain(..).map(|entry| (place, entry)));
        }
        past.sort_by(|(_, one), (_, other)| one.time.cmp(&other.time));
        past.iter().try_for_each(|(place, entry)| self.show(*place, entry))
    }

    /// What they have printed since then. False if none of them runs any more.
    pub(super) fn go_on(&mut self) -> Result<bool> {
        for place in 0..self.sources.len() {
            if self.sources[place].is_over {
                continue;
            }
            // Asked first: what it printed last is there by the time that it has ended.
            let is_over = logs::is_over(self.engine, &self.sources[place].container)?;
            for entry in self.news(place)? {
                self.show(place, &entry)?;
            }
            self.sources[place].is_over = is_over;
        }
        Ok(self.sources.iter().any(|source| !source.is_over))
    }

    fn news(&mut self, place: usize) -> Result<Vec<Entry>> {
        let source = &mut self.sources[place];
        let mut entries = Vec::new();
        if source.follow.is_none() {
            // It had no log yet.
            let everything = Logs { tail: None, ..self.logs };
            (entries, source.follow) = match self.engine.logs(&source.container, &everything) {
                Err(engine::Error::NoSuchContainer(_)) => return Ok(entries),
                logs => logs?,
            };
        }
        if let Some(follow) = &mut source.follow {
            while let Some(entry) = follow.next_entry()? {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// A line of its own even where the program has not ended it yet: another one may follow.
    fn show(&self, place: usize, entry: &Entry) -> Result<()> {
        let mut line = format!("{:width$} | ", self.sources[place].service, width = self.width);
        if self.timestamps {
            line.push_str(&entry.time);
            line.push(' ');
        }
        let mut line = line.into_bytes();
        line.extend_from_slice(&entry.text);
        line.push(b'\n');
        front::print(entry.stream, &line)
    }
}
