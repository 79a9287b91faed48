//! What the container sees: its root, mounts, devices, and what is hidden of them.

use crate::child::{expect, join_late};
use crate::failure::{During, Failure, Step};
use crate::handshake::{Channel, Order, Report};
use crate::hooks::Surroundings;
use crate::plan::{Init, Link, Plan};
use crate::process;
use crate::request::RootMount;
use kernel::device::{self, Console, Folder};
use kernel::mount::{self, Assembly};
use kernel::namespace::{Kind, Namespace};
use kernel::path::{Links, Procfs, Root, RootedPath};
use std::ops::RangeBounds;
use std::os::fd::{AsFd, OwnedFd};
use sys::OrError;
use sys::rustix::fs::{Mode, symlinkat};
use sys::rustix::io::Errno;
use sys::rustix::process::{fchdir, umask};

/// Builds it and makes it the root, which is the working folder then. Hooks run in between, where
/// both the old root and the new one are there. Returns the terminal, if there is to be one.
pub(crate) fn assemble(
    plan: &Plan,
    procfs: Option<&Procfs>,
    channel: &Channel,
) -> Result<Option<Console>, Failure> {
    let init = &plan.init;
    // Devices and folders have the modes that were asked for, whatever the caller's mask was; the
    // process gets its own in the end.
    umask(Mode::empty());
    mount::isolate(init.isolation).map_err(failed(Step::Propagation))?;
    let mut asked = false;
    let root = attach_root(init, &mut asked, channel)?;
    let mut assembly = Assembly::new(&root, init.isolation.kind == mount::PropagationKind::Shared);
    let until_group = ..init.mounts_before_group.unwrap_or(init.mounts.len());
    mount_all(init, until_group, &mut assembly, &mut asked, channel)?;
    let group_comes_last = plan.group_comes_last();
    if !group_comes_last {
        mount_with_group(plan, &mut assembly, &mut asked, channel)?;
    }
    furnish(init, &root, &assembly)?;
    if plan.wants_parent() {
        channel.report(&Report::Hooks, None).during(Step::Internal)?;
        expect(channel, Order::Proceed)?;
    }
    let hooks = &plan.hooks.create_container;
    if !hooks.is_empty() {
        // Hooks look for the container's files from there.
        fchdir(root.as_fd()).or_error("fchdir", || "the root").during(Step::Hook)?;
        let state = &plan.state_in_container;
        hooks.run(state, Surroundings::default()).map_err(failed(Step::Hook))?;
    }
    let console = match procfs {
        Some(procfs) if init.process.terminal => {
            let console = process::open_console(&init.process, &root, procfs, channel)?;
            let dev = dev_folder(&root, &assembly)?;
            console.mount(&dev).map_err(failed(Step::Console))?;
            Some(console)
        }
        _ => None,
    };
    // Other runtimes make it, too, and images rely on that.
    if init.working_folder != RootedPath::root() {
        root.create_directory(&init.working_folder, Links::Follow, Mode::from_raw_mode(0o755))
            .during(Step::WorkingDirectory)?;
    }
    assembly.mask(&init.masked_paths, &init.mount_label).map_err(failed(Step::MaskPath))?;
    assembly.protect(&init.readonly_paths).map_err(failed(Step::MaskPath))?;
    if group_comes_last {
        mount_with_group(plan, &mut assembly, &mut asked, channel)?;
    }
    if init.readonly {
        assembly.protect_root().map_err(failed(Step::RootFilesystem))?;
    }
    assembly.finish().map_err(failed(Step::Mount))?;
    change_root(init, &root).map_err(failed(Step::PivotRoot))?;
    // It is closed with all others that are open by then.
    std::mem::forget(root);
    Ok(console)
}

fn change_root(init: &Init, root: &Root) -> Result<(), mount::Error> {
    match &init.no_pivot {
        Some(revealing) => mount::move_root(root, revealing),
        None => mount::enter_root(root, init.isolation, init.propagation),
    }
}

