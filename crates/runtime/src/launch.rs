//! Making the process that becomes the container's.

use crate::child::expect;
use crate::failure::{During, Failure, Step};
use crate::handshake::{Channel, Order, Report};
use crate::{Error, Result};
use kernel::namespace::{self, Kind, Namespace, Set};
use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::process::{CLONE_PARENT, Cloned, clone3_of_single_thread};
use sys::rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, WaitOptions, dumpable_behavior, geteuid, pidfd_open,
    set_dumpable_behavior, waitpid,
};

/// In which namespaces the new process is to be.
#[derive(Debug, Default)]
pub(crate) struct Placement {
    /// New ones.
    pub(crate) new: Set,
    /// Existing ones, of which `new` has none.
    pub(crate) joined: Vec<Namespace>,
    /// Those of this process, all at once.
    pub(crate) of_process: Option<(OwnedFd, Set)>,
    /// The caller does not enter them itself before it clones: the child does, inside its user
    /// namespace if there is one, and then clones again to be in the PID namespace.
    pub(crate) child_enters: bool,
}

/// A process that waits, or works, as the child.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) pid: Pid,
    pub(crate) pidfd: OwnedFd,
    pub(crate) channel: Channel,
}

/// Kinds that the child itself makes later on, in its cgroup.
///
/// cgroup: it would be rooted at the parent's cgroup while CLONE_INTO_CGROUP is at work, or before
/// the child has joined its own. time: its offsets cannot be set once somebody is in it.
pub(crate) const MADE_BY_CHILD: [Kind; 2] = [Kind::Cgroup, Kind::Time];

/// Starts `child` in a process of its own, which is to be in the cgroup whose folder is given, and
/// in these namespaces, but for those of [`MADE_BY_CHILD`], and for that of IPC where the child makes
/// it as root of its user namespace: `/dev/mqueue` is its maker's for good.
///
/// Namespaces that exist are entered by the caller, which returns to its own ones, if it may:
/// then one clone3 is enough, and the caller's rights count, which a new user namespace would
/// take away. If one of them is a user namespace, the child enters, makes the others inside, and
/// clones once more, as a child of the caller. So it does for `exec`: who is in the container sees
/// the process from its birth on, and must not see the machine's network and mounts by it, which
/// `/proc/PID/net` and `/proc/PID/mountinfo` show to everybody.
pub(crate) fn launch(
    placement: &Placement,
    cgroup: Option<BorrowedFd<'_>>,
    child: impl FnOnce(Channel) -> Infallible,
) -> Result<Launched> {
    let (ours, theirs) = Channel::pair()?;
    let made_at_once = MADE_BY_CHILD.into_iter().fold(placement.new, Set::without);
    let is_user = |it: &Namespace| it.kind() == Kind::User;
    let made_at_once = if placement.new.contains(Kind::User) || placement.joined.iter().any(is_user)
    {
        made_at_once.without(Kind::Ipc)
    } else {
        made_at_once
    };
    let (flags, entered) = if placement.child_enters {
        (Set::EMPTY, Vec::new())
    } else {
        (made_at_once, enter_before(placement)?)
    };
    let hidden = Hidden::begin(placement)?;
    let cloned = clone3_of_single_thread(flags.flags(), cgroup)
        .or_error("clone3", || format!("{:#x}", flags.flags()));
    if let Ok(Cloned::Child) = cloned {
        drop(ours);
        drop(entered);
        if hidden.is_hidden {
            sys::command_line::forget();
        }
        if placement.child_enters {
            enter_inside(placement, made_at_once, theirs, child)
        } else {
            enter_after(placement, theirs, child)
        };
    }
    hidden.end()?;
    for own in &entered {
        own.enter()?;
    }
    drop(theirs);
    let Cloned::Parent(pid, pidfd) = cloned.map_err(|error| Error::Clone { error })? else {
        return Err(Error::Internal("the child went on in the parent's code"));
    };
    let launched = Launched { pid, pidfd, channel: ours };
    if placement.child_enters { second(launched) } else { Ok(launched) }
}

