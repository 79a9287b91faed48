//! The hooks, by kind.

use crate::hooks::{Hook, Hooks, variable};
use std::time::Duration;

/// All hooks of a container.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllHooks {
    pub(crate) prestart: Hooks,
    pub(crate) create_runtime: Hooks,
    pub(crate) create_container: Hooks,
    pub(crate) start_container: Hooks,
    pub(crate) poststart: Hooks,
    pub(crate) poststop: Hooks,
}

impl AllHooks {
    pub(crate) fn new(hooks: &spec::runtime::Hooks<'_>) -> AllHooks {
        AllHooks {
            prestart: of_kind("prestart", &hooks.prestart),
            create_runtime: of_kind("createRuntime", &hooks.create_runtime),
            create_container: of_kind("createContainer", &hooks.create_container),
            start_container: of_kind("startContainer", &hooks.start_container),
            poststart: of_kind("poststart", &hooks.poststart),
            poststop: of_kind("poststop", &hooks.poststop),
        }
    }
}

fn of_kind(kind: &'static str, hooks: &[spec::runtime::Hook<'_>]) -> Hooks {
    Hooks { kind, list: hooks.iter().map(hook).collect() }
}

fn hook(hook: &spec::runtime::Hook<'_>) -> Hook {
    Hook {
        path: hook.path.to_string(),
        arguments: hook.args.iter().map(ToString::to_string).collect(),
        environment: hook
            .env
            .as_ref()
            .map(|words| words.iter().map(|word| variable(word)).collect()),
        timeout: hook.timeout.and_then(|it| u64::try_from(it).ok()).map(Duration::from_secs),
    }
}
