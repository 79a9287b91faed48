//! `Spec` -> `Plan`: everything the user may have got wrong is found here, and nothing is done.
//!
//! After it, whatever fails does so because of the machine: the kernel, permissions, a file that
//! is missing. The child gets the plan as the copy of memory that clone3 makes, and parses nothing.

mod annotations;
mod cgroup_mounts;
mod hooks;
mod init;
mod late_group;
mod namespaces;
mod process;
mod resctrl;
mod resources;
mod seccomp;
mod trees;

pub(crate) use cgroup_mounts::{Link, View};
pub(crate) use hooks::AllHooks;
pub(crate) use init::Init;
pub(crate) use namespaces::Namespaces;
pub(crate) use process::ProcessPlan;
pub(crate) use resctrl::{class as resctrl_class, schemata_class};
pub use resources::updates;

use crate::hooks::Surroundings;
use crate::notify::Listener;
use crate::request::Create;
use kernel::cgroup::{Cgroups, Description, Prepared};
use kernel::namespace::{Kind, Set};
use kernel::netdev::Device;
use kernel::resctrl::Class;
use spec::json::Text;
use spec::runtime::Spec;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use sys::rustix::process::geteuid;

/// A value of the configuration that is wrong: its JSON path, and what would be right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid(String);

impl Invalid {
    pub(crate) fn new(path: impl fmt::Display, what: impl fmt::Display) -> Invalid {
        Invalid(format!("{path}: {what}"))
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// All that making a container needs to know.
pub(crate) struct Plan {
    pub(crate) bundle: PathBuf,
    pub(crate) rootfs: PathBuf,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) namespaces: Namespaces,
    pub(crate) hooks: AllHooks,
    pub(crate) listener: Option<Listener>,
    /// Whether its program is to reach the service manager.
    pub(crate) notifies: bool,
    /// The machine's network devices that it gets.
    pub(crate) net_devices: Vec<Device>,
    pub(crate) resctrl: Option<Class>,
    /// What the child does.
    pub(crate) init: Init,
    /// The state document for hooks in the container.
    pub(crate) state_in_container: String,
    /// Whether the child is told to start before it is ready.
    pub(crate) starts_in_advance: bool,
}

impl Plan {
    pub(crate) fn new(
        spec: &Spec<'_>,
        bundle: &Path,
        request: &Create<'_>,
        cgroups: &Cgroups,
        groups: &Description,
    ) -> Result<Plan, Invalid> {
        let namespaces = Namespaces::new(&spec.linux)?;
        let rootfs = bundle.join(&*spec.root.path);
        let rootless = request.rootless.unwrap_or_else(|| !geteuid().is_root());
        let view = View { cgroups, groups, namespace: namespaces.has(Kind::Cgroup), rootless };
        let init = Init::new(spec, bundle, &rootfs, &namespaces, request, &view)?;
        let annotations = spec.annotations.iter();
        Ok(Plan {
            bundle: bundle.to_owned(),
            rootfs,
            annotations: annotations
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            hooks: AllHooks::new(&spec.hooks),
            listener: Listener::new(spec),
            notifies: spec
                .process
                .as_ref()
                .is_some_and(|process| request.notify_folder(process).is_some()),
            net_devices: net_devices(spec, &namespaces)?,
            resctrl: resctrl::class(spec.linux.intel_rdt.as_ref(), request.id.as_str())?,
            init,
            namespaces,
            state_in_container: String::new(),
            starts_in_advance: false,
        })
    }

    /// Decides when the program is told to start, in advance if the caller has nothing to do before,
    /// and if so leaves the filter to be compiled while the child works.
    pub(crate) fn with_start(
        mut self,
        spec: &Spec<'_>,
        nothing_before: bool,
    ) -> Result<Plan, Invalid> {
        self.starts_in_advance = nothing_before && self.is_left_alone();
        match &spec.linux.seccomp {
            Some(profile) if self.starts_in_advance => seccomp::check(profile)?,
            _ => self.init.process.seccomp = process::compile_filter(spec)?,
        }
        Ok(self)
    }

