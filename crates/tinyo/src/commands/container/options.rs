//! The flags of `run` and `create`, once each, as Docker spells them.

mod life;

use super::connection::ConnectionOptions;
use super::limits::LimitOptions;
use super::more::MoreOptions;
use super::pod::PodOptions;
use super::security::SecurityOptions;
use super::{mounts, parse};
use crate::context::NetworkOptions;
use crate::obtain::Policy;
use anyhow::{Context as _, Result, bail};
use clap::{ArgAction, Args};
use engine::settings::{Device, Mount, SecretUse, Settings};
use image::pull::Machine;
use life::LifeOptions;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    /// What to call it
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Remove the container that has this name, if there is one
    #[arg(long, requires = "name")]
    pub(super) replace: bool,
    /// Keep standard input open
    #[arg(short, long)]
    pub(super) interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    pub(super) tty: bool,
    /// Remove it when it ends
    #[arg(long)]
    pub(super) rm: bool,
    /// Write its id to a file, which must not exist
    #[arg(long, value_name = "FILE")]
    pub(super) cidfile: Option<PathBuf>,
    /// When to ask the registry
    #[arg(long, value_enum, default_value = "missing")]
    pub(super) pull: Policy,
    /// For which machine: OS/ARCHITECTURE[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Machine>,
    /// Print nothing but the result
    #[arg(short, long)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) registry: NetworkOptions,
    #[command(flatten)]
    pub(super) pod: PodOptions,
    #[command(flatten)]
    process: ProcessOptions,
    #[command(flatten)]
    mounts: MountOptions,
    #[command(flatten)]
    network: ConnectionOptions,
    #[command(flatten)]
    limits: LimitOptions,
    #[command(flatten)]
    security: SecurityOptions,
    #[command(flatten)]
    life: LifeOptions,
    #[command(flatten)]
    more: MoreOptions,
    /// An image and, if it is not to run what the image says, a command
    #[arg(required = true, trailing_var_arg = true, value_names = ["IMAGE", "COMMAND"])]
    words: Vec<String>,
}

#[derive(Args)]
struct ProcessOptions {
    /// A variable, NAME=VALUE; NAME alone takes over that of the caller
    #[arg(short, long, value_name = "VARIABLE", value_parser = parse::variable)]
    env: Vec<String>,
    /// A file with a variable a line
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// All variables of the caller
    #[arg(long)]
    env_host: bool,
    /// A variable of the image's that it does not get
    #[arg(long, value_name = "NAME", value_parser = parse::variable_name)]
    unsetenv: Vec<String>,
    /// The bits that new files do not get, such as 027
    #[arg(long, value_name = "BITS", value_parser = parse::umask)]
    umask: Option<u32>,
    /// Where the program starts
    #[arg(short, long, value_name = "FOLDER", default_value = "", hide_default_value = true)]
    workdir: String,
    /// Who it is: USER[:GROUP]
    #[arg(short, long, value_name = "USER", default_value = "", hide_default_value = true)]
    user: String,
    /// One more group
    #[arg(long, value_name = "GROUP", value_parser = parse::group)]
    group_add: Vec<String>,
    /// What is run with the command as its arguments, in place of what the image says: a program, or
    /// '["program", "argument"]'
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// Host name
    #[arg(short = 'h', long, value_name = "NAME", default_value = "", hide_default_value = true)]
    hostname: String,
    /// NIS domain name
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    domainname: String,
    /// Whether tino is the first process, which passes signals on and buries orphans
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    init: bool,
    /// A label, NAME=VALUE
    #[arg(short, long, value_name = "LABEL", value_parser = parse::pair)]
    label: Vec<(String, String)>,
    /// A file with a label a line
    #[arg(long, value_name = "FILE")]
    label_file: Vec<PathBuf>,
    /// An annotation for the runtime, NAME=VALUE
    #[arg(long, value_name = "ANNOTATION", value_parser = parse::pair)]
    annotation: Vec<(String, String)>,
}

#[derive(Args)]
struct MountOptions {
    /// [SOURCE:]TARGET[:OPTIONS]; a source with a slash is a path of the machine, any other a
    /// volume. Options: ro, U (it belongs to the container's user), idmap (its ids are the
    /// container's)
    #[arg(short, long, value_name = "VOLUME")]
    volume: Vec<String>,
    /// type=bind|volume|tmpfs|image,source=..,target=.. and more, such as readonly or
    /// volume-subpath=..
    #[arg(long, value_name = "MOUNT")]
    mount: Vec<String>,
    /// A folder in memory, TARGET[:OPTIONS]
    #[arg(long, value_name = "TARGET")]
    tmpfs: Vec<String>,
    /// A secret, NAME[,type=mount|env,target=..,uid=..,gid=..,mode=..]: in memory at
    /// /run/secrets/NAME, or in a variable
    #[arg(long, value_name = "SECRET", value_parser = parse::secret)]
    secret: Vec<SecretUse>,
    /// Its time zone, such as Europe/Berlin, or local for the machine's
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// All volumes and binds of another container, CONTAINER[:ro]
    #[arg(long, value_name = "CONTAINER")]
    pub(super) volumes_from: Vec<String>,
    /// The root file system cannot be changed
    #[arg(long)]
    read_only: bool,
    /// Whether --read-only leaves /run, /tmp and /var/tmp as folders in memory
    #[arg(long, value_name = "BOOL", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    read_only_tmpfs: bool,
    /// A device, SOURCE[:TARGET[:rwm]]
    #[arg(long, value_name = "DEVICE", value_parser = parse::device)]
    device: Vec<Device>,
    /// A rule about devices, such as 'c 1:3 rwm'
    #[arg(long, value_name = "RULE")]
    device_cgroup_rule: Vec<String>,
    /// Graphics cards: not supported, --device gives their files
    #[arg(long, value_name = "CARDS")]
    gpus: Option<String>,
}

