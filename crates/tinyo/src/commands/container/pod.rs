//! Flags about the pod that a container is in.

use anyhow::{Context as _, Result, bail};
use clap::Args;
use engine::settings::Settings;
use engine::{Engine, Pod, PodSettings, Share};
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct PodOptions {
    /// Make it in a pod, or in a new one: new:NAME
    #[arg(long, value_name = "POD", conflicts_with = "pod_id_file")]
    pod: Option<String>,
    /// The same, with the id of the pod in a file
    #[arg(long, value_name = "FILE")]
    pod_id_file: Option<PathBuf>,
}

/// A pod that a container is to be in.
pub(super) struct Place {
    pub(super) pod: Pod,
    is_new: bool,
}

impl PodOptions {
    /// Finds the pod, or makes it: then the container's network and host name become the pod's.
    pub(super) fn place(&self, engine: &Engine, settings: &mut Settings) -> Result<Option<Place>> {
        if let Some(path) = &self.pod_id_file {
            let what = || format!("--pod-id-file {}", path.display());
            let text = std::fs::read_to_string(path).with_context(what)?;
            let id = text.trim();
            if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                bail!("{}: there is no id in it", what());
            }
            return Ok(Some(Place { pod: engine.pod(id)?, is_new: false }));
        }
        let Some(text) = &self.pod else { return Ok(None) };
        let Some(name) = text.strip_prefix("new:") else {
            return Ok(Some(Place { pod: engine.pod(text)?, is_new: false }));
        };
        if settings.network.mode == "host" || settings.network.mode.starts_with("container:") {
            bail!("--network {}: a new pod has a network of its own", settings.network.mode);
        }
        let of_pod = PodSettings {
            share: Share::USUAL,
            network: std::mem::take(&mut settings.network),
            hostname: std::mem::take(&mut settings.hostname),
            auto_remove: settings.auto_remove,
            ..PodSettings::default()
        };
        let name = Some(name).filter(|name| !name.is_empty());
        Ok(Some(Place { pod: engine.create_pod(of_pod, name)?, is_new: true }))
    }
}

impl Place {
    /// The container could not be made: the pod that was made for it goes, too.
    pub(super) fn undo(&self, engine: &Engine) -> Result<()> {
        if self.is_new { Ok(engine.remove_pod(&self.pod, true, Some(0))?) } else { Ok(()) }
    }
}
