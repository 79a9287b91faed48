//! What happened: a file with a line of JSON for each event. Whoever appends one writes it at
//! once, so that lines of several processes do not mix.

use crate::clock;
use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::folders::Folders;
use crate::small_file;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};

/// A file of this size becomes `events.1`, and what was that is gone.
const LONGEST: u64 = 16 << 20;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Nanoseconds since 1970.
    pub time: u64,
    /// To what: `container`, `pod`.
    pub kind: String,
    /// What: `start`, `die`.
    pub action: String,
    /// Its id or name.
    pub id: String,
    /// More about it.
    pub attributes: BTreeMap<String, String>,
}

impl Event {
    pub(crate) fn of_container(
        id: &str,
        name: &str,
        image: &str,
        action: &str,
        more: &[(&str, &str)],
    ) -> Event {
        let own = [("name", name), ("image", image)];
        Event {
            time: clock::now(),
            kind: "container".to_owned(),
            action: action.to_owned(),
            id: id.to_owned(),
            attributes: own
                .iter()
                .chain(more)
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }
}

impl Event {
    pub(crate) fn of_pod(id: &str, name: &str, action: &str) -> Event {
        Event {
            time: clock::now(),
            kind: "pod".to_owned(),
            action: action.to_owned(),
            id: id.to_owned(),
            attributes: BTreeMap::from([("name".to_owned(), name.to_owned())]),
        }
    }
}

/// On a full disk the event is lost, as what it tells of has happened anyway.
pub(crate) fn append(folders: &Folders, event: &Event) -> Result<()> {
    let path = folders.events();
    let write = || -> std::io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        let mut file = File::options().append(true).create(true).open(&path)?;
        let length = file.write(&line)?;
        if length < line.len() {
            // Half a line would spoil the next one.
            let whole = file.metadata()?.len().saturating_sub(length as u64);
            return file.set_len(whole);
        }
        if file.metadata()?.len() > LONGEST {
            fs::rename(&path, path.with_extension("1"))?;
        }
        Ok(())
    };
    match write() {
        Err(error) if small_file::is_full(&error) => Ok(()),
        result => result.map_err(Error::file(&path)),
    }
}

impl Engine {
    pub(crate) fn tell_event(
        &self,
        container: &Container,
        action: &str,
        attributes: &[(&str, &str)],
    ) -> Result<()> {
        let Container { id, name, settings, .. } = container;
        let event = Event::of_container(id, name, &settings.image, action, attributes);
        append(&self.folders, &event)
    }

    /// Events from a point in time on. `from` is where a former call ended, or 0; the new end is
    /// returned with them.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn events(&self, since: u64, from: u64) -> Result<(Vec<Event>, u64)> {
        let path = self.folders.events();
        let mut found = Vec::new();
        let mut read = |path: &std::path::Path, from: u64| -> std::io::Result<u64> {
            let mut file = match File::open(path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
                file => file?,
            };
            let length = file.metadata()?.len();
            // A file that has become shorter is another one.
            let mut place = if from > length { 0 } else { from };
            file.seek(SeekFrom::Start(place))?;
            let mut lines = BufReader::new(file);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
                place += line.len() as u64;
                // What cannot be read is of a newer program.
                found.extend(serde_json::from_slice::<Event>(&line).ok());
                line.clear();
            }
            Ok(place)
        };
        if from == 0 {
            let old = path.with_extension("1");
            read(&old, 0).map_err(Error::file(&old))?;
        }
        let end = read(&path, from).map_err(Error::file(&path))?;
        found.retain(|event| event.time >= since);
        Ok((found, end))
    }
}
