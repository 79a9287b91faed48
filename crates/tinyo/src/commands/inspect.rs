//! `tinyo inspect`: all that is known of containers and images, as Docker shows it.

use super::{container, fail, pod};
use crate::context::Context;
use crate::show::{ListFormat, print_line, print_lines};
use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use engine::Engine;
use image::store::{Image, Store};
use serde_json::{Value, json};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Names or ids of containers, images or pods
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Which of them, where a name may mean either
    #[arg(long, value_name = "TYPE")]
    r#type: Option<Kind>,
    /// How to print each: json, or a template such as '{{.Id}}' or '{{json .Config}}'
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<ListFormat>,
}

/// What is inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Container,
    Image,
    Pod,
}

/// What can be shown is shown; the rest is an error at the end.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    // Images can be looked at on a read-only disk, and containers not.
    let engine = context.engine();
    let store = match &engine {
        Ok(_) => None,
        Err(_) => Some(context.store()?),
    };
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for text in &arguments.names {
        match either(context, engine.as_ref(), store.as_ref(), text, arguments.r#type) {
            Ok(image) => images.push(image),
            Err(error) => failures.push(error),
        }
    }
    match &arguments.format {
        Some(ListFormat::Lines(template)) => print_lines(template, &images)?,
        Some(ListFormat::Columns(_)) => bail!("--format: there are no columns here"),
        _ => print_line(&serde_json::to_string_pretty(&images)?)?,
    }
    fail(&failures)
}

/// A container goes before an image of the same name, as with Docker.
fn either(
    context: &Context,
    engine: Result<&Engine, &anyhow::Error>,
    store: Option<&Store>,
    text: &str,
    kind: Option<Kind>,
) -> Result<Value> {
    let engine = match engine {
        Err(error) if kind == Some(Kind::Container) => bail!("{error:#}"),
        engine => engine.ok(),
    };
    if let Some(engine) = engine
        && kind.is_none_or(|kind| kind == Kind::Container)
    {
        match engine.find(text) {
            Ok(container) => return container::describe(engine, &container),
            Err(engine::Error::NoSuchContainer(_)) if kind.is_none() => {}
            Err(error) => return Err(error.into()),
        }
    }
    let opened = engine.map(Engine::store).or(store).context("no store")?;
    let image = match kind {
        Some(Kind::Pod) => Err(engine::Error::NoSuchPod(text.to_owned()).into()),
        _ => context.find_image(opened, text),
    };
    match (image, engine) {
        (Ok(image), _) => describe(opened, &image),
        (Err(error), Some(engine)) if kind.is_none_or(|kind| kind == Kind::Pod) => {
            engine.pod(text).map_or(Err(error), |pod| pod::describe(engine, &pod))
        }
        (Err(error), _) => Err(error),
    }
}

fn describe(store: &Store, image: &Image) -> Result<Value> {
    let config: Value = serde_json::from_slice(&store.read_blob(&image.id)?)
        .with_context(|| format!("configuration {}", image.id))?;
    let of_config = |name: &str| config.get(name).cloned().unwrap_or_else(|| "".into());
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
    let diff_ids = image.layers.iter().map(|it| it.diff_id.as_str());
    Ok(json!({
        "Id": image.id.as_str(),
        "Digest": image.manifest.as_str(),
        "MediaType": image.media_type.as_str(),
        "RepoTags": names.map(|named| named.name.familiar()).collect::<Vec<_>>(),
        "RepoDigests": digests.collect::<Vec<_>>(),
        "Created": image.created.as_deref().unwrap_or_default(),
        "Author": of_config("author"),
        "Architecture": of_config("architecture"),
        "Variant": of_config("variant"),
        "Os": of_config("os"),
        "Size": image.bytes(),
        "Config": with_all_fields(&config["config"]),
        "RootFS": { "Type": "layers", "Layers": diff_ids.collect::<Vec<_>>() },
        "Layers": layers.collect::<Vec<_>>(),
        "History": config.get("history").cloned().unwrap_or_else(|| json!([])),
        "Users": image.users,
    }))
}

/// The fields that Docker always shows, empty where the image says nothing, and all that it says.
fn with_all_fields(config: &Value) -> Value {
    let mut all = json!({
        "User": "",
        "ExposedPorts": {},
        "Env": [],
        "Entrypoint": [],
        "Cmd": [],
        "Volumes": {},
        "WorkingDir": "",
        "Labels": {},
        "StopSignal": "",
        "Healthcheck": null,
        "Shell": [],
        "OnBuild": [],
    });
    for (name, value) in config.as_object().into_iter().flatten() {
        if !value.is_null() {
            all[name] = value.clone();
        }
    }
    all
}
