//! `tinyo pod ps`.

use super::inspect::networks;
use crate::commands::container::parse;
use crate::commands::glance::glance_at_pod;
use crate::context::Context;
use crate::show::{
    ListFormat, ago, print_columns, print_line, print_lines, print_rows, print_table,
};
use anyhow::Result;
use clap::{Args, ValueEnum};
use engine::{Engine, Pod, PodSeen};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct Arguments {
    /// Print nothing but ids
    #[arg(short, long)]
    quiet: bool,
    /// The newest one
    #[arg(short, long)]
    latest: bool,
    /// Show ids to the end
    #[arg(long)]
    no_trunc: bool,
    /// Print no heading
    #[arg(long, visible_alias = "no-heading")]
    noheading: bool,
    /// Show the ids of the containers
    #[arg(long)]
    ctr_ids: bool,
    /// Show the names of the containers
    #[arg(long)]
    ctr_names: bool,
    /// Show what the containers are doing
    #[arg(long)]
    ctr_status: bool,
    /// Show which namespaces are shared, and the cgroup
    #[arg(long)]
    ns: bool,
    /// Only those that fit: id= name= label= status= network= ctr-names= ctr-ids= ctr-status=
    /// ctr-number= until=
    #[arg(short, long, value_name = "FILTER", value_parser = filter)]
    filter: Vec<(String, String)>,
    /// By what they are sorted
    #[arg(long, value_name = "FIELD", default_value = "created")]
    sort: Sort,
    /// table, json, or a template such as '{{.Name}}'
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: ListFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum Sort {
    Created,
    Id,
    Name,
    Number,
    Status,
}

const FILTERS: [&str; 10] = [
    "id",
    "name",
    "label",
    "status",
    "network",
    "ctr-names",
    "ctr-ids",
    "ctr-status",
    "ctr-number",
    "until",
];

fn filter(text: &str) -> Result<(String, String), String> {
    let (name, value) = parse::pair(text)?;
    if !FILTERS.contains(&name.as_str()) {
        return Err(format!("there is no filter {name:?}, only {}", FILTERS.join(" ")));
    }
    if name == "until" {
        let until = crate::commands::container::logs::time(&value)?;
        return Ok((name, until.to_string()));
    }
    Ok((name, value))
}

const HEADINGS: [(&str, &str); 13] = [
    ("ID", "POD ID"),
    ("Name", "NAME"),
    ("Status", "STATUS"),
    ("Created", "CREATED"),
    ("InfraID", "INFRA ID"),
    ("NumberOfContainers", "# OF CONTAINERS"),
    ("ContainerIds", "IDS"),
    ("ContainerNames", "NAMES"),
    ("ContainerStatuses", "STATUS"),
    ("Cgroup", "CGROUP"),
    ("Namespace", "NAMESPACES"),
    ("Networks", "NETWORKS"),
    ("Labels", "LABELS"),
];

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let engine = context.engine()?;
    let mut found = Vec::new();
    for pod in engine.pods()? {
        let seen = glance_at_pod(&engine, &pod)?;
        if fits(&pod, &seen, &arguments.filter) {
            found.push((pod, seen));
        }
    }
    match arguments.sort {
        Sort::Created => {}
        Sort::Id => found.sort_by(|one, two| one.0.id.cmp(&two.0.id)),
        Sort::Name => found.sort_by(|one, two| one.0.name.cmp(&two.0.name)),
        Sort::Number => found.sort_by_key(|(_, seen)| seen.containers.len()),
        Sort::Status => found.sort_by_key(|(_, seen)| seen.status.name()),
    }
    if arguments.latest {
        found.sort_by_key(|(pod, _)| std::cmp::Reverse(pod.created));
        found.truncate(1);
    }
    print(&engine, arguments, &found)
}

fn print(engine: &Engine, arguments: &Arguments, found: &[(Pod, PodSeen)]) -> Result<()> {
    let long = arguments.no_trunc;
    if arguments.quiet {
        let id = |pod: &Pod| pod.id[..if long { 64 } else { 12 }].to_owned();
        return found.iter().try_for_each(|(pod, _)| print_line(&id(pod)));
    }
    if arguments.format == ListFormat::Json {
        let all =
            found.iter().map(|(pod, seen)| whole(engine, pod, seen)).collect::<Result<Vec<_>>>()?;
        return print_line(&serde_json::to_string_pretty(&all)?);
    }
    let records: Vec<_> = found.iter().map(|(pod, seen)| record(pod, seen, long)).collect();
    match &arguments.format {
        ListFormat::Lines(template) => print_lines(template, &records),
        ListFormat::Columns(template) => print_columns(template, &HEADINGS, &records),
        _ => print_all(arguments, &records),
    }
}

