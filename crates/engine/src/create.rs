//! Making a container: a row and a folder. Nothing of it runs.

use crate::clock;
use crate::database::{self, Container};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::folders::{self, ContainerFolder};
use crate::lock::Lock;
use crate::pod::Pod;
use crate::settings::{OnFailure, SeccompChoice, Settings};
use crate::user_namespace::IdWish;
use crate::{configuration, id, merge, network, places, seccomp_profile, secret};
use image::base::Base;
use rusqlite::Connection;
use std::os::fd::AsFd as _;
use sys::OrError;
use sys::rustix::fs::{CWD, Mode, OFlags, openat};

/// How often another name is tried where nobody has chosen one.
const TRIES: u32 = 100;

/// Where a container belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// Nowhere.
    Alone,
    /// In a pod.
    Member(&'a Pod),
    /// In a pod that is made with it, whose namespaces it holds.
    Infra(&'a Pod),
}

impl Place<'_> {
    /// That of a new container.
    fn id(&self) -> Result<String> {
        match self {
            // The pod says which.
            Place::Infra(Pod { infra: Some(id), .. }) => Ok(id.clone()),
            _ => id::random(),
        }
    }
}

impl Engine {
    /// Makes a container of an image or a folder.
    ///
    /// # Errors
    /// A setting is wrong; the name is taken; the image is gone by now.
    pub fn create(&self, base: &Base, settings: Settings, name: Option<&str>) -> Result<Container> {
        self.make(base, settings, name, Place::Alone)
    }

    pub(crate) fn make(
        &self,
        base: &Base,
        settings: Settings,
        name: Option<&str>,
        place: Place<'_>,
    ) -> Result<Container> {
        let name = name.map(checked_name).transpose()?;
        let mut settings = complete(settings, base)?;
        configuration::check(&settings, self.user_marks)?;
        let secrets = self.take_secrets(&mut settings)?;
        if matches!(place, Place::Alone) {
            check_hostname(&settings)?;
        }
        let connections = self.plan_connection(&settings)?;
        self.find_links(&mut settings.network, &connections)?;
        self.find_required(&mut settings.requires)?;
        let choice = self.choose_ids(&settings.namespaces)?;
        let id = place.id()?;
        places::provide(&self.folders)?;
        let folder = self.folders.container(&id);
        // Until there is a row, nobody takes the folder for one that was left.
        let _lock = make_locked(&folder)?;
        let volumes = self
            .provide_volumes(&mut settings)
            // What cannot be removed now is removed by a later sweep.
            .inspect_err(|_| drop(folders::remove(&folder.path)))?;
        let more = |database: &Connection| {
            volumes.volumes.iter().try_for_each(|it| database::insert_volume(database, it))?;
            connections.iter().try_for_each(|(network, wish)| {
                network::connect_in(database, &id, network, wish).map(drop)
            })
        };
        let provide_content = || {
            if base.image.is_none() || volumes.volumes.is_empty() {
                return Ok(());
            }
            let layers: Vec<_> = base.lowers.iter().map(|it| it.path.clone()).collect();
            self.fill_volumes(&folder, &layers, &id, &settings)
        };
        let made = fill(&folder, base)
            .and_then(|()| secret::provide(&folder, &secrets))
            .and_then(|()| provide_content())
            .and_then(|()| self.wish_for_ids(choice, &folder, base, &mut settings))
            .and_then(|ids| self.insert(&id, base, settings, (name, place), &ids, &more));
        let container = match made {
            Ok(container) => container,
            Err(error) => {
                // What cannot be removed now is removed by a later sweep.
                let _ = folders::remove(&folder.path);
                let _ = self.withdraw_volumes(volumes);
                return Err(error);
            }
        };
        // What follows may take long, and others make volumes meanwhile.
        let new = volumes.into_new();
        self.provide_copies(&container).or_else(|error| self.take_back(&container, error))?;
        new.iter().try_for_each(|name| self.tell_event_of_volume(name, "create"))?;
        self.tell_event(&container, "create", &[]).map(|()| container)
    }

    /// Finds the containers of `--requires`, by whatever name they have later.
    fn find_required(&self, all: &mut [String]) -> Result<()> {
        for name in all {
            let wrong = |error| Error::invalid(format!("--requires {name}: {error}"));
            *name = self.find(name).map_err(wrong)?.id;
        }
        Ok(())
    }

    /// Removes a container that has a row and cannot be made for this reason.
    fn take_back(&self, container: &Container, error: Error) -> Result<()> {
        let orphans = database::delete(&self.store, &container.id, true)?;
        // What cannot be removed now is removed by a later sweep.
        let _ = folders::remove(&self.folder(container).path);
        let _ = orphans.iter().try_for_each(|name| self.remove_volume_folder(name));
        Err(error)
    }

