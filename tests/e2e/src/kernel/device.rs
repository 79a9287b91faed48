//! Devices, links and the terminal.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};

use ::kernel::device::{
    Console, Error, Folder, Kind, Node, default_nodes, make_links, make_nodes, take_terminal,
};
use ::kernel::mount::Assembly;
use ::kernel::path::{Procfs, Root};
use anyhow::{Context as _, Result};
use std::os::fd::AsFd as _;
use sys::rustix::fs::{Mode, major, minor};
use sys::rustix::process::umask;

use super::jail::{self, parse, rooted};
use crate::expect_eq;

/// Mounts lines of [`parse`]; those at `/dev` are kept.
fn assemble<'a>(root: &'a Root, lines: &[&str]) -> Result<Assembly<'a>> {
    umask(Mode::empty());
    let mut assembly = Assembly::new(root, false);
    for line in lines {
        let mut mount = parse(line)?;
        mount.keep = mount.target == rooted("/dev");
        assembly.mount(&mount)?;
    }
    Ok(assembly)
}

const DEV: &str = "tmpfs /dev tmpfs nosuid,mode=755";
const PTS: &str = "devpts /dev/pts devpts newinstance,ptmxmode=0666,mode=0620";

fn expect_devices(dev: &str, mode: u32) -> Result<()> {
    for (name, device) in [
        ("null", (1, 3)),
        ("zero", (1, 5)),
        ("full", (1, 7)),
        ("random", (1, 8)),
        ("urandom", (1, 9)),
        ("tty", (5, 0)),
    ] {
        let status = fs::symlink_metadata(format!("{dev}/{name}"))?;
        expect_eq!(status.file_type().is_char_device(), true, "{name}");
        expect_eq!((major(status.rdev()), minor(status.rdev())), device, "{name}");
        expect_eq!(status.permissions().mode() & 0o777, mode, "{name}");
    }
    Ok(())
}

pub(crate) fn default_devices_and_links_in_a_new_dev() -> Result<()> {
    let folder = jail::folder("root")?;
    let root = jail::enter(&folder)?;
    let assembly = assemble(&root, &[DEV])?;
    let kept = |path: &_| assembly.kept(path);
    make_nodes(&root, &default_nodes(vec![]), false, kept)?;
    make_links(&Folder::find(&root, &rooted("/dev"), kept)?)?;
    let dev = folder.join("dev").display().to_string();
    expect_devices(&dev, 0o666)?;
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        expect_eq!(fs::read_link(format!("{dev}/{name}"))?.to_string_lossy(), target, "{name}");
    }
    Ok(())
}

pub(crate) fn other_devices_have_their_folder_owner_and_mode() -> Result<()> {
    let folder = jail::folder("root")?;
    let root = jail::enter(&folder)?;
    let assembly = assemble(&root, &[DEV])?;
    let path = rooted("/dev/net/tun");
    let mut node =
        Node { path, kind: Kind::Character, major: 10, minor: 200, mode: 0o640, user: 7, group: 8 };
    make_nodes(&root, std::slice::from_ref(&node), false, |path| assembly.kept(path))?;
    // Outside of any file system of ours too.
    node.path = rooted("/elsewhere/fifo");
    node.kind = Kind::Fifo;
    make_nodes(&root, std::slice::from_ref(&node), false, |path| assembly.kept(path))?;
    for place in ["dev/net/tun", "elsewhere/fifo"] {
        let status = fs::symlink_metadata(folder.join(place))?;
        let found = (status.uid(), status.gid(), status.permissions().mode() & 0o7777);
        expect_eq!(found, (7, 8, 0o640), "{place}");
    }
    expect_eq!(fs::symlink_metadata(folder.join("elsewhere/fifo"))?.file_type().is_fifo(), true);
    Ok(())
}

pub(crate) fn in_a_user_namespace_devices_are_the_machines() -> Result<()> {
    let folder = jail::folder("root")?;
    let root = jail::enter_as_user(&folder)?;
    let assembly = assemble(&root, &[DEV])?;
    make_nodes(&root, &default_nodes(vec![]), true, |path| assembly.kept(path))?;
    expect_devices(&folder.join("dev").display().to_string(), 0o666)?;
    fs::write(folder.join("dev/null"), "x").context("to write to /dev/null")?;

    let path = rooted("/dev/zero");
    let wrong =
        Node { path, kind: Kind::Character, major: 1, minor: 3, mode: 0o666, user: 0, group: 0 };
    let error = make_nodes(&root, &[wrong], true, |path| assembly.kept(path)).unwrap_err();
    expect_eq!(error.to_string().contains("must be the machine's /dev/zero"), true, "{error}");
    Ok(())
}

