//! Images and containers that mean harm to the machine, to `tinyo`, or to who types its commands.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::support::{Engine, end_of};
use crate::expect_eq;
use crate::support::{scratch, until};

/// What no container and no image may get at.
const SECRET: &str = "of the machine";

/// A file of the machine, outside of the store.
fn secret() -> Result<PathBuf> {
    let path = scratch("secret");
    fs::write(&path, SECRET)?;
    Ok(path)
}

/// An image as somebody else made it, whatever it says: `prepare` adds to the files of `box`.
fn image(
    engine: &Engine,
    name: &str,
    config: &Value,
    prepare: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let folder = scratch(&format!("{name}.image"));
    let (root, layer) = (folder.join("root"), folder.join("layer.tar"));
    fs::create_dir_all(&folder)?;
    let copied = Command::new("cp").arg("-a").arg(scratch("box")).arg(&root).status()?;
    ensure!(copied.success());
    prepare(&root)?;
    tar(&layer, &root, &["."])?;
    let diff_id = format!("sha256:{}", digest(&layer)?);
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created_by": config["History"].as_str().unwrap_or("test")}],
    });
    fs::write(folder.join("config.json"), config.to_string())?;
    let manifest = json!([{
        "Config": "config.json", "RepoTags": [format!("{name}:latest")], "Layers": ["layer.tar"],
    }]);
    fs::write(folder.join("manifest.json"), manifest.to_string())?;
    let archive = folder.join("image.tar");
    tar(&archive, &folder, &["manifest.json", "config.json", "layer.tar"])?;
    engine.ok(&["load", "-i", archive.to_str().context("UTF-8")?])?;
    Ok(())
}

fn digest(path: &Path) -> Result<String> {
    let text = end_of(Command::new("sha256sum").arg(path))?.stdout;
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}

fn tar(archive: &Path, folder: &Path, names: &[&str]) -> Result<()> {
    let mut tar = Command::new("tar");
    let status = tar.arg("-C").arg(folder).arg("-cf").arg(archive).args(names).status()?;
    ensure!(status.success(), "{tar:?}");
    Ok(())
}

/// Programs with other rights and secrets of containers are nothing for the machine's other users
/// (CVE-2021-41091, CVE-2021-41103).
pub(crate) fn other_users_cannot_look_into_the_store() -> Result<()> {
    let engine = Engine::new()?;
    let script = "cp /bin/busybox /data/root && chmod 4755 /data/root && chmod 777 /data";
    engine.start("one", &["-v", "kept:/data", "-v", "/filled", "--network=none"], script)?;
    engine.ok(&["wait", "one"])?;
    let mut find = Command::new("busybox");
    find.arg("find").arg(&engine.store).args(["-perm", "-4000"]);
    let program = end_of(&mut find)?.stdout;
    let program = program.lines().next().context("the program is nowhere")?;
    let mut attacker = Command::new(program);
    attacker.args(["id", "-u"]).uid(65534).gid(65534);
    let ran = attacker.output();
    ensure!(ran.is_err(), "another user runs a program of a container: {ran:?}");
    let mut look = Command::new("ls");
    look.arg(&engine.store).uid(65534).gid(65534);
    ensure!(end_of(&mut look)?.code != Some(0), "another user looks into the store");
    Ok(())
}

/// Ids that are too large become no others (CVE-2024-40635).
pub(crate) fn users_of_an_image_are_whom_it_says_or_nobody() -> Result<()> {
    let engine = Engine::new()?;
    let users = ["4294967296", "4294967295", "-1", "0x0", "18446744073709551616", "1:4294967296"];
    for (index, user) in users.into_iter().enumerate() {
        let name = format!("user{index}");
        image(&engine, &name, &json!({"User": user, "Cmd": ["id", "-u"]}), |_| Ok(()))?;
        let done = engine.run(&["run", "--rm", "--network=none", &name])?;
        ensure!(done.code == Some(125) && done.stdout.is_empty(), "{user}: {done:#?}");
    }
    image(&engine, "high", &json!({"User": "4294967294", "Cmd": ["id", "-u"]}), |_| Ok(()))?;
    expect_eq!(engine.ok(&["run", "--rm", "--network=none", "high"])?, "4294967294");
    Ok(())
}

