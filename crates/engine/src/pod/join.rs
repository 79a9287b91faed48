//! What a container of a pod shares, and what it must not say because the pod does.

use super::create::above;
use super::{Pod, Share};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::settings::{Namespaces, Network, Settings};

impl Engine {
    /// The settings of a container that is to be in a pod.
    pub(super) fn join_pod(&self, pod: &Pod, settings: Settings) -> Result<Settings> {
        let mut settings = join(pod, settings)?;
        // Volumes without a name have one by now, so that all have the same.
        let mounts = self.infra(pod)?.map_or_else(Vec::new, |infra| infra.settings.mounts);
        for mount in mounts {
            if !settings.mounts.iter().any(|own| own.target == mount.target) {
                settings.mounts.push(mount);
            }
        }
        Ok(settings)
    }
}

fn join(pod: &Pod, mut settings: Settings) -> Result<Settings> {
    let Share { network, ipc, uts, pid, cgroup, cgroup_parent } = pod.settings.share;
    let place = pod.infra.as_ref().map(|id| format!("container:{id}")).unwrap_or_default();
    if network {
        refuse_network(pod, &settings.network)?;
        settings.network.mode.clone_from(&place);
    }
    if ipc && settings.namespaces.ipc.is_empty() && settings.limits.shm_size.is_some() {
        return Err(of_the_pod(pod, "--shm-size", "`/dev/shm`"));
    }
    if uts && settings.namespaces.uts.is_empty() {
        if !settings.hostname.is_empty() || !settings.domainname.is_empty() {
            return Err(of_the_pod(pod, "--hostname", "the host name"));
        }
        let own = &pod.settings.hostname;
        settings.hostname = if own.is_empty() { pod.name.clone() } else { own.clone() };
    }
    if cgroup_parent && !settings.namespaces.cgroup_parent.is_empty() {
        return Err(of_the_pod(pod, "--cgroup-parent", "the cgroup above"));
    }
    let Namespaces { pid: own_pid, ipc: own_ipc, uts: own_uts, cgroup: own_cgroup, .. } =
        &mut settings.namespaces;
    for (is_shared, own) in [(pid, own_pid), (ipc, own_ipc), (uts, own_uts), (cgroup, own_cgroup)] {
        if is_shared && own.is_empty() {
            own.clone_from(&place);
        }
    }
    if pod.settings.namespaces.wants_own_ids() {
        if settings.namespaces.wants_own_ids() {
            return Err(of_the_pod(pod, "--userns", "the user namespace is"));
        }
        settings.namespaces.user = place;
    }
    if settings.namespaces.cgroup_parent.is_empty() {
        settings.namespaces.cgroup_parent = above(pod);
    }
    Ok(settings)
}

fn refuse_network(pod: &Pod, network: &Network) -> Result<()> {
    let Network { mode, more, aliases, ports, publish_all, addresses, mac, .. } = network;
    for (flag, what, is_given) in [
        ("--publish", "published ports are", !ports.is_empty() || *publish_all),
        ("--network", "the network is", !mode.is_empty() || !more.is_empty()),
        ("--network-alias", "names in the network are", !aliases.is_empty()),
        ("--ip", "addresses are", !addresses.is_empty()),
        ("--mac-address", "the Ethernet address is", mac.is_some()),
        ("--dns", "servers for names are", !network.dns.is_empty()),
        ("--dns-search", "domains for short names are", !network.dns_search.is_empty()),
        ("--dns-option", "options of resolv.conf are", !network.dns_options.is_empty()),
        ("--add-host", "lines of /etc/hosts are", !network.hosts.is_empty()),
    ] {
        if is_given {
            return Err(of_the_pod(pod, flag, what));
        }
    }
    Ok(())
}

fn of_the_pod(pod: &Pod, flag: &str, what: &str) -> Error {
    let what = if what.ends_with("is") || what.ends_with("are") {
        what.to_owned()
    } else {
        format!("{what} is")
    };
    Error::invalid(format!(
        "{flag}: the container is in pod {}, and {what} the pod's: give {flag} to `pod create` \
         (or to `--pod new:NAME`)",
        pod.name
    ))
}

#[cfg(test)]
mod tests {
    use super::join;
    use crate::pod::{Pod, PodSettings, Share};
    use crate::settings::{Namespaces, Network, Settings};

    fn pod(share: Share) -> Pod {
        let settings = PodSettings { share, ..PodSettings::default() };
        let infra = share.has_namespaces().then(|| "i".repeat(64));
        Pod { id: "p".repeat(64), name: "one".to_owned(), created: 0, infra, settings }
    }

    #[test]
    fn what_is_shared_is_that_of_the_infra_container() {
        let joined = join(&pod(Share::USUAL), Settings::default()).unwrap();
        let place = format!("container:{}", "i".repeat(64));
        assert_eq!(joined.network.mode, place);
        let Namespaces { pid, ipc, uts, cgroup_parent, .. } = joined.namespaces;
        assert_eq!([pid, ipc, uts], [String::new(), place.clone(), place]);
        assert_eq!(cgroup_parent, format!("/tinyo/pod-{}", "p".repeat(64)));
        assert_eq!(joined.hostname, "one");
    }

    #[test]
    fn what_is_said_of_the_container_alone_holds() {
        let namespaces = Namespaces { ipc: "private".to_owned(), ..Namespaces::default() };
        let settings = Settings { namespaces, ..Settings::default() };
        let joined = join(&pod(Share::USUAL), settings.clone()).unwrap();
        assert_eq!(joined.namespaces.ipc, "private");
        let alone = join(&pod(Share::default()), settings).unwrap();
        assert_eq!(alone.network, Network::default());
        assert_eq!(alone.namespaces.uts, "");
    }

    #[test]
    fn all_are_in_the_user_namespace_of_the_pod() {
        let auto = Namespaces { user: "auto".to_owned(), ..Namespaces::default() };
        let mut pod = pod(Share::USUAL);
        pod.settings.namespaces = auto.clone();
        let joined = join(&pod, Settings::default()).unwrap();
        assert_eq!(joined.namespaces.user, format!("container:{}", "i".repeat(64)));
        let own = Settings { namespaces: auto, ..Settings::default() };
        assert!(join(&pod, own).unwrap_err().to_string().starts_with("--userns: the container is"));
    }

    #[test]
    fn what_is_the_pods_is_refused() {
        let refused = |network: Network| {
            let settings = Settings { network, ..Settings::default() };
            let error = join(&pod(Share::USUAL), settings.clone()).unwrap_err().to_string();
            // It is the container's where nothing is shared.
            assert!(join(&pod(Share::default()), settings).is_ok());
            error
        };
        let ports = refused(Network { ports: vec!["80:80".to_owned()], ..Network::default() });
        assert!(ports.starts_with("--publish: the container is in pod one, and published ports"));
        let other = refused(Network { mode: "host".to_owned(), ..Network::default() });
        assert!(other.contains("give --network to `pod create`"), "{other}");
        let settings = Settings { hostname: "x".to_owned(), ..Settings::default() };
        assert!(join(&pod(Share::USUAL), settings).is_err());
    }
}
