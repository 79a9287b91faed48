//! `http` and `https` addresses: as much of RFC 3986 as registries need.

use std::fmt;
use std::str::FromStr;

/// Longest address that is taken; signed storage addresses have up to about 2 kB.
const LIMIT: usize = 16 * 1024;

/// How to talk to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port that need not be written.
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// Scheme, host and port: what a connection is for, and what may see a secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// In lower case; an IPv6 address without brackets.
    pub host: String,
    /// The port, written or not.
    pub port: u16,
}

impl Origin {
    /// `HOST[:PORT]` as the `Host` header has it.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            return self.host_in_brackets();
        }
        self.place()
    }

    /// `HOST:PORT`, as a proxy wants it.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.host_in_brackets(), self.port)
    }

    fn host_in_brackets(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    /// Whether the host can only be this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.as_str();
        host == "localhost"
            || host.ends_with(".localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme.name(), self.authority())
    }
}

/// An address without fragment or user name. Its target holds nothing that could end the request
/// line early.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    origin: Origin,
    /// Path and query, beginning with a slash.
    target: String,
}

/// Why a text is no [`Url`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is no usable address: {reason}")]
pub struct UrlError {
    /// The text.
    pub url: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Url {
    /// Scheme, host and port.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Path and query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The path alone.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The address with another path and query on the same server.
    ///
    /// # Errors
    /// A target with control characters.
    pub fn with_target(&self, target: &str) -> Result<Url, UrlError> {
        Ok(Url { origin: self.origin.clone(), target: clean_target(target)? })
    }

    /// The address without its query, which may hold a secret: for messages.
    #[must_use]
    pub fn without_query(&self) -> Url {
        Url { origin: self.origin.clone(), target: self.path().to_owned() }
    }

    /// The same place by another scheme and port.
    #[must_use]
    pub(crate) fn with_scheme(&self, scheme: Scheme, port: u16) -> Url {
        let origin = Origin { scheme, port, ..self.origin.clone() };
        Url { origin, target: self.target.clone() }
    }

    /// The address with one more parameter in its query.
    #[must_use]
    pub fn with_parameter(&self, name: &str, value: &str) -> Url {
        let separator = if self.target.contains('?') { '&' } else { '?' };
        let target = format!("{}{separator}{name}={}", self.target, percent_encode(value));
        Url { origin: self.origin.clone(), target }
    }

    /// What a `Location` or `Link` header means that came from this address (RFC 3986, 5.2).
    ///
    /// # Errors
    /// A scheme other than http and https, or no address at all.
    pub fn join(&self, location: &str) -> Result<Url, UrlError> {
        let location = location.trim();
        if has_scheme(location) {
            return location.parse();
        }
        if location.starts_with("//") {
            return format!("{}:{location}", self.origin.scheme.name()).parse();
        }
        let path = self.path();
        let target = match location.as_bytes().first() {
            None | Some(b'#') => self.target.clone(),
            Some(b'/') => location.to_owned(),
            Some(b'?') => format!("{path}{location}"),
            Some(_) => {
                let folder = path.rfind('/').map_or("/", |slash| &path[..=slash]);
                format!("{folder}{location}")
            }
        };
        self.with_target(&target)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.origin, self.target)
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Url, UrlError> {
        let error = |reason| UrlError { url: text.chars().take(200).collect(), reason };
        if text.len() > LIMIT {
            return Err(error("it is too long"));
        }
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| error("no http:// or https://"))?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(error("only http and https are spoken")),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return Err(error("it must hold no user name or password"));
        }
        let (host, port) = split_authority(authority).ok_or_else(|| error("the host is wrong"))?;
        let origin = Origin { scheme, host, port: port.unwrap_or(scheme.default_port()) };
        let target = clean_target(target).map_err(|it| error(it.reason))?;
        Ok(Url { origin, target })
    }
}

/// Splits `HOST[:PORT]` or `[V6][:PORT]`; the host comes back in lower case without brackets.
pub(crate) fn split_authority(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (address, port)
        }
        None => {
            let colon = authority.find(':').unwrap_or(authority.len());
            let (host, port) = authority.split_at(colon);
            let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            if host.is_empty() || !host.bytes().all(is_good) {
                return None;
            }
            (host, port)
        }
    };
    let port = match port.strip_prefix(':') {
        // RFC 3986 allows a colon without a port.
        Some("") => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok()?)
        }
        None if port.is_empty() => None,
        _ => return None,
    };
    Some((host.to_ascii_lowercase(), port))
}

