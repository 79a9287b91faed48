//! The calls of systemd that a container needs: org.freedesktop.systemd1(5).

use super::super::error::{Error, Result};
use super::bus::{Connection, PATIENCE};
use super::message::{Call, Value};
use super::unit::Bus;

const SYSTEMD: &str = "org.freedesktop.systemd1";
const SYSTEMD_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";

/// What a bus must be told to pass on.
const JOBS: &str = "type='signal',sender='org.freedesktop.systemd1',\
interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";

/// systemd, ready to be asked.
pub(super) struct Manager {
    connection: Connection,
}

impl Manager {
    /// Talks to systemd itself where that is possible, since nobody is in between then, and else
    /// through a bus.
    pub(super) fn open(bus: &Bus) -> Result<Manager> {
        let (direct, through) = match bus {
            Bus::System => {
                ("/run/systemd/private".to_owned(), "/run/dbus/system_bus_socket".to_owned())
            }
            Bus::User { runtime_folder, address } => {
                let through = address.as_deref().and_then(socket_of);
                let through = through.unwrap_or_else(|| format!("{runtime_folder}/bus"));
                (format!("{runtime_folder}/systemd/private"), through)
            }
        };
        let direct = match Connection::open(&direct, PATIENCE) {
            Ok(connection) => return Ok(Manager { connection }),
            Err(error) => error,
        };
        let connection = Connection::open(&through, PATIENCE)
            .map_err(|error| Error::Systemd(format!("cannot reach it: {direct}; {error}")))?;
        let mut manager = Manager { connection };
        manager.greet()?;
        Ok(manager)
    }

    /// A bus wants to be greeted, and to know which signals are awaited; systemd sends none to a
    /// bus where nobody has subscribed.
    fn greet(&mut self) -> Result<()> {
        let bus = |member, body| Call {
            destination: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member,
            body,
        };
        self.connection.call(&bus("Hello", &[]))?;
        self.connection.call(&bus("AddMatch", &[Value::Text(JOBS.to_owned())]))?;
        self.ask("Subscribe", &[]).map(drop)
    }

    /// Starts a scope. One of the same name that failed and was kept is forgotten first.
    pub(super) fn start(&mut self, unit: &str, properties: Vec<(String, Value)>) -> Result<()> {
        let text = |text: &str| Value::Text(text.to_owned());
        let body = [text(unit), text("fail"), Value::Properties(properties), Value::NoUnits];
        let job = match self.ask("StartTransientUnit", &body) {
            Err(error) if error.is_refusal("org.freedesktop.systemd1.UnitExists") => {
                self.reset_failed(unit)?;
                self.ask("StartTransientUnit", &body)?
            }
            other => other?,
        };
        match self.connection.wait_for_job(&job)?.as_str() {
            "done" => Ok(()),
            result => {
                self.reset_failed(unit)?;
                Err(Error::Systemd(format!("starting {unit} ended with {result:?}")))
            }
        }
    }

    /// Stops a unit and waits until it is gone. Fine when it was gone already.
    pub(super) fn stop(&mut self, unit: &str) -> Result<()> {
        let body = [unit, "replace"].map(|text| Value::Text(text.to_owned()));
        match self.ask("StopUnit", &body) {
            Err(error) if error.is_refusal("org.freedesktop.systemd1.NoSuchUnit") => return Ok(()),
            job => _ = self.connection.wait_for_job(&job?)?,
        }
        self.reset_failed(unit)
    }

    /// Has a unit forgotten that has failed.
    fn reset_failed(&mut self, unit: &str) -> Result<()> {
        match self.ask("ResetFailedUnit", &[Value::Text(unit.to_owned())]) {
            Err(error) if error.is_refusal("org.freedesktop.systemd1.NoSuchUnit") => Ok(()),
            other => other.map(drop),
        }
    }

    /// Changes properties until the next boot.
    pub(super) fn set(&mut self, unit: &str, properties: Vec<(String, Value)>) -> Result<()> {
        let unit = Value::Text(unit.to_owned());
        let body = [unit, Value::Bool(true), Value::Properties(properties)];
        self.ask("SetUnitProperties", &body).map(drop)
    }

    /// Has systemd move a process, which a user may not do between groups that are not theirs.
    pub(super) fn attach(&mut self, unit: &str, pid: u32) -> Result<()> {
        let text = |text: &str| Value::Text(text.to_owned());
        let body = [text(unit), text(""), Value::U32s(vec![pid])];
        self.ask("AttachProcessesToUnit", &body).map(drop)
    }

    /// The group of systemd itself, below which all units are.
    pub(super) fn control_group(&mut self) -> Result<String> {
        self.property("ControlGroup")
    }

    /// The number of its version; 0 when it is not understood.
    pub(super) fn version(&mut self) -> Result<u32> {
        let text = self.property("Version")?;
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        Ok(digits.parse().unwrap_or(0))
    }

    fn property(&mut self, name: &str) -> Result<String> {
        let body = [MANAGER, name].map(|text| Value::Text(text.to_owned()));
        let call = Call {
            destination: SYSTEMD,
            path: SYSTEMD_PATH,
            interface: "org.freedesktop.DBus.Properties",
            member: "Get",
            body: &body,
        };
        let reply = self.connection.call(&call)?;
        reply.text().map(str::to_owned).ok_or_else(|| Error::Systemd(format!("{name} is no text")))
    }

    /// Calls a method; the text with which the reply begins, if any.
    fn ask(&mut self, member: &str, body: &[Value]) -> Result<String> {
        let (destination, path) = (SYSTEMD, SYSTEMD_PATH);
        let call = Call { destination, path, interface: MANAGER, member, body };
        Ok(self.connection.call(&call)?.text().unwrap_or_default().to_owned())
    }
}

/// The path of the socket in the first address that has one: `unix:path=/x,guid=..;..`. An abstract
/// name begins with `@`.
fn socket_of(addresses: &str) -> Option<String> {
    addresses.split(';').find_map(|address| {
        let pairs = address.strip_prefix("unix:")?.split(',');
        pairs.filter_map(|pair| pair.split_once('=')).find_map(|(key, value)| match key {
            "path" => Some(value.to_owned()),
            "abstract" => Some(format!("@{value}")),
            _ => None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::socket_of;

    #[test]
    fn addresses_of_sockets_are_found() {
        let found = socket_of("tcp:host=x;unix:guid=1,path=/run/user/1000/bus");
        assert_eq!(found.as_deref(), Some("/run/user/1000/bus"));
        assert_eq!(socket_of("unix:abstract=/tmp/x").as_deref(), Some("@/tmp/x"));
        assert_eq!(socket_of("unix:runtime=yes"), None);
    }
}