    fn insert(
        &self,
        id: &str,
        base: &Base,
        settings: Settings,
        (name, place): (Option<&str>, Place<'_>),
        ids: &IdWish,
        more: &dyn Fn(&Connection) -> Result<()>,
    ) -> Result<Container> {
        let (pod, new_pod) = match place {
            Place::Alone => (None, None),
            Place::Member(pod) => (Some(pod), None),
            Place::Infra(pod) => (Some(pod), Some(pod)),
        };
        let mut container = Container {
            name: String::new(),
            id: id.to_owned(),
            manifest: base.image.as_ref().map(|image| image.manifest.clone()),
            layers: base.lowers.iter().map(|lower| lower.path.clone()).collect(),
            created: clock::now(),
            settings,
            pod: pod.map(|pod| pod.id.clone()),
            is_infra: new_pod.is_some(),
        };
        let volumes = configuration::volumes_of(&container.settings);
        let copied = base.image.as_ref().filter(|_| self.user_marks);
        for attempt in 0..TRIES {
            container.name = match name {
                Some(name) => name.to_owned(),
                None if attempt < 3 => id::random_name()?,
                None => format!("{}{attempt}", id::random_name()?),
            };
            match database::insert(
                &self.store,
                &mut container,
                (&volumes, ids),
                copied,
                new_pod,
                more,
            ) {
                Err(Error::NameInUse { .. }) if name.is_none() => {}
                result => return result.map(|()| container),
            }
        }
        Err(Error::invalid("all names are taken: give one with --name"))
    }
}

fn checked_name(name: &str) -> Result<&str> {
    let name = id::without_slash(name);
    id::check_name(name).map_err(|error| Error::invalid(format!("--name: {error}")))?;
    Ok(name)
}

/// Makes a container's folder, again if somebody sweeps it away before it is locked.
fn make_locked(folder: &ContainerFolder) -> Result<Lock> {
    loop {
        folders::make(&folder.path)?;
        if let Some(lock) = Lock::take_folder(&folder.path)? {
            return Ok(lock);
        }
    }
}

/// What the user says, with all that he does not say.
fn complete(settings: Settings, base: &Base) -> Result<Settings> {
    let needs_check = settings
        .health
        .as_ref()
        .is_some_and(|health| health.startup.is_some() || health.on_failure != OnFailure::None);
    let mut settings = merge::with_image(settings, &base.config.config);
    if needs_check && settings.health.is_none() {
        return Err(Error::invalid(
            "--health-on-failure and --health-startup-cmd: the image has no health check, give one \
             with --health-cmd",
        ));
    }
    if settings.network.mode.is_empty() {
        crate::network::DEFAULT.clone_into(&mut settings.network.mode);
    }
    if settings.words().next().is_none() {
        return Err(Error::invalid(
            "no command: the image has none, and none was given after its name",
        ));
    }
    if let SeccompChoice::Profile(text) = &settings.security.seccomp {
        let capabilities = configuration::capability_names(&settings)?;
        let kernel = sys::rustix::system::uname();
        let kernel = kernel.release().to_string_lossy();
        let section = seccomp_profile::section(text, &capabilities, &kernel)?;
        settings.security.seccomp = SeccompChoice::Profile(section);
    }
    Ok(settings)
}

/// Who has the host name of somebody else cannot say what it is.
fn check_hostname(settings: &Settings) -> Result<()> {
    let (uts, network) = (&settings.namespaces.uts, &settings.network.mode);
    let others = |mode: &str| mode.starts_with("container:");
    let of = match () {
        () if uts == "host" || others(uts) => format!("--uts {uts}"),
        () if others(network) => format!("--network {network}"),
        () => return Ok(()),
    };
    for (flag, value) in
        [("--hostname", &settings.hostname), ("--domainname", &settings.domainname)]
    {
        if !value.is_empty() {
            let text = format!("{flag}: not together with {of}, whose host name is another's");
            return Err(Error::Invalid(text));
        }
    }
    Ok(())
}

/// The folders of a container, which are empty but for what its layers leave unsaid.
fn fill(folder: &ContainerFolder, base: &Base) -> Result<()> {
    // The container's root folder has the mode of its changes' folder.
    for (name, mode) in [("upper", 0o755), ("work", 0o700)] {
        folders::make_with(&folder.file(name), mode)?;
    }
    let upper = folder.upper();
    let upper = openat(CWD, &upper, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .or_error("openat", || format!("{upper:?}"))?;
    Ok(base.prepare_upper(upper.as_fd())?)
}
