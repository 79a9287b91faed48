//! Requests.

use crate::transport::url::Url;
use std::borrow::Cow;
use std::io::{self, Read, Write};

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The bytes.
    Get,
    /// What the bytes would be.
    Head,
    /// Begin an upload, or ask for a token.
    Post,
    /// Store.
    Put,
    /// Append to an upload.
    Patch,
    /// Remove.
    Delete,
}

impl Method {
    /// As the request line has it.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    /// Whether the request may be sent again without harm.
    pub fn is_safe(self) -> bool {
        matches!(self, Method::Get | Method::Head)
    }
}

/// The body of a request.
pub enum Content<'a> {
    /// None.
    Empty,
    /// These bytes.
    Bytes(&'a [u8]),
    /// As many bytes of this as are given.
    Stream(&'a mut dyn Read, u64),
}

/// One request. Names and values of headers must hold no line ends; [`Request::header`] sees to
/// it.
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The address.
    pub url: Url,
    headers: Vec<(Cow<'static, str>, String)>,
    /// The body.
    pub content: Content<'a>,
}

impl<'a> Request<'a> {
    /// A request without headers of its own or a body.
    pub fn new(method: Method, url: Url) -> Request<'a> {
        Request { method, url, headers: Vec::new(), content: Content::Empty }
    }

    /// Adds a header. A value that could not be one is left out rather than cut.
    #[must_use]
    pub fn header(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Request<'a> {
        let value = value.into();
        if value.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f)) {
            self.headers.push((name.into(), value));
        }
        self
    }

    /// Adds a body.
    #[must_use]
    pub fn content(mut self, content: Content<'a>) -> Request<'a> {
        self.content = content;
        self
    }

    /// Whether the request can be made a second time.
    pub(crate) fn is_repeatable(&self) -> bool {
        !matches!(self.content, Content::Stream(..))
    }

    /// Writes the request.
    pub(crate) fn write(
        &mut self,
        output: &mut dyn Write,
        target: Target<'_>,
        user_agent: &str,
    ) -> io::Result<()> {
        let name = self.method.name();
        let address = match target {
            Target::Server => self.url.target().to_owned(),
            Target::Proxy(_) => self.url.to_string(),
        };
        let mut head = format!(
            "{name} {address} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {user_agent}\r\n",
            self.url.origin().authority()
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Target::Proxy(Some(authorization)) = target {
            head.push_str(&format!("Proxy-Authorization: {authorization}\r\n"));
        }
        match &self.content {
            Content::Bytes(bytes) => head.push_str(&format!("Content-Length: {}\r\n", bytes.len())),
            Content::Stream(_, length) => head.push_str(&format!("Content-Length: {length}\r\n")),
            Content::Empty if self.method == Method::Get || self.method == Method::Head => {}
            Content::Empty => head.push_str("Content-Length: 0\r\n"),
        }
        head.push_str("\r\n");
        match &mut self.content {
            // One packet where it fits.
            Content::Bytes(bytes) => output.write_all(&[head.as_bytes(), bytes].concat())?,
            Content::Empty => output.write_all(head.as_bytes())?,
            Content::Stream(reader, length) => {
                output.write_all(head.as_bytes())?;
                copy_exactly(*reader, output, *length)?;
            }
        }
        output.flush()
    }
}

/// To whom a request is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    /// The one that it is for.
    Server,
    /// A proxy, with the credentials that it wants.
    Proxy(Option<&'a str>),
}

fn copy_exactly(reader: &mut dyn Read, output: &mut dyn Write, length: u64) -> io::Result<()> {
    let mut buffer = vec![0; 128 * 1024];
    let mut left = length;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = reader.read(&mut buffer[..wanted])?;
        if count == 0 {
            let text = format!("what is to be sent ends {left} bytes early");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        output.write_all(&buffer[..count])?;
        left -= count as u64;
    }
    Ok(())
}
