//! What containers are doing, for commands that tell it: one that somebody has locked is no reason to
//! say nothing of the others.

use crate::show::warn;
use engine::{Container, Engine, Pod, PodSeen, Result, Seen};
use kernel::lock::Holder;

pub(crate) fn glance(engine: &Engine, container: &Container) -> Result<Seen> {
    let (seen, stuck) = engine.glance(container)?;
    stuck.iter().for_each(|holder| tell(&container.name, holder));
    Ok(seen)
}

pub(crate) fn glance_at_pod(engine: &Engine, pod: &Pod) -> Result<PodSeen> {
    let seen = engine.glance_at_pod(pod)?;
    seen.stuck.iter().for_each(|(name, holder)| tell(name, holder));
    Ok(seen)
}

fn tell(name: &str, holder: &Holder) {
    let what = "its monitor was killed, and what that has left cannot be put in order";
    warn(&format!("container {name}: {what}, as it is locked by {holder}"));
}
