//! The concerns of `crates/kernel`, each asked for what only a real kernel can answer.
//!
//! Each trial is a process of its own, which may take apart its namespaces.

mod cgroup;
mod cgroup_devices;
mod cgroup_life;
mod jail;
mod mount;

use harness::{Trial, trials};

/// Every test of the kernel's concerns.
pub(crate) fn trials() -> Vec<Trial> {
    // tidy: table
    trials![
        cgroup_life::a_process_is_in_every_group_from_the_start,
        cgroup_life::limits_are_written_and_changed,
        cgroup_devices::only_listed_devices_open,
        cgroup_devices::only_listed_devices_open_on_v2,
        cgroup_devices::the_list_changes_while_processes_run,
        cgroup_devices::the_list_changes_while_processes_run_on_v2,
        cgroup_devices::a_list_that_v1_cannot_keep_is_an_error,
        cgroup_life::a_process_is_in_its_group_from_the_start_on_v2,
        cgroup_life::freezing_and_killing_reach_groups_below_on_v2,
        cgroup_life::freezing_and_killing_reach_groups_below,
        mount::the_default_mounts_of_a_container,
        mount::the_default_mounts_on_an_old_kernel,
    ]
}
