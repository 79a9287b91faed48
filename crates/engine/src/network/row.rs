//! The rows of networks, and of the containers that are connected to them.

use crate::database::{from_json, to_json};
use crate::error::{Error, Result};
use image::store::Store;
use net::subnet::Subnet;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A step of the database: see `database.rs`.
pub(crate) const TABLES: &str = "
    CREATE TABLE networks (
        name TEXT PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        bridge TEXT NOT NULL UNIQUE,     -- the device
        created INTEGER NOT NULL,        -- nanoseconds since 1970
        settings TEXT NOT NULL,          -- JSON
        last TEXT NOT NULL DEFAULT '[]'  -- JSON: the addresses that were given away last
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE connections (
        container TEXT NOT NULL REFERENCES containers ON DELETE CASCADE,
        network TEXT NOT NULL REFERENCES networks,
        place INTEGER NOT NULL,          -- N of ethN
        mac TEXT,                        -- as it was asked for
        aliases TEXT NOT NULL,           -- JSON
        PRIMARY KEY (container, network),
        UNIQUE (container, place)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE addresses (
        network TEXT NOT NULL,
        address TEXT NOT NULL,
        container TEXT NOT NULL,
        PRIMARY KEY (network, address),
        FOREIGN KEY (container, network) REFERENCES connections (container, network)
            ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX addresses_by_container ON addresses (container, network);
";

/// A network.
#[derive(Clone, Debug)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// 64 hexadecimal digits.
    pub id: String,
    /// The device.
    pub bridge: String,
    /// Nanoseconds since 1970.
    pub created: u64,
    /// What it is to be.
    pub settings: NetworkSettings,
}

/// What a network is to be. It is kept in the database, as JSON.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkSettings {
    /// Its addresses: at most one range of each kind; what is missing is chosen.
    pub subnets: Vec<Range>,
    /// Addresses that no container gets, and what they are called.
    pub reserved: BTreeMap<String, IpAddr>,
    /// Whether they were all chosen, so that others can take their place.
    pub are_subnets_chosen: bool,
    /// The device of the machine that is its containers', if it has no bridge.
    pub shared: Option<SharedDevice>,
    /// It leads nowhere else.
    pub internal: bool,
    /// The longest packet.
    pub mtu: Option<u32>,
    /// What the device of its bridge is called; chosen if it is not said.
    pub bridge: Option<String>,
    /// Anything for people and programs to find it by.
    pub labels: BTreeMap<String, String>,
}

/// Addresses of a network.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Range {
    /// All of them.
    #[serde(with = "as_text")]
    pub subnet: Subnet,
    /// That of the machine, or of the router where a device is shared.
    pub gateway: IpAddr,
    /// The part of them that is chosen from.
    #[serde(with = "as_text_if_any", default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Subnet>,
}

/// A device of the machine that containers share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SharedDevice {
    /// Its name.
    pub parent: String,
    /// `macvlan` or `ipvlan`.
    pub driver: String,
    /// As ip-link(8) has it.
    pub mode: String,
}

impl Range {
    /// With the usual gateway.
    pub fn of(subnet: Subnet) -> Range {
        // A subnet that can be had has two addresses at least.
        Range { subnet, gateway: subnet.gateway().unwrap_or(subnet.first()), part: None }
    }
}

mod as_text {
    use net::subnet::Subnet;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        subnet: &Subnet,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(subnet)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Subnet, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

mod as_text_if_any {
    use net::subnet::Subnet;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        subnet: &Option<Subnet>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match subnet {
            Some(subnet) => serializer.collect_str(subnet),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Subnet>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| Subnet::part(&text)).transpose().map_err(serde::de::Error::custom)
    }
}

/// How a container is connected to a network.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The container's id.
    pub container: String,
    /// The name of the network.
    pub network: String,
    /// N of `ethN`.
    pub place: u32,
    /// At most one of each kind.
    pub addresses: Vec<IpAddr>,
    /// Its Ethernet address, if one was asked for.
    pub mac: Option<String>,
    /// More names that it has there.
    pub aliases: Vec<String>,
}

/// What somebody who is connected wants to have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) mac: Option<String>,
    pub(crate) aliases: Vec<String>,
}

pub(crate) fn insert(store: &Store, network: &Network) -> Result<()> {
    let settings = to_json(&network.settings)?;
    store.write(|transaction| {
        let insert = "INSERT INTO networks (name, id, bridge, created, settings)
                      VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
        let Network { name, id, bridge, created, .. } = network;
        match transaction.execute(insert, params![name, id, bridge, created, settings])? {
            0 => Err(Error::NetworkExists(name.clone())),
            _ => Ok(()),
        }
    })
}

