//! Tests that need a whole machine: `tino` as its PID 1, and the machine itself.
//!
//! Run by `cargo xtask test vm`, which names the guest's init in `VM_INIT`. In the guest there is
//! nothing but what a test puts there; scripts are run by busybox.
#![forbid(unsafe_code)]

mod labels;
mod machine;
mod pid_1;
mod power_cut;
mod reboot;

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vm::Machine;

fn main() -> ExitCode {
    harness::main(harness::trials![
        machine::output_arrives_byte_for_byte,
        machine::exit_status_arrives,
        machine::what_cannot_be_started_is_said,
        machine::cgroups_are_pure_v2,
        machine::modules_are_loaded,
        machine::the_host_cannot_be_changed,
        machine::a_time_limit_ends_it,
        machine::a_silent_machine_is_asked_and_ended,
        pid_1::powers_off_when_the_command_ends,
        pid_1::powers_off_when_the_command_cannot_start,
        pid_1::reaps_orphans,
        pid_1::passes_signals_on,
        pid_1::passes_ctrl_alt_delete_on_as_int,
        pid_1::ends_what_is_left_before_it_powers_off,
        pid_1::runs_without_proc,
        pid_1::without_poweroff_its_end_is_a_panic,
        pid_1::runs_a_job_with_everything_mounted,
        power_cut::on_ext4,
        power_cut::on_xfs,
        labels::apparmor_profiles_are_enforced,
        labels::selinux_labels_are_enforced,
        reboot::what_is_to_run_always_runs_again,
    ])
}

/// What the scripts use. Links, because busybox finds its own applets only with `/proc` mounted.
const APPLETS: [&str; 10] =
    ["cat", "grep", "ip", "mkdir", "mount", "seq", "sh", "sleep", "touch", "umount"];

/// A machine with busybox in it, which must be the static one: there are no libraries.
fn machine_with_busybox() -> Result<Machine> {
    let vm_init = std::env::var_os("VM_INIT").map(PathBuf::from);
    let vm_init = vm_init.context("VM_INIT is not set: use cargo xtask test vm")?;
    let machine = Machine::new(&vm_init)?.program("/bin/busybox", Path::new("/bin/busybox"))?;
    Ok(APPLETS
        .iter()
        .fold(machine, |machine, applet| machine.symlink(&format!("/bin/{applet}"), "busybox")))
}
