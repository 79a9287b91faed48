//! Which flag of the command line something in the configuration comes from: people have written
//! that, and not the configuration.

use sys::rustix::io::Errno;

/// Where it is in `config.json`, or below [`RESOURCES`] there, and the flag.
const FLAGS: [(&str, &str); 27] = [
    ("process.rlimits", "--ulimit"),
    ("process.apparmorProfile", "--security-opt apparmor"),
    ("process.selinuxLabel", "--security-opt label"),
    ("process.cwd", "--workdir"),
    ("process.user", "--user"),
    ("process.env", "--env"),
    ("hostname", "--hostname"),
    ("domainname", "--domainname"),
    ("annotations", "--annotation or --security-opt landlock"),
    ("mounts", "--mount or --volume"),
    ("linux.sysctl", "--sysctl"),
    ("linux.cgroupsPath", "--cgroup-parent"),
    ("linux.devices", "--device"),
    ("linux.seccomp", "--security-opt seccomp"),
    ("cpu.cpus", "--cpuset-cpus"),
    ("cpu.mems", "--cpuset-mems"),
    ("cpu.shares", "--cpu-shares"),
    ("cpu.period", "--cpu-period"),
    ("cpu.quota", "--cpu-quota"),
    ("memory.limit", "--memory"),
    ("memory.swap", "--memory-swap"),
    ("memory.reservation", "--memory-reservation"),
    ("memory.swappiness", "--memory-swappiness"),
    ("memory.disableOOMKiller", "--oom-kill-disable"),
    ("pids.limit", "--pids-limit"),
    ("unified", "--cgroup-conf"),
    ("blockIO", "--blkio-weight or --device-read-bps and its like"),
];

/// Where all limits are.
const RESOURCES: &str = "linux.resources.";

/// What the container's first process was doing for which the user has written something, and the
/// flag.
const STEPS: [(&str, &str); 6] = [
    ("changing the working directory", "--workdir"),
    ("setting resource limits", "--ulimit"),
    ("setting kernel parameters", "--sysctl"),
    ("setting host and domain name", "--hostname or --domainname"),
    ("making devices", "--device"),
    ("mounting", "--mount, --volume or --tmpfs"),
];

/// What `kernel::mount` says where a file system has no ids mapped, and what helps.
const NEVER_MAPPED: &str = "its file system cannot have them mapped, or not by this kernel";
const WHERE_MAPPED: &str = "ext4, xfs and btrfs can, and tmpfs from Linux 6.3 on; use one of these \
                            (--root names the folder of images and containers), or leave out \
                            --userns, --uidmap or idmap";