pub(crate) fn all(store: &Store) -> Result<Vec<Network>> {
    store.read(|database| {
        let query = "SELECT name, id, bridge, created, settings FROM networks ORDER BY name";
        let mut statement = database.prepare(query)?;
        let rows = statement.query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get::<_, String>(4)?))
        })?;
        let network = |row: rusqlite::Result<(String, String, String, u64, String)>| {
            let (name, id, bridge, created, settings) = row?;
            let settings = from_json(&settings, || format!("network {name}"))?;
            Ok(Network { name, id, bridge, created, settings })
        };
        rows.map(network).collect()
    })
}

/// Removes those of these networks that nobody is connected to, and what is made of them by `also`:
/// the rows go last, so that nothing is left that no row speaks of.
pub(crate) fn delete(
    store: &Store,
    networks: &[&Network],
    also: impl FnOnce(&[&Network]) -> Result<()>,
) -> Result<Vec<Result<()>>> {
    store.write(|transaction| {
        let results = networks.iter().map(|network| delete_in(transaction, &network.name));
        let results: Vec<Result<()>> = results.collect();
        let both = networks.iter().zip(&results);
        let gone: Vec<&Network> = both.filter(|it| it.1.is_ok()).map(|it| *it.0).collect();
        also(&gone)?;
        Ok(results)
    })
}

fn delete_in(database: &Connection, name: &str) -> Result<()> {
    let query = "SELECT count(*) FROM connections WHERE network = ?1";
    let count: u32 = database.query_row(query, [name], |row| row.get(0))?;
    if count > 0 {
        return Err(Error::NetworkInUse { name: name.to_owned(), count });
    }
    match database.execute("DELETE FROM networks WHERE name = ?1", [name])? {
        0 => Err(Error::NoSuchNetwork(name.to_owned())),
        _ => Ok(()),
    }
}

/// Gives a network other subnets, and its containers the same places in them. False if one of these
/// has no such place.
pub(crate) fn move_addresses(
    store: &Store,
    network: &Network,
    settings: &NetworkSettings,
) -> Result<bool> {
    let (name, ranges) = (&network.name, &network.settings.subnets);
    let moved = |address: IpAddr| {
        let from = ranges.iter().find(|it| it.subnet.contains(address))?;
        let is_like = |it: &&Range| it.subnet.is_ipv4() == address.is_ipv4();
        let to = settings.subnets.iter().find(is_like)?;
        from.subnet.moved(address, to.subnet)
    };
    let settings = to_json(settings)?;
    store.write(|transaction| {
        let query = "SELECT address FROM addresses WHERE network = ?1";
        let mut statement = transaction.prepare(query)?;
        let texts = statement.query_map([name], |row| row.get(0))?;
        let texts = texts.collect::<rusqlite::Result<Vec<String>>>()?;
        // All before the first is written: what is not moved as a whole stays as it is.
        let new = texts.iter().map(|text| text.parse().ok().and_then(moved));
        let Some(new) = new.collect::<Option<Vec<IpAddr>>>() else { return Ok(false) };
        for (text, address) in texts.iter().zip(new) {
            let update = "UPDATE addresses SET address = ?3 WHERE network = ?1 AND address = ?2";
            transaction.execute(update, [name, text, &address.to_string()])?;
        }
        let update = "UPDATE networks SET settings = ?2, last = '[]' WHERE name = ?1";
        transaction.execute(update, [name, &settings])?;
        Ok(true)
    })
}

/// Connects a container, with the addresses that it wishes or with free ones.
pub(crate) fn connect(
    store: &Store,
    container: &str,
    network: &Network,
    wish: &Wish,
) -> Result<Connected> {
    store.write(|transaction| connect_in(transaction, container, network, wish))
}

/// The same in a transaction of the caller's.
pub(crate) fn connect_in(
    database: &Connection,
    container: &str,
    network: &Network,
    wish: &Wish,
) -> Result<Connected> {
    let name = &network.name;
    let query = "SELECT coalesce(max(place) + 1, 0) FROM connections WHERE container = ?1";
    let place: u32 = database.query_row(query, [container], |row| row.get(0))?;
    let addresses = choose(database, network, wish)?;
    let insert = "INSERT INTO connections VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
    let aliases = to_json(&wish.aliases)?;
    if database.execute(insert, params![container, name, place, wish.mac, aliases])? == 0 {
        return Err(Error::invalid(format!("it is connected to network {name} already")));
    }
    for address in &addresses {
        let insert = "INSERT INTO addresses VALUES (?1, ?2, ?3)";
        database.execute(insert, params![name, address.to_string(), container])?;
    }
    let update = "UPDATE networks SET last = ?2 WHERE name = ?1";
    database.execute(update, [name, &to_json(&addresses)?])?;
    let (mac, aliases) = (wish.mac.clone(), wish.aliases.clone());
    let container = container.to_owned();
    Ok(Connected { container, network: name.clone(), place, addresses, mac, aliases })
}

