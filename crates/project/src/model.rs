//! What is to run: plain data, whatever kind of file said it.

use engine::settings::Settings;
use net::subnet::Subnet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// How many services there may be.
const MOST: usize = 1000;

/// What belongs together: services that are in a network of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    name: String,
    services: Vec<Service>,
    /// The names of all services that the file has.
    known: Vec<String>,
    /// Those that the file has besides the project's own.
    networks: Vec<ProjectNetwork>,
    /// Volumes of which the file says more than a name, by that name.
    volumes: BTreeMap<String, ProjectVolume>,
}

/// A network of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectNetwork {
    /// Its name.
    pub name: String,
    /// Somebody else makes it.
    pub external: bool,
    /// It leads nowhere else.
    pub internal: bool,
    /// Its addresses, and that of the machine in them, if they are not to be chosen.
    pub subnets: Vec<(Subnet, Option<IpAddr>)>,
    /// What it is labelled with, if it is made.
    pub labels: BTreeMap<String, String>,
}

/// A volume of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProjectVolume {
    pub(crate) name: String,
    /// Somebody else makes it.
    pub(crate) external: bool,
    /// What it is labelled with, if it is made.
    pub(crate) labels: BTreeMap<String, String>,
}

/// Something that is to run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// What the others call it.
    pub name: String,
    /// What its container is to be. The engine completes it.
    pub settings: Settings,
    /// When a registry is asked for its image.
    pub pull: Pull,
    /// What must be there before it starts.
    pub needs: Vec<Need>,
    /// It is only meant where one of these is; empty: always.
    pub profiles: Vec<String>,
    /// What its container is called, if it is not called as usual.
    pub container: Option<String>,
    /// Folders of the machine that are to be mounted are made if they are not there.
    pub makes_sources: bool,
    /// What the file has for it itself, as secrets that are there until its container is made.
    pub texts: BTreeMap<String, Vec<u8>>,
}

impl Service {
    fn is_in(&self, profiles: &[String]) -> bool {
        let is_one = |own| profiles.iter().any(|it| it == own || it == "*");
        self.profiles.is_empty() || self.profiles.iter().any(is_one)
    }
}

/// When a registry is asked for an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pull {
    /// If there is no such image here.
    #[default]
    Missing,
    /// In any case.
    Always,
    /// Not at all.
    Never,
}

/// Another service that one depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Its name.
    pub service: String,
    /// Since when it is there.
    pub until: Until,
}

/// Since when a service is there for others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// It is healthy, if there is a check, or it runs.
    #[default]
    Ready,
    /// It runs.
    Started,
    /// It is healthy.
    Healthy,
    /// It has ended well.
    Completed,
}

/// Why services are no project.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProjectError {
    /// The name cannot be one.
    #[error(
        "{0:?} cannot be a name: expected letters, digits, '_', '.' and '-', the first a letter or \
         digit, 2 to 63 in all"
    )]
    Name(String),
    /// There are more than anybody writes.
    #[error("there are {0} services, at most 1000 are allowed")]
    Many(usize),
    /// Two services have one name.
    #[error("there are two services {0}")]
    Twice(String),
    /// A service needs one that there is not.
    #[error("there is no service {need:?}")]
    Unknown {
        /// Which.
        service: String,
        /// What it needs.
        need: String,
    },
    /// Services need each other.
    #[error("services depend on each other in a circle: {}", .0.join(" -> "))]
    Circle(
        /// From one to itself.
        Vec<String>,
    ),
}

impl Project {
    /// # Errors
    /// Names are wrong, or services depend on what is not there.
    pub fn new(name: String, services: Vec<Service>) -> Result<Project, ProjectError> {
        // It is the name of a network as well, which has two letters at least.
        if name.len() < 2 || !is_name(&name) {
            return Err(ProjectError::Name(name));
        }
        if services.len() > MOST {
            return Err(ProjectError::Many(services.len()));
        }
        let known = services.iter().map(|it| it.name.clone()).collect();
        let (networks, volumes) = (Vec::new(), BTreeMap::new());
        Ok(Project { name, services: in_order(services)?, known, networks, volumes })
    }

