//! The rows of ids that containers have.

use super::choice::Auto;
use super::own::Available;
use super::ranges::{self, Span};
use crate::error::{Error, Result};
use crate::settings::{IdRange, Ids};
use rusqlite::{Connection, params};

/// A step of the database: see `database.rs`.
pub(crate) const TABLES: &str = "
    CREATE TABLE id_ranges (
        container TEXT NOT NULL REFERENCES containers ON DELETE CASCADE
            DEFERRABLE INITIALLY DEFERRED,
        kind TEXT NOT NULL,              -- of users or groups
        first INTEGER NOT NULL,          -- on the machine
        count INTEGER NOT NULL,
        PRIMARY KEY (container, kind, first)
    ) STRICT, WITHOUT ROWID;
";

/// Which ids a container is to get that is about to be made.
pub(crate) enum IdWish {
    /// None of its own.
    Nothing,
    /// These.
    These(Ids),
    /// The same, which others may have, too.
    Common(Ids),
    /// So many of the available ones that no other container has.
    Any(Auto, u32, Available),
}

impl IdWish {
    /// Writes down which ids it has, in the transaction that makes it.
    pub(crate) fn claim(&self, transaction: &Connection, container: &str) -> Result<Option<Ids>> {
        let ids = match self {
            IdWish::Nothing => return Ok(None),
            IdWish::Common(ids) => return Ok(Some(ids.clone())),
            IdWish::These(ids) => ids.clone(),
            IdWish::Any(wanted, size, available) => {
                let find = |kind, fixed: &[IdRange], available: &[Span], advice: &str| {
                    find(transaction, kind, *size, fixed, (available, advice))
                };
                let Available { users, groups, advice } = available;
                Ids {
                    users: find("user", &wanted.users, users, advice)?,
                    groups: find("group", &wanted.groups, groups, advice)?,
                }
            }
        };
        for (kind, all) in [("user", &ids.users), ("group", &ids.groups)] {
            for range in all {
                let insert = "INSERT INTO id_ranges VALUES (?1, ?2, ?3, ?4)";
                transaction
                    .execute(insert, params![container, kind, range.outside, range.length])?;
            }
        }
        Ok(Some(ids))
    }
}

fn find(
    transaction: &Connection,
    kind: &str,
    size: u32,
    fixed: &[IdRange],
    (available, advice): (&[Span], &str),
) -> Result<Vec<IdRange>> {
    let found = ranges::find(available, &used(transaction, kind)?, size, fixed);
    let found = found.ok_or_else(|| {
        Error::invalid(format!("--userns auto: of {kind}s there are no {size} left; {advice}"))
    })?;
    super::ids::check("--userns auto", &found)?;
    Ok(found)
}

fn used(transaction: &Connection, kind: &str) -> Result<Vec<Span>> {
    let mut statement =
        transaction.prepare("SELECT first, count FROM id_ranges WHERE kind = ?1")?;
    let rows =
        statement.query_map([kind], |row| Ok(Span { first: row.get(0)?, count: row.get(1)? }))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
