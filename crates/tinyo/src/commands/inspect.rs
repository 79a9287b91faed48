//! `tinyo inspect`: all that is known of containers and images, as Docker shows it.

use super::{container, fail, network, pod};
use crate::context::Context;
use crate::show::{ListFormat, print_details};
use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use engine::Engine;
use image::store::{Image, Store};
use serde_json::{Value, json};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Names or ids of containers, images, volumes, networks or pods
    #[arg(required_unless_present = "latest", value_name = "NAME")]
    names: Vec<String>,
    /// The newest container
    #[arg(short, long, conflicts_with = "names")]
    latest: bool,
    /// Which of them, where a name may mean either
    #[arg(long, value_name = "TYPE", default_value = "all", hide_default_value = true)]
    r#type: Kind,
    /// How to print each: json, or a template such as '{{.Id}}' or '{{json .Config}}'
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<ListFormat>,
    /// How many bytes a container has written (SizeRw), and all that it sees (SizeRootFs), too
    #[arg(short, long)]
    size: bool,
}

/// Of `tinyo image inspect`.
#[derive(Args)]
pub(crate) struct ImageArguments {
    /// Names or ids of images
    #[arg(required = true, value_name = "IMAGE")]
    names: Vec<String>,
    /// How to print each: json, or a template such as '{{.Id}}' or '{{json .Config}}'
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<ListFormat>,
}

/// What is inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    All,
    Container,
    Image,
    Pod,
    Volume,
    Network,
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let kind = Some(arguments.r#type).filter(|kind| *kind != Kind::All);
    either_of(context, arguments, kind)
}

/// Only containers, whatever else has these names.
pub(crate) fn containers(context: &Context, arguments: &Arguments) -> Result<()> {
    either_of(context, arguments, Some(Kind::Container))
}

fn either_of(context: &Context, arguments: &Arguments, kind: Option<Kind>) -> Result<()> {
    let (format, size) = (arguments.format.as_ref(), arguments.size);
    if arguments.latest {
        let newest = container::newest(&context.engine()?)?.id;
        return show(context, &[newest], Some(Kind::Container), format, size);
    }
    show(context, &arguments.names, kind, format, size)
}

/// Only images.
pub(crate) fn images(context: &Context, arguments: &ImageArguments) -> Result<()> {
    show(context, &arguments.names, Some(Kind::Image), arguments.format.as_ref(), false)
}

/// What can be shown is shown; the rest is an error at the end.
fn show(
    context: &Context,
    names: &[String],
    kind: Option<Kind>,
    format: Option<&ListFormat>,
    size: bool,
) -> Result<()> {
    // Images can be looked at on a read-only disk, and containers not.
    let engine = context.engine();
    let store = match &engine {
        Ok(_) => None,
        Err(_) => Some(context.store()?),
    };
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for text in names {
        match either(context, engine.as_ref(), store.as_ref(), text, kind, size) {
            Ok(image) => images.push(image),
            Err(error) => failures.push(error),
        }
    }
    print_details(format, &images)?;
    fail(&failures)
}

/// A container goes before an image of the same name, as with Docker.
fn either(
    context: &Context,
    engine: Result<&Engine, &anyhow::Error>,
    store: Option<&Store>,
    text: &str,
    kind: Option<Kind>,
    size: bool,
) -> Result<Value> {
    let engine = match engine {
        Err(error) if kind == Some(Kind::Container) => bail!("{error:#}"),
        engine => engine.ok(),
    };
    if let Some(engine) = engine
        && kind.is_none_or(|kind| kind == Kind::Container)
    {
        match engine.find(text) {
            Ok(container) => {
                let mut found = container::describe(engine, &container)?;
                if size {
                    let [own, all] = container::sizes(engine, &container)?;
                    (found["SizeRw"], found["SizeRootFs"]) = (own.into(), all.into());
                }
                return Ok(found);
            }
            Err(engine::Error::NoSuchContainer(_)) if kind.is_none() => {}
            Err(error) => return Err(error.into()),
        }
    }
    if let (Some(engine), Some(kind @ (Kind::Volume | Kind::Network))) = (engine, kind) {
        return match kind {
            Kind::Volume => Ok(container::volume::describe(engine, &engine.volume(text)?)),
            _ => network::describe(engine, &network::find(engine, text)?),
        };
    }
    let opened = engine.map(Engine::store).or(store).context("no store")?;
    let image = match kind {
        Some(Kind::Pod) => Err(engine::Error::NoSuchPod(text.to_owned()).into()),
        _ => context.find_image(opened, text),
    };
    match (image, engine) {
        (Ok(image), _) => describe(opened, &image),
        (Err(error), Some(engine)) if kind.is_none_or(|kind| kind == Kind::Pod) => {
            if kind.is_none()
                && let Some(found) = kept(engine, text)?
            {
                return Ok(found);
            }
            match engine.pod(text) {
                Ok(pod) => pod::describe(engine, &pod),
                Err(_) if kind.is_none() && is_missing(&error) => {
                    bail!("there is no container, image, volume, network or pod {text:?}")
                }
                Err(_) => Err(error),
            }
        }
        (Err(error), _) => Err(error),
    }
}

/// The volume or network of this name.
fn kept(engine: &Engine, text: &str) -> Result<Option<Value>> {
    match engine.volume(text) {
        Ok(volume) => return Ok(Some(container::volume::describe(engine, &volume))),
        Err(engine::Error::NoSuchVolume(_)) => {}
        Err(error) => return Err(error.into()),
    }
    match network::find(engine, text) {
        Ok(network) => Ok(Some(network::describe(engine, &network)?)),
        Err(engine::Error::NoSuchNetwork(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_missing(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(image::store::Error::NoSuchImage(_)))
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
    // That of the last step.
    let comment = config["history"].as_array().and_then(|steps| steps.last()?["comment"].as_str());
    let comment = comment.unwrap_or_default();
    Ok(json!({
        "Id": image.id.as_str(),
        "Digest": image.manifest.as_str(),
        "MediaType": image.media_type.as_str(),
        "RepoTags": names.map(|named| named.name.familiar()).collect::<Vec<_>>(),
        "RepoDigests": digests.collect::<Vec<_>>(),
        "Created": image.created.as_deref().unwrap_or_default(),
        "Author": of_config("author"),
        "Comment": comment,
        "Architecture": of_config("architecture"),
        "Variant": of_config("variant"),
        "Os": of_config("os"),
        "Size": image.bytes(),
        "VirtualSize": image.bytes(),
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