/// Puts something where a file would be.
type Make<'a> = &'a dyn Fn(&Path) -> Result<()>;

/// The files that say who there is may be anything.
pub(crate) fn a_passwd_that_is_none_is_not_read() -> Result<()> {
    let engine = Engine::new()?;
    let outside = scratch("outside");
    fs::write(&outside, "evil:x:0:0::/:/bin/sh\n")?;
    let replace = |root: &Path, with: &dyn Fn(&Path) -> Result<()>| {
        let path = root.join("etc/passwd");
        fs::remove_file(&path)?;
        with(&path)
    };
    let fifo = |path: &Path| {
        let path = CString::new(path.as_os_str().as_encoded_bytes())?;
        let mode = rustix::fs::Mode::from_raw_mode(0o644);
        Ok(rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0)?)
    };
    let kinds: [(&str, Make<'_>); 5] = [
        ("link", &|path| Ok(symlink(&outside, path)?)),
        ("up", &|path| {
            let up = format!("../../../../../../../../..{}", outside.display());
            Ok(symlink(up, path)?)
        }),
        ("zero", &|path| Ok(symlink("/dev/zero", path)?)),
        ("fifo", &fifo),
        ("folder", &|path| Ok(fs::create_dir(path)?)),
    ];
    for (name, with) in kinds {
        image(&engine, name, &json!({}), |root| replace(root, with))?;
        let mut run = engine.command(&["run", "--rm", "--network=none", "-u", "evil", name, "id"]);
        let done = end_of(&mut run)?;
        ensure!(done.code == Some(125) && done.stdout.is_empty(), "{name}: {done:#?}");
        ensure!(done.stderr.contains("unable to find user evil"), "{name}: {done:#?}");
        // Nor once it runs.
        engine.ok(&["run", "-d", "--name", name, "--network=none", name, "sleep", "100"])?;
        let done = engine.run(&["exec", "-u", "evil", name, "id"])?;
        ensure!(done.code != Some(0) && done.stdout.is_empty(), "{name}: {done:#?}");
    }
    Ok(())
}

/// What is copied into a new volume is of the image, wherever it says its volume is
/// (CVE-2022-23648).
pub(crate) fn volumes_of_an_image_take_nothing_from_the_machine() -> Result<()> {
    let engine = Engine::new()?;
    let secret = secret()?;
    let folder = secret.parent().context("parent")?.to_string_lossy().into_owned();
    let up = format!("/../../../../../../../../..{folder}");
    for (index, volume) in [up.as_str(), &folder, "/link"].into_iter().enumerate() {
        let name = format!("volume{index}");
        let config =
            json!({"Volumes": {volume: {}}, "Cmd": ["sh", "-c", "cat */secret $0/secret", volume]});
        image(&engine, &name, &config, |root| Ok(symlink(&folder, root.join("link"))?))?;
        let done = engine.run(&["run", "--rm", "--network=none", &name])?;
        ensure!(!done.stdout.contains(SECRET), "{volume}: {done:#?}");
        let copied =
            Command::new("busybox").arg("find").arg(engine.store.join("volumes")).output()?;
        let copied = String::from_utf8_lossy(&copied.stdout).into_owned();
        ensure!(!copied.contains("secret"), "{volume}: {copied}");
    }
    expect_eq!(fs::read_to_string(&secret)?, SECRET);
    // What is no path at all is refused by name, and nothing is left.
    image(&engine, "relative", &json!({"Volumes": {"": {}}}), |_| Ok(()))?;
    let done = engine.run(&["run", "--rm", "--network=none", "relative", "true"])?;
    ensure!(done.code == Some(125) || done.code == Some(0), "{done:#?}");
    Ok(())
}

