//! Protocol Buffers: the two forms of fields that criu's messages have.

const NUMBER: u64 = 0;
const BYTES: u64 = 2;

/// A message that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn number(mut self, field: u32, value: u64) -> Message {
        self.tag(field, NUMBER);
        self.varint(value);
        self
    }

    /// A switch; one that is off is the same as one that is not there.
    pub(super) fn switch(self, field: u32, on: bool) -> Message {
        if on { self.number(field, 1) } else { self }
    }

    pub(super) fn text(self, field: u32, value: impl AsRef<[u8]>) -> Message {
        self.bytes(field, value.as_ref())
    }

    /// A text that may not be there.
    pub(super) fn some_text(self, field: u32, value: Option<&str>) -> Message {
        match value {
            Some(value) => self.text(field, value),
            None => self,
        }
    }

    pub(super) fn message(self, field: u32, value: &Message) -> Message {
        self.bytes(field, &value.0)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn bytes(mut self, field: u32, value: &[u8]) -> Message {
        self.tag(field, BYTES);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    fn tag(&mut self, field: u32, form: u64) {
        self.varint(u64::from(field) << 3 | form);
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// The value of a field that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    /// A text, or a message in it.
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(super) fn as_number(self) -> u64 {
        match self {
            Value::Number(number) => number,
            Value::Bytes(_) => 0,
        }
    }

    pub(super) fn as_bytes(self) -> &'a [u8] {
        match self {
            Value::Number(_) => &[],
            Value::Bytes(bytes) => bytes,
        }
    }
}

/// The fields of a message, up to its end or to what makes no sense.
pub(super) fn fields(bytes: &[u8]) -> impl Iterator<Item = (u32, Value<'_>)> {
    let mut rest = bytes;
    std::iter::from_fn(move || next_field(&mut rest))
}

fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(u32, Value<'a>)> {
    let tag = varint(rest)?;
    let field = u32::try_from(tag >> 3).ok()?;
    let value = match tag & 7 {
        NUMBER => Value::Number(varint(rest)?),
        BYTES => {
            let length = usize::try_from(varint(rest)?).ok()?;
            let (value, after) = rest.split_at_checked(length)?;
            *rest = after;
            Value::Bytes(value)
        }
        _ => return None,
    };
    Some((field, value))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Message, Value, fields};

    #[test]
    fn fields_are_as_the_format_says() {
        let inner = Message::default().text(1, "key").number(2, 300);
        assert_eq!(inner.as_bytes(), b"\x0a\x03key\x10\xac\x02");
        let message = Message::default().switch(3, true).switch(4, false).message(37, &inner);
        assert_eq!(message.as_bytes(), b"\x18\x01\xaa\x02\x08\x0a\x03key\x10\xac\x02");
        let read: Vec<_> = fields(message.as_bytes()).collect();
        assert_eq!(read, [(3, Value::Number(1)), (37, Value::Bytes(inner.as_bytes()))]);
        let largest = Message::default().number(1, u64::MAX);
        assert_eq!(fields(largest.as_bytes()).next(), Some((1, Value::Number(u64::MAX))));
    }

    #[test]
    fn what_makes_no_sense_ends_it() {
        for bytes in [&b"\x08"[..], b"\x0a\x05abc", b"\x0d\x01\x02\x03\x04", &[0xff; 11]] {
            assert_eq!(fields(bytes).next(), None, "{bytes:?}");
        }
    }
}
