//! The database's log of writes, which commands about containers leave as it is.

use super::support::{Made, Scratch, reference};
use crate::store::{Error, Store, database};
use std::fs;

fn log(scratch: &Scratch) -> u64 {
    fs::metadata(scratch.0.join("deep/store/tinyo.db-wal")).map_or(0, |log| log.len())
}

fn add_guest(store: &Store, value: u32) {
    let written: Result<_, Error> = store.write(|transaction| {
        transaction.execute_batch("CREATE TABLE IF NOT EXISTS guests (value INTEGER)")?;
        transaction.execute("INSERT INTO guests VALUES (?1)", [value])?;
        Ok(())
    });
    written.unwrap();
}

fn guests(store: &Store) -> Vec<u32> {
    let read: Result<_, Error> = store.read(|database| {
        let mut statement = database.prepare("SELECT value FROM guests ORDER BY value")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    read.unwrap()
}

#[test]
fn what_only_the_log_has_is_seen_by_the_next_one() {
    let scratch = Scratch::new();
    drop(scratch.store());
    assert_eq!(log(&scratch), 0);
    add_guest(&scratch.store(), 1);
    assert!(log(&scratch) > 0);
    add_guest(&scratch.store(), 2);
    assert_eq!(guests(&scratch.store()), [1, 2]);
    // So it is on a disk that cannot change.
    let unchanging = database::open(&scratch.0.join("deep/store"), true, &|| Ok(true)).unwrap();
    let sum: u32 =
        unchanging.query_row("SELECT sum(value) FROM guests", [], |row| row.get(0)).unwrap();
    assert_eq!(sum, 3);
}

#[test]
fn images_are_in_the_database_itself_when_it_is_closed() {
    let scratch = Scratch::new();
    let store = scratch.store();
    add_guest(&store, 1);
    Made::new(&["a"]).add(&store, "one").unwrap();
    drop(store);
    assert_eq!(log(&scratch), 0);
    let store = scratch.store();
    assert!(store.find_by_name(&[reference("one")]).unwrap().is_some());
    assert_eq!(guests(&store), [1]);
}

#[test]
fn the_log_does_not_grow_for_ever() {
    let scratch = Scratch::new();
    for number in 0..300 {
        add_guest(&scratch.store(), number);
    }
    assert!(log(&scratch) <= database::LONGEST_LOG + 20 * 4120, "{}", log(&scratch));
    assert_eq!(guests(&scratch.store()).len(), 300);
}

/// SQLite does not wait while it changes to a log of writes.
#[test]
fn several_first_commands_at_once_all_work() {
    for _ in 0..20 {
        let scratch = Scratch::new();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| scratch.store());
            }
        });
    }
}

/// What is there would seem to be of no use to anybody, and be removed.
#[test]
fn a_database_that_is_lost_is_not_made_anew() {
    let scratch = Scratch::new();
    Made::new(&["a"]).add(&scratch.store(), "one").unwrap();
    let file = scratch.0.join("deep/store/tinyo.db");
    let kept = fs::read(&file).unwrap();
    let why = |file: &[u8]| {
        fs::write(scratch.0.join("deep/store/tinyo.db"), file).unwrap();
        match Store::open(&scratch.0.join("deep/store"), crate::unpack::Marks::Trusted) {
            Err(Error::DamagedDatabase(why)) => why,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it was opened"),
        }
    };
    assert_eq!(why(b""), "it is empty, and there are images that it should know");
    assert_eq!(why(&kept[..kept.len() / 2]), "database disk image is malformed");
    assert_eq!(why(&[7; 4096]), "file is not a database");
    fs::write(file, kept).unwrap();
    assert!(scratch.store().find_by_name(&[reference("one")]).unwrap().is_some());
}

/// It is said as what it is, whatever table is meant.
#[test]
fn a_locked_database_is_called_so() {
    let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    let error = Error::from(rusqlite::Error::SqliteFailure(busy, Some("busy".to_owned())));
    assert!(matches!(error, Error::Locked), "{error}");
}
