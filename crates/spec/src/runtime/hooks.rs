//! Programs that run at certain points of the container's life.

use crate::json::{Problem, Text, object};

object! {
    /// The hooks, of each kind in the order in which they run.
    #[derive(Default)]
    pub struct Hooks<'a> {
        /// In the runtime's namespaces, once the container's exist. Deprecated, but used.
        optional prestart: Vec<Hook<'a>> = "prestart",
        /// In the runtime's namespaces, after those.
        optional create_runtime: Vec<Hook<'a>> = "createRuntime",
        /// In the container's namespaces, before its root becomes the root.
        optional create_container: Vec<Hook<'a>> = "createContainer",
        /// In the container's namespaces, right before the program.
        optional start_container: Vec<Hook<'a>> = "startContainer",
        /// In the runtime's namespaces, after the program was started.
        optional poststart: Vec<Hook<'a>> = "poststart",
        /// In the runtime's namespaces, after the container was deleted.
        optional poststop: Vec<Hook<'a>> = "poststop",
    }
}

impl Hooks<'_> {
    /// The names of all kinds, in the order in which they run.
    pub const NAMES: &'static [&'static str] = &[
        "prestart",
        "createRuntime",
        "createContainer",
        "startContainer",
        "poststart",
        "poststop",
    ];
}

object! {
    /// A program that gets the container's state on standard input.
    #[derive(Default)]
    pub struct Hook<'a>, check check_hook {
        /// The program's file; absolute.
        required path: Text<'a> = "path",
        /// Its arguments, its name included.
        optional args: Vec<Text<'a>> = "args",
        /// All of its variables, `NAME=VALUE`; where it is missing, the runtime decides.
        optional env: Option<Vec<Text<'a>>> = "env",
        /// The seconds after which it is killed and counts as failed; more than 0.
        optional timeout: Option<i64> = "timeout",
    }
}

fn check_hook(hook: &Hook<'_>) -> Result<(), Problem> {
    if !hook.path.starts_with('/') {
        return Err(Problem::at("path", format_args!("{:?} is not absolute", hook.path)));
    }
    match hook.timeout {
        Some(seconds) if seconds <= 0 => {
            Err(Problem::at("timeout", format_args!("{seconds} is not more than 0 seconds")))
        }
        _ => Ok(()),
    }
}
