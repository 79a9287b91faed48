//! `health`: how to find out whether a service works.

use super::service;
use crate::error::FileError;
use crate::fields::{Fields, Item};
use engine::settings::{Health, OnFailure};

pub(super) fn read(fields: &mut Fields<'_>) -> Result<Option<Health>, FileError> {
    const EXPECTED: &str = "a command, or a mapping with \"command:\"";
    let Some(item) = fields.take("health") else { return Ok(None) };
    if !item.is_map() {
        // Even if the image has one.
        if item.text(EXPECTED).is_ok_and(|text| text == "none") {
            return Ok(Some(Health { command: vec!["NONE".to_owned()], ..Health::default() }));
        }
        return Ok(Some(Health { command: command(&item, EXPECTED)?, ..Health::default() }));
    }
    let mut check = item.fields(EXPECTED)?;
    let health = Health {
        // Without one, that of the image.
        command: match check.take("command") {
            Some(item) => command(&item, "a command, such as \"wget -q localhost\"")?,
            None => Vec::new(),
        },
        interval: time(&mut check, "interval")?,
        timeout: time(&mut check, "timeout")?,
        start_period: time(&mut check, "start-period")?,
        start_interval: time(&mut check, "start-interval")?,
        retries: service::number(&mut check, "retries", "a number of times")?.unwrap_or(0),
        on_failure: match check.take("on-failure") {
            Some(item) => item.parsed("none, kill, restart or stop", |text| {
                engine::value::on_failure(text).ok()
            })?,
            None => OnFailure::None,
        },
        startup: None,
    };
    check.finish()?;
    if health == Health::default() {
        return Err(item.expected(EXPECTED));
    }
    Ok(Some(health))
}

/// A list is run as it is; a line by a shell.
fn command(item: &Item<'_>, expected: &str) -> Result<Vec<String>, FileError> {
    if item.is_list() {
        return service::command(item);
    }
    let line = item.text(expected)?;
    Ok(vec!["/bin/sh".to_owned(), "-c".to_owned(), line.to_owned()])
}

/// Nanoseconds.
fn time(fields: &mut Fields<'_>, name: &'static str) -> Result<u64, FileError> {
    let Some(item) = fields.take(name) else { return Ok(0) };
    item.parsed("a time such as 30s or 1m30s", |text| {
        let time = engine::value::duration(text).ok()?;
        u64::try_from(time.as_nanos()).ok()
    })
}
