//! The long text of each option, for the man page. Only `cargo xtask dist` reads it; nothing of
//! it is linked into the program.

use crate::flags::Id;

/// What the man page says of each option, in the order of [`crate::flags::FLAGS`].
pub const MANUAL: &[(Id, &str)] = &[
    (
        Id::Subreaper,
        "Become a child subreaper (PR_SET_CHILD_SUBREAPER, Linux 3.4), so that orphaned descendants are handed to tino. This happens by itself when tino is not PID 1; --subreaper=off prevents it. TINI_SUBREAPER is the same.",
    ),
    (
        Id::ParentDeathSignal,
        "When the process that started tino dies, tino gets SIG (a name in any case, with or without SIG, or a number) and passes it on. With KILL, which cannot be passed on, the child asks the kernel for the same and dies with tino.",
    ),
    (
        Id::Verbose,
        "Say more on standard error: once for the start and the end of the child, twice for every signal, three times for every process reaped. TINI_VERBOSITY and TINO_VERBOSE are numbers: 0 errors only, 1 (the default) warnings, up to 4.",
    ),
    (
        Id::WarnOnReap,
        "Print a warning (Reaped zombie process with pid=N) for every process reaped that is not the child itself.",
    ),
    (
        Id::PgroupKill,
        "Send signals to the child's process group instead of the child alone. TINI_KILL_PROCESS_GROUP is the same.",
    ),
    (
        Id::SingleChild,
        "Leave the child in the process group of tino, and send signals to the child alone. Signals that the terminal sends to the whole group (INT, QUIT, TSTP, WINCH) are not passed on a second time. Of -c and -g the last one counts.",
    ),
    (
        Id::RemapExit,
        "Exit with 0 where the child's exit code (128 + N when it was killed by signal N) is CODE, 0 to 255. May be repeated.",
    ),
    (
        Id::TermSuccess,
        "Exit with 0 when tino itself was sent TERM and the child then ended by it: killed by the signal that was passed on, or with exit code 143.",
    ),
    (
        Id::GraceMs,
        "Milliseconds between a stop signal and KILL. Given on the command line or as a variable, it starts when TERM, INT or QUIT is passed on: what was signalled is killed when the time is over, or at once when a second stop signal arrives. Without it, tino never kills the child. --all waits as long at the end, 500 ms when nothing is said.",
    ),
    (
        Id::TermDelayMs,
        "Wait so long before a TERM is passed on, for a load balancer that still sends requests. A second TERM, or the end of the child, ends the wait.",
    ),
    (
        Id::All,
        "When the child has ended, send TERM to every process left (as PID 1: in the PID namespace; otherwise: every descendant), wait until they are gone or the grace time is over, and KILL the rest. Does not wait at all when none is left.",
    ),
    (
        Id::Rewrite,
        "When signal S arrives, pass on R instead; 0 drops it. Names or numbers, 1 to 64, RTMIN+N and RTMAX-N too. May be repeated. A rule for one of the signals that tino does not pass on by itself (ABRT, BUS, FPE, ILL, SEGV, SYS, TRAP), such as ABRT:ABRT, makes it one that is.",
    ),
    (
        Id::Restart,
        "What to do when the child ends and tino was not told to stop by TERM, INT or QUIT. on-failure starts it again when the exit code is not 0 after --remap-exit, at most N times when N is given; always in any case. The wait before a start is 100 ms, doubled each time up to a minute, and back to 100 ms once the child has run for 10 s. A stop signal during the wait ends tino with the child's last exit code.",
    ),
    (
        Id::Pause,
        "Start no child. Reap orphans until INT or TERM, then exit with 0, like the pause image of a pod.",
    ),
    (
        Id::Poweroff,
        "When everything has ended, write the disks' caches out and power the machine off. For tino as PID 1 of a virtual machine, where the end of PID 1 is a kernel panic. Ignored with a warning when tino is not PID 1.",
    ),
    (
        Id::ExpandEnv,
        "In the child's arguments, replace ${VAR} by the variable's value (nothing if it is not set), ${VAR:-TEXT} by TEXT if it is unset or empty (TEXT is expanded too), and $$ by $. Everything else stays as it is. No shell is involved.",
    ),
    (
        Id::Explain,
        "Print each option that was given, with its value and where it was given, the Landlock ABI of the kernel and the expanded command, and exit with 0 without starting anything.",
    ),
    (
        Id::Landlock,
        "Restrict the child (not tino) with Landlock (Linux 5.13): it may create, write, truncate, rename and remove files nowhere but below the paths that the following options name, and in /dev, where terminals and /dev/null are, it may write but not create. Every --landlock-* option, --write-allow, --write-preset and --write-no-dev turn this on. It is strict: when the kernel cannot enforce all that was asked for, or a path does not exist, tino says what is lacking and exits with 1 before the child starts. Sets no_new_privs.",
    ),
    (Id::LandlockWritable, "The child may write below PATH (a folder or a file). May be repeated."),
    (
        Id::WritePreset,
        "tmp: /tmp and /var/tmp; runtime: these and /run. Those that do not exist are passed over.",
    ),
    (
        Id::LandlockProfile,
        "PATH is a file with a writable path a line; blank lines and lines that begin with # are passed over.",
    ),
    (Id::LandlockWarnOnly, "Warn and enforce what can be enforced instead of exiting with 1."),
    (Id::WriteWarnOnly, "The same, but does not by itself restrict writing."),
    (
        Id::LandlockNoDev,
        "Do not leave /dev writable. A child on a terminal keeps the descriptors it has.",
    ),
    (
        Id::ReadAllow,
        "The child may read files and list folders nowhere but below the PATHs. The command and its interpreter or loader stay readable; the libraries it loads must be named. May be repeated.",
    ),
    (
        Id::ExecAllow,
        "The child may execute nothing but the command itself, the PATHs (a word without a slash is looked for in $PATH) and the interpreters and loaders that these name. May be repeated.",
    ),
    (
        Id::BindTcpAllow,
        "The child may bind TCP sockets to no port but PORT (Landlock ABI 4, Linux 6.7). May be repeated.",
    ),
    (
        Id::ConnectTcpAllow,
        "The child may connect TCP sockets to no port but PORT (Landlock ABI 4, Linux 6.7). May be repeated.",
    ),
    (
        Id::DeviceIoctlAllow,
        "The child may use ioctl on no device but those below PATH that it opens itself (Landlock ABI 5, Linux 6.10). May be repeated.",
    ),
    (
        Id::ScopeSignals,
        "The child may send signals to none but itself and its descendants (Landlock ABI 6, Linux 6.12).",
    ),
    (
        Id::ScopeAbstractUnix,
        "The child may connect to no abstract Unix socket but those of itself and its descendants (Landlock ABI 6, Linux 6.12).",
    ),
    (Id::License, "Print the licence and exit."),
    (Id::Help, "Print a summary and exit."),
    (Id::Version, "Print the version and exit."),
];
