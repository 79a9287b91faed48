//! `tinyo save`.

use crate::context::Context;
use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use image::archive::{Format, Saved, save, save_folder};
use image::reference::Reference;
use image::store::Store;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use sys::rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Names or ids of images
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// Where to write it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// For whom
    #[arg(long, value_enum, default_value_t)]
    format: Form,
    /// Several images in one archive, which is the default
    #[arg(short, long)]
    multi_image_archive: bool,
    /// Print no progress, as there is none anyway
    #[arg(short, long)]
    quiet: bool,
}

/// What is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A tar file for Docker and Podman, and all that read OCI layouts
    #[default]
    DockerArchive,
    /// A tar file with an OCI layout
    OciArchive,
    /// A folder with an OCI layout
    OciDir,
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let store = context.store()?;
    let images = images(context, &store, &arguments.images)?;
    let format = match arguments.format {
        Form::DockerArchive => Format::Docker,
        Form::OciArchive => Format::Oci,
        Form::OciDir => {
            let folder =
                arguments.output.as_ref().context("--format oci-dir needs --output FOLDER")?;
            save_folder(&store, &images, folder)?;
            return tell(context, &images);
        }
    };
    match &arguments.output {
        Some(path) if path != Path::new("-") => to_file(path, |file| {
            save(&store, &images, format, file)?;
            Ok(())
        })?,
        None if io::stdout().is_terminal() => {
            bail!("an archive is nothing for a terminal: use --output FILE, or a pipe")
        }
        _ => to_output(|output| {
            save(&store, &images, format, output)?.flush()?;
            Ok(())
        })?,
    }
    tell(context, &images)
}

fn tell(context: &Context, images: &[Saved]) -> Result<()> {
    images.iter().try_for_each(|it| context.tell_of_image(&it.image, "save", it.names.first()))
}

/// The images that are meant, each once, with the names that were asked for.
fn images(context: &Context, store: &Store, texts: &[String]) -> Result<Vec<Saved>> {
    let mut images: Vec<Saved> = Vec::new();
    for text in texts {
        let image = context.find_image(store, text)?;
        let meant = context.local_names(text);
        let is_meant = |name: &&Reference| meant.contains(name);
        let name = image.names.iter().map(|named| &named.name).find(is_meant).cloned();
        match images.iter_mut().find(|saved| saved.image.manifest == image.manifest) {
            Some(saved) => saved.names.extend(name.filter(|name| !saved.names.contains(name))),
            None => images.push(Saved { image, names: name.into_iter().collect() }),
        }
    }
    Ok(images)
}

/// Whoever reads what is written has seen enough (`| head`), and need not be told; but it is no success,
/// as the archive is not whole.
#[derive(Debug)]
pub(crate) struct Unread;

impl std::error::Error for Unread {}

impl std::fmt::Display for Unread {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("nobody reads the rest of the archive")
    }
}

impl Unread {
    /// As of a program that SIGPIPE ends, as it does Docker and Podman.
    pub(crate) const CODE: u8 = 141;
}

/// Writes to standard output.
///
/// # Errors
/// [`Unread`], or whatever else went wrong.
pub(super) fn to_output(write: impl FnOnce(&mut Output) -> Result<()>) -> Result<()> {
    let mut output = Output { is_read: true };
    write(&mut output).map_err(|error| if output.is_read { error } else { Unread.into() })
}

/// Standard output, and whether anybody reads it.
pub(super) struct Output {
    is_read: bool,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = io::stdout().write(bytes);
        self.is_read &= !matches!(&written, Err(error) if error.kind() == ErrorKind::BrokenPipe);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = io::stdout().flush();
        self.is_read &= !matches!(&flushed, Err(error) if error.kind() == ErrorKind::BrokenPipe);
        flushed
    }
}

/// Writes a file that is there whole or not at all: until it is whole it has no name, where the disk can
/// do that, so that nothing is left of it if this program is killed.
pub(super) fn to_file(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<()> {
    let partial = partial_name(path)?;
    let (file, has_name) = match nameless(path) {
        Some(file) => (file, false),
        None => (File::create(&partial).with_context(|| partial.display().to_string())?, true),
    };
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    let written = write(&mut writer).and_then(|()| Ok(writer.flush()?));
    let named = written.and_then(|()| {
        let give = || -> io::Result<()> {
            if !has_name {
                give_name(writer.get_ref(), &partial)?;
            }
            std::fs::rename(&partial, path)
        };
        give().with_context(|| path.display().to_string())
    });
    if named.is_err() {
        // The first error is the one to be told.
        let _ = std::fs::remove_file(&partial);
    }
    named
}

fn nameless(path: &Path) -> Option<File> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
    open(folder, flags, Mode::from_raw_mode(0o666)).ok().map(File::from)
}

fn give_name(file: &File, path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(linkat(CWD, own, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

/// Beside the file, so that a rename suffices.
fn partial_name(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().with_context(|| format!("{} is no file", path.display()))?;
    let mut partial = name.to_owned();
    partial.push(format!(".partial-{}", std::process::id()));
    Ok(path.with_file_name(partial))
}
