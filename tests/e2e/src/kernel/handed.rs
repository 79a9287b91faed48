//! Sources of mounts that the parent opens: mapped ids, and what the child may not reach.

use std::fs::{self, Permissions};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use ::kernel::mount::{Assembly, Bind, Error, Mount, Propagation, Source};
use ::kernel::namespace::{IdMap, Kind, Mapping, visit};
use anyhow::{Context as _, Result, bail, ensure};
use sys::rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};
use sys::rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::jail::{self, mounted, parse};
use crate::expect_eq;
use crate::support::sys::{Change, fork, wait};

const MAP: [IdMap; 1] = [IdMap { inside: 0, outside: 100_000, length: 1000 }];

/// A folder of root's with a mount in it.
fn source() -> Result<std::path::PathBuf> {
    let source = jail::folder("source")?;
    fs::create_dir(source.join("below"))?;
    fs::write(source.join("file"), "")?;
    sys::process::unshare_namespaces(jail::MOUNTS)?;
    ::kernel::mount::isolate(Propagation::DEFAULT)?;
    mount("below", source.join("below"), "tmpfs", MountFlags::NODEV, None)?;
    Ok(source)
}

fn bind(mount: &Mount) -> Result<&Bind> {
    match &mount.source {
        Source::Bind(bind) => Ok(bind),
        other => bail!("{other:?}"),
    }
}

fn owner(folder: &Path, place: &str) -> Result<u32> {
    Ok(fs::metadata(folder.join(place))?.uid())
}

pub(crate) fn ids_are_mapped_for_a_mount_or_for_all_below() -> Result<()> {
    let source = source()?;
    let folder = jail::folder("root")?;
    let map = Mapping::new(&MAP, &MAP)?;
    let root = jail::enter(&folder)?;
    let mut assembly = Assembly::new(&root, false);
    for (name, options, below) in
        [("plain", "rbind", 0), ("mapped", "rbind,idmap", 0), ("all", "rbind,ridmap,ro", 100_000)]
    {
        let mount = parse(&format!("{} /{name} - {options}", source.display()))?;
        if name == "plain" {
            assembly.mount(&mount)?;
        } else {
            // Forgotten, it must not be mounted with other owners than asked for.
            let error = assembly.mount(&mount).unwrap_err();
            ensure!(matches!(error, Error::NotMapped { .. }), "{error}");
            let bind = bind(&mount)?;
            let all = bind.idmap == Some(true);
            let tree = match bind.open_in(Some(map.as_fd()), all, &mount.target) {
                Err(Error::NeverMapped { .. }) => {
                    return harness::skip("this kernel maps no ids of a tmpfs: Linux 6.3 does");
                }
                result => result?,
            };
            assembly.mount_handed(&mount, tree.as_fd())?;
        }
        let own = if name == "plain" { 0 } else { 100_000 };
        expect_eq!(owner(&folder, &format!("{name}/file"))?, own, "{name}");
        expect_eq!(owner(&folder, &format!("{name}/below"))?, below, "{name}");
    }
    let all = folder.join("all").display().to_string();
    expect_eq!(mounted(&all)?.options.contains("ro"), true);
    expect_eq!(mounted(&all)?.options.contains("idmapped"), true);
    Ok(())
}

/// The parent opens what the child cannot, and the child cannot take off what the machine's
/// administrator has put on.
pub(crate) fn a_child_in_a_user_namespace_gets_what_only_its_parent_reaches() -> Result<()> {
    let source = source()?;
    fs::set_permissions(&source, Permissions::from_mode(0o700))?;
    let folder = jail::folder("root")?;
    std::os::unix::fs::chown(&folder, Some(100_000), Some(100_000))?;
    fs::set_permissions(std::env::temp_dir(), Permissions::from_mode(0o755))?;
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let child = fork(libc::CLONE_NEWUSER | libc::CLONE_NEWNS, || {
        contained(&folder, &source.join("below"), &theirs).map_or_else(
            |error| {
                eprintln!("{error:#}");
                1
            },
            |()| 0,
        )
    })?;
    let process = Pid::from_raw(child).context("a pid")?;
    ::kernel::namespace::write_id_maps(process, &MAP, &MAP)?;
    let pidfd = pidfd_open(process, PidfdFlags::empty())?;
    let request = parse(&format!("{} /data - bind,ro", source.join("below").display()))?;
    let before = fs::read_link("/proc/self/ns/mnt")?;
    let here = std::env::current_dir()?;
    let open = || anyhow::Ok(bind(&request)?.open_in(None, false, &request.target)?);
    let tree = visit(pidfd.as_fd(), Kind::Mount, open)??;
    expect_eq!(fs::read_link("/proc/self/ns/mnt")?, before);
    expect_eq!(std::env::current_dir()?, here);
    send(&ours, &tree)?;
    let (_, change) = wait(child, 0)?.context("it ends")?;
    expect_eq!(change, Change::Exited(0));
    Ok(())
}