    /// The networks that services are in: the project's own first, if one of them says nothing else.
    pub(crate) fn networks(&self) -> Vec<ProjectNetwork> {
        let is_used = |name: &str| {
            self.services.iter().map(|it| &it.settings.network).any(|network| {
                network.mode == name || network.more.iter().any(|it| it.network == name)
            })
        };
        let own = ProjectNetwork { name: self.name.clone(), ..ProjectNetwork::default() };
        let is_said = self.networks.iter().any(|it| it.name == self.name);
        let own = (is_used("") && !is_said).then_some(own);
        let others = self.networks.iter().filter(|it| is_used(&it.name)).cloned();
        own.into_iter().chain(others).collect()
    }

    pub(crate) fn set_networks(&mut self, networks: Vec<ProjectNetwork>) {
        self.networks = networks;
    }

    pub(crate) fn add_volume(&mut self, key: &str, volume: ProjectVolume) {
        self.volumes.insert(key.to_owned(), volume);
    }

    /// The volume of this name in the file.
    pub(crate) fn volume(&self, key: &str) -> ProjectVolume {
        let usual = || ProjectVolume { name: format!("{}_{key}", self.name), ..Default::default() };
        self.volumes.get(key).cloned().unwrap_or_else(usual)
    }

    pub(crate) fn service_mut(&mut self, name: &str) -> Option<&mut Service> {
        self.services.iter_mut().find(|it| it.name == name)
    }

    /// Whether a service is in the file, even if it is not wanted now.
    pub(crate) fn knows(&self, service: &str) -> bool {
        self.known.iter().any(|it| it == service)
    }

    /// Gives variables that are only named the value that they have for the caller, if any.
    pub fn complete_variables(&mut self, value: impl Fn(&str) -> Option<String>) {
        let variables = self.services.iter_mut().flat_map(|it| &mut it.settings.env);
        for variable in variables.filter(|it| !it.contains('=')) {
            if let Some(value) = value(variable) {
                *variable = format!("{variable}={value}");
            }
        }
    }

    /// How it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Each one behind those that it depends on.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// What the container of a service is called. A service that has the project's name needs no
    /// second one.
    pub fn container_name(&self, service: &str) -> String {
        let own = self.services.iter().find(|it| it.name == service);
        if let Some(name) = own.and_then(|it| it.container.clone()) {
            return name;
        }
        if service == self.name { service.to_owned() } else { format!("{}-{service}", self.name) }
    }

    /// Only these services, whatever their profiles are; without names, those without profiles or
    /// with one of these (`*`: any). In any case with what they depend on.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn only(mut self, names: &[String], profiles: &[String]) -> Result<Project, ProjectError> {
        let project = self.name.clone();
        let mut wanted: Vec<String> = names.to_vec();
        if names.is_empty() {
            let meant = self.services.iter().filter(|it| it.is_in(profiles));
            wanted.extend(meant.map(|it| it.name.clone()));
        }
        let mut place = 0;
        while let Some(name) = wanted.get(place).cloned() {
            let Some(service) = self.services.iter().find(|it| it.name == name) else {
                return Err(ProjectError::Unknown { service: project, need: name });
            };
            for need in &service.needs {
                if !wanted.contains(&need.service) {
                    wanted.push(need.service.clone());
                }
            }
            place += 1;
        }
        self.services.retain(|it| wanted.contains(&it.name));
        Ok(self)
    }
}

/// A name that is good for a container, a network, and for names that are looked up.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let starts_well = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    starts_well && text.len() <= 63 && text.bytes().all(allowed)
}

/// The services in an order in which they can be started; otherwise as they were.
fn in_order(services: Vec<Service>) -> Result<Vec<Service>, ProjectError> {
    let mut places = BTreeMap::new();
    for (place, service) in services.iter().enumerate() {
        if !is_name(&service.name) {
            return Err(ProjectError::Name(service.name.clone()));
        }
        if places.insert(service.name.clone(), place).is_some() {
            return Err(ProjectError::Twice(service.name.clone()));
        }
    }
    let mut order = Order { services: &services, places: &places, done: Vec::new() };
    for service in &services {
        order.add(&service.name, &mut Vec::new())?;
    }
    let order: Vec<usize> = order.done;
    let mut services: Vec<Option<Service>> = services.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|place| services[place].take()).collect())
}

