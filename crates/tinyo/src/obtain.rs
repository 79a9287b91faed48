//! What a container is to be made of, from whatever the user calls it.

use crate::context::{Context, NetworkOptions};
use crate::rootless::is_machines_own;
use crate::show::{Layers, Screen, warn};
use crate::timings::Timings;
use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use image::archive::{Archive, Files, Folder, Packed, Tarball};
use image::base::Base;
use image::hello::hello;
use image::pull::{Machine, Options, pull};
use image::reference::{Reference, Source};
use image::registry::Registries;
use image::store::{AddOptions, Image, Store};
use kernel::helper::find;
use spec::image::ImageConfig;
use std::cell::Cell;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Instant;

/// When a registry is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Policy {
    /// In any case
    #[default]
    Always,
    /// If there is no such image here
    Missing,
    /// Not at all
    Never,
    /// In any case, but what is here will do if the registry cannot be asked
    Newer,
}

/// How an image is got that is not here.
pub(crate) struct Ways<'a> {
    pub(crate) policy: Policy,
    pub(crate) options: Options,
    /// Whether the user has said for which machine.
    pub(crate) is_asked: bool,
    pub(crate) network: &'a NetworkOptions,
    pub(crate) screen: Screen,
    /// How long it took.
    pub(crate) timings: Cell<Timings>,
}

impl<'a> Ways<'a> {
    /// For this machine, or for another one; everything else as usual.
    pub(crate) fn new(
        policy: Policy,
        platform: Option<&Machine>,
        network: &'a NetworkOptions,
        screen: Screen,
    ) -> Ways<'a> {
        let machine = platform.cloned().unwrap_or_else(Machine::own);
        let options = Options { machine, ..Options::default() };
        let is_asked = platform.is_some();
        Ways { policy, options, is_asked, network, screen, timings: Cell::default() }
    }

    /// What is here may be for another machine than the one that was asked for.
    fn check_platform(&self, name: &str, config: &ImageConfig) -> Result<()> {
        let (machine, own) =
            (&self.options.machine, (&config.platform.os, &config.platform.architecture));
        if self.is_asked && (machine.os(), machine.architecture()) != (own.0, own.1) {
            bail!(
                "{name} is here for {}/{}, and not for {}/{}: --pull always gets the other one",
                own.0,
                own.1,
                machine.os(),
                machine.architecture()
            );
        }
        Ok(())
    }
}

/// An image that was got or was here.
pub(crate) struct Obtained {
    pub(crate) image: Image,
    /// The name that it was found under; an image in an archive may have none.
    pub(crate) name: Option<Reference>,
    /// What the registry has under the name: an index, or the manifest itself.
    pub(crate) digest: image::Digest,
    /// Whether it was here before.
    pub(crate) was_current: bool,
}

impl Obtained {
    fn new(image: Image, name: Option<Reference>, was_current: bool) -> Obtained {
        let named = image.names.iter().find(|named| Some(&named.name) == name.as_ref());
        let digest = named.map_or(&image.manifest, |named| &named.digest).clone();
        Obtained { image, name, digest, was_current }
    }
}

/// What `tinyo run` makes a container of: an image by its name or id, or any other source.
pub(crate) fn base(context: &Context, store: &Store, text: &str, ways: &Ways<'_>) -> Result<Base> {
    match Source::parse(text)? {
        Source::Host if !is_machines_own() && find("fuse-overlayfs").is_none() => bail!(
            "host: needs fuse-overlayfs for a user without rights, since the kernel lays nothing \
             over / where other file systems are mounted below it: apt install fuse-overlayfs; or \
             take an image, and -v /usr:/usr:ro for this machine's programs"
        ),
        Source::Host => Ok(Base::host()?),
        Source::Folder(path) => Ok(Base::folder(&path)?),
        Source::Registry(name) => {
            let by_name = context.find_by_name(store, &name)?;
            let is_asked = matches!(ways.policy, Policy::Always | Policy::Newer);
            // An id is nothing that a registry could be asked for.
            let here = match by_name {
                Some(image) => (!is_asked).then_some(image),
                None => store.find_by_digest(&name)?,
            };
            match here {
                Some(image) => {
                    let base = store.base(&image)?;
                    ways.check_platform(&name, &base.config)?;
                    Ok(base)
                }
                None => Ok(store.base(&registry(context, store, &name, ways)?.image)?),
            }
        }
        source => {
            let begin = Instant::now();
            let image = one(obtain(context, store, &source, ways)?, text)?.image;
            ways.timings.set(Timings { unpack: begin.elapsed(), ..Timings::default() });
            Ok(store.base(&image)?)
        }
    }
}

fn one(mut images: Vec<Obtained>, text: &str) -> Result<Obtained> {
    match (images.pop(), images.is_empty()) {
        (Some(image), true) => Ok(image),
        (None, _) => bail!("{text}: there is no image in it"),
        _ => bail!("{text}: there are several images in it; say which one: {text}:NAME"),
    }
}

