//! `tinyo ps`.

use crate::commands::port::ports_text;
use crate::commands::wanted::{self, Filter};
use crate::context::Context;
use crate::show::{
    ListFormat, ago, bytes, print_columns, print_line, print_lines, print_rows, print_table,
};
use anyhow::Result;
use clap::Args;
use engine::settings::Settings;
use engine::{Container, Engine, HealthStatus, Seen, Status};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Those that do not run, too
    #[arg(short, long)]
    all: bool,
    /// Print nothing but ids
    #[arg(short, long)]
    quiet: bool,
    /// The newest one
    #[arg(short, long)]
    latest: bool,
    /// The newest ones
    #[arg(short = 'n', long, value_name = "COUNT")]
    last: Option<usize>,
    /// Show ids and commands to the end
    #[arg(long)]
    no_trunc: bool,
    /// Show which pod each is in
    #[arg(short, long)]
    pod: bool,
    /// Show how much each has written, and with what is in its image
    #[arg(short, long)]
    size: bool,
    /// By what they are sorted: command, created, id, image, names, runningfor, size or status
    #[arg(long, value_name = "FIELD", value_parser = SORTS)]
    sort: Option<String>,
    /// No headings
    #[arg(long)]
    noheading: bool,
    /// Only those that fit: id= name= label= status= exited= ancestor= volume= network= health=
    /// before= since= until= publish= expose= restart-policy= pod=
    #[arg(short, long, value_name = "FILTER", value_parser = wanted::one_of(FILTERS))]
    filter: Vec<Filter>,
    /// table, json, or a template such as '{{.Names}}'
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: ListFormat,
}

pub(super) const FILTERS: &[&str] = &[
    "pod",
    "id",
    "name",
    "label",
    "label!",
    "status",
    "exited",
    "ancestor",
    "volume",
    "network",
    "health",
    "before",
    "since",
    "until",
    "publish",
    "expose",
    "restart-policy",
];

const SORTS: [&str; 8] =
    ["command", "created", "id", "image", "names", "runningfor", "size", "status"];

const HEADINGS: [(&str, &str); 15] = [
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Command", "COMMAND"),
    ("RunningFor", "CREATED"),
    ("Status", "STATUS"),
    ("Ports", "PORTS"),
    ("Names", "NAMES"),
    ("Pod", "POD ID"),
    ("PodName", "PODNAME"),
    ("Size", "SIZE"),
    ("CreatedAt", "CREATED AT"),
    ("Networks", "NETWORKS"),
    ("Mounts", "MOUNTS"),
    ("State", "STATE"),
    ("Labels", "LABELS"),
];

