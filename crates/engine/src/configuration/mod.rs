//! From what is decided about a container to the configuration that the runtime takes.

mod accounts;
mod devices;
mod files;
mod limits;
mod mounts;
mod namespaces;
mod owners;
mod process;
mod security;

use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::folders::{ContainerFolder, Folders};
use crate::monitor::{Shared, SharedKind};
use crate::rootfs;
use crate::settings::{self, IdRange, Mount, Settings};
use crate::user::Names;
use spec::json::Text;
use spec::runtime::{
    Hooks, IdMapping, Linux, Personality, PersonalityDomain, Root, Spec, User, VERSION,
};
use std::path::{Path, PathBuf};

pub(crate) use files::HOST_GATEWAY;
pub(crate) use limits::limits as limits_of;
pub use mounts::DEFAULT_SHM_SIZE;
pub(crate) use mounts::{has_shared_memory, volumes_of};
pub(crate) use namespaces::{check_user_namespace, shared, user_namespace};
pub(crate) use process::{PATH, variables};
pub(crate) use security::capability_names;

/// What is known when a container is about to start.
pub(crate) struct Context<'a> {
    pub(crate) container: &'a Container,
    pub(crate) folders: &'a Folders,
    pub(crate) folder: ContainerFolder,
    /// `tino` on the machine.
    pub(crate) init: &'a Path,
    /// Whoever starts it has no rights on the machine, and so mostly no cgroups.
    pub(crate) unprivileged: bool,
    /// Who there is in the container.
    pub(crate) names: &'a Names,
    /// The path of the network namespace, if there is one already.
    pub(crate) network: Option<String>,
    /// Lines of `/etc/hosts` that the network knows.
    pub(crate) hosts: String,
    /// The namespaces of other containers.
    pub(crate) shared: &'a [Shared],
}

/// The configuration, and who its program is. Files that it speaks of are written to the
/// container's folder.
pub(crate) fn specification<'a>(context: &Context<'a>) -> Result<Spec<'a>> {
    let settings = &context.container.settings;
    let mut accounts = accounts::with_those_of_machine(settings, context.names);
    let mut user: User = accounts.find(&settings.user, &settings.group_add)?;
    accounts::add_own(&mut accounts, settings, &user)?;
    user.umask = settings.umask;
    let namespaces = namespaces::namespaces(context)?;
    files::write(context, &accounts)?;
    owners::provide(context, &user)?;
    let mounts = mounts::mounts(context)?;
    let own_uts = namespaces
        .iter()
        .any(|it| it.kind == spec::runtime::NamespaceKind::Uts && it.path.is_empty());
    let hostname = if own_uts { files::hostname(context)? } else { String::new() };
    let process = process::process(context, user)?;
    let ids = &settings.namespaces.ids;
    let texts = |paths: Vec<&'a str>| paths.into_iter().map(Text::from).collect();
    let linux = Linux {
        uid_mappings: id_mappings(&ids.users),
        gid_mappings: id_mappings(&ids.groups),
        devices: devices::devices(settings)?,
        cgroups_path: cgroup_path(context.container).into(),
        resources: Some(limits::resources(settings, context.unprivileged)?),
        seccomp: security::seccomp(settings)?,
        personality: settings.personality.map(|it| Personality {
            domain: match it {
                settings::Personality::Linux => PersonalityDomain::Linux,
                settings::Personality::Linux32 => PersonalityDomain::Linux32,
            },
            flags: Vec::new(),
        }),
        sysctl: namespaces::sysctls(settings, &namespaces, context.unprivileged),
        masked_paths: texts(settings.masked_paths()),
        readonly_paths: texts(settings.read_only_paths()),
        mount_label: Text::default(),
        namespaces,
        ..Linux::default()
    };
    Ok(Spec {
        oci_version: VERSION.into(),
        process: Some(process),
        root: Root {
            path: context.folders.rootfs().to_string_lossy().into_owned().into(),
            readonly: settings.read_only,
        },
        hostname: hostname.into(),
        domainname: if own_uts { settings.domainname.clone().into() } else { Text::default() },
        mounts,
        hooks: Hooks::default(),
        annotations: process::annotations(settings),
        linux,
    })
}

/// What can be known to be wrong before anything is there.
pub(crate) fn check(settings: &Settings, unprivileged: bool) -> Result<()> {
    files::check(settings)?;
    accounts::check(settings)?;
    namespaces::check_modes(settings)?;
    namespaces::check_sysctls(settings)?;
    owners::check(settings)?;
    limits::resources(settings, unprivileged)?;
    devices::devices(settings)?;
    process::folder(settings)?;
    if unprivileged {
        owners::check_unprivileged(settings)?;
    }
    capability_names(settings).map(drop)
}

/// A configuration with other limits, for when the program is started again.
pub(crate) fn with_limits(text: &str, settings: &Settings, unprivileged: bool) -> Result<String> {
    let damaged = |reason: String| Error::Damaged { what: "the configuration".to_owned(), reason };
    let mut specification: Spec<'_> =
        spec::json::parse(text.as_bytes()).map_err(|error| damaged(error.to_string()))?;
    specification.linux.resources = Some(limits::resources(settings, unprivileged)?);
    spec::json::to_line(&specification).map_err(|error| damaged(error.to_string()))
}

impl Context<'_> {
    /// Where a volume's files are.
    fn volume(&self, mount: &Mount) -> PathBuf {
        self.folders.volumes().join(&mount.source).join("_data")
    }

    /// A small file as it is before anything is mounted.
    fn image_file(&self, path: &str) -> Result<Option<String>> {
        rootfs::read_file(&self.folder, &self.container.layers, path)
    }

    /// The folder of the container whose namespace of this kind is shared, or its own.
    fn folder_of(&self, kind: SharedKind) -> ContainerFolder {
        let other = self.shared.iter().find(|shared| shared.kind == kind);
        other.map_or_else(|| self.folder.clone(), |it| self.folders.container(&it.container))
    }
}

/// The cgroup above those of containers where nothing else is said.
pub(crate) const CGROUP_PARENT: &str = "/tinyo";

/// The cgroup of a container, below where all are mounted.
pub(crate) fn cgroup_path(container: &Container) -> String {
    let parent = &container.settings.namespaces.cgroup_parent;
    let parent = if parent.is_empty() { CGROUP_PARENT } else { parent };
    format!("{}/{}", parent.trim_end_matches('/'), container.id)
}

impl Engine {
    /// The cgroup of a container, below where all are mounted; none where users have none.
    pub fn cgroup(&self, container: &Container) -> Option<String> {
        (!self.user_marks).then(|| cgroup_path(container))
    }
}

fn id_mappings(ranges: &[IdRange]) -> Vec<IdMapping> {
    let mapping =
        |it: &IdRange| IdMapping { container_id: it.inside, host_id: it.outside, size: it.length };
    ranges.iter().map(mapping).collect()
}

/// A value that somebody has written, and what is wrong with it.
fn wrong<T>(flag: &str, value: &str, what: &str) -> Result<T> {
    Err(Error::invalid(format!("{flag}: {value:?} {what}")))
}
