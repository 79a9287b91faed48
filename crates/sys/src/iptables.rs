//! The tables of iptables before nf_tables (linux/netfilter_ipv4/ip_tables.h).

#![allow(unsafe_code)]

use crate::rustix::io::Errno;
use crate::rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};
use std::os::fd::{AsRawFd, OwnedFd};

const IPT_SO_GET_INFO: i32 = 64;
const IPT_SO_GET_ENTRIES: i32 = 65;

/// `XT_TABLE_MAXNAMELEN`.
const NAME: usize = 32;
/// `sizeof(struct ipt_getinfo)`: the name, valid hooks, five entries, five underflows, two numbers.
const INFO: usize = NAME + 4 * (1 + 5 + 5 + 2);
/// `sizeof(struct ipt_get_entries)` before the entries: the name and the size, aligned to 8.
const ENTRIES: usize = NAME + 8;
/// A table is not larger than that; Kubernetes has some megabytes.
const LARGEST: usize = 64 << 20;

/// A table as the kernel has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// For each of the five hooks (`NF_INET_*`), where its first rule begins.
    pub first_rules: [u32; 5],
    /// Where the rule is that says what becomes of everything else.
    pub policies: [u32; 5],
    /// All rules (`struct ipt_entry`).
    pub rules: Vec<u8>,
}

/// `getsockopt(socket, SOL_IP, IPT_SO_GET_INFO)` and `IPT_SO_GET_ENTRIES` for a table, such as
/// `filter`, of the caller's network namespace. The kernel makes a table that is not there: whether
/// it is, `/proc/net/ip_tables_names` says.
///
/// # Errors
/// EPERM without CAP_NET_ADMIN, ENOPROTOOPT or ENOENT without such tables, EAGAIN if it has just
/// been changed.
pub fn table(name: &str) -> Result<Table, Errno> {
    if name.len() >= NAME {
        return Err(Errno::INVAL);
    }
    let kind = (AddressFamily::INET, SocketType::RAW, SocketFlags::CLOEXEC);
    let socket = socket_with(kind.0, kind.1, kind.2, Some(ipproto::RAW))?;
    let mut info = vec![0; INFO];
    info[..name.len()].copy_from_slice(name.as_bytes());
    ask(&socket, IPT_SO_GET_INFO, &mut info)?;
    let word = |index: usize| {
        let bytes = &info[NAME + 4 * index..][..4];
        u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    };
    let size = word(12) as usize;
    if size > LARGEST {
        return Err(Errno::TOOBIG);
    }
    let mut rules = vec![0; ENTRIES + size];
    rules[..name.len()].copy_from_slice(name.as_bytes());
    rules[NAME..NAME + 4].copy_from_slice(&word(12).to_ne_bytes());
    ask(&socket, IPT_SO_GET_ENTRIES, &mut rules)?;
    rules.drain(..ENTRIES);
    let five = |first: usize| std::array::from_fn(|hook| word(first + hook));
    Ok(Table { first_rules: five(1), policies: five(6), rules })
}

fn ask(socket: &OwnedFd, option: i32, buffer: &mut [u8]) -> Result<(), Errno> {
    let mut length = u32::try_from(buffer.len()).map_err(|_| Errno::TOOBIG)?;
    // SAFETY: the kernel writes at most `length` bytes, which are the buffer's, and the length.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_IP,
            option,
            buffer.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        return Ok(());
    }
    Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
}