impl Arguments {
    /// Only those that fit one more filter, too.
    pub(crate) fn with_filter(mut self, name: &str, value: String) -> Arguments {
        self.filter.push((name.to_owned(), value));
        self
    }
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let engine = context.engine()?;
    let mut found = Vec::new();
    let everything = arguments.all
        || arguments.latest
        || arguments.last.is_some()
        || arguments.filter.iter().any(|(name, _)| matches!(name.as_str(), "status" | "exited"));
    for container in engine.containers()? {
        let seen = match engine.look(&container) {
            Ok(seen) => seen,
            // It has just been removed.
            Err(engine::Error::NoSuchContainer(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let is_there = everything || seen.status.is_running() || seen.status == Status::Restarting;
        if is_there && fits(&engine, &container, &seen, &arguments.filter)? {
            found.push((container, seen));
        }
    }
    if let Some(count) = arguments.last.or(arguments.latest.then_some(1)) {
        found.truncate(count);
    }
    if let Some(field) = &arguments.sort {
        sort(&engine, field, &mut found)?;
    }
    print(&engine, arguments, &found)
}

/// By what people see of them; newest first for times, as without this flag.
fn sort(engine: &Engine, field: &str, found: &mut Vec<(Container, Seen)>) -> Result<()> {
    let mut keyed = Vec::new();
    for (container, seen) in found.drain(..) {
        let key = match field {
            "command" => container.settings.words().cloned().collect::<Vec<_>>().join(" "),
            "id" => container.id.clone(),
            "image" => container.settings.image.clone(),
            "names" => container.name.clone(),
            "size" => format!("{:020}", engine.room_of(&container)?),
            "status" => seen.status.name().to_owned(),
            _ => format!("{:020}", u64::MAX - container.created),
        };
        keyed.push((key, container, seen));
    }
    keyed.sort_by(|one, other| one.0.cmp(&other.0));
    found.extend(keyed.into_iter().map(|(_, container, seen)| (container, seen)));
    Ok(())
}

/// What it has written, and all that it sees, as Docker shows it.
fn size(engine: &Engine, container: &Container) -> Result<String> {
    let [own, all] = super::sizes(engine, container)?;
    Ok(format!("{} (virtual {})", bytes(own), bytes(all)))
}

fn print(engine: &Engine, arguments: &Arguments, found: &[(Container, Seen)]) -> Result<()> {
    let long = arguments.no_trunc;
    if arguments.quiet {
        let id = |container: &Container| container.id[..if long { 64 } else { 12 }].to_owned();
        return found.iter().try_for_each(|(container, _)| print_line(&id(container)));
    }
    let mut records = Vec::with_capacity(found.len());
    let pods = PodNames::new(engine, found)?;
    for (container, seen) in found {
        let ports = ports_text(&engine.published_ports(container)?);
        let mut record = record(container, seen, &ports, &pods, long);
        // It is looked for on the disk, which takes its time.
        let is_asked = match &arguments.format {
            ListFormat::Lines(template) | ListFormat::Columns(template) => {
                template.mentions(".Size")
            }
            _ => false,
        };
        if arguments.size || is_asked {
            record["Size"] = size(engine, container)?.into();
        }
        records.push(record);
    }
    match &arguments.format {
        ListFormat::Json => records.iter().try_for_each(|record| print_line(&record.to_string())),
        ListFormat::Lines(template) => print_lines(template, &records),
        ListFormat::Columns(template) => print_columns(template, &HEADINGS, &records),
        ListFormat::Table => {
            let mut columns = HEADINGS[..if arguments.pod { 9 } else { 7 }].to_vec();
            columns.extend(arguments.size.then_some(("Size", "SIZE")));
            let row = |record: &Value| {
                let cell = |(name, _): &(&str, &str)| {
                    record[*name].as_str().unwrap_or_default().to_owned()
                };
                columns.iter().map(cell).collect::<Vec<_>>()
            };
            let rows: Vec<_> = records.iter().map(row).collect();
            let headings: Vec<_> = columns.iter().map(|(_, heading)| *heading).collect();
            if arguments.noheading { print_rows(&rows) } else { print_table(&headings, &rows) }
        }
    }
}

/// What the pods are called that containers are in.
struct PodNames(Vec<(String, String)>);

impl PodNames {
    /// Nothing is asked where there is none.
    fn new(engine: &Engine, found: &[(Container, Seen)]) -> Result<PodNames> {
        if found.iter().all(|(container, _)| container.pod.is_none()) {
            return Ok(PodNames(Vec::new()));
        }
        Ok(PodNames(engine.pods()?.into_iter().map(|pod| (pod.id, pod.name)).collect()))
    }

    fn of(&self, container: &Container) -> &str {
        let found = self.0.iter().find(|(id, _)| Some(id) == container.pod.as_ref());
        found.map_or("", |(_, name)| name)
    }
}

fn record(container: &Container, seen: &Seen, ports: &str, pods: &PodNames, long: bool) -> Value {
    let settings = &container.settings;
    let words: Vec<&str> = settings.words().map(String::as_str).collect();
    let command = words.join(" ");
    let command = if long || command.chars().count() <= 20 {
        format!("\"{command}\"")
    } else {
        format!("\"{}…\"", command.chars().take(19).collect::<String>())
    };
    let labels = settings.labels.iter().map(|(name, value)| format!("{name}={value}"));
    let mounts = settings.mounts.iter().map(|mount| mount.source.clone());
    json!({
        "ID": container.id[..if long { 64 } else { 12 }],
        "Image": settings.image,
        "Command": command,
        "CreatedAt": engine::time_text(container.created),
        "RunningFor": ago(seconds_since(container.created)),
        "Status": status(seen),
        "State": seen.status.name(),
        "Ports": ports,
        "Names": container.name,
        "Labels": labels.collect::<Vec<_>>().join(","),
        "Mounts": mounts.collect::<Vec<_>>().join(","),
        "Networks": networks(settings).join(","),
        "ExitCode": seen.state.exit_code,
        "Pid": seen.state.pid,
        "Pod": container.pod.as_deref().map_or("", |id| &id[..if long { 64 } else { 12 }]),
        "PodName": pods.of(container),
        "IsInfra": container.is_infra,
    })
}

fn seconds_since(nanoseconds: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    now.saturating_sub(nanoseconds / 1_000_000_000)
}

/// `Up 3 minutes (healthy)`, `Exited (0) 2 hours ago`.
pub(super) fn status(seen: &Seen) -> String {
    let up = || {
        let since = ago(seconds_since(seen.state.started));
        let since = if since == "just now" { "Less than a second".to_owned() } else { since };
        format!("Up {}", since.trim_end_matches(" ago"))
    };
    match seen.status {
        Status::Created => "Created".to_owned(),
        Status::Paused => format!("{} (Paused)", up()),
        Status::Restarting => {
            let since = ago(seconds_since(seen.state.finished));
            format!("Restarting ({}) {since}", seen.state.exit_code)
        }
        Status::Exited => {
            let since = ago(seconds_since(seen.state.finished));
            format!("Exited ({}) {since}", seen.state.exit_code)
        }
        Status::Running => match seen.state.health {
            Some((HealthStatus::Starting, _)) => format!("{} (health: starting)", up()),
            Some((health, _)) => format!("{} ({})", up(), health.name()),
            None => up(),
        },
    }
}

/// Filters of one name are alternatives; different ones must all fit.
pub(super) fn fits(
    engine: &Engine,
    container: &Container,
    seen: &Seen,
    filters: &[(String, String)],
) -> Result<bool> {
    let names: std::collections::BTreeSet<&str> =
        filters.iter().map(|(name, _)| name.as_str()).collect();
    for name in names {
        let mut values =
            filters.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let fits = match name {
            // All labels that are asked for must be there.
            "label" => values.all(|value| wanted::has_label(&container.settings.labels, value)),
            "label!" => !values.any(|it| wanted::has_label(&container.settings.labels, it)),
            _ => {
                let mut any = false;
                for value in values {
                    any |= fits_one(engine, container, seen, name, value)?;
                }
                any
            }
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

fn fits_one(
    engine: &Engine,
    container: &Container,
    seen: &Seen,
    name: &str,
    value: &str,
) -> Result<bool> {
    let settings = &container.settings;
    Ok(match name {
        "pod" => match (&container.pod, engine.pod(value)) {
            (own, Ok(pod)) => *own == Some(pod.id),
            (_, Err(engine::Error::NoSuchPod(_))) => false,
            (_, Err(error)) => return Err(error.into()),
        },
        "id" => container.id.starts_with(value),
        "name" => container.name.contains(value.trim_start_matches('/')),
        "status" => seen.status.name() == value,
        "exited" => seen.status == Status::Exited && seen.state.exit_code.to_string() == value,
        "ancestor" => settings.image == value || is_image(engine, container, value)?,
        "volume" => {
            settings.mounts.iter().any(|mount| mount.source == value || mount.target == value)
        }
        "network" => networks(settings).iter().any(|it| it == value),
        "health" => {
            let health = seen.state.health.map_or("none", |(health, _)| health.name());
            health == value
        }
        "until" => wanted::is_prunable(
            &[(name.to_owned(), value.to_owned())],
            container.created,
            &settings.labels,
        )?,
        "publish" => {
            let ports = engine.published_ports(container)?;
            ports
                .iter()
                .any(|port| is_port(value, port.host.unwrap_or(0), &port.protocol.to_string()))
        }
        "expose" => settings.network.exposed.iter().any(|port| {
            let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
            number.parse().is_ok_and(|number| is_port(value, number, protocol))
        }),
        "restart-policy" => settings.restart.policy.name() == value,
        "before" => container.created < engine.find(value)?.created,
        "since" => container.created > engine.find(value)?.created,
        _ => false,
    })
}

/// `80`, `80/udp`, `8000-8100/tcp`.
fn is_port(wanted: &str, number: u16, protocol: &str) -> bool {
    let (range, wanted) = wanted.split_once('/').unwrap_or((wanted, "tcp"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let is_in = first.parse().is_ok_and(|it: u16| it <= number)
        && last.parse().is_ok_and(|it: u16| number <= it);
    is_in && wanted == protocol
}

fn is_image(engine: &Engine, container: &Container, value: &str) -> Result<bool> {
    let Some(manifest) = &container.manifest else { return Ok(false) };
    let found = engine.store().find_by_digest(value)?;
    Ok(found.is_some_and(|image| image.manifest == *manifest))
}

/// Those that it was made for.
fn networks(settings: &Settings) -> Vec<String> {
    settings.network.endpoints().into_iter().map(|it| it.network).collect()
}
