//! Which flag of the command line something in the configuration comes from: people have written
//! that, and not the configuration.

/// Where it is in `config.json`, or what of a cgroup, and the flag.
const FLAGS: [(&str, &str); 29] = [
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
    ("linux.resources.cpu.cpus", "--cpuset-cpus"),
    ("linux.resources.cpu.mems", "--cpuset-mems"),
    ("linux.resources.cpu.shares", "--cpu-shares"),
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
    ("blockIO", "--blkio-weight or --device-read-bps and its like"),
];

/// The same error, said of the flag; as it is where none is known.
pub(crate) fn of_flag(error: &str) -> String {
    let text = error.strip_prefix("config.json: ").unwrap_or(error);
    let Some((path, what)) = text.split_once(": ") else { return error.to_owned() };
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
            ("config.json: hooks.prestart: none", "config.json: hooks.prestart: none"),
            ("mountsX: a", "mountsX: a"),
            ("unable to start: x", "unable to start: x"),
        ] {
            assert_eq!(of_flag(error), expected);
        }
    }
}
