//! What a service may use.

use super::service;
use crate::error::FileError;
use crate::fields::{Fields, Item};
use engine::settings::Limits;
use engine::value;
use std::collections::BTreeMap;

pub(super) fn read(fields: &mut Fields<'_>) -> Result<Limits, FileError> {
    let memory = |fields: &mut Fields<'_>, name| {
        let size = |text: &str| value::size(text).ok().and_then(|it| i64::try_from(it).ok());
        fields.take(name).map(|item| item.parsed("a size such as 64m or 1g", size)).transpose()
    };
    let cpus = |text: &str| value::cpus(text).ok();
    Ok(Limits {
        memory: memory(fields, "memory")?,
        shm_size: memory(fields, "shm-size")?.and_then(|size| u64::try_from(size).ok()),
        nano_cpus: match fields.take("cpus") {
            Some(item) => Some(item.parsed("a number of processors such as 1.5", cpus)?),
            None => None,
        },
        pids: service::number(fields, "pids-limit", "a number of processes")?,
        ulimits: fields.take("ulimits").map_or(Ok(Vec::new()), |item| ulimits(&item))?,
        sysctls: fields
            .take("sysctls")
            .map_or(Ok(BTreeMap::new()), |item| service::pairs(&item))?,
        ..Limits::default()
    })
}

/// `{nofile: 1024}`, `{nofile: "1024:2048"}` or `{nofile: {soft: 1024, hard: 2048}}`.
fn ulimits(item: &Item<'_>) -> Result<Vec<(String, u64, u64)>, FileError> {
    const EXPECTED: &str = "limits such as {nofile: 1024, nproc: \"100:200\"}";
    let mut all = Vec::new();
    for (key, item) in item.map(EXPECTED)? {
        let parse = |values: &str| value::ulimit(&format!("{}={values}", key.text));
        let wrong = |what: String| item.wrong(what);
        if !item.is_map() {
            all.push(parse(item.text(EXPECTED)?).map_err(wrong)?);
            continue;
        }
        let mut fields = item.fields(EXPECTED)?;
        let mut number = |name| match fields.take(name) {
            Some(item) => item.text("a number").map(str::to_owned),
            None => Err(item.wrong(format!("found no {name}, expected soft and hard"))),
        };
        let (soft, hard) = (number("soft")?, number("hard")?);
        fields.finish()?;
        all.push(parse(&format!("{soft}:{hard}")).map_err(wrong)?);
    }
    Ok(all)
}
