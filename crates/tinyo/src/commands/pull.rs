//! `tinyo pull`.

use super::Format;
use crate::context::{Context, NetworkOptions};
use crate::obtain::{Obtained, Policy, Ways, from_registry, obtain};
use crate::show::{Screen, print_line};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use image::pull::{FetchOptions, Machine, Options};
use image::reference::{Reference, Source, Tag};
use image::store::{AddOptions, Store};
use std::num::NonZeroUsize;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Images: [docker://][REGISTRY/]NAME[:TAG][@DIGEST], oci:FOLDER[:NAME],
    /// oci-archive:FILE[:NAME], docker-archive:FILE[:NAME], hello
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// Every tag of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// For which machine: OS/ARCHITECTURE[/VARIANT] [default: this one]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Machine>,
    /// When to ask the registry
    #[arg(long, alias = "pull", value_enum, default_value_t)]
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

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let store = context.store()?;
    let ways = ways(arguments);
    for text in &arguments.images {
        let source = Source::parse(text)?;
        let obtained = match &source {
            Source::Registry(name) if arguments.all_tags => all_tags(context, &store, name, &ways)?,
            _ if arguments.all_tags => bail!("{source}: --all-tags is for registries"),
            _ => obtain(context, &store, &source, &ways)?,
        };
        obtained.iter().try_for_each(|obtained| report(obtained, arguments))?;
    }
    Ok(())
}

fn ways(arguments: &Arguments) -> Ways<'_> {
    let machine = arguments.platform.clone().unwrap_or_else(Machine::own);
    let add = AddOptions { parallel: arguments.jobs, ..AddOptions::default() };
    let fetch = FetchOptions { connections: arguments.connections, ..FetchOptions::default() };
    Ways {
        is_asked: false,
        policy: arguments.policy,
        options: Options { machine, add, fetch },
        network: &arguments.network,
        screen: Screen::new(arguments.quiet),
        timings: Default::default(),
    }
}

/// Every tag of a repository.
fn all_tags(
    context: &Context,
    store: &Store,
    name: &str,
    ways: &Ways<'_>,
) -> Result<Vec<Obtained>> {
    let registries = context.registries(ways.network)?;
    let names = context.candidates(name)?;
    let name = names.first().context("no name")?;
    if name.digest().is_some() {
        bail!("{name} has a digest: it cannot be pulled with all tags");
    }
    let screen = ways.screen;
    let on_wait = |error: &_, time| screen.wait(error, time);
    let tags = registries.remote(name.repository(), &on_wait)?.tags()?;
    let pull = |tag: String| {
        let tag: Tag = tag.parse()?;
        let name = Reference::new(name.repository().clone(), Some(tag), None);
        from_registry(context, &registries, store, &[name], ways)
    };
    tags.into_iter().map(pull).collect()
}

fn report(outcome: &Obtained, arguments: &Arguments) -> Result<()> {
    if arguments.format == Format::Json {
        let value = serde_json::json!({
            "name": outcome.name.as_ref().map(ToString::to_string),
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
