//! What several containers print, a line each with a label before it.

use super::{front, logs};
use anyhow::Result;
use engine::{Container, Engine, Entry, Follow, Logs};

/// Names as labels, all equally wide.
pub(crate) fn in_columns(named: Vec<(String, Container)>) -> Vec<(String, Container)> {
    let width = named.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    named.into_iter().map(|(name, it)| (format!("{name:width$} | "), it)).collect()
}

/// Containers whose output is printed.
pub(crate) struct Printing<'a> {
    engine: &'a Engine,
    logs: Logs,
    pub(crate) timestamps: bool,
    pub(crate) details: bool,
    sources: Vec<Source>,
}

struct Source {
    /// What stands in front of its lines.
    label: String,
    container: Container,
    past: Vec<Entry>,
    follow: Option<Follow>,
    is_over: bool,
}

impl<'a> Printing<'a> {
    pub(crate) fn begin(
        engine: &'a Engine,
        containers: Vec<(String, Container)>,
        logs: Logs,
    ) -> Result<Printing<'a>> {
        let mut sources = Vec::new();
        for (label, container) in containers {
            let (past, follow) = engine.logs(&container, &logs)?;
            sources.push(Source { label, container, past, follow, is_over: false });
        }
        Ok(Printing { engine, logs, timestamps: false, details: false, sources })
    }

    /// What they have printed so far, in the order of time.
    pub(crate) fn print_past(&mut self) -> Result<()> {
        let mut past = Vec::new();
        for (place, source) in self.sources.iter_mut().enumerate() {
            past.extend(source.past.drain(..).map(|entry| (place, entry)));
        }
        past.sort_by(|(_, one), (_, other)| one.time.cmp(&other.time));
        past.iter().try_for_each(|(place, entry)| self.show(*place, entry))
    }

    /// What they have printed since then. False if none of them runs any more.
    pub(crate) fn go_on(&mut self) -> Result<bool> {
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

    /// The same, and as long as one of them runs, if it is to be followed.
    pub(crate) fn print_all(&mut self, follow: bool) -> Result<()> {
        self.print_past()?;
        while follow && self.go_on()? {
            std::thread::sleep(logs::PACE);
        }
        Ok(())
    }

    /// A line of its own even where the program has not ended it yet: another one may follow.
    fn show(&self, place: usize, entry: &Entry) -> Result<()> {
        let mut line = self.sources[place].label.clone();
        if self.timestamps {
            line.push_str(&entry.time);
            line.push(' ');
        }
        if self.details {
            line.push_str(&logs::details(&self.sources[place].container));
        }
        let mut line = line.into_bytes();
        line.extend_from_slice(&entry.text);
        line.push(b'\n');
        front::print(entry.stream, &line)
    }
}
