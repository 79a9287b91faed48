//! The child's side: from clone3 to execve, one step after the other.
//!
//! It works off the [`Plan`] alone. It parses nothing and reads no configuration. Everything in
//! the container's root is reached by descriptors. It shares no memory with the parent and has one
//! thread. Whatever fails is sent to the parent, and the child ends.

use crate::failure::{During, Failure, Step};
use crate::handshake::{Channel, Order, Report};
use crate::plan::{Init, Plan};
use crate::{filesystem, launch, process, record};
use kernel::cgroup::Entry;
use kernel::credentials::{make_core_group, make_session_keyring, reset_affinity, take_root_ids};
use kernel::namespace::{self, Kind, Set};
use kernel::path::Procfs;
use std::convert::Infallible;
use std::os::fd::{IntoRawFd, OwnedFd};
use sys::OrError;
use sys::rustix::system::{setdomainname, sethostname};
use sys::rustix::thread;

/// Becomes the container's first process. `listening` is the socket on which it waits for `start`;
/// without one, the parent says when.
pub(crate) fn become_container(
    plan: &Plan,
    entry: &Entry,
    listening: Option<&OwnedFd>,
    channel: Channel,
) -> Infallible {
    match set_up(plan, entry, listening, &channel) {
        Ok(program) => {
            let state = &plan.state_in_container;
            process::wait_and_execute(&plan.init.process, &program, listening, channel, state)
        }
        Err(failure) => launch::fail(&channel, failure),
    }
}

fn set_up(
    plan: &Plan,
    entry: &Entry,
    listening: Option<&OwnedFd>,
    channel: &Channel,
) -> Result<process::Program, Failure> {
    let init = &plan.init;
    // By this name `state` knows that the program does not run yet.
    thread::set_name(record::CHILD_NAME)
        .or_error("prctl", || "PR_SET_NAME")
        .during(Step::Internal)?;
    if init.mounts_before_group.is_none() {
        // First of all, so that what follows is counted and limited.
        entry.enter().during(Step::JoinCgroup)?;
    }
    become_root(plan, channel)?;
    if init.mounts_before_group.is_none() {
        late_namespaces(plan, channel)?;
    }
    let procfs = init.needs_procfs().then(Procfs::open).transpose();
    let procfs = procfs.during(Step::Internal)?;
    let keyring = init.keyring.as_deref();
    process::leave_keyring(&init.process, keyring, procfs.as_ref(), make_session_keyring)?;
    names(init)?;
    if init.loopback {
        let socket = sys::interface::bring_up(c"lo")
            .or_error("ioctl", || "SIOCSIFFLAGS, lo")
            .during(Step::Network)?;
        _ = socket.into_raw_fd();
    }
    let console = filesystem::assemble(plan, procfs.as_ref(), channel)?;
    process::lead_session(console)?;
    for sysctl in &init.sysctls {
        let procfs = procfs.as_ref().ok_or_else(|| Failure::new(Step::Sysctl, "no procfs"))?;
        sysctl.apply(procfs).map_err(|error| Failure::new(Step::Sysctl, error))?;
    }
    if init.process.own_cores {
        make_core_group().during(Step::Scheduling)?;
    }
    reset_affinity();
    process::prepare(&init.process, procfs, channel, listening)
}

/// In a user namespace: wait for its maps, and take the ids that own it, and then its queues.
fn become_root(plan: &Plan, channel: &Channel) -> Result<(), Failure> {
    if plan.namespaces.new.contains(Kind::User) {
        expect(channel, Order::Proceed)?;
        // Where it could not be before there were maps.
        launch::hide().during(Step::Internal)?;
    }
    if plan.namespaces.has(Kind::User) {
        take_root_ids().during(Step::BecomeRoot)?;
        if plan.namespaces.new.contains(Kind::Ipc) {
            namespace::unshare(Set::EMPTY.with(Kind::Ipc)).during(Step::EnterNamespace)?;
        }
    }
    Ok(())
}

/// Enters the cgroup that the parent has made meanwhile, and makes the cgroup namespace.
pub(crate) fn join_late(plan: &Plan, channel: &Channel) -> Result<(), Failure> {
    let entry = channel.next_group().during(Step::JoinCgroup)?;
    let Some(entry) = entry else { sys::process::exit_now(1) };
    entry.enter().during(Step::JoinCgroup)?;
    // Closed with all others that are open by then.
    std::mem::forget(entry);
    late_namespaces(plan, channel)
}

/// The namespaces that must be made after the cgroup was joined and the maps are there.
fn late_namespaces(plan: &Plan, channel: &Channel) -> Result<(), Failure> {
    let new = plan.namespaces.new;
    let late = launch::MADE_BY_CHILD.into_iter().filter(|kind| new.contains(*kind));
    namespace::unshare(late.collect::<Set>()).during(Step::EnterNamespace)?;
    if new.contains(Kind::Time) {
        channel.report(&Report::TimeNamespace, None).during(Step::Internal)?;
        expect(channel, Order::Proceed)?;
        namespace::enter_own_new_time_namespace()
            .map_err(|error| Failure::new(Step::EnterNamespace, error))?;
    }
    Ok(())
}

fn names(init: &Init) -> Result<(), Failure> {
    if let Some(name) = &init.hostname {
        sethostname(name).or_error("sethostname", || format!("{name:?}")).during(Step::Hostname)?;
    }
    if let Some(name) = &init.domainname {
        setdomainname(name)
            .or_error("setdomainname", || format!("{name:?}"))
            .during(Step::Hostname)?;
    }
    Ok(())
}

/// Waits for an order. If the parent is gone, there is nobody to be a container for.
pub(crate) fn expect(channel: &Channel, order: Order) -> Result<(), Failure> {
    match channel.next_order().during(Step::Internal)? {
        Some(got) if got == order => Ok(()),
        Some(got) => Err(Failure::new(Step::Internal, format!("expected {order:?}, got {got:?}"))),
        None => sys::process::exit_now(1),
    }
}
