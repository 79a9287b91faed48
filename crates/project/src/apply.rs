//! Making what is there what a plan says.
//!
//! Whoever is killed in between leaves containers with labels, and the next plan is made of these.
//! So one that replaces another is made before the other one is removed: it takes over the volumes
//! that nobody has given a name.

use crate::error::{Error, Result};
use crate::labels;
use crate::model::{Need, Project, ProjectNetwork, ProjectVolume, Service, Until};
use crate::plan::{Action, Plan, Step};
use crate::verdict::{Verdict, verdict};
use engine::settings::{Endpoint, MountKind, Settings};
use engine::{Attach, Container, Engine, NetworkSettings, Range, Seen, Status};
use image::base::Base;
use net::subnet::Subnet;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How often it is looked whether a service is ready.
const PACE: Duration = Duration::from_millis(20);

/// Who is told what happens.
pub trait Observer {
    /// Something was done.
    fn tell(&mut self, event: Event<'_>);

    /// Whether to wait no longer.
    fn is_cancelled(&mut self) -> bool {
        false
    }
}

/// What was done.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A container of this name was removed.
    Removed(&'a str),
    /// The container of a service was made, in this time.
    Prepared(&'a Service, Duration),
    /// It was started, in this time.
    Started(&'a Service, Duration),
    /// A service was waited for, for this time, and is ready.
    Ready(&'a Service, &'a Container, &'a Seen, Duration),
}

/// Does what a plan says, and returns the container of each service, in order.
///
/// # Errors
/// Something cannot be made or started; a service ends or is unhealthy; the observer has had
/// enough. What was done stays.
pub fn apply(
    engine: &Engine,
    project: &Project,
    plan: &Plan<'_>,
    bases: &BTreeMap<String, Base>,
    observer: &mut dyn Observer,
) -> Result<Vec<Container>> {
    let mut apply = Apply::begin(engine, project, bases, observer)?;
    apply.steps(plan)?;
    for step in &plan.steps {
        apply.wait(step.service, Until::Ready)?;
    }
    let mut running = apply.running;
    Ok(plan.steps.iter().filter_map(|step| running.remove(&step.service.name)).collect())
}

/// Makes one more container of a service, which runs beside the service's own, once a plan is done that
/// has what it needs. `change` says what is different from the service's.
///
/// # Errors
/// As [`apply`].
pub fn one_off(
    engine: &Engine,
    project: &Project,
    (service, plan): (&Service, &Plan<'_>),
    bases: &BTreeMap<String, Base>,
    observer: &mut dyn Observer,
    change: impl FnOnce(&mut Settings),
) -> Result<Container> {
    let mut apply = Apply::begin(engine, project, bases, observer)?;
    apply.steps(plan)?;
    service.needs.iter().try_for_each(|need| apply.wait_for_need(need))?;
    let mut settings = apply.settings(service)?;
    settings.labels.insert(labels::ONE_OFF.to_owned(), "true".to_owned());
    // The others mean the service's own container by its names, and it has its addresses.
    let network = &mut settings.network;
    (network.aliases, network.addresses, network.mac) = (Vec::new(), Vec::new(), None);
    for it in &mut network.more {
        *it = Endpoint { network: it.network.clone(), ..Endpoint::default() };
    }
    change(&mut settings);
    let made = apply.create(service, settings, None)?;
    let name = format!("{}-run-{}", project.container_name(&service.name), &made.id[..12]);
    engine.rename(&made, &name)?;
    Ok(Container { name, ..made })
}

/// A folder that is missing is told of before anything is stopped for its sake.
fn check_sources(service: &Service) -> Result<()> {
    let name = &service.name;
    let binds = service.settings.mounts.iter().filter(|it| it.kind == MountKind::Bind);
    for mount in binds {
        let found = match std::fs::metadata(&mount.source) {
            Err(error) if service.makes_sources && error.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(&mount.source)
            }
            found => found.map(drop),
        };
        found.map_err(|error| Error::Source {
            service: name.clone(),
            path: mount.source.clone(),
            error,
        })?;
    }
    Ok(())
}

/// One of that name may be there that somebody else has made; `down` leaves it alone.
fn provide_networks(engine: &Engine, project: &Project) -> Result<()> {
    for ProjectNetwork { name, external, internal, subnets, mut labels } in project.networks() {
        match engine.network(&name) {
            Err(engine::Error::NoSuchNetwork(_)) if !external => {
                labels.extend([own_label(project)]);
                let range = |(subnet, gateway): (Subnet, Option<IpAddr>)| {
                    let usual = Range::of(subnet);
                    Range { gateway: gateway.unwrap_or(usual.gateway), ..usual }
                };
                let subnets = subnets.into_iter().map(range).collect();
                let settings =
                    NetworkSettings { labels, internal, subnets, ..NetworkSettings::default() };
                engine.create_network(&name, settings)?;
            }
            network => drop(network?),
        }
    }
    Ok(())
}

fn own_label(project: &Project) -> (String, String) {
    (labels::PROJECT.to_owned(), project.name().to_owned())
}

struct Apply<'a> {
    engine: &'a Engine,
    project: &'a Project,
    bases: &'a BTreeMap<String, Base>,
    observer: &'a mut dyn Observer,
    running: BTreeMap<String, Container>,
    /// The services that were told to be ready.
    told: Vec<String>,
}

impl<'a> Apply<'a> {
    /// What all services share.
    fn begin(
        engine: &'a Engine,
        project: &'a Project,
        bases: &'a BTreeMap<String, Base>,
        observer: &'a mut dyn Observer,
    ) -> Result<Apply<'a>> {
        project.services().iter().try_for_each(check_sources)?;
        provide_networks(engine, project)?;
        Ok(Apply { engine, project, bases, observer, running: BTreeMap::new(), told: Vec::new() })
    }

    /// Each one when what it needs is there.
    fn steps(&mut self, plan: &Plan<'_>) -> Result<()> {
        for step in &plan.steps {
            step.service.needs.iter().try_for_each(|need| self.wait_for_need(need))?;
            let container = self.step(step)?;
            self.running.insert(step.service.name.clone(), container);
        }
        Ok(())
    }

    fn step(&mut self, step: &Step<'_>) -> Result<Container> {
        let service = step.service;
        let container = match &step.action {
            Action::Keep(container) | Action::Start(container) => {
                self.remove_all(&step.others)?;
                container.clone()
            }
            Action::Make => {
                let begin = Instant::now();
                let container = self.make(service, &step.others)?;
                self.observer.tell(Event::Prepared(service, begin.elapsed()));
                container
            }
        };
        if !matches!(step.action, Action::Keep(_)) {
            let begin = Instant::now();
            let started = self.engine.start(&container, Attach::Nothing);
            started.map_err(Error::of(&service.name))?;
            self.observer.tell(Event::Started(service, begin.elapsed()));
        }
        Ok(container)
    }

    fn remove_all(&mut self, containers: &[Container]) -> Result<()> {
        for container in containers {
            self.engine.stop(container, None)?;
            self.engine.remove(container, true, true)?;
            self.observer.tell(Event::Removed(&container.name));
        }
        Ok(())
    }

    /// Makes the container of a service, and removes those that it takes the place of.
    fn make(&mut self, service: &Service, others: &[Container]) -> Result<Container> {
        let engine = self.engine;
        let name = self.project.container_name(&service.name);
        let mut settings = self.settings(service)?;
        // Those that have never run have nothing; what they share with others stays.
        let (unused, old): (Vec<_>, Vec<_>) = others.iter().cloned().partition(|container| {
            engine.look(container).is_ok_and(|seen| seen.status == Status::Created)
        });
        self.remove_all(&unused)?;
        for container in &old {
            engine.stop(container, None)?;
            // The name is free for the new one then.
            if container.name == name {
                engine.rename(container, &format!("{name}-{}", &container.id[..12]))?;
            }
        }
        if let Some(newest) = old.first() {
            take_over_volumes(&mut settings, &newest.settings);
        }
        let made = self.create(service, settings, Some(&name))?;
        self.remove_all(&old)?;
        Ok(made)
    }

    /// Makes a container, which gets copies of what the file has for it.
    fn create(
        &self,
        service: &Service,
        settings: Settings,
        name: Option<&str>,
    ) -> Result<Container> {
        let (engine, of) = (self.engine, || Error::of(&service.name));
        let base = self.bases.get(&service.settings.image).ok_or_else(|| {
            let text = format!("its image {} was not got", service.settings.image);
            of()(engine::Error::Invalid(text))
        })?;
        for (name, text) in &service.texts {
            if text.is_empty() {
                let given = service.settings.secrets.iter().find(|it| it.name == *name);
                let target = given.map_or("", |it| it.target.as_str());
                let text =
                    format!("{target} would be empty: its text is, or its variable is not set");
                return Err(of()(engine::Error::Invalid(text)));
            }
            let labels = BTreeMap::from([own_label(self.project)]);
            engine.create_secret(name, text, labels, true).map_err(of())?;
        }
        let made = engine.create(base, settings, name).map_err(of());
        let removed = service.texts.keys().try_for_each(|it| engine.remove_secret(it).map(drop));
        made.and_then(|it| removed.map(|()| it).map_err(of()))
    }

    /// What the service says, and what follows from the project.
    fn settings(&self, service: &Service) -> Result<Settings> {
        let mut settings = service.settings.clone();
        labels::add(&mut settings, self.project, service);
        if settings.network.mode.is_empty() {
            self.project.name().clone_into(&mut settings.network.mode);
            settings.network.aliases.push(service.name.clone());
        }
        for mount in &mut settings.mounts {
            if mount.kind == MountKind::Volume && !mount.source.is_empty() {
                mount.source = self.provide_volume(self.project.volume(&mount.source))?;
            }
        }
        Ok(settings)
    }

    /// One that is there is left as it is. Returns its name.
    fn provide_volume(&self, volume: ProjectVolume) -> Result<String> {
        let ProjectVolume { name, external, mut labels } = volume;
        if external {
            return Ok(self.engine.volume(&name)?.name);
        }
        labels.extend([own_label(self.project)]);
        Ok(self.engine.create_volume(Some(&name), labels, None)?)
    }

    fn wait_for_need(&mut self, need: &Need) -> Result<()> {
        let project = self.project;
        let service = project.services().iter().find(|it| it.name == need.service);
        service.map_or(Ok(()), |service| self.wait(service, need.until))
    }

    /// Waits until a service is there.
    fn wait(&mut self, service: &Service, until: Until) -> Result<()> {
        let Some(container) = self.running.get(&service.name) else { return Ok(()) };
        let begin = Instant::now();
        loop {
            let seen = self.engine.look(container)?;
            match verdict(container, &seen, until) {
                Verdict::Ready => {
                    let event = Event::Ready(service, container, &seen, begin.elapsed());
                    if until == Until::Ready && !self.told.contains(&service.name) {
                        self.observer.tell(event);
                        self.told.push(service.name.clone());
                    }
                    return Ok(());
                }
                Verdict::Wait if self.observer.is_cancelled() => {
                    return Err(Error::Cancelled(service.name.clone()));
                }
                Verdict::Wait => std::thread::sleep(PACE),
                Verdict::Never(what) => {
                    let (service, container) = (service.name.clone(), container.name.clone());
                    return Err(Error::NotReady { service, what, container });
                }
            }
        }
    }
}

/// Mounts the volumes without a name of another container, so that a container can take its place.
fn take_over_volumes(settings: &mut Settings, old: &Settings) {
    for mount in &old.mounts {
        // Nobody but the engine makes up such a name.
        let is_made_up =
            mount.source.len() == 64 && mount.source.bytes().all(|digit| digit.is_ascii_hexdigit());
        if mount.kind != MountKind::Volume || !is_made_up {
            continue;
        }
        match settings.mounts.iter_mut().find(|it| it.target == mount.target) {
            Some(new) if new.kind == MountKind::Volume && new.source.is_empty() => {
                new.source.clone_from(&mount.source);
            }
            // Something else is mounted there now.
            Some(_) => {}
            None => settings.mounts.push(mount.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::take_over_volumes;
    use engine::settings::{Mount, MountKind, Settings};

    #[test]
    fn only_volumes_without_a_name_are_taken_over() {
        let mount = |kind, source: &str, target: &str| {
            let (source, target) = (source.to_owned(), target.to_owned());
            Mount { kind, source, target, ..Mount::default() }
        };
        let made_up = "a".repeat(64);
        let old = Settings {
            mounts: vec![
                mount(MountKind::Volume, &made_up, "/data"),
                mount(MountKind::Volume, &made_up, "/other"),
                mount(MountKind::Volume, "named", "/named"),
                mount(MountKind::Bind, "/x", "/x"),
            ],
            ..Settings::default()
        };
        let mut new =
            Settings { mounts: vec![mount(MountKind::Tmpfs, "", "/other")], ..Settings::default() };
        take_over_volumes(&mut new, &old);
        assert_eq!(new.mounts.len(), 2);
        assert_eq!(new.mounts[1], mount(MountKind::Volume, &made_up, "/data"));
    }
}
