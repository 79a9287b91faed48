//! `events`: what a container uses, and what happens to it.

use crate::container::Container;
use crate::error::{Error, Result};
use crate::file;
use crate::id::ContainerId;
use crate::kill::cgroup_of;
use crate::plan::resctrl_class;
use kernel::cgroup::{self, Group, Statistics};
use kernel::resctrl::{Resctrl, Shares};
use spec::runtime::NamespaceKind;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};
use sys::rustix::event::{PollFd, PollFlags, Timespec, poll};
use sys::rustix::fs::CWD;
use sys::rustix::io::Errno;

/// All that a container uses.
#[derive(Clone, Debug, Default)]
pub struct Use {
    /// What its cgroup counts.
    pub group: Statistics,
    /// Its share of caches and memory bandwidth, if it has a class of its own.
    pub shares: Option<Shares>,
    /// The network devices of its own namespace but for loopback; none if it has no such namespace.
    pub interfaces: Vec<InterfaceUse>,
}

/// What went through one network device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceUse {
    /// Its name in the container.
    pub name: String,
    /// What came in: bytes, packets, errors, dropped packets.
    pub received: [u64; 4],
    /// What went out, in the same order.
    pub sent: [u64; 4],
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A process was killed, or waits, because memory ran out.
    OutOfMemory,
    /// The time that was given has passed.
    Elapsed,
    /// The container has ended.
    Ended,
}

/// Watches one container that runs.
pub struct Watch {
    group: Box<dyn Group>,
    events: cgroup::Events,
    /// Of its first process.
    pidfd: OwnedFd,
    pid: i32,
    own_network: bool,
    /// The class, and its monitoring group, if it has one of its own.
    class: Option<(String, Option<String>)>,
    /// What happened and was not told yet.
    pending: Vec<Event>,
}

impl Watch {
    /// Begins to watch.
    ///
    /// # Errors
    /// The container has ended, or has no cgroup.
    pub fn begin(root: &Path, id: &ContainerId) -> Result<Watch> {
        let container = Container::open(root, id)?;
        let group = cgroup_of(&container)?;
        let pidfd = container.pidfd()?.ok_or_else(|| Error::NotRunning(id.clone()))?;
        let (own_network, class) = container.with_configuration(|spec| {
            let kinds = spec.linux.namespaces.iter().map(|namespace| namespace.kind);
            let own_network = kinds.into_iter().any(|kind| kind == NamespaceKind::Network);
            let class = resctrl_class(spec.linux.intel_rdt.as_ref(), id.as_str());
            let class = class.ok().flatten().map(|class| (class.name, class.monitor));
            Ok((own_network, class))
        })?;
        let pid = container.process().map_or(0, |process| process.pid);
        let events = group.events().or_else(|error| match container.pidfd()? {
            Some(_) => Err(error.into()),
            // It has ended meanwhile, and its group is removed.
            None => Err(Error::NotRunning(id.clone())),
        })?;
        Ok(Watch { group, events, pidfd, pid, own_network, class, pending: Vec::new() })
    }

    /// What the container uses now; `None` when it has ended.
    ///
    /// # Errors
    /// The kernel's.
    pub fn statistics(&self) -> Result<Option<Use>> {
        let result = self.read();
        match self.has_ended(Some(Duration::ZERO))? {
            // Whatever was read may be of nobody, or of somebody else.
            true => Ok(None),
            false => result.map(Some),
        }
    }

    fn read(&self) -> Result<Use> {
        let interfaces = if self.own_network { self.interfaces()? } else { Vec::new() };
        let shares = match &self.class {
            Some((class, monitor)) => Some(Resctrl::find()?.shares(class, monitor.as_deref())?),
            None => None,
        };
        Ok(Use { group: self.group.statistics()?, shares, interfaces })
    }

    fn interfaces(&self) -> Result<Vec<InterfaceUse>> {
        match file::read_all(CWD, format!("/proc/{}/net/dev", self.pid), 1 << 20) {
            // A process that is ending has left its namespaces before it has ended.
            Err(error) if matches!(error.errno, Errno::NOENT | Errno::SRCH) => Ok(Vec::new()),
            text => Ok(interfaces(&String::from_utf8_lossy(&text?))),
        }
    }

    /// Waits for the next event, or until this much time has passed.
    ///
    /// # Errors
    /// The kernel's.
    pub fn next(&mut self, time: Duration) -> Result<Event> {
        // A time beyond what a clock can tell is for ever.
        let end = Instant::now().checked_add(time);
        loop {
            if !self.pending.is_empty() {
                return Ok(self.pending.remove(0));
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(Event::Elapsed);
            }
            // Asked for first: that memory ran out is known by the time that the process has ended.
            let ended = self.has_ended(left)?;
            for event in self.events.take()? {
                match event {
                    cgroup::Event::OutOfMemory => self.pending.push(Event::OutOfMemory),
                    // Others may still be in it, or come.
                    cgroup::Event::Ended => {}
                }
            }
            if ended {
                self.pending.push(Event::Ended);
            }
        }
    }

    /// Waits for the end, an event of the group, or until this much time has passed; whether it was
    /// the end.
    fn has_ended(&self, time: Option<Duration>) -> Result<bool> {
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        let mut polled = [
            PollFd::new(&self.pidfd, PollFlags::IN),
            PollFd::from_borrowed_fd(self.events.as_fd(), PollFlags::IN),
        ];
        match poll(&mut polled, time.as_ref()) {
            Ok(_) => Ok(!polled[0].revents().is_empty()),
            Err(Errno::INTR) => Ok(false),
            Err(errno) => Err(sys::Error::new("poll", "the container", errno).into()),
        }
    }
}

/// `/proc/PID/net/dev`, proc_pid_net(5): two lines of titles, then a line each.
fn interfaces(text: &str) -> Vec<InterfaceUse> {
    let read = |line: &str| {
        let (name, numbers) = line.rsplit_once(':')?;
        let numbers: Option<Vec<u64>> =
            numbers.split_whitespace().map(|number| number.parse().ok()).collect();
        let numbers = numbers?;
        let four = |first: usize| numbers.get(first..)?.first_chunk::<4>().copied();
        let name = name.trim().to_owned();
        Some(InterfaceUse { name, received: four(0)?, sent: four(8)? })
    };
    text.lines().skip(2).filter_map(read).filter(|it| it.name != "lo").collect()
}

#[cfg(test)]
mod tests {
    use super::interfaces;

    #[test]
    fn devices_are_told_but_for_loopback() {
        let text = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 9 9 9 9 0 0 0 0 9 9 9 9 0 0 0 0
  eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0
odd:er: 1 2
";
        let found = interfaces(text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name, "eth0");
        assert_eq!((found[0].received, found[0].sent), ([1, 2, 3, 4], [5, 6, 7, 8]));
    }
}
