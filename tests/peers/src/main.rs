//! Programs that nobody here wrote, driving ours: Docker, Podman, LXC and containerd each start
//! `tino` as the first process of a container; a registry and skopeo have images for `tinyo`.
//!
//! Every trial runs in a cell ([`sandbox`]): private namespaces, a private `/run`, a cgroup of
//! its own, a scratch folder. The machine's mounts, network and processes stay as they are, and
//! what a daemon leaves behind goes with the cell.
//!
//! A trial may contain several checks, because starting a daemon takes most of its time.

#![forbid(unsafe_code)]

mod archives;
mod cgroup;
mod commands;
mod containerd;
mod containerd_runtime;
mod docker;
mod docker_rights;
mod docker_runtime;
mod lxc;
mod podman;
mod podman_runtime;
mod readme;
mod registry;
mod registry_token;
mod rootfs;
mod sandbox;
mod terminal;
mod trees;

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
        containerd_runtime::run_and_exit_codes,
        containerd_runtime::the_whole_cycle,
        containerd_runtime::terminal,
        containerd_runtime::many_at_once,
        docker_runtime::run_and_logs,
        docker_runtime::exec,
        docker_runtime::stop_kill_restart_pause,
        docker_runtime::limits,
        docker_rights::rights,
        docker_rights::volumes,
        docker_runtime::published_port,
        docker_runtime::init_and_health,
        docker_runtime::terminal,
        docker_runtime::shared_namespaces,
        docker_rights::user_namespaces,
        podman_runtime::run_and_logs,
        podman_runtime::exec,
        podman_runtime::stop_kill_restart_pause,
        podman_runtime::limits,
        podman_runtime::rights,
        podman_runtime::user_namespaces,
        podman_runtime::health_and_terminal,
        podman_runtime::pods,
        podman_runtime::published_port,
        registry::pull_and_push,
        registry::in_chunks,
        registry::tls_and_password,
        registry::tokens,
        registry::two_at_once_download_once,
        registry::killed_pulls_go_on,
        registry::damage_is_mended_from_the_registry,
        archives::podman,
        archives::docker,
        trees::as_tar_and_umoci_unpack_them,
        readme::every_command,
    ])
}
