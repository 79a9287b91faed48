//! The QEMU process: its command line, its ports, its end.
//!
//! Everything it needs is handed over as an open descriptor, so there is nothing on disk to clean
//! up; and the kernel kills it if the process that started it dies (`setpriv --pdeathsig`).

use crate::control::{Control, Ending};
use anyhow::{Context, Result, bail};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Gets a copy of a port's bytes as they come.
pub(crate) type Watcher = Box<dyn FnMut(&[u8]) + Send>;

/// What the machine is made of.
pub(crate) struct Hardware<'a> {
    pub(crate) memory_megabytes: u32,
    pub(crate) cpus: u32,
    pub(crate) kernel: &'a Path,
    pub(crate) initramfs: &'a [u8],
    pub(crate) kernel_arguments: &'a str,
    /// The connection to virtiofsd, for the tag `host`.
    pub(crate) share: Option<UnixStream>,
    /// A file that is the first disk.
    pub(crate) disk: Option<&'a Path>,
}

/// A machine that runs, and its serial ports in the order of [`PORTS`].
pub(crate) struct Qemu {
    process: Child,
    pub(crate) control: Control,
    ended: Receiver<Ending>,
    ports: Vec<UnixStream>,
    is_cut: Arc<AtomicBool>,
    last_word: Arc<Mutex<Instant>>,
}

/// How long a machine may run, and how long its command may say nothing. What the kernel says does
/// not count: one that hangs complains of that until it is ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) time: Duration,
    pub(crate) silence: Duration,
}

/// The guest's ttyS0 to ttyS3.
pub(crate) const PORTS: [&str; 4] = ["console", "stdout", "stderr", "status"];

/// The port of the kernel.
const CONSOLE: usize = 0;

impl Qemu {
    pub(crate) fn start(hardware: Hardware) -> Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
        // Never KVM: where this runs inside a virtual machine, a stock kernel hangs on it. Processors
        // that take turns: with a thread for each, QEMU before 8.1 can keep a translation of kernel
        // code that another processor changed meanwhile, and loops for ever at its breakpoint.
        command.args(["-accel", "tcg,thread=single", "-cpu", "max"]);
        command.args(["-no-reboot", "-no-user-config", "-nodefaults", "-display", "none"]);
        command.args(["-smp", &hardware.cpus.to_string()]);
        command.args(["-m", &format!("{}M", hardware.memory_megabytes)]);
        command.arg("-kernel").arg(hardware.kernel);
        command.args(["-append", hardware.kernel_arguments]);
        let initramfs = in_memory(hardware.initramfs)?;
        command.args(["-initrd", &format!("/proc/self/fd/{}", initramfs.as_raw_fd())]);

