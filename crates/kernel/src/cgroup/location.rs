//! `cgroupsPath`: which group a container shall have.

use super::error::{Error, Result};

/// The place of a group, checked: no component is `..`, none is empty, and there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// From the root of each hierarchy, or else from the group of the caller.
    pub(super) absolute: bool,
    /// The names, joined by `/`.
    pub(super) path: String,
}

impl Location {
    /// Takes a path apart. Without one the group is called like the container, and made next to
    /// the caller's.
    ///
    /// # Errors
    /// `..` in it, a NUL, or the root itself.
    pub fn from_path(cgroups_path: Option<&str>, id: &str) -> Result<Location> {
        let Some(text) = cgroups_path.filter(|text| !text.is_empty()) else {
            return Ok(Location { absolute: false, path: component(id)?.to_owned() });
        };
        let mut names = Vec::new();
        for name in text.split('/').filter(|name| !name.is_empty() && *name != ".") {
            names.push(component(name)?);
        }
        if names.is_empty() {
            return Err(Error::Path(format!("{text:?} is the root of all groups")));
        }
        Ok(Location { absolute: text.starts_with('/'), path: names.join("/") })
    }

    /// The folder below `root`, a mount point, for a caller whose group lies at `own`.
    pub(super) fn below(&self, root: &str, own: &str) -> String {
        let own = if self.absolute { "" } else { own.trim_matches('/') };
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
        assert_eq!(at(Some("/a//./b/")).below("/sys/fs/cgroup", "/own"), "/sys/fs/cgroup/a/b");
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
