//! LXC, with `tino` as the container's init and as the program under LXC's own init.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::commands::{end_of, expect_code, find, text_of, wait_until};
use crate::rootfs::{build, has_no_zombie};
use crate::sandbox;

/// The container `box`, not started.
struct Lxc {
    folder: PathBuf,
}

impl Lxc {
    /// `init` is the command line of the container's first process; LXC splits it at blanks.
    fn prepare(folder: &Path, init: &str) -> Result<Self> {
        find("lxc-start")?;
        let rootfs = folder.join("box/rootfs");
        build(&rootfs)?;
        let configuration = format!(
            "lxc.rootfs.path = dir:{}\nlxc.uts.name = box\nlxc.net.0.type = empty\n\
             lxc.mount.auto = proc:mixed sys:ro\nlxc.tty.max = 0\nlxc.console.path = none\n\
             lxc.apparmor.profile = unconfined\nlxc.init.cmd = {init}\n",
            rootfs.display()
        );
        fs::write(folder.join("box/config"), configuration)?;
        Ok(Self { folder: folder.to_owned() })
    }

    fn command(&self, program: &str, words: &str) -> Result<Command> {
        let mut command = Command::new(find(program)?);
        command.arg("-P").arg(&self.folder).args(["-n", "box"]).args(words.split_whitespace());
        Ok(command)
    }

    /// What the script `service` said so far.
    fn told(&self) -> String {
        fs::read_to_string(self.folder.join("box/rootfs/told")).unwrap_or_default()
    }

    fn state(&self) -> Result<String> {
        text_of(&mut self.command("lxc-info", "-sH")?)
    }
}

/// `lxc-stop` sends SIGPWR, and tino passes it on.
pub(crate) fn stop_passes_power_signal_on() -> Result<()> {
    sandbox::inside(|scratch| {
        check_stop(&Lxc::prepare(scratch, "/bin/tino -- /bin/service")?, "pwr")
    })
}

/// Most programs do not know SIGPWR; a rewrite turns it into TERM.
pub(crate) fn stop_is_rewritten_to_term() -> Result<()> {
    sandbox::inside(|scratch| {
        check_stop(&Lxc::prepare(scratch, "/bin/tino -r PWR:TERM -- /bin/service")?, "term")
    })
}

/// Starts in the background, looks inside, stops; the service must have been told `signal`.
fn check_stop(lxc: &Lxc, signal: &str) -> Result<()> {
    text_of(&mut lxc.command("lxc-start", "")?)?;
    wait_until("the service is ready", || Ok(lxc.told().contains("ready")))?;
    ensure!(lxc.state()? == "RUNNING", "the state is {}", lxc.state()?);
    let states = text_of(&mut lxc.command("lxc-attach", "-- /bin/orphans")?)?;
    ensure!(has_no_zombie(&states), "the processes are\n{states}");

    text_of(&mut lxc.command("lxc-stop", "--timeout 30")?)?;
    ensure!(lxc.told() == format!("ready\n{signal}\n"), "the service was told {:?}", lxc.told());
    ensure!(lxc.state()? == "STOPPED", "the state is {}", lxc.state()?);
    Ok(())
}

/// `lxc-execute` puts its own init first, so tino is not PID 1 and must adopt orphans by itself.
pub(crate) fn execute() -> Result<()> {
    sandbox::inside(|scratch| {
        let lxc = Lxc::prepare(scratch, "/bin/tino -- /bin/service")?;
        let ended = expect_code(
            &mut lxc.command("lxc-execute", "-- /bin/tino -- /bin/sh -c false||exit${IFS}8")?,
            8,
        )?;
        ensure!(ended.stderr.is_empty(), "lxc-execute says {}", ended.stderr);
        let states = end_of(&mut lxc.command("lxc-execute", "-- /bin/tino -- /bin/orphans")?)?;
        ensure!(has_no_zombie(&states.stdout), "the processes are\n{states:#?}");
        Ok(())
    })
}
