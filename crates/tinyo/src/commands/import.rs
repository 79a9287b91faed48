//! `tinyo import` and `tinyo export`: root file systems as plain archives.

use super::save::{to_file, to_output};
use super::tag::new_name;
use crate::context::Context;
use crate::show::print_line;
use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use image::assemble::{Draft, assemble, blank_config};
use image::change::changes;
use spec::image::History;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(crate) struct ImportArguments {
    /// A tar file, compressed by gzip, zstd, xz, bzip2 or not at all; - is standard input
    file: PathBuf,
    /// What the image is to be called
    name: Option<String>,
    /// Change the configuration, as in a Dockerfile: CMD ["sh"], ENV A=b
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// What the image is for
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// For which architecture it is [default: the machine's]
    #[arg(long, value_name = "ARCHITECTURE")]
    arch: Option<String>,
    /// For which system it is [default: linux]
    #[arg(long, value_name = "OS")]
    os: Option<String>,
    /// For which variant of the architecture it is, such as v8
    #[arg(long, value_name = "VARIANT")]
    variant: Option<String>,
    /// Print nothing but the image's id, which is the default
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) fn import(context: &Context, arguments: &ImportArguments) -> Result<()> {
    let mut config = blank_config();
    let platform = &mut config.platform;
    for (said, field) in [
        (&arguments.arch, &mut platform.architecture),
        (&arguments.os, &mut platform.os),
        (&arguments.variant, &mut platform.variant),
    ] {
        if let Some(said) = said {
            said.clone_into(field);
        }
    }
    changes(&mut config.config, &arguments.change)?;
    let name = arguments.name.as_deref().map(new_name).transpose()?;
    let from = arguments.file.display();
    let layer: OwnedFd = if arguments.file == Path::new("-") {
        if io::stdin().is_terminal() {
            bail!("an archive from a terminal? Name a file, or use a pipe");
        }
        io::stdin().as_fd().try_clone_to_owned()?
    } else {
        File::open(&arguments.file).with_context(|| from.to_string())?.into()
    };
    let history = History {
        created: config.created.clone(),
        created_by: Some(format!("tinyo import {from}")),
        comment: arguments.message.clone(),
        ..History::default()
    };
    let draft = Draft { config, base: None, history };
    let image = assemble(&context.store()?, draft, layer, name.as_slice())
        .with_context(|| from.to_string())?;
    context.tell_of_image(&image, "import", name.as_ref())?;
    print_line(image.id.as_str())
}

#[derive(Args)]
pub(crate) struct ExportArguments {
    /// Name or id of a container or an image
    name: String,
    /// Where to write it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn export(context: &Context, arguments: &ExportArguments) -> Result<()> {
    // Images can be read on a read-only disk, where there is no engine.
    let engine = context.engine().ok();
    let write = |to: &mut dyn Write| -> Result<()> {
        match engine.as_ref().map(|engine| (engine, engine.find(&arguments.name))) {
            Some((engine, Ok(container))) => Ok(engine.export(&container, to)?),
            None | Some((_, Err(engine::Error::NoSuchContainer(_)))) => {
                let store = context.store()?;
                let image =
                    context.find_image(&store, &arguments.name).map_err(|error| {
                        match error.downcast_ref() {
                            Some(image::store::Error::NoSuchImage(name)) => {
                                anyhow!("there is no container and no image {name:?}")
                            }
                            _ => error,
                        }
                    })?;
                Ok(store.export(&image, to)?)
            }
            Some((_, Err(error))) => Err(error.into()),
        }
    };
    match &arguments.output {
        Some(path) if path != Path::new("-") => to_file(path, |file| write(file)),
        None if io::stdout().is_terminal() => {
            bail!("an archive is nothing for a terminal: use --output FILE, or a pipe")
        }
        _ => to_output(|output| write(output)),
    }
}
