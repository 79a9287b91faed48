//! Whether anything is there that should not be, or missing that should be: what the kernel has is
//! compared with what the rows say. What nobody ever sees (a folder without a row, which whoever
//! was killed has left) is no fault; [`Engine::sweep`] removes it.

use crate::configuration::cgroup_path;
use crate::database::{self, Container};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::network;
use crate::pod::is_there;
use kernel::cgroup::{Cgroups, Description, Driver, Resources};
use net::firewall::{Element, Firewall};
use net::link;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};
use sys::netlink::Socket;

/// How long the kernel may take to remove the devices of a network that nobody is in any more, and
/// how often it is asked.
const PATIENCE: Duration = Duration::from_secs(5);
const PACE: Duration = Duration::from_millis(10);

/// Something that is not as it should be.
#[derive(Debug)]
pub struct Fault {
    /// With what, and what is wrong with it.
    pub text: String,
    /// Nothing if it was only to be looked.
    pub repaired: Option<Result<()>>,
}

/// What was found so far, and whether it is repaired at once.
struct Findings {
    repair: bool,
    faults: Vec<Fault>,
}

impl Findings {
    fn add(&mut self, text: String, repair: impl FnOnce() -> Result<()>) {
        let repaired = self.repair.then(repair);
        self.faults.push(Fault { text, repaired });
    }
}

impl Engine {
    /// Checks containers, volumes and networks, and with `repair` puts them in order.
    ///
    /// # Errors
    /// The check itself cannot go on.
    pub fn check(&self, repair: bool) -> Result<Vec<Fault>> {
        let mut findings = Findings { repair, faults: Vec::new() };
        let containers = self.containers()?;
        let cgroups = Cgroups::find(&Driver::Files, self.user_marks).ok();
        for container in &containers {
            self.check_container(container, cgroups.as_ref(), &mut findings)?;
        }
        self.check_strangers(&containers, &mut findings)?;
        for volume in self.volumes()? {
            let path = self.volume_path(&volume.name);
            if !path.exists() {
                let text = format!("volume {}: {} is missing", volume.name, path.display());
                findings.add(text, || crate::folders::make_with(&path, 0o755));
            }
        }
        if !self.user_marks {
            self.check_networks(&containers, &mut findings)?;
        }
        if repair {
            self.sweep()?;
        }
        Ok(findings.faults)
    }

    fn check_container(
        &self,
        container: &Container,
        cgroups: Option<&Cgroups>,
        findings: &mut Findings,
    ) -> Result<()> {
        let name = &container.name;
        if !self.folder(container).path.exists() {
            let text = format!("container {name}: its folder is missing");
            findings.add(text, || database::delete(&self.store, &container.id, false).map(drop));
            return Ok(());
        }
        // Copies are made again when they are needed.
        let is_copied = self.owners_of(container).is_some();
        let missing = container.layers.iter().find(|layer| !is_copied && !layer.exists());
        if let Some(layer) = missing {
            let text = format!("container {name}: the layer {} is missing", layer.display());
            let why = || Err(Error::invalid("only its image has it: check that, or remove both"));
            findings.add(text, why);
        }
        let Some(seen) = self.look_only(container)? else {
            let text = format!("container {name}: its monitor was killed");
            findings.add(text, || self.look(container).map(drop));
            return Ok(());
        };
        if !seen.status.is_over() {
            return Ok(());
        }
        if let Some(lock) = self.leftovers(container)? {
            let text = format!("container {name}: it does not run, and something of it is left");
            findings.add(text, || self.clear(container));
            drop(lock);
        } else if let Some(group) = cgroups.and_then(|it| group_of(it, container))
            && let Some(_lock) = self.unattended(container)?
        {
            let text = format!("container {name}: it does not run, and its cgroup is left");
            findings.add(text, || Ok(group.open().remove().map_err(runtime::Error::from)?));
        }
        Ok(())
    }

