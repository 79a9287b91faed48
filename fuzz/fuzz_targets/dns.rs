//! Answers of name servers, and the files that name them.
#![no_main]

use image::transport::dns::config::{Hosts, ResolvConf};
use image::transport::dns::message::{Answer, Kind, answer, question};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    for kind in [Kind::A, Kind::Aaaa] {
        let asked = question(0x1234, "a.test", kind).unwrap();
        if let Ok(Answer::Addresses(addresses)) = answer(&asked, input) {
            assert!(
                addresses
                    .iter()
                    .all(|address| address.is_ipv4() == (kind == Kind::A) || address.is_ipv6())
            );
        }
        // The same behind a header that fits.
        let fitting =
            [&asked[..2], &[0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0], &asked[12..], input].concat();
        let _ = answer(&asked, &fitting);
    }
    if let Ok(text) = std::str::from_utf8(input) {
        let _ = Hosts::parse(text);
        let conf = ResolvConf::parse(text);
        assert!(!conf.servers.is_empty() && conf.attempts > 0 && !conf.timeout.is_zero());
        if let Some(asked) = question(1, text, Kind::A) {
            assert!(asked.len() < 512, "{text:?}");
        }
    }
});
