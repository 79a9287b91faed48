//! `tinyo inspect`: all that is known of an image, as Docker shows it.

use crate::context::Context;
use crate::show::print_line;
use anyhow::{Context as _, Result};
use clap::Args;
use image::store::{Image, Store};
use serde_json::{Value, json};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Names or ids of images
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let store = context.store()?;
    let images = arguments.images.iter().map(|text| {
        let image = context.find_image(&store, text)?;
        describe(&store, &image)
    });
    let images = images.collect::<Result<Vec<_>>>()?;
    print_line(&serde_json::to_string_pretty(&images)?)
}

fn describe(store: &Store, image: &Image) -> Result<Value> {
    let config: Value = serde_json::from_slice(&store.read_blob(&image.id)?)
        .with_context(|| format!("configuration {}", image.id))?;
    let of_config = |name: &str| config.get(name).cloned().unwrap_or(Value::Null);
    let names = image.names.iter().filter(|named| named.name.tag().is_some());
    let digests = image
        .names
        .iter()
        .map(|named| format!("{}@{}", named.name.repository().familiar(), named.digest));
    let layers = image.layers.iter().map(|layer| {
        json!({
            "Digest": layer.blob.as_str(),
            "BlobSize": layer.blob_size,
            "DiffId": layer.diff_id.as_str(),
            "Size": layer.bytes,
        })
    });
    Ok(json!({
        "Id": image.id.as_str(),
        "Digest": image.manifest.as_str(),
        "MediaType": image.media_type.as_str(),
        "RepoTags": names.map(|named| named.name.familiar()).collect::<Vec<_>>(),
        "RepoDigests": digests.collect::<Vec<_>>(),
        "Created": image.created,
        "Author": of_config("author"),
        "Architecture": of_config("architecture"),
        "Variant": of_config("variant"),
        "Os": of_config("os"),
        "Size": image.bytes(),
        "Config": of_config("config"),
        "RootFS": { "Type": "layers", "Layers": image.layers.iter().map(|it| it.diff_id.as_str()).collect::<Vec<_>>() },
        "Layers": layers.collect::<Vec<_>>(),
        "History": of_config("history"),
        "Users": image.users,
    }))
}