/// The files that are mounted into each container go nowhere else.
pub(crate) fn files_of_names_that_lead_out_stay_inside() -> Result<()> {
    let engine = Engine::new()?;
    let secret = secret()?;
    image(&engine, "links", &json!({}), |root| {
        for name in ["hosts", "hostname", "resolv.conf"] {
            symlink(&secret, root.join("etc").join(name))?;
        }
        Ok(())
    })?;
    let script = "cat /etc/hosts; echo written > /etc/hosts";
    let done = engine.run(&["run", "--rm", "--network=bridge", "links", "sh", "-c", script])?;
    ensure!(!done.stdout.contains(SECRET), "{done:#?}");
    expect_eq!(fs::read_to_string(&secret)?, SECRET);
    Ok(())
}

/// Texts of others are shown, and not obeyed by a terminal.
pub(crate) fn no_text_of_an_image_reaches_the_terminal_raw() -> Result<()> {
    let engine = Engine::new()?;
    let evil = "\u{1b}]0;owned\u{7}\u{9b}31m\r";
    let config = json!({
        "Cmd": ["sleep", "100", evil], "Entrypoint": null, "History": evil,
        "Labels": {"name": evil}, "Env": [format!("EVIL={evil}")],
    });
    image(&engine, "evil", &config, |_| Ok(()))?;
    engine.ok(&[
        "run",
        "-d",
        "--name",
        "one",
        "--network=none",
        "evil",
        "sh",
        "-c",
        "sleep 100; :",
        evil,
    ])?;
    let commands: [&[&str]; 5] = [
        &["ps", "--no-trunc"],
        &["history", "--no-trunc", "evil"],
        &["images"],
        &["top", "one"],
        &["ps", "--format", "table {{.Names}}\t{{.Command}}\t{{.Labels}}"],
    ];
    for words in commands {
        let text = engine.ok(words)?;
        let raw = text.chars().find(|it| it.is_control() && !matches!(it, '\n' | '\t'));
        ensure!(raw.is_none(), "{words:?}: {raw:?} in {text:?}");
    }
    // Programs get what it really is.
    let text = engine.ok(&["inspect", "-f", "{{index .Config.Labels \"name\"}}", "evil"])?;
    expect_eq!(text, evil);
    Ok(())
}

/// A container that changes its files while they are copied out and in (CVE-2018-15664).
pub(crate) fn cp_is_not_led_out_by_a_race() -> Result<()> {
    let engine = Engine::new()?;
    let secret = secret()?;
    let folder = secret.parent().context("parent")?;
    // A file, a link, a pipe and a folder take turns under one name; so do a folder and a link.
    let script = format!(
        "mkdir /place; while :; do rm -rf /file; echo inside > /file; rm -f /file; \
         ln -s {} /file; rm -f /file; mkfifo /file; mv /place /aside; ln -s {} /place; \
         rm -f /place; mv /aside /place; done",
        secret.display(),
        folder.display()
    );
    image(&engine, "racer", &json!({}), |root| Ok(symlink("busybox", root.join("bin/mkfifo"))?))?;
    engine.ok(&["run", "-d", "--name", "racer", "--network=none", "racer", "sh", "-c", &script])?;
    let (out, given) = (scratch("out"), scratch("given"));
    fs::create_dir(&out)?;
    fs::write(&given, "given")?;
    let (out_text, given) = (out.to_string_lossy(), given.to_string_lossy());
    for turn in 0..150 {
        // They may fail: what is there changes all the time.
        engine.run(&["cp", "racer:/file", &out_text])?;
        engine.run(&["cp", "racer:/place/secret", &out_text])?;
        engine.run(&["cp", &given, "racer:/place/planted"])?;
        for name in ["file", "secret"] {
            let path = out.join(name);
            if path.symlink_metadata().is_ok_and(|it| it.is_file()) {
                ensure!(!fs::read_to_string(&path)?.contains(SECRET), "turn {turn}: it got out");
            }
        }
        ensure!(!folder.join("planted").exists(), "turn {turn}: it wrote outside");
    }
    expect_eq!(fs::read_to_string(&secret)?, SECRET);
    Ok(())
}

