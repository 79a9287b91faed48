//! `tinyo`'s commands about images, by its command line alone. No network is needed: the images
//! are made here, of tar files.

mod archives;
mod hardship;
mod inspecting;
mod kills;
mod listing;
mod lost_writes;
mod memory;
mod names;
mod pulling;
mod registry;
mod sources;
mod store;
mod support;
mod texts;

use harness::{Trial, trials};

/// So that the names of trials say what is tested.
use crate::image;

/// Every test of images.
pub(crate) fn trials() -> Vec<Trial> {
    // tidy: table
    trials![
        image::archives::save_and_load_in_every_form,
        image::archives::import_of_compressed_files,
        image::archives::several_images_in_one_archive,
        image::archives::import_and_export,
        image::archives::nothing_is_left_of_an_archive_that_cannot_be_written,
        image::archives::folders_that_a_layer_leaves_unsaid_are_exported_as_below,
        image::hardship::bad_names,
        image::hardship::no_permission,
        image::hardship::read_only_disk,
        image::hardship::full_disk,
        image::hardship::two_at_once,
        image::hardship::killed_imports_leave_a_clean_store,
        image::hardship::a_user_without_rights,
        image::hardship::a_user_with_further_ids,
        image::inspecting::inspect,
        image::inspecting::history,
        image::kills::at_50_random_moments,
        image::kills::at_50_more,
        image::kills::at_a_third_50,
        image::kills::at_a_fourth_50,
        image::kills::of_pulls_from_a_registry,
        image::kills::of_saves,
        image::listing::images_as_table_json_and_ids,
        image::listing::filters,
        image::listing::templates,
        image::lost_writes::every_layer_learns_of_a_write_error,
        image::memory::of_layers_with_large_windows,
        image::memory::of_long_names,
        image::names::group,
        image::names::tag_and_untag,
        image::names::rmi,
        image::names::rmi_of_what_is_not_there,
        image::names::what_containers_use_stays,
        image::pulling::everything_at_once,
        image::sources::pull_from_archives_and_folders,
        image::sources::short_names_are_looked_for_in_the_list,
        image::sources::hello,
        image::store::df,
        image::store::prune,
        image::store::check_finds_and_mends,
        image::store::leftovers_go,
        image::store::reset,
        image::texts::man_pages_and_completions,
    ]
}
