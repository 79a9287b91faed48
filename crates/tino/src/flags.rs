//! Every option of `tino`, once: parser, help text, man page, completions and `TINO_*` variables
//! all come from [`FLAGS`].
//!
//! The program itself never sees the texts in this table: `build.rs`, which includes this file,
//! packs them (see `packed.rs`).

/// What an option does; sets of options have a bit for each.
///
/// The first four have a number for a value. Up to [`Id::Version`] are those that some program
/// has that `tino` stands in for, so that sets of them fit in 16 bits. From [`Id::Landlock`] on
/// are those that restrict the child (`rules.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "each variant is the long name of the option that FLAGS documents")]
pub enum Id {
    ParentDeathSignal,
    GraceMs,
    TermDelayMs,
    Restart,
    Verbose,
    Subreaper,
    WarnOnReap,
    PgroupKill,
    SingleChild,
    RemapExit,
    Rewrite,
    Pause,
    License,
    Help,
    Version,
    TermSuccess,
    All,
    Poweroff,
    ExpandEnv,
    Explain,
    WriteWarnOnly,
    Landlock,
    LandlockWritable,
    WritePreset,
    LandlockProfile,
    LandlockWarnOnly,
    LandlockNoDev,
    ReadAllow,
    ExecAllow,
    BindTcpAllow,
    ConnectTcpAllow,
    DeviceIoctlAllow,
    ScopeSignals,
    ScopeAbstractUnix,
}

/// A set of options.
pub type Ids = u64;

impl Id {
    /// The set of this option alone.
    #[must_use]
    pub const fn bit(self) -> Ids {
        1 << self as u8
    }
}

/// The shape of an option's value. From [`Kind::Number`] on it has to have one; those after
/// [`Kind::Policy`] may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub enum Kind {
    /// No value, or `=on` / `=off` (also 1/0, true/false, yes/no).
    Switch,
    /// May be repeated; `=N` sets the number.
    Count,
    /// Milliseconds.
    Number,
    /// A signal's name or number.
    Signal,
    /// When to start the child again.
    Policy,
    /// Exit codes, separated by commas.
    Codes,
    /// `S:R` with signals, separated by commas.
    Rules,
    /// TCP ports, separated by commas.
    Ports,
    /// Names of groups of paths, separated by commas.
    Presets,
    /// A path; a variable separates several by colons.
    Paths,
}

/// What the value of each [`Kind`] is called in the help, or empty where there need be none.
pub const VALUES: [&str; 10] =
    ["", "", "MS", "SIG", "POLICY", "CODE", "S:R", "PORT", "NAME", "PATH"];

/// One spelling of an option.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// What it does.
    pub id: Id,
    /// The letter after one dash, or 0.
    pub short: u8,
    /// The word after two dashes. `TINO_` and this in capitals is the variable.
    pub long: &'static str,
    /// The shape of its value.
    pub kind: Kind,
    /// One line of help; empty for a second spelling, which the help leaves out.
    pub help: &'static str,
}

const fn flag(id: Id, short: u8, long: &'static str, kind: Kind, help: &'static str) -> Flag {
    Flag { id, short, long, kind, help }
}

