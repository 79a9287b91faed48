//! DNS messages (RFC 1035, section 4; RFC 6891): questions read, answers written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const HEADER: usize = 12;
const CLASS_INTERNET: u16 = 1;
const TYPE_OPTIONS: u16 = 41;
/// In the third byte.
const RESPONSE: u8 = 0x80;
const OPCODE: u8 = 0x78;
const AUTHORITATIVE: u8 = 0x04;
const TRUNCATED: u8 = 0x02;
const RECURSION_DESIRED: u8 = 0x01;
/// In the fourth byte.
const RECURSION_AVAILABLE: u8 = 0x80;

/// The question could not be read.
pub const FORMAT_ERROR: u8 = 1;
/// No server answers.
pub const SERVER_FAILURE: u8 = 2;
/// The name does not exist.
pub const NAME_ERROR: u8 = 3;
/// Another kind of message than a question.
pub const NOT_IMPLEMENTED: u8 = 4;
/// We do not answer that.
pub const REFUSED: u8 = 5;

/// Without EDNS, UDP carries this much.
const SHORTEST_LIMIT: usize = 512;
/// What we take over UDP, and tell to those who ask.
pub const LONGEST: usize = 4096;
/// How long an address is believed: containers come and go.
const TIME_TO_LIVE: u32 = 5;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Addresses of IPv4.
    A,
    /// Addresses of IPv6.
    Aaaa,
    /// The name of an address.
    Pointer,
    /// Everything there is.
    Any,
    /// Something else, by its number.
    Other(u16),
}

/// A question, as much of it as matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name in lower case, without a dot at its end. None if it has other characters than
    /// printable ones of ASCII, which no name of ours has.
    pub name: Option<String>,
    /// What is asked for.
    pub kind: Kind,
    /// How long an answer over UDP may be.
    pub limit: usize,
    /// Where the question ends in the message.
    end: usize,
    /// Whether it came with EDNS, which the answer must then have, too.
    has_options: bool,
}

/// A message that is not answered as a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// It is no question at all.
    Ignored,
    /// It gets this response code.
    Answered(u8),
}

/// Reads a question.
///
/// # Errors
/// See [`Rejected`].
pub fn parse(message: &[u8]) -> Result<Question, Rejected> {
    const BAD: Rejected = Rejected::Answered(FORMAT_ERROR);
    let header: &[u8; HEADER] = message.first_chunk().ok_or(Rejected::Ignored)?;
    if header[2] & RESPONSE != 0 {
        return Err(Rejected::Ignored);
    }
    if header[2] & OPCODE != 0 {
        return Err(Rejected::Answered(NOT_IMPLEMENTED));
    }
    let [questions, answers, authorities, additional] = counts(header);
    if (questions, answers, authorities) != (1, 0, 0) {
        return Err(BAD);
    }
    let (name, rest) = read_name(&message[HEADER..]).ok_or(BAD)?;
    let (&[a, b, c, d], mut rest) = rest.split_first_chunk().ok_or(BAD)?;
    if u16::from_be_bytes([c, d]) != CLASS_INTERNET {
        return Err(Rejected::Answered(REFUSED));
    }
    let kind = match u16::from_be_bytes([a, b]) {
        1 => Kind::A,
        12 => Kind::Pointer,
        28 => Kind::Aaaa,
        255 => Kind::Any,
        other => Kind::Other(other),
    };
    let end = message.len() - rest.len();
    let mut question = Question { name, kind, limit: SHORTEST_LIMIT, end, has_options: false };
    for _ in 0..additional {
        let (_, record) = read_name(rest).ok_or(BAD)?;
        let (fixed, data) = record.split_first_chunk::<10>().ok_or(BAD)?;
        let number = |place| u16::from_be_bytes([fixed[place], fixed[place + 1]]);
        rest = data.get(usize::from(number(8))..).ok_or(BAD)?;
        if number(0) == TYPE_OPTIONS {
            // Its class is the length that the other side takes.
            question.limit = usize::from(number(2)).clamp(SHORTEST_LIMIT, LONGEST);
            question.has_options = true;
        }
    }
    Ok(question)
}

/// Questions, answers, authorities, additional records.
fn counts(header: &[u8; HEADER]) -> [u16; 4] {
    [4, 6, 8, 10].map(|place| u16::from_be_bytes([header[place], header[place + 1]]))
}

/// A name without pointers, which have no place in front of what they could point to, and what
/// comes behind it.
fn read_name(mut rest: &[u8]) -> Option<(Option<String>, &[u8])> {
    let (mut name, mut is_plain, mut length) = (String::new(), true, 0);
    loop {
        let (&size, after) = rest.split_first()?;
        if size == 0 {
            return Some((is_plain.then_some(name), after));
        }
        let (label, after) = after.split_at_checked(size.into())?;
        length += label.len() + 1;
        if size > 63 || length > 254 {
            return None;
        }
        is_plain &= label.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'.');
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
        rest = after;
    }
}

/// One record of an answer, about the name that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// An address.
    Address(IpAddr),
    /// A name.
    Name(String),
}

