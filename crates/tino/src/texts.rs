//! Everything that `tino` says, once. `build.rs`, which includes this file, packs it.
//!
//! `%s` stands for a text, `%d` for a number, `%c` for the character with that number, and `%e`
//! for what the error with that number means, as strerror(3) has it.

use crate::flags::{FLAGS, VALUES};

/// A text, by its place among all that are packed: the names of the options, [`TEXTS`], the help
/// for each option, the names of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message(pub u8);

impl Message {
    /// The first of the options' helps, in the order of [`FLAGS`].
    pub const HELPS: Message = Message(FIRST + TEXTS.len() as u8);
    /// The first of the values' names, in the order of their kinds.
    pub const VALUES: Message = Message(Message::HELPS.0 + FIRST);

    /// The text so many places behind this one.
    #[must_use]
    pub const fn plus(self, places: u8) -> Message {
        Message(self.0 + places)
    }
}

/// How many names of options come before [`TEXTS`].
const FIRST: u8 = FLAGS.len() as u8;

/// All texts in their order.
pub fn all() -> impl Iterator<Item = &'static str> {
    let names = FLAGS.iter().map(|flag| flag.long);
    let helps = FLAGS.iter().map(|flag| flag.help);
    names.chain(TEXTS.iter().copied()).chain(helps).chain(VALUES)
}

