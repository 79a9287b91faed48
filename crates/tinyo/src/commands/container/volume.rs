//! `tinyo volume`.

use super::parse;
use crate::commands::fail;
use crate::commands::system::confirm;
use crate::commands::wanted::{self, Filter};
use crate::context::Context;
use crate::show::{
    ListFormat, print_columns, print_details, print_line, print_lines, print_rows, print_table,
};
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use engine::settings::FileSystem;
use engine::{Engine, Error, Volume};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a volume
    Create(CreateArguments),
    /// List volumes
    #[command(visible_alias = "list")]
    Ls(ListArguments),
    /// Show all that is known of volumes, in JSON
    Inspect(InspectArguments),
    /// Say by the exit code whether there is such a volume: 0 or 1
    Exists {
        /// Which
        volume: String,
    },
    /// Remove volumes that no container uses
    #[command(visible_alias = "remove")]
    Rm(RemoveArguments),
    /// Remove volumes that nobody has given a name and no container uses
    Prune(PruneArguments),
}

#[derive(Args)]
pub(crate) struct CreateArguments {
    /// A label, NAME=VALUE
    #[arg(short, long, value_name = "LABEL", value_parser = parse::pair)]
    label: Vec<(String, String)>,
    /// Only local
    #[arg(short, long, default_value = "local", value_parser = ["local"])]
    driver: String,
    /// type=TYPE, device=WHAT, o=OPTIONS as mount(8) takes them: another file system, or a folder;
    /// type=tmpfs is memory, new whenever a container starts
    #[arg(short, long, value_name = "OPTION", value_parser = parse::pair)]
    opt: Vec<(String, String)>,
    /// It is no error if there is one of this name, as without this flag
    #[arg(long)]
    ignore: bool,
    /// The same as NAME, as Docker once had it
    #[arg(long = "name", value_name = "NAME", hide = true, conflicts_with = "name")]
    old_name: Option<String>,
    /// What to call it
    name: Option<String>,
}

#[derive(Args)]
pub(crate) struct ListArguments {
    /// Print nothing but names
    #[arg(short, long)]
    quiet: bool,
    /// Only those that fit: name= label= dangling=BOOL driver=local
    #[arg(short, long, value_name = "FILTER", value_parser = wanted::one_of(FILTERS))]
    filter: Vec<Filter>,
    /// No headings
    #[arg(short = 'n', long)]
    noheading: bool,
    /// table, json, or a template such as '{{.Name}}'
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: ListFormat,
}

#[derive(Args)]
pub(crate) struct InspectArguments {
    /// json, or a template such as '{{.Mountpoint}}'
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<ListFormat>,
    /// All of them
    #[arg(short, long, conflicts_with = "volumes")]
    all: bool,
    /// Which
    #[arg(required_unless_present = "all", value_name = "VOLUME")]
    volumes: Vec<String>,
}

#[derive(Args)]
pub(crate) struct RemoveArguments {
    /// It is no error if there is none
    #[arg(short, long)]
    force: bool,
    /// All of them
    #[arg(short, long, conflicts_with = "volumes")]
    all: bool,
    /// Which
    #[arg(required_unless_present = "all", value_name = "VOLUME")]
    volumes: Vec<String>,
}

