//! What happens to a group, to be waited for.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use sys::OrError as _;
use sys::rustix::buffer::spare_capacity;
use sys::rustix::event::epoll::{self, EventData, EventFlags};
use sys::rustix::event::{EventfdFlags, Timespec, eventfd};
use sys::rustix::fs::OFlags;
use sys::rustix::io::{self, Errno};

use super::error::Result;
use super::folder::{Folder, reread};
use super::text;

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// There was no memory left below the group's limit, and a process was killed for it, or
    /// (v1, `memory.disableOOMKiller`) waits.
    OutOfMemory,
    /// No process is left, or the group is gone. Without a tree of v2 the latter alone is told.
    Ended,
}

/// The events of a group. Its descriptor becomes readable, for poll(2), when [`Events::take`] has
/// something to tell.
#[derive(Debug)]
pub struct Events {
    epoll: OwnedFd,
    sources: Vec<Source>,
}

#[derive(Debug)]
enum Source {
    /// v1: an eventfd, and the file that goes away with the group.
    OomControl { counter: OwnedFd, file: OwnedFd },
    /// v2: how many were killed when last looked.
    MemoryEvents { file: OwnedFd, killed: u64 },
    /// v2.
    CgroupEvents { file: OwnedFd },
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl Events {
    pub(super) fn new() -> Result<Events> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).or_error("epoll_create1", || "")?;
        Ok(Events { epoll, sources: Vec::new() })
    }

    /// Everything that has happened since the last call; does not wait. The kernel may tell of
    /// killed processes some milliseconds late: this looks whether there are any.
    ///
    /// # Errors
    /// The kernel's.
    pub fn take(&mut self) -> Result<Vec<Event>> {
        let mut ready = Vec::with_capacity(self.sources.len().max(1));
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        match epoll::wait(&self.epoll, spare_capacity(&mut ready), Some(&now)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(sys::Error::new("epoll_wait", "", errno).into()),
        }
        let mut happened = Vec::new();
        let ready: Vec<u64> = ready.iter().map(|event| event.data.u64()).collect();
        for (index, source) in (0..).zip(&mut self.sources) {
            // A group that is still empty has not ended: only a change counts there.
            if ready.contains(&index) || !matches!(source, Source::CgroupEvents { .. }) {
                happened.extend(source.take()?);
            }
        }
        happened.dedup();
        Ok(happened)
    }

    /// v1: has the kernel count up an eventfd each time.
    pub(super) fn watch_oom_control(&mut self, folder: &Folder) -> Result<()> {
        let counter = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .or_error("eventfd2", || "0")?;
        let file = folder.open("memory.oom_control", OFlags::RDONLY)?;
        let number = |descriptor: &OwnedFd| std::os::fd::AsRawFd::as_raw_fd(descriptor);
        folder.write("cgroup.event_control", &format!("{} {}", number(&counter), number(&file)))?;
        self.add(&counter, EventFlags::IN)?;
        self.sources.push(Source::OomControl { counter, file });
        Ok(())
    }

    /// v2: without the memory controller there is nothing to watch.
    pub(super) fn watch_memory_events(&mut self, folder: &Folder) -> Result<()> {
        let file = match folder.open("memory.events", OFlags::RDONLY) {
            Err(error) if error.errno == Errno::NOENT => return Ok(()),
            other => other?,
        };
        let killed = killed(&reread(&file)?.unwrap_or_default());
        self.add(&file, EventFlags::PRI)?;
        self.sources.push(Source::MemoryEvents { file, killed });
        Ok(())
    }

    /// v2: the end of the last process. A group that is still empty has not ended.
    pub(super) fn watch_cgroup_events(&mut self, folder: &Folder) -> Result<()> {
        let file = folder.open("cgroup.events", OFlags::RDONLY)?;
        // What it says now is no news.
        reread(&file)?;
        self.add(&file, EventFlags::PRI)?;
        self.sources.push(Source::CgroupEvents { file });
        Ok(())
    }

    fn add(&self, descriptor: &OwnedFd, flags: EventFlags) -> Result<()> {
        let index = EventData::new_u64(self.sources.len() as u64);
        Ok(epoll::add(&self.epoll, descriptor, index, flags).or_error("epoll_ctl", || "add")?)
    }
}

impl Source {
    fn take(&mut self) -> Result<Option<Event>> {
        match self {
            Source::OomControl { counter, file } => {
                let mut count = [0; 8];
                let counted = io::read(&*counter, &mut count);
                // The kernel counts up once more when the group is removed.
                match reread(file)? {
                    None => Ok(Some(Event::Ended)),
                    Some(_) => Ok(counted.is_ok().then_some(Event::OutOfMemory)),
                }
            }
            Source::MemoryEvents { file, killed: before } => {
                let Some(text) = reread(file)? else { return Ok(Some(Event::Ended)) };
                let now = killed(&text);
                let more = now > *before;
                *before = now;
                Ok(more.then_some(Event::OutOfMemory))
            }
            Source::CgroupEvents { file } => {
                let populated =
                    reread(file)?.is_some_and(|text| text::value_of(&text, "populated") > 0);
                Ok((!populated).then_some(Event::Ended))
            }
        }
    }
}

fn killed(memory_events: &str) -> u64 {
    text::value_of(memory_events, "oom_kill")
}
