//! Messages of D-Bus, as many kinds of them and of their values as systemd needs.
//!
//! The format is that of the D-Bus specification, "Message Protocol": everything lies at a multiple
//! of its own size from the message's beginning, and is little-endian here.

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Call = 1,
    Reply = 2,
    Error = 3,
    Signal = 4,
}

/// A value to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Bool(bool),
    U32(u32),
    I32(i32),
    U64(u64),
    I64(i64),
    Bytes(Vec<u8>),
    U32s(Vec<u32>),
    Texts(Vec<String>),
    /// `a(ss)`
    Pairs(Vec<(String, String)>),
    /// `a(sv)`
    Properties(Vec<(String, Value)>),
    /// `a(sa(sv))`, always empty: the further units that `StartTransientUnit` could start.
    NoUnits,
}

impl Value {
    const fn signature(&self) -> &'static str {
        match self {
            Value::Text(_) => "s",
            Value::Bool(_) => "b",
            Value::U32(_) => "u",
            Value::I32(_) => "i",
            Value::U64(_) => "t",
            Value::I64(_) => "x",
            Value::Bytes(_) => "ay",
            Value::U32s(_) => "au",
            Value::Texts(_) => "as",
            Value::Pairs(_) => "a(ss)",
            Value::Properties(_) => "a(sv)",
            Value::NoUnits => "a(sa(sv))",
        }
    }
}

/// A method to call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
    pub(super) body: &'a [Value],
}

/// The numbers of header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

