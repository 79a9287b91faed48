//! Every command of the README, one after the other, on a machine that has nothing yet: a registry
//! answers for Docker's, with an image of busybox that is called `alpine`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::mount::{MountFlags, mount};

use crate::commands::{Daemon, end_of, find, text_of, wait_until};
use crate::sandbox;

const README: &str = include_str!("../../../README.md");

/// Stands before a block that is passed over; no reader sees it.
const MARK: &str = "<!-- untested:";

/// How many commands are passed over: a new one is to be thought about.
const UNTESTED: usize = 3;

/// What is built instead of run.
const BUILD: &str = "cargo run --release --quiet -p tinyo -- ";

const APPLETS: [&str; 9] = ["sh", "echo", "sleep", "touch", "test", "ls", "nc", "cat", "id"];

/// Something that the README has.
#[derive(Debug, PartialEq)]
enum Piece {
    /// It is typed.
    Command(String),
    /// It is written into `state.yaml`.
    File(String),
}

/// All pieces in order, and how many commands are passed over.
fn pieces(text: &str) -> (Vec<Piece>, usize) {
    let (mut pieces, mut untested) = (Vec::new(), 0);
    let mut lines = text.lines();
    let mut is_marked = false;
    while let Some(line) = lines.next() {
        let block = |lines: &mut std::str::Lines<'_>| -> Vec<String> {
            lines.take_while(|line| *line != "```").map(str::to_owned).collect()
        };
        match line {
            "```console" => {
                let block = block(&mut lines);
                let commands = block.iter().filter_map(|line| line.strip_prefix("$ "));
                if is_marked {
                    untested += commands.count();
                } else {
                    pieces.extend(commands.map(|it| Piece::Command(it.to_owned())));
                }
            }
            "```yaml" => pieces.push(Piece::File(block(&mut lines).join("\n") + "\n")),
            _ => {}
        }
        is_marked = line.starts_with(MARK);
    }
    (pieces, untested)
}

pub(crate) fn every_command() -> Result<()> {
    sandbox::inside(|folder| {
        let (pieces, untested) = pieces(README);
        ensure!(untested == UNTESTED, "{untested} commands of the README are not tested");
        ensure!(pieces.len() > 25, "only {} pieces were found", pieces.len());
        let machine = Machine::new(folder)?;
        for piece in &pieces {
            match piece {
                Piece::File(text) => fs::write(machine.home.join("state.yaml"), text)?,
                Piece::Command(command) => machine.run(command)?,
            }
        }
        let left = text_of(
            &mut machine
                .command("tinyo ps -aq; tinyo network ls -f driver=bridge --format '{{.Name}}'"),
        )?;
        ensure!(left == "bridge", "left: {left}");
        Ok(())
    })
}

/// A machine that has nothing yet.
struct Machine {
    home: std::path::PathBuf,
    programs: std::path::PathBuf,
    registries: std::path::PathBuf,
    _registry: Daemon,
}

impl Machine {
    fn new(folder: &Path) -> Result<Machine> {
        text_of(Command::new(find("ip")?).args(["link", "set", "lo", "up"]))?;
        find("python3")?;
        // What is there of the real machine stays unseen.
        mount("tmpfs", "/var/lib", "tmpfs", MountFlags::empty(), Some(c"mode=755"))?;
        let [home, programs] = ["home", "programs"].map(|name| folder.join(name));
        fs::create_dir(&home)?;
        fs::create_dir(&programs)?;
        symlink(std::path::absolute(harness::tinyo())?, programs.join("tinyo"))?;
        let registries = folder.join("registries.conf");
        fs::write(
            &registries,
            "unqualified-search-registries = [\"docker.io\"]\n[[registry]]\nprefix = \"docker.io\"\n\
             location = \"127.0.0.1:5000\"\ninsecure = true\n",
        )?;
        let registry = start_registry(folder)?;
        let machine = Machine { home, programs, registries, _registry: registry };
        machine.fill_registry(folder)?;
        Ok(machine)
    }

    /// As the README's reader types it.
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(&self.home).stdin(Stdio::null()).env_clear();
        command.env("HOME", &self.home).env("CONTAINERS_REGISTRIES_CONF", &self.registries);
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.programs.display());
        command.env("PATH", path);
        command
    }

    fn run(&self, line: &str) -> Result<()> {
        let line = line.replacen(BUILD, "tinyo ", 1);
        let ended = end_of(&mut self.command(&line)).with_context(|| line.clone())?;
        if ended.code != Some(0) {
            bail!("$ {line}: {ended:#?}");
        }
        Ok(())
    }

    /// With the image `alpine`, from a store that is not the machine's.
    fn fill_registry(&self, folder: &Path) -> Result<()> {
        let root = folder.join("alpine");
        fs::create_dir_all(root.join("bin"))?;
        for name in ["etc", "tmp", "srv", "data"] {
            fs::create_dir(root.join(name))?;
        }
        fs::copy(find("busybox")?, root.join("bin/busybox"))?;
        for applet in APPLETS {
            symlink("busybox", root.join("bin").join(applet))?;
        }
        let archive = folder.join("root.tar");
        text_of(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg("."))?;
        let own =
            |words: &str| text_of(&mut self.command(&format!("tinyo --root ../other {words}")));
        own(&format!("import {} localhost/alpine", archive.display()))?;
        own("push --tls-verify=false localhost/alpine 127.0.0.1:5000/library/alpine")?;
        fs::remove_dir_all(folder.join("other")).context("the other store")
    }
}

fn start_registry(folder: &Path) -> Result<Daemon> {
    let config = folder.join("registry.yml");
    let storage = folder.join("registry");
    fs::write(
        &config,
        format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http:\n  addr: 127.0.0.1:5000\n",
            storage.display()
        ),
    )?;
    let mut command = Command::new(find("docker-registry")?);
    command.arg("serve").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
    let daemon = Daemon::start(&mut command)?;
    wait_until("the registry listens", || {
        Ok(std::net::TcpStream::connect(("127.0.0.1", 5000)).is_ok())
    })?;
    Ok(daemon)
}

#[cfg(test)]
mod tests {
    use super::{Piece, pieces};

    #[test]
    fn what_is_typed_and_what_is_not() {
        let text = "```console\n$ one\nits output\n$ two\n```\n<!-- untested: why -->\n```console\n\
                    $ three\n```\n```yaml\na: b\n```\n```console\n$ four\n```\n";
        let command = |text: &str| Piece::Command(text.to_owned());
        let expected =
            [command("one"), command("two"), Piece::File("a: b\n".to_owned()), command("four")];
        assert_eq!(pieces(text), (expected.into(), 1));
    }
}
