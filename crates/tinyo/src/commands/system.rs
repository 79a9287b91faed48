//! `tinyo system`: the store as a whole.

use super::Format;
use super::filter::{Filter, Filters};
use crate::background;
use crate::context::{Context, NetworkOptions};
use crate::show::{Screen, bytes, print_line, print_table};
use crate::terminal::ask;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use image::pull::origin;
use image::store::{
    CheckOptions, Fault, Finding, Image, Kind, Origin, Outcome, Removed, Store, Usage,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// How much room things take
    Df(DfArguments),
    /// Whether all is what it should be, and making it so
    Check(CheckArguments),
    /// Remove what is not needed
    Prune(PruneArguments),
    /// Remove everything
    Reset(ResetArguments),
    /// Free what was removed
    #[command(hide = true)]
    EmptyTrash,
}

pub(crate) fn run(context: &Context, command: &Command) -> Result<()> {
    match command {
        Command::Df(arguments) => df(context, arguments),
        Command::Check(arguments) => check(context, arguments),
        Command::Prune(arguments) => prune(context, arguments),
        Command::Reset(arguments) => reset(context, arguments),
        Command::EmptyTrash => Ok(context.store()?.empty_trash()?),
    }
}

#[derive(Args)]
pub(crate) struct DfArguments {
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn df(context: &Context, arguments: &DfArguments) -> Result<()> {
    let usage = context.store()?.usage()?;
    if arguments.format == Format::Json {
        return print_line(&df_json(&usage).to_string());
    }
    let size = usage.layer_bytes + usage.blob_bytes;
    let share = (usage.reclaimable * 100).checked_div(size).unwrap_or(0);
    let rows = [
        vec![
            "Images".to_owned(),
            usage.images.to_string(),
            usage.images_in_use.to_string(),
            bytes(size),
            format!("{} ({share}%)", bytes(usage.reclaimable)),
        ],
        vec![
            "Downloads".to_owned(),
            String::new(),
            String::new(),
            bytes(usage.incoming_bytes),
            bytes(usage.incoming_bytes),
        ],
    ];
    print_table(&["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"], &rows)
}

fn df_json(usage: &Usage) -> serde_json::Value {
    serde_json::json!({
        "Images": usage.images,
        "ImagesInUse": usage.images_in_use,
        "Layers": usage.layers,
        "LayerBytes": usage.layer_bytes,
        "BlobBytes": usage.blob_bytes,
        "Reclaimable": usage.reclaimable,
        "IncomingBytes": usage.incoming_bytes,
    })
}

#[derive(Args)]
pub(crate) struct CheckArguments {
    /// Make anew what is damaged, from blobs or from the registry
    #[arg(long)]
    repair: bool,
    /// Only look whether everything is there
    #[arg(long)]
    quick: bool,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Print nothing but what is wrong
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    network: NetworkOptions,
}

fn check(context: &Context, arguments: &CheckArguments) -> Result<()> {
    let store = context.store()?;
    let registries = context.registries(&arguments.network)?;
    let screen = Screen::new(arguments.quiet);
    let on_wait = |error: &_, time| screen.wait(error, time);
    let from_registry = |image: &Image| -> Option<Box<dyn Origin + '_>> {
        image.names.iter().find_map(|named| {
            let origin = origin(&registries, named.name.repository(), &on_wait).ok()?;
            Some(Box::new(origin) as Box<dyn Origin>)
        })
    };
    let options = CheckOptions {
        read_all: !arguments.quick,
        repair: arguments.repair,
        origin: &from_registry,
        progress: &|kind, digest| {
            screen.say(&format!("checking {} {}", kind_name(kind), digest.short()));
        },
    };
    let findings = store.check(&options)?;
    background::empty_trash(context, &store)?;
    if arguments.format == Format::Json {
        print_line(&findings.iter().map(finding_json).collect::<serde_json::Value>().to_string())?;
    } else {
        findings.iter().flat_map(finding_lines).try_for_each(|line| print_line(&line))?;
    }
    let left = findings.iter().filter(|it| !matches!(it.outcome, Outcome::Repaired)).count();
    match left {
        0 => Ok(()),
        1 => bail!("one thing is wrong in the store"),
        left => bail!("{left} things are wrong in the store"),
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Blob => "blob",
        Kind::Layer => "layer",
    }
}

