//! `tinyo stats`.

use super::chosen::newest;
use super::parse;
use crate::context::Context;
use crate::show::{ListFormat, bytes, print_columns, print_line, print_lines, print_table};
use anyhow::Result;
use clap::Args;
use engine::{Container, Engine, Usage};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::thread::sleep;
use std::time::{Duration, Instant};

#[derive(Args)]
pub(crate) struct StatsArguments {
    /// Print them once
    #[arg(long)]
    no_stream: bool,
    /// Those that do not run, too
    #[arg(short, long)]
    all: bool,
    /// Show whole ids
    #[arg(long)]
    no_trunc: bool,
    /// Do not clear the terminal in between
    #[arg(long)]
    no_reset: bool,
    /// Seconds in between
    #[arg(short, long, value_name = "SECONDS", value_parser = parse::seconds, default_value = "1")]
    interval: Duration,
    /// The newest one
    #[arg(short, long, conflicts_with_all = ["containers", "all"])]
    latest: bool,
    /// table, json, or a template such as '{{.Name}} {{.CPUPerc}}'
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: ListFormat,
    /// Names or ids [default: all that run]
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
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
    let (once, interval) = (arguments.no_stream, arguments.interval);
    let pace = Pace { once, interval, clears: !arguments.no_reset };
    show_each_turn(pace, &arguments.format, &HEADINGS, || {
        let containers = if arguments.latest {
            vec![newest(&engine)?]
        } else if names.is_empty() {
            engine.containers()?
        } else {
            names.iter().map(|name| engine.find(name)).collect::<Result<_, _>>()?
        };
        let length = if arguments.no_trunc { 64 } else { SHORT };
        let idle = arguments.all || arguments.latest || !names.is_empty();
        measure(&engine, containers, idle, length, &mut before)
    })
}

/// How often something is shown.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) once: bool,
    pub(crate) interval: Duration,
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
        sleep(if pace.once { Duration::from_millis(500) } else { pace.interval });
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

/// Letters of an id that are enough.
pub(crate) const SHORT: usize = 12;

/// What each uses now, with the time on processors since the last call. With `idle` those that do
/// not run use nothing, and else they are left out. `length`: of their ids.
pub(crate) fn measure(
    engine: &Engine,
    containers: Vec<Container>,
    idle: bool,
    length: usize,
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
        records.push(record(&container, &usage, share, length));
    }
    Ok(records)
}

fn record(container: &Container, usage: &Usage, share: f64, length: usize) -> Value {
    let limit = usage.memory_limit.unwrap_or_else(machine_memory);
    let percent = usage.memory as f64 / limit.max(1) as f64 * 100.0;
    let both = |(one, two): (u64, u64)| format!("{} / {}", bytes(one), bytes(two));
    json!({
        "ID": container.id[..length],
        "Name": container.name,
        "Container": container.id[..12],
        "CPUPerc": format!("{share:.2}%"),
        "MemUsage": both((usage.memory, limit)),
        "MemPerc": format!("{percent:.2}%"),
        "NetIO": both(usage.network),
        "BlockIO": both(usage.disks),
        "PIDs": usage.tasks,
        "PIDS": usage.tasks,
    })
}

/// Bytes of memory that the machine has.
fn machine_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
