//! Proxies: which one a server is reached through, if any.
//!
//! The rules are those of Go's `httpproxy`, since that is what Docker, Podman and containerd obey:
//! `NO_PROXY` is a list of `*`, addresses, networks, names (with their subdomains), names that
//! begin with a dot (subdomains alone), each with an optional port; this machine itself is never
//! reached through a proxy.

use super::url::{Origin, Scheme, Url, UrlError, percent_decode, split_authority};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::net::IpAddr;

/// The proxies of a machine. By default there are none.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    exceptions: Vec<Exception>,
}

/// One proxy.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    pub(super) origin: Origin,
    /// What `Proxy-Authorization` must say.
    pub(super) authorization: Option<String>,
}

impl Proxies {
    /// Proxies as the variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` have them; empty means
    /// none.
    ///
    /// # Errors
    /// A proxy that is neither `http://` nor `https://`, or no address.
    pub fn new(http: &str, https: &str, no_proxy: &str) -> Result<Proxies, UrlError> {
        let exceptions = no_proxy.split([',', ' ']).filter(|it| !it.is_empty());
        Ok(Proxies {
            http: parse_proxy(http)?,
            https: parse_proxy(https)?,
            exceptions: exceptions.filter_map(Exception::parse).collect(),
        })
    }

    /// The proxy to this server.
    pub(super) fn to(&self, origin: &Origin) -> Option<&Proxy> {
        let proxy = match origin.scheme {
            Scheme::Http => self.http.as_ref(),
            Scheme::Https => self.https.as_ref(),
        };
        let is_direct =
            || origin.is_loopback() || self.exceptions.iter().any(|it| it.covers(origin));
        proxy.filter(|_| !is_direct())
    }
}

fn parse_proxy(text: &str) -> Result<Option<Proxy>, UrlError> {
    if text.is_empty() {
        return Ok(None);
    }
    // `proxy.example:3128` alone is common.
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (user, server) = match rest[..end].rsplit_once('@') {
        Some((user, server)) => (Some(user), server),
        None => (None, &rest[..end]),
    };
    let url: Url = format!("{scheme}://{server}/").parse()?;
    let authorization = user.map(|user| {
        let (name, password) = user.split_once(':').unwrap_or((user, ""));
        let pair = format!("{}:{}", percent_decode(name), percent_decode(password));
        format!("Basic {}", STANDARD.encode(pair))
    });
    Ok(Some(Proxy { origin: url.origin().clone(), authorization }))
}

/// An entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Exception {
    All,
    Address(IpAddr, Option<u16>),
    /// An address and the length of its prefix.
    Network(IpAddr, u32),
    Name {
        name: String,
        only_below: bool,
        port: Option<u16>,
    },
}

impl Exception {
    /// None for what has no meaning, which is passed over as Go does.
    fn parse(entry: &str) -> Option<Exception> {
        if entry == "*" {
            return Some(Exception::All);
        }
        if let Some((address, length)) = entry.split_once('/') {
            return Some(Exception::Network(address.parse().ok()?, length.parse().ok()?));
        }
        if let Ok(address) = entry.parse() {
            return Some(Exception::Address(address, None));
        }
        // `*.example.com` is written for `.example.com`.
        let entry = entry.strip_prefix('*').unwrap_or(entry);
        let (only_below, entry) = match entry.strip_prefix('.') {
            Some(rest) => (true, rest),
            None => (false, entry),
        };
        let (name, port) = split_authority(entry)?;
        Some(match name.parse() {
            Ok(address) => Exception::Address(address, port),
            Err(_) => Exception::Name { name, only_below, port },
        })
    }

    fn covers(&self, origin: &Origin) -> bool {
        let fits = |port: &Option<u16>| port.is_none_or(|port| port == origin.port);
        let address = origin.host.parse::<IpAddr>().ok();
        match self {
            Exception::All => true,
            Exception::Address(known, port) => address == Some(*known) && fits(port),
            Exception::Network(network, length) => {
                address.is_some_and(|address| is_within(address, *network, *length))
            }
            Exception::Name { name, only_below, port } => {
                let below = origin.host.strip_suffix(name.as_str()).map(|rest| rest.ends_with('.'));
                let is_itself = origin.host == *name && !only_below;
                (is_itself || below == Some(true)) && fits(port)
            }
        }
    }
}

fn is_within(address: IpAddr, network: IpAddr, length: u32) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let ((address, width), (network, network_width)) = (bits(address), bits(network));
    let mask = u128::MAX.checked_shl(128 - length.min(width)).unwrap_or(0);
    width == network_width && length <= width && address & mask == network & mask
}

#[cfg(test)]
mod tests {
    use super::{Proxies, parse_proxy};
    use crate::transport::url::Url;

    fn through(proxies: &Proxies, url: &str) -> Option<String> {
        let url: Url = url.parse().unwrap();
        proxies.to(url.origin()).map(|proxy| proxy.origin.to_string())
    }

    #[test]
    fn each_scheme_has_its_own() {
        let proxies = Proxies::new("proxy.example:3128", "https://secure.example", "").unwrap();
        assert_eq!(through(&proxies, "http://a.b/").unwrap(), "http://proxy.example:3128");
        assert_eq!(through(&proxies, "https://a.b/").unwrap(), "https://secure.example");
        assert_eq!(through(&Proxies::default(), "http://a.b/"), None);
        assert!(Proxies::new("socks5://a:1", "", "").is_err());
    }

    #[test]
    fn a_user_name_is_for_the_proxy() {
        let proxy = parse_proxy("http://us%40er:pa%3Ass@proxy.example:1/x").unwrap().unwrap();
        assert_eq!(proxy.authorization.unwrap(), "Basic dXNAZXI6cGE6c3M=");
        assert_eq!(proxy.origin.to_string(), "http://proxy.example:1");
    }

    #[test]
    fn exceptions() {
        let no_proxy = "example.com, .below.test,*.star.test,10.0.0.0/8,192.0.2.1,port.test:444,fd00::/8,bad/x,[::5]:1";
        let proxies = Proxies::new("p:1", "p:1", no_proxy).unwrap();
        for direct in [
            "https://example.com/",
            "https://a.example.com/",
            "https://a.below.test/",
            "https://x.star.test/",
            "http://10.9.8.7/",
            "http://192.0.2.1:5000/",
            "https://port.test:444/",
            "http://[fd12::1]/",
            "http://localhost:5000/",
            "http://127.0.0.5/",
            "http://[::1]:5000/",
            "http://[::5]:1/",
        ] {
            assert_eq!(through(&proxies, direct), None, "{direct}");
        }
        for proxied in [
            "https://notexample.com/",
            "https://below.test/",
            "http://11.0.0.1/",
            "https://port.test/",
            "http://192.0.2.10/",
            "http://[fe00::1]/",
        ] {
            assert!(through(&proxies, proxied).is_some(), "{proxied}");
        }
        assert_eq!(through(&Proxies::new("p:1", "", "*").unwrap(), "http://a/"), None);
    }
}
