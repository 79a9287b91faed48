//! Secrets of a container. It has copies of its own from when it is made, as with Podman: whoever
//! removes or changes a secret changes no container that is there. When it starts, these are put
//! into files in memory, which are mounted, and into variables of its program.

use super::{of_container, write_private};
use crate::configuration::Context;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::folders::{self, ContainerFolder};
use crate::settings::{Mount, MountKind, SecretKind, SecretUse, Settings};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};

/// Where they are in a container where nothing else is said: memory, so that the places of files are
/// none of its changes.
const FOLDER: &str = "/run/secrets";

/// A secret that a container is about to be made with.
pub(crate) struct Given(Vec<u8>);

impl Engine {
    /// Reads the secrets that a container is to have, and notes which they are.
    pub(crate) fn take_secrets(&self, settings: &mut Settings) -> Result<Vec<Given>> {
        let mut all = Vec::new();
        for wanted in &mut settings.secrets {
            let (secret, content) = self.secret(&wanted.name)?;
            (wanted.name, wanted.id) = (secret.name, secret.id);
            if wanted.kind == SecretKind::Env {
                check_variable(wanted, &content)?;
            }
            if wanted.target.is_empty() {
                wanted.target.clone_from(&wanted.name);
            }
            if wanted.kind == SecretKind::Mount && !wanted.target.starts_with('/') {
                wanted.target = format!("{FOLDER}/{}", wanted.target);
            }
            all.push(Given(content));
        }
        check_targets(settings)?;
        Ok(all)
    }
}

fn check_variable(wanted: &SecretUse, content: &[u8]) -> Result<()> {
    if content.contains(&0) || std::str::from_utf8(content).is_err() {
        let what = "is no text, and so no variable: give it in a file, type=mount";
        return Err(Error::invalid(format!("--secret {}: it {what}", wanted.name)));
    }
    Ok(())
}

fn check_targets(settings: &Settings) -> Result<()> {
    let secrets = &settings.secrets;
    for (place, SecretUse { name, kind, target, .. }) in secrets.iter().enumerate() {
        let is_same = |it: &SecretUse| it.kind == *kind && it.target == *target;
        let is_mounted = |it: &Mount| *kind == SecretKind::Mount && it.target == *target;
        if secrets[..place].iter().any(is_same) || settings.mounts.iter().any(is_mounted) {
            return Err(Error::invalid(format!(
                "--secret {name}: something else is {target}, too"
            )));
        }
    }
    Ok(())
}

/// Puts the copies into the folder of a container that is made.
pub(crate) fn provide(folder: &ContainerFolder, all: &[Given]) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    let path = of_container(&folder.path);
    folders::make(&path)?;
    for (number, Given(content)) in all.iter().enumerate() {
        let path = path.join(number.to_string());
        write_private(&path, content).map_err(Error::file(&path))?;
    }
    Ok(())
}

fn uses(settings: &Settings, kind: SecretKind) -> impl Iterator<Item = (usize, &SecretUse)> {
    settings.secrets.iter().enumerate().filter(move |(_, it)| it.kind == kind)
}

/// Those that are variables, `NAME=VALUE`.
pub(crate) fn variables(folder: &ContainerFolder, settings: &Settings) -> Result<Vec<String>> {
    let folder = of_container(&folder.path);
    let read = |(number, SecretUse { target, .. }): (usize, &SecretUse)| {
        let path = folder.join(number.to_string());
        let content = fs::read_to_string(&path).map_err(Error::file(&path))?;
        Ok(format!("{target}={content}"))
    };
    uses(settings, SecretKind::Env).map(read).collect()
}

/// Writes those that are files to where nothing outlives the machine, for the container's own users,
/// and says how they are mounted.
pub(crate) fn files(context: &Context<'_>) -> Result<Vec<Mount>> {
    let settings = &context.container.settings;
    let (from, to) = (of_container(&context.folder.path), of_container(&context.folder.started));
    let mut all = Vec::new();
    for (number, wanted) in uses(settings, SecretKind::Mount) {
        if all.is_empty() {
            folders::make(&to)?;
        }
        let (from, to) = (from.join(number.to_string()), to.join(number.to_string()));
        let content = fs::read(&from).map_err(Error::file(&from))?;
        fs::write(&to, content).map_err(Error::file(&to))?;
        let ids = &settings.namespaces.ids;
        let (user, group) = (wanted.user, wanted.group);
        let owner = if ids.is_empty() { Some((user, group)) } else { ids.outside(user, group) };
        let what = || format!("--secret {},uid={user},gid={group}", wanted.name);
        let nobody = || Error::invalid(format!("{}: the container has no such ids", what()));
        let (user, group) = owner.ok_or_else(nobody)?;
        chown(&to, Some(user), Some(group)).map_err(Error::file(what()))?;
        fs::set_permissions(&to, Permissions::from_mode(wanted.mode)).map_err(Error::file(&to))?;
        all.push(Mount {
            source: to.to_string_lossy().into_owned(),
            target: wanted.target.clone(),
            read_only: true,
            options: ["nosuid", "nodev", "noexec"].map(str::to_owned).to_vec(),
            ..Mount::default()
        });
    }
    let is_covered = settings.mounts.iter().any(|mount| mount.target == FOLDER);
    if !is_covered && all.iter().any(|it| it.target.starts_with(FOLDER)) {
        let options = ["mode=755", "size=64k"].map(str::to_owned).to_vec();
        let target = FOLDER.to_owned();
        all.push(Mount { kind: MountKind::Tmpfs, target, options, ..Mount::default() });
    }
    Ok(all)
}