#[derive(Args)]
pub(crate) struct PruneArguments {
    /// Those with a name, too
    #[arg(short, long)]
    all: bool,
    /// Only those that fit: label=NAME[=VALUE] label!=NAME[=VALUE] all=true
    #[arg(long, value_name = "FILTER", value_parser = wanted::one_of(&["label", "label!", "all"]))]
    filter: Vec<Filter>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

/// What templates can show, and what is above it.
const HEADINGS: [(&str, &str); 7] = [
    ("Driver", "DRIVER"),
    ("Name", "VOLUME NAME"),
    ("Mountpoint", "MOUNTPOINT"),
    ("Scope", "SCOPE"),
    ("CreatedAt", "CREATED AT"),
    ("Labels", "LABELS"),
    ("Label", ""),
];

const FILTERS: &[&str] = &["name", "label", "label!", "dangling", "driver"];

pub(crate) fn run(context: &Context, command: &Command) -> Result<ExitCode> {
    let engine = context.engine()?;
    let done = match command {
        Command::Create(arguments) => {
            let labels = arguments.label.iter().cloned().collect();
            let file_system = file_system("--opt", &arguments.opt)?;
            let name = arguments.name.as_deref().or(arguments.old_name.as_deref());
            print_line(&engine.create_volume(name, labels, file_system)?)
        }
        Command::Exists { volume } => match engine.volume(volume) {
            Err(Error::NoSuchVolume(_)) => return Ok(ExitCode::FAILURE),
            found => Ok(found.map(drop)?),
        },
        Command::Ls(arguments) => list(&engine, arguments),
        Command::Inspect(arguments) => {
            let (mut found, mut failures) = (Vec::new(), Vec::new());
            let names = if arguments.all { names(&engine)? } else { arguments.volumes.clone() };
            for name in &names {
                match engine.volume(name) {
                    Ok(volume) => found.push(describe(&engine, &volume)),
                    Err(error) => failures.push(error.into()),
                }
            }
            print_details(arguments.format.as_ref(), &found)?;
            fail(&failures)
        }
        Command::Rm(arguments) => {
            let mut failures = Vec::new();
            let names = if arguments.all { names(&engine)? } else { arguments.volumes.clone() };
            for name in &names {
                match engine.remove_volume(name) {
                    Ok(()) => print_line(name)?,
                    Err(Error::NoSuchVolume(_)) if arguments.force => {}
                    Err(error) => failures.push(error.into()),
                }
            }
            fail(&failures)
        }
        Command::Prune(arguments) => prune(&engine, arguments),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// What a volume is, if it is to be no folder of ours. `flag` says so.
pub(super) fn file_system(flag: &str, opt: &[(String, String)]) -> Result<Option<FileSystem>> {
    if opt.is_empty() {
        return Ok(None);
    }
    let mut own = FileSystem::default();
    for (name, value) in opt {
        match name.as_str() {
            "type" => own.kind.clone_from(value),
            "device" => own.device.clone_from(value),
            "o" => own.options = value.split(',').map(str::to_owned).collect(),
            _ => bail!("{flag} {name}: there is no such option, only type, device and o"),
        }
    }
    if own.kind.is_empty() && own.is_bind() {
        "none".clone_into(&mut own.kind);
    }
    if own.kind == "tmpfs" && own.device.is_empty() {
        "tmpfs".clone_into(&mut own.device);
    }
    if own.kind.is_empty() || own.device.is_empty() {
        bail!("{flag}: type=TYPE and device=WHAT are both needed");
    }
    if own.is_bind() && !own.device.starts_with('/') {
        bail!("{flag} device={}: the folder must be absolute", own.device);
    }
    Ok(Some(own))
}

fn names(engine: &Engine) -> Result<Vec<String>> {
    Ok(engine.volumes()?.into_iter().map(|volume| volume.name).collect())
}

fn fits(volume: &Volume, filters: &[Filter]) -> Result<bool> {
    for (name, value) in filters {
        let fits = match name.as_str() {
            "name" => volume.name.contains(value.as_str()),
            "label" => wanted::has_label(&volume.labels, value),
            "label!" => !wanted::has_label(&volume.labels, value),
            "dangling" => volume.users.is_empty() == wanted::is_true(name, value)?,
            _ => value == "local",
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

fn list(engine: &Engine, arguments: &ListArguments) -> Result<()> {
    let mut volumes = Vec::new();
    for volume in engine.volumes()? {
        if fits(&volume, &arguments.filter)? {
            volumes.push(volume);
        }
    }
    if arguments.quiet {
        return volumes.iter().try_for_each(|volume| print_line(&volume.name));
    }
    let record = |volume: &Volume| {
        let mut record = describe(engine, volume);
        // As Docker's lists have them.
        let labels = volume.labels.iter().map(|(name, value)| format!("{name}={value}"));
        record["Labels"] = labels.collect::<Vec<_>>().join(",").into();
        if arguments.format.mentions(".Label ") {
            record["Label"] = json!(volume.labels);
        }
        record
    };
    let records: Vec<Value> = volumes.iter().map(record).collect();
    match &arguments.format {
        ListFormat::Json => records.iter().try_for_each(|record| print_line(&record.to_string())),
        ListFormat::Lines(template) => print_lines(template, &records),
        ListFormat::Columns(template) => print_columns(template, &HEADINGS, &records),
        ListFormat::Table => {
            let rows: Vec<_> =
                volumes.iter().map(|it| vec!["local".to_owned(), it.name.clone()]).collect();
            let headings = ["DRIVER", "VOLUME NAME"];
            if arguments.noheading { print_rows(&rows) } else { print_table(&headings, &rows) }
        }
    }
}

pub(crate) fn describe(engine: &Engine, volume: &Volume) -> Value {
    let options = volume
        .file_system
        .as_ref()
        .map(|own| json!({ "type": own.kind, "device": own.device, "o": own.options.join(",") }));
    json!({
        "Name": volume.name,
        "Driver": "local",
        "Mountpoint": engine.volume_path(&volume.name),
        "CreatedAt": engine::time_text(volume.created),
        "Labels": volume.labels,
        "Options": options,
        "Scope": "local",
        "Anonymous": volume.anonymous,
        "UsedBy": volume.users,
    })
}

fn prune(engine: &Engine, arguments: &PruneArguments) -> Result<()> {
    let (everything, labels): (Vec<Filter>, _) =
        arguments.filter.iter().cloned().partition(|(name, _)| name == "all");
    let mut all = arguments.all;
    for (name, value) in &everything {
        all |= wanted::is_true(name, value)?;
    }
    let what = if all { "all volumes" } else { "all volumes without a name" };
    confirm(arguments.force, &format!("This removes {what} that no container uses."))?;
    remove_unused(engine, all, &labels)?.iter().try_for_each(|name| print_line(name))
}

/// Removes volumes that no container uses, and says which those were.
pub(crate) fn remove_unused(
    engine: &Engine,
    with_names: bool,
    filters: &[Filter],
) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    for volume in engine.volumes()? {
        let is_meant = volume.anonymous || with_names;
        if volume.users.is_empty() && is_meant && fits(&volume, filters)? {
            match engine.remove_volume(&volume.name) {
                Ok(()) => removed.push(volume.name),
                // A container has taken it, or somebody else removed it.
                Err(Error::VolumeInUse { .. } | Error::NoSuchVolume(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(removed)
}
