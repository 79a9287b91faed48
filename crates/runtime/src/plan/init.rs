//! What the child of a new container does before it is the process that was asked for.

use super::late_group::mounts_before_group;
use super::trees::{MountMap, Tree};
use super::{Invalid, Link, Namespaces, ProcessPlan, View};
use crate::readiness;
use crate::request::{Create, GivenMount, RootMount};
use kernel::device::{Kind as NodeKind, Node, default_nodes};
use kernel::label::SelinuxLabel;
use kernel::mount::{Attributes, Bind, FileSystem, Mount, Propagation, PropagationKind, Source};
use kernel::namespace::{Kind, visit_new_mounts};
use kernel::path::RootedPath;
use kernel::sysctl::{Owned, Sysctl};
use spec::json::Text;
use spec::runtime::{DeviceKind, Spec};
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

/// The container around its first process.
pub(crate) struct Init {
    pub(crate) rootfs: CString,
    /// What is mounted there.
    pub(crate) root_mount: Option<RootMount>,
    /// It, made by the parent, where the child cannot make it.
    pub(crate) handed_root: Option<Rc<OwnedFd>>,
    /// Whether the root becomes read-only in the end.
    pub(crate) readonly: bool,
    /// How the new mount namespace goes on with the machine's.
    pub(crate) isolation: Propagation,
    /// What the root has in the end, if anything was said about it.
    pub(crate) propagation: Option<Propagation>,
    pub(crate) mounts: Vec<Mount>,
    /// How many of them can be made before there is a cgroup, if it comes that late.
    pub(crate) mounts_before_group: Option<usize>,
    /// For each mount, how the parent opens its source, if the child cannot.
    pub(crate) trees: Vec<Option<Tree>>,
    /// Which mount the caller has already.
    pub(crate) given: Vec<(usize, Rc<GivenMount>)>,
    /// Made when all is mounted.
    pub(crate) links: Vec<Link>,
    pub(crate) masked_paths: Vec<RootedPath>,
    pub(crate) readonly_paths: Vec<RootedPath>,
    pub(crate) hostname: Option<Vec<u8>>,
    pub(crate) domainname: Option<Vec<u8>>,
    /// The name of the new session keyring, if there is to be one.
    pub(crate) keyring: Option<CString>,
    /// Whether the network namespace is new, and so its loopback device is down.
    pub(crate) loopback: bool,
    /// Without pivot_root the machine's mounts stay below the root: those that must not.
    pub(crate) no_pivot: Option<Vec<CString>>,
    /// `None` if `/dev` is one that exists, which is left as it is.
    pub(crate) devices: Option<Vec<Node>>,
    /// Whether device files are bind mounts, since the user namespace lets nobody make them.
    pub(crate) bind_devices: bool,
    pub(crate) sysctls: Vec<Sysctl>,
    /// Made where it is missing.
    pub(crate) working_folder: RootedPath,
    /// The option of a SELinux label for mounts, or nothing.
    pub(crate) mount_label: String,
    pub(crate) process: ProcessPlan,
}

impl Init {
    pub(crate) fn new(
        spec: &Spec<'_>,
        bundle: &Path,
        rootfs: &Path,
        namespaces: &Namespaces,
        request: &Create<'_>,
        view: &View<'_>,
    ) -> Result<Init, Invalid> {
        let process = spec.process.as_ref().ok_or_else(|| {
            Invalid::new("process", "missing, but a container that is to be started needs it")
        })?;
        let mut mounts = mounts(spec, bundle, view, namespaces, request.keeps_restrictions)?;
        let notify_folder = request.notify_folder(process);
        if let Some(folder) = &notify_folder {
            mounts.add_notify_folder(folder, namespaces)?;
        }
        let given = request.given.iter().map(|given| mounts.take_given(given));
        let given = given.collect::<Result<_, _>>()?;
        let Mounts { mut mounts, trees, links } = mounts;
        keep_folders(&mut mounts);
        let label = mount_label(&spec.linux.mount_label)?;
        let masked_paths = paths("linux.maskedPaths", &spec.linux.masked_paths)?;
        if let Some(index) = masked_paths.iter().position(RootedPath::is_root) {
            let what = "/ is the root of the container, and nothing would be left of it";
            return Err(Invalid::new(format!("linux.maskedPaths[{index}]"), what));
        }
        let readonly_paths = paths("linux.readonlyPaths", &spec.linux.readonly_paths)?;
        if let Some(label) = &label {
            mounts.iter_mut().try_for_each(|mount| add_label(mount, label))?;
        }
        Ok(Init {
            rootfs: c_string("root.path", &rootfs.to_string_lossy())?,
            root_mount: request.root_mount.clone(),
            handed_root: None,
            readonly: spec.root.readonly || readonly_paths.iter().any(RootedPath::is_root),
            isolation: isolation(spec.linux.rootfs_propagation.map(propagation)),
            propagation: spec.linux.rootfs_propagation.map(propagation),
            devices: devices(spec, &mounts)?,
            bind_devices: namespaces.has(Kind::User),
            sysctls: sysctls(spec, namespaces)?,
            mounts_before_group: mounts_before_group(&mounts, request, namespaces, view),
            mounts,
            trees,
            given,
            links,
            masked_paths,
            readonly_paths,
            hostname: name("hostname", &spec.hostname, namespaces)?,
            domainname: name("domainname", &spec.domainname, namespaces)?,
            keyring: (!request.no_new_keyring).then(|| request.id.keyring()),
            loopback: namespaces.new.contains(Kind::Network),
            no_pivot: request.no_pivot.then(Vec::new),
            working_folder: RootedPath::parse(process.cwd.as_bytes())
                .map_err(|error| Invalid::new("process.cwd", error))?,
            mount_label: label.as_deref().map(context_option).unwrap_or_default(),
            process: ProcessPlan::new("process", process, spec)?
                .with_launched(process, spec)?
                .with_start_hooks(&spec.hooks)
                .with_descriptors(request.preserve_fds, request.listen_fds.as_ref())?
                .with_notify_socket(notify_folder.is_some()),
        })
    }
}

