//! `tinyo cp`, `tinyo diff`, `tinyo commit`.

use super::chosen::one;
use crate::commands::Format;
use crate::commands::tag::new_name;
use crate::context::Context;
use crate::show::print_line;
use anyhow::{Context as _, Result, bail};
use clap::Args;
use engine::{ChangeKind, Copying, Error};
use image::change::changes;
use serde_json::{Value, json};
use spec::image::History;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(crate) struct CopyArguments {
    /// Keep owners and all modes
    #[arg(short, long)]
    archive: bool,
    /// Print nothing
    #[arg(short, long)]
    quiet: bool,
    /// What a symbolic link leads to, in place of the link
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// CONTAINER:PATH, a path, or - for a tar archive on standard input
    from: String,
    /// CONTAINER:PATH, a path, or - for a tar archive on standard output
    to: String,
}

#[derive(Args)]
pub(crate) struct DiffArguments {
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The newest one
    #[arg(short, long, conflicts_with = "container")]
    latest: bool,
    /// Name or id
    #[arg(required_unless_present = "latest")]
    container: Option<String>,
}

#[derive(Args)]
pub(crate) struct CommitArguments {
    /// Who has made it
    #[arg(short, long)]
    author: Option<String>,
    /// An instruction as in a Dockerfile, such as 'CMD ["sh"]'
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// What it is for
    #[arg(short, long)]
    message: Option<String>,
    /// Pause the container meanwhile
    #[arg(short, long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    pause: bool,
    /// Print nothing but the image's id, which is the default
    #[arg(short, long)]
    quiet: bool,
    /// Write the image's id to a file
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,
    /// Name or id
    container: String,
    /// What to call the image
    image: Option<String>,
}

/// A side of a copy.
enum Side<'a> {
    Machine(&'a Path),
    Container(&'a str, &'a str),
}

/// As with Docker, what begins like a path is one, whatever follows.
fn side(text: &str) -> Side<'_> {
    match text.split_once(':') {
        Some((name, path)) if !text.starts_with(['/', '.']) => Side::Container(name, path),
        _ => Side::Machine(Path::new(text)),
    }
}

pub(crate) fn copy(context: &Context, arguments: &CopyArguments) -> Result<()> {
    let engine = context.engine()?;
    let how = Copying { archive: arguments.archive, follow: arguments.follow_link };
    match (side(&arguments.from), side(&arguments.to)) {
        (Side::Container(name, path), Side::Machine(to)) if to == Path::new("-") => {
            if io::stdout().is_terminal() {
                bail!("an archive is nothing for a terminal: use a pipe, or > FILE");
            }
            let container = engine.find(name)?;
            Ok(engine.stream_out(&container, path, io::stdout().lock(), how.follow)?)
        }
        (Side::Machine(from), Side::Container(name, path)) if from == Path::new("-") => {
            if io::stdin().is_terminal() {
                bail!("an archive from a terminal? Use a pipe, or < FILE");
            }
            Ok(engine.stream_in(&engine.find(name)?, io::stdin(), path, arguments.archive)?)
        }
        (Side::Container(one, from), Side::Container(other, to)) => {
            let ends = (engine.find(one)?, engine.find(other)?);
            Ok(engine.copy_between((&ends.0, from), (&ends.1, to), how)?)
        }
        (Side::Container(name, path), Side::Machine(to)) => {
            Ok(engine.copy_out(&engine.find(name)?, path, to, how)?)
        }
        (Side::Machine(from), Side::Container(name, path)) => {
            Ok(engine.copy_in(&engine.find(name)?, from, path, how)?)
        }
        _ => bail!("one side must be CONTAINER:PATH, and the other a path of the machine"),
    }
}

pub(crate) fn diff(context: &Context, arguments: &DiffArguments) -> Result<()> {
    let engine = context.engine()?;
    let changes = engine.diff(&one(&engine, arguments.container.as_deref())?)?;
    if arguments.format == Format::Json {
        return print_line(&by_kind(&changes).to_string());
    }
    for (kind, path) in changes {
        let letter = match kind {
            ChangeKind::Added => 'A',
            ChangeKind::Changed => 'C',
            ChangeKind::Deleted => 'D',
        };
        print_line(&format!("{letter} {path}"))?;
    }
    Ok(())
}

/// As Podman shows them: no list where there is nothing in it.
fn by_kind(changes: &[(ChangeKind, String)]) -> Value {
    let mut lists = json!({});
    for (kind, path) in changes {
        let name = match kind {
            ChangeKind::Added => "added",
            ChangeKind::Changed => "changed",
            ChangeKind::Deleted => "deleted",
        };
        match lists[name].as_array_mut() {
            Some(list) => list.push(path.as_str().into()),
            None => lists[name] = json!([path]),
        }
    }
    lists
}

pub(crate) fn commit(context: &Context, arguments: &CommitArguments) -> Result<()> {
    let engine = context.engine()?;
    let container = engine.find(&arguments.container)?;
    let names = arguments.image.as_deref().map(new_name).transpose()?;
    let history = History {
        created: image::assemble::blank_config().created,
        created_by: Some(container.settings.words().cloned().collect::<Vec<_>>().join(" ")),
        author: arguments.author.clone(),
        comment: arguments.message.clone(),
        ..History::default()
    };
    let changes = |config: &mut _| {
        changes(config, &arguments.change).map_err(|error| Error::Invalid(error.to_string()))
    };
    let commit = || engine.commit(&container, changes, history, names.as_slice());
    let made = if arguments.pause { engine.while_paused(&container, commit)? } else { commit()? };
    if let Some(path) = &arguments.iidfile {
        fs::write(path, made.id.as_str()).with_context(|| path.display().to_string())?;
    }
    print_line(made.id.as_str())
}