/// An answer with records, as many as fit into `limit` bytes; if not all do, it says so.
#[must_use]
pub fn answer(message: &[u8], question: &Question, records: &[Record], limit: usize) -> Vec<u8> {
    let mut answer = message.get(..question.end).unwrap_or_default().to_vec();
    let options = if question.has_options { options(0) } else { Vec::new() };
    let room = limit.saturating_sub(options.len());
    let (mut count, mut is_complete) = (0_u16, true);
    for record in records {
        let bytes = write_record(record);
        if answer.len() + bytes.len() > room {
            is_complete = false;
            break;
        }
        answer.extend(bytes);
        count += 1;
    }
    finish(&mut answer, AUTHORITATIVE, 0);
    if let Some(header) = answer.first_chunk_mut::<HEADER>() {
        header[6..8].copy_from_slice(&count.to_be_bytes());
        header[2] |= if is_complete { 0 } else { TRUNCATED };
        header[11] = u8::from(question.has_options);
    }
    answer.extend(options);
    answer
}

/// An answer that has no records, but a response code.
#[must_use]
pub fn failure(message: &[u8], code: u8) -> Vec<u8> {
    let end = parse(message).map_or(HEADER, |question| question.end);
    let mut answer = message.get(..end).unwrap_or_default().to_vec();
    if end == HEADER
        && let Some(header) = answer.first_chunk_mut::<HEADER>()
    {
        header[5] = 0;
        header[4] = 0;
    }
    finish(&mut answer, 0, code);
    answer
}

/// An answer that says nothing but that there is one which does not fit.
#[must_use]
pub fn truncated(message: &[u8]) -> Vec<u8> {
    let mut answer = failure(message, 0);
    if let Some(byte) = answer.get_mut(2) {
        *byte |= TRUNCATED;
    }
    answer
}

/// Makes a response of what was a question.
fn finish(answer: &mut [u8], flags: u8, code: u8) {
    let Some(header) = answer.first_chunk_mut::<HEADER>() else { return };
    header[2] = RESPONSE | flags | header[2] & (OPCODE | RECURSION_DESIRED);
    header[3] = RECURSION_AVAILABLE | code;
    header[6..].fill(0);
}

/// The OPT record, RFC 6891.
fn options(code: u8) -> Vec<u8> {
    let [high, low] = (LONGEST as u16).to_be_bytes();
    let [kind_high, kind] = TYPE_OPTIONS.to_be_bytes();
    vec![0, kind_high, kind, high, low, code, 0, 0, 0, 0, 0]
}

fn write_record(record: &Record) -> Vec<u8> {
    let (kind, data) = match record {
        Record::Address(IpAddr::V4(address)) => (1_u16, address.octets().to_vec()),
        Record::Address(IpAddr::V6(address)) => (28, address.octets().to_vec()),
        Record::Name(name) => (12, write_name(name)),
    };
    // A pointer to the name in the question.
    let mut bytes = vec![0xc0, HEADER as u8];
    bytes.extend(kind.to_be_bytes());
    bytes.extend(CLASS_INTERNET.to_be_bytes());
    bytes.extend(TIME_TO_LIVE.to_be_bytes());
    bytes.extend(u16::try_from(data.len()).unwrap_or_default().to_be_bytes());
    bytes.extend(data);
    bytes
}

/// A name; what cannot be one is cut short.
fn write_name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        if bytes.len() + label.len() > 252 {
            break;
        }
        bytes.push(label.len() as u8);
        bytes.extend(label);
    }
    bytes.push(0);
    bytes
}

/// Whether a message is an answer to this one, which was sent: the same number and question.
#[must_use]
pub fn is_answer(sent: &[u8], message: &[u8]) -> bool {
    let Ok(Question { end, .. }) = parse(sent) else { return false };
    let Some(header) = message.first_chunk::<HEADER>() else { return false };
    let is_response = header[2] & RESPONSE != 0;
    let has_question = counts(header)[0] == 1
        && message.get(HEADER..end).is_some_and(|it| it.eq_ignore_ascii_case(&sent[HEADER..end]));
    // Servers that cannot read a question need not repeat it.
    let is_failure = counts(header)[0] == 0 && code(message) != 0;
    is_response && header[..2] == sent[..2] && (has_question || is_failure)
}

/// The response code of an answer.
#[must_use]
pub fn code(message: &[u8]) -> u8 {
    message.get(3).map_or(SERVER_FAILURE, |byte| byte & 0x0f)
}

/// The number by which a question and its answer know each other.
#[must_use]
pub fn id(message: &[u8]) -> [u8; 2] {
    message.first_chunk().copied().unwrap_or_default()
}

/// Changes that number.
pub fn set_id(message: &mut [u8], id: [u8; 2]) {
    if let Some(place) = message.first_chunk_mut() {
        *place = id;
    }
}

/// The address that a name below `in-addr.arpa` or `ip6.arpa` stands for.
#[must_use]
pub fn reversed(name: &str) -> Option<IpAddr> {
    if let Some(digits) = name.strip_suffix(".in-addr.arpa") {
        let bytes: Option<Vec<u8>> = digits.rsplit('.').map(|digit| digit.parse().ok()).collect();
        return <[u8; 4]>::try_from(bytes?).ok().map(|bytes| Ipv4Addr::from(bytes).into());
    }
    let digits: Vec<&str> = name.strip_suffix(".ip6.arpa")?.rsplit('.').collect();
    if digits.len() != 32 || digits.iter().any(|digit| digit.len() != 1) {
        return None;
    }
    let number = u128::from_str_radix(&digits.concat(), 16).ok()?;
    Some(Ipv6Addr::from(number).into())
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
