//! A bundle: a root file system with busybox, and a configuration that tests change bit by bit.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::support::scratch;

/// The applets that containers use, as links to busybox.
// tidy: table
const APPLETS: &[&str] = &[
    "[",
    "awk",
    "cat",
    "chmod",
    "chown",
    "cp",
    "cut",
    "date",
    "dd",
    "df",
    "dirname",
    "echo",
    "env",
    "false",
    "find",
    "grep",
    "head",
    "hostname",
    "id",
    "ifconfig",
    "ip",
    "kill",
    "ln",
    "ls",
    "mkdir",
    "mkfifo",
    "mknod",
    "mount",
    "mountpoint",
    "mv",
    "nc",
    "nproc",
    "od",
    "ping",
    "printf",
    "ps",
    "pwd",
    "readlink",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "setsid",
    "sh",
    "sleep",
    "sort",
    "stat",
    "stty",
    "sync",
    "tail",
    "tee",
    "test",
    "timeout",
    "touch",
    "tr",
    "true",
    "tty",
    "umask",
    "umount",
    "uname",
    "uniq",
    "unlink",
    "unshare",
    "usleep",
    "wc",
    "which",
    "xargs",
    "yes",
];

/// A folder with `config.json` and `rootfs`.
pub(in crate::runtime) struct Bundle {
    pub(in crate::runtime) folder: PathBuf,
    pub(in crate::runtime) config: Value,
}

impl Bundle {
    /// Runs `script` with the shell.
    pub(in crate::runtime) fn script(script: &str) -> Result<Self> {
        Self::command(&["/bin/sh", "-c", script])
    }

    /// Runs until it is killed: TERM ends it with 15, USR1 makes it say `usr1`.
    pub(in crate::runtime) fn service() -> Result<Self> {
        Self::script(
            "trap 'exit 15' TERM; trap 'echo usr1' USR1; echo ready; \
             while :; do sleep 0.05; done",
        )
    }

    /// Runs a program of the root file system.
    pub(in crate::runtime) fn command(words: &[&str]) -> Result<Self> {
        Self::on_rootfs(words, None)
    }

    /// The same on a root file system of another bundle, if one is given.
    pub(in crate::runtime) fn on_rootfs(words: &[&str], rootfs: Option<&Path>) -> Result<Self> {
        let folder = (0..)
            .map(|number| scratch(&format!("bundle-{number}")))
            .find(|folder| !folder.exists())
            .context("a free name")?;
        let mut config = default_configuration();
        match rootfs {
            None => write_rootfs(&folder.join("rootfs"))?,
            Some(rootfs) => {
                fs::create_dir(&folder)?;
                config["root"]["path"] = json!(rootfs);
            }
        }
        config["process"]["args"] = json!(words);
        Ok(Self { folder, config })
    }

    pub(in crate::runtime) fn rootfs(&self) -> PathBuf {
        self.folder.join(self.config["root"]["path"].as_str().unwrap_or_default())
    }

    /// Sets a value; `place` is a JSON pointer. Objects on the way are made.
    pub(in crate::runtime) fn set(mut self, place: &str, value: impl Into<Value>) -> Self {
        *entry(&mut self.config, place) = value.into();
        self
    }

    /// Adds to the array at `place`, which is made if it is not there.
    pub(in crate::runtime) fn add(mut self, place: &str, value: impl Into<Value>) -> Self {
        let array = entry(&mut self.config, place);
        if array.is_null() {
            *array = json!([]);
        }
        array.as_array_mut().expect("an array is there").push(value.into());
        self
    }

    /// Takes a value out; `place` is a JSON pointer.
    pub(in crate::runtime) fn remove(mut self, place: &str) -> Self {
        let (parent, name) = place.rsplit_once('/').expect("a pointer begins with a slash");
        if let Some(object) = self.config.pointer_mut(parent).and_then(Value::as_object_mut) {
            object.remove(name);
        }
        self
    }

    /// Adds a mount. `options` are separated by commas.
    pub(in crate::runtime) fn mount(
        self,
        destination: &str,
        kind: &str,
        source: impl AsRef<Path>,
        options: &str,
    ) -> Self {
        self.add("/mounts", mount(destination, kind, &source.as_ref().to_string_lossy(), options))
    }

    /// Takes the mount at `destination` out.
    pub(in crate::runtime) fn without_mount(mut self, destination: &str) -> Self {
        let mounts = self.config["mounts"].as_array_mut().expect("there are mounts");
        mounts.retain(|mount| mount["destination"] != destination);
        self
    }

