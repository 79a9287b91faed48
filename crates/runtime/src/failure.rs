//! What went wrong in the child, as data that crosses to the parent.

use std::fmt;

/// What the child was doing. The number goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the texts below say it")]
pub enum Step {
    Internal,
    JoinCgroup,
    EnterNamespace,
    BecomeRoot,
    Keyring,
    Hostname,
    Network,
    Propagation,
    RootFilesystem,
    Overlay,
    Mount,
    Device,
    Console,
    Hook,
    PivotRoot,
    MaskPath,
    Sysctl,
    Label,
    Scheduling,
    Limits,
    User,
    Capabilities,
    WorkingDirectory,
    NoNewPrivileges,
    Landlock,
    Seccomp,
    Descriptors,
    Execute,
}

impl Step {
    /// All, in the order of their numbers.
    const ALL: [Step; 28] = [
        Step::Internal,
        Step::JoinCgroup,
        Step::EnterNamespace,
        Step::BecomeRoot,
        Step::Keyring,
        Step::Hostname,
        Step::Network,
        Step::Propagation,
        Step::RootFilesystem,
        Step::Overlay,
        Step::Mount,
        Step::Device,
        Step::Console,
        Step::Hook,
        Step::PivotRoot,
        Step::MaskPath,
        Step::Sysctl,
        Step::Label,
        Step::Scheduling,
        Step::Limits,
        Step::User,
        Step::Capabilities,
        Step::WorkingDirectory,
        Step::NoNewPrivileges,
        Step::Landlock,
        Step::Seccomp,
        Step::Descriptors,
        Step::Execute,
    ];

    fn text(self) -> &'static str {
        match self {
            Step::Internal => "internal error",
            Step::JoinCgroup => "joining the cgroup",
            Step::EnterNamespace => "entering the namespaces",
            Step::BecomeRoot => "becoming root of the user namespace",
            Step::Keyring => "joining a session keyring",
            Step::Hostname => "setting host and domain name",
            Step::Network => "bringing up the loopback device",
            Step::Propagation => "setting the propagation of mounts",
            Step::RootFilesystem | Step::Overlay => "preparing the root filesystem",
            Step::Mount => "mounting",
            Step::Device => "making devices",
            Step::Console => "setting up the console",
            Step::Hook => "running a hook",
            Step::PivotRoot => "changing the root",
            Step::MaskPath => "hiding paths",
            Step::Sysctl => "setting kernel parameters",
            Step::Label => "setting the security label",
            Step::Scheduling => "setting scheduling",
            Step::Limits => "setting resource limits",
            Step::User => "changing the user",
            Step::Capabilities => "setting capabilities",
            Step::WorkingDirectory => "changing the working directory",
            Step::NoNewPrivileges => "setting no_new_privs",
            Step::Landlock => "restricting with Landlock",
            Step::Seccomp => "installing the seccomp filter",
            Step::Descriptors => "closing descriptors",
            Step::Execute => "exec",
        }
    }
}

/// A step of the child that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which one.
    pub step: Step,
    /// The kernel's error number, errno(3); 0 where it was not a system call that failed.
    pub errno: i32,
    /// On what and why.
    pub reason: String,
}

impl Failure {
    /// For a step whose error is a failed call, or wraps one.
    pub(crate) fn new(step: Step, reason: impl fmt::Display) -> Failure {
        Failure { step, errno: 0, reason: reason.to_string() }
    }

    /// For a failed call.
    pub(crate) fn call(step: Step, error: &sys::Error) -> Failure {
        Failure { step, errno: error.errno.raw_os_error(), reason: error.to_string() }
    }

    /// As bytes for the channel; a long reason is cut.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.step as u8];
        bytes.extend(self.errno.to_le_bytes());
        bytes.extend(self.reason.bytes().take(MAX_REASON));
        bytes
    }

    /// The reverse. What the child wrote is not trusted to be well formed.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Failure> {
        let (step, rest) = bytes.split_first()?;
        let step = *Step::ALL.get(usize::from(*step))?;
        let (errno, reason) = rest.split_first_chunk::<4>()?;
        let reason = &reason[..reason.len().min(MAX_REASON)];
        Some(Failure {
            step,
            errno: i32::from_le_bytes(*errno),
            reason: String::from_utf8_lossy(reason).into_owned(),
        })
    }
}

/// The bytes of a reason that cross at most.
const MAX_REASON: usize = 8192;

/// Fails as this step.
pub(crate) trait During<T> {
    /// Says what the child was doing.
    fn during(self, step: Step) -> Result<T, Failure>;
}

impl<T> During<T> for Result<T, sys::Error> {
    fn during(self, step: Step) -> Result<T, Failure> {
        self.map_err(|error| Failure::call(step, &error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.step.text(), self.reason)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::{Failure, MAX_REASON, Step};

    #[test]
    fn the_numbers_are_in_order() {
        for (number, step) in Step::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(step as u8), number);
        }
    }

    #[test]
    fn crosses_unchanged() {
        let failure = Failure { step: Step::Mount, errno: 17, reason: "/proc: ä".to_owned() };
        assert_eq!(Failure::decode(&failure.encode()), Some(failure));
    }

    #[test]
    fn a_long_reason_is_cut() {
        let reason = "x".repeat(70_000);
        let failure = Failure { step: Step::Hook, errno: 0, reason };
        assert_eq!(failure.encode().len(), MAX_REASON + 5);
        assert_eq!(Failure::decode(&failure.encode()).map(|it| it.reason.len()), Some(MAX_REASON));
    }

    #[test]
    fn rubbish_is_none() {
        for bytes in [&[][..], &[200, 0, 0, 0, 0], &[1, 0, 0, 0]] {
            assert_eq!(Failure::decode(bytes), None);
        }
    }
}
