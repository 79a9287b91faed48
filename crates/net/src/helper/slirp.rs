//! `slirp4netns`, slirp4netns(1). Clients have its own address, 10.0.2.2.

use super::start::Words;
use super::{DEVICE, Helper, Request};
use crate::Error;
use crate::port::Port;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The container's address, as `--configure` gives it.
const ADDRESS: &str = "10.0.2.100";

/// An answer takes no time.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

pub(super) fn start(program: &Path, request: &Request<'_>) -> Result<Helper, Error> {
    let socket = request.socket.display().to_string();
    let words: Words<'_> = &|namespace, ready| {
        let ready = format!("--ready-fd={ready}");
        let namespace = format!("/proc/self/fd/{namespace}");
        let socket = format!("--api-socket={socket}");
        let kind = "--netns-type=path";
        let all = ["--configure", "--mtu=65520", "--disable-host-loopback", kind];
        let all = all.into_iter().chain([&*ready, &socket, &namespace, DEVICE]);
        all.map(str::to_owned).collect()
    };
    // What one that was killed has left.
    let _ = std::fs::remove_file(request.socket);
    let helper = super::start::start(program, request, words)?;
    for port in request.ports {
        publish(request.socket, port).map_err(|why| {
            Error::Helper(format!("slirp4netns cannot publish the port {port}: {why}"))
        })?;
    }
    // Nobody is to tell it anything any more.
    let _ = std::fs::remove_file(request.socket);
    Ok(helper)
}

fn publish(socket: &Path, port: &Port) -> Result<(), String> {
    let Some(number) = port.host else { return Ok(()) };
    let address = port.address.map_or_else(|| "0.0.0.0".to_owned(), |it| it.to_string());
    if port.address.is_some_and(|address| address.is_ipv6()) {
        return Err("it has IPv4 only".to_owned());
    }
    let question = format!(
        "{{\"execute\":\"add_hostfwd\",\"arguments\":{{\"proto\":\"{}\",\"host_addr\":\"{address}\",\
         \"host_port\":{number},\"guest_addr\":\"{ADDRESS}\",\"guest_port\":{}}}}}",
        port.protocol, port.container
    );
    let answer = ask(socket, &question).map_err(|error| error.to_string())?;
    if answer.contains("\"error\"") { Err(answer.trim().to_owned()) } else { Ok(()) }
}

fn ask(socket: &Path, question: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(LONGEST_WAIT))?;
    stream.write_all(question.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
