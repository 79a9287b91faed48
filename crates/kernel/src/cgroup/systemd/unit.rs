//! The unit that systemd makes of a container, and where its group is.

use serde::{Deserialize, Serialize};

use super::super::error::{Error, Result};
use super::message::Value;
use super::properties;

/// Which systemd, and how to talk to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bus {
    /// That of the machine.
    System,
    /// That of a user.
    User {
        /// `$XDG_RUNTIME_DIR`
        runtime_folder: String,
        /// `$DBUS_SESSION_BUS_ADDRESS`, for when systemd itself cannot be reached in that folder.
        address: Option<String>,
    },
}

/// A scope: a unit for processes that somebody else starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Unit {
    pub(super) slice: String,
    pub(super) name: String,
    /// Further properties that the user asks for.
    pub(super) properties: Vec<(String, Value)>,
}

/// The prefix of scopes whose `cgroupsPath` is not given.
const OUR_PREFIX: &str = "tinyort";

impl Unit {
    /// From `SLICE:PREFIX:NAME`, where slice and prefix may be missing.
    pub(in super::super) fn parse(text: Option<&str>, id: &str, bus: &Bus) -> Result<Unit> {
        let usual = match bus {
            Bus::System => "system.slice",
            Bus::User { .. } => "user.slice",
        };
        let (slice, prefix, name) = match text.filter(|text| !text.is_empty()) {
            None => ("", OUR_PREFIX, id),
            Some(text) => split(text)?,
        };
        let slice = if slice.is_empty() { usual } else { slice };
        let dash = if prefix.is_empty() { "" } else { "-" };
        let unit = Unit {
            slice: slice.to_owned(),
            name: format!("{prefix}{dash}{name}.scope"),
            properties: Vec::new(),
        };
        if name.is_empty() || unit.name.len() > 255 || !unit.name.bytes().all(may_be_in_a_name) {
            return Err(Error::Path(format!("{:?} cannot be the name of a unit", unit.name)));
        }
        Ok(unit)
    }

    /// From the group of the systemd that makes it.
    pub(in super::super) fn path(&self) -> Result<String> {
        Ok(format!("{}/{}", expand(&self.slice)?, self.name))
    }

    /// Adds a property that the user asks for.
    pub(in super::super) fn set_property(&mut self, name: &str, value: &str) -> Result<()> {
        let property = properties::of_user(name, value).ok_or_else(|| {
            let reason = format!("{value:?} is not a value that is understood here");
            Error::resource(format!("org.systemd.property.{name}"), reason)
        });
        self.properties.push(property?);
        Ok(())
    }
}

fn split(text: &str) -> Result<(&str, &str, &str)> {
    let mut parts = text.split(':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(slice), Some(prefix), Some(name), None) => Ok((slice, prefix, name)),
        _ => {
            let reason =
                format!("{text:?} is not SLICE:PREFIX:NAME, which the systemd driver takes");
            Err(Error::Path(reason))
        }
    }
}

/// systemd.unit(5), "Description".
fn may_be_in_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte)
}

/// `a-b.slice` lies in `/a.slice/a-b.slice`; `-.slice` is the root.
fn expand(slice: &str) -> Result<String> {
    let wrong = || Error::Path(format!("{slice:?} is not the name of a slice"));
    let stem = slice.strip_suffix(".slice").ok_or_else(wrong)?;
    if stem == "-" {
        return Ok(String::new());
    }
    let valid = stem.bytes().all(may_be_in_a_name) && !stem.split('-').any(str::is_empty);
    if !valid || slice.len() > 255 {
        return Err(wrong());
    }
    let dashes = stem.match_indices('-').map(|(index, _)| index);
    let ends = dashes.chain([stem.len()]);
    Ok(ends.map(|end| format!("/{}.slice", &stem[..end])).collect())
}

#[cfg(test)]
mod tests {
    use super::{Bus, Unit, expand};

    fn path(text: Option<&str>) -> String {
        let unit = Unit::parse(text, "id", &Bus::System).unwrap();
        unit.path().unwrap()
    }

    #[test]
    fn slices_lie_in_each_other() {
        assert_eq!(path(Some("a-b-c.slice:x:y")), "/a.slice/a-b.slice/a-b-c.slice/x-y.scope");
        assert_eq!(path(Some("-.slice:x:y")), "/x-y.scope");
        assert_eq!(path(Some("::y")), "/system.slice/y.scope");
        assert_eq!(path(None), "/system.slice/tinyort-id.scope");
        let user = Bus::User { runtime_folder: String::new(), address: None };
        let unit = Unit::parse(None, "id", &user).unwrap();
        assert_eq!(unit.path().unwrap(), "/user.slice/tinyort-id.scope");
    }

    #[test]
    fn other_names_are_refused() {
        for slice in
            ["", ".slice", "a", "a/b.slice", "a--b.slice", "-a.slice", "..slice/", "a.slice/"]
        {
            assert!(expand(slice).is_err(), "{slice:?}");
        }
        for text in ["/a/b", "a:b", "a:b:c:d", "s.slice:p:", "s.slice:p:a/b", "s.slice:p:a b"] {
            assert!(Unit::parse(Some(text), "id", &Bus::System).is_err(), "{text:?}");
        }
        assert!(Unit::parse(None, &"x".repeat(250), &Bus::System).is_err());
    }
}
