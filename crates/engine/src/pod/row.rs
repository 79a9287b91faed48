//! The rows of pods.

use super::{Pod, PodSettings};
use crate::database::{check_name_is_free, from_json, to_json};
use crate::error::{Error, Result};
use image::store::Store;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// A step of the database: see `database.rs`.
pub(crate) const TABLES: &str = "
    CREATE TABLE pods (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        created INTEGER NOT NULL,        -- nanoseconds since 1970
        infra TEXT,                      -- the container that holds its namespaces
        settings TEXT NOT NULL           -- JSON
    ) STRICT, WITHOUT ROWID;

    ALTER TABLE containers ADD COLUMN pod TEXT REFERENCES pods;
    ALTER TABLE containers ADD COLUMN is_infra INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX containers_by_pod ON containers (pod);
";

/// Adds a pod.
pub(crate) fn insert(transaction: &Connection, pod: &Pod) -> Result<()> {
    check_name_is_free(transaction, &pod.name)?;
    let insert =
        "INSERT INTO pods (id, name, created, infra, settings) VALUES (?1, ?2, ?3, ?4, ?5)";
    let settings = to_json(&pod.settings)?;
    transaction.execute(insert, params![pod.id, pod.name, pod.created, pod.infra, settings])?;
    Ok(())
}

/// The pod whose namespaces a container holds: both are there or neither, whoever is killed.
pub(crate) fn to_be_deleted_with(transaction: &Connection, id: &str) -> Result<Option<String>> {
    let query = "SELECT id, name FROM pods WHERE infra = ?1";
    let pod: Option<(String, String)> =
        transaction.query_row(query, [id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((pod, name)) = pod else { return Ok(None) };
    let query = "SELECT name FROM containers WHERE pod = ?1 AND id <> ?2 ORDER BY name";
    let mut statement = transaction.prepare(query)?;
    let members = statement.query_map([pod.as_str(), id], |row| row.get(0))?;
    let members: Vec<String> = members.collect::<rusqlite::Result<_>>()?;
    if members.is_empty() {
        return Ok(Some(pod));
    }
    Err(Error::PodInUse { name, by: members.join(" ") })
}

/// Nobody is put into a pod that was removed meanwhile.
pub(crate) fn check_is_there(transaction: &Connection, id: &str) -> Result<()> {
    let query = "SELECT 1 FROM pods WHERE id = ?1";
    let found: Option<u8> = transaction.query_row(query, [id], |row| row.get(0)).optional()?;
    found.map(drop).ok_or_else(|| Error::NoSuchPod(id[..12].to_owned()))
}

/// Removes a pod that no container is in. False while there is one.
pub(super) fn delete(store: &Store, id: &str) -> Result<bool> {
    store.write(|transaction| {
        let delete = "DELETE FROM pods WHERE id = ?1
                      AND NOT EXISTS (SELECT 1 FROM containers WHERE pod = ?1)";
        transaction.execute(delete, [id])?;
        let query = "SELECT 1 FROM pods WHERE id = ?1";
        let left: Option<u8> = transaction.query_row(query, [id], |row| row.get(0)).optional()?;
        Ok(left.is_none())
    })
}

const SELECT: &str = "SELECT id, name, created, infra, settings FROM pods";

type Columns = (String, String, u64, Option<String>, String);

fn read_row(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
}

fn pod((id, name, created, infra, settings): Columns) -> Result<Pod> {
    let settings: PodSettings = from_json(&settings, || format!("pod {id}"))?;
    Ok(Pod { id, name, created, infra, settings })
}

/// All pods, the newest first.
pub(super) fn all(store: &Store) -> Result<Vec<Pod>> {
    store.read(|database| {
        let mut statement = database.prepare(&format!("{SELECT} ORDER BY created DESC, id"))?;
        let rows = statement.query_map([], read_row)?;
        rows.map(|row| pod(row?)).collect()
    })
}

/// The pod of this name, this id, or the only one whose id begins like this.
pub(super) fn find(store: &Store, text: &str) -> Result<Pod> {
    let mut found = store.read(|database| {
        let exactly = format!("{SELECT} WHERE name = ?1 OR id = ?1");
        if let Some(row) = database.query_row(&exactly, [text], read_row).optional()? {
            return Ok(vec![pod(row)?]);
        }
        if text.is_empty() || !text.bytes().all(|it| it.is_ascii_hexdigit()) {
            return Ok(Vec::new());
        }
        let query = format!("{SELECT} WHERE substr(id, 1, ?2) = ?1 LIMIT 5");
        let mut statement = database.prepare(&query)?;
        let rows = statement.query_map(params![text, text.len()], read_row)?;
        rows.map(|row| pod(row?)).collect::<Result<Vec<_>>>()
    })?;
    match (found.pop(), found.is_empty()) {
        (Some(pod), true) => Ok(pod),
        (None, _) => Err(Error::NoSuchPod(text.to_owned())),
        (Some(last), false) => {
            let all = found.iter().chain([&last]).map(|it| &it.id[..12]).collect::<Vec<_>>();
            Err(Error::Ambiguous { text: text.to_owned(), found: all.join(", ") })
        }
    }
}