/// Nobody in a PID namespace that the child enters may look into it, not even in its first moment,
/// for it has the caller's memory (CVE-2016-9962): it is born not dumpable. In a new namespace
/// there is nobody.
struct Hidden {
    is_hidden: bool,
    was_dumpable: bool,
}

impl Hidden {
    fn begin(placement: &Placement) -> Result<Hidden> {
        // Without rights the caller could not write the maps of a process that is hidden.
        let possible = !placement.new.contains(Kind::User) || geteuid().is_root();
        if placement.new.contains(Kind::Pid) || !possible {
            return Ok(Hidden { is_hidden: false, was_dumpable: false });
        }
        let dumpable = dumpable_behavior().or_error("prctl", || "PR_GET_DUMPABLE")?;
        let was_dumpable = dumpable == DumpableBehavior::Dumpable;
        let hidden = Hidden { is_hidden: true, was_dumpable };
        if hidden.was_dumpable {
            hide()?;
        }
        Ok(hidden)
    }

    fn end(self) -> Result<()> {
        if self.was_dumpable {
            set_dumpable_behavior(DumpableBehavior::Dumpable)
                .or_error("prctl", || "PR_SET_DUMPABLE, 1")?;
        }
        Ok(())
    }
}

/// Makes the calling process not dumpable, see [`Hidden`].
pub(crate) fn hide() -> std::result::Result<(), sys::Error> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).or_error("prctl", || "PR_SET_DUMPABLE, 0")
}

/// Enters, in the parent, what exists already; returns the parent's own ones, for the way back. If
/// something cannot be entered, it has gone back.
fn enter_before(placement: &Placement) -> Result<Vec<Namespace>> {
    let mut own = Vec::new();
    if let Err(error) = enter_in_parent(placement, &mut own) {
        own.iter().try_for_each(Namespace::enter)?;
        return Err(error);
    }
    Ok(own)
}

fn enter_in_parent(placement: &Placement, own: &mut Vec<Namespace>) -> Result<()> {
    // A mount namespace would take the parent's root and working folder with it: the child's task.
    let here = placement.joined.iter().filter(|it| it.kind() != Kind::Mount);
    for namespace in here {
        own.push(Namespace::own(namespace.kind())?);
        namespace.enter()?;
    }
    Ok(())
}

/// Enters, in the child, the rest of what exists, and goes on.
fn enter_after(
    placement: &Placement,
    channel: Channel,
    child: impl FnOnce(Channel) -> Infallible,
) -> Infallible {
    let mut mounts = placement.joined.iter().filter(|it| it.kind() == Kind::Mount);
    let result = mounts.try_for_each(enter).and_then(|()| {
        let Some((process, kinds)) = &placement.of_process else { return Ok(()) };
        namespace::enter_process(process.as_fd(), *kinds).during(Step::EnterNamespace)
    });
    match result {
        Ok(()) => child(channel),
        Err(failure) => fail(&channel, failure),
    }
}

