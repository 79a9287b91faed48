//! `tinyo top`, `tinyo stats`, `tinyo events`.

use super::{logs, parse};
use crate::context::Context;
use crate::show::{ListFormat, bytes, print_columns, print_line, print_lines, print_table};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use engine::{Container, Engine, Event, Usage};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[derive(Args)]
pub(crate) struct TopArguments {
    /// Name or id
    container: String,
}

#[derive(Args)]
pub(crate) struct StatsArguments {
    /// Print them once
    #[arg(long)]
    no_stream: bool,
    /// Those that do not run, too
    #[arg(short, long)]
    all: bool,
    /// table, json, or a template such as '{{.Name}} {{.CPUPerc}}'
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: ListFormat,
    /// Names or ids [default: all that run]
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

#[derive(Args)]
pub(crate) struct EventsArguments {
    /// From a time on, and then as they happen
    #[arg(long, value_name = "TIME", value_parser = logs::time)]
    since: Option<u64>,
    /// Up to a time, and then no more
    #[arg(long, value_name = "TIME", value_parser = logs::time)]
    until: Option<u64>,
    /// Only those that fit: container= event= image= type= label is none of them
    #[arg(short, long, value_name = "FILTER", value_parser = event_filter)]
    filter: Vec<(String, String)>,
    /// json, or a template such as '{{.Action}}'
    #[arg(long, value_name = "FORMAT")]
    format: Option<ListFormat>,
}

/// How often it is looked whether something has happened.
const PACE: Duration = Duration::from_millis(100);

pub(crate) fn top(context: &Context, arguments: &TopArguments) -> Result<()> {
    let engine = context.engine()?;
    let container = engine.find(&arguments.container)?;
    let mut rows = Vec::new();
    for pid in engine.processes(&container)? {
        // It may have ended meanwhile.
        rows.extend(process(pid));
    }
    print_table(&PROCESS_HEADINGS, &rows)
}

/// What [`process`] tells.
pub(crate) const PROCESS_HEADINGS: [&str; 5] = ["UID", "PID", "PPID", "TIME", "CMD"];

/// A line about a process, from proc(5).
pub(crate) fn process(pid: i32) -> Option<Vec<String>> {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).ok();
    let status = read("status")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next().map(str::to_owned)
    };
    let stat = read("stat")?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok());
    // Times are in hundredths of a second, whatever the kernel counts in.
    let seconds = (ticks(11)? + ticks(12)?) / 100;
    let time = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let words = read("cmdline")?.trim_end_matches('\0').replace('\0', " ");
    let words = if words.is_empty() { format!("[{}]", field("Name:")?) } else { words };
    Some(vec![field("Uid:")?, pid.to_string(), field("PPid:")?, time, words])
}

const HEADINGS: [(&str, &str); 8] = [
    ("ID", "CONTAINER ID"),
    ("Name", "NAME"),
    ("CPUPerc", "CPU %"),
    ("MemUsage", "MEM USAGE / LIMIT"),
    ("MemPerc", "MEM %"),
    ("NetIO", "NET I/O"),
    ("BlockIO", "BLOCK I/O"),
    ("PIDs", "PIDS"),
];

pub(crate) fn stats(context: &Context, arguments: &StatsArguments) -> Result<()> {
    let engine = context.engine()?;
    let mut before = BTreeMap::new();
    let names = &arguments.containers;
    let pace = Pace { once: arguments.no_stream, clears: true };
    show_each_turn(pace, &arguments.format, &HEADINGS, || {
        let containers = if names.is_empty() {
            engine.containers()?
        } else {
            names.iter().map(|name| engine.find(name)).collect::<Result<_, _>>()?
        };
        measure(&engine, containers, arguments.all || !names.is_empty(), &mut before)
    })
}

/// How often something is shown.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) once: bool,
    /// A terminal is cleared in between.
    pub(crate) clears: bool,
}

