//! `ip link set lo up`, as one rtnetlink message (rtnetlink(7)).

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{recv, sendto, socket_with};

const RTM_NEWLINK: u16 = 16;
const NLM_F_REQUEST_AND_ACK: u16 = 1 | 4;
const NLMSG_ERROR: u16 = 2;
const IFF_UP: u32 = 1;
/// The first interface of every network namespace.
const LOOPBACK_INDEX: i32 = 1;

pub(crate) fn up() -> Result<()> {
    // NETLINK_ROUTE is 0, the protocol one gets without naming one.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)
        .context("socket(AF_NETLINK)")?;
    sendto(&socket, &request(), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))
        .context("send")?;
    let mut answer = [0; 256];
    let (length, _) = recv(&socket, &mut answer, RecvFlags::empty()).context("recv")?;
    check(&answer[..length])
}

/// `struct nlmsghdr` (16 bytes) and `struct ifinfomsg` (16 bytes), in the machine's byte order.
fn request() -> Vec<u8> {
    let mut message = Vec::new();
    message.extend_from_slice(&32_u32.to_ne_bytes());
    message.extend_from_slice(&RTM_NEWLINK.to_ne_bytes());
    message.extend_from_slice(&NLM_F_REQUEST_AND_ACK.to_ne_bytes());
    message.extend_from_slice(&[0; 8]); // sequence number and port
    message.extend_from_slice(&[0; 4]); // family, padding, type
    message.extend_from_slice(&LOOPBACK_INDEX.to_ne_bytes());
    message.extend_from_slice(&IFF_UP.to_ne_bytes()); // the flags
    message.extend_from_slice(&IFF_UP.to_ne_bytes()); // which of them to change
    message
}

/// The answer is an error message whose number, after the header, is 0 for "done".
fn check(answer: &[u8]) -> Result<()> {
    let number = |at: usize| answer.get(at..at + 4)?.try_into().ok().map(i32::from_ne_bytes);
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
    match (kind, number(16)) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(error)) => Err(Errno::from_raw_os_error(-error).into()),
        _ => bail!("not an answer to RTM_NEWLINK"),
    }
}
