//! `tinyo pod stats` and `tinyo pod top`.

use super::one;
use crate::commands::container::top::{PROCESS_HEADINGS, process};
use crate::commands::container::watch::{Pace, SHORT, measure, show_each_turn};
use crate::context::Context;
use crate::show::{ListFormat, print_table};
use anyhow::Result;
use clap::Args;
use engine::{Container, Engine, Error, Pod};
use serde_json::Value;
use std::collections::BTreeMap;

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
    /// Name or id
    pod: String,
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
    let pace = Pace { once: arguments.no_stream, clears: !arguments.no_reset };
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
    let pod = engine.pod(&arguments.pod)?;
    let mut rows = Vec::new();
    for container in engine.containers_of_pod(&pod)? {
        for pid in processes(&engine, &container)? {
            // It may have ended meanwhile.
            rows.extend(process(pid, &container.settings.namespaces.ids));
        }
    }
    print_table(&PROCESS_HEADINGS, &rows)
}

/// None if it does not run.
fn processes(engine: &Engine, container: &Container) -> Result<Vec<i32>> {
    match engine.processes(container) {
        Err(Error::WrongStatus { .. } | Error::NoSuchContainer(_)) => Ok(Vec::new()),
        found => Ok(found?),
    }
}
