//! `tinyo push`.

use super::Format;
use crate::context::{Context, NetworkOptions};
use crate::show::{Screen, Sending, print_line};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use image::push::{Options, push};
use image::reference::{Reference, Source};
use image::registry::Registries;
use image::store::{Image, Store};
use std::num::NonZeroUsize;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The image here: its name or id
    image: String,
    /// Its name there, if another: [docker://][REGISTRY/]NAME[:TAG]
    destination: Option<String>,
    /// Every image here that is called so, whatever its tag
    #[arg(short, long, conflicts_with = "destination")]
    all_tags: bool,
    /// Write the digest that the registry has to a file
    #[arg(long, value_name = "FILE")]
    digestfile: Option<PathBuf>,
    /// Send large blobs in chunks of so many bytes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    chunk_size: Option<u64>,
    /// How many blobs at a time
    #[arg(long, value_name = "COUNT", default_value_t = Options::default().parallel)]
    jobs: NonZeroUsize,
    /// Print nothing but the digest
    #[arg(short, long)]
    quiet: bool,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    network: NetworkOptions,
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let store = context.store()?;
    let registries = context.registries(&arguments.network)?;
    let screen = Screen::new(arguments.quiet);
    let mut digests = Vec::new();
    for (image, name) in images(context, &store, arguments)? {
        digests.push(one(&registries, &store, &image, &name, arguments, &screen)?);
        context.tell_of_image(&image, "push", Some(&name))?;
    }
    if let Some(file) = &arguments.digestfile {
        let text: Vec<_> = digests.iter().map(String::as_str).collect();
        std::fs::write(file, text.join("\n")).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// What to push, and what it is to be called.
fn images(
    context: &Context,
    store: &Store,
    arguments: &Arguments,
) -> Result<Vec<(Image, Reference)>> {
    let names = context.candidates(&arguments.image);
    if arguments.all_tags {
        let names = names?;
        let is_meant =
            |name: &Reference| names.iter().any(|it| it.repository() == name.repository());
        let mut found = Vec::new();
        for image in store.images()? {
            let meant = image.names.iter().map(|named| named.name.clone()).filter(is_meant);
            found.extend(meant.map(|name| (image.clone(), name)));
        }
        if found.is_empty() {
            bail!("no image here is called {}", arguments.image);
        }
        return Ok(found);
    }
    let by_name = match &names {
        Ok(names) => store.find_by_name(names)?,
        Err(_) => None,
    };
    let by_digest =
        if by_name.is_some() { None } else { store.find_by_digest(&arguments.image)? };
    let Some(image) = by_name.or(by_digest) else {
        bail!("there is no image {} here", arguments.image)
    };
    let name = match &arguments.destination {
        Some(destination) => {
            if !matches!(Source::parse(destination)?, Source::Registry(_)) {
                bail!(
                    "{destination} is in no registry: `tinyo save --output FILE` writes archives, \
                     and with --format oci-dir a folder"
                );
            }
            context.candidates(destination)?.into_iter().next()
        }
        None => {
            let known = image.names.iter().map(|named| &named.name);
            let names = names.unwrap_or_default();
            known.into_iter().find(|name| names.contains(name)).cloned()
        }
    };
    let name =
        name.with_context(|| format!("say where to: push {} REGISTRY/NAME", arguments.image))?;
    Ok(vec![(image, name)])
}

fn one(
    registries: &Registries,
    store: &Store,
    image: &Image,
    name: &Reference,
    arguments: &Arguments,
    screen: &Screen,
) -> Result<String> {
    screen.say(&format!("pushing {}", name.familiar()));
    let options = Options { parallel: arguments.jobs, chunk: arguments.chunk_size };
    let on_wait = |error: &_, time| screen.wait(error, time);
    let sending = Sending::new(screen);
    let on_event = |event: image::push::Event<'_>| sending.tell(event);
    let digest =
        sending.during(|| push(registries, store, image, name, &options, &on_event, &on_wait))?;
    if arguments.format == Format::Json {
        let value = serde_json::json!({"name": name.to_string(), "digest": digest.as_str()});
        print_line(&value.to_string())?;
    } else {
        print_line(digest.as_str())?;
    }
    Ok(digest.to_string())
}
