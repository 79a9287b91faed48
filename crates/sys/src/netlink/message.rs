//! A message: a header, a structure that depends on the type, attributes.

/// The kernel wants every part to begin at a multiple of this.
const ALIGNMENT: usize = 4;
const HEADER: usize = 16;

/// A message that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A request of this type (`RTM_*`), with flags (`NLM_F_*`) and the structure that belongs to
    /// the type.
    #[must_use]
    pub fn new(kind: u16, flags: u16, structure: &[u8]) -> Message {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(structure);
        Message { bytes }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Message {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
        let length = u16::try_from(HEADER_OF_ATTRIBUTE + value.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self
    }

    /// Adds an attribute that has attributes in it, which `content` adds. All together may have
    /// 64 kB: a longer one says so to the kernel, which refuses it.
    #[must_use]
    pub fn nested(self, kind: u16, content: impl FnOnce(Message) -> Message) -> Message {
        self.nested_with(kind, &[], content)
    }

    /// The same with a structure in front of the attributes.
    #[must_use]
    pub fn nested_with(
        mut self,
        kind: u16,
        structure: &[u8],
        content: impl FnOnce(Message) -> Message,
    ) -> Message {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; HEADER_OF_ATTRIBUTE]);
        self.bytes.extend_from_slice(structure);
        let mut message = content(self);
        let length = u16::try_from(message.bytes.len() - start).unwrap_or(u16::MAX);
        message.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        message.bytes[start + 2..start + 4].copy_from_slice(&(kind | NESTED).to_ne_bytes());
        message
    }

    /// Adds a text, ended by NUL.
    #[must_use]
    pub fn text(self, kind: u16, value: &str) -> Message {
        self.attribute(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// Adds flags (`NLM_F_*`) to those of the beginning.
    pub(super) fn add_flags(&mut self, flags: u16) {
        let all = u16::from_ne_bytes([self.bytes[6], self.bytes[7]]) | flags;
        self.bytes[6..8].copy_from_slice(&all.to_ne_bytes());
    }

    /// The bytes to send, numbered.
    pub(super) fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }
}

const HEADER_OF_ATTRIBUTE: usize = 4;
/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;

/// A message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received<'a> {
    /// Its type.
    pub kind: u16,
    /// The number of the request that it answers.
    pub sequence: u32,
    /// Structure and attributes.
    pub content: &'a [u8],
}

/// The messages in what was received at once; the rest is dropped where it makes no sense.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Received<'_>> {
    std::iter::from_fn(move || {
        let header = bytes.get(..HEADER)?;
        let length = number(&header[..4])? as usize;
        let content = bytes.get(HEADER..length)?;
        let (low, high) = (header[4], header[5]);
        let sequence = number(&header[8..12])?;
        bytes = bytes.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        Some(Received { kind: u16::from_ne_bytes([low, high]), sequence, content })
    })
}

/// The attributes after a structure of this size.
pub fn attributes(content: &[u8], structure: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut bytes = content.get(structure.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
    std::iter::from_fn(move || {
        let &[low, high, kind_low, kind_high, ..] = bytes else { return None };
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let value = bytes.get(HEADER_OF_ATTRIBUTE..length)?;
        bytes = bytes.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        // The two highest bits are flags.
        Some((u16::from_ne_bytes([kind_low, kind_high]) & 0x3fff, value))
    })
}

/// A number of four bytes.
pub fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Message, attributes, messages};

    #[test]
    fn what_is_written_is_read() {
        let message = |kind| Message::new(kind, 5, &[1; 16]).text(3, "eth0").attribute(7, &[9; 2]);
        let bytes = [message(20).finish(1), vec![0; 2], message(21).finish(2)].concat();
        let found: Vec<_> = messages(&bytes).collect();
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].kind, found[1].sequence), (21, 2));
        let found: Vec<_> = attributes(found[1].content, 16).collect();
        assert_eq!(found, [(3, &b"eth0\0"[..]), (7, &[9, 9][..])]);
    }

    #[test]
    fn attributes_within_attributes_are_read_one_by_one() {
        let content = |it: Message| it.attribute(1, &[5]).nested(2, |it| it.text(3, "ab"));
        let bytes = Message::new(1, 0, &[0; 4]).nested(9, content).attribute(4, &[6]).finish(1);
        let message = messages(&bytes).next().unwrap();
        let outer: Vec<_> = attributes(message.content, 4).collect();
        assert_eq!((outer[0].0, outer[1]), (9, (4, &[6][..])));
        let inner: Vec<_> = attributes(outer[0].1, 0).collect();
        assert_eq!((inner[0], inner[1].0), ((1, &[5][..]), 2));
        assert_eq!(attributes(inner[1].1, 0).next(), Some((3, &b"ab\0"[..])));
    }

    #[test]
    fn what_is_cut_off_is_no_message() {
        let bytes = Message::new(20, 5, &[1; 16]).text(3, "eth0").finish(1);
        for length in 0..bytes.len() {
            assert_eq!(messages(&bytes[..length]).count(), 0, "{length}");
            attributes(&bytes[..length], 0).for_each(drop);
        }
        // A length of nothing must not be read for ever.
        assert_eq!(messages(&[0; 64]).count(), 0);
        assert_eq!(attributes(&[0; 64], 0).count(), 0);
    }
}
