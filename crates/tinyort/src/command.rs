//! Every command, once: its flags and words, and what the help says.

use crate::flag::Flag;
use crate::flags::*;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "COMMANDS documents each")]
pub enum Id {
    Checkpoint,
    Create,
    Delete,
    Events,
    Exec,
    Features,
    Help,
    Kill,
    List,
    Pause,
    Ps,
    Restore,
    Resume,
    Run,
    Spec,
    Start,
    State,
    Update,
}

/// A command.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// What to do.
    pub id: Id,
    /// Its name.
    pub name: &'static str,
    /// The words that it takes, as the help shows them.
    pub words: &'static str,
    /// How many words it takes.
    pub least: usize,
    /// The most words, if there is a limit.
    pub most: Option<usize>,
    /// Whether what follows the first word is no flag of ours, but another program's.
    pub rest_is_verbatim: bool,
    /// What it does, in half a line.
    pub about: &'static str,
    /// What else is to be known.
    pub text: &'static str,
    /// Its flags, beside those that all have.
    pub flags: &'static [Flag],
}

/// Flags of all commands.
pub const GLOBAL: &[Flag] =
    &[ROOT, LOG, LOG_FORMAT, DEBUG, SYSTEMD_CGROUP, CGROUP_MANAGER, ROOTLESS, CRIU, HELP, VERSION];

const NO_WORDS: Command = Command {
    id: Id::Help,
    name: "",
    words: "",
    least: 0,
    most: Some(0),
    rest_is_verbatim: false,
    about: "",
    text: "",
    flags: &[],
};

const OF_CONTAINER: Command = Command { words: "ID", least: 1, most: Some(1), ..NO_WORDS };

