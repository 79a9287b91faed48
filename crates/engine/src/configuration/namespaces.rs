//! What a container has for itself and what it shares.

use super::Context;
use crate::error::Result;
use crate::monitor::SharedKind;
use crate::settings::Settings;
use spec::json::{Map, Text};
use spec::runtime::{Namespace, NamespaceKind as Kind};

/// A flag, the kind of namespace that it is about, twice, and what it says.
type Choice<'a> = (&'static str, Kind, SharedKind, &'a str);

fn choices(settings: &Settings) -> [Choice<'_>; 5] {
    let shared = &settings.namespaces;
    let network = match settings.network.mode.as_str() {
        mode if mode == "host" || mode.starts_with("container:") => mode,
        _ => "",
    };
    [
        ("--pid", Kind::Pid, SharedKind::Pid, &shared.pid),
        ("--ipc", Kind::Ipc, SharedKind::Ipc, &shared.ipc),
        ("--uts", Kind::Uts, SharedKind::Uts, &shared.uts),
        ("--network", Kind::Network, SharedKind::Network, network),
        ("--cgroupns", Kind::Cgroup, SharedKind::Cgroup, &shared.cgroup),
    ]
}

/// Which namespaces are those of other containers, by name or id.
pub(crate) fn shared(settings: &Settings) -> Vec<(SharedKind, &str)> {
    let all = choices(settings).into_iter();
    all.filter_map(|(_, _, kind, mode)| Some((kind, mode.strip_prefix("container:")?))).collect()
}

/// Its namespaces: new ones, or those of another container; none where it is in the machine's.
pub(super) fn namespaces(context: &Context<'_>) -> Result<Vec<Namespace<'static>>> {
    let settings = &context.container.settings;
    let mut all = vec![Namespace { kind: Kind::Mount, path: Text::default() }];
    for (flag, kind, shared, mode) in choices(settings) {
        let path = match mode {
            "host" => continue,
            "" | "private" => String::new(),
            "none" | "shareable" if kind == Kind::Ipc => String::new(),
            _ if mode.starts_with("container:") => shared.path(),
            _ => return super::wrong(flag, mode, "is not host, private or container:ID"),
        };
        let path = match &context.network {
            Some(own) if kind == Kind::Network && path.is_empty() => own.clone(),
            _ => path,
        };
        all.push(Namespace { kind, path: path.into() });
    }
    let user = &settings.namespaces.user;
    if !matches!(user.as_str(), "" | "host") {
        // Its root could not find the layers, which only the machine's root may look into.
        let what = "is not host: a container of root's has no user namespace of its own; a user \
                    without rights gets one for all that tinyo does";
        return super::wrong("--userns", user, what);
    }
    Ok(all)
}

/// Kernel parameters: the user's, and with a network of its own that any user may ping and listen
/// on any port, for which no capability is needed then.
pub(super) fn sysctls(
    settings: &Settings,
    namespaces: &[Namespace<'_>],
    unprivileged: bool,
) -> Map<'static, Text<'static>> {
    let mut all: Map<'static, Text<'static>> = Map::default();
    let is_own = |it: &Namespace<'_>| {
        it.kind == Kind::Network && (it.path.is_empty() || it.path == *crate::monitor::NETWORK)
    };
    if namespaces.iter().any(is_own) {
        // Every group of the range must exist in the user namespace.
        let groups = if unprivileged { "0 0" } else { "0 2147483647" };
        all.insert("net.ipv4.ping_group_range", groups.into());
        all.insert("net.ipv4.ip_unprivileged_port_start", "0".into());
    }
    for (name, value) in &settings.limits.sysctls {
        all.insert(name.clone(), value.clone().into());
    }
    all
}