impl Init {
    /// Whether the parent mounts the root: one whose ids are mapped, or that it has.
    pub(crate) fn is_handed(&self) -> bool {
        self.root_mount.as_ref().is_some_and(RootMount::is_handed)
    }

    /// Makes the root where the child could not.
    pub(crate) fn prepare_root(&mut self) -> crate::Result<()> {
        self.handed_root = match &self.root_mount {
            Some(RootMount::Tree(tree)) => Some(tree.clone()),
            Some(RootMount::Overlay(overlay)) => match &overlay.mapped_by {
                Some(mapped) => {
                    let make = || overlay.detached_mapped(mapped, &self.rootfs);
                    Some(Rc::new(visit_new_mounts(make)??))
                }
                None => None,
            },
            None => None,
        };
        Ok(())
    }

    /// Whether a procfs is needed that nobody can have tampered with.
    pub(crate) fn needs_procfs(&self) -> bool {
        !self.sysctls.is_empty() || self.process.needs_procfs()
    }
}

/// A name that only a UTS namespace of the container's own can have.
fn name(field: &str, name: &Text<'_>, namespaces: &Namespaces) -> Result<Option<Vec<u8>>, Invalid> {
    if name.is_empty() {
        return Ok(None);
    }
    if namespaces.has(Kind::Uts) {
        return Ok(Some(name.as_bytes().to_vec()));
    }
    let what = "there is no uts namespace in linux.namespaces: it would be the host's name";
    Err(Invalid::new(field, what))
}

#[derive(Default)]
struct Mounts {
    mounts: Vec<Mount>,
    trees: Vec<Option<Tree>>,
    links: Vec<Link>,
}

impl Mounts {
    /// The folder with the socket that leads to the service manager.
    fn add_notify_folder(&mut self, folder: &Path, namespaces: &Namespaces) -> Result<(), Invalid> {
        let (inside, folder) = (readiness::FOLDER_INSIDE, folder.to_string_lossy());
        // Read-only: it is the machine's, and whoever has the socket can still write to that.
        let options = ["bind", "private", "nosuid", "nodev", "noexec", "ro"];
        let mount = Mount::parse(inside, Some("bind"), Some(&folder), options)
            .map_err(|error| Invalid::new("mounts", error))?;
        self.trees.push(Tree::new(None, &mount, namespaces));
        self.mounts.push(mount);
        Ok(())
    }

    /// Finds a bind mount that the caller has already, which nobody is to open then.
    fn take_given(&mut self, given: &Rc<GivenMount>) -> Result<(usize, Rc<GivenMount>), Invalid> {
        let target = RootedPath::parse(given.destination.as_bytes())
            .map_err(|error| Invalid::new("mounts", error))?;
        let is_it =
            |mount: &Mount| mount.target == target && matches!(mount.source, Source::Bind(_));
        let index =
            self.mounts.iter().position(is_it).ok_or_else(|| {
                Invalid::new("mounts", format!("there is no bind mount at {target}"))
            })?;
        self.trees[index] = None;
        Ok((index, given.clone()))
    }
}

