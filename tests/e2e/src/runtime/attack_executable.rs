//! CVE-2019-5736: the runtime's own executable overwritten from inside.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use super::support::{Bundle, Container, runtime};
use crate::expect_eq;
use crate::support::{own_program, scratch};

/// A copy of the runtime that may be destroyed, and what it should still contain afterwards.
struct Victim {
    path: PathBuf,
    contents: Vec<u8>,
}

impl Victim {
    fn new() -> Result<Self> {
        let path = scratch("victim");
        fs::copy(runtime()?, &path)?;
        let contents = fs::read(&path)?;
        if contents.starts_with(b"#!") {
            harness::skip("the runtime under test is a script")?;
        }
        Ok(Self { path, contents })
    }

    fn expect_whole(&self) -> Result<()> {
        ensure!(fs::read(&self.path)? == self.contents, "the runtime's executable has changed");
        Ok(())
    }
}

/// Root in the container with all that helps to open a file that is not one's own.
fn with_rights(bundle: Bundle) -> Bundle {
    let names = [
        "CAP_DAC_OVERRIDE",
        "CAP_DAC_READ_SEARCH",
        "CAP_FOWNER",
        "CAP_SYS_PTRACE",
        "CAP_SYS_ADMIN",
        "CAP_CHOWN",
    ];
    bundle
        .capabilities(&names)
        .set("/process/noNewPrivileges", false)
        .set("/root/readonly", false)
        .mount("/e2e", "bind", own_program(), "bind,ro")
}

/// The attacker inside tries to get hold of the executable of every process that is not its own
/// (`/proc/PID/exe`, opened while it runs) and writes to it as soon as it can (through
/// `/proc/self/fd/N`, when it does not run any more). The runtime enters as `exec` does.
fn attack(entry: &[&str], prepare: impl Fn(&Bundle) -> Result<()>) -> Result<()> {
    let victim = Victim::new()?;
    let bundle = Bundle::command(&["/e2e", "--helper", "overwrite-executables=/dev/shm/stop"])?;
    let bundle = with_rights(bundle);
    prepare(&bundle)?;
    let container = Container::new(bundle)?.with_program(victim.path.clone());
    let output = container.start_service()?;
    for _ in 0..40 {
        // It may fail: what matters is that it was inside.
        container.tell("exec", entry)?;
    }
    // The attacker works: a program of the container itself is overwritten.
    let target = container.bundle.rootfs().join("work/sleep");
    container.tell("exec", &["/work/sleep", "0.3"])?;
    container.tell("exec", &["/bin/touch", "/dev/shm/stop"])?;
    container.wait_status("stopped")?;
    victim.expect_whole()?;
    let overwritten = fs::read(&target)?.starts_with(b"overwritten");
    ensure!(overwritten, "the attack does not work at all: {}", output.stdout());
    Ok(())
}

/// A program that the attacker may overwrite, to see that it can.
fn target(bundle: &Bundle) -> Result<()> {
    fs::copy("/bin/busybox", bundle.rootfs().join("work/sleep"))?;
    Ok(())
}

pub(crate) fn through_exec_of_a_program() -> Result<()> {
    attack(&["/bin/true"], target)
}

/// The program of the container is a script whose interpreter is `/proc/self/exe`: what is
/// executed is the runtime itself, now inside the container.
pub(crate) fn through_an_interpreter_that_is_the_runtime() -> Result<()> {
    attack(&["/bin/evil"], |bundle| {
        target(bundle)?;
        crate::support::script(&bundle.rootfs().join("bin/evil"), "#!/proc/self/exe\n")
    })
}

pub(crate) fn through_a_program_that_is_the_runtime() -> Result<()> {
    attack(&["/proc/self/exe", "--help"], target)
}

/// The same by the container's first process.
pub(crate) fn through_the_entry_point() -> Result<()> {
    let victim = Victim::new()?;
    for words in
        [&["/bin/evil"][..], &["/proc/self/exe", "--version"], &["/proc/1/exe", "--version"]]
    {
        let bundle = with_rights(Bundle::command(words)?);
        crate::support::script(&bundle.rootfs().join("bin/evil"), "#!/proc/self/exe\n")?;
        let container = Container::new(bundle)?.with_program(victim.path.clone());
        container.run()?;
        victim.expect_whole().with_context(|| format!("{words:?}"))?;
        container.expect_gone()?;
    }
    Ok(())
}

/// What the first process was before it became the container's program, it leaves no trace of.
pub(crate) fn the_first_process_has_no_way_back() -> Result<()> {
    let victim = Victim::new()?;
    let bundle = Bundle::service()?;
    let container = Container::new(bundle)?.with_program(victim.path.clone());
    container.create()?;
    let pid = container.pid()?;
    // While it waits for `start`, its executable is not the file itself, or one nobody can write.
    let exe = fs::OpenOptions::new().write(true).open(format!("/proc/{pid}/exe"));
    ensure!(exe.is_err(), "the executable of the waiting process can be opened for writing");
    container.tell("start", &[])?.expect_code(0)?;
    let comm = fs::read_to_string(format!("/proc/{pid}/comm"))?;
    expect_eq!(comm, "sh\n");
    victim.expect_whole()
}
