//! The rows of containers and volumes, in the image store's database. They say what was asked for,
//! never what the kernel can say.

use crate::error::{Error, Result};
use crate::folders::Folders;
use crate::pod::Pod;
use crate::settings::{FileSystem, Settings};
use crate::user_namespace::IdWish;
use image::Digest;
use image::store::{Image, Store};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::ffi::OsStr;
use std::path::PathBuf;

/// How to come from each version of the tables to the next; a step that was released is never
/// changed.
// tidy: table
const STEPS: &[&str] = &[
    "
    CREATE TABLE containers (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        manifest TEXT,                   -- of its image, if it has one
        layers TEXT NOT NULL,            -- JSON: folders below its own, the uppermost first
        created INTEGER NOT NULL,        -- nanoseconds since 1970
        settings TEXT NOT NULL           -- JSON
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE volumes (
        name TEXT PRIMARY KEY,
        created INTEGER NOT NULL,        -- nanoseconds since 1970
        labels TEXT NOT NULL,            -- JSON
        anonymous INTEGER NOT NULL       -- nobody has given it a name
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE volume_uses (
        container TEXT NOT NULL REFERENCES containers ON DELETE CASCADE,
        volume TEXT NOT NULL REFERENCES volumes,
        PRIMARY KEY (container, volume)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX volume_uses_by_volume ON volume_uses (volume);
",
    crate::network::TABLES,
    crate::pod::TABLES,
    "ALTER TABLE volumes ADD COLUMN file_system TEXT; -- JSON, if it is no folder of ours",
    crate::user_namespace::TABLES,
];

/// A container's row.
#[derive(Clone, Debug)]
pub struct Container {
    /// 64 hexadecimal digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The manifest of its image; none if it was made of a folder.
    pub manifest: Option<Digest>,
    /// The folders of what is below its own changes, the uppermost first.
    pub layers: Vec<PathBuf>,
    /// Nanoseconds since 1970.
    pub created: u64,
    /// What it is to be.
    pub settings: Settings,
    /// The id of the pod that it is in.
    pub pod: Option<String>,
    /// It holds the namespaces of that pod, and is nothing else.
    pub is_infra: bool,
}

/// A volume's row.
#[derive(Clone, Debug)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Nanoseconds since 1970.
    pub created: u64,
    /// Anything.
    pub labels: std::collections::BTreeMap<String, String>,
    /// What it is, if it is no folder that the engine keeps.
    pub file_system: Option<FileSystem>,
    /// Nobody has given it a name, so it goes with the container that it was made for.
    pub anonymous: bool,
    /// The ids of containers that use it.
    pub users: Vec<String>,
}

/// Brings the tables up to date. New ones are made only where nothing is there of which they would
/// have to speak: it would be taken for what is of no use, and removed.
pub(crate) fn prepare(store: &Store, folders: &Folders) -> Result<()> {
    let latest = STEPS.len();
    let version = |database: &Connection| -> Result<usize> {
        let query = "SELECT version FROM versions WHERE part = 'engine'";
        Ok(database.query_row(query, [], |row| row.get(0)).optional()?.unwrap_or(0))
    };
    match store.read(version)? {
        version if version == latest => return Ok(()),
        version if version > latest => return Err(Error::Newer { version, known: latest }),
        _ => {}
    }
    store.write(|transaction| {
        let done = version(transaction)?;
        if done == 0 && has_content(folders) {
            let why = "it is empty, and there are containers or volumes that it should know";
            return Err(image::store::Error::DamagedDatabase(why.to_owned()).into());
        }
        for step in STEPS.iter().skip(done) {
            transaction.execute_batch(step)?;
        }
        transaction.execute(
            "INSERT INTO versions VALUES ('engine', ?1)
             ON CONFLICT (part) DO UPDATE SET version = max(version, excluded.version)",
            [latest],
        )?;
        Ok(())
    })
}

fn has_content(folders: &Folders) -> bool {
    let is_thing = |name: &OsStr| !name.as_encoded_bytes().starts_with(b".");
    [folders.containers(), folders.volumes(), folders.pods()].iter().any(|folder| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name()).any(|name| is_thing(&name))
    })
}

