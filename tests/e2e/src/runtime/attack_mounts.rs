//! Mounts that a container with rights in a user namespace of its own takes apart: nothing that
//! the machine's administrator has forbidden or covered may come back.

use anyhow::{Result, ensure};
use rustix::mount::{MountFlags, mount};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use super::bind_mounts::output_if_mapped;
use super::support::bundle::write_rootfs;
use super::support::{Bundle, Container, unshare_mounts};
use crate::expect_eq;
use crate::support::scratch;

/// A file system that allows nothing, with another one that covers a file of it, behind a folder
/// that only root may enter.
fn restricted_source() -> Result<PathBuf> {
    unshare_mounts()?;
    let closed = scratch("closed");
    let source = closed.join("source");
    fs::create_dir_all(&source)?;
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700))?;
    mount("source", &source, "tmpfs", MountFlags::empty(), None)?;
    fs::create_dir(source.join("covered"))?;
    fs::write(source.join("covered/secret"), "secret\n")?;
    mount("cover", source.join("covered"), "tmpfs", MountFlags::empty(), None)?;
    let all = MountFlags::RDONLY
        | MountFlags::NOSUID
        | MountFlags::NODEV
        | MountFlags::NOEXEC
        | MountFlags::NOATIME;
    rustix::mount::mount_remount(&source, all | MountFlags::BIND, c"")?;
    Ok(source)
}

/// Everything stays as it is, one thing is taken off; and what covers is taken away.
const ATTACK: &str = "\
    try() { mount -o remount,bind,$1 none /work 2>/dev/null && echo $2; }
    try ro,nosuid,nodev,noexec,noatime same
    try nosuid,nodev,noexec,noatime rw
    try ro,nodev,noexec,noatime suid
    try ro,nosuid,noexec,noatime dev
    try ro,nosuid,nodev,noatime exec
    try ro,nosuid,nodev,noexec,relatime atime
    echo x 2>/dev/null > /work/new && echo written
    umount /work/covered 2>/dev/null; cat /work/covered/secret 2>/dev/null
    umount -l /work/covered 2>/dev/null; cat /work/covered/secret 2>/dev/null
    mkdir /tmp/again && mount -o bind /work /tmp/again 2>/dev/null && \\
        cat /tmp/again/covered/secret 2>/dev/null
    true";

fn attack(bundle: Bundle) -> Result<()> {
    let rights = bundle
        .capabilities(&["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"])
        .mount("/tmp", "tmpfs", "tmpfs", "");
    let container = Container::new(rights)?;
    // Were that not possible, it would not be known that the rest was refused for its own sake.
    expect_eq!(output_if_mapped(&container)?, "same\n");
    container.expect_gone()
}

pub(crate) fn what_the_machine_forbids_cannot_be_taken_off() -> Result<()> {
    let source = restricted_source()?;
    attack(Bundle::script(ATTACK)?.user_namespace(250_000)?.mount("/work", "bind", source, "rbind"))
}

pub(crate) fn nor_where_ids_are_mapped() -> Result<()> {
    let source = restricted_source()?;
    let bundle = Bundle::script(ATTACK)?.user_namespace(250_000)?;
    attack(bundle.mount("/work", "bind", source, "rbind,ridmap"))
}

/// Without the mount below, what it covers would be open.
pub(crate) fn what_covers_is_not_left_out() -> Result<()> {
    let source = restricted_source()?;
    let bundle = Bundle::script("cat /work/covered/secret")?.user_namespace(250_000)?;
    let container = Container::new(bundle.mount("/work", "bind", source, "bind"))?;
    let finished = container.run()?;
    ensure!(finished.code()? != 0, "it ran: {}", finished.stdout);
    finished.expect_stderr("rbind")?;
    container.expect_gone()
}

/// The kernel lets a user namespace mount a procfs only where a whole one is seen: that of the
/// machine must not be in the namespace any more, not even out of sight.
pub(crate) fn what_is_masked_in_proc_is_not_seen_in_a_new_one() -> Result<()> {
    let script = "unshare -r -m -p -f mount -t proc proc /tmp && echo mounted; \
        unshare -r -m -n mount -t sysfs sysfs /tmp && echo mounted; echo end";
    let bundle = || Bundle::script(script).map(|bundle| bundle.set("/process/user/uid", 1000));
    for flags in [&[][..], &["--no-pivot"]] {
        let container = Container::new(bundle()?)?;
        let finished = container.launch_new("run", flags).finish()?;
        finished.expect_code(0)?;
        expect_eq!(finished.stdout, "end\n", "{flags:?}");
        // It is the kernel that says no, and not a lack of programs or of user namespaces.
        finished.expect_stderr("permission denied")?;
        container.expect_gone()?;
    }
    // With nothing masked, it is allowed.
    let open = bundle()?.remove("/linux/maskedPaths").remove("/linux/readonlyPaths");
    let finished = Container::new(open)?.run()?;
    ensure!(finished.stdout.starts_with("mounted\n"), "it is never allowed: {finished:?}");
    Ok(())
}

/// What is to be changed of a mount is changed of the root's, by a link of the image: and that is a
/// file system of the machine, which nobody could write to any more.
pub(crate) fn no_link_leads_a_remount_to_the_machines_file_system() -> Result<()> {
    unshare_mounts()?;
    let machine = scratch("machine");
    fs::create_dir(&machine)?;
    mount("machine", &machine, "tmpfs", MountFlags::empty(), None)?;
    let rootfs = machine.join("rootfs");
    write_rootfs(&rootfs)?;
    for (link, to) in [("root", "/"), ("up", ".."), ("proc", "/proc"), ("shm", "/dev/shm")] {
        symlink(to, rootfs.join("tmp").join(link))?;
        for options in ["remount,ro", "remount,bind,ro"] {
            let bundle = Bundle::on_rootfs(&["/bin/true"], Some(&rootfs))?.mount(
                &format!("/tmp/{link}"),
                "tmpfs",
                "tmpfs",
                options,
            );
            let container = Container::new(bundle)?;
            let finished = container.run()?;
            fs::write(machine.join("written"), "")?;
            let is_refused = finished.code()? != 0;
            expect_eq!(is_refused, (link, options) != ("shm", "remount,bind,ro"), "{finished:?}");
            container.expect_gone()?;
        }
    }
    Ok(())
}
