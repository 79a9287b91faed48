//! Device nodes, the links beside them, and who may use which.

use anyhow::{Result, ensure};
use serde_json::json;

use super::support::{Bundle, Container};
use crate::expect_eq;

/// `c 10:229` exists on most machines and opening it does nothing.
const FUSE: &str = "c 10 229";

/// Says whether a node for [`FUSE`] can be opened.
const OPEN_FUSE: &str = "mknod /dev/node c 10 229 && \
    (exec 3< /dev/node) 2>/dev/null && echo opened || echo refused";

fn fuse() -> Result<()> {
    if std::fs::File::open("/dev/fuse").is_err() {
        harness::skip("there is no /dev/fuse")?;
    }
    Ok(())
}

fn with_mknod(script: &str) -> Result<Bundle> {
    Ok(Bundle::script(script)?.capabilities(&["CAP_MKNOD"]))
}

pub(crate) fn the_default_devices_and_links_are_there() -> Result<()> {
    let script = "cd /dev; for n in null zero full random urandom tty; do \
            stat -c '%n %F %a %t:%T %u' $n; done; \
        for n in fd stdin stdout stderr ptmx; do echo $n $(readlink $n); done; \
        echo text > null; head -c 3 zero | od -An -tx1; echo x 2>/dev/null > full || echo full; \
        head -c 5 urandom | wc -c; ls | tr '\\n' ' '";
    let said = Container::new(Bundle::script(script)?)?.output()?;
    let expected = "null character special file 666 1:3 0\nzero character special file 666 1:5 0\n\
        full character special file 666 1:7 0\nrandom character special file 666 1:8 0\n\
        urandom character special file 666 1:9 0\ntty character special file 666 5:0 0\n\
        fd /proc/self/fd\nstdin /proc/self/fd/0\nstdout /proc/self/fd/1\n\
        stderr /proc/self/fd/2\nptmx pts/ptmx\n 00 00 00\nfull\n5\n";
    let rest = said.strip_prefix(expected);
    ensure!(rest.is_some(), "it says {said:?}");
    // crun also links `core`; nothing else of the machine's may be seen.
    let rest = rest.unwrap_or_default().replace("core ", "");
    expect_eq!(
        rest,
        "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "
    );
    Ok(())
}

pub(crate) fn devices_are_made_as_configured() -> Result<()> {
    let devices = json!([
        { "path": "/dev/a/deep/one", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640,
          "uid": 7, "gid": 8 },
        { "path": "/dev/block", "type": "b", "major": 7, "minor": 0, "fileMode": 0o600 },
        { "path": "/work/fifo", "type": "p", "fileMode": 0o622 },
        { "path": "/dev/unbuffered", "type": "u", "major": 1, "minor": 3, "fileMode": 0o666 },
    ]);
    let script =
        "stat -c '%F %a %t:%T %u:%g' /dev/a/deep/one /dev/block /work/fifo /dev/unbuffered";
    let bundle = Bundle::script(script)?.set("/linux/devices", devices);
    let expected = "character special file 640 a:e5 7:8\nblock special file 600 7:0 0:0\n\
        fifo 622 0:0 0:0\ncharacter special file 666 1:3 0:0\n";
    expect_eq!(Container::new(bundle)?.output()?, expected);
    Ok(())
}

/// 2020, runc: the list of allowed devices was treated as a list of forbidden ones.
pub(crate) fn what_is_not_allowed_is_refused() -> Result<()> {
    fuse()?;
    let refused = Container::new(with_mknod(OPEN_FUSE)?)?;
    expect_eq!(refused.output()?, "refused\n", "{FUSE} by default");
    let rules = json!([
        { "allow": false, "access": "rwm" },
        { "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rwm" },
    ]);
    let allowed = Container::new(with_mknod(OPEN_FUSE)?.set("/linux/resources/devices", rules))?;
    expect_eq!(allowed.output()?, "opened\n", "{FUSE} when allowed");
    // One that allows something allows nothing beside.
    let rules = json!([{ "allow": true, "type": "c", "major": 10, "minor": 230, "access": "rwm" }]);
    let beside = Container::new(with_mknod(OPEN_FUSE)?.set("/linux/resources/devices", rules))?;
    expect_eq!(beside.output()?, "refused\n", "{FUSE} when 10:230 is allowed");
    Ok(())
}

pub(crate) fn rules_apply_in_order_and_by_access() -> Result<()> {
    fuse()?;
    let script =
        format!("{OPEN_FUSE}; (exec 3>> /dev/node) 2>/dev/null && echo writable || echo read-only");
    for (rules, said) in [
        (
            json!([{ "allow": true, "access": "rwm" },
                   { "allow": false, "type": "c", "major": 10, "minor": 229, "access": "rw" }]),
            "refused\nread-only\n",
        ),
        (
            json!([{ "allow": false, "access": "rwm" },
                   { "allow": true, "type": "c", "major": 10, "access": "r" }]),
            "opened\nread-only\n",
        ),
        (
            json!([{ "allow": false, "access": "rwm" },
                   { "allow": true, "type": "c", "access": "rwm" }]),
            "opened\nwritable\n",
        ),
    ] {
        let bundle = with_mknod(&script)?.set("/linux/resources/devices", rules.clone());
        expect_eq!(Container::new(bundle)?.output()?, said, "{rules}");
    }
    Ok(())
}

