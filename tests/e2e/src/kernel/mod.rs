//! The concerns of `crates/kernel`, each asked for what only a real kernel can answer.
//!
//! Each trial is a process of its own, which may take apart its namespaces.

mod attack;
mod cgroup;
mod cgroup_devices;
mod cgroup_failures;
mod cgroup_life;
mod cgroup_systemd;
mod cgroup_use;
mod default_filter;
mod device;
mod handed;
mod jail;
mod landlock;
mod mount;
mod netdev;
mod path;
mod proc_writes;
mod seccomp;
pub(crate) mod systemd;

pub(crate) use cgroup::{see_v1_alone, see_v2_alone};
pub(crate) use cgroup_systemd::with_systemd;
use harness::{Trial, trials};

/// Every test of the kernel's concerns.
pub(crate) fn trials() -> Vec<Trial> {
    // tidy: table
    trials![
        cgroup_life::a_process_is_in_every_group_from_the_start,
        cgroup_life::limits_are_written_and_changed,
        cgroup_life::several_first_groups_at_once,
        cgroup_devices::only_listed_devices_open,
        cgroup_devices::only_listed_devices_open_on_v2,
        cgroup_devices::the_list_changes_while_processes_run,
        cgroup_devices::the_list_changes_while_processes_run_on_v2,
        cgroup_devices::a_list_that_v1_cannot_keep_is_an_error,
        cgroup_life::a_process_is_in_its_group_from_the_start_on_v2,
        cgroup_life::freezing_and_killing_reach_groups_below_on_v2,
        cgroup_life::freezing_and_killing_reach_groups_below,
        cgroup_life::a_process_is_in_every_group_from_the_start_on_v1,
        cgroup_life::freezing_and_killing_reach_groups_below_on_v1,
        cgroup_life::what_somebody_else_froze_is_seen_and_killed,
        cgroup_failures::an_occupied_group_is_refused,
        cgroup_failures::an_empty_group_that_was_there_is_used,
        cgroup_failures::a_failed_creation_leaves_nothing,
        cgroup_failures::what_a_killed_runtime_leaves_is_found_and_removed,
        cgroup_failures::a_fork_bomb_is_killed,
        cgroup_failures::a_fork_bomb_is_killed_on_v1,
        cgroup_failures::without_rights_a_container_has_no_group_and_no_limits,
        cgroup_failures::a_user_makes_groups_below_one_of_theirs,
        cgroup_failures::a_process_joins_where_another_has_gone,
        cgroup_systemd::a_scope_lives_and_ends_with_its_container,
        cgroup_systemd::a_scope_is_made_through_a_message_bus,
        cgroup_systemd::a_scope_goes_when_its_maker_dies_before_the_container_came,
        cgroup_systemd::limits_survive_that_systemd_reloads,
        cgroup_use::use_is_counted,
        cgroup_use::a_lack_of_memory_and_the_end_are_told,
        cgroup_use::the_removal_of_a_group_is_told,
        landlock::only_listed_places_are_writable,
        landlock::not_even_devices_are_writable_on_demand,
        landlock::only_listed_places_are_readable_and_executable,
        landlock::a_rule_may_be_on_a_file,
        landlock::only_listed_ports_are_bound_and_connected_to,
        landlock::signals_stay_in_scope,
        landlock::a_path_that_is_missing_is_an_error_unless_asked_otherwise,
        seccomp::a_call_fails_with_the_error_of_its_rule,
        seccomp::arguments_decide,
        seccomp::calls_newer_than_the_profile_do_not_exist,
        seccomp::killed_by_the_actions_that_kill,
        seccomp::calls_of_other_architectures_kill_unless_they_are_named,
        seccomp::rights_are_needed_without_no_new_privs,
        seccomp::every_flag_is_taken,
        seccomp::an_agent_decides_on_the_calls_it_is_told_about,
        default_filter::every_name_of_it_is_known,
        default_filter::what_is_refused_is_refused_in_its_way,
        default_filter::shells_and_tools,
        default_filter::python,
        default_filter::a_compiler_and_threads,
        default_filter::node,
        default_filter::java,
        default_filter::redis,
        default_filter::nginx,
        default_filter::postgresql,
        mount::the_default_mounts_of_a_container,
        mount::the_default_mounts_on_an_old_kernel,
        mount::bind_mounts_have_what_was_asked_and_keep_the_rest,
        mount::a_new_tmpfs_is_as_the_folder_it_covers_unless_told,
        mount::a_read_only_tmpfs_is_filled_first,
        mount::a_later_mount_covers_an_earlier_one,
        mount::a_tmpfs_can_begin_with_a_copy,
        mount::remounting_changes_what_is_there,
        mount::propagation_is_as_asked,
        mount::a_shared_root_does_not_leak_mounts,
        mount::without_pivot_the_machine_is_out_of_sight,
        attack::a_target_that_is_a_link_stays_inside,
        attack::proc_and_sys_must_be_folders,
        attack::nothing_is_mounted_over_files_of_proc_by_a_detour,
        attack::a_target_that_becomes_a_link_stays_inside,
        attack::what_is_hidden_and_protected_stays_inside,
        attack::nothing_is_hidden_behind_a_fake_null,
        attack::a_folder_named_like_a_file_of_the_kernel_is_hidden,
        attack::what_cannot_be_hidden_is_an_error,
        attack::the_root_itself_is_never_covered,
        handed::ids_are_mapped_for_a_mount_or_for_all_below,
        handed::a_child_in_a_user_namespace_gets_what_only_its_parent_reaches,
        handed::nothing_mounted_in_a_handed_tree_leaks,
        netdev::a_device_keeps_its_addresses_and_comes_back,
        netdev::what_cannot_be_moved_leaves_all_where_it_was,
        path::links_and_dots_stay_in_the_root,
        path::links_of_procfs_lead_nowhere,
        path::what_is_missing_is_made_inside,
        path::only_regular_files_are_opened,
        path::small_files_are_read_and_written_whole,
        path::nothing_is_made_outside_while_a_folder_becomes_a_link,
        path::dots_lead_nowhere_while_folders_move_out,
        device::default_devices_and_links_in_a_new_dev,
        device::other_devices_have_their_folder_owner_and_mode,
        device::in_a_user_namespace_devices_are_the_machines,
        device::without_a_dev_of_its_own_files_of_the_image_are_covered_and_no_link_is_followed,
        device::a_dev_that_leads_out_of_the_root_stays_inside,
        device::a_terminal_is_of_the_containers_devpts,
        device::a_ptmx_that_is_none_opens_no_terminal,
        proc_writes::a_parameter_is_set_in_the_containers_namespace,
        proc_writes::a_file_mounted_over_a_parameter_is_not_written,
        proc_writes::with_a_masked_proc_a_trap_is_an_error,
        proc_writes::a_proc_that_is_none_is_not_written,
    ]
}