    /// The filter, for a child that has none yet.
    pub(crate) fn late_filter(
        &self,
        spec: &Spec<'_>,
    ) -> Result<Option<kernel::seccomp::Program>, Invalid> {
        if self.starts_in_advance { process::compile_filter(spec) } else { Ok(None) }
    }

    pub(crate) fn process(&self) -> &ProcessPlan {
        &self.init.process
    }

    /// What hooks find that whoever makes the container runs.
    pub(crate) fn by_runtime(&self) -> Surroundings<'_> {
        Surroundings { folder: Some(&self.bundle), ..Surroundings::default() }
    }

    /// Whether a hook runs in the container's namespaces.
    pub(crate) fn has_hooks_in_container(&self) -> bool {
        !self.hooks.create_container.is_empty() || !self.hooks.start_container.is_empty()
    }

    /// Whether the child, once its ids are mapped, needs nothing of the parent but the word to start.
    pub(crate) fn is_left_alone(&self) -> bool {
        let Namespaces { new, .. } = self.namespaces;
        let trees = self.init.trees.iter().any(Option::is_some) || self.init.is_handed();
        !(new.contains(Kind::Time) || trees || self.wants_parent() || self.process().terminal)
    }

    /// Whether the child does all it can before it asks for its group, while that is made.
    pub(crate) fn group_comes_last(&self) -> bool {
        let hooks = &self.hooks.create_container;
        self.is_left_alone() && hooks.is_empty() && self.init.only_groups_wait()
    }

    /// Whether the child must wait for the parent when the mounts are there.
    pub(crate) fn wants_parent(&self) -> bool {
        !self.net_devices.is_empty()
            || !self.hooks.prestart.is_empty()
            || !self.hooks.create_runtime.is_empty()
    }
}

fn net_devices(spec: &Spec<'_>, namespaces: &Namespaces) -> Result<Vec<Device>, Invalid> {
    let device = |(name, device): (&Text<'_>, &spec::runtime::NetDevice<'_>)| {
        let at = format!("linux.netDevices.{name}");
        if !namespaces.has(Kind::Network) {
            let what = "there is no network namespace in linux.namespaces to move it to";
            return Err(Invalid::new(at, what));
        }
        let new_name = (!device.name.is_empty()).then_some(&*device.name);
        Device::parse(name, new_name).map_err(|error| Invalid::new(at, error))
    };
    spec.linux.net_devices.iter().map(device).collect()
}

/// The container's cgroup, checked but not made. It is kept apart from the plan because making it
/// uses it up.
pub(crate) fn cgroup(
    spec: &Spec<'_>,
    request: &Create<'_>,
    cgroups: &Cgroups,
) -> Result<Prepared, Invalid> {
    let path = (!spec.linux.cgroups_path.is_empty()).then_some(&*spec.linux.cgroups_path);
    let mut location = cgroups
        .locate(path, request.id.as_str())
        .map_err(|error| Invalid(format!("linux.{error}")))?;
    for (key, value) in spec.annotations.iter() {
        if let Some(name) = key.strip_prefix("org.systemd.property.") {
            location
                .set_unit_property(name, value)
                .map_err(|error| Invalid(format!("annotations.{error}")))?;
        }
    }
    let none = spec::runtime::Resources::default();
    let mut limits = resources::resources(spec.linux.resources.as_ref().unwrap_or(&none));
    limits.pids.take_if(|limit| *limit == 0 && !spec.has_pids_zero());
    let invalid = |error| Invalid(format!("{}{error}", crate::error::resources(&error)));
    cgroups.prepare(&location, limits).map_err(invalid)
}

/// The kinds of namespaces of a container that a process which is added to it must enter.
pub(crate) fn joined_kinds(linux: &spec::runtime::Linux<'_>) -> Set {
    linux.namespaces.iter().map(|it| namespaces::kind(it.kind)).collect()
}
