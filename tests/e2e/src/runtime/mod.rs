//! `tinyort`, the OCI runtime, by its command line alone: any other runtime with that command line
//! can be tried with `TINYORT_BIN=/usr/sbin/runc`.

mod exec;
mod kill;
mod lifecycle;
mod mounts;
mod pause;
mod process;
mod support;

use harness::{Trial, trials};

/// So that the names of trials say what is tested.
use crate::runtime;

/// Every test of `tinyort`.
pub(crate) fn trials() -> Vec<Trial> {
    // tidy: table
    trials![
        runtime::exec::output_and_exit_code_are_passed_on,
        runtime::exec::it_is_in_all_namespaces_of_the_container,
        runtime::exec::it_is_in_the_cgroup_of_the_container,
        runtime::exec::user_cwd_and_environment_can_be_given,
        runtime::exec::a_process_file_says_everything,
        runtime::exec::it_has_the_rights_of_the_container,
        runtime::exec::detached_it_goes_on,
        runtime::exec::what_cannot_run_is_explained,
        runtime::exec::a_stopped_container_has_no_room,
        runtime::exec::a_sub_group_can_be_given,
        runtime::kill::signals_are_taken_by_name_and_number,
        runtime::kill::a_signal_that_is_none_is_refused,
        runtime::kill::a_stopped_container_takes_no_signal,
        runtime::kill::all_reaches_every_process,
        runtime::kill::all_reaches_what_the_first_process_left,
        runtime::kill::delete_ends_what_the_first_process_left,
        runtime::kill::ps_lists_the_processes,
        runtime::lifecycle::run_passes_output_and_exit_code_on,
        runtime::lifecycle::a_program_killed_by_a_signal_is_128_and_its_number,
        runtime::lifecycle::the_states_follow_each_other,
        runtime::lifecycle::state_tells_what_the_specification_asks,
        runtime::lifecycle::a_created_container_has_not_run_its_program,
        runtime::lifecycle::only_a_created_container_can_be_started,
        runtime::lifecycle::a_running_container_is_deleted_by_force_alone,
        runtime::lifecycle::a_created_container_can_be_killed_and_deleted,
        runtime::lifecycle::delete_by_force_of_an_unknown_container_succeeds,
        runtime::lifecycle::an_unknown_container_is_named_in_the_error,
        runtime::lifecycle::an_id_that_is_no_file_name_is_refused,
        runtime::lifecycle::an_id_is_taken_once,
        runtime::lifecycle::the_pid_file_has_the_pid_and_no_newline,
        runtime::lifecycle::run_detached_leaves_it_running,
        runtime::lifecycle::run_keeps_a_container_on_demand,
        runtime::lifecycle::the_bundle_is_the_current_folder_by_default,
        runtime::lifecycle::flags_may_follow_the_id,
        runtime::lifecycle::list_has_every_container,
        runtime::mounts::every_option_of_a_mount_has_its_effect,
        runtime::mounts::options_of_a_bind_mount_are_its_own,
        runtime::mounts::times_of_access_are_recursive_too,
        runtime::mounts::an_unknown_option_is_for_the_file_system_to_judge,
        runtime::mounts::propagation_is_as_configured,
        runtime::mounts::propagation_of_the_root_is_as_configured,
        runtime::mounts::mounts_inside_stay_inside,
        runtime::mounts::targets_are_made_as_needed,
        runtime::mounts::a_source_is_relative_to_the_bundle,
        runtime::mounts::a_missing_source_is_named,
        runtime::mounts::mounts_are_made_in_order,
        runtime::mounts::tmpcopyup_shows_what_was_below,
        runtime::mounts::the_root_is_read_only_on_demand,
        runtime::mounts::cgroups_are_shown_read_only_and_from_the_containers_own,
        runtime::mounts::ids_are_mapped_on_demand,
        runtime::mounts::ids_are_mapped_as_in_the_user_namespace,
        runtime::mounts::without_pivot_it_works_too,
        runtime::pause::a_paused_container_does_not_run_until_it_is_resumed,
        runtime::pause::exec_in_a_paused_container_is_refused,
        runtime::pause::exec_that_ignores_the_pause_runs_once_resumed,
        runtime::pause::a_paused_container_can_be_killed_and_deleted,
        runtime::pause::only_a_running_container_can_be_paused,
        runtime::process::words_environment_and_folder_are_as_configured,
        runtime::process::a_folder_that_is_missing_is_made,
        runtime::process::the_path_of_the_container_is_searched,
        runtime::process::the_home_comes_from_the_users_of_the_container,
        runtime::process::what_cannot_run_is_explained,
        runtime::process::user_groups_and_umask_are_as_configured,
        runtime::process::each_set_of_capabilities_is_as_configured,
        runtime::process::unknown_capabilities_are_not_fatal,
        runtime::process::new_privileges_are_forbidden_on_demand,
        runtime::process::limits_are_as_configured,
        runtime::process::the_oom_score_is_as_configured,
        runtime::process::the_scheduler_is_as_configured,
        runtime::process::the_io_priority_is_as_configured,
        runtime::process::the_personality_is_as_configured,
        runtime::process::nothing_is_inherited_from_the_caller,
        runtime::process::standard_input_is_passed_on,
        runtime::process::the_session_keyring_is_new_unless_forbidden,
    ]
}