/// An address of each subnet.
fn choose(database: &Connection, network: &Network, wish: &Wish) -> Result<Vec<IpAddr>> {
    let query = "SELECT last FROM networks WHERE name = ?1";
    let last: Option<String> =
        database.query_row(query, [&network.name], |row| row.get(0)).optional()?;
    let last = last.ok_or_else(|| Error::NoSuchNetwork(network.name.clone()))?;
    let last: Vec<IpAddr> = from_json(&last, || format!("network {}", network.name))?;
    let query = "SELECT 1 FROM addresses WHERE network = ?1 AND address = ?2";
    let mut statement = database.prepare(query)?;
    let mut is_used = |address: IpAddr| -> bool {
        // What cannot be read cannot be written either, and that fails.
        statement.exists([&network.name, &address.to_string()]).unwrap_or(true)
    };
    let NetworkSettings { subnets, reserved, .. } = &network.settings;
    for address in &wish.addresses {
        let Some(range) = subnets.iter().find(|it| it.subnet.contains(*address)) else {
            let all: Vec<String> = subnets.iter().map(|it| it.subnet.to_string()).collect();
            let text = format!("{address} is not an address of network {}", network.name);
            return Err(Error::invalid(format!("{text}: {}", all.join(", "))));
        };
        if let Some((name, _)) = reserved.iter().find(|(_, it)| *it == address) {
            let text = format!("the address {address} is reserved for {name}");
            return Err(Error::Invalid(text));
        }
        if *address == range.gateway || is_used(*address) {
            return Err(Error::invalid(format!("the address {address} is in use")));
        }
    }
    let mut chosen = Vec::new();
    for Range { subnet, gateway, part } in subnets {
        let mine = |it: &&IpAddr| subnet.contains(**it);
        let free = match wish.addresses.iter().find(mine) {
            Some(address) => *address,
            None => {
                let taken = std::cell::RefCell::new(&mut is_used);
                subnet
                    .allocate(*part, last.iter().find(mine).copied(), |address| {
                        let is_reserved = reserved.values().any(|it| *it == address);
                        address == *gateway || is_reserved || (taken.borrow_mut())(address)
                    })
                    .map_err(|error| Error::Invalid(error.to_string()))?
            }
        };
        chosen.push(free);
    }
    Ok(chosen)
}

/// Disconnects a container. False if it was not connected.
pub(crate) fn disconnect(store: &Store, container: &str, network: &str) -> Result<bool> {
    store.write(|transaction| {
        let delete = "DELETE FROM connections WHERE container = ?1 AND network = ?2";
        Ok(transaction.execute(delete, [container, network])? > 0)
    })
}

const SELECT: &str = "SELECT container, network, place, mac, aliases FROM connections";

pub(crate) fn of_network(store: &Store, network: &str) -> Result<Vec<Connected>> {
    select(store, &format!("{SELECT} WHERE network = ?1 ORDER BY container"), network)
}

pub(crate) fn of_container(store: &Store, container: &str) -> Result<Vec<Connected>> {
    select(store, &format!("{SELECT} WHERE container = ?1 ORDER BY place"), container)
}

fn select(store: &Store, query: &str, value: &str) -> Result<Vec<Connected>> {
    type Columns = (String, String, u32, Option<String>, String);
    let columns =
        |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?));
    store.read(|database| {
        let query_of_addresses =
            "SELECT address FROM addresses WHERE container = ?1 AND network = ?2";
        let mut of_addresses = database.prepare(query_of_addresses)?;
        let mut statement = database.prepare(query)?;
        let rows = statement.query_map([value], columns)?;
        let mut all = Vec::new();
        for row in rows {
            let (container, network, place, mac, aliases): Columns = row?;
            let aliases = from_json(&aliases, || format!("container {container}"))?;
            let texts = of_addresses.query_map([&container, &network], |row| row.get(0))?;
            let texts = texts.collect::<rusqlite::Result<Vec<String>>>()?;
            let mut addresses: Vec<IpAddr> =
                texts.iter().filter_map(|text| text.parse().ok()).collect();
            addresses.sort_unstable();
            all.push(Connected { container, network, place, addresses, mac, aliases });
        }
        Ok(all)
    })
}