/// Adds a container, which uses its image and volumes from now on, with what else belongs to it,
/// the pod whose namespaces it holds, and ids that nobody else has: there is all of it or nothing,
/// whoever is killed. Where its ids are others than its files', the layers of the image are `copied`.
pub(crate) fn insert(
    store: &Store,
    container: &mut Container,
    (volumes, ids): (&[String], &IdWish),
    copied: Option<&Image>,
    new_pod: Option<&Pod>,
    more: impl FnOnce(&Connection) -> Result<()>,
) -> Result<()> {
    store.write(|transaction| {
        if let Some(ids) = ids.claim(transaction, &container.id)? {
            container.settings.namespaces.ids = ids;
        }
        let owners = container.settings.namespaces.ids.owners();
        if let Some((image, owners)) = copied.zip(owners) {
            container.layers = store.mapped_paths(image, &owners);
            Store::begin_mapped_use_in(transaction, image, &owners, &user(&container.id))?;
        }
        let (layers, settings) = (to_json(&container.layers)?, short_json(&container.settings)?);
        let manifest = container.manifest.as_ref();
        if let Some(pod) = new_pod {
            crate::pod::insert(transaction, pod)?;
        }
        check_name_is_free(transaction, &container.name)?;
        if let Some(pod) = &container.pod {
            crate::pod::check_is_there(transaction, pod)?;
        }
        if let Some(manifest) = manifest {
            Store::begin_use_in(transaction, manifest, &user(&container.id))?;
        }
        for (manifest, _) in container.settings.mounts.iter().filter_map(|it| it.image.as_ref()) {
            Store::begin_use_in(transaction, manifest, &user(&container.id))?;
        }
        transaction.execute(
            "INSERT INTO containers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                container.id,
                container.name,
                manifest.map(Digest::as_str),
                layers,
                container.created,
                settings,
                container.pod,
                container.is_infra
            ],
        )?;
        more(transaction)?;
        for volume in volumes {
            let insert = "INSERT INTO volume_uses VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            transaction.execute(insert, [&container.id, volume])?;
        }
        Ok(())
    })
}

/// Does what leads to more room: on a full disk that may take what the store has set aside for it.
pub(crate) fn make_room<T>(store: &Store, act: impl Fn() -> Result<T>) -> Result<T> {
    let done = act();
    let is_full = match &done {
        Err(Error::Store(error)) => error.is_full_disk(),
        Err(Error::File { error, .. }) => crate::small_file::is_full(error),
        _ => false,
    };
    if is_full && store.spend_reserve()? { act() } else { done }
}

