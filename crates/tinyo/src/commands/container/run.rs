//! `tinyo run` and `tinyo create`.

use super::front::{self, Front, Streams};
use super::options::Options;
use crate::context::Context;
use crate::obtain::{Ways, base};
use crate::show::{Screen, print_line, warn};
use crate::timings::{Timings, print_one};
use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use engine::settings::{Mount, MountKind, Network, RestartPolicy, Settings};
use engine::{Attach, Container, Engine, Error, Inherited, Keys, Outcome};
use image::base::Base;
use std::fs::File;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Instant;

#[derive(Args)]
pub(crate) struct RunArguments {
    /// Print its id and leave it alone
    #[arg(short, long)]
    detach: bool,
    /// What to be in front of: stdin, stdout, stderr; several times for several. With stdin alone
    /// its id is printed, and it is left when all is typed [default: stdout and stderr, with -i
    /// stdin]
    #[arg(
        short,
        long,
        value_name = "STREAM",
        ignore_case = true,
        hide_possible_values = true,
        conflicts_with = "detach"
    )]
    attach: Vec<Attached>,
    /// Keys that leave it alone, such as ctrl-p,ctrl-q
    #[arg(long, value_name = "KEYS", default_value = front::DETACH_KEYS)]
    detach_keys: Keys,
    /// Whether signals are passed on to it
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    sig_proxy: bool,
    /// It gets so many descriptors of the caller's, from 3 on, when it is started the first time
    #[arg(long, value_name = "COUNT", default_value_t = 0, hide_default_value = true)]
    preserve_fds: u32,
    /// Say how many seconds download, unpack, prepare and start took
    #[arg(long)]
    timings: bool,
    #[command(flatten)]
    options: Options,
}

/// A stream of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Attached {
    Stdin,
    Stdout,
    Stderr,
}

impl RunArguments {
    fn streams(&self) -> Streams {
        let has = |stream| self.attach.contains(&stream);
        if self.attach.is_empty() {
            return Streams::all(self.options.interactive);
        }
        Streams {
            input: has(Attached::Stdin),
            output: has(Attached::Stdout),
            error: has(Attached::Stderr),
        }
    }
}

#[derive(Args)]
pub(crate) struct CreateArguments {
    #[command(flatten)]
    options: Options,
}

pub(crate) fn create(context: &Context, arguments: &CreateArguments) -> Result<ExitCode> {
    let engine = context.engine()?;
    let options = &arguments.options;
    let (container, _) = make(context, &engine, options, options.interactive)?;
    print_line(&container.id)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn run(context: &Context, arguments: &RunArguments) -> Result<ExitCode> {
    let begin = Instant::now();
    let options = &arguments.options;
    let streams = arguments.streams();
    if options.tty && streams.input && !arguments.detach {
        front::check_terminal()?;
    }
    let inherited = Inherited::take(arguments.preserve_fds)?;
    let engine = context.engine()?;
    let reads = options.interactive || streams.input;
    let (container, timings) = make(context, &engine, options, reads)?;
    let front = if arguments.detach {
        None
    } else {
        Some(Front::begin(options.tty, streams, arguments.sig_proxy)?)
    };
    let begin_of_start = Instant::now();
    let how = Stay { rm: options.rm, tty: options.tty, front, keys: &arguments.detach_keys };
    stay(&engine, &container, inherited, how, || {
        if arguments.timings {
            print_one(&Timings { start: begin_of_start.elapsed(), ..timings }, begin.elapsed());
        }
        if arguments.detach || streams.are_silent() {
            print_line(&container.id)?;
        }
        Ok(())
    })
}

/// How somebody stays in front of a container; without a front, not at all.
pub(crate) struct Stay<'a> {
    /// It is removed at the end.
    pub(crate) rm: bool,
    pub(crate) tty: bool,
    pub(crate) front: Option<Front>,
    pub(crate) keys: &'a Keys,
}

/// Starts a new container, and stays until it has ended or is left alone.
pub(crate) fn stay(
    engine: &Engine,
    container: &Container,
    inherited: Inherited,
    how: Stay<'_>,
    on_start: impl FnOnce() -> Result<()>,
) -> Result<ExitCode> {
    let attach = match how.front {
        None => Attach::Nothing,
        Some(_) => Attach::Foreground { will_remove: how.rm, size: front::size(how.tty) },
    };
    let client = match engine.start_giving(container, attach, &inherited) {
        Ok(client) => client,
        Err(error) => {
            if how.rm {
                engine
                    .remove(container, true, true)
                    .context("removing what could not be started")?;
            }
            return Err(error.into());
        }
    };
    // Whoever reads from one hears of its end when the container has closed it.
    drop(inherited);
    on_start()?;
    let Some(front) = how.front else { return Ok(ExitCode::SUCCESS) };
    match front.stay(engine, container, client, how.keys)? {
        Outcome::Detached => Ok(ExitCode::SUCCESS),
        Outcome::Ended(code) => {
            if how.rm {
                engine.remove(container, true, true)?;
            }
            Ok(ExitCode::from(code))
        }
    }
}

