//! What the store has, as rows. They come last when something is added and go first when it is
//! removed, so what a row speaks of is there, whole.

use super::Error;
use kernel::lock::{Holder, Kind, PATIENCE, holder, take};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use sys::OrError;
use sys::rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, stat, statvfs, unlinkat};
use sys::rustix::io::{read, retry_on_intr};

/// The name of the file in the store. Other parts of the engine have tables of their own in it.
pub(super) const FILE: &str = "tinyo.db";

/// When the log of writes has so many bytes, whoever closes the database last takes it over, which
/// means to wait for the disk. Whoever opens the database alone reads it: 1 ms a megabyte.
pub(super) const LONGEST_LOG: u64 = 1 << 19;

/// How to come from each version of the tables to the next. The last one is what the queries know;
/// a step that was released is never changed.
// tidy: table
const STEPS: &[&str] = &[
    "
    CREATE TABLE blobs (
        digest TEXT PRIMARY KEY,
        size INTEGER NOT NULL,
        added INTEGER NOT NULL           -- seconds since 1970
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE layers (
        diff_id TEXT PRIMARY KEY,
        blob TEXT NOT NULL,              -- one that it can be unpacked from
        bytes INTEGER NOT NULL,          -- of its files
        entries INTEGER NOT NULL,
        hides_all_below INTEGER NOT NULL,
        implied TEXT NOT NULL,           -- JSON: folders whose owner and mode the layers below say
        added INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE images (
        manifest TEXT PRIMARY KEY,
        media_type TEXT NOT NULL,
        config TEXT NOT NULL,            -- its digest is what people call the image's id
        created TEXT,                    -- RFC 3339
        platform TEXT NOT NULL,          -- os/architecture[/variant]
        added INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX images_by_config ON images (config);

    CREATE TABLE image_layers (
        manifest TEXT NOT NULL REFERENCES images ON DELETE CASCADE,
        position INTEGER NOT NULL,       -- lowest is 0
        blob TEXT NOT NULL REFERENCES blobs,
        diff_id TEXT NOT NULL REFERENCES layers,
        PRIMARY KEY (manifest, position)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX image_layers_by_blob ON image_layers (blob);
    CREATE INDEX image_layers_by_diff_id ON image_layers (diff_id);

    CREATE TABLE names (
        name TEXT PRIMARY KEY,           -- REGISTRY/REPOSITORY:TAG, REGISTRY/REPOSITORY@DIGEST
        manifest TEXT NOT NULL REFERENCES images ON DELETE CASCADE,
        digest TEXT NOT NULL,            -- what the registry has under it: an index or the manifest
        since INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX names_by_manifest ON names (manifest);

    CREATE TABLE uses (
        user TEXT NOT NULL,              -- container:ID
        manifest TEXT NOT NULL REFERENCES images,
        PRIMARY KEY (user, manifest)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX uses_by_manifest ON uses (manifest);
",
    "
    CREATE TABLE mapped_layers (
        digest TEXT PRIMARY KEY,         -- of the layer and of whom its files belong to
        diff_id TEXT NOT NULL,           -- the layer that it is a copy of
        owners TEXT NOT NULL,            -- JSON
        bytes INTEGER NOT NULL,          -- of its files
        added INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX mapped_layers_by_diff_id ON mapped_layers (diff_id);

    CREATE TABLE mapped_uses (
        user TEXT NOT NULL,              -- container:ID
        digest TEXT NOT NULL,            -- of a copy, which may not have been made yet
        PRIMARY KEY (user, digest)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX mapped_uses_by_digest ON mapped_uses (digest);
",
];

/// Opens the database, and brings its tables up to date. A new one is made only where nothing is there
/// of which it would have to speak.
pub(super) fn open(
    folder: &Path,
    read_only: bool,
    has_content: &dyn Fn() -> Result<bool, Error>,
) -> Result<Connection, Error> {
    let path = folder.join(FILE);
    let mut connection = if read_only {
        open_unchanging(&path)?
    } else {
        if has_small_blocks(folder)? && has_log(&path) {
            give_up_log(&path)?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(&path, flags)?
    };
    // Transactions take milliseconds.
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    if !read_only {
        // Else every command would wait for the disk when it ends, even if it has only read.
        leave_log(&connection, true)?;
        // A commit is on the disk when it returns: whoever was told that an image is there finds
        // it after a power cut.
        connection.pragma_update(None, "synchronous", "full")?;
    }
    migrate(&mut connection, folder, read_only, has_content)?;
    Ok(connection)
}

/// On a disk that cannot change, a lock is neither possible nor needed, unless there is a log to be
/// read with the database.
fn open_unchanging(path: &Path) -> Result<Connection, Error> {
    let escaped =
        path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let is_final = if log_length(path) > 0 { "" } else { "?immutable=1" };
    Ok(Connection::open_with_flags(format!("file:{escaped}{is_final}"), flags)?)
}

fn migrate(
    connection: &mut Connection,
    folder: &Path,
    read_only: bool,
    has_content: &dyn Fn() -> Result<bool, Error>,
) -> Result<(), Error> {
    let latest = STEPS.len();
    match version(connection)? {
        version if version == latest => return Ok(()),
        version if version > latest => return Err(Error::NewerStore { version, known: latest }),
        version if read_only => return Err(Error::OlderStore { version, known: latest }),
        _ => {}
    }
    leave_log(connection, false)?;
    // SQLite does not wait for whoever else changes the mode, but gives up: of several first
    // commands one does it, and the others come after it.
    let _alone = lock(folder)?;
    // The index of the log is memory of a file: SQLite has the disk give room for each of its pages
    // by one byte, and where blocks are smaller, the rest of a page finds none on a full disk. The
    // kernel answers that with SIGBUS.
    if !has_small_blocks(folder)? {
        // The file remembers it.
        connection.pragma_update(None, "journal_mode", "wal")?;
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS versions (part TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT",
    )?;
    // Another process may have done it since.
    let done = version(&transaction)?;
    if done == 0 && has_content()? {
        // Everything would seem to be of no use to anybody, and would be removed.
        let why = "it is empty, and there are images that it should know";
        return Err(Error::DamagedDatabase(why.to_owned()));
    }
    for step in STEPS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.execute(
        "INSERT INTO versions VALUES ('image', ?1)
         ON CONFLICT (part) DO UPDATE SET version = max(version, excluded.version)",
        [latest],
    )?;
    Ok(transaction.commit()?)
}

/// Whether the database says that it has a log: an older program has made it, or it was copied from
/// another disk. Nobody in this process has it open yet, whose locks would be lost.
fn has_log(path: &Path) -> bool {
    let mut header = [0; 20];
    let file = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let length = file.and_then(|file| retry_on_intr(|| read(&file, &mut header)));
    // The version that is needed to read it.
    length == Ok(header.len()) && header[19] == 2
}

/// As [`migrate`] says why. It is left to the next command where somebody else has it open.
fn give_up_log(path: &Path) -> Result<(), Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // The log's index is in this process's own memory then.
    connection.pragma_update(None, "locking_mode", "exclusive")?;
    match connection.pragma_update(None, "journal_mode", "delete").map_err(Error::from) {
        Err(Error::Locked) => Ok(()),
        Ok(()) => {
            // As long as nobody else can come. There may be none.
            let _ = unlinkat(CWD, path.with_extension("db-shm"), AtFlags::empty());
            Ok(())
        }
        failed => failed,
    }
}

/// Whether a page of SQLite's takes several blocks of the disk, as on small ones (ext4 below 512 MB).
fn has_small_blocks(folder: &Path) -> Result<bool, Error> {
    let shown = || folder.display().to_string();
    let disk = retry_on_intr(|| statvfs(folder)).or_error("statvfs", shown)?;
    Ok(disk.f_bsize < 4096)
}

/// Held until it is dropped.
fn lock(folder: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let name = || folder.display().to_string();
    let folder = openat(CWD, folder, flags, Mode::empty()).or_error("openat", name)?;
    take(folder.as_fd(), PATIENCE)?;
    Ok(folder)
}

/// Which version the tables have; 0 if there are none.
fn version(connection: &Connection) -> Result<usize, Error> {
    if !connection.table_exists(None, "versions")? {
        return Ok(0);
    }
    let mut statement = connection.prepare("SELECT version FROM versions WHERE part = 'image'")?;
    let mut rows = statement.query([])?;
    Ok(rows.next()?.map(|row| row.get(0)).transpose()?.unwrap_or(0))
}

/// A transaction that may write: it has the only right to from its beginning on, so that what it
/// reads stays so. What it writes is in the database itself when that is closed.
pub(super) fn begin(connection: &mut Connection) -> Result<Transaction<'_>, Error> {
    leave_log(connection, false)?;
    begin_unsynced(connection)
}

/// The same for what need not outlive a power cut.
pub(super) fn begin_unsynced(connection: &mut Connection) -> Result<Transaction<'_>, Error> {
    let path = connection.path().map(PathBuf::from);
    let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    begun.map_err(|error| match Error::from(error) {
        Error::Locked => {
            path.and_then(|path| who_has(&path)).map_or(Error::Locked, Error::LockedBy)
        }
        error => error,
    })
}

/// Whoever keeps others from writing: by a lock of the log's index, or of the database where there is
/// no log.
fn who_has(path: &Path) -> Option<Holder> {
    holder(&path.with_extension("db-shm"), Kind::Record).or_else(|| holder(path, Kind::Record))
}

/// To be called after each of these: a log that has become long does not stay.
pub(super) fn limit_log(connection: &Connection, folder: &Path) -> Result<(), Error> {
    if log_length(&folder.join(FILE)) > LONGEST_LOG { leave_log(connection, false) } else { Ok(()) }
}

fn log_length(database: &Path) -> u64 {
    let status = stat(database.with_extension("db-wal"));
    status.map_or(0, |log| log.st_size.cast_unsigned())
}

/// Whether the log of writes stays a file of its own when the database is closed.
fn leave_log(connection: &Connection, leave: bool) -> Result<(), Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, leave)?;
    Ok(())
}