/// Removes a container, and with `volumes` those that nobody has given a name and nobody uses now:
/// their folders are to follow.
pub(crate) fn delete(store: &Store, id: &str, volumes: bool) -> Result<Vec<String>> {
    store.write(|transaction| {
        let orphans = if volumes {
            let mut statement = transaction.prepare(
                "SELECT volume FROM volume_uses JOIN volumes ON volumes.name = volume_uses.volume
                 WHERE container = ?1 AND anonymous AND NOT EXISTS
                     (SELECT 1 FROM volume_uses AS other WHERE other.volume = volume_uses.volume
                      AND other.container <> ?1)",
            )?;
            let rows = statement.query_map([id], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<Vec<String>>>()?
        } else {
            Vec::new()
        };
        let pod = crate::pod::to_be_deleted_with(transaction, id)?;
        transaction.execute("DELETE FROM containers WHERE id = ?1", [id])?;
        transaction.execute("DELETE FROM pods WHERE id = ?1", [pod])?;
        Store::end_use_in(transaction, &user(id))?;
        for name in &orphans {
            transaction.execute("DELETE FROM volumes WHERE name = ?1", [name])?;
        }
        Ok(orphans)
    })
}

/// The containers of a pod, the oldest first.
pub(crate) fn of_pod(store: &Store, pod: &str) -> Result<Vec<Container>> {
    store.read(|database| {
        let query = format!("{SELECT} WHERE pod = ?1 ORDER BY created, id");
        let mut statement = database.prepare(&query)?;
        let rows = statement.query_map([pod], read_row)?;
        rows.map(|row| container(row?)).collect()
    })
}

/// All containers, the newest first.
pub(crate) fn all(store: &Store) -> Result<Vec<Container>> {
    store.read(|database| {
        let mut statement = database.prepare(&format!("{SELECT} ORDER BY created DESC, id"))?;
        let rows = statement.query_map([], read_row)?;
        rows.map(|row| container(row?)).collect()
    })
}

/// The container of this name, this id, or the only one whose id begins like this.
pub(crate) fn find(store: &Store, text: &str) -> Result<Container> {
    let found = store.read(|database| {
        let exactly = format!("{SELECT} WHERE name = ?1 OR id = ?1");
        if let Some(row) = database.query_row(&exactly, [text], read_row).optional()? {
            return Ok(vec![container(row)?]);
        }
        let is_beginning = !text.is_empty() && text.bytes().all(|it| it.is_ascii_hexdigit());
        if !is_beginning {
            return Ok(Vec::new());
        }
        let query = format!("{SELECT} WHERE substr(id, 1, ?2) = ?1 LIMIT 5");
        let mut statement = database.prepare(&query)?;
        let rows = statement.query_map(params![text, text.len()], read_row)?;
        rows.map(|row| container(row?)).collect::<Result<Vec<_>>>()
    })?;
    match <[Container; 1]>::try_from(found) {
        Ok([container]) => Ok(container),
        Err(found) if found.is_empty() => Err(Error::NoSuchContainer(text.to_owned())),
        Err(found) => {
            let found: Vec<&str> = found.iter().map(|it| &it.id[..12]).collect();
            Err(Error::Ambiguous { text: text.to_owned(), found: found.join(", ") })
        }
    }
}

/// Whether there is no container of this id.
pub(crate) fn is_gone(store: &Store, id: &str) -> Result<bool> {
    store.read(|database| {
        let query = "SELECT 1 FROM containers WHERE id = ?1";
        Ok(database.query_row(query, [id], |_| Ok(())).optional()?.is_none())
    })
}

/// Gives a container another name.
pub(crate) fn rename(store: &Store, id: &str, name: &str) -> Result<()> {
    store.write(|transaction| {
        check_name_is_free(transaction, name)?;
        let update = "UPDATE containers SET name = ?2 WHERE id = ?1";
        transaction.execute(update, [id, name])?;
        Ok(())
    })
}

/// Changes what a container is to be.
pub(crate) fn set_settings(store: &Store, id: &str, settings: &Settings) -> Result<()> {
    let settings = short_json(settings)?;
    store.write(|transaction| {
        let update = "UPDATE containers SET settings = ?2 WHERE id = ?1";
        transaction.execute(update, [id, &settings])?;
        Ok(())
    })
}

/// Adds a volume, or leaves the one of that name as it is.
pub(crate) fn insert_volume(database: &Connection, volume: &Volume) -> Result<()> {
    let labels = to_json(&volume.labels)?;
    let file_system = volume.file_system.as_ref().map(to_json).transpose()?;
    let insert = "INSERT INTO volumes (name, created, labels, anonymous, file_system)
                  VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
    let values = params![volume.name, volume.created, labels, volume.anonymous, file_system];
    database.execute(insert, values)?;
    Ok(())
}

/// Removes a volume that nobody uses.
pub(crate) fn delete_volume(store: &Store, name: &str) -> Result<()> {
    store.write(|transaction| {
        let users = users_of(transaction, name)?;
        if !users.is_empty() {
            let users: Vec<&str> = users.iter().map(|id| &id[..12]).collect();
            return Err(Error::VolumeInUse { name: name.to_owned(), users: users.join(" ") });
        }
        match transaction.execute("DELETE FROM volumes WHERE name = ?1", [name])? {
            0 => Err(Error::NoSuchVolume(name.to_owned())),
            _ => Ok(()),
        }
    })
}

/// All volumes, by name.
pub(crate) fn volumes(store: &Store) -> Result<Vec<Volume>> {
    store.read(|database| {
        let query =
            "SELECT name, created, labels, anonymous, file_system FROM volumes ORDER BY name";
        let mut statement = database.prepare(query)?;
        let rows = statement.query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })?;
        let volume = |row: rusqlite::Result<(String, u64, String, bool, Option<String>)>| {
            let (name, created, labels, anonymous, file_system) = row?;
            let what = || format!("volume {name}");
            let labels = from_json(&labels, what)?;
            let file_system = file_system.map(|text| from_json(&text, what)).transpose()?;
            let users = users_of(database, &name)?;
            Ok(Volume { name, created, labels, file_system, anonymous, users })
        };
        rows.map(volume).collect()
    })
}

