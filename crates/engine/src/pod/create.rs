//! Making a pod, and containers in it.

use super::{Pod, PodSettings, row};
use crate::create::Place;
use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::settings::{Limits, LogOptions, Namespaces, Security, Settings};
use crate::{clock, folders, id, init};
use image::base::Base;

/// How often another name is tried where nobody has chosen one.
const TRIES: u32 = 10;

impl Engine {
    /// Makes a pod. Nothing of it runs.
    ///
    /// # Errors
    /// A setting is wrong; the name is taken.
    pub fn create_pod(&self, settings: PodSettings, name: Option<&str>) -> Result<Pod> {
        let Some(name) = name else {
            for _ in 0..TRIES {
                match self.create_named_pod(settings.clone(), &id::random_name()?) {
                    Err(Error::NameInUse { .. }) => {}
                    result => return result,
                }
            }
            return Err(Error::invalid("all names are taken: give one with --name"));
        };
        id::check_name(name)?;
        self.create_named_pod(settings, name)
    }

    fn create_named_pod(&self, settings: PodSettings, name: &str) -> Result<Pod> {
        check(&settings)?;
        let (id, name, created) = (id::random()?, name.to_owned(), clock::now());
        let mut pod = Pod { id, name, created, infra: None, settings };
        self.prepare_group(&pod)?;
        let folder = self.folders.pod(&pod.id);
        folders::make(&folder)?;
        // Until there is a row, nobody takes the folder for one that was left.
        let taken = || Error::invalid("another command has swept the new pod away: try again");
        let _lock = Lock::take_folder(&folder)?.ok_or_else(taken)?;
        let made = if pod.settings.share.has_namespaces() {
            self.make_infra(&mut pod)
        } else {
            self.store.write(|transaction| row::insert(transaction, &pod))
        };
        if let Err(error) = made {
            // The row is there if the infra container could not be connected.
            row::delete(&self.store, &pod.id)?;
            folders::remove(&folder)?;
            return Err(error);
        }
        self.tell_pod_event(&pod, "create")?;
        Ok(pod)
    }

    /// The container that holds the namespaces, and with it the pod's row.
    fn make_infra(&self, pod: &mut Pod) -> Result<()> {
        let id = id::random()?;
        let name = match pod.settings.infra_name.as_str() {
            "" => format!("{}-infra", &pod.id[..12]),
            name => name.to_owned(),
        };
        id::check_name(&name)?;
        pod.infra = Some(id);
        let settings = infra_settings(pod);
        self.make(&Base::nothing(), settings, Some(&name), Place::Infra(pod)).map(drop)
    }

    /// Makes a container in a pod. What the pod shares is the pod's to decide.
    ///
    /// # Errors
    /// As [`Engine::create`]; a setting is the pod's; the pod was removed.
    pub fn create_in_pod(
        &self,
        base: &Base,
        settings: Settings,
        name: Option<&str>,
        pod: &Pod,
    ) -> Result<Container> {
        let settings = self.join_pod(pod, settings)?;
        let container = self.make(base, settings, name, Place::Member(pod))?;
        self.tell_names(pod)?;
        Ok(container)
    }
}

/// What can only be with an infra container, or with a network that is shared.
fn check(settings: &PodSettings) -> Result<()> {
    let share = settings.share;
    let network = &settings.network;
    if !share.network && *network != crate::settings::Network::default() {
        return Err(Error::invalid(
            "a pod that does not share its network has no ports, addresses, names or hosts of its \
             own: share net, or give these to its containers",
        ));
    }
    if !share.uts && !settings.hostname.is_empty() {
        return Err(Error::invalid("--hostname: the pod does not share uts"));
    }
    if !share.ipc && settings.limits.shm_size.is_some() {
        return Err(Error::invalid("--shm-size: the pod does not share ipc"));
    }
    if !share.has_namespaces() {
        for (flag, is_given) in [
            ("--infra-name", !settings.infra_name.is_empty()),
            ("--volume", !settings.mounts.is_empty()),
            ("--sysctl", !settings.limits.sysctls.is_empty()),
            ("--userns", settings.namespaces.wants_own_ids()),
        ] {
            if is_given {
                let text = "needs an infra container, and the pod shares no namespace";
                return Err(Error::invalid(format!("{flag}: {text}")));
            }
        }
    }
    Ok(())
}

/// A container in which `tino` waits and may do nothing.
fn infra_settings(pod: &Pod) -> Settings {
    let PodSettings { share, hostname, network, limits, mounts, .. } = &pod.settings;
    let mut network = network.clone();
    if !share.network {
        "none".clone_into(&mut network.mode);
    }
    Settings {
        entrypoint: Some(vec![init::PATH.to_owned()]),
        command: vec!["-P".to_owned()],
        init: true,
        hostname: if hostname.is_empty() { pod.name.clone() } else { hostname.clone() },
        network,
        mounts: mounts.clone(),
        read_only: true,
        limits: Limits {
            shm_size: limits.shm_size,
            sysctls: limits.sysctls.clone(),
            ..Limits::default()
        },
        security: Security { cap_drop: vec!["ALL".to_owned()], ..Security::default() },
        namespaces: Namespaces { cgroup_parent: above(pod), ..pod.settings.namespaces.clone() },
        log: LogOptions { none: true, ..LogOptions::default() },
        ..Settings::default()
    }
}

/// The cgroup above a container of a pod.
pub(super) fn above(pod: &Pod) -> String {
    if pod.settings.share.cgroup_parent {
        pod.cgroup_path()
    } else {
        pod.settings.cgroup_parent.clone()
    }
}
