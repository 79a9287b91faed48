//! `pasta`, passt(1).

use super::start::Words;
use super::{DEVICE, Helper, Request};
use crate::Error;
use crate::port::{Port, Protocol};
use std::path::Path;
use std::process::{Command, Stdio};

pub(super) fn start_words(ports: &[Port], namespace: i32, ready: i32) -> Vec<String> {
    // Not forked into the background, as its parent waits for it; nothing of the machine's own
    // loopback and nothing that listens there may be reached from the container.
    let mut words: Vec<String> =
        ["--foreground", "--quiet", "--config-net", "--no-map-gw", "-T", "none", "-U", "none"]
            .map(str::to_owned)
            .to_vec();
    for (flag, protocol) in [("-t", Protocol::Tcp), ("-u", Protocol::Udp)] {
        let of_protocol: Vec<String> =
            ports.iter().filter(|it| it.protocol == protocol).filter_map(written).collect();
        if of_protocol.is_empty() {
            words.extend([flag.to_owned(), "none".to_owned()]);
        }
        for port in of_protocol {
            words.extend([flag.to_owned(), port]);
        }
    }
    words.extend(["--ns-ifname".to_owned(), DEVICE.to_owned()]);
    words.extend(["--pid".to_owned(), format!("/proc/self/fd/{ready}")]);
    words.extend(["--netns".to_owned(), format!("/proc/self/fd/{namespace}")]);
    words
}

pub(super) fn start(program: &Path, request: &Request<'_>) -> Result<Helper, Error> {
    let words: Words<'_> = &|namespace, ready| start_words(request.ports, namespace, ready);
    super::start::start(program, request, words)
}

/// Whether this is one that loses what a server says before its client has said anything, as that of
/// Debian 12 does: no mail, no database, no shell could be published.
pub(super) fn loses_greetings(program: &Path) -> bool {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    output.is_ok_and(|it| is_old(&String::from_utf8_lossy(&it.stdout)))
}

/// Versions are days: `pasta 0.0~git20230309.7c7625d-1`, `pasta 2025_02_17.a1e48a0`.
fn is_old(version: &str) -> bool {
    const GOOD: u32 = 20_240_000;
    let line = version.lines().next().unwrap_or_default().replace('_', "");
    let mut numbers = line.split(|it: char| !it.is_ascii_digit());
    let day = numbers.find(|it| it.len() == 8).and_then(|it| it.parse::<u32>().ok());
    // That of Debian 12 does not know its own.
    day.is_none_or(|day| day < GOOD)
}

/// `[ADDRESS/]PORT:PORT`.
fn written(port: &Port) -> Option<String> {
    let ports = format!("{}:{}", port.host?, port.container);
    Some(port.address.map_or_else(|| ports.clone(), |address| format!("{address}/{ports}")))
}

#[cfg(test)]
mod tests {
    use super::{is_old, start_words};
    use crate::port::parse;

    #[test]
    fn only_what_is_published_is_reached() {
        let ports = parse("127.0.0.1:8080-8081:80-81").unwrap();
        let words = start_words(&ports, 3, 4).join(" ");
        assert!(
            words.contains("-T none -U none -t 127.0.0.1/8080:80 -t 127.0.0.1/8081:81 -u none")
        );
        let words = start_words(&parse("[fd00::1]:53:53/udp").unwrap(), 3, 4).join(" ");
        assert!(words.contains("-t none -u fd00::1/53:53"), "{words}");
    }

    #[test]
    fn versions_are_days() {
        assert!(is_old("pasta 0.0~git20230309.7c7625d-1\nCopyright 2019"));
        assert!(!is_old("pasta 2025_02_17.a1e48a0\n"));
        assert!(is_old("pasta unknown version\n20250101"));
    }
}
