//! `tinyo up`.

use super::file::ProjectOptions;
use crate::commands::container::logs::PACE;
use crate::commands::container::printing::{Printing, in_columns};
use crate::context::{Context, NetworkOptions, environment};
use crate::obtain::{Policy, Ways, base};
use crate::show::{Screen, print_line, warn};
use crate::timings::{Timings, print_several};
use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use engine::{Container, Engine, Logs, Seen, Status};
use image::base::Base;
use net::port::{Port, Protocol};
use project::{Error, Event, Observer, Plan, Project, Pull, Service, Turn};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use sys::signal::{SIGCHLD, SIGWINCH, Signals};

/// How many lines of a service are shown that did not get ready.
const LAST_LINES: usize = 10;

#[derive(Args)]
pub(super) struct Options {
    /// Leave the services alone once they are ready
    #[arg(short, long)]
    detach: bool,
    /// Say how many seconds download, unpack, prepare and start took
    #[arg(long)]
    timings: bool,
    /// Remove containers of services that the file has no longer
    #[arg(long)]
    remove_orphans: bool,
    /// When to ask the registry, whatever the file says
    #[arg(long, value_enum, value_name = "POLICY")]
    pull: Option<Policy>,
    /// Seconds until containers are killed that are stopped with Ctrl-C; -1: never
    #[arg(short, long, value_name = "SECONDS", allow_negative_numbers = true)]
    timeout: Option<i64>,
    /// Print nothing but the result
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    registry: NetworkOptions,
    /// Only these services, and those that they depend on
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

#[derive(Args)]
pub(super) struct PullOptions {
    /// Print nothing
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    registry: NetworkOptions,
    /// Only of these services, and those that they depend on
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

pub(super) fn run(context: &Context, of: &ProjectOptions, options: &Options) -> Result<ExitCode> {
    let (begin, now) = (Instant::now(), SystemTime::now());
    let project = chosen(of, &options.services)?;
    let engine = context.engine()?;
    let screen = Screen::new(options.quiet);
    let turn = wait_for_turn(&engine, project.name(), &screen)?;
    let how = (options.pull, &options.registry);
    let (bases, mut timings) = obtain_all(context, &engine, &project, how, screen)?;
    let found = project::found(&engine, project.name())?;
    let plan = project::plan(&project, &bases, &found);
    remove_orphans(&engine, &plan, options)?;
    let signals = if options.detach { None } else { Some(Signals::block_all()?) };
    let mut telling =
        Telling { engine: &engine, signals, signal: None, screen, timings: BTreeMap::new() };
    let applied = project::apply(&engine, &project, &plan, &bases, &mut telling);
    let containers = match applied {
        Ok(containers) => containers,
        Err(Error::Cancelled(_)) => return stop(&engine, &project, options, telling.signal),
        Err(error) => {
            show_last_lines(&engine, &error)?;
            return Err(error.into());
        }
    };
    if options.timings {
        let all = project.services().iter().map(|service| {
            // An image that several have is counted once.
            let image = timings.remove(&service.settings.image).unwrap_or_default();
            let own = telling.timings.get(&service.name).copied().unwrap_or_default();
            let (download, unpack) = (image.download, image.unpack);
            (service.name.clone(), Timings { download, unpack, ..own })
        });
        print_several(&all.collect::<Vec<_>>(), begin.elapsed());
    }
    drop(turn);
    if options.detach {
        return Ok(ExitCode::SUCCESS);
    }
    let names = project.services().iter().map(|service| service.name.clone());
    // What was printed before is for `compose logs`.
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let logs = Logs { since: u64::try_from(now).ok(), ..Logs::default() };
    let mut printing = Printing::begin(&engine, in_columns(names.zip(containers).collect()), logs)?;
    printing.print_past()?;
    while printing.go_on()? {
        if telling.is_cancelled() {
            return stop(&engine, &project, options, telling.signal);
        }
        thread::sleep(PACE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Gets images, without starting anything.
pub(super) fn pull(context: &Context, of: &ProjectOptions, options: &PullOptions) -> Result<()> {
    let project = chosen(of, &options.services)?;
    let (engine, screen) = (context.engine()?, Screen::new(options.quiet));
    let how = (Some(Policy::Newer), &options.registry);
    obtain_all(context, &engine, &project, how, screen).map(drop)
}

/// The services that are meant, with what they need.
pub(super) fn chosen(of: &ProjectOptions, services: &[String]) -> Result<Project> {
    let mut project = of.choose(of.read()?, services)?;
    project.complete_variables(environment);
    Ok(project)
}

/// Two commands that change a project come one after the other.
pub(super) fn wait_for_turn(engine: &Engine, project: &str, screen: &Screen) -> Result<Turn> {
    let say = || screen.say(&format!("waiting for another command that changes {project}"));
    Ok(Turn::take(engine, project, say)?)
}

/// What each image means, and how long it took to get it; all of them at the same time.
pub(super) fn obtain_all(
    context: &Context,
    engine: &Engine,
    project: &Project,
    (policy, registry): (Option<Policy>, &NetworkOptions),
    screen: Screen,
) -> Result<(BTreeMap<String, Base>, BTreeMap<String, Timings>)> {
    let mut wanted: BTreeMap<&str, Policy> = BTreeMap::new();
    for service in project.services() {
        let policy = policy.unwrap_or(match service.pull {
            Pull::Missing => Policy::Missing,
            Pull::Always => Policy::Always,
            Pull::Never => Policy::Never,
        });
        let known = wanted.entry(&service.settings.image).or_insert(policy);
        if policy == Policy::Always {
            *known = policy;
        }
    }
    let screen = if wanted.len() > 1 { screen.without_bars() } else { screen };
    let obtain = |image: &str, policy: Policy| -> Result<(Base, Timings)> {
        let ways = Ways::new(policy, None, registry, screen);
        let base = base(context, engine.store(), image, &ways)?;
        Ok((base, ways.timings.get()))
    };
    let obtained: Vec<_> = thread::scope(|scope| {
        let start = |(image, policy)| (image, scope.spawn(move || obtain(image, policy)));
        let threads: Vec<_> =
            wanted.iter().map(|(image, policy)| start((*image, *policy))).collect();
        threads.into_iter().map(|(image, thread)| (image, thread.join())).collect()
    });
    let (mut bases, mut timings) = (BTreeMap::new(), BTreeMap::new());
    for (image, result) in obtained {
        let result =
            result.map_err(|_| anyhow!("{image}: the thread that was to get it has failed"))?;
        let (base, time) = result.with_context(|| image.to_owned())?;
        bases.insert(image.to_owned(), base);
        timings.insert(image.to_owned(), time);
    }
    Ok((bases, timings))
}

fn remove_orphans(engine: &Engine, plan: &Plan<'_>, options: &Options) -> Result<()> {
    for container in &plan.orphans {
        let name = &container.name;
        if options.remove_orphans {
            engine.stop(container, options.timeout)?;
            engine.remove(container, true, false)?;
            print_line(&format!("removed {name}"))?;
        } else {
            warn(&format!("the file says nothing of {name} any more: --remove-orphans removes it"));
        }
    }
    Ok(())
}

/// Why it was not ready, it may have said itself.
fn show_last_lines(engine: &Engine, error: &Error) -> Result<()> {
    let Error::NotReady { service, container, .. } = error else { return Ok(()) };
    let container = engine.find(container)?;
    let logs = Logs { tail: Some(LAST_LINES), ..Logs::default() };
    let lines = in_columns(vec![(service.clone(), container)]);
    Printing::begin(engine, lines, logs)?.print_past()
}

/// After Ctrl-C: the services end, and their containers stay for the next time.
fn stop(
    engine: &Engine,
    project: &Project,
    options: &Options,
    signal: Option<i32>,
) -> Result<ExitCode> {
    Screen::new(options.quiet).say(&format!("stopping {}", project.name()));
    let mut found = project::found(engine, project.name())?;
    found.retain(|it| project.services().iter().any(|service| service.name == it.service()));
    project::stop(engine, &found, options.timeout)?;
    let code = 128 + signal.unwrap_or(0);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// Tells what happens, and heeds signals.
struct Telling<'a> {
    engine: &'a Engine,
    signals: Option<Signals>,
    signal: Option<i32>,
    screen: Screen,
    timings: BTreeMap<String, Timings>,
}

impl Telling<'_> {
    fn timings(&mut self, service: &Service) -> &mut Timings {
        self.timings.entry(service.name.clone()).or_default()
    }

    fn tell_ready(&self, service: &Service, container: &Container, seen: &Seen) -> Result<()> {
        let name = &service.name;
        let text = match seen.status {
            Status::Exited => format!("{name} has ended"),
            _ => match places(&self.engine.published_ports(container)?).as_slice() {
                [] => format!("{name} is running"),
                places => format!("{name} is running at {}", places.join(", ")),
            },
        };
        print_line(&text)
    }
}

impl Observer for Telling<'_> {
    fn tell(&mut self, event: Event<'_>) {
        match event {
            Event::Removed(name) => self.screen.say(&format!("removed {name}")),
            Event::Prepared(service, time) => self.timings(service).prepare = time,
            Event::Started(service, time) => self.timings(service).start = time,
            Event::Ready(service, container, seen, time) => {
                let timings = self.timings(service);
                if timings.start != Duration::ZERO {
                    timings.start += time;
                }
                if let Err(error) = self.tell_ready(service, container, seen) {
                    warn(&format!("{}: {error}", service.name));
                }
            }
        }
    }

    fn is_cancelled(&mut self) -> bool {
        while self.signal.is_none()
            && let Some(Ok(Some(signal))) = self.signals.as_ref().map(Signals::next)
        {
            if !matches!(signal, SIGCHLD | SIGWINCH) {
                self.signal = Some(signal);
            }
        }
        self.signal.is_some()
    }
}

/// Where a service is reached from this machine.
fn places(ports: &[Port]) -> Vec<String> {
    let place = |port: &Port| {
        let number = port.host?;
        let host = match port.address {
            Some(address) if !address.is_unspecified() && !address.is_loopback() => match address {
                std::net::IpAddr::V4(address) => address.to_string(),
                std::net::IpAddr::V6(address) => format!("[{address}]"),
            },
            _ => "localhost".to_owned(),
        };
        Some(match port.protocol {
            Protocol::Tcp => format!("http://{host}:{number}"),
            other => format!("{host}:{number}/{}", other.name()),
        })
    };
    let mut places: Vec<_> = ports.iter().filter_map(place).collect();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::places;
    use net::port;

    #[test]
    fn where_services_are() {
        let ports = |text: &str| places(&port::parse(text).unwrap());
        assert_eq!(ports("8080:80"), ["http://localhost:8080"]);
        assert_eq!(ports("127.0.0.1:8080:80"), ["http://localhost:8080"]);
        assert_eq!(ports("192.0.2.1:8080:80"), ["http://192.0.2.1:8080"]);
        assert_eq!(ports("[2001:db8::1]:8080:80"), ["http://[2001:db8::1]:8080"]);
        assert_eq!(ports("53:53/udp"), ["localhost:53/udp"]);
        assert!(ports("80").is_empty());
    }
}
