//! `depends-on`: names, or names with a condition.

use crate::error::FileError;
use crate::fields::Item;
use crate::model::{Need, Until};

pub(super) fn read(item: &Item<'_>) -> Result<Vec<Need>, FileError> {
    const EXPECTED: &str = "names of services, such as [db] or {db: {condition: healthy}}";
    let mut all: Vec<Need> = Vec::new();
    if item.is_map() {
        for (key, value) in item.map(EXPECTED)? {
            all.push(Need { service: key.text.clone(), until: until(&value)? });
        }
        return Ok(all);
    }
    for item in item.list(EXPECTED)? {
        let service = item.text("the name of a service")?.to_owned();
        if all.iter().any(|need| need.service == service) {
            return Err(item.wrong(format!("found {service:?} a second time")));
        }
        all.push(Need { service, until: Until::default() });
    }
    Ok(all)
}

/// `{condition: healthy}`, or nothing.
fn until(item: &Item<'_>) -> Result<Until, FileError> {
    if item.is_nothing() {
        return Ok(Until::default());
    }
    let mut fields = item.fields("\"condition: healthy\"")?;
    let condition = fields.take("condition");
    fields.finish()?;
    let Some(condition) = condition else { return Ok(Until::default()) };
    // Compose's words are understood as well.
    condition.parsed("started, healthy or completed", |text| match text {
        "started" | "service_started" => Some(Until::Started),
        "healthy" | "service_healthy" => Some(Until::Healthy),
        "completed" | "service_completed_successfully" => Some(Until::Completed),
        _ => None,
    })
}