fn mounts(
    spec: &Spec<'_>,
    bundle: &Path,
    view: &View<'_>,
    namespaces: &Namespaces,
    keeps_restrictions: bool,
) -> Result<Mounts, Invalid> {
    let mut all = Mounts::default();
    for (index, mount) in spec.mounts.iter().enumerate() {
        let some = |text: &'_ Text<'_>| (!text.is_empty()).then(|| text.to_string());
        let options: Vec<&str> = mount.options.iter().map(|option| &**option).collect();
        let is_bind =
            mount.kind == "bind" || options.iter().any(|it| matches!(*it, "bind" | "rbind"));
        let mut source = some(&mount.source);
        if let Some(path) = source.as_mut().filter(|path| is_bind && !path.starts_with('/')) {
            *path = bundle.join(&*path).to_string_lossy().into_owned();
        }
        let kind = some(&mount.kind);
        let parsed = Mount::parse(&mount.destination, kind.as_deref(), source.as_deref(), options);
        let parsed = parsed.map_err(|error| Invalid(format!("mounts[{index}].{error}")))?;
        let parsed = with_read_only_groups(parsed);
        if !is_bind && matches!(&*mount.kind, "cgroup" | "cgroup2") {
            all.mounts.extend(view.expand(parsed, &mut all.links)?);
            all.trees.resize(all.mounts.len(), None);
        } else {
            let map = MountMap::new(&format!("mounts[{index}]"), mount, &parsed, namespaces)?;
            all.trees.push(Tree::new(map, &parsed, namespaces));
            all.mounts.push(if keeps_restrictions { parsed } else { parsed.leave_to_options() });
        }
    }
    Ok(all)
}

/// A read-only `/sys` of the machine's is so with all that is below: the groups under
/// `/sys/fs/cgroup`, some of which may belong to the caller (CVE-2023-25809).
fn with_read_only_groups(mount: Mount) -> Mount {
    let is_whole = matches!(mount.source, Source::Bind(Bind { recursive: true, .. }));
    if is_whole && mount.target.as_c_str() == c"sys" && mount.attributes.is_read_only() {
        return Mount { recursive: Attributes::READ_ONLY.then(mount.recursive), ..mount };
    }
    mount
}

/// Where others come directly into a new tmpfs, it is kept open, so that they are not looked up.
fn keep_folders(mounts: &mut [Mount]) {
    for index in 0..mounts.len() {
        let target = &mounts[index].target;
        let is_parent =
            |later: &Mount| later.target.split().is_some_and(|(parent, _)| parent == *target);
        let used = is_dev(target) || mounts[index + 1..].iter().any(is_parent);
        let mount = &mut mounts[index];
        if let Source::New(FileSystem { kind, .. }) = &mount.source {
            mount.keep |= used && kind.as_c_str() == c"tmpfs";
        }
    }
}

fn is_dev(path: &RootedPath) -> bool {
    path.as_c_str() == c"dev"
}

/// The usual devices and those of the configuration; none where `/dev` is that of somebody else.
fn devices(spec: &Spec<'_>, mounts: &[Mount]) -> Result<Option<Vec<Node>>, Invalid> {
    let is_foreign = |it: &Mount| is_dev(&it.target) && matches!(it.source, Source::Bind(_));
    if mounts.iter().any(is_foreign) {
        return Ok(None);
    }
    let nodes = spec.linux.devices.iter().enumerate().map(|(index, device)| {
        let field = |name: &str| format!("linux.devices[{index}].{name}");
        let number = |name, number: i64| {
            u32::try_from(number)
                .map_err(|_| Invalid::new(field(name), format!("{number} is out of range")))
        };
        Ok(Node {
            path: RootedPath::parse(device.path.as_bytes())
                .map_err(|error| Invalid::new(field("path"), error))?,
            kind: match device.kind {
                DeviceKind::Character | DeviceKind::Unbuffered => NodeKind::Character,
                DeviceKind::Block => NodeKind::Block,
                DeviceKind::Fifo => NodeKind::Fifo,
            },
            major: number("major", device.major)?,
            minor: number("minor", device.minor)?,
            mode: device.file_mode.unwrap_or(0o666) & 0o7777,
            user: device.uid.unwrap_or(0),
            group: device.gid.unwrap_or(0),
        })
    });
    let nodes: Vec<Node> = nodes.collect::<Result<_, _>>()?;
    for (index, node) in nodes.iter().enumerate() {
        if nodes[..index].iter().any(|it| it.path == node.path && it.number() != node.number()) {
            let what = format!("{} is there already, as another device", node.path);
            return Err(Invalid::new(format!("linux.devices[{index}].path"), what));
        }
    }
    Ok(Some(default_nodes(nodes)))
}

