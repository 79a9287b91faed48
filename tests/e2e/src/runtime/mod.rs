//! `tinyort`, the OCI runtime, by its command line alone: any other runtime with that command line
//! can be tried with `TINYORT_BIN=/usr/sbin/runc`.

mod exec;
mod kill;
mod lifecycle;
mod pause;
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
        runtime::pause::a_paused_container_does_not_run_until_it_is_resumed,
        runtime::pause::exec_in_a_paused_container_is_refused,
        runtime::pause::exec_that_ignores_the_pause_runs_once_resumed,
        runtime::pause::a_paused_container_can_be_killed_and_deleted,
        runtime::pause::only_a_running_container_can_be_paused,
    ]
}