fn finding_lines(finding: &Finding) -> Vec<String> {
    let what = match &finding.fault {
        Fault::Missing => "is missing",
        Fault::Damaged(_) => "is damaged",
        Fault::Unknown => "cannot be checked, because its blob is missing or damaged",
    };
    let then = match &finding.outcome {
        Outcome::Reported => String::new(),
        Outcome::Repaired => "; repaired".to_owned(),
        Outcome::InUse(users) => format!("; it is used by {}, remove these first", users.join(" ")),
        Outcome::Failed(why) => format!("; not repaired: {why}"),
    };
    let images: Vec<_> = finding.images.iter().map(image::Digest::short).collect();
    let images =
        if images.is_empty() { String::new() } else { format!(" (image {})", images.join(" ")) };
    let mut lines =
        vec![format!("{} {}{images} {what}{then}", kind_name(finding.kind), finding.digest)];
    if let Fault::Damaged(differences) = &finding.fault {
        lines.extend(differences.iter().map(|difference| format!("  {difference}")));
    }
    lines
}

fn finding_json(finding: &Finding) -> serde_json::Value {
    let (fault, differences) = match &finding.fault {
        Fault::Missing => ("missing", Vec::new()),
        Fault::Damaged(differences) => {
            ("damaged", differences.iter().map(ToString::to_string).collect())
        }
        Fault::Unknown => ("unknown", Vec::new()),
    };
    let (outcome, reason) = match &finding.outcome {
        Outcome::Reported => ("reported", None),
        Outcome::Repaired => ("repaired", None),
        Outcome::InUse(users) => ("in use", Some(users.join(" "))),
        Outcome::Failed(why) => ("failed", Some(why.to_string())),
    };
    serde_json::json!({
        "Kind": kind_name(finding.kind),
        "Digest": finding.digest.as_str(),
        "Images": finding.images.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "Fault": fault,
        "Differences": differences,
        "Outcome": outcome,
        "Reason": reason,
    })
}

#[derive(Args)]
pub(crate) struct PruneArguments {
    /// All images that no container uses, not only those without a name
    #[arg(short, long)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only some: until=24h, label=NAME[=VALUE]
    #[arg(long, value_name = "FILTER")]
    filter: Vec<Filter>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Also `tinyo image prune`.
pub(super) fn prune(context: &Context, arguments: &PruneArguments) -> Result<()> {
    let what = if arguments.all {
        "all images that no container uses"
    } else {
        "all images without a name"
    };
    confirm(arguments.force, &format!("This removes {what}, and what broke off."))?;
    let store = context.store()?;
    let filters = Filters::new(context, &store, &arguments.filter)?;
    let mut removed = Removed::default();
    for image in store.images()? {
        let is_meant = image.users.is_empty() && (arguments.all || image.names.is_empty());
        if is_meant && filters.fit(&store, &image)? {
            match store.remove_image(&image, true) {
                Ok(more) => removed.and(more),
                // A container began to use it, or somebody else was faster.
                Err(image::store::Error::InUse { .. } | image::store::Error::NoSuchImage(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    if arguments.filter.is_empty() {
        removed.and(store.remove_unused()?);
        store.remove_leftovers()?;
    }
    background::empty_trash(context, &store)?;
    if arguments.format == Format::Json {
        let images: Vec<_> = removed.images.iter().map(ToString::to_string).collect();
        let value = serde_json::json!({"Deleted": images, "SpaceReclaimed": removed.bytes});
        return print_line(&value.to_string());
    }
    removed.images.iter().try_for_each(|id| print_line(&format!("Deleted: {id}")))?;
    print_line(&format!("Total reclaimed space: {}", bytes(removed.bytes)))
}

#[derive(Args)]
pub(crate) struct ResetArguments {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

fn reset(context: &Context, arguments: &ResetArguments) -> Result<()> {
    confirm(arguments.force, "This removes all images.")?;
    let store = context.store()?;
    let images = store.images()?;
    let in_use: Vec<_> = images.iter().flat_map(|image| image.users.clone()).collect();
    if !in_use.is_empty() {
        bail!("images are used by {}; remove these first", in_use.join(" "));
    }
    remove_all(&store, &images)?;
    background::empty_trash(context, &store)
}

fn remove_all(store: &Store, images: &[Image]) -> Result<()> {
    for image in images {
        store.remove_image(image, true)?;
    }
    store.remove_unused()?;
    store.remove_leftovers()?;
    Ok(())
}

fn confirm(force: bool, text: &str) -> Result<()> {
    if force {
        return Ok(());
    }
    let answer = ask(&format!("{text} Go on? [y/N]"))?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { bail!("nothing was removed") }
}
