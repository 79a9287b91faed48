//! Every system call of a command fails in turn: a full disk, a lack of memory or descriptors, a
//! signal in the middle. The command says so and leaves nothing, or the container is all that it
//! was to be: what failed must not be missing from it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::support::tracing::{Deed, Traced, spread, trace};
use super::support::{Bundle, Container};
use crate::support::sys::{self, Change};
use crate::support::{processes, until};

/// How long a walk may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// What the container is, as its program sees it; what is different each time is left out.
pub(super) const LOOK: &str = "sed 's/^[0-9]* [0-9]* [0-9:]* //' /proc/self/mountinfo | sort; \
    grep -E '^(Uid|Gid|Groups|Cap|NoNew|Seccomp:|Sig(Blk|Ign))' /proc/self/status; \
    hostname; pwd; umask; ulimit -n; ls -l /dev | cut -c1-11; cat /proc/keys /proc/self/limits; \
    cat /proc/sys/net/ipv4/ip_forward /proc/self/oom_score_adj /proc/self/cgroup; \
    for kind in pid net ipc uts mnt cgroup; do \
        grep -c \"$(readlink /proc/self/ns/$kind)\" outside; done; \
    ls /proc/self/fd; env; ls -A /sys/firmware /proc/acpi";

fn container() -> Result<Container> {
    let bundle = Bundle::script(LOOK)?
        .set("/linux/sysctl", json!({ "net.ipv4.ip_forward": "1" }))
        .set("/linux/resources/pids", json!({ "limit": 100 }))
        .set("/process/user", json!({ "uid": 7, "gid": 8, "umask": 63, "additionalGids": [9] }))
        .set("/process/oomScoreAdj", 500)
        .set("/process/cwd", "/work")
        .set(
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            { "names": ["swapon"], "action": "SCMP_ACT_ERRNO" }] }),
        );
    let kinds = ["pid", "net", "ipc", "uts", "mnt", "cgroup"];
    let own = kinds.map(|kind| std::fs::read_link(format!("/proc/self/ns/{kind}")));
    let own = own.into_iter().collect::<std::io::Result<Vec<_>>>()?;
    let own: String = own.iter().map(|it| format!("{}\n", it.display())).collect();
    std::fs::write(bundle.rootfs().join("work/outside"), own)?;
    Container::new(bundle)
}

/// The C library cannot even begin without memory, and has no words then.
const FIRST_MEMORY: u64 = libc::SYS_brk.cast_unsigned();

/// Whether this is how a command fails, or works.
fn judge(container: &Container, traced: &Traced, whole: &str) -> Result<()> {
    let finished = traced.finished.as_ref().context("its end")?;
    if traced.at == Some(FIRST_MEMORY) && matches!(finished.change, Change::Killed(_)) {
        return container.expect_gone();
    }
    if finished.change == Change::Exited(0) {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let (found, wanted) = (lines(&finished.stdout), lines(whole));
        let other: Vec<_> = found.iter().filter(|it| !wanted.contains(it)).collect();
        let missing: Vec<_> = wanted.iter().filter(|it| !found.contains(it)).collect();
        ensure!(found == wanted, "{other:?} instead of {missing:?}: {:?}", finished.stderr);
    } else {
        ensure!(!finished.stderr.is_empty(), "it ended without a word: {finished:?}");
    }
    if container.expect_gone().is_err() {
        ensure!(finished.change != Change::Exited(0), "it left something, and did not say so");
        container.tell_with("delete", &["--force"], &[])?.expect_code(0)?;
        until("nothing is left", || container.expect_gone().is_ok())
            .or_else(|_| container.expect_gone())?;
    }
    Ok(())
}

/// Has each call of a `run` fail like this.
fn walk(errno: i32) -> Result<()> {
    walk_over(&container()?, PATIENCE, errno, |_| Ok(()))
}

/// The same with a container of the caller's, and what must be so after each of its ends.
pub(super) fn walk_over(
    container: &Container,
    patience: Duration,
    errno: i32,
    after: impl Fn(&Traced) -> Result<()>,
) -> Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let whole = container.output()?;
    let all = trace(container.launch_new("run", &[]), u64::MAX, Deed::Fail(errno))?;
    ensure!(all.calls > 100, "only {} calls: tracing does not work", all.calls);
    let (start, mut visited, mut problems) = (Instant::now(), 0, Vec::new());
    for number in spread(all.calls) {
        if start.elapsed() > patience {
            break;
        }
        let traced = trace(container.launch_new("run", &[]), number, Deed::Fail(errno));
        let judged = traced.and_then(|traced| {
            let call = traced.at.unwrap_or_default();
            let judged = judge(container, &traced, &whole).and_then(|()| after(&traced));
            judged.with_context(|| format!("stands at call {call}"))
        });
        if let Err(error) = judged {
            problems.push(format!("the {number}th of {} calls: {error:#}", all.calls));
            for left in processes::descendants(std::process::id().cast_signed()) {
                let _ = sys::send(left, libc::SIGKILL);
            }
            let _ = container.tell_with("delete", &["--force"], &[])?;
        }
        visited += 1;
    }
    println!("{}: {visited} of {} calls failed", container.id, all.calls);
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

pub(crate) fn run_tells_of_errors_of_input_and_output() -> Result<()> {
    walk(libc::EIO)
}

pub(crate) fn run_tells_when_there_is_no_memory() -> Result<()> {
    walk(libc::ENOMEM)
}

pub(crate) fn run_tells_when_there_are_no_descriptors() -> Result<()> {
    walk(libc::EMFILE)
}

pub(crate) fn run_is_interrupted_without_harm() -> Result<()> {
    walk(libc::EINTR)
}
