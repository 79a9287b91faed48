//! Names of network devices.

use std::fmt;

/// `IFNAMSIZ` without the NUL.
const LONGEST: usize = 15;

/// A device to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name on the machine.
    pub(super) name: String,
    /// Its name in the container. With `%d` in it, the kernel finds a number that is free.
    pub(super) new_name: String,
}

/// A name that no device can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} is no name of a network device: it must have 1 to 15 characters, none of them a \
     slash, a colon or a space{and}"
)]
pub struct InvalidName {
    name: String,
    and: &'static str,
}

impl Device {
    /// Reads the name on the machine, and the one in the container if that is another.
    ///
    /// # Errors
    /// No such name is possible.
    pub fn parse(name: &str, new_name: Option<&str>) -> Result<Device, InvalidName> {
        if !is_name(name) || name.contains('%') {
            return Err(InvalidName { name: name.to_owned(), and: "" });
        }
        let new_name = new_name.unwrap_or(name);
        let percents = new_name.matches('%').count();
        if !is_name(new_name) || percents > 1 || percents != new_name.matches("%d").count() {
            let and = ", and at most one %d for a number";
            return Err(InvalidName { name: new_name.to_owned(), and });
        }
        Ok(Device { name: name.to_owned(), new_name: new_name.to_owned() })
    }

    /// Whether the kernel finds a number for the new name.
    pub(super) fn is_template(&self) -> bool {
        self.new_name.contains('%')
    }
}

impl fmt::Display for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

/// As the kernel's `dev_valid_name`.
fn is_name(name: &str) -> bool {
    let is_bad =
        |byte: u8| matches!(byte, b'/' | b':' | 0) || byte.is_ascii_whitespace() || byte == 0x0b;
    (1..=LONGEST).contains(&name.len()) && name != "." && name != ".." && !name.bytes().any(is_bad)
}

#[cfg(test)]
mod tests {
    use super::Device;

    #[test]
    fn names_are_those_the_kernel_takes() {
        for name in ["eth0", "a-very-long-one", "ü"] {
            assert!(Device::parse(name, None).is_ok(), "{name}");
        }
        for name in ["", "sixteen-letters!", ".", "..", "a/b", "a b", "a:1", "a\0", "eth%d", "\x0b"]
        {
            assert!(Device::parse(name, None).is_err(), "{name}");
        }
    }

    #[test]
    fn a_new_name_may_be_a_template() {
        assert!(Device::parse("eth0", Some("net%d")).unwrap().is_template());
        assert!(!Device::parse("eth0", Some("net1")).unwrap().is_template());
        for name in ["", "%", "%s", "%d%d", "%d%s"] {
            let error = Device::parse("eth0", Some(name)).unwrap_err().to_string();
            assert!(error.contains("at most one %d"), "{error}");
        }
    }
}
