//! `cgroupsPath`: which group a container shall have.

use super::error::{Error, Result};
use super::systemd::{Bus, Unit};

/// The place of a group, checked: no component is `..`, none is empty, and there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// From the root of each hierarchy, or else from the group of the caller.
    pub(super) absolute: bool,
    /// The names, joined by `/`.
    pub(super) path: String,
    /// The unit there, when systemd is to make it.
    pub(super) unit: Option<Unit>,
}

impl Location {
    /// Takes a path apart. Without one the group is called like the container, and made next to
    /// the caller's.
    ///
    /// # Errors
    /// `..` in it, a NUL, or the root itself.
    pub(super) fn from_path(cgroups_path: Option<&str>, id: &str) -> Result<Location> {
        let Some(text) = cgroups_path.filter(|text| !text.is_empty()) else {
            return Ok(Location { absolute: false, path: component(id)?.to_owned(), unit: None });
        };
        let mut names = Vec::new();
        for name in text.split('/').filter(|name| !name.is_empty() && *name != ".") {
            names.push(component(name)?);
        }
        if names.is_empty() {
            return Err(Error::Path(format!("{text:?} is the root of all groups")));
        }
        Ok(Location { absolute: text.starts_with('/'), path: names.join("/"), unit: None })
    }

    /// As [`Location::from_path`], in the form that systemd takes: `SLICE:PREFIX:NAME`. Without one
    /// the unit is `tinyort-ID.scope` in `system.slice`, or `user.slice` for that of a user.
    ///
    /// # Errors
    /// Another form, and what cannot be the name of a slice or of a unit.
    pub(super) fn from_unit(cgroups_path: Option<&str>, id: &str, bus: &Bus) -> Result<Location> {
        let unit = Unit::parse(cgroups_path, id, bus)?;
        let path = unit.path()?.trim_start_matches('/').to_owned();
        Ok(Location { absolute: true, path, unit: Some(unit) })
    }

    /// Adds a property of the unit, its value as GVariant spells it: `uint64 5`, `'text'`. Without
    /// a unit it is of no concern.
    ///
    /// # Errors
    /// A value that is not of a kind known here: texts, lists of texts, numbers, truth.
    pub fn set_unit_property(&mut self, name: &str, value: &str) -> Result<()> {
        self.unit.as_mut().map_or(Ok(()), |unit| unit.set_property(name, value))
    }

    /// The folder below `root`, a mount point, and there below the group `own`.
    pub(super) fn below(&self, root: &str, own: &str) -> String {
        let own = own.trim_matches('/');
        let slash = if own.is_empty() { "" } else { "/" };
        format!("{}{slash}{own}/{}", root.trim_end_matches('/'), self.path)
    }
}

fn component(name: &str) -> Result<&str> {
    if name == ".." {
        return Err(Error::Path("it must not contain \"..\"".to_owned()));
    }
    if name.is_empty() || name.contains(['\0', '\n', '/']) {
        return Err(Error::Path(format!("{name:?} cannot be the name of a group")));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::Location;

    fn at(path: Option<&str>) -> Location {
        Location::from_path(path, "box").unwrap()
    }

    #[test]
    fn absolute_paths_begin_at_the_root() {
        assert_eq!(at(Some("/a//./b/")).below("/sys/fs/cgroup", "/"), "/sys/fs/cgroup/a/b");
    }

    #[test]
    fn relative_and_missing_paths_begin_at_the_callers_group() {
        assert_eq!(at(Some("a/b")).below("/cg", "/own/x"), "/cg/own/x/a/b");
        assert_eq!(at(None).below("/cg", "/"), "/cg/box");
        assert_eq!(at(Some("")).below("/cg", "/own"), "/cg/own/box");
    }

    #[test]
    fn nothing_leads_up_or_is_the_root() {
        for path in ["..", "/..", "a/../b", "/a/..", "/", "//.", "a\0b", "a\nb"] {
            assert!(Location::from_path(Some(path), "box").is_err(), "{path:?}");
        }
        assert!(Location::from_path(None, "..").is_err());
        assert_eq!(at(Some("/...a")).path, "...a");
    }
}
