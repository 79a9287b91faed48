//! `tinyo pod stats` and `tinyo pod top`.

use super::one;
use crate::commands::container::top::{PROCESS_HEADINGS, process, with_options};
use crate::commands::container::watch::{Pace, SHORT, measure, show_each_turn};
use crate::context::Context;
use crate::show::{ListFormat, print_table};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use engine::{Container, Engine, Error, Pod};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Args)]
pub(crate) struct StatsArguments {
    /// Print them once
    #[arg(long)]
    no_stream: bool,
    /// Do not clear the screen in between
    #[arg(long)]
    no_reset: bool,
    /// All pods, as without names
    #[arg(short, long, conflicts_with = "pods")]
    all: bool,
    /// The newest one
    #[arg(short, long, conflicts_with = "pods")]
    latest: bool,
    /// table, json, or a template such as '{{.Name}} {{.CPUPerc}}'
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: ListFormat,
    /// Names or ids [default: all]
    #[arg(value_name = "POD")]
    pods: Vec<String>,
}

#[derive(Args)]
pub(crate) struct TopArguments {
    /// A pod, or -l for the newest one, and options of ps(1) or fields, as with `tinyo top`
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_names = ["POD", "OPTIONS"])]
    words: Vec<String>,
}

const HEADINGS: [(&str, &str); 9] = [
    ("Pod", "POD"),
    ("CID", "CID"),
    ("Name", "NAME"),
    ("CPUPerc", "CPU %"),
    ("MemUsage", "MEM USAGE/ LIMIT"),
    ("MemPerc", "MEM %"),
    ("NetIO", "NET IO"),
    ("BlockIO", "BLOCK IO"),
    ("PIDs", "PIDS"),
];

pub(super) fn stats(context: &Context, arguments: &StatsArguments) -> Result<()> {
    let engine = context.engine()?;
    let named = match arguments.latest {
        true => Some(vec![one(&engine, None, true)?]),
        false if arguments.pods.is_empty() => None,
        false => {
            Some(arguments.pods.iter().map(|name| engine.pod(name)).collect::<Result<_, _>>()?)
        }
    };
    let mut before = BTreeMap::new();
    let (once, interval) = (arguments.no_stream, Duration::from_secs(1));
    let pace = Pace { once, interval, clears: !arguments.no_reset };
    show_each_turn(pace, &arguments.format, &HEADINGS, || {
        let pods = named.as_ref().map_or_else(|| engine.pods(), |pods| Ok(pods.clone()))?;
        let mut records = Vec::new();
        for pod in pods {
            let containers = engine.containers_of_pod(&pod)?;
            let measured = measure(&engine, containers, false, SHORT, &mut before)?;
            records.extend(measured.into_iter().map(|record| of_pod(record, &pod)));
        }
        Ok(records)
    })
}

fn of_pod(mut record: Value, pod: &Pod) -> Value {
    record["Pod"] = pod.id[..12].into();
    record["CID"] = record["ID"].clone();
    record
}

pub(super) fn top(context: &Context, arguments: &TopArguments) -> Result<()> {
    let engine = context.engine()?;
    let (name, options) = arguments.words.split_first().context("no pod")?;
    let latest = matches!(name.as_str(), "-l" | "--latest");
    let pod = one(&engine, Some(name), latest)?;
    let (mut rows, mut all) = (Vec::new(), Vec::new());
    for container in engine.containers_of_pod(&pod)? {
        let found = processes(&engine, &container)?;
        all.extend_from_slice(&found);
        for pid in found {
            // It may have ended meanwhile.
            rows.extend(process(pid, &container.settings.namespaces.ids));
        }
    }
    match options {
        [] => print_table(&PROCESS_HEADINGS, &rows),
        _ if all.is_empty() => bail!("pod {} does not run", pod.name),
        _ => with_options(options, &all),
    }
}

/// None if it does not run.
fn processes(engine: &Engine, container: &Container) -> Result<Vec<i32>> {
    match engine.processes(container) {
        Err(Error::WrongStatus { .. } | Error::NoSuchContainer(_)) => Ok(Vec::new()),
        found => Ok(found?),
    }
}
