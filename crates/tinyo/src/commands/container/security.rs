//! The flags of `run` and `create` about rights and namespaces.

use super::user::UserOptions;
use anyhow::{Context as _, Result, bail};
use clap::Args;
use engine::settings::{Namespaces, SeccompChoice, Security};

#[derive(Args)]
pub(super) struct SecurityOptions {
    /// A capability more, or ALL
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',')]
    cap_add: Vec<String>,
    /// A capability less, or ALL
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',')]
    cap_drop: Vec<String>,
    /// Let it do nearly everything that the machine's root may do
    #[arg(long)]
    privileged: bool,
    /// seccomp=unconfined|FILE, no-new-privileges[=BOOL], apparmor=PROFILE, label=LABEL,
    /// mask=PATH[:PATH...], unmask=ALL|PATH[:PATH...], proc-opts=OPTIONS (such as hidepid=2),
    /// landlock=OPTION=VALUE
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
    #[command(flatten)]
    user: UserOptions,
    /// Process ids: private, host or container:NAME
    #[arg(long, value_name = "MODE", default_value = "", hide_default_value = true)]
    pid: String,
    /// System V IPC: private, host, none or container:NAME
    #[arg(long, value_name = "MODE", default_value = "", hide_default_value = true)]
    ipc: String,
    /// Host name: private, host or container:NAME
    #[arg(long, value_name = "MODE", default_value = "", hide_default_value = true)]
    uts: String,
    /// Cgroup tree: private or host
    #[arg(long, value_name = "MODE", default_value = "", hide_default_value = true)]
    cgroupns: String,
    /// The cgroup above its own [default: /tinyo]
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true)]
    cgroup_parent: String,
}

/// Several are separated by colons, as with Podman.
fn paths_of(option: &str, paths: &str) -> Result<Vec<String>> {
    if let Some(path) = paths.split(':').find(|path| !path.starts_with('/')) {
        bail!("--security-opt: {option:?}: {path:?} is no path that begins with a slash");
    }
    Ok(paths.split(':').map(str::to_owned).collect())
}

impl SecurityOptions {
    pub(super) fn settings(&self) -> Result<Security> {
        let mut security = Security {
            cap_add: self.cap_add.clone(),
            cap_drop: self.cap_drop.clone(),
            privileged: self.privileged,
            ..Security::default()
        };
        for option in &self.security_opt {
            let (name, value) = option.split_once(['=', ':']).unwrap_or((option, ""));
            match (name, value) {
                ("seccomp", "unconfined") => security.seccomp = SeccompChoice::Unconfined,
                ("seccomp", path) => {
                    let text = std::fs::read_to_string(path)
                        .with_context(|| format!("--security-opt seccomp={path}"))?;
                    security.seccomp = SeccompChoice::Profile(text);
                }
                ("no-new-privileges", "" | "true") => security.no_new_privileges = Some(true),
                ("no-new-privileges", "false") => security.no_new_privileges = Some(false),
                ("apparmor", "unconfined") => security.apparmor.clear(),
                ("apparmor", profile) => profile.clone_into(&mut security.apparmor),
                ("label", "disable") => security.label.clear(),
                ("label", label) => label.clone_into(&mut security.label),
                ("unmask", "ALL" | "all") | ("systempaths", "unconfined") => {
                    security.unmasked = true;
                }
                ("mask", paths) => security.mask.extend(paths_of(option, paths)?),
                ("unmask", paths) => security.unmask.extend(paths_of(option, paths)?),
                ("proc-opts", options) if !options.is_empty() => {
                    security.proc_options.extend(options.split(',').map(str::to_owned));
                }
                ("landlock", rule) if !rule.is_empty() => {}
                _ => bail!(
                    "--security-opt: there is no option {option:?}, only seccomp=unconfined|FILE, \
                     no-new-privileges[=true|false], apparmor=PROFILE, label=LABEL|disable, \
                     mask=PATH[:PATH...], unmask=ALL|PATH[:PATH...], proc-opts=OPTION[,OPTION...], landlock=OPTION=VALUE"
                ),
            }
        }
        Ok(security)
    }

    /// Rules of Landlock are annotations for the runtime.
    pub(super) fn landlock(&self) -> impl Iterator<Item = (String, String)> {
        let rules = self.security_opt.iter().filter_map(|option| option.strip_prefix("landlock="));
        rules.map(|rule| {
            let (name, value) = rule.split_once('=').unwrap_or((rule, "true"));
            (format!("org.tinyo.landlock.{name}"), value.to_owned())
        })
    }

    pub(super) fn namespaces(&self) -> Namespaces {
        Namespaces {
            pid: self.pid.clone(),
            ipc: self.ipc.clone(),
            uts: self.uts.clone(),
            cgroup: self.cgroupns.clone(),
            cgroup_parent: self.cgroup_parent.clone(),
            ..self.user.namespaces()
        }
    }
}
