//! `tinyo secret`.

use super::container::parse;
use super::fail;
use super::wanted::{self, Filter};
use crate::context::{Context, environment};
use crate::show::{
    ListFormat, ago, print_columns, print_details, print_line, print_lines, print_rows, print_table,
};
use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use engine::{Engine, Error, Secret, TOO_LARGE_FOR_SECRET, time_text};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{IsTerminal as _, Read, stdin};
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Keep a secret, for `run --secret`. It is not encrypted: a file that its owner alone can read
    Create(CreateArguments),
    /// List secrets, without what they are
    #[command(visible_alias = "list")]
    Ls(ListArguments),
    /// Show what is known of secrets, in JSON
    Inspect(InspectArguments),
    /// Say by the exit code whether there is such a secret: 0 or 1
    Exists {
        /// Name or id
        secret: String,
    },
    /// Forget secrets; containers that were made with them keep what they have
    #[command(visible_alias = "remove")]
    Rm(RemoveArguments),
}

#[derive(Args)]
pub(crate) struct CreateArguments {
    /// It is in a variable of this name, and not in a file
    #[arg(long, value_name = "BOOL", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    env: bool,
    /// Take it in place of the one that has this name
    #[arg(long, value_name = "BOOL", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    replace: bool,
    /// A label, NAME=VALUE
    #[arg(short, long, value_name = "LABEL", value_parser = parse::pair)]
    label: Vec<(String, String)>,
    /// Only file
    #[arg(short, long, default_value = "file", value_parser = ["file"])]
    driver: String,
    /// What to call it
    name: String,
    /// The file that it is in, or - for standard input
    file: String,
}

#[derive(Args)]
pub(crate) struct ListArguments {
    /// Print nothing but ids
    #[arg(short, long)]
    quiet: bool,
    /// Only those that fit: name= id= label=
    #[arg(short, long, value_name = "FILTER", value_parser = wanted::one_of(&["name", "id", "label"]))]
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
    /// json, or a template such as '{{.Spec.Name}}'
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<ListFormat>,
    /// For people
    #[arg(long, conflicts_with = "format")]
    pretty: bool,
    /// The secrets themselves, too
    #[arg(long)]
    showsecret: bool,
    /// Names or ids
    #[arg(required = true, value_name = "SECRET")]
    secrets: Vec<String>,
}

#[derive(Args)]
pub(crate) struct RemoveArguments {
    /// All there are
    #[arg(short, long, conflicts_with = "secrets")]
    all: bool,
    /// It is no error if there is none
    #[arg(short, long)]
    ignore: bool,
    /// Names or ids
    #[arg(required_unless_present = "all", value_name = "SECRET")]
    secrets: Vec<String>,
}

const HEADINGS: [(&str, &str); 5] = [
    ("ID", "ID"),
    ("Name", "NAME"),
    ("Driver", "DRIVER"),
    ("CreatedAt", "CREATED"),
    ("UpdatedAt", "UPDATED"),
];

pub(crate) fn run(context: &Context, command: &Command) -> Result<ExitCode> {
    let engine = context.engine()?;
    let done = match command {
        Command::Create(arguments) => {
            let content = arguments.content()?;
            let labels = arguments.label.iter().cloned().collect();
            let made =
                engine.create_secret(&arguments.name, &content, labels, arguments.replace)?;
            print_line(&made)
        }
        Command::Exists { secret } => match engine.secret(secret) {
            Err(Error::NoSuchSecret(_)) => return Ok(ExitCode::FAILURE),
            found => Ok(found.map(drop)?),
        },
        Command::Ls(arguments) => list(&engine, arguments),
        Command::Inspect(arguments) => inspect(&engine, arguments),
        Command::Rm(arguments) => remove(&engine, arguments),
    };
    done.map(|()| ExitCode::SUCCESS)
}

impl CreateArguments {
    fn content(&self) -> Result<Vec<u8>> {
        if self.env {
            let content = environment(&self.file);
            let content =
                content.with_context(|| format!("--env: there is no variable {}", self.file))?;
            return Ok(content.into_bytes());
        }
        if self.file != "-" {
            let file = File::open(&self.file).with_context(|| self.file.clone())?;
            return read(file).with_context(|| self.file.clone());
        }
        if stdin().is_terminal() {
            bail!("standard input is a terminal, which would show it: give a file, or a pipe");
        }
        read(stdin()).context("standard input")
    }
}

