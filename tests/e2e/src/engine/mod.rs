//! `tinyo`'s commands about containers, by its command line alone.

mod attacks;
mod exec;
mod faults;
mod files;
mod firewalld;
mod habits;
mod life;
mod logs;
mod network;
mod network_flags;
mod pods;
mod pods_faults;
mod pods_policies;
mod programs;
mod rootless;
mod run;
mod service;
mod support;
mod up;

use harness::{Trial, trials};

/// So that the names of trials say what is tested.
use crate::engine;

/// Every test of containers.
pub(crate) fn trials() -> Vec<Trial> {
    // tidy: table
    trials![
        engine::attacks::other_users_cannot_look_into_the_store,
        engine::attacks::users_of_an_image_are_whom_it_says_or_nobody,
        engine::attacks::a_passwd_that_is_none_is_not_read,
        engine::attacks::volumes_of_an_image_take_nothing_from_the_machine,
        engine::attacks::files_of_names_that_lead_out_stay_inside,
        engine::attacks::no_text_of_an_image_reaches_the_terminal_raw,
        engine::attacks::cp_is_not_led_out_by_a_race,
        engine::attacks::the_programs_that_enter_a_container_stay_as_they_are,
        engine::attacks::what_a_container_leaves_is_no_trap_for_its_copy,
        engine::exec::a_program_more,
        engine::exec::users_variables_and_folders,
        engine::exec::input_is_passed_on,
        engine::exec::with_a_terminal,
        engine::exec::exit_codes,
        engine::exec::only_where_something_runs,
        engine::exec::the_callers_files_stay_out_of_reach,
        engine::faults::a_killed_monitor_is_noticed,
        engine::faults::a_killed_monitor_is_replaced_where_the_policy_says_so,
        engine::faults::a_killed_command_leaves_the_container_running,
        engine::faults::a_killed_foreground_removes_in_the_end,
        engine::faults::what_was_to_be_removed_is_removed,
        engine::faults::many_at_once,
        engine::faults::one_name_for_two,
        engine::faults::chaos::kills_at_random_moments,
        engine::faults::chaos::many_cycles_grow_nothing,
        engine::faults::crowds::twenty_commands_on_one,
        engine::faults::crowds::twenty_commands_on_twenty,
        engine::faults::crowds::many_containers_at_once_and_one_after_the_other,
        engine::faults::windows::started_by_a_killed_command,
        engine::faults::windows::networks_of_what_is_about_to_run,
        engine::faults::windows::programs_end_with_their_monitor,
        engine::faults::windows::devices_that_are_about_to_go,
        engine::faults::windows::a_folder_that_is_half_removed,
        engine::faults::shutdown::a_monitor_that_is_asked_to_end_stops_its_container,
        engine::faults::shutdown::a_monitor_that_is_asked_to_end_between_two_starts,
        engine::faults::disks::a_full_disk_stops_the_log_and_not_the_program,
        engine::faults::disks::a_full_disk_is_said,
        engine::faults::disks::a_locked_database_is_waited_for,
        engine::faults::disks::a_disk_that_cannot_be_written,
        engine::faults::disks::many_lines_lose_none,
        engine::faults::upkeep::check_finds_and_repairs,
        engine::faults::upkeep::reset_leaves_nothing,
        engine::faults::upkeep::prune_and_df,
        engine::faults::upkeep::what_is_left_of_a_former_boot,
        engine::faults::upkeep::start_and_stop_with_the_machine,
        engine::faults::upkeep::the_unit,
        engine::habits::a_flag_that_is_none_is_not_taken_for_an_image,
        engine::habits::a_new_volume_gets_what_the_image_has_there,
        engine::habits::copies,
        engine::habits::spellings,
        engine::habits::volumes_that_are_other_file_systems,
        engine::habits::what_is_wrong_with_mounts_and_variables,
        engine::habits::a_volume_on_etc_keeps_hosts,
        engine::files::cp_out,
        engine::files::cp_replaces_no_device,
        engine::files::cp_in,
        engine::files::cp_follows_no_link_out_of_the_container,
        engine::files::diff_commit_and_export,
        engine::files::what_is_used_and_what_happens,
        engine::firewalld::published_ports_pass_firewalld,
        engine::firewalld::a_firewall_with_an_owner_is_asked,
        engine::life::ps_shows_what_is,
        engine::life::ps_filters_and_formats,
        engine::life::stop_asks_and_then_kills,
        engine::life::restart_policies,
        engine::life::stop_ends_a_policy,
        engine::life::pause_and_unpause,
        engine::life::rename_and_wait,
        engine::life::rm_refuses_what_runs,
        engine::life::health,
        engine::logs::what_was_printed,
        engine::logs::tail_and_times,
        engine::logs::follow_to_the_end,
        engine::logs::full_files_are_renamed,
        engine::network::a_published_port_and_a_name,
        engine::network::internal_and_several_networks,
        engine::network::a_flushed_firewall_is_restored,
        engine::network::a_killed_monitor_leaves_nothing,
        engine::network::many_at_once,
        engine::network::what_is_wrong_is_said,
        engine::programs::a_shell,
        engine::programs::python,
        engine::programs::node,
        engine::programs::java,
        engine::programs::postgresql,
        engine::programs::nginx,
        engine::programs::redis,
        engine::network_flags::several_networks_at_once,
        engine::network_flags::legacy_iptables_are_noticed,
        engine::network_flags::docker_filters_of_system_calls,
        engine::rootless::two_first_commands_at_once,
        engine::rootless::ports_and_the_world,
        engine::rootless::names_and_own_networks,
        engine::rootless::helpers_end_with_their_containers,
        engine::rootless::pasta_where_it_can,
        engine::rootless::without_a_default_route,
        engine::pods::what_is_shared,
        engine::pods::what_is_shared_on_demand,
        engine::pods::from_start_to_removal,
        engine::pods::exit_codes,
        engine::pods::ports_and_names,
        engine::pods::limits_hold_for_all_together,
        engine::pods::what_is_told,
        engine::pods::logs_stats_and_processes,
        engine::pods_policies::policies,
        engine::pods_policies::a_pod_that_goes_with_its_last_container,
        engine::pods_policies::volumes,
        engine::pods::what_is_wrong_is_said,
        engine::pods_faults::a_killed_monitor,
        engine::pods_faults::killed_commands,
        engine::pods_faults::many_at_once,
        engine::pods_faults::removed_while_it_starts,
        engine::service::systemd_starts_and_stops_what_is_to_run,
        engine::run::hello,
        engine::run::exit_codes,
        engine::run::variables_folder_and_user,
        engine::run::is_isolated,
        engine::run::input_output_and_much_of_it,
        engine::run::a_terminal,
        engine::run::mounts,
        engine::run::volumes,
        engine::run::limits,
        engine::run::rights,
        engine::run::files_of_etc,
        engine::run::shared_namespaces,
        engine::run::what_is_wrong_is_said,
        engine::run::nothing_is_left,
        engine::run::a_user_without_rights,
        engine::up::the_smallest_form,
        engine::up::several_that_need_each_other,
        engine::up::the_seconds_of_each_step,
        engine::up::in_front_of_them,
        engine::up::what_is_not_ready_says_why,
        engine::up::what_is_wrong_is_said_with_its_place,
        engine::up::two_at_once,
        engine::up::killed_at_any_moment,
    ]
}