        // Kept open until QEMU has its copies.
        let mut given: Vec<OwnedFd> = vec![initramfs];
        if let Some(share) = hardware.share {
            add_share(&mut command, &share, hardware.memory_megabytes);
            given.push(inheritable(share.into())?);
        }
        if let Some(disk) = hardware.disk {
            let escaped = disk.display().to_string().replace(',', ",,");
            command.args(["-drive", &format!("file={escaped},format=raw,if=none,id=disk")]);
            command.args(["-device", "virtio-blk-pci,drive=disk"]);
        }
        let mut ports = Vec::new();
        for name in PORTS {
            ports.push(add_socket(&mut command, name, &mut given)?);
            command.args(["-serial", &format!("chardev:{name}")]);
        }
        let control = add_socket(&mut command, "control", &mut given)?;
        command.args(["-mon", "chardev=control,mode=control"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let process = command.spawn().context("setpriv qemu-system-x86_64")?;
        drop(given);
        let (control, ended) = Control::start(control)?;
        let last_word = Arc::new(Mutex::new(Instant::now()));
        Ok(Self { process, control, ended, ports, is_cut: Arc::default(), last_word })
    }

    /// Reads a port to its end, in a thread.
    pub(crate) fn record(&self, port: usize, mut watcher: Option<Watcher>) -> Result<Recording> {
        let mut stream = self.ports[port].try_clone()?;
        let last_word = self.last_word.clone();
        Ok(Recording(thread::spawn(move || {
            let mut bytes = Vec::new();
            let mut chunk = [0; 16 * 1024];
            // A reset connection is an end too: QEMU has been killed.
            while let Ok(length @ 1..) = stream.read(&mut chunk) {
                bytes.extend_from_slice(&chunk[..length]);
                if port != CONSOLE {
                    *lock(&last_word) = Instant::now();
                }
                if let Some(watcher) = &mut watcher {
                    watcher(&chunk[..length]);
                }
            }
            bytes
        })))
    }

    /// Kills the machine so long after the text has appeared.
    pub(crate) fn cut_power_after(&self, text: String, delay: Duration) -> Result<Watcher> {
        let process = pidfd_open(Pid::from_child(&self.process), PidfdFlags::empty())?;
        let is_cut = self.is_cut.clone();
        Ok(once_after(text, move || {
            thread::sleep(delay);
            is_cut.store(true, Ordering::Relaxed);
            // If it has ended by itself, its ending says so.
            pidfd_send_signal(&process, Signal::KILL).ok();
        }))
    }

    /// Waits for the machine's end. When patience is over, has it say what it is doing, and kills it.
    pub(crate) fn wait(mut self, patience: Patience) -> Result<Ending> {
        let ending = self.ending_within(patience);
        if matches!(ending, Ending::TimedOut | Ending::Silent) {
            // A guest that does not listen any more says nothing, and is killed all the same.
            self.ask_what_it_is_doing().ok();
            self.process.kill()?;
        }
        let status = self.process.wait()?;
        if ending == Ending::Crashed && self.is_cut.load(Ordering::Relaxed) {
            return Ok(Ending::PowerCut);
        }
        if ending == Ending::Crashed {
            let mut complaint = String::new();
            if let Some(mut stderr) = self.process.stderr.take() {
                stderr.read_to_string(&mut complaint)?;
            }
            bail!("qemu-system-x86_64 ended with {status}: {}", complaint.trim());
        }
        Ok(ending)
    }
}

impl Qemu {
    fn ending_within(&self, patience: Patience) -> Ending {
        let end = Instant::now() + patience.time;
        loop {
            let silent = lock(&self.last_word).elapsed();
            let left = end.saturating_duration_since(Instant::now());
            match self.ended.recv_timeout(left.min(patience.silence.saturating_sub(silent))) {
                Ok(ending) => return ending,
                Err(RecvTimeoutError::Disconnected) => return Ending::TimedOut,
                Err(RecvTimeoutError::Timeout) if Instant::now() >= end => return Ending::TimedOut,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if lock(&self.last_word).elapsed() >= patience.silence {
                return Ending::Silent;
            }
        }
    }

    /// By the magic SysRq keys, for which a serial console takes a break and a letter: everything
    /// is printed (`9`), what the processors are at (`l`), and which tasks wait for what (`w`).
    fn ask_what_it_is_doing(&mut self) -> Result<()> {
        for key in [b"9", b"l", b"w"] {
            self.control.send_break(PORTS[CONSOLE])?;
            thread::sleep(Duration::from_millis(500));
            self.ports[CONSOLE].write_all(key)?;
            thread::sleep(Duration::from_secs(2));
        }
        Ok(())
    }
}

/// Nobody panics with it in his hands.
fn lock(moment: &Mutex<Instant>) -> MutexGuard<'_, Instant> {
    moment.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Qemu {
    fn drop(&mut self) {
        // Only after an error: `wait` has reaped it otherwise, and then this does nothing.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Does something once, when the text is complete.
pub(crate) fn once_after(text: String, mut act: impl FnMut() + Send + 'static) -> Watcher {
    let mut seen = Vec::new();
    let mut is_done = false;
    Box::new(move |bytes| {
        seen.extend_from_slice(bytes);
        if !is_done && seen.windows(text.len()).any(|window| window == text.as_bytes()) {
            is_done = true;
            act();
        }
    })
}

/// The bytes that a port will have printed by the machine's end.
pub(crate) struct Recording(JoinHandle<Vec<u8>>);

impl Recording {
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0.join().unwrap_or_default()
    }
}

/// Adds a character device connected to the returned stream.
fn add_socket(command: &mut Command, name: &str, given: &mut Vec<OwnedFd>) -> Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    let theirs = inheritable(theirs.into())?;
    command.args(["-chardev", &format!("socket,id={name},fd={}", theirs.as_raw_fd())]);
    given.push(theirs);
    Ok(ours)
}

/// The file server maps the guest's memory, hence the shared memory object.
fn add_share(command: &mut Command, connection: &UnixStream, memory_megabytes: u32) {
    let memory = format!("memory-backend-memfd,id=memory,size={memory_megabytes}M,share=on");
    command.args(["-object", &memory, "-machine", "memory-backend=memory"]);
    command.args(["-chardev", &format!("socket,id=share,fd={}", connection.as_raw_fd())]);
    command.args(["-device", "vhost-user-fs-pci,chardev=share,tag=host,queue-size=1024"]);
}

fn in_memory(content: &[u8]) -> Result<OwnedFd> {
    let descriptor = memfd_create("initramfs", MemfdFlags::empty()).context("memfd_create")?;
    let mut file = File::from(descriptor);
    file.write_all(content).context("the initramfs does not fit into memory")?;
    Ok(file.into())
}

/// Lets the next program started have this descriptor, under the same number.
fn inheritable(descriptor: OwnedFd) -> Result<OwnedFd> {
    fcntl_setfd(descriptor.as_fd(), FdFlags::empty()).context("fcntl(F_SETFD)")?;
    Ok(descriptor)
}