/// Gets an image, or all images of an archive.
pub(crate) fn obtain(
    context: &Context,
    store: &Store,
    source: &Source,
    ways: &Ways<'_>,
) -> Result<Vec<Obtained>> {
    match source {
        Source::Registry(name) => Ok(vec![registry(context, store, name, ways)?]),
        Source::Hello => {
            let image = hello(store).context("hello")?;
            let name = image::hello::NAME.parse().ok();
            Ok(vec![Obtained::new(image, name, false)])
        }
        Source::OciLayout { path, name }
        | Source::OciArchive { path, name }
        | Source::DockerArchive { path, name } => {
            let archive = open_archive(store, path, &ways.options.machine)?;
            let all = from_archive(store, &archive, name.as_deref(), path, &ways.screen)?;
            let tell = |it: &Obtained| context.tell_of_image(&it.image, "load", it.name.as_ref());
            all.iter().try_for_each(tell)?;
            Ok(all)
        }
        Source::Folder(_) | Source::Host => {
            bail!("{source} is used as it is; there is nothing to pull")
        }
    }
}

/// Opens an archive: a folder, or a file.
pub(crate) fn open_archive(store: &Store, path: &Path, machine: &Machine) -> Result<Archive> {
    let named = || path.display().to_string();
    let file = File::open(path).with_context(named)?;
    if file.metadata().with_context(named)?.is_dir() {
        let files: Box<dyn Files> = Box::new(Folder::open(path)?);
        return Archive::open(files, machine).with_context(named);
    }
    open_tarball(store, file.into(), machine).with_context(named)
}

/// Opens an archive that comes as a stream or is a file.
pub(crate) fn open_tarball(store: &Store, input: OwnedFd, machine: &Machine) -> Result<Archive> {
    let files: Box<dyn Files> = Box::new(Tarball::open(input, || store.spool())?);
    Ok(Archive::open(files, machine)?)
}

/// Takes an image of an archive in.
pub(crate) fn load(
    store: &Store,
    archive: &Archive,
    packed: &Packed,
    names: &[Reference],
    screen: &Screen,
) -> Result<Image> {
    let layers = Layers::new(screen);
    let options = AddOptions::default();
    Ok(layers.during(|| archive.load(packed, names, store, &options, &layers))?)
}

/// The images of an archive, or the one that is called so.
fn from_archive(
    store: &Store,
    archive: &Archive,
    name: Option<&str>,
    path: &Path,
    screen: &Screen,
) -> Result<Vec<Obtained>> {
    let is_meant = |packed: &&Packed| name.is_none_or(|name| packed.is_called(name));
    let meant: Vec<_> = archive.images().iter().filter(is_meant).collect();
    if meant.is_empty() {
        let called = archive.images().iter().flat_map(Packed::called).collect::<Vec<_>>().join(" ");
        bail!(
            "{}: no image in it is called {}; there are: {called}",
            path.display(),
            name.unwrap_or("so")
        );
    }
    let mut obtained = Vec::new();
    for packed in meant {
        let names =
            if packed.names.is_empty() { local_name(path, packed) } else { packed.names.clone() };
        let image = load(store, archive, packed, &names, screen)?;
        obtained.push(Obtained::new(image, names.into_iter().next(), false));
    }
    Ok(obtained)
}

/// What an image is called that has no name in its archive: as the file is, if that is possible.
fn local_name(path: &Path, packed: &Packed) -> Vec<Reference> {
    let stem = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    let stem = stem.unwrap_or_default();
    let stem = stem.split('.').next().unwrap_or_default();
    let tag = packed.label.as_deref().unwrap_or("latest");
    format!("localhost/{stem}:{tag}").parse().into_iter().collect()
}

/// An image in a registry, or that was in one.
fn registry(context: &Context, store: &Store, name: &str, ways: &Ways<'_>) -> Result<Obtained> {
    let names = context.candidates(name)?;
    let here = match ways.policy {
        Policy::Always => None,
        // What was built here and is named shortly is here as well.
        _ => find_here(store, &context.local_names(name))?,
    };
    let fetch = || from_registry(context, &context.registries(ways.network)?, store, &names, ways);
    match (ways.policy, here) {
        (Policy::Missing | Policy::Never, Some(obtained)) => Ok(obtained),
        (Policy::Never, None) => {
            bail!("{name} is not here, and the policy `never` forbids to pull it")
        }
        (Policy::Newer, Some(obtained)) => fetch().or_else(|error| {
            warn(&format!("using the image that is here: {error:#}"));
            Ok(obtained)
        }),
        _ => fetch(),
    }
}

fn find_here(store: &Store, names: &[Reference]) -> Result<Option<Obtained>> {
    let Some(image) = store.find_by_name(names)? else { return Ok(None) };
    let name = image.names.iter().map(|named| &named.name).find(|name| names.contains(name));
    let name = name.cloned();
    Ok(Some(Obtained::new(image, name, true)))
}

/// Pulls an image under the first of these names that there is one for.
pub(crate) fn from_registry(
    context: &Context,
    registries: &Registries,
    store: &Store,
    names: &[Reference],
    ways: &Ways<'_>,
) -> Result<Obtained> {
    let screen = &ways.screen;
    if let Some(name) = names.first() {
        screen.say(&format!("pulling {}", name.familiar()));
    }
    let on_wait = |error: &_, time| screen.wait(error, time);
    let layers = Layers::new(screen);
    let begin = Instant::now();
    let pulled =
        layers.during(|| pull(registries, store, names, &ways.options, &layers, &on_wait))?;
    let end = Instant::now();
    let last_byte = layers.last_byte().unwrap_or(end);
    let (download, unpack) = (last_byte - begin, end - last_byte);
    ways.timings.set(Timings { download, unpack, ..Timings::default() });
    context.tell_of_image(&pulled.image, "pull", Some(&pulled.name))?;
    Ok(Obtained {
        image: pulled.image,
        name: Some(pulled.name),
        digest: pulled.digest,
        was_current: pulled.was_current,
    })
}
