//! What happened: a file with a line of JSON for each event. Whoever appends one writes it at
//! once, so that lines of several processes do not mix.

use crate::clock;
use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::folders::Folders;
use crate::network::Network;
use crate::small_file;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use sys::rustix::fs::{FlockOperation, flock};

/// In the root folder.
pub(crate) const FILE: &str = "events";

/// A file of this size becomes `events.1`, and what was that is gone.
const LONGEST: u64 = 16 << 20;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Nanoseconds since 1970.
    pub time: u64,
    /// To what: `container`, `pod`, `network`, `volume`, `image`.
    pub kind: String,
    /// What: `start`, `die`.
    pub action: String,
    /// Its id or name.
    pub id: String,
    /// More about it.
    pub attributes: BTreeMap<String, String>,
}

impl Event {
    /// `kind` is one of those that [`Event::kind`] may be.
    pub(crate) fn new(kind: &str, id: &str, action: &str, attributes: &[(&str, &str)]) -> Event {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Event {
            time: clock::now(),
            kind: kind.to_owned(),
            action: action.to_owned(),
            id: id.to_owned(),
            attributes: attributes.iter().map(owned).collect(),
        }
    }

    /// With its labels, as with Docker: so it can be found by them.
    pub(crate) fn with_labels(mut self, labels: &BTreeMap<String, String>) -> Event {
        for (name, value) in labels {
            self.attributes.entry(name.clone()).or_insert_with(|| value.clone());
        }
        self
    }
}

/// On a disk that takes nothing the event is lost, as what it tells of happens anyway.
pub(crate) fn append(folders: &Folders, event: &Event) -> Result<()> {
    append_to(&folders.events(), event)
}

/// That something has happened to an image, for whoever has only the store, which is in `root`.
///
/// # Errors
/// It cannot be written, and the disk is not full.
pub fn tell_event_of_image(root: &Path, id: &str, action: &str, name: Option<&str>) -> Result<()> {
    let name = name.map(|name| ("name", name));
    append_to(&root.join(FILE), &Event::new("image", id, action, name.as_slice()))
}

fn append_to(path: &Path, event: &Event) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        let mut file = File::options().append(true).create(true).open(path)?;
        let length = file.write(&line)?;
        if length < line.len() {
            // Half a line would spoil the next one.
            let whole = file.metadata()?.len().saturating_sub(length as u64);
            return file.set_len(whole);
        }
        if file.metadata()?.len() > LONGEST { set_aside(file, path) } else { Ok(()) }
    };
    match write() {
        Err(error) if small_file::takes_nothing(&error) => Ok(()),
        result => result.map_err(Error::file(path)),
    }
}

/// Renames a file that is full, unless somebody else has done so: the next one is not to take its
/// place.
fn set_aside(file: File, path: &Path) -> std::io::Result<()> {
    flock(&file, FlockOperation::LockExclusive)?;
    let own = file.metadata()?;
    let done = match fs::metadata(path) {
        Ok(now) if (now.dev(), now.ino()) == (own.dev(), own.ino()) => {
            fs::rename(path, path.with_extension("1"))
        }
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    // And with it the lock.
    drop(file);
    done
}

impl Engine {
    pub(crate) fn tell_event(
        &self,
        container: &Container,
        action: &str,
        attributes: &[(&str, &str)],
    ) -> Result<()> {
        let Container { id, name, settings, .. } = container;
        let own = [("name", name.as_str()), ("image", &settings.image)];
        let event = Event::new("container", id, action, &[&own, attributes].concat());
        append(&self.folders, &event.with_labels(&settings.labels))
    }

    pub(crate) fn tell_event_of_network(
        &self,
        network: &Network,
        action: &str,
        container: Option<&Container>,
    ) -> Result<()> {
        let mut attributes = vec![("name", network.name.as_str())];
        attributes.extend(container.map(|it| ("container", it.id.as_str())));
        append(&self.folders, &Event::new("network", &network.id, action, &attributes))
    }

    pub(crate) fn tell_event_of_volume(&self, name: &str, action: &str) -> Result<()> {
        let attributes = [("driver", "local"), ("name", name)];
        append(&self.folders, &Event::new("volume", name, action, &attributes))
    }

    /// Events from a point in time on. `from` is where a former call ended, or 0; the new end is
    /// returned with them.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn events(&self, since: u64, from: u64) -> Result<(Vec<Event>, u64)> {
        let path = self.folders.events();
        let mut found = Vec::new();
        let mut read = |path: &Path, from: u64| -> std::io::Result<u64> {
            let mut file = match File::open(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
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

#[cfg(test)]
mod tests {
    use super::set_aside;
    use std::fs::{self, File};

    #[test]
    fn a_file_that_is_full_is_set_aside_once() {
        let folder = std::env::temp_dir().join(format!("events-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("events");
        fs::write(&path, "full").unwrap();
        // Three have seen that, and before the last one does it somebody has begun another one.
        let [first, second, last] = [(); 3].map(|()| File::open(&path).unwrap());
        set_aside(first, &path).unwrap();
        set_aside(second, &path).unwrap();
        fs::write(&path, "new").unwrap();
        set_aside(last, &path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_to_string(folder.join("events.1")).unwrap(), "full");
        fs::remove_dir_all(folder).unwrap();
    }
}
