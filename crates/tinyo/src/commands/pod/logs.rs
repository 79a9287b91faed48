//! `tinyo pod logs`: those of all its containers, in the order of time.

use super::one;
use crate::commands::container::{front, logs};
use crate::context::Context;
use anyhow::{Context as _, Result, bail};
use clap::Args;
use engine::{Container, Engine, Entry, Follow, Logs, Pod};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often it is looked whether there is more.
const PACE: Duration = Duration::from_millis(100);

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only that of one container
    #[arg(short, long, value_name = "CONTAINER")]
    container: Option<String>,
    /// Go on as long as something of the pod runs
    #[arg(short, long)]
    follow: bool,
    /// Show names in front of the lines, and not ids
    #[arg(short, long)]
    names: bool,
    /// How many of the last lines of each container, or all
    #[arg(long, value_name = "LINES", default_value = "all", allow_negative_numbers = true)]
    tail: String,
    /// From a time on: 2026-01-31T12:00:00Z, seconds since 1970, or a while ago: 10m
    #[arg(long, value_name = "TIME", value_parser = logs::time)]
    since: Option<u64>,
    /// Up to a time
    #[arg(long, value_name = "TIME", value_parser = logs::time)]
    until: Option<u64>,
    /// Show when each line was printed
    #[arg(short, long)]
    timestamps: bool,
    /// Show the lines of each container in a color of its own
    #[arg(long)]
    color: bool,
    /// The newest one
    #[arg(short, long)]
    latest: bool,
    /// Name or id
    #[arg(required_unless_present = "latest")]
    pod: Option<String>,
}

/// The log of one container, which is read on.
struct Source {
    container: Container,
    /// What stands in front of its lines.
    label: String,
    follow: Option<Follow>,
    /// What it printed last was no whole line.
    is_within: bool,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let engine = context.engine()?;
    let pod = one(&engine, arguments.pod.as_deref(), arguments.latest)?;
    let tail = match arguments.tail.as_str() {
        "all" | "-1" => None,
        lines => Some(lines.parse().with_context(|| format!("--tail {lines}"))?),
    };
    let logs = Logs { since: arguments.since, until: arguments.until, tail };
    let mut sources: BTreeMap<String, Source> = BTreeMap::new();
    let everything = Logs { tail: None, ..logs };
    let mut wanted = &logs;
    loop {
        // Asked first: what was printed last is there by the time that all have ended.
        let is_over = !arguments.follow || is_over(&engine, &pod)?;
        let mut found = Vec::new();
        for container in containers(&engine, &pod, arguments)? {
            let count = sources.len();
            let source = sources
                .entry(container.id.clone())
                .or_insert_with(|| Source::new(container, arguments, count));
            found.extend(source.read(&engine, wanted)?);
        }
        // Those of one container are in order, and stay so.
        found.sort_by(|one, two| one.1.time.cmp(&two.1.time));
        for (id, entry) in &found {
            if let Some(source) = sources.get_mut(id) {
                source.show(entry, arguments.timestamps)?;
            }
        }
        if is_over {
            return Ok(());
        }
        wanted = &everything;
        std::thread::sleep(PACE);
    }
}

/// Those of the pod that print something, or the one that was asked for.
fn containers(engine: &Engine, pod: &Pod, arguments: &Arguments) -> Result<Vec<Container>> {
    let mut all = engine.containers_of_pod(pod)?;
    match &arguments.container {
        None => all.retain(|container| !container.is_infra),
        Some(text) => {
            let id = engine.find(text)?.id;
            all.retain(|container| container.id == id);
            if all.is_empty() {
                bail!("container {text} is not in pod {}", pod.name);
            }
        }
    }
    Ok(all)
}

fn is_over(engine: &Engine, pod: &Pod) -> Result<bool> {
    let seen = engine.look_at_pod(pod)?;
    let lives = seen.containers.iter().any(|(it, seen)| !it.is_infra && !seen.status.is_over());
    Ok(!lives)
}

impl Source {
    fn new(container: Container, arguments: &Arguments, count: usize) -> Source {
        let mut label =
            if arguments.names { &container.name } else { &container.id[..12] }.to_owned();
        if arguments.color {
            label = format!("\x1b[{}m{label}\x1b[0m", 31 + count % 6);
        }
        Source { container, label, follow: None, is_within: false }
    }

    /// What there is by now.
    fn read(&mut self, engine: &Engine, logs: &Logs) -> Result<Vec<(String, Entry)>> {
        let mut found = Vec::new();
        match &mut self.follow {
            None => {
                let (entries, follow) = engine.logs(&self.container, logs)?;
                self.follow = follow;
                found = entries;
            }
            Some(follow) => {
                while let Some(entry) = follow.next_entry()? {
                    found.push(entry);
                }
            }
        }
        Ok(found.into_iter().map(|entry| (self.container.id.clone(), entry)).collect())
    }

    fn show(&mut self, entry: &Entry, timestamps: bool) -> Result<()> {
        let mut line = Vec::with_capacity(entry.text.len() + 80);
        if !self.is_within {
            line.extend_from_slice(self.label.as_bytes());
            line.push(b' ');
            if timestamps {
                line.extend_from_slice(entry.time.as_bytes());
                line.push(b' ');
            }
        }
        line.extend_from_slice(&entry.text);
        if entry.whole {
            line.push(b'\n');
        }
        self.is_within = !entry.whole;
        front::print(entry.stream, &line)
    }
}
