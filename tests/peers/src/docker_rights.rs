//! What containers of Docker with `tinyort` as their runtime may do, and see of the machine.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::commands::{end_of, is_stand_in, runtime, text_of};
use crate::docker::{Docker, Setup};
use crate::docker_runtime::{ALONE, output, run_detached, with_docker};
use crate::sandbox;

/// What keeps a container in, and what lets it out on demand.
pub(crate) fn rights() -> Result<()> {
    with_docker(|docker, _| {
        let said = output(docker, "--read-only", "echo x 2>/dev/null > /file || echo refused")?;
        ensure!(said == "refused", "--read-only: {said}");
        let said = output(
            docker,
            "--read-only --tmpfs /tmp:size=64k",
            "echo x > /tmp/file && cat /tmp/file",
        )?;
        ensure!(said == "x", "--tmpfs: {said}");
        let status =
            "grep -E '^(CapEff|NoNewPrivs|Seccomp:)' /proc/self/status | cut -f 2 | tr '\\n' ' '";
        for (flags, expected) in [
            ("", "00000000a80425fb 0 2 "),
            ("--cap-drop ALL", "0000000000000000 0 2 "),
            ("--cap-drop ALL --cap-add NET_RAW --cap-add CHOWN", "0000000000002001 0 2 "),
            ("--security-opt no-new-privileges", "00000000a80425fb 1 2 "),
            ("--security-opt seccomp=unconfined", "00000000a80425fb 0 0 "),
        ] {
            let said = output(docker, flags, status)?;
            ensure!(said == expected.trim_end(), "{flags}: {said:?}");
        }
        // The default profile refuses what administers the machine.
        let said = output(
            docker,
            "--cap-add SYS_ADMIN --security-opt seccomp=unconfined",
            "mount -t tmpfs none /tmp && echo mounted",
        )?;
        ensure!(said == "mounted", "{said}");
        let said = output(docker, "", "unshare -m true 2>/dev/null || echo refused")?;
        ensure!(said == "refused", "unshare: {said}");
        privileged(docker)?;
        let said = output(
            docker,
            "--sysctl net.ipv4.ip_forward=1 --ulimit nofile=77:88",
            "cat /proc/sys/net/ipv4/ip_forward; grep 'open files' /proc/self/limits | tr -s ' '",
        )?;
        ensure!(said.starts_with("1\nMax open files 77 88"), "{said:?}");
        let said = output(docker, "--device /dev/null:/dev/other:r", "stat -c %t:%T /dev/other")?;
        ensure!(said == "1:3", "--device: {said}");
        let said = output(
            docker,
            "--shm-size 128k --oom-score-adj 500",
            "df -k /dev/shm | awk 'END { print $2 }'; cat /proc/self/oom_score_adj",
        )?;
        ensure!(said == "128\n500", "{said:?}");
        Ok(())
    })
}

/// False on machines that keep one back which the others all have.
pub(crate) fn has_every_capability() -> Result<bool> {
    const SYS_RESOURCE: u64 = 1 << 24;
    let status = fs::read_to_string("/proc/self/status")?;
    let own = status.lines().find_map(|line| line.strip_prefix("CapBnd:\t")).context("CapBnd")?;
    Ok(u64::from_str_radix(own, 16)? & SYS_RESOURCE != 0)
}

/// All that Docker knows of; some machines have less to give.
fn privileged(docker: &Docker) -> Result<()> {
    let script = "mount -t tmpfs none /tmp && echo mounted; \
        [ -w /proc/sysrq-trigger ] && echo open; grep Seccomp: /proc/self/status";
    if !has_every_capability()? {
        let run = format!("--rm {ALONE} --privileged");
        let ended = end_of(&mut docker.run_plain(&run, &["sh", "-c", script]))?;
        let refused = is_stand_in() && ended.stderr.contains("operation not permitted");
        let ran = ended.stdout.starts_with("mounted\n") && ended.stdout.ends_with("Seccomp:\t0\n");
        ensure!(ran || refused, "--privileged where not all is to be had: {ended:?}");
        return Ok(());
    }
    let said = output(docker, "--privileged", script)?;
    ensure!(said.starts_with("mounted\n") && said.ends_with("Seccomp:\t0"), "privileged: {said:?}");
    Ok(())
}

pub(crate) fn volumes() -> Result<()> {
    with_docker(|docker, scratch| {
        let folder = scratch.join("shared");
        fs::create_dir(&folder)?;
        fs::write(folder.join("file"), "outside\n")?;
        let bind = |options: &str| format!("--volume {}:/data{options}", folder.display());
        let said = output(docker, &bind(""), "cat /data/file; echo inside > /data/new")?;
        ensure!(said == "outside", "{said}");
        ensure!(fs::read_to_string(folder.join("new"))? == "inside\n", "the written file");
        let said = output(docker, &bind(":ro"), "echo x 2>/dev/null > /data/x || echo refused")?;
        ensure!(said == "refused", "a read-only volume: {said}");
        let said = output(docker, &bind(":rshared"), "grep ' /data ' /proc/self/mountinfo");
        // The machine's own propagation decides whether it is possible; it must not be ignored.
        ensure!(
            said.as_ref().map_or_else(
                |error| format!("{error:#}").contains("shared"),
                |said| said.contains("shared:")
            ),
            "rshared: {said:?}"
        );
        let file = format!("--volume {}:/etc/deep/file", folder.join("file").display());
        ensure!(output(docker, &file, "cat /etc/deep/file")? == "outside", "a file as volume");
        text_of(&mut docker.command("volume create kept"))?;
        output(docker, "--volume kept:/data", "echo kept > /data/file")?;
        ensure!(
            output(docker, "--volume kept:/data", "cat /data/file")? == "kept",
            "a named volume"
        );
        // What the image has there is copied into a new volume.
        let said = output(docker, "--volume filled:/etc", "cat /etc/passwd | head -n 1")?;
        ensure!(said.starts_with("root:"), "a volume over /etc: {said}");
        Ok(())
    })
}

/// The whole daemon with a user namespace for each container.
pub(crate) fn user_namespaces() -> Result<()> {
    let flags = &["--userns-remap=remapped:remapped"];
    let setup = Setup { runtime: Some(runtime()?), bridge: false, flags };
    sandbox::inside(|scratch| {
        // Docker looks the ranges up by the name of the user.
        for (name, text) in [
            ("passwd", "root:x:0:0::/root:/bin/sh\nremapped:x:100000:100000::/:/bin/sh\n"),
            ("group", "root:x:0:\nremapped:x:100000:\n"),
            ("subuid", "remapped:200000:65536\n"),
            ("subgid", "remapped:200000:65536\n"),
        ] {
            let file = scratch.join(name);
            fs::write(&file, text)?;
            rustix::mount::mount_bind(&file, format!("/etc/{name}"))
                .with_context(|| format!("bind /etc/{name}"))?;
        }
        let docker = Docker::start_with(scratch, &setup)?;
        let said = output(
            &docker,
            "",
            "id -u; tr -s ' ' < /proc/self/uid_map; echo x > /tmp/file && echo written",
        )?;
        ensure!(said == "0\n 0 200000 65536\nwritten", "it says {said:?}");
        run_detached(&docker, "service", "", &["service"])?;
        docker.wait_for_log("service", "ready")?;
        let said = text_of(&mut docker.command("exec service id -u"))?;
        ensure!(said == "0", "docker exec says {said}");
        text_of(&mut docker.command("rm --force service"))?;
        Ok(())
    })
}
