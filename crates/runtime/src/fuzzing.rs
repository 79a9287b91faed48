//! What `fuzz/` may try: what the other side of a connection says, and what the user writes.

use crate::handshake::{Order, Report};
use crate::plan::{self, Plan};
use crate::request::Create;
use crate::{ContainerId, last_words};
use kernel::cgroup::{Cgroups, Driver};
use spec::runtime::Spec;
use std::path::Path;

/// A message between parent and child, or the last words of one: taken, or refused.
pub fn message(bytes: &[u8]) {
    if let Some(report) = Report::decode(bytes) {
        let again = Report::decode(&report.encode()).expect("what was said can be said again");
        // A reason is cut off, or its bytes that are no text were replaced by longer ones.
        let cut = |report: &Report| format!("{report:?}").chars().take(2000).collect::<String>();
        assert_eq!(cut(&again), cut(&report));
    }
    for byte in bytes {
        assert!(Order::decode(*byte).is_none_or(|order| order.encode() == *byte));
    }
    _ = last_words::parse(bytes);
}

/// Where configurations are tried: what the machine has.
pub struct Machine(Cgroups);

impl Machine {
    /// This one.
    ///
    /// # Panics
    /// When its groups cannot be read.
    #[must_use]
    pub fn this() -> Machine {
        Machine(Cgroups::find(&Driver::Files, false).expect("groups"))
    }

    /// `config.json` to a plan, or to an error that names what is wrong.
    pub fn configuration(&self, text: &[u8]) {
        let Ok(spec) = spec::json::parse::<Spec<'_>>(text) else { return };
        let id = ContainerId::new("fuzzing").expect("an id");
        let request = Create {
            root: Path::new("/no/root"),
            id: &id,
            bundle: Path::new("/no/bundle"),
            configuration: None,
            detach: true,
            console_socket: None,
            plain_lines: false,
            pidfd_socket: None,
            pid_file: None,
            no_pivot: false,
            no_new_keyring: false,
            preserve_fds: 0,
            cgroup_driver: Driver::Files,
            rootless: Some(false),
            listen_fds: None,
            root_mount: None,
            given: Vec::new(),
            keeps_restrictions: false,
            ends_with_caller: false,
            notify_socket: None,
        };
        let Ok(group) = plan::cgroup(&spec, &request, &self.0) else { return };
        let groups = group.description();
        let plan = Plan::new(&spec, request.bundle, &request, &self.0, &groups);
        if let Err(invalid) = plan.and_then(|plan| plan.with_start(&spec, false)) {
            assert!(invalid.to_string().contains(':'), "{invalid} names nothing");
        }
    }
}
