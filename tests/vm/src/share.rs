//! Shows the host's root file system to the guest, so that it can only be read.

use anyhow::{Context, Result, bail};
use rustix::io::{FdFlags, fcntl_setfd};
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The read-only view is made by the kernel (a bind mount in a mount namespace of its own), not
/// by trusting the guest. It is not recursive: `/proc` and other mounts stay out.
const SCRIPT: &str = r#"mount --bind / "$1" && mount -o remount,bind,ro "$1" || exit
program=$2 view=$1 && shift 2
exec "$program" -o "source=$view" "$@""#;

/// A running virtiofsd. It ends by itself when the machine closes the connection.
pub(crate) struct Share {
    daemon: Child,
    folder: PathBuf,
}

impl Share {
    /// Starts the file server; QEMU gets the connection.
    pub(crate) fn start() -> Result<(Self, UnixStream)> {
        let program = Self::program()?;
        if !rustix::process::geteuid().is_root() {
            bail!("showing the host's root to the machine needs root; without it, use --initramfs");
        }
        let folder = temporary_folder()?;
        let view = folder.join("view");
        let socket = folder.join("socket");
        fs::create_dir(&view)?;
        let listener = UnixListener::bind(&socket)?;
        fcntl_setfd(&listener, FdFlags::empty())?;
        let daemon = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private"])
            .args(["sh", "-c", SCRIPT, "sh"])
            .args([&view, &program])
            .arg(format!("--fd={}", listener.as_raw_fd()))
            .args(["-o", "sandbox=chroot", "-o", "cache=always", "-o", "xattr"])
            // 0 leaves the limit of open files as it is: raising it may be forbidden.
            .args(["--rlimit-nofile=0", "-f"])
            .stdin(Stdio::null())
            .stderr(fs::File::create(folder.join("log"))?)
            .spawn()
            .context("setpriv")?;
        let share = Self { daemon, folder };
        let connection = UnixStream::connect(&socket)?;
        fs::remove_file(&socket)?;
        Ok((share, connection))
    }

    /// Debian's virtiofsd: part of qemu-system-common up to bookworm, a package of its own later.
    fn program() -> Result<PathBuf> {
        ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd"]
            .map(PathBuf::from)
            .into_iter()
            .find(|path| path.exists())
            .context("no virtiofsd: install qemu-system-common or virtiofsd, or use --initramfs")
    }

    /// What virtiofsd complained about.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // Without a machine it would wait for ever. Nothing here can fail in a way that matters:
        // the mount is in the daemon's own namespace and ends with it.
        self.daemon.kill().ok();
        self.daemon.wait().ok();
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// A new folder in `$TMPDIR` that no other process has.
fn temporary_folder() -> Result<PathBuf> {
    let mut number = 0_u32;
    loop {
        let name = format!("vm-share-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error).context(folder.display().to_string()),
        }
    }
}

/// Whether the guest can see this path: it is on the host's root file system itself.
pub(crate) fn is_visible(path: &Path) -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| {
        fs::metadata(path).map(|data| data.dev()).with_context(|| path.display().to_string())
    };
    Ok(device(path)? == device(Path::new("/"))?)
}