/// What enters a container to do something there cannot be overwritten from inside
/// (CVE-2019-5736): neither the program of the monitor nor the init that all containers share.
pub(crate) fn the_programs_that_enter_a_container_stay_as_they_are() -> Result<()> {
    let engine = Engine::new()?;
    let before = digest(&harness::tinyo())?;
    let own = crate::support::own_program();
    let mount = format!("{}:/e2e:ro", own.display());
    let flags = [
        "--network=none",
        "-v",
        &mount,
        "--security-opt",
        "seccomp=unconfined",
        "--cap-add",
        "SYS_PTRACE",
        "--cap-add",
        "DAC_READ_SEARCH",
    ];
    let command = ["box", "/e2e", "--helper", "overwrite-executables=/dev/shm/stop"];
    engine.ok(&[&["run", "-d", "--name", "evil"], &flags[..], &command].concat())?;
    engine.ok(&["exec", "evil", "sh", "-c", "cp /bin/busybox /tmp/sleep"])?;
    for _ in 0..25 {
        engine.run(&["exec", "evil", "/bin/true"])?;
        engine.run(&["exec", "evil", "/proc/self/exe", "--help"])?;
    }
    let target = scratch("target");
    until("the attack works where nothing is in its way", || {
        // As soon as it has worked, this is no program any more.
        engine.run(&["exec", "evil", "/tmp/sleep", "0.3"]).is_ok()
            && engine.ok(&["cp", "evil:/tmp/sleep", &target.to_string_lossy()]).is_ok()
            && fs::read(&target).is_ok_and(|text| text.starts_with(b"overwritten"))
    })?;
    engine.ok(&["exec", "evil", "touch", "/dev/shm/stop"])?;
    engine.ok(&["wait", "evil"])?;
    expect_eq!(digest(&harness::tinyo())?, before, "tinyo was overwritten");
    // The next container's init is what it was.
    expect_eq!(engine.shell(&["--network=none"], "echo well")?, "well");
    Ok(())
}

/// Marks of overlayfs that an image brings along, and files that only look like marks, show
/// nothing that is not there.
pub(crate) fn what_a_container_leaves_is_no_trap_for_its_copy() -> Result<()> {
    let engine = Engine::new()?;
    let script = "mknod /mark c 0 0; ln -s /etc /dir; mkdir /deep; cd /deep; \
        for i in $(seq 400); do mkdir d && cd d; done; cp /bin/busybox /root-owned; \
        chmod 6755 /root-owned; echo done";
    let flags = ["--network=none", "--cap-add", "MKNOD"];
    engine.start("messy", &flags, script)?;
    engine.ok(&["wait", "messy"])?;
    let archive = scratch("messy.tar");
    engine.ok(&["export", "-o", &archive.to_string_lossy(), "messy"])?;
    engine.ok(&["commit", "messy", "copy"])?;
    let depth = "cd /deep; n=0; while cd d 2>/dev/null; do n=$((n+1)); done; echo $n";
    expect_eq!(engine.ok(&["run", "--rm", "--network=none", "copy", "sh", "-c", depth])?, "400");
    let out = scratch("out");
    engine.ok(&["cp", "messy:/root-owned", &out.to_string_lossy()])?;
    expect_eq!(fs::metadata(&out)?.permissions().mode() & 0o7000, 0, "rights are not copied");
    expect_eq!(fs::metadata(&out)?.uid(), 0);
    engine.ok(&["rm", "messy"])?;
    engine.is_clean()
}