    /// What runs, or has a socket, and is no container of ours any more.
    fn check_strangers(&self, known: &[Container], findings: &mut Findings) -> Result<()> {
        let is_known = |id: &str| known.iter().any(|container| container.id == id);
        let (running, _) = runtime::list(&self.folders.runtime())?;
        for one in running {
            let id = one.id.as_str();
            // Another store may have the same folder for what runs.
            let is_ours = Path::new(&one.bundle).starts_with(self.folders.containers());
            if is_ours && !is_known(id) && database::is_gone(&self.store, id)? {
                let text = format!("container {id}: it was removed, and something of it is left");
                let delete = || runtime::delete(&self.folders.runtime(), &one.id, true);
                findings.add(text, || Ok(delete().map(drop)?));
            }
        }
        for id in self.all_shown()? {
            if !is_known(&id) && database::is_gone(&self.store, &id)? {
                let text = format!("container {id}: it was removed, and its files are mounted");
                findings.add(text, || self.hide_strangers());
            }
        }
        for (id, _lock) in self.lost_pods()? {
            if self.lost_group(&id)?.is_some() {
                let text = format!("pod {id}: it was removed, and its cgroup is left");
                findings.add(text, || self.sweep_pod(&id));
            }
        }
        for id in self.dead_sockets()? {
            if !is_known(&id) && database::is_gone(&self.store, &id)? {
                let path = self.folders.socket(&id);
                let text = format!("container {id}: it was removed, and its socket is left");
                findings.add(text, || std::fs::remove_file(&path).map_err(Error::file(&path)));
            }
        }
        Ok(())
    }

    fn check_networks(&self, containers: &[Container], findings: &mut Findings) -> Result<()> {
        let Ok(mut host) = Socket::open() else { return Ok(()) };
        let Ok(mut firewall) = Firewall::open() else { return Ok(()) };
        let elements = firewall.elements()?;
        for network in self.networks()? {
            // Whoever connects one now holds its lock, and is no fault.
            let all = self.connected(&network)?;
            let live: BTreeSet<&str> = containers
                .iter()
                .filter(|it| all.iter().any(|one| one.container == it.id))
                .filter(|it| !matches!(self.unattended(it), Ok(Some(_))))
                .map(|it| it.id.as_str())
                .collect();
            for device in left_devices(&mut host, &network.bridge, &live)? {
                let text = format!("network {}: the device {device} is left", network.name);
                findings.add(text, || Ok(link::detach(&mut host, &device)?));
            }
            let of_live = all.iter().filter(|it| live.contains(it.container.as_str()));
            let addresses: Vec<_> = of_live.flat_map(|it| &it.addresses).collect();
            for element in &elements {
                let Element::Published(port) = element else { continue };
                let target = port.target.ip();
                let is_of_network =
                    network.settings.subnets.iter().any(|it| it.subnet.contains(target));
                if is_of_network && !addresses.contains(&&target) {
                    let text = format!(
                        "network {}: the port {}/{} leads to {}, where nothing runs",
                        network.name, port.port, port.protocol, port.target
                    );
                    let one = std::slice::from_ref(element);
                    findings.add(text, || Ok(firewall.remove(one)?));
                }
            }
            for ids in network::ids_of_names(&self.folders, &network.name)? {
                let is_live = |id: &String| live.iter().any(|live| live.starts_with(id));
                if !ids.iter().any(is_live) {
                    let text =
                        format!("network {}: the names of {} are left", network.name, ids[0]);
                    let forget = || network::set_names(&self.folders, &network.name, &ids[0], &[]);
                    findings.add(text, forget);
                }
            }
        }
        Ok(())
    }
}

/// The devices of a bridge that belong to no container which runs. Those of one that has just ended
/// are taken back by the kernel, some time after the last process has left its network.
fn left_devices(host: &mut Socket, bridge: &str, live: &BTreeSet<&str>) -> Result<Vec<String>> {
    let is_live =
        |device: &str| live.iter().any(|id| device.starts_with(&network::device_prefix(id)));
    let end = Instant::now() + PATIENCE;
    loop {
        let mut left = link::bridge_ports(host, bridge)?;
        left.retain(|device| network::is_device(device) && !is_live(device));
        if left.is_empty() || Instant::now() >= end {
            return Ok(left);
        }
        std::thread::sleep(PACE);
    }
}

/// Where the cgroup of a container is, if it is there.
fn group_of(cgroups: &Cgroups, container: &Container) -> Option<Description> {
    let path = cgroup_path(container);
    let location = cgroups.locate(Some(&path), &container.id).ok()?;
    let group = cgroups.prepare(&location, Resources::default()).ok()?.description();
    is_there(&group).then_some(group)
}