impl Call<'_> {
    /// The call as bytes. `serial` is for the reply to name, and must not be 0.
    pub(super) fn encode(&self, serial: u32) -> Vec<u8> {
        let mut body = Writer::default();
        self.body.iter().for_each(|value| body.value(value));
        let signature: String = self.body.iter().map(Value::signature).collect();

        let mut message = Writer::default();
        message.bytes.extend([b'l', Kind::Call as u8, 0, 1]);
        message.u32(body.bytes.len() as u32);
        message.u32(serial);
        message.array(8, |header| {
            header.text_field(PATH, "o", self.path);
            header.text_field(DESTINATION, "s", self.destination);
            header.text_field(INTERFACE, "s", self.interface);
            header.text_field(MEMBER, "s", self.member);
            if !signature.is_empty() {
                header.align(8);
                header.bytes.push(SIGNATURE);
                header.signature("g");
                header.signature(&signature);
            }
        });
        message.align(8);
        message.bytes.append(&mut body.bytes);
        message.bytes
    }
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    fn u32(&mut self, number: u32) {
        self.align(4);
        self.bytes.extend(number.to_le_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.align(8);
        self.bytes.extend(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.u32(text.len() as u32);
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.bytes.push(text.len() as u8);
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    fn text_field(&mut self, field: u8, signature: &str, text: &str) {
        self.align(8);
        self.bytes.push(field);
        self.signature(signature);
        self.text(text);
    }

    /// The length counts neither itself nor what aligns the first element.
    fn array(&mut self, alignment: usize, elements: impl FnOnce(&mut Writer)) {
        self.u32(0);
        let length_at = self.bytes.len() - 4;
        self.align(alignment);
        let start = self.bytes.len();
        elements(self);
        let length = (self.bytes.len() - start) as u32;
        self.bytes[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Text(text) => self.text(text),
            Value::Bool(on) => self.u32(u32::from(*on)),
            Value::U32(number) => self.u32(*number),
            Value::I32(number) => self.u32(number.cast_unsigned()),
            Value::U64(number) => self.u64(*number),
            Value::I64(number) => self.u64(number.cast_unsigned()),
            Value::Bytes(bytes) => self.array(1, |array| array.bytes.extend(bytes)),
            Value::U32s(numbers) => {
                self.array(4, |array| numbers.iter().for_each(|number| array.u32(*number)));
            }
            Value::Texts(texts) => {
                self.array(4, |array| texts.iter().for_each(|text| array.text(text)));
            }
            Value::Pairs(pairs) => self.array(8, |array| {
                for (first, second) in pairs {
                    array.align(8);
                    array.text(first);
                    array.text(second);
                }
            }),
            Value::Properties(properties) => self.array(8, |array| {
                for (name, value) in properties {
                    array.align(8);
                    array.text(name);
                    array.signature(value.signature());
                    array.value(value);
                }
            }),
            Value::NoUnits => self.array(8, |_| {}),
        }
    }
}

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: Kind,
    /// What it answers.
    pub(super) reply_to: Option<u32>,
    /// What a signal says.
    pub(super) member: String,
    /// Whose signal it is.
    pub(super) interface: String,
    /// What an error is called.
    pub(super) error: String,
    signature: String,
    body: Vec<u8>,
}

/// How much a message may be long; systemd's are some hundred bytes.
const MAXIMUM: usize = 1 << 20;

/// The bytes from which the length of a message is known.
pub(super) const PREFIX: usize = 16;

/// The length of the message that begins with these bytes; `None` when it is none of ours.
pub(super) fn length(prefix: [u8; PREFIX]) -> Option<usize> {
    let mut reader = Reader { bytes: &prefix, position: 0 };
    let [endianness, _, _, version] = reader.take()?;
    let (body, _serial, fields) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let header = PREFIX.checked_add(usize::try_from(fields).ok()?)?.checked_next_multiple_of(8)?;
    let length = header.checked_add(usize::try_from(body).ok()?)?;
    (endianness == b'l' && version == 1 && length <= MAXIMUM).then_some(length)
}

impl Message {
    /// Takes a whole message apart; `None` when it is not well formed.
    pub(super) fn parse(bytes: &[u8]) -> Option<Message> {
        let prefix = bytes.first_chunk::<PREFIX>()?;
        if length(*prefix)? != bytes.len() {
            return None;
        }
        let kind = match prefix[1] {
            1 => Kind::Call,
            2 => Kind::Reply,
            3 => Kind::Error,
            4 => Kind::Signal,
            _ => return None,
        };
        let mut reader = Reader { bytes, position: 4 };
        let (body, _serial, fields) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let end = PREFIX.checked_add(usize::try_from(fields).ok()?)?;
        let mut message = Message {
            kind,
            reply_to: None,
            member: String::new(),
            interface: String::new(),
            error: String::new(),
            signature: String::new(),
            body: bytes.get(bytes.len().checked_sub(usize::try_from(body).ok()?)?..)?.to_vec(),
        };
        while reader.position < end {
            message.header_field(&mut reader)?;
        }
        Some(message)
    }

    fn header_field(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        reader.align(8)?;
        let [field] = reader.take()?;
        let signature = reader.signature()?;
        match (field, signature) {
            (REPLY_SERIAL, "u") => self.reply_to = Some(reader.u32()?),
            (MEMBER, "s") => reader.text()?.clone_into(&mut self.member),
            (INTERFACE, "s") => reader.text()?.clone_into(&mut self.interface),
            (ERROR_NAME, "s") => reader.text()?.clone_into(&mut self.error),
            (SIGNATURE, "g") => reader.signature()?.clone_into(&mut self.signature),
            // The path, who sent it, and whatever a later specification adds.
            (_, "s" | "o") => _ = reader.text()?,
            (_, "g") => _ = reader.signature()?,
            (_, "u") => _ = reader.u32()?,
            _ => return None,
        }
        Some(())
    }

    /// The text that the body begins with, as replies and errors have it.
    pub(super) fn text(&self) -> Option<&str> {
        let mut reader = Reader { bytes: &self.body, position: 0 };
        match self.signature.as_bytes().first()? {
            b's' | b'o' => reader.text(),
            b'v' => match reader.signature()? {
                "s" | "o" => reader.text(),
                _ => None,
            },
            _ => None,
        }
    }

    /// The path of a job that is done and how it went, if that is what a signal tells.
    pub(super) fn job_removed(&self) -> Option<(&str, &str)> {
        let wanted = self.kind == Kind::Signal && self.member == "JobRemoved";
        if !wanted || self.signature != "uoss" {
            return None;
        }
        let mut reader = Reader { bytes: &self.body, position: 0 };
        reader.u32()?;
        let job = reader.text()?;
        reader.text()?;
        Some((job, reader.text()?))
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.position.checked_add(length)?;
        let slice = self.bytes.get(self.position..end)?;
        self.position = end;
        Some(slice)
    }

    fn take<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        self.slice(LENGTH)?.try_into().ok()
    }

    fn align(&mut self, to: usize) -> Option<()> {
        let position = self.position.checked_next_multiple_of(to)?;
        self.slice(position - self.position).map(drop)
    }

    fn u32(&mut self) -> Option<u32> {
        self.align(4)?;
        self.take().map(u32::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.ended_text(length)
    }

    fn signature(&mut self) -> Option<&'a str> {
        let [length] = self.take()?;
        self.ended_text(usize::from(length))
    }

    fn ended_text(&mut self, length: usize) -> Option<&'a str> {
        let text = self.slice(length)?;
        let [0] = self.take()? else { return None };
        std::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
mod tests;