/// What is mounted in a tree that the parent has opened stays in the container.
pub(crate) fn nothing_mounted_in_a_handed_tree_leaks() -> Result<()> {
    let source = source()?;
    let shared = Propagation::parse("shared").context("a word")?;
    mount_bind(&source, &source)?;
    mount_change(&source, MountPropagationFlags::SHARED)?;
    let folder = jail::folder("root")?;
    let machine = jail::mounts()?.len();
    for (isolation, leaks) in [(Propagation::DEFAULT, 0), (shared, 1)] {
        let child = fork(0, || {
            let contain = || -> Result<()> {
                let root = jail::enter_with(&folder, isolation)?;
                let mut assembly = Assembly::new(&root, false);
                let mount = parse(&format!("{} /data - bind", source.display()))?;
                let tree = bind(&mount)?.open_in(None, false, &mount.target)?;
                assembly.mount_handed(&mount, tree.as_fd())?;
                assembly.mount(&parse("tmpfs /data/below tmpfs -")?)?;
                Ok(())
            };
            contain().map_or_else(
                |error| {
                    eprintln!("{error:#}");
                    1
                },
                |()| 0,
            )
        })?;
        let (_, change) = wait(child, 0)?.context("it ends")?;
        expect_eq!(change, Change::Exited(0));
        expect_eq!(jail::mounts()?.len() - machine, leaks, "{isolation:?}");
    }
    Ok(())
}

fn contained(folder: &Path, source: &Path, parent: &std::os::unix::net::UnixStream) -> Result<()> {
    let tree = receive(parent)?;
    ::kernel::credentials::take_root_ids()?;
    ::kernel::mount::isolate(Propagation::DEFAULT)?;
    ensure!(fs::metadata(source).is_err(), "the child reaches it by itself");
    let path = jail::c_string(folder)?;
    let root = ::kernel::mount::attach_root(&path, Propagation::DEFAULT)?;
    let mount = parse(&format!("{} /data - bind,ro", source.display()))?;
    Assembly::new(&root, false).mount_handed(&mount, tree.as_fd())?;
    let place = folder.join("data").display().to_string();
    expect_eq!(mounted(&place)?.options, "ro,nodev,relatime");
    // Its own may go, the machine's stays.
    Assembly::new(&root, false).mount(&parse("- /data - remount,bind,rw")?)?;
    expect_eq!(mounted(&place)?.options, "rw,nodev,relatime");
    let taken_off = Assembly::new(&root, false).mount(&parse("- /data - remount,bind,dev")?);
    ensure!(taken_off.is_err(), "nodev was taken off");
    Ok(())
}

fn send(socket: &std::os::unix::net::UnixStream, descriptor: &OwnedFd) -> Result<()> {
    use sys::rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let mut space = [std::mem::MaybeUninit::uninit(); 64];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor.as_fd()];
    ensure!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)), "space for one");
    sendmsg(socket, &[std::io::IoSlice::new(b"x")], &mut ancillary, SendFlags::empty())?;
    Ok(())
}

fn receive(socket: &std::os::unix::net::UnixStream) -> Result<OwnedFd> {
    use sys::rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    let mut space = [std::mem::MaybeUninit::uninit(); 64];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut buffer = [0; 1];
    let mut slices = [std::io::IoSliceMut::new(&mut buffer)];
    recvmsg(socket, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(mut descriptors) = message {
            return descriptors.next().context("one descriptor");
        }
    }
    bail!("no descriptor came")
}
