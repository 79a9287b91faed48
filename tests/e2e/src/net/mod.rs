//! Networks of containers, in network namespaces of the trial's own: one plays the machine,
//! others its containers, another machine, or a router.

mod firewall;
mod link;
mod names;
mod names_hostile;
pub(crate) mod world;

use harness::{Trial, trials};

/// Every test of networks.
pub(crate) fn trials() -> Vec<Trial> {
    // tidy: table
    trials![
        link::a_container_reaches_its_gateway_and_its_neighbour,
        link::what_is_there_already_is_made_what_it_should_be,
        link::a_hundred_containers_at_once,
        link::what_is_sent_at_once_arrives,
        link::one_bridge_is_made_by_many_at_once,
        link::bridges_go_together,
        firewall::flows_of_udp_follow_their_port,
        firewall::the_table_is_what_nft_reads,
        firewall::a_published_port_is_reached_from_everywhere,
        firewall::networks_are_apart,
        firewall::what_was_flushed_is_restored,
        firewall::elements_are_replaced_and_removed_twice,
        firewall::a_strict_firewall_of_another_program_lets_networks_pass,
        names::containers_know_each_other,
        names::other_servers_are_asked_for_the_rest,
        names::a_flood_of_questions_keeps_nobody_from_answers,
        names_hostile::questions_that_are_none,
        names_hostile::servers_that_mean_harm,
        names_hostile::many_questions_to_a_slow_server,
        names_hostile::no_descriptor_is_left,
    ]
}
