//! What is to be done so that what is there becomes what a project says. Nothing is done here.

use crate::found::Found;
use crate::labels::{FINGERPRINT, fingerprint};
use crate::model::{Project, Service};
use engine::{Container, Status};
use image::base::Base;
use std::collections::BTreeMap;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// For each service, in this order.
    pub steps: Vec<Step<'a>>,
    /// Containers of services that the project has no longer.
    pub orphans: Vec<Container>,
}

/// What is to be done for a service.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// Which.
    pub service: &'a Service,
    /// What.
    pub action: Action,
    /// Containers that are in the way: not the one that stays.
    pub others: Vec<Container>,
}

/// What is to be done for a service.
#[derive(Clone, Debug)]
pub enum Action {
    /// Its container runs, and is what it is to be.
    Keep(Container),
    /// Its container has ended, and is what it is to be.
    Start(Container),
    /// There is none, or another one.
    Make,
}

/// Compares what is to be with what is there. `bases` has what each image means now.
pub fn plan<'a>(project: &'a Project, bases: &BTreeMap<String, Base>, found: &[Found]) -> Plan<'a> {
    let step = |service: &'a Service| {
        let own = found.iter().filter(|it| it.service() == service.name && !it.is_one_off());
        let (mut action, mut others) = (Action::Make, Vec::new());
        for it in own {
            let container = it.container.clone();
            let base = bases.get(&service.settings.image);
            let is_it = matches!(action, Action::Make)
                && base.is_some_and(|base| is_made_of(&container, base))
                && it.label(FINGERPRINT) == fingerprint(&service.settings);
            match it.status {
                // Whoever made it may have been killed before it was whole; there is nothing in it.
                Status::Created => others.push(container),
                Status::Exited if is_it => action = Action::Start(container),
                _ if is_it => action = Action::Keep(container),
                _ => others.push(container),
            }
        }
        Step { service, action, others }
    };
    let is_orphan = |it: &&Found| !project.knows(it.service());
    Plan {
        steps: project.services().iter().map(step).collect(),
        orphans: found.iter().filter(is_orphan).map(|it| it.container.clone()).collect(),
    }
}

fn is_made_of(container: &Container, base: &Base) -> bool {
    let manifest = base.image.as_ref().map(|image| &image.manifest);
    container.manifest.as_ref() == manifest
        && container.layers.iter().eq(base.lowers.iter().map(|lower| &lower.path))
}

#[cfg(test)]
mod tests {
    use super::{Action, plan};
    use crate::found::Found;
    use crate::labels;
    use crate::model::{Project, Service};
    use engine::settings::Settings;
    use engine::{Container, Status};
    use image::base::Base;
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    fn service(name: &str, user: &str) -> Service {
        let (image, user) = ("host:".to_owned(), user.to_owned());
        let settings = Settings { image, user, ..Settings::default() };
        Service { name: name.to_owned(), settings, ..Service::default() }
    }

    fn container(id: &str, service: &Service, status: Status) -> Found {
        let project = Project::new("shop".to_owned(), vec![service.clone()]).unwrap();
        let mut settings = service.settings.clone();
        labels::add(&mut settings, &project, service);
        let (id, name) = (id.to_owned(), service.name.clone());
        let layers = vec![PathBuf::from("/")];
        let container = Container {
            id,
            name,
            manifest: None,
            layers,
            created: 0,
            settings,
            pod: None,
            is_infra: false,
        };
        Found { container, status }
    }

    fn planned(services: &[Service], found: &[Found], base: &str) -> String {
        let project = Project::new("shop".to_owned(), services.to_vec()).unwrap();
        let base = Base::folder(base.as_ref()).unwrap();
        let bases = BTreeMap::from([("host:".to_owned(), base)]);
        let plan = plan(&project, &bases, found);
        let mut lines = Vec::new();
        for step in &plan.steps {
            let what = match &step.action {
                Action::Keep(it) => format!("keep {}", it.id),
                Action::Start(it) => format!("start {}", it.id),
                Action::Make => "make".to_owned(),
            };
            let others: Vec<&str> = step.others.iter().map(|it| it.id.as_str()).collect();
            lines.push(format!("{} {what} {}", step.service.name, others.join(" ")));
        }
        lines.extend(plan.orphans.iter().map(|it| format!("orphan {}", it.id)));
        lines.join("; ")
    }

    #[test]
    fn what_is_the_same_stays_and_what_is_not_is_replaced() {
        let (web, db) = (service("web", ""), service("db", ""));
        let all = [web.clone(), db.clone()];
        let running = container("1", &web, Status::Running);
        assert_eq!(planned(&all, std::slice::from_ref(&running), "/"), "web keep 1 ; db make ");
        let ended = container("2", &db, Status::Exited);
        assert_eq!(planned(&all, &[running.clone(), ended], "/"), "web keep 1 ; db start 2 ");
        // Another setting, another image.
        let other = container("3", &service("web", "root"), Status::Running);
        assert_eq!(planned(&all[..1], &[other], "/"), "web make 3");
        assert_eq!(planned(&all[..1], &[running], "/usr"), "web make 1");
    }

    #[test]
    fn what_somebody_was_killed_over_is_made_anew() {
        let web = service("web", "");
        let all = [web.clone()];
        let half = container("2", &web, Status::Created);
        assert_eq!(planned(&all, std::slice::from_ref(&half), "/"), "web make 2");
        let old = container("1", &service("web", "root"), Status::Exited);
        assert_eq!(planned(&all, &[half, old], "/"), "web make 2 1");
        // Two of them, of which one will do.
        let twins = ["2", "1"].map(|id| container(id, &web, Status::Running));
        assert_eq!(planned(&all, &twins, "/"), "web keep 2 1");
    }

    #[test]
    fn what_is_gone_from_the_file_is_an_orphan() {
        let gone = container("9", &service("old", ""), Status::Running);
        assert_eq!(planned(&[service("web", "")], &[gone], "/"), "web make ; orphan 9");
    }
}
