//! `events`: lines of JSON about what a container uses, and about memory that ran out.

use super::print;
use super::statistics::Statistics;
use crate::context::Context;
use crate::exit::ExitCode;
use crate::failure::{OrFail, Result, fail};
use runtime::{ContainerId, Event, Watch};
use serde::Serialize;
use std::time::Duration;
use tinyort::{flags, quantity};

const USUAL_INTERVAL: Duration = Duration::from_secs(5);

/// A line.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Statistics<'a>>,
}

pub(crate) fn events(context: &Context<'_>) -> Result<ExitCode> {
    let interval = match context.flags.text(&flags::INTERVAL) {
        None => USUAL_INTERVAL,
        Some(text) => quantity::time(text)
            .or_fail(format_args!("--interval: {text:?} is no time such as 5s or 1m30s"))?,
    };
    if interval.is_zero() {
        return fail("--interval: it must be longer than nothing");
    }
    let id = context.id()?;
    let mut watch = Watch::begin(&context.root, &id)?;
    if context.flags.is_on(&flags::STATS) {
        let now = watch.statistics()?.or_fail(runtime::Error::NotRunning(id.clone()))?;
        line("stats", &id, Some(Statistics::new(&now)))?;
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        match watch.next(interval)? {
            Event::OutOfMemory => line("oom", &id, None)?,
            Event::Ended => return Ok(ExitCode::SUCCESS),
            Event::Elapsed => {
                if let Some(now) = watch.statistics()? {
                    line("stats", &id, Some(Statistics::new(&now)))?;
                }
            }
        }
    }
}

fn line(kind: &'static str, id: &ContainerId, data: Option<Statistics<'_>>) -> Result<()> {
    print(&format!("{}\n", spec::json::to_line(&Line { kind, id: id.as_str(), data })?))
}
