//! `tinyo search`: the list of repositories, where a registry shows one, or the tags of one.

use super::Format;
use super::login::registry_name;
use crate::context::{Context, NetworkOptions};
use crate::show::{Screen, print_line};
use anyhow::Result;
use clap::Args;
use image::reference::DOCKER_HUB;

#[derive(Args)]
pub(crate) struct Arguments {
    /// What to look for: REGISTRY/TEXT, or with --list-tags the name of an image
    term: String,
    /// The tags of an image
    #[arg(long)]
    list_tags: bool,
    /// How many lines at most
    #[arg(long, value_name = "COUNT", default_value_t = 25)]
    limit: usize,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    network: NetworkOptions,
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let registries = context.registries(&arguments.network)?;
    let screen = Screen::new(false);
    let on_wait = |error: &_, time| screen.wait(error, time);
    let mut found: Vec<String> = if arguments.list_tags {
        let names = context.candidates(&arguments.term)?;
        let name = &names[0];
        let tags = registries.remote(name.repository(), &on_wait)?.tags()?;
        tags.iter().map(|tag| format!("{}:{tag}", name.repository().familiar())).collect()
    } else {
        let first = arguments.term.split('/').next().unwrap_or_default();
        let has_registry = first.contains(['.', ':']) || first == "localhost";
        let (registry, text) = match arguments.term.split_once('/') {
            Some((registry, text)) if has_registry => (registry, text),
            None if has_registry => (arguments.term.as_str(), ""),
            _ => (DOCKER_HUB, arguments.term.as_str()),
        };
        let registry = registry_name(Some(registry))?;
        let names = registries.search(&registry, text, &on_wait)?;
        names.iter().map(|name| format!("{registry}/{name}")).collect()
    };
    found.truncate(arguments.limit);
    if arguments.format == Format::Json {
        return print_line(&serde_json::json!(found).to_string());
    }
    found.iter().try_for_each(|name| print_line(name))
}