    /// Takes a namespace out.
    pub(in crate::runtime) fn without_namespace(mut self, kind: &str) -> Self {
        let namespaces = &mut self.config["linux"]["namespaces"];
        let namespaces = namespaces.as_array_mut().expect("there are namespaces");
        namespaces.retain(|namespace| namespace["type"] != kind);
        self
    }

    /// Adds a new namespace.
    pub(in crate::runtime) fn namespace(self, kind: &str) -> Self {
        self.add("/linux/namespaces", json!({ "type": kind }))
    }

    /// Joins a namespace instead of making one.
    pub(in crate::runtime) fn join(self, kind: &str, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_string_lossy().into_owned();
        self.without_namespace(kind).add("/linux/namespaces", json!({ "type": kind, "path": path }))
    }

    /// A user namespace whose id 0 is `first` outside, with 65536 ids.
    pub(in crate::runtime) fn user_namespace(self, first: u32) -> Result<Self> {
        let mapping = json!([{ "containerID": 0, "hostID": first, "size": 65536 }]);
        std::os::unix::fs::chown(self.rootfs(), Some(first), Some(first))?;
        Ok(self
            .namespace("user")
            .set("/linux/uidMappings", mapping.clone())
            .set("/linux/gidMappings", mapping))
    }

    /// Gives the program these capabilities, in the four sets that reach it.
    pub(in crate::runtime) fn capabilities(mut self, names: &[&str]) -> Self {
        for set in ["bounding", "effective", "permitted"] {
            self.config["process"]["capabilities"][set] = json!(names);
        }
        self
    }

    /// Writes `config.json`.
    pub(in crate::runtime) fn write(&self) -> Result<()> {
        fs::write(self.folder.join("config.json"), self.config.to_string())?;
        Ok(())
    }
}

/// The place for a value; what is missing on the way becomes an object.
fn entry<'a>(value: &'a mut Value, place: &str) -> &'a mut Value {
    place.split('/').skip(1).fold(value, |value, name| match name.parse::<usize>() {
        Ok(index) if value.is_array() => &mut value[index],
        _ => &mut value[name],
    })
}

pub(in crate::runtime) fn write_rootfs(rootfs: &Path) -> Result<()> {
    for name in ["bin", "dev", "etc", "proc", "sys", "tmp", "work"] {
        fs::create_dir_all(rootfs.join(name))?;
    }
    let busybox = Path::new("/bin/busybox");
    if !busybox.is_file() {
        harness::skip("there is no /bin/busybox")?;
    }
    fs::copy(busybox, rootfs.join("bin/busybox"))?;
    for applet in APPLETS {
        symlink("busybox", rootfs.join("bin").join(applet))?;
    }
    fs::write(
        rootfs.join("etc/passwd"),
        "root:x:0:0:root:/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n",
    )?;
    fs::write(rootfs.join("etc/group"), "root:x:0:\nuser:x:1000:\n")?;
    Ok(())
}

fn mount(destination: &str, kind: &str, source: &str, options: &str) -> Value {
    let options: Vec<&str> = options.split(',').filter(|option| !option.is_empty()).collect();
    json!({ "destination": destination, "type": kind, "source": source, "options": options })
}

/// What `runc spec` asks for, without a terminal.
fn default_configuration() -> Value {
    let capabilities = json!(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    let kinds = ["pid", "network", "ipc", "uts", "mount", "cgroup"];
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": { "uid": 0, "gid": 0 },
            "args": [],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "cwd": "/",
            "capabilities": {
                "bounding": capabilities, "effective": capabilities, "permitted": capabilities,
            },
            "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024 }],
            "noNewPrivileges": true,
        },
        "root": { "path": "rootfs", "readonly": true },
        "hostname": "e2e",
        "mounts": [
            mount("/proc", "proc", "proc", ""),
            mount("/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"),
            mount("/dev/pts", "devpts", "devpts",
                "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"),
            mount("/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k"),
            mount("/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"),
            mount("/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"),
            mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro"),
        ],
        "linux": {
            "resources": { "devices": [{ "allow": false, "access": "rwm" }] },
            "namespaces": kinds.map(|kind| json!({ "type": kind })),
            "maskedPaths": [
                "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware",
                "/proc/scsi",
            ],
            "readonlyPaths": [
                "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
            ],
        },
    })
}