/// The same error, said of the flag; as it is where none is known.
pub(crate) fn of_flag(error: &str) -> String {
    if let Some(text) = error.strip_prefix("unable to start container process: ") {
        let known = STEPS.iter().find_map(|(step, flag)| {
            let rest = text.strip_prefix(step)?.strip_prefix(": ")?;
            Some(format!("{flag}: {}", in_short(flag, rest)))
        });
        return known.unwrap_or_else(|| error.to_owned());
    }
    if error.ends_with(NEVER_MAPPED) {
        return format!("{error}: {WHERE_MAPPED}");
    }
    if error.contains("/oom_score_adj\"") {
        let text = "the caller may not give it less than he has himself (CAP_SYS_RESOURCE)";
        return format!("--oom-score-adj: {text}");
    }
    let text = error.strip_prefix("config.json: ").unwrap_or(error);
    let Some((path, what)) = text.split_once(": ") else { return error.to_owned() };
    let path = path.strip_prefix(RESOURCES).unwrap_or(path);
    let comes_from = |from: &str| {
        let rest = path.strip_prefix(from);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let Some((_, flag)) = FLAGS.iter().find(|(from, _)| comes_from(from)) else {
        return error.to_owned();
    };
    // Where in a text that nobody has written.
    let end = what.rfind(" at line ").unwrap_or(what.len());
    format!("{flag}: {}", &what[..end])
}

/// What is wrong with the value, where the kernel's answer says so; or all that is known.
fn in_short(flag: &str, rest: &str) -> String {
    let number = rest.rsplit_once("(errno ").and_then(|(_, it)| it.strip_suffix(')')?.parse().ok());
    let errno = Errno::from_raw_os_error(number.unwrap_or(0));
    let said = rest.rsplit_once("): ").map_or(rest, |(_, it)| it);
    let said = said.split(" (errno").next().unwrap_or(said);
    let between = |open: &str, close: &str| Some(rest.split_once(open)?.1.split_once(close)?.0);
    let text = match flag {
        "--workdir" => between("\"", "\"").map(|path| {
            let path = path.trim_start_matches('/');
            format!("\"/{path}\" cannot be where it starts: {said}")
        }),
        "--ulimit" if errno == Errno::PERM => between("RLIMIT_", ")").map(|limit| {
            let (name, values) = limit.split_once(", ").unwrap_or((limit, ""));
            let (name, values) = (name.to_lowercase(), values.replace(", ", ":"));
            format!("{name}={values} is above what this machine or the caller may have")
        }),
        "--sysctl" => between("cannot set ", ": ").and_then(|set| {
            let (name, value) = set.split_once(" to ")?;
            Some(match errno {
                Errno::NOENT => format!("{name}: the kernel has no such parameter of a container"),
                Errno::INVAL | Errno::RANGE => format!("{name} cannot be {value}"),
                Errno::ACCESS | Errno::PERM => {
                    format!("{name} can be read in a container, not set")
                }
                _ => return None,
            })
        }),
        _ if rest.contains(": move_mount(") && matches!(errno, Errno::INVAL | Errno::NOTDIR) => {
            between("cannot mount on ", ": ").map(|target| {
                format!("cannot mount on {target}: one is a folder, and the other a file")
            })
        }
        _ => None,
    };
    text.unwrap_or_else(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::of_flag;

    #[test]
    fn what_people_wrote_is_blamed() {
        for (error, expected) in [
            (
                "config.json: process.rlimits[0].type: \"X\" is no limit",
                "--ulimit: \"X\" is no limit",
            ),
            ("config.json: linux.sysctl.foo: is none", "--sysctl: is none"),
            ("config.json: hostname: is too long at line 1 column 7", "--hostname: is too long"),
            ("cpu.period: cannot write \"1\"", "--cpu-period: cannot write \"1\""),
            ("linux.resources.cpu.quota: cannot be 1", "--cpu-quota: cannot be 1"),
            ("config.json: linux.resources.memory.limit: -5 is none", "--memory: -5 is none"),
            ("config.json: hooks.prestart: none", "config.json: hooks.prestart: none"),
            ("mountsX: a", "mountsX: a"),
            ("unable to start: x", "unable to start: x"),
        ] {
            assert_eq!(of_flag(error), expected);
        }
    }

    #[test]
    fn what_the_kernel_answers_is_said_in_words() {
        for (error, expected) in [
            (
                "changing the working directory: openat2(41, \"etc/passwd\", OFlags(PATH)): Not a \
                 directory (errno 20)",
                "--workdir: \"/etc/passwd\" cannot be where it starts: Not a directory",
            ),
            (
                "setting resource limits: setrlimit(RLIMIT_NOFILE, 9, 10): Operation not permitted \
                 (errno 1)",
                "--ulimit: nofile=9:10 is above what this machine or the caller may have",
            ),
            (
                "setting kernel parameters: cannot set net.x to \"1\": openat(/proc, \"sys/net/x\"): \
                 No such file or directory (errno 2)",
                "--sysctl: net.x: the kernel has no such parameter of a container",
            ),
            (
                "setting kernel parameters: cannot set net.a to \"x\": write(\"x\"): Invalid \
                 argument (errno 22)",
                "--sysctl: net.a cannot be \"x\"",
            ),
            (
                "mounting: cannot mount on /etc: move_mount(43, 44): Invalid argument (errno 22)",
                "--mount, --volume or --tmpfs: cannot mount on /etc: one is a folder, and the other \
                 a file",
            ),
            (
                "mounting: cannot mount on /x: mount(\"tmpfs\"): Invalid argument (errno 22)",
                "--mount, --volume or --tmpfs: cannot mount on /x: mount(\"tmpfs\"): Invalid \
                 argument (errno 22)",
            ),
        ] {
            assert_eq!(of_flag(&format!("unable to start container process: {error}")), expected);
        }
        for other in ["exec: \"x\": no such file", "installing the seccomp filter: x"] {
            let error = format!("unable to start container process: {other}");
            assert_eq!(of_flag(&error), error);
        }
    }
}