/// Measures and shows, once or again and again. What is shown first is measured for the second
/// time.
pub(crate) fn show_each_turn(
    pace: Pace,
    format: &ListFormat,
    headings: &[(&str, &str)],
    mut measure: impl FnMut() -> Result<Vec<Value>>,
) -> Result<()> {
    let is_table = *format == ListFormat::Table;
    let clears = pace.clears && !pace.once && is_table && io::stdout().is_terminal();
    measure()?;
    loop {
        sleep(if pace.once { Duration::from_millis(500) } else { Duration::from_secs(1) });
        let records = measure()?;
        if clears {
            write!(io::stdout(), "\x1b[H\x1b[J")?;
        }
        match format {
            ListFormat::Json => {
                records.iter().try_for_each(|record| print_line(&record.to_string()))?;
            }
            ListFormat::Lines(template) => print_lines(template, &records)?,
            ListFormat::Columns(template) => print_columns(template, headings, &records)?,
            ListFormat::Table => {
                let row = |record: &Value| {
                    let text = |value: &Value| {
                        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
                    };
                    headings.iter().map(|(name, _)| text(&record[*name])).collect::<Vec<_>>()
                };
                let rows: Vec<_> = records.iter().map(row).collect();
                let heading: Vec<_> = headings.iter().map(|(_, heading)| *heading).collect();
                print_table(&heading, &rows)?;
            }
        }
        if pace.once {
            return Ok(());
        }
    }
}

/// What each uses now, with the time on processors since the last call. With `idle` those that do
/// not run use nothing, and else they are left out.
pub(crate) fn measure(
    engine: &Engine,
    containers: Vec<Container>,
    idle: bool,
    before: &mut BTreeMap<String, (Instant, u64)>,
) -> Result<Vec<Value>> {
    let mut records = Vec::new();
    for container in containers {
        let usage = match engine.usage(&container) {
            Ok(Some(usage)) => usage,
            Ok(None) if idle => Usage::default(),
            Ok(None) | Err(engine::Error::NoSuchContainer(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let now = Instant::now();
        let last = before.insert(container.id.clone(), (now, usage.cpu));
        let share = last.map_or(0.0, |(then, cpu)| {
            let time = now.duration_since(then).as_nanos().max(1) as f64;
            usage.cpu.saturating_sub(cpu) as f64 / time * 100.0
        });
        records.push(record(&container, &usage, share));
    }
    Ok(records)
}

fn record(container: &Container, usage: &Usage, share: f64) -> Value {
    let limit = usage.memory_limit.unwrap_or_else(machine_memory);
    let percent = usage.memory as f64 / limit.max(1) as f64 * 100.0;
    let both = |(one, two): (u64, u64)| format!("{} / {}", bytes(one), bytes(two));
    json!({
        "ID": container.id[..12],
        "Name": container.name,
        "Container": container.id[..12],
        "CPUPerc": format!("{share:.2}%"),
        "MemUsage": both((usage.memory, limit)),
        "MemPerc": format!("{percent:.2}%"),
        "NetIO": both(usage.network),
        "BlockIO": both(usage.disks),
        "PIDs": usage.tasks,
    })
}

/// Bytes of memory that the machine has.
fn machine_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

fn event_filter(text: &str) -> Result<(String, String), String> {
    let (name, value) = parse::pair(text)?;
    if !["container", "event", "image", "type"].contains(&name.as_str()) {
        return Err(format!("there is no filter {name:?}, only container, event, image and type"));
    }
    Ok((name, value))
}

pub(crate) fn events(context: &Context, arguments: &EventsArguments) -> Result<()> {
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
        let is_over = arguments.until.is_some_and(|until| until <= now());
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

fn fits(event: &Event, filters: &[(String, String)]) -> bool {
    filters.iter().all(|(name, value)| match name.as_str() {
        "container" => {
            event.id.starts_with(value.as_str()) || event.attributes.get("name") == Some(value)
        }
        "event" => event.action == *value,
        "image" => event.attributes.get("image") == Some(value),
        _ => event.kind == *value,
    })
}

fn show(event: &Event, format: Option<&ListFormat>) -> Result<()> {
    let record = json!({
        "Type": event.kind,
        "Action": event.action,
        "status": event.action,
        "id": event.id,
        "Actor": { "ID": event.id, "Attributes": event.attributes },
        "time": event.time / 1_000_000_000,
        "timeNano": event.time,
    });
    match format {
        Some(ListFormat::Json) => print_line(&record.to_string()),
        Some(ListFormat::Lines(template)) => {
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