fn sysctls(spec: &Spec<'_>, namespaces: &Namespaces) -> Result<Vec<Sysctl>, Invalid> {
    if spec.linux.sysctl.is_empty() {
        return Ok(Vec::new());
    }
    let owned = Owned {
        ipc: namespaces.has_own(Kind::Ipc),
        network: namespaces.has_own(Kind::Network),
        uts: namespaces.has_own(Kind::Uts),
        user: namespaces.has_own(Kind::User),
    };
    let parse = |(name, value): (&Text<'_>, &Text<'_>)| {
        Sysctl::parse(name, value, owned)
            .map_err(|error| Invalid::new(format!("linux.sysctl.{name}"), error))
    };
    spec.linux.sysctl.iter().map(parse).collect()
}

/// Mounts of the machine go on to arrive unless the configuration says otherwise, and nothing goes
/// the other way unless it says so.
fn isolation(root: Option<Propagation>) -> Propagation {
    match root.unwrap_or(Propagation::DEFAULT) {
        // Only in the end: what cannot be bound elsewhere cannot become the root.
        Propagation { kind: PropagationKind::Unbindable, recursive } => {
            Propagation { kind: PropagationKind::Private, recursive }
        }
        other => other,
    }
}

/// Checks that the machine can have the label, and the text of an option can.
fn mount_label(label: &str) -> Result<Option<String>, Invalid> {
    if label.is_empty() {
        return Ok(None);
    }
    SelinuxLabel::parse(label).map_err(|error| Invalid::new("linux.mountLabel", error))?;
    if label.contains(['"', '\n']) {
        return Err(Invalid::new(
            "linux.mountLabel",
            "it has a quotation mark or a new line in it",
        ));
    }
    Ok(Some(label.to_owned()))
}

/// An option of mount(8).
fn context_option(label: &str) -> String {
    format!("context=\"{label}\"")
}

/// Has a new file system and all in it labelled. Those of the kernel have labels of their own, but
/// for mqueue, which takes one for its root and no option.
fn add_label(mount: &mut Mount, label: &str) -> Result<(), Invalid> {
    const OF_KERNEL: [&[u8]; 4] = [b"proc", b"sysfs", b"cgroup", b"cgroup2"];
    let Source::New(file_system) = &mut mount.source else { return Ok(()) };
    let kind = file_system.kind.to_bytes();
    if OF_KERNEL.contains(&kind) {
        return Ok(());
    }
    if kind == b"mqueue" {
        file_system.label = Some(c_string("linux.mountLabel", label)?);
        return Ok(());
    }
    let data = file_system.data.to_string_lossy();
    let own = ["context=", "fscontext=", "defcontext=", "rootcontext="];
    if data.split(',').any(|option| own.iter().any(|it| option.starts_with(it))) {
        return Ok(());
    }
    let separator = if data.is_empty() { "" } else { "," };
    let option = context_option(label);
    file_system.data = c_string("linux.mountLabel", &format!("{data}{separator}{option}"))?;
    Ok(())
}

fn propagation(propagation: spec::runtime::Propagation) -> Propagation {
    use PropagationKind as K;
    use spec::runtime::Propagation as P;
    let (kind, recursive) = match propagation {
        P::Private => (K::Private, false),
        P::RecursivePrivate => (K::Private, true),
        P::Slave => (K::Slave, false),
        P::RecursiveSlave => (K::Slave, true),
        P::Shared => (K::Shared, false),
        P::RecursiveShared => (K::Shared, true),
        P::Unbindable => (K::Unbindable, false),
        P::RecursiveUnbindable => (K::Unbindable, true),
    };
    Propagation { kind, recursive }
}

fn paths(field: &str, texts: &[Text<'_>]) -> Result<Vec<RootedPath>, Invalid> {
    let parse = |(index, text): (usize, &Text<'_>)| {
        let path = || format!("{field}[{index}]");
        if !text.starts_with('/') {
            return Err(Invalid::new(path(), format!("{text:?} is not absolute")));
        }
        RootedPath::parse(text.as_bytes()).map_err(|error| Invalid::new(path(), error))
    };
    let mut all = Vec::with_capacity(texts.len());
    for path in texts.iter().enumerate().map(parse) {
        let path = path?;
        // Callers put lists together, and a second mount on the first hides nothing more.
        if !all.contains(&path) {
            all.push(path);
        }
    }
    Ok(all)
}

pub(super) fn c_string(field: &str, text: &str) -> Result<CString, Invalid> {
    CString::new(text).map_err(|_| Invalid::new(field, "it has a NUL in it"))
}
