//! What a container has for itself and what it shares.

use super::Context;
use crate::error::{Error, Result};
use crate::monitor::{SharedKind, USER_NAMESPACE};
use crate::network::{NAMESPACE, is_network};
use crate::settings::Settings;
use kernel::sysctl::{self, Owned, Sysctl};
use spec::json::{Map, Text};
use spec::runtime::{Namespace, NamespaceKind as Kind};

/// A flag, the kind of namespace that it is about, twice, and what it says.
type Choice<'a> = (&'static str, Kind, SharedKind, &'a str);

fn choices(settings: &Settings) -> [Choice<'_>; 5] {
    let shared = &settings.namespaces;
    let network = match settings.network.mode.as_str() {
        mode if is_network(mode) || mode == "none" => "",
        mode => mode,
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
    let all = choices(settings).into_iter().map(|(_, _, kind, mode)| (kind, mode));
    let all = all.chain([(SharedKind::User, settings.namespaces.user.as_str())]);
    all.filter_map(|(kind, mode)| Some((kind, mode.strip_prefix("container:")?))).collect()
}

/// Its namespaces: new ones, or those of another container; none where it is in the machine's.
pub(super) fn namespaces(context: &Context<'_>) -> Result<Vec<Namespace<'static>>> {
    let settings = &context.container.settings;
    let mut all = vec![Namespace { kind: Kind::Mount, path: Text::default() }];
    for choice in choices(settings) {
        let kind = choice.1;
        let Some(path) = path(choice)? else { continue };
        let path = match &context.network {
            Some(own) if kind == Kind::Network && path.is_empty() => own.clone(),
            _ => path,
        };
        all.push(Namespace { kind, path: path.into() });
    }
    if !settings.namespaces.ids.is_empty() {
        all.push(Namespace { kind: Kind::User, path: user_namespace(settings).into() });
    }
    Ok(all)
}

/// Where a namespace is found that somebody else has; empty for a new one, and none for that of the
/// machine.
fn path((flag, kind, shared, mode): Choice<'_>) -> Result<Option<String>> {
    Ok(Some(match mode {
        "host" => return Ok(None),
        "" | "private" => String::new(),
        "none" | "shareable" if kind == Kind::Ipc => String::new(),
        "container:" => return super::wrong(flag, mode, "has no name after it"),
        _ if mode.starts_with("container:") => shared.path(),
        _ if kind == Kind::Network && mode.starts_with(NAMESPACE) => {
            mode[NAMESPACE.len()..].to_owned()
        }
        _ => return super::wrong(flag, mode, "is not host, private or container:ID"),
    }))
}

/// Whether all modes are such.
pub(super) fn check_modes(settings: &Settings) -> Result<()> {
    choices(settings).into_iter().try_for_each(|choice| path(choice).map(drop))
}

/// Whether all kernel parameters are those of namespaces that it does not share with the machine.
/// Which of them there are only the kernel knows.
pub(super) fn check_sysctls(settings: &Settings) -> Result<()> {
    let is_own = |kind| choices(settings).iter().any(|it| it.1 == kind && it.3 != "host");
    let owned = Owned {
        ipc: is_own(Kind::Ipc),
        network: is_own(Kind::Network),
        uts: is_own(Kind::Uts),
        user: settings.namespaces.wants_own_ids(),
    };
    settings.limits.sysctls.iter().try_for_each(|(name, value)| {
        let wrong = |error| match error {
            sysctl::Error::Hostname => {
                Error::invalid("--sysctl: kernel.hostname is set by --hostname")
            }
            error => Error::invalid(format!("--sysctl: {error}")),
        };
        Sysctl::parse(name, value, owned).map(drop).map_err(wrong)
    })
}

/// What is shown of the machine, as the namespaces that it is about do not belong to the
/// container's user namespace: kinds, and where that is.
pub(super) fn foreign(settings: &Settings) -> Vec<(Kind, &'static [&'static str])> {
    let mut all: Vec<(Kind, &'static [&'static str])> = Vec::new();
    for (_, kind, _, mode) in choices(settings) {
        let paths: &[_] = match kind {
            Kind::Pid => &["/proc"],
            Kind::Ipc => &["/dev/mqueue"],
            Kind::Network => &["/sys"],
            Kind::Cgroup => &["/sys/fs/cgroup"],
            _ => continue,
        };
        if mode == "host" {
            all.push((kind, paths));
        }
    }
    all
}

/// Whether it can be in another user namespace than the machine's.
pub(crate) fn check_user_namespace(settings: &Settings) -> Result<()> {
    for (flag, kind, _, mode) in choices(settings) {
        let is_path = kind == Kind::Network && mode.starts_with(NAMESPACE);
        if is_path {
            let what = "does not belong to the container's user namespace: say --userns host";
            return super::wrong(flag, mode, what);
        }
        if mode.starts_with("container:") && mode != settings.namespaces.user {
            let what = "is not in the same user namespace: give it to --userns, too";
            return super::wrong(flag, mode, what);
        }
    }
    Ok(())
}

/// Where its user namespace is found.
pub(crate) fn user_namespace(settings: &Settings) -> String {
    if settings.namespaces.user.starts_with("container:") {
        SharedKind::User.path()
    } else {
        USER_NAMESPACE.to_owned()
    }
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
        let last = match &settings.namespaces.ids {
            ids if !ids.is_empty() => ids.last_group(),
            _ if unprivileged => 0,
            _ => 2_147_483_647,
        };
        all.insert("net.ipv4.ping_group_range", format!("0 {last}").into());
        all.insert("net.ipv4.ip_unprivileged_port_start", "0".into());
    }
    for (name, value) in &settings.limits.sysctls {
        all.insert(name.clone(), value.clone().into());
    }
    all
}
