//! What the container sees: its root, mounts, devices, and what is hidden of them.

use crate::child::expect;
use crate::failure::{During, Failure, Step};
use crate::handshake::{Channel, Order, Report};
use crate::plan::{Link, Plan};
use kernel::mount::{self, Assembly};
use kernel::path::{Links, Resolver};
use sys::OrError;
use sys::rustix::fs::{Mode, symlinkat};
use sys::rustix::io::Errno;

/// Builds it and makes it the root, which is the working folder then. Hooks run in between, where
/// both the old root and the new one are there.
pub(crate) fn assemble(plan: &Plan, resolver: Resolver, channel: &Channel) -> Result<(), Failure> {
    let init = &plan.init;
    mount::isolate(init.isolation).map_err(failed(Step::Propagation))?;
    let root = mount::attach_root(&init.rootfs, init.isolation, resolver)
        .map_err(failed(Step::RootFilesystem))?;
    let mut assembly = Assembly::new(&root, init.isolation.kind == mount::PropagationKind::Shared);
    for mount in &init.mounts {
        assembly.mount(mount).map_err(failed(Step::Mount))?;
    }
    for link in &init.links {
        make_link(&assembly, link).during(Step::Mount)?;
    }
    if plan.wants_parent() {
        channel.report(&Report::Hooks, None).during(Step::Internal)?;
        expect(channel, Order::Proceed)?;
    }
    let hooks = &plan.hooks.create_container;
    hooks.run(&plan.state_in_container).map_err(failed(Step::Hook))?;
    // Other runtimes make it, too, and images rely on that.
    root.create_directory(&init.working_folder, Links::Follow, Mode::from_raw_mode(0o755))
        .during(Step::WorkingDirectory)?;
    assembly.mask(&init.masked_paths, &init.mount_label).map_err(failed(Step::MaskPath))?;
    assembly.protect(&init.readonly_paths).map_err(failed(Step::MaskPath))?;
    if init.readonly {
        assembly.protect_root().map_err(failed(Step::RootFilesystem))?;
    }
    assembly.finish().map_err(failed(Step::Mount))?;
    if init.no_pivot {
        mount::move_root(&root)
    } else {
        mount::enter_root(&root, init.isolation, init.propagation)
    }
    .map_err(failed(Step::PivotRoot))
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
