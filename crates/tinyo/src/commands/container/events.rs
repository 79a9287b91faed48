//! `tinyo events`.

use super::logs;
use crate::commands::wanted::{self, Filter};
use crate::context::Context;
use crate::show::{ListFormat, print_line};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use engine::Event;
use serde_json::json;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Args)]
pub(crate) struct Arguments {
    /// From a time on, and then as they happen
    #[arg(long, value_name = "TIME", value_parser = logs::time)]
    since: Option<u64>,
    /// Up to a time, and then no more
    #[arg(long, value_name = "TIME", value_parser = logs::time)]
    until: Option<u64>,
    /// Only those that fit: container= event= image= type= label= pod= volume= network=
    #[arg(short, long, value_name = "FILTER", value_parser = wanted::one_of(FILTERS))]
    filter: Vec<Filter>,
    /// Whether to go on with what happens from now on
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    stream: bool,
    /// json, or a template such as '{{.Action}}'
    #[arg(long, value_name = "FORMAT")]
    format: Option<ListFormat>,
}

/// How often it is looked whether something has happened.
const PACE: Duration = Duration::from_millis(100);

const FILTERS: &[&str] =
    &["container", "event", "image", "type", "label", "pod", "volume", "network"];

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let engine = context.engine()?;
    let now = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
    };
    // Whoever says no time wants to know what happens from now on.
    let since = arguments.since.unwrap_or_else(now);
    let mut place = 0;
    loop {
        // Asked first: what has happened until then is in the file by now.
        let is_over = !arguments.stream || arguments.until.is_some_and(|until| until <= now());
        let (found, end) = engine.events(since, place)?;
        place = end;
        for event in found {
            let is_late = arguments.until.is_some_and(|until| event.time > until);
            if !is_late && fits(&event, &arguments.filter) {
                show(&event, arguments.format.as_ref())?;
            }
        }
        if is_over {
            return Ok(());
        }
        sleep(PACE);
    }
}

/// Filters of one name are alternatives; different ones must all fit.
fn fits(event: &Event, filters: &[Filter]) -> bool {
    let fits = |(name, value): &Filter| match name.as_str() {
        // `exec_start: sh` is an `exec_start`.
        "event" => event.action.split(": ").next() == Some(value) || event.action == *value,
        "image" if event.kind != "image" => event.attributes.get("image") == Some(value),
        "type" => event.kind == *value,
        // Labels are among the attributes.
        "label" => wanted::has_label(&event.attributes, value),
        // A thing by its kind.
        kind => {
            let is_named = event.attributes.get("name") == Some(value);
            let id = event.id.strip_prefix("sha256:").unwrap_or(&event.id);
            event.kind == kind
                && (is_named || [id, &event.id].iter().any(|id| id.starts_with(value.as_str())))
        }
    };
    filters.iter().all(|(name, _)| filters.iter().any(|filter| filter.0 == *name && fits(filter)))
}

fn show(event: &Event, format: Option<&ListFormat>) -> Result<()> {
    let image = event.attributes.get("image").map_or("", String::as_str);
    let mut record = json!({
        "Type": event.kind,
        "Action": event.action,
        "status": event.action,
        "id": event.id,
        "from": image,
        "scope": "local",
        "Actor": { "ID": event.id, "Attributes": event.attributes },
        "time": event.time / 1_000_000_000,
        "timeNano": event.time,
    });
    match format {
        Some(ListFormat::Json) => print_line(&record.to_string()),
        Some(ListFormat::Lines(template)) => {
            // Templates use the names of Docker's program, or Podman's, not those of its JSON.
            for (name, known) in [
                ("Status", "status"),
                ("ID", "id"),
                ("From", "from"),
                ("Image", "from"),
                ("Scope", "scope"),
                ("Time", "time"),
                ("TimeNano", "timeNano"),
            ] {
                record[name] = record[known].clone();
            }
            record["Name"] = event.attributes.get("name").cloned().into();
            print_line(&template.render(&record).context("--format")?)
        }
        Some(ListFormat::Columns(_)) => bail!("--format: there are no columns here"),
        _ => {
            let attributes: Vec<String> =
                event.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let time = engine::time_text(event.time);
            print_line(&format!(
                "{time} {} {} {} ({})",
                event.kind,
                event.action,
                event.id,
                attributes.join(", ")
            ))
        }
    }
}
