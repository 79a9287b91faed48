//! `tinyo tag` and `tinyo untag`.

use crate::context::Context;
use anyhow::{Result, bail};
use clap::Args;
use image::reference::Reference;
use image::store::{self, Image, Store};

#[derive(Args)]
pub(crate) struct TagArguments {
    /// Name or id of an image
    image: String,
    /// What it is to be called, too
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

pub(crate) fn tag(context: &Context, arguments: &TagArguments) -> Result<()> {
    let store = context.store()?;
    let image = context.find_image(&store, &arguments.image)?;
    let names = arguments.names.iter().map(|name| new_name(name));
    let names = names.collect::<Result<Vec<_>>>()?;
    for name in &names {
        store.tag(&image, name)?;
        context.tell_of_image(&image, "tag", Some(name))?;
    }
    Ok(())
}

/// A name that an image is to have from now on.
pub(crate) fn new_name(text: &str) -> Result<Reference> {
    let name: Reference = text.parse()?;
    if name.digest().is_some() {
        bail!("{text}: a digest cannot be given to an image, only a name and a tag");
    }
    Ok(name)
}

#[derive(Args)]
pub(crate) struct UntagArguments {
    /// Name or id of an image
    image: String,
    /// The names that it loses; all of them without any
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

pub(crate) fn untag(context: &Context, arguments: &UntagArguments) -> Result<()> {
    let store = context.store()?;
    let image = context.find_image(&store, &arguments.image)?;
    if arguments.names.is_empty() {
        return image
            .names
            .iter()
            .try_for_each(|named| untag_one(context, &store, &image, &named.name));
    }
    for text in &arguments.names {
        let meant = context.local_names(text);
        let name = image.names.iter().find(|named| meant.contains(&named.name));
        let Some(named) = name else {
            bail!("{text}: {} has no such name", image.id.short());
        };
        untag_one(context, &store, &image, &named.name)?;
    }
    Ok(())
}

fn untag_one(context: &Context, store: &Store, image: &Image, name: &Reference) -> Result<()> {
    match store.untag(name) {
        // Somebody else was faster.
        Err(store::Error::NoSuchImage(_)) => Ok(()),
        result => {
            result?;
            context.tell_of_image(image, "untag", Some(name))
        }
    }
}