/// All commands, in the order of their names.
// tidy: table
pub const COMMANDS: &[Command] = &[
    Command {
        id: Id::Checkpoint,
        name: "checkpoint",
        about: "write a running container to files, with criu",
        text: "It is gone then, unless it is left running. Its files are needed as they are.",
        flags: &[
            IMAGE_PATH,
            WORK_PATH,
            PARENT_PATH,
            PRE_DUMP,
            LEAVE_RUNNING,
            TCP_ESTABLISHED,
            TCP_SKIP_IN_FLIGHT,
            LINK_REMAP,
            EXT_UNIX_SK,
            SHELL_JOB,
            FILE_LOCKS,
            MANAGE_CGROUPS_MODE,
            EMPTY_NS,
            AUTO_DEDUP,
            PAGE_SERVER,
            LAZY_PAGES,
            STATUS_FD,
        ],
        ..OF_CONTAINER
    },
    Command {
        id: Id::Create,
        name: "create",
        about: "make a container, ready to start",
        text: "Its program is executed by `tinyort start ID`.",
        flags: &[
            BUNDLE,
            CONFIG,
            CONSOLE_SOCKET,
            PIDFD_SOCKET,
            PID_FILE,
            NO_PIVOT,
            NO_NEW_KEYRING,
            PRESERVE_FDS,
        ],
        ..OF_CONTAINER
    },
    Command {
        id: Id::Delete,
        name: "delete",
        about: "remove a container that is not running",
        flags: &[FORCE],
        ..OF_CONTAINER
    },
    Command {
        id: Id::Events,
        name: "events",
        about: "print what a container uses, and when memory runs out",
        text: "A line of JSON each time, until the container ends.",
        flags: &[STATS, INTERVAL],
        ..OF_CONTAINER
    },
    Command {
        id: Id::Exec,
        name: "exec",
        words: "ID COMMAND [ARGUMENT...]",
        most: None,
        rest_is_verbatim: true,
        about: "run one more process in a container",
        text: "\
The process is like the container's own but for what the flags say; --process tells all of it, and
then there is no COMMAND. What follows ID is the command, even if it looks like a flag. The exit
code is the process's, 128 + N after signal N, and 255 if it could not be started.",
        flags: &[
            PROCESS,
            CWD,
            ENV,
            TTY,
            USER,
            ADDITIONAL_GIDS,
            CAP,
            NO_NEW_PRIVS,
            APPARMOR,
            PROCESS_LABEL,
            CGROUP,
            DETACH,
            PID_FILE,
            CONSOLE_SOCKET,
            PIDFD_SOCKET,
            PRESERVE_FDS,
            IGNORE_PAUSED,
        ],
        ..OF_CONTAINER
    },
    Command {
        id: Id::Features,
        name: "features",
        about: "print what works here, in JSON",
        ..NO_WORDS
    },
    Command {
        id: Id::Help,
        name: "help",
        words: "[COMMAND]",
        most: Some(1),
        about: "print what a command does",
        ..NO_WORDS
    },
    Command {
        id: Id::Kill,
        name: "kill",
        words: "ID [SIGNAL]",
        most: Some(2),
        about: "send a signal to a container",
        text: "SIGNAL is a name, with or without SIG, or a number; without it TERM.",
        flags: &[ALL],
        ..OF_CONTAINER
    },
    Command {
        id: Id::List,
        name: "list",
        about: "list all containers",
        flags: &[FORMAT, QUIET],
        ..NO_WORDS
    },
    Command {
        id: Id::Pause,
        name: "pause",
        about: "stop all of a container's processes for a while",
        ..OF_CONTAINER
    },
    Command {
        id: Id::Ps,
        name: "ps",
        words: "ID [PS-OPTION...]",
        most: None,
        rest_is_verbatim: true,
        about: "list a container's processes",
        text: "\
The table is that of ps(1) of the host, called with these options (-ef), cut down to the processes
of the container.",
        flags: &[FORMAT],
        ..OF_CONTAINER
    },
    Command {
        id: Id::Restore,
        name: "restore",
        about: "make a container from what checkpoint has written",
        text: "\
It stays in the foreground, passes signals on, and removes the container when that ends. config.json
is that of the container as it was.",
        flags: &[
            BUNDLE,
            IMAGE_PATH,
            WORK_PATH,
            DETACH,
            CONSOLE_SOCKET,
            PIDFD_SOCKET,
            PID_FILE,
            NO_SUBREAPER,
            NO_PIVOT,
            TCP_ESTABLISHED,
            EXT_UNIX_SK,
            SHELL_JOB,
            FILE_LOCKS,
            MANAGE_CGROUPS_MODE,
            EMPTY_NS,
            AUTO_DEDUP,
            LAZY_PAGES,
            LSM_PROFILE,
            LSM_MOUNT_CONTEXT,
        ],
        ..OF_CONTAINER
    },
    Command {
        id: Id::Resume,
        name: "resume",
        about: "let a paused container go on",
        ..OF_CONTAINER
    },
    Command {
        id: Id::Run,
        name: "run",
        about: "make a container and start it",
        text: "\
It stays in the foreground, passes signals on, and removes the container when that ends. The exit
code is that of the container's program, or 128 + N after signal N.",
        flags: &[
            BUNDLE,
            CONFIG,
            DETACH,
            KEEP,
            CONSOLE_SOCKET,
            PIDFD_SOCKET,
            PID_FILE,
            NO_PIVOT,
            NO_NEW_KEYRING,
            NO_SUBREAPER,
            PRESERVE_FDS,
        ],
        ..OF_CONTAINER
    },
    Command {
        id: Id::Spec,
        name: "spec",
        about: "write a config.json to begin with",
        text: "It runs a shell in the root file system `rootfs` beside it.",
        flags: &[BUNDLE, SPEC_ROOTLESS],
        ..NO_WORDS
    },
    Command {
        id: Id::Start,
        name: "start",
        about: "execute the program of a container that was made by create",
        ..OF_CONTAINER
    },
    Command {
        id: Id::State,
        name: "state",
        about: "print what a container is doing, in JSON",
        ..OF_CONTAINER
    },
    Command {
        id: Id::Update,
        name: "update",
        about: "change a container's limits",
        text: "\
What is not named stays as it is. A flag counts before the same limit of --resources; rules for
devices in there replace all those that the container has.",
        flags: &[
            RESOURCES,
            BLKIO_WEIGHT,
            CPU_PERIOD,
            CPU_QUOTA,
            CPU_BURST,
            CPU_SHARE,
            CPU_RT_PERIOD,
            CPU_RT_RUNTIME,
            CPUSET_CPUS,
            CPUSET_MEMS,
            CPU_IDLE,
            MEMORY,
            MEMORY_RESERVATION,
            MEMORY_SWAP,
            KERNEL_MEMORY,
            KERNEL_MEMORY_TCP,
            PIDS_LIMIT,
            L3_CACHE_SCHEMA,
            MEM_BW_SCHEMA,
        ],
        ..OF_CONTAINER
    },
];

/// The command of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

#[cfg(test)]
mod tests {
    use super::{COMMANDS, Command, GLOBAL};
    use crate::flag::{Flag, Kind};

    #[test]
    fn names_are_sorted_and_flags_are_unambiguous() {
        assert!(COMMANDS.is_sorted_by(|first, second| first.name < second.name));
        for Command { name, flags, .. } in COMMANDS {
            // A command's own flag may go before one of all (`spec --rootless`).
            for (index, flag) in flags.iter().enumerate() {
                let same = |other: &Flag| {
                    other.long == flag.long || (other.short.is_some() && other.short == flag.short)
                };
                assert!(!flags[..index].iter().any(same), "{name}: --{}", flag.long);
            }
        }
    }

    #[test]
    fn defaults_in_the_help_are_among_the_choices() {
        let all = COMMANDS.iter().flat_map(|command| command.flags).chain(GLOBAL);
        for flag in all {
            let default = flag.help.rsplit_once('(').map(|(_, rest)| rest.trim_end_matches(')'));
            if let (Kind::Choice(words), Some(default)) = (flag.kind, default) {
                assert!(words.contains(&default), "--{}: {default}", flag.long);
            }
        }
    }
}