/// `reads`: its input is kept open.
fn make(
    context: &Context,
    engine: &Engine,
    options: &Options,
    reads: bool,
) -> Result<(Container, Timings)> {
    let mut settings = Settings { interactive: reads, ..options.settings()? };
    if settings.auto_remove && settings.restart.policy != RestartPolicy::No {
        bail!("--rm and --restart contradict each other");
    }
    fit_network(context, &mut settings.network)?;
    for text in options.volumes_from() {
        for mount in mounts_of(engine, text)? {
            // What the user says himself counts.
            if !settings.mounts.iter().any(|own| own.target == mount.target) {
                settings.mounts.push(mount);
            }
        }
    }
    let mut file = match &options.cidfile {
        Some(path) => {
            let what = || format!("--cidfile {}", path.display());
            Some(File::create_new(path).with_context(what)?)
        }
        None => None,
    };
    let screen = Screen::new(options.quiet);
    let machine = options.machine()?;
    let ways = Ways::new(options.pull, machine.as_ref(), &options.registry, screen);
    let base = base(context, engine.store(), &options.image(), &ways)?;
    provide_images(context, engine, &mut settings, &ways)?;
    if options.replace {
        remove_old(engine, options.name.as_deref().unwrap_or_default())?;
    }
    let begin = Instant::now();
    let container = create_at(engine, options, &base, settings)?;
    let timings = Timings { prepare: begin.elapsed(), ..ways.timings.get() };
    if let Some(file) = &mut file {
        file.write_all(container.id.as_bytes()).context("--cidfile")?;
    }
    Ok((container, timings))
}

/// Those whose files are mounted are got as that of the container is.
fn provide_images(
    context: &Context,
    engine: &Engine,
    settings: &mut Settings,
    ways: &Ways<'_>,
) -> Result<()> {
    for mount in settings.mounts.iter_mut().filter(|it| it.kind == MountKind::Image) {
        let found = base(context, engine.store(), &mount.source, ways)?;
        let Some(image) = found.image else {
            bail!("--mount type=image: {} is no image: type=bind mounts a folder", mount.source);
        };
        let layers = found.lowers.into_iter().map(|it| it.path).collect();
        mount.image = Some((image.manifest, layers));
    }
    Ok(())
}

/// The beginning of an id is no name.
fn remove_old(engine: &Engine, name: &str) -> Result<()> {
    match engine.find(name) {
        Ok(old) if old.name == name => Ok(engine.remove(&old, true, true)?),
        Ok(_) | Err(Error::NoSuchContainer(_) | Error::Ambiguous { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What is usual here where nothing is said, and warnings of what does not work.
fn fit_network(context: &Context, network: &mut Network) -> Result<()> {
    let is_of_use = !network.ports.is_empty() || network.publish_all;
    let is_possible = context.is_root() || net::helper::is_installed();
    if network.mode.is_empty() && !is_of_use && !is_possible {
        warn("no network: a user without rights needs pasta (Debian's package passt) for it");
        "none".clone_into(&mut network.mode);
    }
    if network.mode == "host" && is_of_use {
        warn("no port is published: with --network host those of the container are the machine's");
        network.ports.clear();
        network.publish_all = false;
    }
    let is_network = network.mode.is_empty() || engine::is_network(&network.mode);
    if context.is_root() && is_network && net::firewall::legacy_drops_forwarded()? {
        let mend = net::firewall::LEGACY_MEND;
        warn(&format!("another program's iptables drop what networks forward; what helps: {mend}"));
    }
    Ok(())
}

/// Alone, or in a pod.
fn create_at(
    engine: &Engine,
    options: &Options,
    base: &Base,
    mut settings: Settings,
) -> Result<Container> {
    let name = options.name.as_deref();
    let Some(place) = options.pod.place(engine, &mut settings)? else {
        return Ok(engine.create(base, settings, name)?);
    };
    if !options.says_restart() && !settings.auto_remove {
        settings.restart = place.pod.settings.restart.clone();
    }
    let made = engine.create_in_pod(base, settings, name, &place.pod);
    if made.is_err() {
        place.undo(engine)?;
    }
    Ok(made?)
}

/// What another container has mounted that is not in memory.
fn mounts_of(engine: &Engine, text: &str) -> Result<Vec<Mount>> {
    let (name, mode) = text.split_once(':').unwrap_or((text, ""));
    let read_only = match mode {
        "ro" => true,
        "" | "rw" => false,
        _ => bail!("--volumes-from {text}: neither ro nor rw"),
    };
    let mounts = engine.find(name)?.settings.mounts.into_iter();
    let mounts = mounts.filter(|mount| mount.kind != MountKind::Tmpfs);
    Ok(mounts.map(|mount| Mount { read_only: mount.read_only || read_only, ..mount }).collect())
}
