//! Making what is there what a plan says.
//!
//! Whoever is killed in between leaves containers with labels, and the next plan is made of these.
//! So one that replaces another is made before the other one is removed: it takes over the volumes
//! that nobody has given a name.

use crate::error::{Error, Result};
use crate::labels;
use crate::model::{Need, Project, Service, Until};
use crate::plan::{Action, Plan, Step};
use engine::settings::{MountKind, RestartPolicy, Settings};
use engine::{Attach, Container, Engine, HealthStatus, NetworkSettings, Seen, Status};
use image::base::Base;
use std::collections::BTreeMap;
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
    plan.steps.iter().try_for_each(check_sources)?;
    provide_network(engine, project, plan)?;
    let mut apply =
        Apply { engine, project, bases, observer, running: BTreeMap::new(), told: Vec::new() };
    for step in &plan.steps {
        for need in &step.service.needs {
            apply.wait_for_need(need)?;
        }
        let container = apply.step(step)?;
        apply.running.insert(step.service.name.clone(), container);
    }
    for step in &plan.steps {
        apply.wait(step.service, Until::Ready)?;
    }
    let mut running = apply.running;
    Ok(plan.steps.iter().filter_map(|step| running.remove(&step.service.name)).collect())
}

/// A folder that is missing is told of before anything is stopped for its sake.
fn check_sources(step: &Step<'_>) -> Result<()> {
    let service = &step.service.name;
    let binds = step.service.settings.mounts.iter().filter(|it| it.kind == MountKind::Bind);
    for mount in binds {
        std::fs::metadata(&mount.source).map_err(|error| Error::Source {
            service: service.clone(),
            path: mount.source.clone(),
            error,
        })?;
    }
    Ok(())
}

/// One of that name may be there that somebody else has made; `down` leaves it alone.
fn provide_network(engine: &Engine, project: &Project, plan: &Plan<'_>) -> Result<()> {
    let is_needed = plan.steps.iter().any(|step| step.service.settings.network.mode.is_empty());
    if !is_needed {
        return Ok(());
    }
    match engine.network(project.name()) {
        Err(engine::Error::NoSuchNetwork(name)) => {
            let labels = BTreeMap::from([(labels::PROJECT.to_owned(), name.clone())]);
            let settings = NetworkSettings { labels, ..NetworkSettings::default() };
            engine.create_network(&name, settings)?;
            Ok(())
        }
        network => Ok(network.map(drop)?),
    }
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

impl Apply<'_> {
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
        let base = self.bases.get(&service.settings.image).ok_or_else(|| {
            let text = format!("its image {} was not got", service.settings.image);
            Error::of(&service.name)(engine::Error::Invalid(text))
        })?;
        let made = engine.create(base, settings, Some(&name)).map_err(Error::of(&service.name))?;
        self.remove_all(&old)?;
        Ok(made)
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
                let name = format!("{}_{}", self.project.name(), mount.source);
                let label = (labels::PROJECT.to_owned(), self.project.name().to_owned());
                mount.source =
                    self.engine.create_volume(Some(&name), BTreeMap::from([label]), None)?;
            }
        }
        Ok(settings)
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

#[derive(Debug, PartialEq)]
enum Verdict {
    Ready,
    Wait,
    Never(String),
}

/// Whether a container is what somebody waits for.
fn verdict(container: &Container, seen: &Seen, until: Until) -> Verdict {
    let code = seen.state.exit_code;
    let is_over = matches!(seen.status, Status::Exited | Status::Created);
    let comes_back = container.settings.restart.policy != RestartPolicy::No;
    match (until, seen.status, seen.state.health) {
        (Until::Completed, Status::Exited, _) if code == 0 => Verdict::Ready,
        (Until::Completed, _, _) if !is_over => Verdict::Wait,
        // A job that is done. Somebody who needs its health waits in vain.
        (Until::Ready | Until::Started, Status::Exited, _) if code == 0 => Verdict::Ready,
        (_, Status::Restarting, _) if comes_back => Verdict::Wait,
        _ if is_over => Verdict::Never(format!("has ended with exit code {code}")),
        (Until::Started, _, _) => Verdict::Ready,
        (_, _, Some((HealthStatus::Healthy, _))) => Verdict::Ready,
        (_, _, Some((HealthStatus::Starting, _))) => Verdict::Wait,
        (_, _, Some((HealthStatus::Unhealthy, failures))) => {
            Verdict::Never(format!("is unhealthy: its check has failed {failures} times"))
        }
        (Until::Healthy, _, None) => {
            Verdict::Never("has no health check, so it never becomes healthy".to_owned())
        }
        (_, _, None) => Verdict::Ready,
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, take_over_volumes, verdict};
    use crate::model::Until;
    use engine::settings::{Mount, MountKind, Settings};
    use engine::{Container, HealthStatus, Seen, State, Status};

    fn judge(status: Status, health: Option<HealthStatus>, exit_code: u8, until: Until) -> Verdict {
        let container = Container {
            id: String::new(),
            name: String::new(),
            manifest: None,
            layers: Vec::new(),
            created: 0,
            settings: Settings::default(),
            pod: None,
            is_infra: false,
        };
        let health = health.map(|health| (health, 3));
        let state = State { exit_code, health, ..State::default() };
        verdict(&container, &Seen { status, state }, until)
    }

    #[test]
    fn who_is_ready() {
        use HealthStatus::{Healthy, Starting, Unhealthy};
        use Status::{Exited, Running};
        let never = |verdict| matches!(verdict, Verdict::Never(_));
        assert_eq!(judge(Running, None, 0, Until::Ready), Verdict::Ready);
        assert_eq!(judge(Running, Some(Starting), 0, Until::Ready), Verdict::Wait);
        assert_eq!(judge(Running, Some(Starting), 0, Until::Started), Verdict::Ready);
        assert_eq!(judge(Running, Some(Healthy), 0, Until::Healthy), Verdict::Ready);
        assert!(never(judge(Running, Some(Unhealthy), 0, Until::Ready)));
        assert!(never(judge(Running, None, 0, Until::Healthy)));
        assert_eq!(judge(Running, None, 0, Until::Completed), Verdict::Wait);
        assert_eq!(judge(Exited, None, 0, Until::Completed), Verdict::Ready);
        assert_eq!(judge(Exited, None, 0, Until::Ready), Verdict::Ready);
        assert!(never(judge(Exited, None, 1, Until::Completed)));
        assert!(never(judge(Exited, None, 1, Until::Ready)));
        assert!(never(judge(Exited, Some(Starting), 0, Until::Healthy)));
    }

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
