//! `tinyo system check`: whether all is what it should be, and making it so.

use super::Format;
use crate::context::{Context, NetworkOptions};
use crate::show::{Screen, print_line};
use anyhow::{Result, bail};
use clap::Args;
use image::pull::origin;
use image::store::{self, CheckOptions, Fault, Finding, Image, Kind, Origin, Outcome};

#[derive(Args)]
pub(crate) struct Arguments {
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

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
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
    let findings = store.check(&options).map_err(|error| match error {
        store::Error::ReadOnly => anyhow::anyhow!("{error}: only --quick is possible there"),
        error => error.into(),
    })?;
    screen.say("checking containers, volumes and networks");
    let engine = context.engine_if_any()?;
    let faults = engine.map_or(Ok(Vec::new()), |engine| engine.check(arguments.repair))?;
    if arguments.format == Format::Json {
        let all = findings.iter().map(finding_json).chain(faults.iter().map(fault_json));
        print_line(&all.collect::<serde_json::Value>().to_string())?;
    } else {
        let all = findings.iter().flat_map(finding_lines).chain(faults.iter().map(fault_line));
        all.into_iter().try_for_each(|line| print_line(&line))?;
    }
    let left = findings.iter().filter(|it| !matches!(it.outcome, Outcome::Repaired)).count()
        + faults.iter().filter(|it| !matches!(it.repaired, Some(Ok(())))).count();
    match left {
        0 => Ok(()),
        1 => bail!("one thing is wrong"),
        left => bail!("{left} things are wrong"),
    }
}

fn fault_line(fault: &engine::Fault) -> String {
    match &fault.repaired {
        None => fault.text.clone(),
        Some(Ok(())) => format!("{}; repaired", fault.text),
        Some(Err(why)) => format!("{}; not repaired: {why}", fault.text),
    }
}

fn fault_json(fault: &engine::Fault) -> serde_json::Value {
    let (outcome, reason) = match &fault.repaired {
        None => ("reported", None),
        Some(Ok(())) => ("repaired", None),
        Some(Err(why)) => ("failed", Some(why.to_string())),
    };
    serde_json::json!({"Fault": fault.text, "Outcome": outcome, "Reason": reason})
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Blob => "blob",
        Kind::Layer => "layer",
        Kind::Mapped => "copy of a layer",
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