pub(crate) fn without_a_dev_of_its_own_files_of_the_image_are_covered_and_no_link_is_followed()
-> Result<()> {
    let folder = jail::folder("root")?;
    fs::create_dir(folder.join("dev"))?;
    // As an image that was unpacked without the right to make devices has it.
    fs::write(folder.join("dev/null"), "no device")?;
    let root = jail::enter(&folder)?;
    let none = |_: &_| None;
    umask(Mode::empty());
    make_nodes(&root, &default_nodes(vec![]), false, none)?;
    make_nodes(&root, &default_nodes(vec![]), false, none).context("a second time")?;
    expect_devices(&folder.join("dev").display().to_string(), 0o666)?;

    // The attack: what is written to /dev/zero shall land outside.
    let outside = jail::folder("outside")?.join("file");
    fs::remove_file(folder.join("dev/zero"))?;
    symlink(&outside, folder.join("dev/zero"))?;
    make_nodes(&root, &default_nodes(vec![]), false, none)?;
    expect_eq!(fs::exists(&outside)?, false);
    // The machine's is mounted over the link itself.
    expect_devices(&folder.join("dev").display().to_string(), 0o666)
}

pub(crate) fn a_dev_that_leads_out_of_the_root_stays_inside() -> Result<()> {
    let folder = jail::folder("root")?;
    let outside = jail::folder("outside")?;
    symlink(&outside, folder.join("dev"))?;
    let root = jail::enter(&folder)?;
    umask(Mode::empty());
    let none = |_: &_| None;
    make_nodes(&root, &default_nodes(vec![]), false, none)?;
    make_links(&Folder::find(&root, &rooted("/dev"), none)?)?;
    expect_eq!(fs::read_dir(&outside)?.count(), 0);
    // The absolute link leads to the same path inside the root.
    let inside = folder.join(outside.strip_prefix("/")?);
    expect_devices(&inside.display().to_string(), 0o666)
}

fn console(root: &Root, assembly: &Assembly<'_>) -> Result<Console> {
    let console = Console::open(root, &Procfs::open()?)?;
    console.set_size(97, 31)?;
    console.mount(&Folder::find(root, &rooted("/dev"), |path| assembly.kept(path))?)?;
    Ok(console)
}

pub(crate) fn a_terminal_is_of_the_containers_devpts() -> Result<()> {
    let folder = jail::folder("root")?;
    let root = jail::enter(&folder)?;
    let assembly = assemble(&root, &[DEV, PTS])?;
    let console = console(&root, &assembly)?;
    let peer = sys::rustix::fs::fstat(&console.peer)?;
    let mounted = fs::metadata(folder.join("dev/console"))?;
    expect_eq!((mounted.dev(), mounted.ino()), (peer.st_dev, peer.st_ino));
    expect_eq!(mounted.rdev(), fs::metadata(folder.join("dev/pts/0"))?.rdev());
    let child = crate::support::sys::fork(0, || {
        let session = take_terminal(console.peer.as_fd()).is_ok();
        let size = sys::rustix::termios::tcgetwinsize(std::io::stdout());
        let size = size.map(|size| (size.ws_col, size.ws_row));
        let reached = fs::File::open("/dev/tty").is_ok();
        i32::from(!(session && reached && size == Ok((97, 31))))
    })?;
    let (_, change) = crate::support::sys::wait(child, 0)?.context("it ends")?;
    expect_eq!(change, crate::support::sys::Change::Exited(0));
    Ok(())
}

pub(crate) fn a_ptmx_that_is_none_opens_no_terminal() -> Result<()> {
    let folder = jail::folder("root")?;
    let root = jail::enter(&folder)?;
    let _assembly = assemble(&root, &[DEV])?;
    let procfs = Procfs::open()?;
    let open = || Console::open(&root, &procfs).err();
    let refused = |what: &str| -> Result<()> {
        let error = open().with_context(|| what.to_owned())?;
        expect_eq!(matches!(error, Error::NotPtmx { .. }), true, "{what}: {error}");
        Ok(())
    };
    let error = open().context("no devpts")?.to_string();
    expect_eq!(error.contains("errno 2"), true, "{error}");
    // A device of the same number outside of a devpts opens a terminal of the machine's.
    fs::create_dir(folder.join("dev/pts"))?;
    let ptmx = folder.join("dev/pts/ptmx");
    let device = sys::rustix::fs::makedev(5, 2);
    let kind = sys::rustix::fs::FileType::CharacterDevice;
    sys::rustix::fs::mknodat(sys::rustix::fs::CWD, &ptmx, kind, Mode::RUSR | Mode::WUSR, device)?;
    refused("a device on a tmpfs")?;
    fs::remove_file(&ptmx)?;
    symlink("/dev/pts/ptmx", &ptmx)?;
    let error = open().context("a link to the machine's")?.to_string();
    expect_eq!(error.contains("errno 40"), true, "{error}");
    fs::remove_file(&ptmx)?;
    // A file of the right file system that is not ptmx.
    fs::write(&ptmx, "")?;
    let flags = sys::rustix::pty::OpenptFlags::RDWR | sys::rustix::pty::OpenptFlags::NOCTTY;
    let master = sys::rustix::pty::openpt(flags)?;
    let other = sys::rustix::pty::ptsname(&master, Vec::new())?;
    sys::rustix::mount::mount_bind(other.as_c_str(), &ptmx)?;
    refused("another terminal")
}
