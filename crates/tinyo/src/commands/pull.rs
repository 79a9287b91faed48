//! `tinyo pull`.

use super::Format;
use crate::context::{Context, NetworkOptions};
use crate::show::{Layers, Screen, print_line, warn};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use image::pull::{FetchOptions, Machine, Options, Pulled, pull};
use image::reference::{Reference, Tag};
use image::registry::Registries;
use image::store::{AddOptions, Store};
use std::num::NonZeroUsize;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Images: [docker://][REGISTRY/]NAME[:TAG][@DIGEST]
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// Every tag of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// For which machine: OS/ARCHITECTURE[/VARIANT] [default: this one]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Machine>,
    /// When to ask the registry
    #[arg(long, value_enum, default_value_t)]
    policy: Policy,
    /// Print nothing but the image's id
    #[arg(short, long)]
    quiet: bool,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// How many layers at a time
    #[arg(long, value_name = "COUNT", default_value_t = AddOptions::default().parallel)]
    jobs: NonZeroUsize,
    /// How many parts of one large layer at a time
    #[arg(long, value_name = "COUNT", default_value_t = FetchOptions::default().connections)]
    connections: usize,
    #[command(flatten)]
    network: NetworkOptions,
}

/// When a registry is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Policy {
    /// In any case
    #[default]
    Always,
    /// If there is no such image here
    Missing,
    /// Not at all
    Never,
    /// In any case, but what is here will do if the registry cannot be asked
    Newer,
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let store = context.store()?;
    let registries = context.registries(&arguments.network)?;
    let screen = Screen::new(arguments.quiet);
    for image in &arguments.images {
        let names = context.candidates(image)?;
        let all =
            if arguments.all_tags { all_tags(&registries, &names, &screen)? } else { vec![names] };
        for names in all {
            let pulled = one(&registries, &store, &names, arguments, &screen)?;
            report(&pulled, arguments)?;
        }
    }
    Ok(())
}

/// A list of names for each tag of the repository.
fn all_tags(
    registries: &Registries,
    names: &[Reference],
    screen: &Screen,
) -> Result<Vec<Vec<Reference>>> {
    let [name, ..] = names else { bail!("no name") };
    if name.digest().is_some() {
        bail!("{name} has a digest: it cannot be pulled with all tags");
    }
    let on_wait = |error: &_, time| screen.wait(error, time);
    let tags = registries.remote(name.repository(), &on_wait)?.tags()?;
    let reference = |tag: String| -> Result<Vec<Reference>> {
        let tag: Tag = tag.parse()?;
        Ok(vec![Reference::new(name.repository().clone(), Some(tag), None)])
    };
    tags.into_iter().map(reference).collect()
}

/// An image and whether the registry was asked for it.
struct Outcome {
    name: Reference,
    image: image::store::Image,
    digest: image::Digest,
    was_current: bool,
}

fn one(
    registries: &Registries,
    store: &Store,
    names: &[Reference],
    arguments: &Arguments,
    screen: &Screen,
) -> Result<Outcome> {
    let here = match arguments.policy {
        Policy::Always => None,
        _ => find_here(store, names)?,
    };
    match (arguments.policy, here) {
        (Policy::Missing | Policy::Never, Some(outcome)) => Ok(outcome),
        (Policy::Never, None) => {
            let name = names.first().map(ToString::to_string).unwrap_or_default();
            bail!("{name} is not here, and --policy=never forbids to pull it")
        }
        (Policy::Newer, Some(outcome)) => {
            match fetch(registries, store, names, arguments, screen) {
                Ok(newer) => Ok(newer),
                Err(error) => {
                    warn(&format!("using the image that is here: {error:#}"));
                    Ok(outcome)
                }
            }
        }
        _ => fetch(registries, store, names, arguments, screen),
    }
}

fn find_here(store: &Store, names: &[Reference]) -> Result<Option<Outcome>> {
    let found = store.find_by_name(names)?;
    Ok(found.and_then(|image| {
        let named = image.names.iter().find(|named| names.contains(&named.name))?.clone();
        Some(Outcome { name: named.name, digest: named.digest, was_current: true, image })
    }))
}

fn fetch(
    registries: &Registries,
    store: &Store,
    names: &[Reference],
    arguments: &Arguments,
    screen: &Screen,
) -> Result<Outcome> {
    let fetch = FetchOptions { connections: arguments.connections, ..FetchOptions::default() };
    let add = AddOptions { parallel: arguments.jobs, ..AddOptions::default() };
    let machine = arguments.platform.clone().unwrap_or_else(Machine::own);
    let options = Options { machine, add, fetch };
    if let Some(name) = names.first() {
        screen.say(&format!("pulling {}", name.familiar()));
    }
    let on_wait = |error: &_, time| screen.wait(error, time);
    let layers = Layers::new(screen);
    let pulled: Pulled =
        layers.during(|| pull(registries, store, names, &options, &layers, &on_wait))?;
    Ok(Outcome {
        name: pulled.name,
        image: pulled.image,
        digest: pulled.digest,
        was_current: pulled.was_current,
    })
}

fn report(outcome: &Outcome, arguments: &Arguments) -> Result<()> {
    if arguments.format == Format::Json {
        let value = serde_json::json!({
            "name": outcome.name.to_string(),
            "digest": outcome.digest.as_str(),
            "manifest": outcome.image.manifest.as_str(),
            "id": outcome.image.id.as_str(),
            "platform": outcome.image.platform,
            "updated": !outcome.was_current,
        });
        return print_line(&value.to_string());
    }
    print_line(outcome.image.id.as_str())
}