macro_rules! texts {
    ($($name:ident = $text:expr;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Index { $($name),* }
        #[allow(missing_docs, reason = "the text says it")]
        impl Message { $(pub const $name: Message = Message(FIRST + Index::$name as u8);)* }
        const TEXTS: &[&str] = &[$($text),*];
    };
}

// tidy: table
texts! {
    // The levels in their order.
    LEVELS = "FATAL";
    WARN = "WARN ";
    INFO = "INFO ";
    DEBUG = "DEBUG";
    TRACE = "TRACE";
    ERROR = "ERROR";

    // The beginning of a line, for each personality in its order.
    PREFIXES = "[%s tino (%d)] ";
    PREFIX_TINI = "[%s tini (%d)] ";
    PREFIX_DUMB_INIT = "[dumb-init] ";
    PREFIX_CATATONIT = "%s (catatonit:%d): ";
    PREFIX_PAUSE = "[%s tino (%d)] ";

    // What `--version` prints. Docker reads `tini version` of its `docker-init`; catatonit says
    // the same for Docker's sake.
    VERSIONS = concat!("tino ", env!("CARGO_PKG_VERSION"));
    VERSION_TINI = concat!("tini version 0.19.0 - tino ", env!("CARGO_PKG_VERSION"));
    VERSION_DUMB_INIT = "dumb-init v1.2.5";
    VERSION_CATATONIT = "tini version 0.2.1_catatonit";
    VERSION_PAUSE = concat!("pause (tino ", env!("CARGO_PKG_VERSION"), ")");

    // What is said on a wrong command line, and as help by all but `tino` itself.
    USAGES = "See tino --help";
    USAGE_TINI = "Usage: tini [-ghlsvw] [-p SIGNAL] [-e EXIT_CODE] [--] PROGRAM [ARGS] | --version";
    USAGE_DUMB_INIT = "Usage: dumb-init [-chvV] [-r|--rewrite S:R] [--single-child] program [args]";
    USAGE_CATATONIT = "usage: catatonit [-ghLPV] [--] PROGRAM [ARGS]";
    USAGE_PAUSE = "See tino --help";

    // The whole texts, which come along in every package, would be a tenth of the program.
    LICENCE = "Copyright (c) 2026 The tinyo authors\n\
        License: MIT OR Apache-2.0, as you like; the texts are in LICENSE-MIT and LICENSE-APACHE.\n\
        There is no warranty of any kind.";

    HELP_HEAD = "Usage: tino [OPTIONS] [--] PROGRAM [ARGS]\n";
    HELP_END = "\nEach is a variable, too, such as TINO_GRACE_MS.";
    LETTER = "  -%c, --";
    NO_LETTER = "      --";

    EXPLAIN_WORD = ": %s (command line)";
    EXPLAIN_VARIABLE = ": %s (variable)";
    EXPLAIN_KERNEL = "kernel: Landlock ABI %d";
    EXPLAIN_COMMAND = "command: %s";

    INTERNAL_ERROR = "tino: internal error";
    NO_PROGRAM = "no program to run";
    UNKNOWN_OPTION = "unknown option: %s";
    VALUE_MISSING = "value missing for option: %s";
    BAD_VALUE = "not a valid value: %s";
    BAD_VARIABLE = "ignored, as it cannot have this value: %s";
    CANNOT_EXPAND = "cannot expand: %s";
    NOT_REAPER = "neither PID 1 nor a child subreaper, so zombie reaping won't work. \
        Use -s, set TINI_SUBREAPER or be PID 1.";
    SET_SUBREAPER = "prctl(PR_SET_CHILD_SUBREAPER): %e";
    SET_PDEATHSIG = "prctl(PR_SET_PDEATHSIG): %e";
    SET_NO_NEW_PRIVS = "prctl(PR_SET_NO_NEW_PRIVS): %e";
    NOT_PID_1 = "--poweroff is for PID 1";
    POWER_OFF = "reboot(POWER_OFF): %e";
    PAUSE_NOT_FIRST = "pause should be the first process";
    SHUTTING_DOWN = "Shutting down";

    NO_LANDLOCK = "no Landlock in this kernel, or forbidden by seccomp: %e";
    // What a kernel lacks, in the order of FEATURES.
    LACKS = "the kernel's Landlock (ABI %d) lacks moving files between folders";
    LACKS_TRUNCATE = "the kernel's Landlock (ABI %d) lacks truncate (Linux 6.2)";
    LACKS_TCP = "the kernel's Landlock (ABI %d) lacks TCP ports (Linux 6.7)";
    LACKS_IOCTL = "the kernel's Landlock (ABI %d) lacks device ioctl (Linux 6.10)";
    LACKS_SCOPES = "the kernel's Landlock (ABI %d) lacks scopes (Linux 6.12)";
    CANNOT_ALLOW = "cannot allow %s: %e";
    RESTRICT_SELF = "landlock_restrict_self: %e";

    SETPGID = "setpgid: %e";
    SETSID = "setsid: %e";
    EXEC_FAILED = "exec %s failed: %e";
    FORK_FAILED = "fork failed: %e";
    SPAWNED = "Spawned child process with PID %d";
    EXITED = "Main child exited (with status '%d')";
    REAPED = "Reaped zombie process with pid=%d";
    RECEIVED = "Received signal %d";
    FORWARDED = "Forwarded signal %d";
    NOT_FORWARDING = "Not forwarding signal %d";
    CANNOT_FORWARD = "cannot forward a signal: %e";
    STARTING_AGAIN = "Starting again in %d ms";
    KILLING = "Killing what is left";
    NOT_ALL_KILLED = "not all processes could be killed";
    NO_PROC = "no /proc: only the child's process group is ended";

    // Not said, but made up in the same way.
    STAT = "/proc/%d/stat";
    LISTEN_PID = "LISTEN_PID=%d";

    // Errors that a user may meet, in the order of ERRNOS.
    ERRORS = "Operation not permitted";
    ENOENT = "No such file or directory";
    EIO = "Input/output error";
    E2BIG = "Argument list too long";
    ENOEXEC = "Exec format error";
    EBADF = "Bad file descriptor";
    EAGAIN = "Resource temporarily unavailable";
    ENOMEM = "Cannot allocate memory";
    EACCES = "Permission denied";
    ENOTDIR = "Not a directory";
    EISDIR = "Is a directory";
    EINVAL = "Invalid argument";
    ENFILE = "Too many open files in system";
    EMFILE = "Too many open files";
    ETXTBSY = "Text file busy";
    EFBIG = "File too large";
    ENAMETOOLONG = "File name too long";
    ENOSYS = "Function not implemented";
    ELOOP = "Too many levels of symbolic links";
    EOPNOTSUPP = "Operation not supported";
    OTHER_ERROR = "errno %d";
}

/// The numbers of the errors that have a text; any other number has the text after theirs.
pub const ERRNOS: [u8; 20] =
    [1, 2, 5, 7, 8, 9, 11, 12, 13, 20, 21, 22, 23, 24, 26, 27, 36, 38, 40, 95];
