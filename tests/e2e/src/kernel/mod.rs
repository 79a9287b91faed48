//! The concerns of `crates/kernel`, each asked for what only a real kernel can answer.

mod cgroup;
mod cgroup_life;

use harness::{Trial, trials};

/// Every test of the kernel's concerns.
pub(crate) fn trials() -> Vec<Trial> {
    // tidy: table
    trials![
        cgroup_life::a_process_is_in_every_group_from_the_start,
        cgroup_life::limits_are_written_and_changed,
        cgroup_life::freezing_and_killing_reach_groups_below,
    ]
}