/// Not more than is needed to see that it is too much.
fn read(from: impl Read) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    from.take(TOO_LARGE_FOR_SECRET as u64).read_to_end(&mut content)?;
    Ok(content)
}

/// Of several with one name any will do, as with Podman.
fn fits(secret: &Secret, filters: &[Filter]) -> bool {
    ["name", "id", "label"].iter().all(|kind| {
        let mut wanted = filters.iter().filter(|(name, _)| name == kind).peekable();
        wanted.peek().is_none()
            || wanted.any(|(_, value)| match *kind {
                "name" => secret.name.contains(value.as_str()),
                "id" => secret.id.starts_with(value.as_str()),
                _ => wanted::has_label(&secret.labels, value),
            })
    })
}

fn list(engine: &Engine, arguments: &ListArguments) -> Result<()> {
    let mut secrets = engine.secrets()?;
    secrets.retain(|secret| fits(secret, &arguments.filter));
    if arguments.quiet {
        return secrets.iter().try_for_each(|secret| print_line(&secret.id));
    }
    let records: Vec<Value> = secrets.iter().map(short).collect();
    match &arguments.format {
        ListFormat::Json => records.iter().try_for_each(|record| print_line(&record.to_string())),
        ListFormat::Lines(template) => print_lines(template, &records),
        ListFormat::Columns(template) => print_columns(template, &HEADINGS, &records),
        ListFormat::Table => {
            let text =
                |record: &Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
            let row = |record: &Value| HEADINGS.map(|(name, _)| text(record, name)).to_vec();
            let rows: Vec<_> = records.iter().map(row).collect();
            let headings = HEADINGS.map(|(_, heading)| heading);
            if arguments.noheading { print_rows(&rows) } else { print_table(&headings, &rows) }
        }
    }
}

fn short(secret: &Secret) -> Value {
    let age = |nanoseconds: u64| {
        let then = UNIX_EPOCH + Duration::from_nanos(nanoseconds);
        ago(then.elapsed().unwrap_or_default().as_secs())
    };
    json!({
        "ID": secret.id,
        "Name": secret.name,
        "Driver": "file",
        "CreatedAt": age(secret.created),
        "UpdatedAt": age(secret.updated),
        "Labels": secret.labels,
    })
}

fn inspect(engine: &Engine, arguments: &InspectArguments) -> Result<()> {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in &arguments.secrets {
        match engine.secret(name) {
            Ok((secret, content)) => {
                let content = String::from_utf8_lossy(&content);
                found.push((describe(&secret, arguments.showsecret.then_some(&content)), secret));
            }
            Err(error) => failures.push(error.into()),
        }
    }
    if arguments.pretty {
        for (all, secret) in &found {
            print_line(&pretty(secret, all["SecretData"].as_str()))?;
        }
    } else {
        let found: Vec<Value> = found.into_iter().map(|(all, _)| all).collect();
        print_details(arguments.format.as_ref(), &found)?;
    }
    fail(&failures)
}

fn describe(secret: &Secret, content: Option<&str>) -> Value {
    let mut all = json!({
        "ID": secret.id,
        "CreatedAt": time_text(secret.created),
        "UpdatedAt": time_text(secret.updated),
        "Spec": {
            "Name": secret.name,
            "Driver": { "Name": "file", "Options": {} },
            "Labels": secret.labels,
        },
    });
    if let Some(content) = content {
        all["SecretData"] = content.into();
    }
    all
}

fn pretty(secret: &Secret, content: Option<&str>) -> String {
    let mut lines = vec![
        format!("ID:         {}", secret.id),
        format!("Name:       {}", secret.name),
        "Driver:     file".to_owned(),
        format!("Created at: {}", time_text(secret.created)),
        format!("Updated at: {}", time_text(secret.updated)),
    ];
    lines.extend(secret.labels.iter().map(|(name, value)| format!("Label:      {name}={value}")));
    lines.extend(content.map(|content| format!("Secret:     {content}")));
    lines.join("\n")
}

fn remove(engine: &Engine, arguments: &RemoveArguments) -> Result<()> {
    let names = if arguments.all {
        engine.secrets()?.into_iter().map(|it| it.name).collect()
    } else {
        arguments.secrets.clone()
    };
    let mut failures = Vec::new();
    for name in &names {
        match engine.remove_secret(name) {
            Ok(secret) => print_line(&secret.id)?,
            Err(Error::NoSuchSecret(_)) if arguments.ignore || arguments.all => {}
            Err(error) => failures.push(error.into()),
        }
    }
    fail(&failures)
}