fn print_all(arguments: &Arguments, records: &[Value]) -> Result<()> {
    let says_more = arguments.ctr_ids || arguments.ctr_names || arguments.ctr_status;
    let wanted = |name: &str| match name {
        "NumberOfContainers" => !says_more,
        "ContainerIds" => arguments.ctr_ids,
        "ContainerNames" => arguments.ctr_names,
        "ContainerStatuses" => arguments.ctr_status,
        "Cgroup" | "Namespace" => arguments.ns,
        "Networks" | "Labels" => false,
        _ => true,
    };
    let columns: Vec<_> = HEADINGS.iter().filter(|(name, _)| wanted(name)).collect();
    let row = |record: &Value| {
        let cell = |(name, _): &&(&str, &str)| match &record[*name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        columns.iter().map(cell).collect::<Vec<_>>()
    };
    let rows: Vec<_> = records.iter().map(row).collect();
    if arguments.noheading {
        return print_rows(&rows);
    }
    print_table(&columns.iter().map(|(_, heading)| *heading).collect::<Vec<_>>(), &rows)
}

fn record(pod: &Pod, seen: &PodSeen, long: bool) -> Value {
    let short = |id: &str| id[..if long { 64 } else { 12 }].to_owned();
    let list = |text: &dyn Fn(&(engine::Container, engine::Seen)) -> String| {
        seen.containers.iter().map(text).collect::<Vec<_>>().join(",")
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let labels = pod.settings.labels.iter().map(|(name, value)| format!("{name}={value}"));
    json!({
        "ID": short(&pod.id),
        "Id": short(&pod.id),
        "Name": pod.name,
        "Status": seen.status.name(),
        "Created": ago(now.saturating_sub(pod.created / 1_000_000_000)),
        "InfraID": pod.infra.as_deref().map_or(String::new(), short),
        "InfraId": pod.infra.as_deref().map_or(String::new(), short),
        "NumberOfContainers": seen.containers.len(),
        "ContainerIds": list(&|(container, _)| short(&container.id)),
        "ContainerNames": list(&|(container, _)| container.name.clone()),
        "ContainerStatuses": list(&|(_, seen)| seen.status.name().to_owned()),
        "Cgroup": cgroup(pod),
        "Namespace": pod.settings.share.names().join(","),
        "Networks": networks(pod).join(","),
        "Labels": labels.collect::<Vec<_>>().join(","),
    })
}

/// With Podman's names of fields.
fn whole(engine: &Engine, pod: &Pod, seen: &PodSeen) -> Result<Value> {
    let containers = seen.containers.iter().map(|(container, seen)| {
        json!({ "Id": container.id, "Names": container.name, "Status": seen.status.name() })
    });
    let usage = engine.usage_of_pod(pod)?;
    Ok(json!({
        "Cgroup": cgroup(pod),
        "Containers": containers.collect::<Vec<_>>(),
        "Created": engine::time_text(pod.created),
        "Id": pod.id,
        "InfraId": pod.infra.as_deref().unwrap_or_default(),
        "Name": pod.name,
        "Namespace": "",
        "Networks": networks(pod),
        "Status": seen.status.name(),
        "Labels": pod.settings.labels,
        "Memory": usage.as_ref().map(|usage| usage.memory),
        "PIDs": usage.as_ref().map(|usage| usage.tasks),
    }))
}

fn cgroup(pod: &Pod) -> String {
    if pod.settings.share.cgroup_parent { pod.cgroup_path() } else { String::new() }
}

/// Filters of one name are alternatives, but for labels; different ones must all fit.
fn fits(pod: &Pod, seen: &PodSeen, filters: &[(String, String)]) -> bool {
    FILTERS.iter().all(|name| {
        let values: Vec<_> =
            filters.iter().filter(|(known, _)| known == name).map(|(_, value)| value).collect();
        let fits = |value: &&String| fits_one(pod, seen, name, value);
        match *name {
            "label" => values.iter().all(fits),
            _ => values.is_empty() || values.iter().any(fits),
        }
    })
}

fn fits_one(pod: &Pod, seen: &PodSeen, name: &str, value: &str) -> bool {
    let any = |test: &dyn Fn(&engine::Container, &engine::Seen) -> bool| {
        seen.containers.iter().any(|(container, seen)| test(container, seen))
    };
    match name {
        "id" => pod.id.starts_with(value),
        "name" => pod.name.contains(value),
        "label" => match value.split_once('=') {
            Some((name, value)) => pod.settings.labels.get(name).is_some_and(|it| it == value),
            None => pod.settings.labels.contains_key(value),
        },
        "status" => seen.status.name().eq_ignore_ascii_case(value),
        "network" => networks(pod).iter().any(|network| network == value),
        "ctr-names" => any(&|container, _| container.name.contains(value)),
        "ctr-ids" => any(&|container, _| container.id.starts_with(value)),
        "ctr-status" => any(&|_, seen| seen.status.name() == value),
        "ctr-number" => seen.containers.len().to_string() == value,
        _ => value.parse().is_ok_and(|until: u64| pod.created < until),
    }
}
