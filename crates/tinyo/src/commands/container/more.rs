//! Flags that Podman has, or Docker once had, beside the usual ones.

use super::accounts::AccountOptions;
use super::parse;
use anyhow::{Context as _, Result, bail};
use clap::Args;
use engine::settings::{ImageVolumes, Personality, Settings};
use image::pull::Machine;
use std::path::{Path, PathBuf};

/// The variables by which programs are told of proxies.
const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy"];

#[derive(Args)]
pub(super) struct MoreOptions {
    /// What is in place of an image is a folder, as with dir:FOLDER
    #[arg(long)]
    pub(super) rootfs: bool,
    /// For which architecture, as the second word of --platform
    #[arg(long, value_name = "ARCHITECTURE", conflicts_with = "platform")]
    arch: Option<String>,
    /// For which system, as the first word of --platform
    #[arg(long, value_name = "OS", conflicts_with = "platform")]
    os: Option<String>,
    /// For which variant, as the third word of --platform
    #[arg(long, value_name = "VARIANT", conflicts_with = "platform")]
    variant: Option<String>,
    #[command(flatten)]
    accounts: AccountOptions,
    /// A variable made of the image's ones, such as PATH='${PATH}:/more'
    #[arg(long, value_name = "VARIABLE", value_parser = parse::merged_variable)]
    env_merge: Vec<String>,
    /// A container that is started before it
    #[arg(long, value_name = "CONTAINER", value_delimiter = ',')]
    requires: Vec<String>,
    /// What uname(2) says it runs on, LINUX or LINUX32
    #[arg(long, value_name = "DOMAIN", value_parser = personality)]
    personality: Option<Personality>,
    /// None of the image's variables
    #[arg(long)]
    unsetenv_all: bool,
    /// The caller's variables about proxies, such as https_proxy
    #[arg(long, value_name = "BOOL", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    http_proxy: bool,
    /// What is at the image's volumes: anonymous volumes, which bind means, too, tmpfs, or nothing
    /// (ignore)
    #[arg(long, value_name = "KIND", default_value = "anonymous", hide_default_value = true, value_parser = image_volumes)]
    image_volume: ImageVolumes,
    /// Of new volumes, only local
    #[arg(long, value_name = "DRIVER", value_parser = ["local"])]
    volume_driver: Option<String>,
    /// A file of its cgroup (v2) and what is in it, NAME=VALUE
    #[arg(long, value_name = "SETTING", value_parser = parse::pair)]
    cgroup_conf: Vec<(String, String)>,
    /// A file with the id of its first process, whenever it is started
    #[arg(long, value_name = "FILE")]
    pidfile: Option<PathBuf>,
    /// A file with the id of the process that looks after it
    #[arg(long, value_name = "FILE")]
    conmon_pidfile: Option<PathBuf>,
}

fn image_volumes(text: &str) -> Result<ImageVolumes, String> {
    match text {
        "anonymous" | "bind" => Ok(ImageVolumes::Volume),
        "tmpfs" => Ok(ImageVolumes::Tmpfs),
        "ignore" => Ok(ImageVolumes::Ignore),
        _ => Err(format!("{text:?} is not anonymous, bind, tmpfs or ignore")),
    }
}

fn personality(text: &str) -> Result<Personality, String> {
    let bare = text.to_ascii_lowercase();
    match bare.strip_prefix("per_").unwrap_or(&bare) {
        "linux" => Ok(Personality::Linux),
        "linux32" => Ok(Personality::Linux32),
        _ => Err(format!("{text:?} is not LINUX or LINUX32")),
    }
}

impl MoreOptions {
    /// The machine, where a part of it is said.
    pub(super) fn machine(&self) -> Result<Option<Machine>> {
        if self.arch.is_none() && self.os.is_none() && self.variant.is_none() {
            return Ok(None);
        }
        let own = Machine::own();
        let os = self.os.as_deref().unwrap_or(own.os());
        let architecture = self.arch.as_deref().unwrap_or(own.architecture());
        let variant = self.variant.as_ref().map(|it| format!("/{it}")).unwrap_or_default();
        let text = format!("{os}/{architecture}{variant}");
        text.parse().map(Some).with_context(|| "--os, --arch, --variant")
    }

    /// Before all other variables of the user's.
    pub(super) fn variables(&self) -> impl Iterator<Item = String> {
        let names = PROXIES.iter().filter(|_| self.http_proxy);
        let names = names.flat_map(|name| [(*name).to_owned(), name.to_ascii_uppercase()]);
        names.filter_map(|name| Some(format!("{name}={}", crate::context::environment(&name)?)))
    }

    /// What the container is to be besides.
    pub(super) fn add_to(&self, settings: &mut Settings) -> Result<()> {
        settings.no_image_env = self.unsetenv_all;
        settings.env_merge.clone_from(&self.env_merge);
        settings.accounts = self.accounts.settings()?;
        settings.requires.clone_from(&self.requires);
        settings.personality = self.personality;
        settings.image_volumes = self.image_volume;
        settings.limits.unified = self.cgroup_conf.iter().cloned().collect();
        settings.pid_file = place("--pidfile", self.pidfile.as_deref())?;
        settings.monitor_pid_file = place("--conmon-pidfile", self.conmon_pidfile.as_deref())?;
        Ok(())
    }
}

/// The file need not be there, its folder must.
fn place(flag: &str, path: Option<&Path>) -> Result<Option<PathBuf>> {
    let Some(path) = path else { return Ok(None) };
    let what = || format!("{flag} {}", path.display());
    let whole = std::path::absolute(path).with_context(what)?;
    let folder = whole.parent().unwrap_or(Path::new("/"));
    std::fs::read_dir(folder).with_context(what)?;
    if whole.to_str().is_none() {
        bail!("{}: it is not UTF-8", what());
    }
    Ok(Some(whole))
}

#[cfg(test)]
mod tests {
    use super::image_volumes;
    use engine::settings::ImageVolumes;

    #[test]
    fn what_becomes_of_volumes_of_images() {
        assert_eq!(image_volumes("bind"), Ok(ImageVolumes::Volume));
        assert_eq!(image_volumes("ignore"), Ok(ImageVolumes::Ignore));
        assert!(image_volumes("").is_err());
    }
}
