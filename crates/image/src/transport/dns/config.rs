//! `/etc/hosts` and `/etc/resolv.conf`, read as glibc and musl read them: what is not understood
//! is passed over, since a resolver that refuses to start helps nobody.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Servers beyond the third are ignored by every resolver (`MAXNS`).
const MAX_SERVERS: usize = 3;

/// Names with fixed addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(Vec<(String, IpAddr)>);

impl Hosts {
    /// Reads `ADDRESS NAME...` lines.
    pub fn parse(text: &str) -> Hosts {
        let mut entries = Vec::new();
        for words in lines(text, &['#']) {
            let [address, names @ ..] = words.as_slice() else { continue };
            // `fe80::1%eth0`: link-local addresses are of no use without their interface.
            let Ok(address) = address.parse::<IpAddr>() else { continue };
            entries.extend(names.iter().map(|name| (name.to_ascii_lowercase(), address)));
        }
        Hosts(entries)
    }

    /// The addresses of a name in lower case.
    pub(super) fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let entries = self.0.iter().filter(|(known, _)| known == name);
        entries.map(|(_, address)| *address).collect()
    }
}

/// Whom to ask, and how (resolv.conf(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvConf {
    /// At least one.
    pub servers: Vec<SocketAddr>,
    /// Domains that are tried behind a name with few dots.
    pub search: Vec<String>,
    /// A name with this many dots is tried as it is first.
    pub ndots: usize,
    /// How long to wait for one server, 1 to 30 s.
    pub timeout: Duration,
    /// How often to ask all of the servers, 1 to 5 times.
    pub attempts: usize,
}

impl ResolvConf {
    /// Reads the file's text; the last `search` or `domain` line counts.
    pub fn parse(text: &str) -> ResolvConf {
        let mut conf = ResolvConf {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
        };
        for words in lines(text, &['#', ';']) {
            match words.as_slice() {
                ["nameserver", address, ..] if conf.servers.len() < MAX_SERVERS => {
                    conf.servers.extend(parse_server(address));
                }
                ["search" | "domain", domains @ ..] => {
                    let clean = |it: &&str| it.trim_matches('.').to_ascii_lowercase();
                    conf.search = domains.iter().map(clean).filter(|it| !it.is_empty()).collect();
                }
                ["options", options @ ..] => options.iter().for_each(|option| conf.option(option)),
                _ => {}
            }
        }
        if conf.servers.is_empty() {
            conf.servers.push(SocketAddr::from(([127, 0, 0, 1], 53)));
        }
        conf
    }

    fn option(&mut self, option: &str) {
        let Some((name, Ok(value))) =
            option.split_once(':').map(|(name, value)| (name, value.parse::<usize>()))
        else {
            return;
        };
        match name {
            "ndots" => self.ndots = value.min(15),
            "timeout" => self.timeout = Duration::from_secs(value.clamp(1, 30) as u64),
            "attempts" => self.attempts = value.clamp(1, 5),
            _ => {}
        }
    }

    /// The names to ask for, in order. A dot at the end means the name as it is.
    pub(super) fn candidates(&self, host: &str) -> Vec<String> {
        if let Some(absolute) = host.strip_suffix('.') {
            return vec![absolute.to_owned()];
        }
        let mut names: Vec<String> =
            self.search.iter().map(|domain| format!("{host}.{domain}")).collect();
        let dots = host.bytes().filter(|byte| *byte == b'.').count();
        let place = if dots >= self.ndots { 0 } else { names.len() };
        names.insert(place, host.to_owned());
        names
    }
}

/// An address; `ADDRESS:PORT` is an extension that the tests (and some other resolvers) use.
fn parse_server(text: &str) -> Option<SocketAddr> {
    let address = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
    address.ok().or_else(|| text.parse().ok())
}

/// The words of each line, without what follows one of the `comments` characters.
fn lines<'a>(text: &'a str, comments: &'a [char]) -> impl Iterator<Item = Vec<&'a str>> {
    text.lines().map(move |line| {
        let code = line.split(comments).next().unwrap_or_default();
        code.split_ascii_whitespace().collect()
    })
}
