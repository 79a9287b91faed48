//! `tinyo ps`.

use super::fitting::{self, fits};
use super::namespaces::{self, NAMESPACES};
use super::parse;
use crate::commands::glance::glance;
use crate::commands::port::ports_text;
use crate::commands::wanted::Filter;
use crate::context::Context;
use crate::show::{
    ListFormat, ago, bytes, lasting, print_columns, print_line, print_lines, print_rows,
    print_table,
};
use anyhow::Result;
use clap::Args;
use engine::settings::{MountKind, Settings};
use engine::{Container, Engine, HealthStatus, Seen, Status};
use serde_json::{Value, json};
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    /// Show the process id and the namespaces of each
    #[arg(long = "ns", alias = "namespace", conflicts_with_all = ["pod", "size"])]
    namespaces: bool,
    /// Show it again and again, with so many seconds in between
    #[arg(short, long, value_name = "SECONDS", value_parser = parse::seconds)]
    watch: Option<Duration>,
    /// No headings
    #[arg(long)]
    noheading: bool,
    /// Only those that fit: id= name= label= status= exited= ancestor= volume= network= health=
    /// before= since= until= publish= expose= restart-policy= pod=
    #[arg(short, long, value_name = "FILTER", value_parser = fitting::filter)]
    filter: Vec<Filter>,
    /// table, json, or a template such as '{{.Names}}'
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: ListFormat,
}

const SORTS: [&str; 8] =
    ["command", "created", "id", "image", "names", "runningfor", "size", "status"];

const HEADINGS: [(&str, &str); 17] = [
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
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("Label", ""),
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
    let Some(pause) = arguments.watch else { return list(&engine, arguments) };
    loop {
        if io::stdout().is_terminal() {
            write!(io::stdout(), "\x1b[H\x1b[J")?;
        }
        list(&engine, arguments)?;
        std::thread::sleep(pause);
    }
}

fn list(engine: &Engine, arguments: &Arguments) -> Result<()> {
    let mut found = Vec::new();
    let everything = arguments.all
        || arguments.latest
        || arguments.last.is_some()
        || arguments.filter.iter().any(|(name, _)| matches!(name.as_str(), "status" | "exited"));
    for container in engine.containers()? {
        let seen = match glance(engine, &container) {
            Ok(seen) => seen,
            // It has just been removed.
            Err(engine::Error::NoSuchContainer(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let is_there = everything || seen.status.is_running() || seen.status == Status::Restarting;
        if is_there && fits(engine, &container, &seen, &arguments.filter)? {
            found.push((container, seen));
        }
    }
    if let Some(count) = arguments.last.or(arguments.latest.then_some(1)) {
        found.truncate(count);
    }
    if let Some(field) = &arguments.sort {
        sort(engine, field, &mut found)?;
    }
    print(engine, arguments, &found)
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
            "size" => format!("{:020}", engine.written_by(&container)?),
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
        if arguments.size || arguments.format.mentions(".Size") {
            record["Size"] = size(engine, container)?.into();
        }
        if arguments.namespaces
            || NAMESPACES.iter().any(|(name, _)| arguments.format.mentions(name))
        {
            namespaces::add(&mut record, seen.state.pid);
        }
        if arguments.format.mentions(".ImageID") {
            record["ImageID"] = super::image_id(engine, container)?.into();
        }
        if arguments.format.mentions(".Label ") {
            record["Label"] = json!(container.settings.labels);
        }
        records.push(record);
    }
    match &arguments.format {
        ListFormat::Json => records.iter().try_for_each(|record| print_line(&record.to_string())),
        ListFormat::Lines(template) => print_lines(template, &records),
        ListFormat::Columns(template) => print_columns(template, &HEADINGS, &records),
        ListFormat::Table => {
            let columns = columns(arguments);
            let row = |record: &Value| {
                let cell = |(name, _): &(&str, &str)| {
                    let value = &record[*name];
                    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
                };
                columns.iter().map(cell).collect::<Vec<_>>()
            };
            let rows: Vec<_> = records.iter().map(row).collect();
            let headings: Vec<_> = columns.iter().map(|(_, heading)| *heading).collect();
            if arguments.noheading { print_rows(&rows) } else { print_table(&headings, &rows) }
        }
    }
}

/// The fields of the table, and what stands above each.
fn columns(arguments: &Arguments) -> Vec<(&'static str, &'static str)> {
    if arguments.namespaces {
        let usual = [("ID", "CONTAINER ID"), ("Names", "NAMES"), ("Pid", "PID")];
        return usual.into_iter().chain(NAMESPACES.map(|(name, _)| (name, name))).collect();
    }
    let mut columns = HEADINGS[..if arguments.pod { 9 } else { 7 }].to_vec();
    columns.extend(arguments.size.then_some(("Size", "SIZE")));
    columns
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
    let command = command(settings, long);
    let labels = settings.labels.iter().map(|(name, value)| format!("{name}={value}"));
    let mounts = settings.mounts.iter().map(|mount| mount.source.as_str());
    let mounts = mounts.filter(|source| !source.is_empty());
    let volumes = settings.mounts.iter().filter(|mount| mount.kind == MountKind::Volume);
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
        "LocalVolumes": volumes.count().to_string(),
        "Networks": networks(settings).join(","),
        // Podman's from here on.
        "Created": engine::time_text(container.created),
        "CreatedHuman": ago(seconds_since(container.created)),
        "StartedAt": seen.state.started / 1_000_000_000,
        "Exited": seen.status == Status::Exited,
        "ExitedAt": seen.state.finished / 1_000_000_000,
        "AutoRemove": settings.auto_remove,
        "Restarts": seen.state.restarts,
        "ExitCode": seen.state.exit_code,
        "Pid": seen.state.pid,
        "Pod": container.pod.as_deref().map_or("", |id| &id[..if long { 64 } else { 12 }]),
        "PodName": pods.of(container),
        "IsInfra": container.is_infra,
    })
}

/// As Docker shows it: arguments with blanks in quotes, and all of it in others.
fn command(settings: &Settings, long: bool) -> String {
    let quoted = |(place, word): (usize, &String)| {
        if place > 0 && word.contains(' ') { format!("'{word}'") } else { word.clone() }
    };
    let command = settings.words().enumerate().map(quoted).collect::<Vec<_>>().join(" ");
    if long || command.chars().count() <= 20 {
        return format!("{command:?}");
    }
    format!("{:?}", command.chars().take(19).chain(['…']).collect::<String>())
}

fn seconds_since(nanoseconds: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    now.saturating_sub(nanoseconds / 1_000_000_000)
}

/// `Up 3 minutes (healthy)`, `Exited (0) 2 hours ago`.
pub(super) fn status(seen: &Seen) -> String {
    let up = || format!("Up {}", lasting(seconds_since(seen.state.started)));
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

/// Those that it was made for.
pub(super) fn networks(settings: &Settings) -> Vec<String> {
    settings.network.endpoints().into_iter().map(|it| it.network).collect()
}
