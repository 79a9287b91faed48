//! Programs that nobody here wrote, driving ours: Docker, Podman, LXC and containerd each start
//! `tino` as the first process of a container.
//!
//! Every trial runs in a cell ([`sandbox`]): private namespaces, a private `/run`, a cgroup of
//! its own, a scratch folder. The machine's mounts, network and processes stay as they are, and
//! what a daemon leaves behind goes with the cell.
//!
//! A trial may contain several checks, because starting a daemon takes most of its time.

#![forbid(unsafe_code)]

mod cgroup;
mod commands;
mod containerd;
mod docker;
mod lxc;
mod podman;
mod rootfs;
mod sandbox;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = sandbox::stage() {
        return code;
    }
    harness::main(harness::trials![
        containerd::exit_code_and_stop,
        docker::version_is_understood,
        docker::run_stop_kill,
        docker::orphans_are_reaped,
        docker::terminal,
        docker::landlock_by_variable_under_our_seccomp_profile,
        lxc::execute,
        lxc::stop_is_rewritten_to_term,
        lxc::stop_passes_power_signal_on,
        podman::exit_codes,
        podman::stop_and_kill,
        podman::orphans_are_reaped,
        podman::pod_with_catatonit_as_pause,
        podman::pod_with_pause_as_infra_command,
    ])
}
