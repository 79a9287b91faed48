//! The program that a container is for, and who it is.

use super::{CpuAffinity, IoPriority, Scheduler, check_id, out_of_range, repeated};
use crate::json::{Problem, Text, object};

object! {
    /// The program, and all that the kernel keeps for a process.
    pub struct Process<'a>, check check_process {
        /// Whether it gets a terminal.
        optional terminal: bool = "terminal",
        /// The size of that terminal.
        optional console_size: Option<ConsoleSize> = "consoleSize",
        /// Who it is.
        always user: User = "user",
        /// The program and its arguments.
        optional args: Vec<Text<'a>> = "args",
        /// Variables, `NAME=VALUE`.
        optional env: Vec<Text<'a>> = "env",
        /// The working directory, in the container; absolute.
        required cwd: Text<'a> = "cwd",
        /// What it may do; without this section, what its user may.
        optional capabilities: Option<Capabilities<'a>> = "capabilities",
        /// Limits, each kind at most once.
        optional rlimits: Vec<Rlimit<'a>> = "rlimits",
        /// Whether no program may give it more than it has.
        optional no_new_privileges: bool = "noNewPrivileges",
        /// The AppArmor profile.
        optional apparmor_profile: Text<'a> = "apparmorProfile",
        /// How likely the kernel kills it when memory is short; -1000 to 1000.
        optional oom_score_adj: Option<i32> = "oomScoreAdj",
        /// How the kernel schedules it.
        optional scheduler: Option<Scheduler> = "scheduler",
        /// The SELinux context.
        optional selinux_label: Text<'a> = "selinuxLabel",
        /// Its place among those who wait for a disk.
        optional io_priority: Option<IoPriority> = "ioPriority",
        /// On which processors an `exec`ed process runs.
        optional exec_cpu_affinity: Option<CpuAffinity<'a>> = "execCPUAffinity",
    }
}

fn check_process(process: &Process<'_>) -> Result<(), Problem> {
    if process.args.is_empty() {
        return Err(Problem::at("args", "empty, but the first one names the program"));
    }
    if !process.cwd.starts_with('/') {
        return Err(Problem::at("cwd", format_args!("{:?} is not absolute", process.cwd)));
    }
    let kinds = process.rlimits.iter().map(|rlimit| &rlimit.kind);
    if let Some((index, kind)) = repeated(kinds) {
        let field = format_args!("rlimits[{index}].type");
        return Err(Problem::at(field, format_args!("{kind:?} is there twice")));
    }
    match process.oom_score_adj {
        Some(score) if !(-1000..=1000).contains(&score) => {
            Err(out_of_range("oomScoreAdj", score, -1000, 1000))
        }
        _ => Ok(()),
    }
}

object! {
    /// The size of a terminal, in characters.
    #[derive(Copy, Default)]
    pub struct ConsoleSize {
        /// Lines.
        always height: u16 = "height",
        /// Columns.
        always width: u16 = "width",
    }
}

object! {
    /// Who a process is, as the container's user namespace counts.
    #[derive(Default)]
    pub struct User, check check_user {
        /// User id.
        always uid: u32 = "uid",
        /// Group id.
        always gid: u32 = "gid",
        /// Which permissions new files do not get; at most 0o777.
        optional umask: Option<u32> = "umask",
        /// More groups.
        optional additional_gids: Vec<u32> = "additionalGids",
    }
}

fn check_user(user: &User) -> Result<(), Problem> {
    check_id("uid", user.uid)?;
    check_id("gid", user.gid)?;
    for (index, group) in user.additional_gids.iter().enumerate() {
        check_id(format_args!("additionalGids[{index}]"), *group)?;
    }
    match user.umask {
        Some(umask) if umask > 0o777 => Err(out_of_range("umask", umask, 0, 0o777)),
        _ => Ok(()),
    }
}

object! {
    /// The five sets of capabilities, by name (`CAP_KILL`). See capabilities(7).
    #[derive(Default)]
    pub struct Capabilities<'a> {
        /// The most that any program it executes can have.
        optional bounding: Vec<Text<'a>> = "bounding",
        /// What the kernel checks.
        optional effective: Vec<Text<'a>> = "effective",
        /// What a program keeps whose file has it, too.
        optional inheritable: Vec<Text<'a>> = "inheritable",
        /// The most that the effective ones can be.
        optional permitted: Vec<Text<'a>> = "permitted",
        /// What any program keeps.
        optional ambient: Vec<Text<'a>> = "ambient",
    }
}

object! {
    /// A resource limit. See getrlimit(2).
    pub struct Rlimit<'a> {
        /// `RLIMIT_NOFILE` and the like.
        required kind: Text<'a> = "type",
        /// The most that the process may set itself.
        required hard: u64 = "hard",
        /// What counts.
        required soft: u64 = "soft",
    }
}