struct Order<'a> {
    services: &'a [Service],
    places: &'a BTreeMap<String, usize>,
    done: Vec<usize>,
}

impl Order<'_> {
    /// Adds what a service needs, and then itself. `above` is who needs it, from the first on.
    fn add(&mut self, name: &str, above: &mut Vec<String>) -> Result<(), ProjectError> {
        if let Some(first) = above.iter().position(|it| it == name) {
            let mut circle = above.split_off(first);
            circle.push(name.to_owned());
            return Err(ProjectError::Circle(circle));
        }
        let Some(place) = self.places.get(name).copied() else {
            let service = above.last().cloned().unwrap_or_default();
            return Err(ProjectError::Unknown { service, need: name.to_owned() });
        };
        if self.done.contains(&place) {
            return Ok(());
        }
        above.push(name.to_owned());
        let services = self.services;
        for need in &services[place].needs {
            self.add(&need.service, above)?;
        }
        above.pop();
        self.done.push(place);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Need, Project, ProjectError, Service, Until};

    /// `a:b,c` needs b and c.
    fn project(text: &str) -> Result<Project, ProjectError> {
        let service = |text: &str| {
            let (name, needs) = text.split_once(':').unwrap_or((text, ""));
            let needs = needs.split(',').filter(|it| !it.is_empty());
            let needs = needs.map(|it| Need { service: it.to_owned(), until: Until::Ready });
            Service { name: name.to_owned(), needs: needs.collect(), ..Service::default() }
        };
        Project::new("shop".to_owned(), text.split(' ').map(service).collect())
    }

    fn names_of(project: &Project) -> String {
        project.services().iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_needed_comes_first_and_all_else_stays() {
        assert_eq!(names_of(&project("a:c b c:d d e").unwrap()), "d c a b e");
        assert_eq!(names_of(&project("a b c").unwrap()), "a b c");
    }

    #[test]
    fn circles_and_what_is_not_there() {
        let circle = project("x a:b b:c c:a").unwrap_err();
        let path = ["a", "b", "c", "a"].map(str::to_owned).to_vec();
        assert_eq!(circle, ProjectError::Circle(path));
        assert_eq!(
            project("a:a").unwrap_err().to_string(),
            "services depend on each other in a circle: a -> a"
        );
        let unknown = project("a b:x").unwrap_err();
        let (service, need) = ("b".to_owned(), "x".to_owned());
        assert_eq!(unknown, ProjectError::Unknown { service, need });
        assert_eq!(project("a a").unwrap_err(), ProjectError::Twice("a".to_owned()));
        assert_eq!(project("a -b").unwrap_err(), ProjectError::Name("-b".to_owned()));
    }

    #[test]
    fn some_services_and_what_they_need() {
        let all = || project("a:c b c:d d e").unwrap();
        assert_eq!(names_of(&all().only(&["c".to_owned(), "e".to_owned()], &[]).unwrap()), "d c e");
        assert_eq!(names_of(&all().only(&[], &[]).unwrap()), "d c a b e");
        assert!(all().only(&["x".to_owned()], &[]).is_err());
    }

    #[test]
    fn services_with_profiles_are_meant_where_one_of_them_is() {
        let only = |names: &[&str], profiles: &[&str]| {
            let mut all = project("a:c b c d").unwrap();
            for service in &mut all.services {
                let own = if "bc".contains(&service.name) { &["x", "y"][..] } else { &[] };
                service.profiles = own.iter().map(ToString::to_string).collect();
            }
            let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
            names_of(&all.only(&owned(names), &owned(profiles)).unwrap())
        };
        // What one of them needs, too.
        assert_eq!(only(&[], &[]), "c a d");
        assert_eq!(only(&[], &["y", "z"]), "c a b d");
        assert_eq!(only(&[], &["*"]), "c a b d");
        assert_eq!(only(&["b"], &["z"]), "b");
    }

    #[test]
    fn containers_are_called_after_both() {
        let project = project("shop db").unwrap();
        assert_eq!(project.container_name("shop"), "shop");
        assert_eq!(project.container_name("db"), "shop-db");
    }
}
