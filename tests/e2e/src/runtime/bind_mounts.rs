//! Bind mounts: what they have of their source, and ids that are mapped.

use std::fs;

use anyhow::{Result, ensure};
use rustix::mount::{MountFlags, mount, mount_remount};
use serde_json::json;

use super::mounts::find;
use super::support::{Bundle, Container, unshare_mounts};
use crate::expect_eq;
use crate::support::scratch;

/// Docker's `-v /home/me:/work:ro` of a home that is mounted `noexec`, and a node whose volumes lie
/// on such a mount: where options are told, they are all there is. Without any, and where a user
/// namespace locks it, the container has what the machine has.
pub(crate) fn a_bind_mount_with_options_has_only_these() -> Result<()> {
    unshare_mounts()?;
    let source = scratch("bound");
    fs::create_dir(&source)?;
    mount("tmpfs", &source, "tmpfs", MountFlags::NOATIME, None)?;
    let forbidden = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    let forbidden = forbidden | MountFlags::NOEXEC | MountFlags::NOATIME | MountFlags::BIND;
    mount_remount(&source, forbidden, "")?;
    for (options, is_locked, has, has_not) in [
        ("rbind,rprivate", false, "ro nosuid nodev noexec noatime", "rw"),
        ("rbind,rprivate,ro", false, "ro noatime", "nosuid nodev noexec"),
        ("rbind,rprivate,rw", false, "rw noatime", "nosuid nodev noexec"),
        ("rbind,nodev,exec", false, "rw nodev noatime", "nosuid noexec"),
        ("rbind,relatime", false, "rw relatime", "nosuid nodev noexec noatime"),
        ("rbind,rprivate,ro", true, "ro nosuid nodev noexec noatime", "rw"),
    ] {
        let mut bundle = Bundle::script("cat /proc/self/mountinfo")?;
        if is_locked {
            bundle = bundle.user_namespace(300_000)?;
        }
        let said = Container::new(bundle.mount("/work", "bind", &source, options))?.output()?;
        let found = find(&said, "/work")?.options;
        let is_there = |word: &str| found.iter().any(|it| it == word);
        ensure!(has.split(' ').all(is_there), "{options}: {found:?}");
        ensure!(!has_not.split(' ').any(is_there), "{options}: {found:?}");
    }
    Ok(())
}

pub(crate) fn ids_are_mapped_on_demand() -> Result<()> {
    let source = scratch("ids");
    fs::create_dir(&source)?;
    fs::write(source.join("file"), "")?;
    std::os::unix::fs::chown(source.join("file"), Some(5), Some(6))?;
    let script = "cd /work; stat -c '%u %g' file";
    let mapping = |first: u32| json!([{ "containerID": 0, "hostID": first, "size": 1000 }]);
    let bundle = Bundle::script(script)?.add(
        "/mounts",
        json!({
            "destination": "/work", "type": "bind", "source": source, "options": ["bind", "idmap"],
            "uidMappings": mapping(3000), "gidMappings": mapping(4000),
        }),
    );
    expect_eq!(output_if_mapped(&Container::new(bundle)?)?, "3005 4006\n");
    Ok(())
}

/// The output, unless the kernel cannot map the ids of the test's files.
pub(super) fn output_if_mapped(container: &Container) -> Result<String> {
    let finished = container.run()?;
    if finished.stderr.contains("its file system cannot have them mapped") {
        harness::skip("this kernel maps no ids of the file system with the test's files")?;
    }
    finished.expect_code(0)?;
    Ok(finished.stdout)
}

/// With a user namespace and no mapping of its own, an id-mapped mount takes the container's.
pub(crate) fn ids_are_mapped_as_in_the_user_namespace() -> Result<()> {
    let source = scratch("ids");
    fs::create_dir(&source)?;
    fs::write(source.join("file"), "")?;
    std::os::unix::fs::chown(source.join("file"), Some(5), Some(6))?;
    let bundle = Bundle::script("cd /work; stat -c '%u %g' file; touch new")?
        .user_namespace(300_000)?
        .mount("/work", "bind", &source, "rbind,ridmap");
    expect_eq!(output_if_mapped(&Container::new(bundle)?)?, "5 6\n");
    use std::os::unix::fs::MetadataExt as _;
    let made = fs::metadata(source.join("new"))?;
    expect_eq!((made.uid(), made.gid()), (0, 0), "the owner of what it made");
    Ok(())
}

/// Who joins a user namespace has its maps for such a mount, too, without telling them again.
pub(crate) fn ids_are_mapped_as_in_a_joined_user_namespace() -> Result<()> {
    let source = scratch("ids");
    fs::create_dir(&source)?;
    fs::write(source.join("file"), "")?;
    std::os::unix::fs::chown(source.join("file"), Some(5), Some(6))?;
    let first = Container::new(Bundle::service()?.user_namespace(300_000)?)?;
    first.start_service()?;
    let bundle = Bundle::script("cd /work && stat -c '%u %g' file")?
        .join("user", format!("/proc/{}/ns/user", first.pid()?))
        .mount("/work", "bind", &source, "rbind,ridmap");
    std::os::unix::fs::chown(bundle.rootfs(), Some(300_000), Some(300_000))?;
    expect_eq!(output_if_mapped(&Container::new(bundle)?)?, "5 6\n");
    Ok(())
}
