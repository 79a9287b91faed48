//! `tinyo rmi`.

use super::{Format, fail};
use crate::context::Context;
use crate::show::print_line;
use anyhow::Result;
use clap::Args;
use image::reference::Reference;
use image::store::{self, Image, Removed, Store};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Names or ids of images
    #[arg(value_name = "IMAGE", required_unless_present = "all", conflicts_with = "all")]
    images: Vec<String>,
    /// All images that no container uses
    #[arg(short, long)]
    all: bool,
    /// Images with several names, too; those that stopped containers use lose their names; and it is no
    /// mistake if there is no such image
    #[arg(short, long)]
    force: bool,
    /// It is no mistake if there is no such image
    #[arg(short, long)]
    ignore: bool,
    /// Print nothing
    #[arg(short, long)]
    quiet: bool,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let store = context.store()?;
    let mut removed = Removed::default();
    let mut failures = Vec::new();
    if arguments.all {
        for image in store.images()?.iter().filter(|image| image.users.is_empty()) {
            let result = store.remove_image(image, true).map_err(Into::into);
            collect(&mut removed, &mut failures, result.and_then(|it| told(context, image, it)));
        }
    }
    for text in &arguments.images {
        collect(&mut removed, &mut failures, remove(context, &store, text, arguments));
    }
    print(&removed, arguments)?;
    fail(&failures)
}

fn collect(removed: &mut Removed, failures: &mut Vec<anyhow::Error>, result: Result<Removed>) {
    match result {
        Ok(more) => removed.and(more),
        Err(error) => failures.push(error),
    }
}

/// A name takes the image along if it is its last one; an id takes all of it.
fn remove(context: &Context, store: &Store, text: &str, arguments: &Arguments) -> Result<Removed> {
    if let Some(image) = context.find_by_name(store, text)? {
        let meant = context.local_names(text);
        let name = image.names.iter().find(|named| meant.contains(&named.name));
        if let Some(named) = name {
            let removed = store.remove_name(&named.name);
            let may_stay = || Ok(arguments.force && is_at_rest(context, &image)?);
            let removed = unless_in_use(removed, may_stay, || {
                store.untag(&named.name)?;
                Ok(vec![named.name.clone()])
            })?;
            return told(context, &image, removed);
        }
    }
    match store.find_by_digest(text)? {
        Some(image) => {
            let removed = store.remove_image(&image, arguments.force);
            let has_names = !image.names.is_empty();
            let may_stay = || Ok(arguments.force && has_names && is_at_rest(context, &image)?);
            let removed = unless_in_use(removed, may_stay, || {
                let names: Vec<_> = image.names.iter().map(|it| it.name.clone()).collect();
                names.iter().try_for_each(|name| store.untag(name))?;
                Ok(names)
            })?;
            told(context, &image, removed)
        }
        None if arguments.force || arguments.ignore => Ok(Removed::default()),
        None => Err(store::Error::NoSuchImage(text.to_owned()).into()),
    }
}

/// What was removed of an image, for `tinyo events`, too.
pub(super) fn told(context: &Context, image: &Image, removed: Removed) -> Result<Removed> {
    for name in &removed.names {
        context.tell_of_image(image, "untag", Some(name))?;
    }
    if !removed.images.is_empty() {
        context.tell_of_image(image, "delete", None)?;
    }
    Ok(removed)
}

/// Whether none of the containers that use it runs.
fn is_at_rest(context: &Context, image: &Image) -> Result<bool> {
    let Some(engine) = context.engine_if_any()? else { return Ok(true) };
    for container in engine.containers()? {
        if container.manifest.as_ref() != Some(&image.manifest) {
            continue;
        }
        match engine.look(&container) {
            // It has just been removed.
            Err(engine::Error::NoSuchContainer(_)) => {}
            Ok(seen) if seen.status.is_over() => {}
            seen => return Ok(seen.map(|_| false)?),
        }
    }
    Ok(true)
}

/// With force, what stopped containers use loses its name, as with Docker; `prune` removes it when
/// they are gone.
fn unless_in_use(
    removed: Result<Removed, store::Error>,
    may_stay: impl FnOnce() -> Result<bool>,
    untag: impl FnOnce() -> Result<Vec<Reference>, store::Error>,
) -> Result<Removed> {
    match removed {
        Err(error @ store::Error::InUse { .. }) => {
            if !may_stay()? {
                return Err(error.into());
            }
            Ok(Removed { names: untag()?, ..Removed::default() })
        }
        removed => Ok(removed?),
    }
}

fn print(removed: &Removed, arguments: &Arguments) -> Result<()> {
    if arguments.quiet {
        return Ok(());
    }
    if arguments.format == Format::Json {
        let texts =
            |digests: &[image::Digest]| digests.iter().map(ToString::to_string).collect::<Vec<_>>();
        let value = serde_json::json!({
            "Untagged": removed.names.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "Deleted": texts(&removed.images),
            "Layers": texts(&removed.layers),
            "SpaceReclaimed": removed.bytes,
        });
        return print_line(&value.to_string());
    }
    let names = removed.names.iter().map(|name| format!("Untagged: {}", name.familiar()));
    let images = removed.images.iter().map(|id| format!("Deleted: {id}"));
    names.chain(images).try_for_each(|line| print_line(&line))
}
