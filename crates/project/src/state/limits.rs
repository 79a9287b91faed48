//! What a service may use.

use super::service;
use crate::error::FileError;
use crate::fields::Fields;
use engine::settings::Limits;
use engine::value;

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
        ..Limits::default()
    })
}
