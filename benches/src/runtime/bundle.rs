//! The bundles that all contestants start: the configuration that `runc spec` writes, and a root
//! file system with two programs of a few bytes.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

/// The first host id of the user namespace.
const FIRST_ID: u32 = 100_000;

/// What is asked of the runtime beside the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing.
    Plain,
    /// A seccomp profile of some 400 rules, for three architectures.
    Seccomp,
    /// A user namespace.
    User,
    /// The program waits for ever.
    Waiting,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Plain, Self::Seccomp, Self::User, Self::Waiting];

    /// Its folder below the one given to [`write`].
    pub(crate) fn bundle(self, folder: &Path) -> PathBuf {
        folder.join(format!("{self:?}").to_lowercase())
    }
}

/// Writes the bundles into `folder`.
pub(crate) fn write(folder: &Path) -> Result<()> {
    for kind in Kind::ALL {
        let bundle = kind.bundle(folder);
        write_rootfs(&bundle.join("rootfs"), kind)?;
        fs::write(bundle.join("config.json"), configuration(kind).to_string())?;
    }
    Ok(())
}

fn write_rootfs(rootfs: &Path, kind: Kind) -> Result<()> {
    for name in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        fs::create_dir_all(rootfs.join(name))?;
    }
    for (name, code) in [("true", EXIT), ("wait", PAUSE)] {
        let path = rootfs.join("bin").join(name);
        fs::write(&path, program(code))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    if kind == Kind::User {
        chown(rootfs, Some(FIRST_ID), Some(FIRST_ID))?;
    }
    Ok(())
}

/// `exit_group(0)`.
const EXIT: &[u8] = &[0x31, 0xff, 0xb8, 231, 0, 0, 0, 0x0f, 0x05];
/// `pause()`, again and again.
const PAUSE: &[u8] = &[0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7];

/// The smallest static executable around machine code for x86-64: one header, one segment. With
/// it the container's own program costs next to nothing, and makes a known number of calls.
fn program(code: &[u8]) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    // An executable for x86-64, version 1; where it begins; one program header after this one.
    elf.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    elf.extend([BASE + HEADERS, 64, 0].iter().flat_map(|word| word.to_le_bytes()));
    elf.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    // Load the whole file, to be read and executed.
    elf.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    let size = HEADERS + code.len() as u64;
    elf.extend([0, BASE, BASE, size, size, 0x1000].iter().flat_map(|word| word.to_le_bytes()));
    elf.extend(code);
    elf
}

fn configuration(kind: Kind) -> Value {
    let mut value = default_configuration();
    match kind {
        Kind::Plain => {}
        Kind::Waiting => value["process"]["args"] = json!(["/bin/wait"]),
        Kind::Seccomp => value["linux"]["seccomp"] = seccomp(),
        Kind::User => {
            let mapping = json!([{ "containerID": 0, "hostID": FIRST_ID, "size": 65536 }]);
            value["linux"]["uidMappings"] = mapping.clone();
            value["linux"]["gidMappings"] = mapping;
            if let Some(namespaces) = value["linux"]["namespaces"].as_array_mut() {
                namespaces.push(json!({ "type": "user" }));
            }
        }
    }
    value
}

/// What `runc spec` asks for, without the terminal, and on version 1 of the cgroups too with a
/// cgroup namespace.
fn default_configuration() -> Value {
    let capabilities = json!(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    let kinds = ["pid", "network", "ipc", "uts", "mount", "cgroup"];
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": { "uid": 0, "gid": 0 },
            "args": ["/bin/true"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "cwd": "/",
            "capabilities": {
                "bounding": capabilities, "effective": capabilities,
                "permitted": capabilities, "ambient": capabilities,
                "inheritable": capabilities,
            },
            "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024 }],
            "noNewPrivileges": true,
        },
        "root": { "path": "rootfs", "readonly": true },
        "hostname": "bench",
        "mounts": mounts(),
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

fn mounts() -> Value {
    let mount = |destination: &str, kind: &str, options: &str| {
        let options: Vec<&str> = options.split_whitespace().collect();
        json!({ "destination": destination, "type": kind, "source": kind, "options": options })
    };
    json!([
        mount("/proc", "proc", ""),
        mount("/dev", "tmpfs", "nosuid strictatime mode=755 size=65536k"),
        mount("/dev/pts", "devpts", "nosuid noexec newinstance ptmxmode=0666 mode=0620 gid=5"),
        mount("/dev/shm", "tmpfs", "nosuid noexec nodev mode=1777 size=65536k"),
        mount("/dev/mqueue", "mqueue", "nosuid noexec nodev"),
        mount("/sys", "sysfs", "nosuid noexec nodev ro"),
        mount("/sys/fs/cgroup", "cgroup", "nosuid noexec nodev relatime ro"),
    ])
}

/// Like the profiles that container managers hand over: an error for all but a list of names,
/// some of which depend on an argument.
fn seccomp() -> Value {
    let names: Vec<&str> = include_str!("system_calls.txt").split_whitespace().collect();
    let allowed = |name: &str, index: u32, value: u64, operator: &str| {
        let argument = json!({ "index": index, "value": value, "op": operator });
        json!({ "names": [name], "action": "SCMP_ACT_ALLOW", "args": [argument] })
    };
    /// The namespace flags of clone(2).
    const NAMESPACES: u64 = 0x7e02_0000;
    let mut clone = allowed("clone", 0, NAMESPACES, "SCMP_CMP_MASKED_EQ");
    clone["args"][0]["valueTwo"] = json!(0);
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [
            { "names": names, "action": "SCMP_ACT_ALLOW" },
            allowed("personality", 0, 0, "SCMP_CMP_EQ"),
            allowed("personality", 0, 8, "SCMP_CMP_EQ"),
            allowed("personality", 0, 0x2_0000, "SCMP_CMP_EQ"),
            allowed("personality", 0, 0xffff_ffff, "SCMP_CMP_EQ"),
            allowed("socket", 0, 40, "SCMP_CMP_NE"),
            clone,
            { "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 },
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_run() {
        let folder = std::env::temp_dir().join(format!("bench-bundle-{}", std::process::id()));
        write_rootfs(&folder, Kind::Plain).unwrap();
        let status = std::process::Command::new(folder.join("bin/true")).status().unwrap();
        let mut waiting = std::process::Command::new(folder.join("bin/wait")).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(waiting.try_wait().unwrap().is_none());
        waiting.kill().unwrap();
        waiting.wait().unwrap();
        fs::remove_dir_all(folder).unwrap();
        assert!(status.success());
    }

    #[test]
    fn the_profile_has_some_400_rules() {
        let count = include_str!("system_calls.txt").split_whitespace().count();
        assert!((350..450).contains(&count), "{count}");
    }
}
