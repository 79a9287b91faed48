//! `tinyo load`.

use super::Format;
use crate::context::Context;
use crate::obtain::{load, open_archive, open_tarball};
use crate::show::{Screen, print_line};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use image::archive::Packed;
use image::pull::Machine;
use image::store::Image;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(crate) struct Arguments {
    /// An archive, or a folder with an OCI layout [default: standard input]
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// For which machine, if an image is for several: OS/ARCHITECTURE[/VARIANT] [default: this one]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Machine>,
    /// Print nothing but names and ids
    #[arg(short, long)]
    quiet: bool,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let store = context.store()?;
    let machine = arguments.platform.clone().unwrap_or_else(Machine::own);
    let archive = match &arguments.input {
        Some(path) if path != Path::new("-") => open_archive(&store, path, &machine)?,
        None if io::stdin().is_terminal() => {
            bail!("an archive from a terminal? Use --input FILE, or a pipe")
        }
        _ => {
            let input = io::stdin().as_fd().try_clone_to_owned()?;
            open_tarball(&store, input, &machine).context("standard input")?
        }
    };
    if archive.images().is_empty() {
        bail!("there is no image in the archive");
    }
    let screen = Screen::new(arguments.quiet);
    let mut loaded = Vec::new();
    for packed in archive.images() {
        let image = load(&store, &archive, packed, &packed.names, &screen)?;
        context.tell_of_image(&image, "load", packed.names.first())?;
        loaded.push((packed, image));
    }
    if arguments.format == Format::Json {
        let values = loaded.iter().map(|(packed, image)| json(packed, image));
        return print_line(&values.collect::<serde_json::Value>().to_string());
    }
    loaded
        .iter()
        .flat_map(|(packed, image)| lines(packed, image))
        .try_for_each(|it| print_line(&it))
}

fn lines(packed: &Packed, image: &Image) -> Vec<String> {
    if packed.names.is_empty() {
        return vec![format!("Loaded image ID: {}", image.id)];
    }
    packed.names.iter().map(|name| format!("Loaded image: {}", name.familiar())).collect()
}

fn json(packed: &Packed, image: &Image) -> serde_json::Value {
    serde_json::json!({
        "Id": image.id.as_str(),
        "Digest": image.manifest.as_str(),
        "Names": packed.names.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
