//! The head of a response: status line and headers (RFC 9112, sections 2 to 5).

use super::HttpError;

/// More than this before the body is an attack or no HTTP server.
pub const HEAD_LIMIT: usize = 64 * 1024;

const MAX_HEADERS: usize = 128;

/// Status and headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// 100 to 999.
    pub status: u16,
    /// Whether the server speaks HTTP/1.0 and closes unless it says otherwise.
    is_version_0: bool,
    headers: Vec<(String, String)>,
}

/// How the end of a body is found (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// This many bytes.
    Length(u64),
    /// Chunks, the last one empty.
    Chunked,
    /// Until the server closes.
    UntilClose,
}

impl Head {
    /// Reads a head from the start of `bytes`: the head and its length, or None as long as it is
    /// not complete.
    ///
    /// # Errors
    /// What is there is no head, or too long for one.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, HttpError> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => Ok(Some((Head::from(&response), length))),
            Ok(httparse::Status::Partial) if bytes.len() < HEAD_LIMIT => Ok(None),
            Ok(httparse::Status::Partial) => Err(HttpError::HeadTooLong),
            Err(error) => Err(HttpError::NotHttp(error.to_string())),
        }
    }

    /// The first header of this name; names are compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let same = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.headers.iter().find(same).map(|(_, value)| value.as_str())
    }

    /// All headers of this name.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let same = move |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, value)| value.as_str())
    }

    /// Whether this is one of the heads that come before the real one.
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// Where the body ends, in the answer to a HEAD request or to another one.
    ///
    /// # Errors
    /// Lengths that contradict each other or are no numbers: whoever guesses could be tricked.
    pub fn framing(&self, to_head: bool) -> Result<Framing, HttpError> {
        if to_head || matches!(self.status, 100..200 | 204 | 304) {
            return Ok(Framing::None);
        }
        let mut codings = self.headers("transfer-encoding").peekable();
        if codings.peek().is_some() {
            let only_chunked = codings.all(|coding| coding.trim().eq_ignore_ascii_case("chunked"));
            return if only_chunked { Ok(Framing::Chunked) } else { Err(HttpError::Coding) };
        }
        Ok(self.length()?.map_or(Framing::UntilClose, Framing::Length))
    }

    /// What `Content-Length` says, also in the answer to a HEAD request.
    ///
    /// # Errors
    /// As [`Head::framing`].
    pub fn length(&self) -> Result<Option<u64>, HttpError> {
        let mut length = None;
        for value in self.headers("content-length").flat_map(|value| value.split(',')) {
            let digits = value.trim();
            // `u64::from_str` would take a plus sign.
            let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse());
            match number {
                Some(Ok(number)) if length.is_none_or(|known| known == number) => {
                    length = Some(number);
                }
                _ => return Err(HttpError::Length(value.to_owned())),
            }
        }
        Ok(length)
    }

    /// Whether the connection can serve another request after the body.
    pub fn keeps_alive(&self) -> bool {
        let says = |word: &str| {
            let options = self.headers("connection").flat_map(|value| value.split(','));
            options.map(str::trim).any(|option| option.eq_ignore_ascii_case(word))
        };
        // RFC 9112, 6.1: both lengths at once is how requests are smuggled.
        let is_ambiguous =
            self.header("transfer-encoding").is_some() && self.header("content-length").is_some();
        let wants = if self.is_version_0 { says("keep-alive") } else { !says("close") };
        wants && !is_ambiguous
    }
}

impl From<&httparse::Response<'_, '_>> for Head {
    fn from(response: &httparse::Response<'_, '_>) -> Head {
        let header = |it: &httparse::Header<'_>| {
            (it.name.to_owned(), String::from_utf8_lossy(it.value).into_owned())
        };
        Head {
            status: response.code.unwrap_or_default(),
            is_version_0: response.version == Some(0),
            headers: response.headers.iter().map(header).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Framing, HEAD_LIMIT, Head};

    fn head(lines: &str) -> Head {
        let text = format!("HTTP/1.1 {lines}\r\n\r\n");
        let (head, length) = Head::parse(text.as_bytes()).unwrap().unwrap();
        assert_eq!(length, text.len());
        head
    }

    #[test]
    fn the_end_of_the_body() {
        let framing = |lines: &str| head(lines).framing(false);
        assert_eq!(framing("200 OK").unwrap(), Framing::UntilClose);
        assert_eq!(framing("200 OK\r\nContent-Length: 7").unwrap(), Framing::Length(7));
        assert_eq!(
            framing("200\r\ncontent-length: 7, 7\r\nContent-Length:7").unwrap(),
            Framing::Length(7)
        );
        assert_eq!(framing("200 OK\r\nTransfer-Encoding: Chunked").unwrap(), Framing::Chunked);
        assert_eq!(framing("204 No\r\nContent-Length: 7").unwrap(), Framing::None);
        let to_head = head("200 OK\r\nContent-Length: 7");
        assert_eq!(to_head.framing(true).unwrap(), Framing::None);
        assert_eq!(to_head.length().unwrap(), Some(7));
        for lines in [
            "200 OK\r\nContent-Length: 7\r\nContent-Length: 8",
            "200 OK\r\nContent-Length: +7",
            "200 OK\r\nContent-Length: -7",
            "200 OK\r\nContent-Length: 7 8",
            "200 OK\r\nContent-Length: ",
            "200 OK\r\nContent-Length: 99999999999999999999",
            "200 OK\r\nTransfer-Encoding: gzip, chunked",
        ] {
            assert!(framing(lines).is_err(), "{lines}");
        }
    }

    #[test]
    fn whether_the_connection_stays() {
        assert!(head("200 OK").keeps_alive());
        assert!(!head("200 OK\r\nConnection: foo, Close").keeps_alive());
        assert!(!head("200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1").keeps_alive());
        let (old, _) = Head::parse(b"HTTP/1.0 200 OK\r\n\r\n").unwrap().unwrap();
        assert!(!old.keeps_alive());
    }

    #[test]
    fn incomplete_wrong_and_endless() {
        assert_eq!(Head::parse(b"HTTP/1.1 200 OK\r\nA: b\r\n").unwrap(), None);
        assert!(Head::parse(b"SSH-2.0-OpenSSH\r\n").is_err());
        let endless = [b"HTTP/1.1 200 OK\r\nA: ".to_vec(), vec![b'x'; HEAD_LIMIT]].concat();
        assert!(Head::parse(&endless).is_err());
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(200));
        assert!(Head::parse(many.as_bytes()).is_err());
        let folded = b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n";
        assert!(Head::parse(folded).is_err());
    }

    #[test]
    fn headers_are_found_without_regard_to_case() {
        let head = head("401 x\r\nWWW-Authenticate: Basic a\r\nwww-authenticate: Bearer b");
        assert_eq!(head.headers("Www-Authenticate").collect::<Vec<_>>(), ["Basic a", "Bearer b"]);
        assert_eq!(head.header("x"), None);
        assert!(!head.is_interim());
    }
}