const SELECT: &str =
    "SELECT id, name, manifest, layers, created, settings, pod, is_infra FROM containers";

type Columns = (String, String, Option<String>, String, u64, String, Option<String>, bool);

fn read_row(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
        row.get(6)?,
        row.get(7)?,
    ))
}

fn container(columns: Columns) -> Result<Container> {
    let (id, name, manifest, layers, created, settings, pod, is_infra) = columns;
    let damaged = |reason: String| Error::Damaged { what: format!("container {id}"), reason };
    let manifest = manifest.map(|text| text.parse()).transpose();
    let manifest = manifest.map_err(|error| damaged(format!("{error}")))?;
    let layers = from_json(&layers, || format!("container {id}"))?;
    let settings = from_json(&settings, || format!("container {id}"))?;
    Ok(Container { id, name, manifest, layers, created, settings, pod, is_infra })
}

/// Containers and pods have their names in common, so that a name means one of them.
pub(crate) fn check_name_is_free(database: &Connection, name: &str) -> Result<()> {
    for (kind, table) in [("container", "containers"), ("pod", "pods")] {
        let query = format!("SELECT id FROM {table} WHERE name = ?1");
        let found: Option<String> =
            database.query_row(&query, [name], |row| row.get(0)).optional()?;
        if let Some(id) = found {
            let (name, id) = (name.to_owned(), id[..12].to_owned());
            return Err(Error::NameInUse { name, kind, id });
        }
    }
    Ok(())
}

fn users_of(database: &Connection, volume: &str) -> Result<Vec<String>> {
    let query = "SELECT container FROM volume_uses WHERE volume = ?1";
    let mut statement = database.prepare(query)?;
    let rows = statement.query_map([volume], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What the image store calls whoever uses an image.
fn user(id: &str) -> String {
    format!("container:{id}")
}

/// Without what is as it is by default, which is most: a row is in a page of the database then.
fn short_json(settings: &Settings) -> Result<String> {
    let value = |settings: &Settings| {
        serde_json::to_value(settings).map_err(|error| Error::Damaged {
            what: "what was asked for".to_owned(),
            reason: error.to_string(),
        })
    };
    let mut short = value(settings)?;
    leave_out(&mut short, &value(&Settings::default())?);
    to_json(&short)
}

fn leave_out(value: &mut serde_json::Value, usual: &serde_json::Value) {
    let (Some(fields), Some(usual)) = (value.as_object_mut(), usual.as_object()) else { return };
    fields.retain(|name, value| {
        let Some(usual) = usual.get(name) else { return true };
        let differs = value != usual;
        leave_out(value, usual);
        differs
    });
}

pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String> {
    let damaged = |error: serde_json::Error| Error::Damaged {
        what: "what was asked for".to_owned(),
        reason: error.to_string(),
    };
    serde_json::to_string(value).map_err(damaged)
}

pub(crate) fn from_json<T: serde::de::DeserializeOwned>(
    text: &str,
    what: impl FnOnce() -> String,
) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::Damaged { what: what(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::{from_json, short_json};
    use crate::settings::{Health, LogOptions, Restart, Settings};

    #[test]
    fn what_is_left_out_comes_back() {
        let usual = Settings::default();
        assert_eq!(short_json(&usual).unwrap(), "{}");
        let mut settings = Settings {
            image: "box".to_owned(),
            init: true,
            health: Some(Health::default()),
            log: LogOptions { max_size: 7, ..usual.log.clone() },
            restart: Restart { limit: 3, ..usual.restart.clone() },
            ..usual
        };
        settings.network.ports.push("80:80".to_owned());
        settings.labels.insert("a".to_owned(), String::new());
        settings.security.privileged = true;
        let text = short_json(&settings).unwrap();
        assert_eq!(from_json::<Settings>(&text, String::new).unwrap(), settings);
        assert!(text.len() < 400, "{text}");
    }
}
