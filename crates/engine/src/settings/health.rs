//! How to find out whether a container works, and what is done if it does not.

use serde::{Deserialize, Serialize};

/// How to find out whether a container works. Times in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Between two checks.
    pub interval: u64,
    /// Of one check.
    pub timeout: u64,
    /// While failures do not count.
    pub start_period: u64,
    /// Between two checks while starting.
    pub start_interval: u64,
    /// How many failures one after the other make it unhealthy.
    pub retries: u32,
    /// What is done when it has become unhealthy.
    pub on_failure: OnFailure,
    /// What is checked instead until it has started.
    pub startup: Option<Startup>,
}

/// How to find out whether a container has started. Times in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Startup {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Between two checks.
    pub interval: u64,
    /// Of one check.
    pub timeout: u64,
    /// After so many failures it is started again; 0: never.
    pub retries: u32,
    /// After so many successes it has started.
    pub successes: u32,
}

/// What is done about a container that has become unhealthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Nothing.
    #[default]
    None,
    /// It is killed, and its policy says whether it is started again.
    Kill,
    /// It is stopped and started again, whatever its policy says.
    Restart,
    /// It is stopped.
    Stop,
}

impl OnFailure {
    /// As Podman calls it.
    pub fn name(self) -> &'static str {
        match self {
            OnFailure::None => "none",
            OnFailure::Kill => "kill",
            OnFailure::Restart => "restart",
            OnFailure::Stop => "stop",
        }
    }
}
