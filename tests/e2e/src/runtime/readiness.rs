//! `NOTIFY_SOCKET`: what the program tells the service manager, which is this trial.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::support::{Bundle, Container};
use crate::expect_eq;
use crate::support::{Launch, scratch};

/// The service manager's end.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn new() -> Result<Self> {
        let path = scratch("notify.sock");
        let socket = UnixDatagram::bind(&path)?;
        socket.set_read_timeout(Some(Duration::from_secs(120)))?;
        Ok(Self { socket, path })
    }

    fn of(&self, launch: Launch) -> Launch {
        launch.env(format!("NOTIFY_SOCKET={}", self.path.display()))
    }

    fn next(&self) -> Result<String> {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).context("the next message")?;
        Ok(String::from_utf8(bytes[..length].to_vec())?)
    }

    fn expect_silence(&self) -> Result<()> {
        self.socket.set_nonblocking(true)?;
        let mut bytes = [0; 4096];
        ensure!(self.socket.recv(&mut bytes).is_err(), "there is one message more");
        Ok(())
    }
}

/// A program of the container that sends these messages, and then does this.
fn bundle(messages: &[&str], end: &str) -> Result<Bundle> {
    let helper = std::env::current_exe()?;
    let steps: Vec<String> = messages.iter().map(|text| format!("notify={text}")).collect();
    let steps = steps.iter().map(String::as_str);
    let args: Vec<&str> = ["/helper", "--helper"].into_iter().chain(steps).chain([end]).collect();
    Ok(Bundle::command(&args)?.mount("/helper", "bind", helper, "bind,ro"))
}

pub(crate) fn run_passes_on_what_the_program_tells() -> Result<()> {
    let manager = Manager::new()?;
    let words = ["STATUS=begins", "READY=1\nMAINPID=1\nFDSTORE=1", "X_OWN=1", "STOPPING=1"];
    let container = Container::new(bundle(&words, "exit=0")?)?;
    let running = manager.of(container.launch_new("run", &[])).start()?;
    expect_eq!(manager.next()?, "STATUS=begins\n");
    let ready = manager.next()?;
    let pid = ready.strip_prefix("READY=1\nMAINPID=").context(ready.clone())?.trim();
    ensure!(pid != "1" && pid.parse::<i32>().is_ok(), "{ready:?}");
    expect_eq!(manager.next()?, "STOPPING=1\n");
    running.finish()?.expect_code(0)?;
    manager.expect_silence()?;
    container.expect_gone()
}

pub(crate) fn start_returns_when_the_program_is_ready() -> Result<()> {
    let manager = Manager::new()?;
    let container = Container::new(bundle(&["READY=1"], "pause")?)?;
    manager.of(container.launch_new("create", &[])).finish()?.expect_code(0)?;
    manager.of(container.launch(&["start", &container.id])).finish()?.expect_code(0)?;
    let pid = container.pid()?;
    expect_eq!(manager.next()?, format!("READY=1\nMAINPID={pid}\n"));
    container.kill()?;
    container.delete()?;
    container.expect_gone()
}

pub(crate) fn run_detached_returns_when_the_program_is_ready() -> Result<()> {
    let manager = Manager::new()?;
    let container = Container::new(bundle(&["STATUS=wait", "READY=1"], "pause")?)?;
    let launch = manager.of(container.launch_new("run", &["--detach"]));
    Container::follow(launch.start()?)?;
    expect_eq!(manager.next()?, "STATUS=wait\n");
    expect_eq!(manager.next()?, format!("READY=1\nMAINPID={}\n", container.pid()?));
    container.kill()?;
    container.delete()
}

pub(crate) fn a_program_that_ends_unready_is_not_waited_for() -> Result<()> {
    let manager = Manager::new()?;
    let container = Container::new(bundle(&["STATUS=no"], "exit=0")?)?;
    manager.of(container.launch_new("create", &[])).finish()?.expect_code(0)?;
    manager.of(container.launch(&["start", &container.id])).finish()?.expect_code(0)?;
    expect_eq!(manager.next()?, "STATUS=no\n");
    container.delete()?;
    container.expect_gone()
}

pub(crate) fn a_socket_of_the_configuration_is_left_alone() -> Result<()> {
    let manager = Manager::new()?;
    let bundle = Bundle::script("echo $NOTIFY_SOCKET; ls /run/notify 2>/dev/null; true")?;
    let container = Container::new(bundle.add("/process/env", "NOTIFY_SOCKET=/own"))?;
    let finished = manager.of(container.launch_new("run", &[])).finish()?;
    finished.expect_code(0)?;
    expect_eq!(finished.stdout, "/own\n");
    Ok(())
}