impl Options {
    /// What the container is made of, as it is called.
    pub(super) fn image(&self) -> String {
        let word = self.words.first().map_or("", String::as_str);
        if self.more.rootfs { format!("dir:{word}") } else { word.to_owned() }
    }

    /// For which machine an image is wanted, if that is said.
    pub(super) fn machine(&self) -> Result<Option<Machine>> {
        Ok(self.more.machine()?.or_else(|| self.platform.clone()))
    }

    /// Whether something was said about when it is started again.
    pub(super) fn says_restart(&self) -> bool {
        self.life.restart.is_some()
    }

    /// The containers whose volumes it gets, too.
    pub(super) fn volumes_from(&self) -> &[String] {
        &self.mounts.volumes_from
    }

    /// What the container is to be.
    pub(super) fn settings(&self) -> Result<Settings> {
        let process = &self.process;
        if let Some(cards) = &self.mounts.gpus {
            bail!(
                "--gpus {cards}: not supported; --device /dev/dri or --device /dev/nvidia0 gives a container the device files"
            );
        }
        let security = self.security.settings()?;
        let mut settings = Settings {
            image: self.image(),
            entrypoint: process.entrypoint.as_deref().map(parse::entrypoint),
            command: self.words[1..].to_vec(),
            env: self.more.variables().chain(process.variables()?).collect(),
            working_dir: process.workdir.clone(),
            user: process.user.clone(),
            group_add: process.group_add.clone(),
            hostname: process.hostname.clone(),
            domainname: process.domainname.clone(),
            tty: self.tty,
            init: process.init,
            labels: process.labels()?,
            annotations: process
                .annotation
                .iter()
                .cloned()
                .chain(self.security.landlock())
                .collect(),
            mounts: self.mounts.settings()?,
            secrets: self.mounts.secret.clone(),
            read_only: self.mounts.read_only,
            network: self.network.settings()?,
            stop_signal: self.life.stop_signal()?,
            stop_timeout: self.life.stop_timeout,
            timeout: self.life.timeout,
            umask: process.umask,
            restart: self.life.restart.clone().unwrap_or_default(),
            health: self.life.health(),
            limits: self.limits.settings()?,
            security,
            namespaces: self.security.namespaces(),
            auto_remove: self.rm,
            log: self.life.log()?,
            devices: self.mounts.device.clone(),
            device_rules: self.mounts.device_cgroup_rule.clone(),
            ..Settings::default()
        };
        self.more.add_to(&mut settings)?;
        Ok(settings)
    }
}

impl ProcessOptions {
    fn variables(&self) -> Result<Vec<String>> {
        let mut all = Vec::new();
        if self.env_host {
            // Those that are no text cannot be told on.
            let host =
                std::env::vars_os().map(|(name, value)| (name.into_string(), value.into_string()));
            let host = host.filter_map(|(name, value)| Some((name.ok()?, value.ok()?)));
            all.extend(host.map(|(name, value)| format!("{name}={value}")));
        }
        all.extend(parse::variables(&self.env_file, &self.env)?);
        // A name alone takes a variable away.
        all.extend(self.unsetenv.iter().cloned());
        Ok(all)
    }

    fn labels(&self) -> Result<BTreeMap<String, String>> {
        let mut all = BTreeMap::new();
        for path in &self.label_file {
            for line in lines(path)? {
                let (name, value) = parse::pair(&line).map_err(anyhow::Error::msg)?;
                all.insert(name, value);
            }
        }
        all.extend(self.label.iter().cloned());
        Ok(all)
    }
}

/// Those of a file that say something.
fn lines(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("--label-file {}", path.display()))?;
    let lines = text.lines().map(str::trim_start);
    Ok(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect())
}

impl MountOptions {
    fn settings(&self) -> Result<Vec<Mount>> {
        let mut all = Vec::new();
        for text in &self.volume {
            all.push(mounts::volume(text)?);
        }
        for text in &self.mount {
            all.push(mounts::mount(text)?);
        }
        for text in &self.tmpfs {
            all.push(mounts::tmpfs(text)?);
        }
        all.extend(self.tz.as_deref().map(mounts::time_zone).transpose()?);
        if self.read_only && self.read_only_tmpfs {
            for target in ["/run", "/tmp", "/var/tmp"] {
                if !all.iter().any(|mount| mount.target == target) {
                    all.push(mounts::tmpfs(&format!("{target}:mode=1777"))?);
                }
            }
        }
        for (place, mount) in all.iter().enumerate() {
            if all[..place].iter().any(|other| other.target == mount.target) {
                bail!("two mounts are to be at {}", mount.target);
            }
        }
        Ok(all)
    }
}
