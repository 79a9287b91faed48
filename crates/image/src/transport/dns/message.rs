//! DNS messages (RFC 1035, section 4): one question out, addresses in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IPv4 addresses.
    A = 1,
    /// IPv6 addresses.
    Aaaa = 28,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The addresses of the kind asked for: none, if the name exists without any.
    Addresses(Vec<IpAddr>),
    /// The name does not exist.
    NoSuchName,
    /// It did not fit: ask again over TCP.
    Truncated,
    /// The server failed or refused (its RCODE); another one may know.
    Failed(u8),
}

/// A message that is not the answer to the question, or is none at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an answer to the question")]
pub struct NotTheAnswer;

const HEADER: usize = 12;
const CLASS_INTERNET: u16 = 1;
const RESPONSE: u8 = 0x80;
const TRUNCATED: u8 = 0x02;
const RECURSION_DESIRED: u8 = 0x01;
const NAME_ERROR: u8 = 3;

/// The question for one kind of address of `name`, or None if that is no name.
pub fn question(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let mut message = Vec::with_capacity(HEADER + name.len() + 6);
    message.extend(id.to_be_bytes());
    // One question, no other records.
    message.extend([RECURSION_DESIRED, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    if name.is_empty() || name.len() > 253 || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        message.push(length);
        message.extend(label.bytes());
    }
    message.push(0);
    message.extend((kind as u16).to_be_bytes());
    message.extend(CLASS_INTERNET.to_be_bytes());
    Some(message)
}

/// Reads the answer to `question`, as it was sent.
///
/// Only addresses of the kind asked for are taken, whatever their owner: the server has followed
/// the aliases, and it could as well have lied about the name itself.
///
/// # Errors
/// Another id, another question, or no message.
pub fn answer(question: &[u8], message: &[u8]) -> Result<Answer, NotTheAnswer> {
    let (header, body) = message.split_at_checked(HEADER).ok_or(NotTheAnswer)?;
    let asked = question.get(HEADER..).ok_or(NotTheAnswer)?;
    let is_response = header[2] & RESPONSE != 0;
    if !is_response || header[..2] != question[..2] || header[4..6] != [0, 1] {
        return Err(NotTheAnswer);
    }
    // Servers repeat the question as they got it, but for the case of letters in some.
    let repeated = body.get(..asked.len()).ok_or(NotTheAnswer)?;
    if !repeated.eq_ignore_ascii_case(asked) {
        return Err(NotTheAnswer);
    }
    match header[3] & 0x0f {
        0 if header[2] & TRUNCATED != 0 => Ok(Answer::Truncated),
        0 => {
            let kind = &asked[asked.len() - 4..asked.len() - 2];
            let count = u16::from_be_bytes([header[6], header[7]]);
            records(&body[asked.len()..], kind, count).map(Answer::Addresses)
        }
        NAME_ERROR => Ok(Answer::NoSuchName),
        code => Ok(Answer::Failed(code)),
    }
}

/// The addresses in `count` records.
fn records(mut rest: &[u8], kind: &[u8], count: u16) -> Result<Vec<IpAddr>, NotTheAnswer> {
    let mut addresses = Vec::new();
    for _ in 0..count {
        rest = skip_name(rest)?;
        let (fixed, after) = rest.split_at_checked(10).ok_or(NotTheAnswer)?;
        let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let (data, after) = after.split_at_checked(length).ok_or(NotTheAnswer)?;
        rest = after;
        if fixed[..2] != *kind || fixed[2..4] != CLASS_INTERNET.to_be_bytes() {
            continue;
        }
        if let Ok(bytes) = <[u8; 4]>::try_from(data) {
            addresses.push(IpAddr::V4(Ipv4Addr::from(bytes)));
        } else if let Ok(bytes) = <[u8; 16]>::try_from(data) {
            addresses.push(IpAddr::V6(Ipv6Addr::from(bytes)));
        }
    }
    Ok(addresses)
}

/// What follows a name. A pointer ends it, so nothing is followed and no loop is possible.
fn skip_name(mut rest: &[u8]) -> Result<&[u8], NotTheAnswer> {
    loop {
        let (length, after) = rest.split_first().ok_or(NotTheAnswer)?;
        match length {
            0 => return Ok(after),
            1..=63 => rest = after.get(usize::from(*length)..).ok_or(NotTheAnswer)?,
            0xc0.. => return after.get(1..).ok_or(NotTheAnswer),
            _ => return Err(NotTheAnswer),
        }
    }
}
