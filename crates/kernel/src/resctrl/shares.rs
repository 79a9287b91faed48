//! What a class gets of caches and memory bandwidth, and what it uses of them.

use super::{Class, Error, Resctrl, check};
use crate::path::read_at;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};
use sys::OrError;
use sys::rustix::fs::{Dir, Mode, OFlags, openat};
use sys::rustix::io::Errno;

/// More than any of its files has.
const MAX_FILE: usize = 1 << 16;

/// A class and the machine around it. What the machine does not have is empty or zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// The bits of the L3 cache, in hexadecimal digits; the fewest a class may have; how many
    /// classes there may be.
    pub cache: Option<(String, u64, u64)>,
    /// The steps of a share of memory bandwidth in percent; whether delay is linear, 1 or 0; the
    /// smallest share; how many classes there may be.
    pub bandwidth: Option<[u64; 4]>,
    /// The lines of `schemata` of the machine's own class.
    pub root: Schemata,
    /// Those of the container's class.
    pub class: Schemata,
    /// What is used, each L3 cache by itself.
    pub domains: Vec<DomainUse>,
}

/// Lines of `schemata`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schemata {
    /// `L3:0=7f0;1=1f`
    pub l3: String,
    /// `MB:0=20;1=70`
    pub bandwidth: String,
}

/// What is used of one cache, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DomainUse {
    /// Bytes in the cache.
    pub occupancy: u64,
    /// Bytes to and from any memory.
    pub total: u64,
    /// Bytes to and from the memory of this node.
    pub local: u64,
}

impl Resctrl {
    /// What a class has; `monitor` is a monitoring group in it.
    ///
    /// # Errors
    /// There is no such class, or a file cannot be read.
    pub fn shares(&self, class: &str, monitor: Option<&str>) -> Result<Shares, Error> {
        check(class)?;
        let class = Class::folder(class);
        let cache = |name| number(self.root.as_fd(), &format!("info/L3/{name}"));
        let bandwidth = |name| number(self.root.as_fd(), &format!("info/MB/{name}"));
        let mut shares = Shares {
            root: schemata(&self.text("schemata")?),
            class: schemata(&self.text(&format!("{class}/schemata"))?),
            ..Shares::default()
        };
        let mask = self.text("info/L3/cbm_mask")?;
        if !mask.is_empty() {
            shares.cache = Some((mask, cache("min_cbm_bits")?, cache("num_closids")?));
        }
        let names = ["bandwidth_gran", "delay_linear", "min_bandwidth", "num_closids"];
        let [step, linear, least, classes] = names.map(bandwidth);
        if !self.text("info/MB/num_closids")?.is_empty() {
            shares.bandwidth = Some([step?, linear?, least?, classes?]);
        }
        let folder = match monitor {
            Some(monitor) => {
                check(monitor)?;
                format!("{class}/mon_groups/{monitor}/mon_data")
            }
            None => format!("{class}/mon_data"),
        };
        shares.domains = self.domains(&folder)?;
        Ok(shares)
    }

    /// A file, by its path from the root.
    pub(super) fn text(&self, path: &str) -> Result<String, Error> {
        text(self.root.as_fd(), path)
    }

    fn domains(&self, path: &str) -> Result<Vec<DomainUse>, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = match openat(&self.root, path, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(Vec::new()),
            result => result.or_error("openat", || format!("{path:?}"))?,
        };
        let mut names = Vec::new();
        for entry in Dir::read_from(&folder).or_error("getdents64", || format!("{path:?}"))? {
            let entry = entry.or_error("getdents64", || format!("{path:?}"))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.retain(|name| name.starts_with("mon_L3_"));
        names.sort();
        let read = |name: &String| {
            let value = |file| number(folder.as_fd(), &format!("{name}/{file}"));
            Ok(DomainUse {
                occupancy: value("llc_occupancy")?,
                total: value("mbm_total_bytes")?,
                local: value("mbm_local_bytes")?,
            })
        };
        names.iter().map(read).collect()
    }
}

fn schemata(text: &str) -> Schemata {
    let line = |kind| text.lines().map(str::trim).find(|line| line.starts_with(kind));
    let line = |kind| line(kind).unwrap_or_default().to_owned();
    Schemata { l3: line("L3"), bandwidth: line("MB") }
}

/// Without white space around it; nothing where there is no such file.
fn text(folder: BorrowedFd<'_>, name: &str) -> Result<String, Error> {
    // Names come from this file, and from folders of the kernel's.
    let path = CString::new(name).map_err(|_| Error::Name(name.to_owned()))?;
    match read_at(folder, &path, MAX_FILE) {
        Err(error) if error.errno == Errno::NOENT => Ok(String::new()),
        result => Ok(String::from_utf8_lossy(&result?).trim().to_owned()),
    }
}

/// 0 for a counter that is not available at the moment, and says so.
fn number(folder: BorrowedFd<'_>, name: &str) -> Result<u64, Error> {
    Ok(text(folder, name)?.parse().unwrap_or(0))
}