/// Writes everything but the unreserved characters of RFC 3986 as `%XX`.
pub(crate) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The opposite; a percent sign without two digits stays as it is.
pub(crate) fn percent_decode(text: &str) -> String {
    let mut rest = text.as_bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let [byte, after @ ..] = rest {
        rest = after;
        match after {
            [high, low, after @ ..]
                if *byte == b'%' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                decoded.push(hex_digit(*high) << 4 | hex_digit(*low));
                rest = after;
            }
            _ => decoded.push(*byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

fn has_scheme(location: &str) -> bool {
    let end = location.find([':', '/', '?', '#']).unwrap_or(0);
    location[end..].starts_with(':')
        && location[..end].bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// Without fragment, with a slash at its start, everything unusual percent-encoded.
fn clean_target(target: &str) -> Result<String, UrlError> {
    let target = target.split('#').next().unwrap_or_default();
    if target.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(UrlError {
            url: target.escape_debug().take(200).collect(),
            reason: "control characters",
        });
    }
    let mut clean = String::with_capacity(target.len() + 1);
    if !target.starts_with('/') {
        clean.push('/');
    }
    for byte in target.bytes() {
        if byte > b' ' && byte < 0x7f && !br#""<>\^`{|}"#.contains(&byte) {
            clean.push(char::from(byte));
        } else {
            clean.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use super::{Url, percent_decode, percent_encode};

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn parts() {
        let it = url("HTTPS://Registry.Example:5000/v2/a?b=c#d");
        assert_eq!(it.origin().host, "registry.example");
        assert_eq!((it.origin().port, it.target(), it.path()), (5000, "/v2/a?b=c", "/v2/a"));
        assert_eq!(url("http://[::1]:80").to_string(), "http://[::1]/");
        assert_eq!(url("http://[::1]:81/x").origin().authority(), "[::1]:81");
        assert_eq!(url("https://a.b?c").target(), "/?c");
        assert_eq!(url("http://a:/x").origin().port, 80);
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "a",
            "ftp://a/",
            "file:///etc/passwd",
            "http://",
            "http:///x",
            "http://u:p@h/",
            "http://a:b/",
            "http://a:99999/",
            "http://a b/",
            "http://[::x]/",
            "http://a/\r\nHost: b",
            "http://a/\0",
            "http://ä/",
            "javascript:alert(1)",
            "http://[::1/",
            "http://a:+1/",
        ] {
            assert!(text.parse::<Url>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn locations_are_relative_to_where_they_came_from() {
        let base = url("https://r.example:444/v2/a/blobs/uploads/?x=1");
        let join = |location: &str| base.join(location).unwrap().to_string();
        assert_eq!(join("https://o.example/z"), "https://o.example/z");
        assert_eq!(join("//o.example/z"), "https://o.example/z");
        assert_eq!(join("/z?y"), "https://r.example:444/z?y");
        assert_eq!(join("id?y"), "https://r.example:444/v2/a/blobs/uploads/id?y");
        assert_eq!(join("?y"), "https://r.example:444/v2/a/blobs/uploads/?y");
        assert_eq!(join("/a b|c"), "https://r.example:444/a%20b%7Cc");
        assert!(base.join("ftp://x/").is_err());
        assert!(base.join("/a\nb").is_err());
    }

    #[test]
    fn percent_signs() {
        assert_eq!(
            percent_encode("repository:a/b:pull,push é"),
            "repository%3Aa%2Fb%3Apull%2Cpush%20%C3%A9"
        );
        assert_eq!(percent_decode("%41b%2"), "Ab%2");
        assert_eq!(percent_decode(&percent_encode("p@ss:wörd%")), "p@ss:wörd%");
        assert_eq!(
            url("http://a/?n=1").with_parameter("digest", "sha256:1").target(),
            "/?n=1&digest=sha256%3A1"
        );
    }
}