/// Making a node is no use of it.
pub(crate) fn nodes_can_be_made_but_not_used() -> Result<()> {
    let script = "mknod /dev/block b 7 0 && echo made; head -c 1 /dev/block >/dev/null 2>&1 \
        && echo read || echo refused";
    expect_eq!(Container::new(with_mknod(script)?)?.output()?, "made\nrefused\n");
    Ok(())
}

/// There `mknod` is forbidden, and the machine's own nodes are bound in.
pub(crate) fn in_a_user_namespace_devices_work_too() -> Result<()> {
    let script = "cd /dev; for n in null zero full random urandom tty; do \
        [ -c $n ] && echo $n; done; echo text > null; head -c 3 zero | od -An -tx1";
    let bundle = Bundle::script(script)?.user_namespace(200_000)?;
    let said = Container::new(bundle)?.output()?;
    expect_eq!(said, "null\nzero\nfull\nrandom\nurandom\ntty\n 00 00 00\n");
    Ok(())
}

/// `/dev` of the image itself, without a mount of its own.
pub(crate) fn without_a_mount_on_dev_devices_are_made_in_the_image() -> Result<()> {
    let bundle = Bundle::script("stat -c %t:%T /dev/null /dev/zero")?
        .without_mount("/dev")
        .without_mount("/dev/pts")
        .without_mount("/dev/shm")
        .without_mount("/dev/mqueue");
    // What the image had in the place of a device goes.
    std::fs::write(bundle.rootfs().join("dev/null"), "")?;
    let container = Container::new(bundle)?;
    let finished = container.run()?;
    // A plain file in the place of a device is either replaced or refused, never used.
    if finished.code()? == 0 {
        expect_eq!(finished.stdout, "1:3\n1:5\n");
    }
    expect_eq!(std::fs::read(container.bundle.rootfs().join("dev/null")).unwrap_or_default(), b"");
    Ok(())
}

pub(crate) fn masked_paths_are_empty() -> Result<()> {
    let script = "cat /work/secret; ls /work/folder; \
        for f in /work/secret /work/folder/new; do \
            (echo x > $f) 2>/dev/null && echo written $f; done; \
        grep -c /work/folder /proc/self/mountinfo; echo end; cat /work/secret";
    let paths = json!(["/work/secret", "/work/folder", "/no/such/path"]);
    let bundle =
        Bundle::script(script)?.set("/linux/maskedPaths", paths).set("/root/readonly", false);
    let work = bundle.rootfs().join("work");
    std::fs::write(work.join("secret"), "secret\n")?;
    std::fs::create_dir(work.join("folder"))?;
    std::fs::write(work.join("folder/inner"), "secret\n")?;
    let container = Container::new(bundle)?;
    let said = container.output()?;
    // What is written to the mask of a file goes where all goes that is written to /dev/null.
    let said = said.replace("written /work/secret\n", "");
    expect_eq!(said, "1\nend\n");
    expect_eq!(std::fs::read_to_string(work.join("secret"))?, "secret\n");
    Ok(())
}

pub(crate) fn read_only_paths_are_read_only() -> Result<()> {
    let script = "for f in /work/file /work/folder/file /work/folder/inner/file /work/other; do \
        (echo x > $f) 2>/dev/null && echo written $f; done; cat /work/file";
    let paths = json!(["/work/file", "/work/folder", "/no/such/path"]);
    let bundle = Bundle::script(script)?
        .set("/linux/readonlyPaths", paths)
        .set("/root/readonly", false)
        .mount("/work/folder/inner", "tmpfs", "tmpfs", "");
    let work = bundle.rootfs().join("work");
    std::fs::create_dir_all(work.join("folder/inner"))?;
    std::fs::write(work.join("file"), "text\n")?;
    let said = Container::new(bundle)?.output()?;
    // Below a read-only path other mounts keep their own word, as runc has it, or follow.
    let said = said.replace("written /work/folder/inner/file\n", "");
    expect_eq!(said, "written /work/other\ntext\n");
    Ok(())
}

pub(crate) fn a_root_among_the_read_only_paths_is_read_only() -> Result<()> {
    let script = "(echo x > /etc/other) 2>/dev/null && echo written; echo x > /tmp/file && echo ok";
    let bundle = Bundle::script(script)?
        .set("/linux/readonlyPaths", json!(["/tmp/.."]))
        .set("/root/readonly", false)
        .mount("/tmp", "tmpfs", "tmpfs", "");
    expect_eq!(Container::new(bundle)?.output()?, "ok\n");
    Ok(())
}

pub(crate) fn the_sensitive_parts_of_proc_are_hidden() -> Result<()> {
    let script = "cat /proc/keys /proc/timer_list 2>/dev/null; ls /sys/firmware /proc/acpi 2>/dev/null; \
        (echo 1 > /proc/sys/kernel/panic) 2>/dev/null && echo written; true";
    expect_eq!(
        Container::new(Bundle::script(script)?)?.output()?,
        "/proc/acpi:\n\n/sys/firmware:\n"
    );
    Ok(())
}