/// Enters the user namespace and the others, makes the new ones inside, and clones the process
/// that goes on.
fn enter_inside(
    placement: &Placement,
    new: Set,
    channel: Channel,
    child: impl FnOnce(Channel) -> Infallible,
) -> Infallible {
    let cloned = (|| {
        if let Some((process, kinds)) = &placement.of_process {
            namespace::enter_process(process.as_fd(), *kinds).during(Step::EnterNamespace)?;
        }
        // Those of the machine first, as long as there are the rights to enter them; others once
        // inside the user namespace that they belong to. A mount namespace has another `/`.
        let is_user = |it: &&Namespace| it.kind() == Kind::User;
        let is_early = |it: &&Namespace| !is_user(it) && it.kind() != Kind::Mount;
        let (early, late): (Vec<_>, Vec<_>) = placement.joined.iter().partition(is_early);
        let refused: Vec<_> = early.into_iter().filter(|it| it.enter().is_err()).collect();
        late.iter().copied().filter(is_user).try_for_each(enter)?;
        refused.into_iter().try_for_each(enter)?;
        late.iter().copied().filter(|it| !is_user(it)).try_for_each(enter)?;
        clone3_of_single_thread(new.flags() | CLONE_PARENT, None)
            .or_error("clone3", || format!("{:#x} | CLONE_PARENT", new.flags()))
            .during(Step::EnterNamespace)
    })();
    match cloned {
        Ok(Cloned::Child) => {
            // Else the parent could hear of it before it hears that it is there.
            match expect(&channel, Order::Proceed) {
                Ok(()) => child(channel),
                Err(failure) => fail(&channel, failure),
            }
        }
        Ok(Cloned::Parent(pid, _)) => {
            let report = Report::Cloned(pid.as_raw_nonzero().get());
            // The parent that is not there to hear it is dead, and so is the new process soon.
            let sent = channel.report(&report, None);
            sys::process::exit_now(i32::from(sent.is_err()))
        }
        Err(failure) => fail(&channel, failure),
    }
}

fn enter(namespace: &Namespace) -> std::result::Result<(), Failure> {
    namespace.enter().map_err(|error| Failure::new(Step::EnterNamespace, error))
}

/// Ends the child, which says why.
pub(crate) fn fail(channel: &Channel, failure: Failure) -> Infallible {
    // Nobody is left to tell of an error here.
    let sent = channel.report(&Report::Failed(failure), None);
    sys::process::exit_now(if sent.is_ok() { 1 } else { 2 })
}

/// Follows from the first child to the one that it cloned.
fn second(first: Launched) -> Result<Launched> {
    // What it says is there when it ends. If it ended without a word, its own child has the channel,
    // too, and waits for an answer: nobody else would ever end.
    waitpid(Some(first.pid), WaitOptions::empty()).or_error("waitpid", || "the first child")?;
    if !first.channel.has_report()? {
        return Err(Error::ChildDied);
    }
    match first.channel.next_report()? {
        Some((Report::Cloned(pid), _)) => {
            let pid = Pid::from_raw(pid).ok_or(Error::Internal("a process without id"))?;
            // Being our child, it keeps its id until we wait for it.
            let pidfd = pidfd_open(pid, PidfdFlags::empty()).or_error("pidfd_open", || "child")?;
            first.channel.order(Order::Proceed)?;
            Ok(Launched { pid, pidfd, channel: first.channel })
        }
        Some((Report::Failed(failure), _)) => Err(Error::Child(failure)),
        Some(_) => Err(Error::Internal("the child spoke out of turn")),
        None => Err(Error::ChildDied),
    }
}

#[cfg(test)]
mod tests {
    use super::{Placement, enter_before};
    use kernel::namespace::{Kind, Namespace, Set, unshare};
    use std::path::Path;
    use sys::rustix::fs::readlink;

    /// Opens a network namespace that is not this process's own; `None` without the right to.
    fn other_network() -> Option<Namespace> {
        let make = || {
            unshare(Set::EMPTY.with(Kind::Network)).ok()?;
            Namespace::open(Kind::Network, Path::new("/proc/thread-self/ns/net")).ok()
        };
        std::thread::spawn(make).join().unwrap()
    }

    #[test]
    fn who_cannot_enter_all_namespaces_is_where_it_was() {
        let Some(other) = other_network() else {
            eprintln!("skipped: nobody but root makes network namespaces");
            return;
        };
        let own = Path::new("/proc/thread-self/ns/net");
        let before = readlink(own, Vec::new()).unwrap();
        // Of a wrong kind.
        let wrong = Namespace::open(Kind::Uts, own).unwrap();
        let placement = Placement { joined: vec![other, wrong], ..Placement::default() };
        assert!(enter_before(&placement).is_err());
        assert_eq!(readlink(own, Vec::new()).unwrap(), before);
    }
}