/// Mounts what becomes the root, unless the parent does.
fn attach_root(init: &Init, asked: &mut bool, channel: &Channel) -> Result<Root, Failure> {
    let root = match &init.root_mount {
        Some(RootMount::Overlay(overlay)) if !init.is_handed() => {
            mount::attach_overlay(overlay, &init.rootfs, init.isolation)
        }
        Some(_) => return Ok(Root::from_descriptor(ask_for_tree(asked, channel)?)),
        None => mount::attach_root(&init.rootfs, init.isolation),
    };
    root.map_err(|error| match error {
        mount::Error::Refused { .. } => Failure::new(Step::Overlay, error),
        _ => Failure::new(Step::RootFilesystem, error),
    })
}

/// These mounts, in their order.
fn mount_all(
    init: &Init,
    which: impl RangeBounds<usize>,
    assembly: &mut Assembly<'_>,
    asked: &mut bool,
    channel: &Channel,
) -> Result<(), Failure> {
    let mounts = init.mounts.iter().zip(&init.trees).enumerate();
    for (index, (mount, tree)) in mounts.filter(|(index, _)| which.contains(index)) {
        if let Some((_, given)) = init.given.iter().find(|(place, _)| *place == index) {
            assembly.mount_handed(mount, given.tree.as_fd())
        } else if tree.is_some() {
            let tree = ask_for_tree(asked, channel)?;
            assembly.mount_handed(mount, tree.as_fd())
        } else {
            assembly.mount(mount)
        }
        .map_err(failed(Step::Mount))?;
    }
    Ok(())
}

/// Enters the cgroup, if that is not done yet, and does the mounts that wait for it.
fn mount_with_group(
    plan: &Plan,
    assembly: &mut Assembly<'_>,
    asked: &mut bool,
    channel: &Channel,
) -> Result<(), Failure> {
    let Some(before) = plan.init.mounts_before_group else { return Ok(()) };
    join_late(plan, channel)?;
    mount_all(&plan.init, before.., assembly, asked, channel)
}

/// Devices and links.
fn furnish(init: &Init, root: &Root, assembly: &Assembly<'_>) -> Result<(), Failure> {
    if let Some(nodes) = &init.devices {
        let own = |path: &RootedPath| assembly.kept(path);
        device::make_nodes(root, nodes, init.bind_devices, own).map_err(failed(Step::Device))?;
        let dev = dev_folder(root, assembly)?;
        device::make_links(&dev).map_err(failed(Step::Device))?;
    }
    init.links.iter().try_for_each(|link| make_link(assembly, link).during(Step::Mount))
}

/// Has the parent open what comes next. It gets the namespace with the first wish.
fn ask_for_tree(asked: &mut bool, channel: &Channel) -> Result<OwnedFd, Failure> {
    let namespace = if *asked { None } else { Some(Namespace::own(Kind::Mount)) };
    *asked = true;
    let namespace = namespace.transpose().map_err(failed(Step::Mount))?;
    channel.report(&Report::Tree, namespace.as_ref().map(AsFd::as_fd)).during(Step::Internal)?;
    channel.next_tree().during(Step::Internal)?.ok_or(()).or_else(|()| sys::process::exit_now(1))
}

fn dev_folder<'a>(root: &Root, assembly: &'a Assembly<'_>) -> Result<Folder<'a>, Failure> {
    let path = RootedPath::known(c"dev");
    Folder::find(root, &path, |path| assembly.kept(path)).map_err(failed(Step::Device))
}

fn make_link(assembly: &Assembly<'_>, link: &Link) -> Result<(), sys::Error> {
    let Link { folder, name, target } = link;
    let folder = assembly.kept(folder).ok_or(Errno::NOENT);
    folder
        .and_then(|folder| symlinkat(target, folder, name))
        .or_error("symlinkat", || format!("{target:?}, {name:?}"))
}

/// Says what the child was doing, for errors that have call and path in them.
fn failed<E: std::fmt::Display>(step: Step) -> impl Fn(E) -> Failure {
    move |error| Failure::new(step, error)
}
