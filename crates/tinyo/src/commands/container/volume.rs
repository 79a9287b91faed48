//! `tinyo volume`.

use super::parse;
use crate::commands::fail;
use crate::commands::system::confirm;
use crate::context::Context;
use crate::show::{ListFormat, print_columns, print_line, print_lines, print_table};
use anyhow::Result;
use clap::{Args, Subcommand};
use engine::{Engine, Error, Volume};
use serde_json::{Value, json};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a volume
    Create(CreateArguments),
    /// List volumes
    #[command(visible_alias = "list")]
    Ls(ListArguments),
    /// Show all that is known of volumes, in JSON
    Inspect(Names),
    /// Remove volumes that no container uses
    #[command(visible_alias = "remove")]
    Rm(RemoveArguments),
    /// Remove volumes that nobody has given a name and no container uses
    Prune(PruneArguments),
}

#[derive(Args)]
pub(crate) struct CreateArguments {
    /// A label, NAME=VALUE
    #[arg(long, value_name = "LABEL", value_parser = parse::pair)]
    label: Vec<(String, String)>,
    /// What to call it
    name: Option<String>,
}

#[derive(Args)]
pub(crate) struct ListArguments {
    /// Print nothing but names
    #[arg(short, long)]
    quiet: bool,
    /// table, json, or a template such as '{{.Name}}'
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: ListFormat,
}

#[derive(Args)]
pub(crate) struct Names {
    /// Which
    #[arg(required = true, value_name = "VOLUME")]
    volumes: Vec<String>,
}

#[derive(Args)]
pub(crate) struct RemoveArguments {
    /// It is no error if there is none
    #[arg(short, long)]
    force: bool,
    /// Which
    #[arg(required = true, value_name = "VOLUME")]
    volumes: Vec<String>,
}

#[derive(Args)]
pub(crate) struct PruneArguments {
    /// Those with a name, too
    #[arg(short, long)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

const HEADINGS: [(&str, &str); 2] = [("Driver", "DRIVER"), ("Name", "VOLUME NAME")];

pub(crate) fn run(context: &Context, command: &Command) -> Result<()> {
    let engine = context.engine()?;
    match command {
        Command::Create(arguments) => {
            let labels = arguments.label.iter().cloned().collect();
            print_line(&engine.create_volume(arguments.name.as_deref(), labels)?)
        }
        Command::Ls(arguments) => list(&engine, arguments),
        Command::Inspect(names) => {
            let found =
                names.volumes.iter().map(|name| Ok(describe(&engine, &engine.volume(name)?)));
            let found = found.collect::<Result<Vec<Value>>>()?;
            print_line(&serde_json::to_string_pretty(&found)?)
        }
        Command::Rm(arguments) => {
            let mut failures = Vec::new();
            for name in &arguments.volumes {
                match engine.remove_volume(name) {
                    Ok(()) => print_line(name)?,
                    Err(Error::NoSuchVolume(_)) if arguments.force => {}
                    Err(error) => failures.push(error.into()),
                }
            }
            fail(&failures)
        }
        Command::Prune(arguments) => prune(&engine, arguments),
    }
}

fn list(engine: &Engine, arguments: &ListArguments) -> Result<()> {
    let volumes = engine.volumes()?;
    if arguments.quiet {
        return volumes.iter().try_for_each(|volume| print_line(&volume.name));
    }
    let records: Vec<Value> = volumes.iter().map(|volume| describe(engine, volume)).collect();
    match &arguments.format {
        ListFormat::Json => records.iter().try_for_each(|record| print_line(&record.to_string())),
        ListFormat::Lines(template) => print_lines(template, &records),
        ListFormat::Columns(template) => print_columns(template, &HEADINGS, &records),
        ListFormat::Table => {
            let rows: Vec<_> =
                volumes.iter().map(|it| vec!["local".to_owned(), it.name.clone()]).collect();
            print_table(&HEADINGS.map(|(_, heading)| heading), &rows)
        }
    }
}

fn describe(engine: &Engine, volume: &Volume) -> Value {
    json!({
        "Name": volume.name,
        "Driver": "local",
        "Mountpoint": engine.volume_path(&volume.name),
        "CreatedAt": engine::time_text(volume.created),
        "Labels": volume.labels,
        "Scope": "local",
        "Anonymous": volume.anonymous,
        "UsedBy": volume.users,
    })
}

fn prune(engine: &Engine, arguments: &PruneArguments) -> Result<()> {
    let what = if arguments.all { "all volumes" } else { "all volumes without a name" };
    confirm(arguments.force, &format!("This removes {what} that no container uses."))?;
    remove_unused(engine, arguments.all)?.iter().try_for_each(|name| print_line(name))
}

/// Removes volumes that no container uses, and says which those were.
pub(crate) fn remove_unused(engine: &Engine, with_names: bool) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    for volume in engine.volumes()? {
        if volume.users.is_empty() && (volume.anonymous || with_names) {
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
