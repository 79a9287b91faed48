//! A user without rights keeps images in a user namespace, where the user is root and has the
//! further ids that `/etc/subuid` and `/etc/subgid` give: the files of an image have many owners.
//!
//! Without such ids all files of images become the user's own.

use anyhow::{Context as _, Result, bail};
use engine::Members;
use image::unpack::Owners;
use kernel::namespace::{IdMap, Kind, Namespace, write_id_maps};
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use sys::rustix::process::{Pid, getegid, geteuid, getpid, getuid};

/// `CLONE_NEWUSER`, clone(2).
const NEW_USER: u64 = 0x1000_0000;

/// Enters a namespace, and says whose the files of images become in it. To be called while there
/// is one thread. If somebody is in such a namespace with this root folder, it is that one:
/// containers can only be reached from where they were made.
pub(crate) fn enter(root: &Path) -> Result<Owners> {
    let members = Members::lock(root)?;
    let owners = if members.pids().any(join) {
        let map = fs::read_to_string("/proc/self/uid_map").context("/proc/self/uid_map")?;
        if map.lines().count() > 1 { Owners::Keep } else { Owners::Own }
    } else {
        make()?
    };
    members.add_self()?;
    Ok(owners)
}

fn make() -> Result<Owners> {
    // The maps can only be written from outside.
    let mut mapper = Command::new("/proc/self/exe")
        .args(["system", "map-ids", &getpid().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("/proc/self/exe")?;
    if let Err(errno) = sys::process::unshare_namespaces(NEW_USER) {
        // It waits to be told that there is a namespace.
        mapper.kill()?;
        mapper.wait()?;
        bail!(
            "a user without rights needs a user namespace, and cannot make one: {errno}; see \
             user.max_user_namespaces, kernel.unprivileged_userns_clone and \
             kernel.apparmor_restrict_unprivileged_userns of sysctl(8)"
        );
    }
    // Waiting closes its standard input, which tells it.
    let output = mapper.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!("{}", said.strip_prefix("tinyo: ").unwrap_or(&said));
    }
    Ok(if output.stdout.trim_ascii() == ONLY_ONE.as_bytes() { Owners::Own } else { Owners::Keep })
}

/// False if that process has ended, or is somebody else's, or in the machine's own namespace.
fn join(pid: i32) -> bool {
    let path = format!("/proc/{pid}/ns/user");
    let namespace = Namespace::open(Kind::User, Path::new(&path));
    namespace.is_ok_and(|namespace| namespace.enter().is_ok())
}

/// What the mapper says when there are no further ids.
const ONLY_ONE: &str = "one";

/// What `system map-ids` does: waits until the process has its namespace, and maps its ids.
pub(crate) fn map_ids(process: i32) -> Result<()> {
    // The other side has nothing to say; it closes the pipe.
    io::copy(&mut io::stdin(), &mut io::sink())?;
    let process = Pid::from_raw(process).context("a process has a positive number")?;
    let (user, group) = (getuid().as_raw(), getegid().as_raw());
    let users = maps(user, &ranges("/etc/subuid", user));
    let groups = maps(group, &ranges("/etc/subgid", user));
    if users.len() > 1 && groups.len() > 1 {
        return Ok(write_id_maps(process, &users, &groups)?);
    }
    write_id_maps(process, &users[..1], &groups[..1])?;
    Ok(writeln!(io::stdout(), "{ONLY_ONE}")?)
}

/// Root is the user, and the ranges follow.
fn maps(own: u32, ranges: &[(u32, u32)]) -> Vec<IdMap> {
    let mut maps = vec![IdMap { inside: 0, outside: own, length: 1 }];
    let mut inside = 1_u32;
    for (outside, length) in ranges {
        maps.push(IdMap { inside, outside: *outside, length: *length });
        inside = inside.saturating_add(*length);
    }
    maps
}

/// The ranges of a file for a user, by name or number (subuid(5)).
fn ranges(path: &str, user: u32) -> Vec<(u32, u32)> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let name = fs::read_to_string("/etc/passwd").ok().and_then(|it| name_of(&it, user));
    ranges_in(&text, user, name.as_deref())
}

fn ranges_in(text: &str, user: u32, name: Option<&str>) -> Vec<(u32, u32)> {
    let number = user.to_string();
    let range = |line: &str| {
        let (who, range) = line.split_once(':')?;
        let (start, length) = range.split_once(':')?;
        let is_meant = who == number || Some(who) == name;
        let range = (start.parse().ok()?, length.trim().parse().ok()?);
        (is_meant && range.1 > 0).then_some(range)
    };
    text.lines().filter_map(range).collect()
}

/// What a user is called (passwd(5)).
fn name_of(passwd: &str, user: u32) -> Option<String> {
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let mut lines = passwd.lines().map(fields);
    let line = lines.find(|fields| fields.get(2).is_some_and(|it| *it == user.to_string()))?;
    line.into_iter().next()
}

/// Whether this is the machine's own user namespace, where root is root.
pub(crate) fn is_machines_own() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// Whether this process has no rights and is in no namespace yet that gives it some.
pub(crate) fn is_needed() -> bool {
    !geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::{name_of, ranges_in};

    #[test]
    fn ranges_are_found_by_name_and_number() {
        let text = "root:1:5\nann:100000:65536\n# x\nbob:7:0\nbroken:1\n1000:300000:10\nann:x:1\n";
        assert_eq!(ranges_in(text, 1000, Some("ann")), [(100_000, 65_536), (300_000, 10)]);
        assert_eq!(ranges_in(text, 1000, None), [(300_000, 10)]);
        assert_eq!(ranges_in(text, 5, Some("bob")), []);
        let passwd = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";
        assert_eq!(name_of(passwd, 1000).as_deref(), Some("ann"));
        assert_eq!(name_of(passwd, 7), None);
    }
}
