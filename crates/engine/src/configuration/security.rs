//! What a container may do.

use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::settings::{SeccompChoice, Settings};
use crate::small_file;
use spec::json::Text;
use spec::runtime::{Capabilities, Seccomp, Spec, default_seccomp};

/// What a container needs that is root in itself. Docker gives three more: MKNOD, for which there
/// are device files; NET_RAW, with which one can pretend to be somebody else; AUDIT_WRITE, which
/// writes to the machine's log.
// tidy: table
const USUAL: [&str; 11] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// What of `/proc` and `/sys` is about the machine and nobody's business.
// tidy: table
const MASKED: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

// tidy: table
const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The names of the capabilities in the bounding set.
pub(crate) fn capability_names(settings: &Settings) -> Result<Vec<&'static str>> {
    let security = &settings.security;
    let known = kernel::credentials::capability_names();
    let find = |flag: &str, text: &str| {
        let name = text.to_ascii_uppercase();
        let name = if name.starts_with("CAP_") { name } else { format!("CAP_{name}") };
        let found = known.iter().find(|known| **known == name).copied();
        found.ok_or_else(|| Error::invalid(format!("{flag}: {text:?} is no capability")))
    };
    let is_all = |text: &String| text.eq_ignore_ascii_case("ALL");
    let drops_all = security.cap_drop.iter().any(is_all);
    let mut names: Vec<&'static str> = if security.privileged || security.cap_add.iter().any(is_all)
    {
        known.to_vec()
    } else if drops_all {
        Vec::new()
    } else {
        USUAL.to_vec()
    };
    for text in security.cap_add.iter().filter(|text| !is_all(text)) {
        names.push(find("--cap-add", text)?);
    }
    for text in security.cap_drop.iter().filter(|text| !is_all(text)) {
        let name = find("--cap-drop", text)?;
        names.retain(|known| *known != name);
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Whoever is not root has none; a program that is set-uid root could get those of the bounding
/// set.
pub(super) fn capabilities(settings: &Settings, user: u32) -> Result<Capabilities<'static>> {
    let names: Vec<Text<'static>> =
        capability_names(settings)?.into_iter().map(Text::from).collect();
    let own = if user == 0 { names.clone() } else { Vec::new() };
    Ok(Capabilities {
        bounding: names,
        effective: own.clone(),
        permitted: own,
        ..Capabilities::default()
    })
}

impl Engine {
    /// The names of the capabilities that a container's programs may have, and of those that its own
    /// one begins with, which is known once it was started.
    ///
    /// # Errors
    /// What was written when it was started is damaged.
    pub fn capabilities(
        &self,
        container: &Container,
    ) -> Result<(Vec<String>, Option<Vec<String>>)> {
        let owned = |names: &[Text<'_>]| names.iter().map(ToString::to_string).collect();
        let path = self.folder(container).configuration();
        let text = small_file::read(&path).map_err(Error::file(&path))?.unwrap_or_default();
        let started: Option<Spec<'_>> = spec::json::parse(text.as_bytes()).ok();
        let given = started.and_then(|it| it.process).and_then(|it| it.capabilities);
        Ok(match given {
            Some(given) => (owned(&given.bounding), Some(owned(&given.effective))),
            None => {
                let names = capability_names(&container.settings)?;
                (names.into_iter().map(str::to_owned).collect(), None)
            }
        })
    }
}

/// Set-uid programs are of no use to most containers, and a way up for whoever has broken in.
pub(super) fn no_new_privileges(settings: &Settings) -> bool {
    settings.security.no_new_privileges.unwrap_or(!settings.security.privileged)
}

pub(super) fn seccomp(settings: &Settings) -> Result<Option<Seccomp<'_>>> {
    match &settings.security.seccomp {
        _ if settings.security.privileged => Ok(None),
        SeccompChoice::Unconfined => Ok(None),
        SeccompChoice::Default => Ok(Some(default_seccomp(&capability_names(settings)?))),
        SeccompChoice::Profile(text) => {
            let parsed = spec::json::parse(text.as_bytes());
            parsed
                .map(Some)
                .map_err(|error| Error::invalid(format!("--security-opt seccomp: {error}")))
        }
    }
}

impl Settings {
    /// What of `/proc` and `/sys` is hidden.
    pub fn masked_paths(&self) -> Vec<&str> {
        let own = self.security.mask.iter().map(String::as_str);
        self.usual_paths(&MASKED).chain(own).collect()
    }

    /// What of `/proc` cannot be changed.
    pub fn read_only_paths(&self) -> Vec<&str> {
        self.usual_paths(&READ_ONLY).collect()
    }

    fn usual_paths(&self, paths: &'static [&'static str]) -> impl Iterator<Item = &str> {
        let security = &self.security;
        let none = security.privileged || security.unmasked;
        let is_meant = move |path: &str| {
            security.unmask.iter().any(|it| match it.strip_suffix('*') {
                Some(beginning) => path.starts_with(beginning),
                None => path == it,
            })
        };
        paths.iter().copied().filter(move |path| !none && !is_meant(path))
    }
}

#[cfg(test)]
mod tests {
    use super::{USUAL, capability_names};
    use crate::settings::{Security, Settings};

    fn names(add: &[&str], drop: &[&str]) -> Result<Vec<&'static str>, String> {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let security = Security { cap_add: list(add), cap_drop: list(drop), ..Security::default() };
        capability_names(&Settings { security, ..Settings::default() })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn added_and_dropped() {
        assert_eq!(names(&[], &[]), Ok(USUAL.to_vec()));
        assert_eq!(names(&["net_admin"], &["all"]), Ok(vec!["CAP_NET_ADMIN"]));
        assert_eq!(names(&[], &["CAP_CHOWN"]).unwrap().len(), USUAL.len() - 1);
        let nearly_all = names(&["ALL"], &["sys_admin"]).unwrap();
        assert!(nearly_all.len() > 35 && !nearly_all.contains(&"CAP_SYS_ADMIN"));
        assert!(names(&["nonsense"], &[]).unwrap_err().contains("--cap-add"));
    }

    #[test]
    fn hidden_and_shown() {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let (mask, unmask) = (list(&["/etc/x"]), list(&["/proc/kcore", "/proc/s*"]));
        let security = Security { mask, unmask, ..Security::default() };
        let settings = Settings { security, ..Settings::default() };
        let hidden = settings.masked_paths();
        assert!(hidden.contains(&"/etc/x") && hidden.contains(&"/proc/keys"));
        assert!(!hidden.contains(&"/proc/kcore") && !hidden.contains(&"/proc/scsi"));
        assert_eq!(settings.read_only_paths(), ["/proc/bus", "/proc/fs", "/proc/irq"]);
    }
}
