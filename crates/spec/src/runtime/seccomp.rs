//! The filter of system calls. See seccomp(2).

use super::out_of_range;
use crate::json::{Problem, Text, names, object};

object! {
    /// The section `linux.seccomp`.
    pub struct Seccomp<'a>, check check_seccomp {
        /// What happens to a call that no rule is about.
        required default_action: SeccompAction = "defaultAction",
        /// The errno or trace message of that.
        optional default_errno_ret: Option<u16> = "defaultErrnoRet",
        /// Architectures whose calls the rules are about, beside that of the machine.
        optional architectures: Vec<Architecture> = "architectures",
        /// Flags. Without a list, [`SeccompFlag::SpecAllow`]; an empty list is none.
        optional flags: Option<Vec<SeccompFlag>> = "flags",
        /// The socket of the agent that decides on `NOTIFY`.
        optional listener_path: Text<'a> = "listenerPath",
        /// What that agent is told besides.
        optional listener_metadata: Text<'a> = "listenerMetadata",
        /// The rules.
        optional syscalls: Vec<SyscallRule<'a>> = "syscalls",
    }
}

fn check_seccomp(seccomp: &Seccomp<'_>) -> Result<(), Problem> {
    if !seccomp.listener_metadata.is_empty() && seccomp.listener_path.is_empty() {
        return Err(Problem::at("listenerMetadata", "there is no listenerPath to send it to"));
    }
    Ok(())
}

object! {
    /// What happens to some calls.
    pub struct SyscallRule<'a>, check check_rule {
        /// The calls.
        required names: Vec<Text<'a>> = "names",
        /// What happens.
        required action: SeccompAction = "action",
        /// The errno or trace message of that.
        optional errno_ret: Option<u16> = "errnoRet",
        /// Only when the arguments are these.
        optional args: Vec<ArgumentRule> = "args",
    }
}

fn check_rule(rule: &SyscallRule<'_>) -> Result<(), Problem> {
    if rule.names.is_empty() { Err(Problem::at("names", "empty")) } else { Ok(()) }
}

object! {
    /// A comparison of one argument of a call.
    #[derive(Copy)]
    pub struct ArgumentRule, check check_argument {
        /// Which argument; 0 to 5.
        required index: u32 = "index",
        /// What it is compared with; the mask for `MASKED_EQ`.
        always value: u64 = "value",
        /// What the masked argument is compared with.
        optional value_two: u64 = "valueTwo",
        /// The comparison.
        required operator: Operator = "op",
    }
}

fn check_argument(argument: &ArgumentRule) -> Result<(), Problem> {
    if argument.index > 5 {
        return Err(out_of_range("index", argument.index, 0, 5));
    }
    Ok(())
}

names! {
    /// What happens to a call.
    pub enum SeccompAction {
        /// The thread is killed.
        Kill = "SCMP_ACT_KILL",
        /// The process is killed.
        KillProcess = "SCMP_ACT_KILL_PROCESS",
        /// The thread is killed.
        KillThread = "SCMP_ACT_KILL_THREAD",
        /// SIGSYS is sent.
        Trap = "SCMP_ACT_TRAP",
        /// It fails.
        Errno = "SCMP_ACT_ERRNO",
        /// The tracer is asked.
        Trace = "SCMP_ACT_TRACE",
        /// It is made.
        Allow = "SCMP_ACT_ALLOW",
        /// It is made and logged.
        Log = "SCMP_ACT_LOG",
        /// The agent is asked.
        Notify = "SCMP_ACT_NOTIFY",
    }
}

names! {
    /// A comparison.
    pub enum Operator {
        /// Not equal.
        NotEqual = "SCMP_CMP_NE",
        /// Less.
        Less = "SCMP_CMP_LT",
        /// Less or equal.
        LessEqual = "SCMP_CMP_LE",
        /// Equal.
        Equal = "SCMP_CMP_EQ",
        /// Greater or equal.
        GreaterEqual = "SCMP_CMP_GE",
        /// Greater.
        Greater = "SCMP_CMP_GT",
        /// Equal after a mask was applied.
        MaskedEqual = "SCMP_CMP_MASKED_EQ",
    }
}

names! {
    /// A flag of seccomp(2).
    pub enum SeccompFlag {
        /// All threads get the filter.
        Tsync = "SECCOMP_FILTER_FLAG_TSYNC",
        /// All but `ALLOW` is logged.
        Log = "SECCOMP_FILTER_FLAG_LOG",
        /// Speculative store bypass stays as it is.
        SpecAllow = "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        /// Only a fatal signal interrupts a call about which the agent was told.
        WaitKillableRecv = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    }
}

names! {
    /// An architecture, as libseccomp names it.
    #[expect(missing_docs, reason = "the names say all there is to say")]
    pub enum Architecture {
        X86 = "SCMP_ARCH_X86",
        X86_64 = "SCMP_ARCH_X86_64",
        X32 = "SCMP_ARCH_X32",
        Arm = "SCMP_ARCH_ARM",
        Aarch64 = "SCMP_ARCH_AARCH64",
        Mips = "SCMP_ARCH_MIPS",
        Mips64 = "SCMP_ARCH_MIPS64",
        Mips64N32 = "SCMP_ARCH_MIPS64N32",
        Mipsel = "SCMP_ARCH_MIPSEL",
        Mipsel64 = "SCMP_ARCH_MIPSEL64",
        Mipsel64N32 = "SCMP_ARCH_MIPSEL64N32",
        Ppc = "SCMP_ARCH_PPC",
        Ppc64 = "SCMP_ARCH_PPC64",
        Ppc64Le = "SCMP_ARCH_PPC64LE",
        S390 = "SCMP_ARCH_S390",
        S390X = "SCMP_ARCH_S390X",
        Parisc = "SCMP_ARCH_PARISC",
        Parisc64 = "SCMP_ARCH_PARISC64",
        Riscv64 = "SCMP_ARCH_RISCV64",
        Loongarch64 = "SCMP_ARCH_LOONGARCH64",
        M68K = "SCMP_ARCH_M68K",
        Sh = "SCMP_ARCH_SH",
        Sheb = "SCMP_ARCH_SHEB",
    }
}