/// All options. A second spelling (for programs written for lvillis/tino) follows the first.
pub const FLAGS: &[Flag] = &[
    flag(Id::Subreaper, b's', "subreaper", Kind::Switch, "adopt orphans (automatic if not PID 1)"),
    flag(
        Id::ParentDeathSignal,
        b'p',
        "parent-death-signal",
        Kind::Signal,
        "get SIG when the parent dies",
    ),
    flag(Id::Verbose, b'v', "verbose", Kind::Count, "say more (-vv, -vvv)"),
    flag(Id::WarnOnReap, b'w', "warn-on-reap", Kind::Switch, "warn when an orphan is reaped"),
    flag(
        Id::PgroupKill,
        b'g',
        "pgroup-kill",
        Kind::Switch,
        "signal the child's whole process group",
    ),
    flag(
        Id::SingleChild,
        b'c',
        "single-child",
        Kind::Switch,
        "no process group of its own for the child",
    ),
    flag(Id::RemapExit, b'e', "remap-exit", Kind::Codes, "exit with 0 instead of CODE"),
    flag(
        Id::TermSuccess,
        0,
        "term-success",
        Kind::Switch,
        "exit with 0 when stopped by a TERM sent to tino",
    ),
    flag(
        Id::GraceMs,
        b't',
        "grace-ms",
        Kind::Number,
        "KILL what still runs MS after a stop signal",
    ),
    flag(Id::TermDelayMs, 0, "term-delay-ms", Kind::Number, "pass TERM on after MS"),
    flag(Id::All, b'a', "all", Kind::Switch, "at the end, TERM and KILL all descendants"),
    flag(Id::Rewrite, b'r', "rewrite", Kind::Rules, "send R for S (0: nothing)"),
    flag(Id::Restart, 0, "restart", Kind::Policy, "no, always or on-failure[:N]"),
    flag(Id::Pause, b'P', "pause", Kind::Switch, "no child: reap until INT or TERM"),
    flag(Id::Poweroff, 0, "poweroff", Kind::Switch, "at the end, power the machine off"),
    flag(
        Id::ExpandEnv,
        0,
        "expand-env",
        Kind::Switch,
        "expand ${VAR} and ${VAR:-TEXT} in the arguments",
    ),
    flag(Id::Explain, 0, "explain", Kind::Switch, "print what would be done, and exit"),
    flag(Id::Landlock, 0, "landlock", Kind::Switch, "let the child write nowhere but in:"),
    flag(Id::Landlock, 0, "write-restrict", Kind::Switch, ""),
    flag(Id::LandlockWritable, 0, "landlock-writable", Kind::Paths, "below PATH"),
    flag(Id::LandlockWritable, 0, "write-allow", Kind::Paths, ""),
    flag(
        Id::WritePreset,
        0,
        "write-preset",
        Kind::Presets,
        "tmp (/tmp /var/tmp) or runtime (and /run)",
    ),
    flag(
        Id::LandlockProfile,
        0,
        "landlock-profile",
        Kind::Paths,
        "the paths in file PATH, one a line",
    ),
    flag(
        Id::LandlockWarnOnly,
        0,
        "landlock-warn-only",
        Kind::Switch,
        "go on if the kernel cannot enforce it",
    ),
    flag(Id::WriteWarnOnly, 0, "write-warn-only", Kind::Switch, ""),
    flag(Id::LandlockNoDev, 0, "landlock-no-dev", Kind::Switch, "not even in /dev"),
    flag(Id::LandlockNoDev, 0, "write-no-dev", Kind::Switch, ""),
    flag(Id::ReadAllow, 0, "read-allow", Kind::Paths, "read nothing but below PATH"),
    flag(Id::ExecAllow, 0, "exec-allow", Kind::Paths, "run nothing but the command and PATH"),
    flag(Id::BindTcpAllow, 0, "bind-tcp-allow", Kind::Ports, "listen on no TCP port but PORT"),
    flag(
        Id::ConnectTcpAllow,
        0,
        "connect-tcp-allow",
        Kind::Ports,
        "connect to no TCP port but PORT",
    ),
    flag(
        Id::DeviceIoctlAllow,
        0,
        "device-ioctl-allow",
        Kind::Paths,
        "no ioctl on devices but below PATH",
    ),
    flag(Id::ScopeSignals, 0, "scope-signals", Kind::Switch, "signal none but its own descendants"),
    flag(
        Id::ScopeAbstractUnix,
        0,
        "scope-abstract-unix",
        Kind::Switch,
        "the same for abstract sockets",
    ),
    flag(Id::License, b'l', "license", Kind::Switch, "print the licence"),
    flag(Id::Help, b'h', "help", Kind::Switch, "print this"),
    flag(Id::Version, b'V', "version", Kind::Switch, "print the version"),
];
