//! Questions of containers and answers of servers, as the responder at 127.0.0.11 takes them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use net::dns::message::{
    LONGEST, Record, Rejected, answer, code, failure, is_answer, parse, reversed, truncated,
};
use net::dns::parse_servers;

fuzz_target!(|input: &[u8]| {
    match parse(input) {
        Ok(question) => {
            let records = [
                Record::Address([10, 1, 2, 3].into()),
                Record::Address("fd00::1".parse().unwrap()),
                Record::Name("web.network".to_owned()),
            ];
            for limit in [question.limit, LONGEST] {
                let answer = answer(input, &question, &records, limit);
                assert!(answer.len() <= limit.max(input.len()) && is_answer(input, &answer));
                // It is no question, so that two responders cannot talk for ever.
                assert_eq!(parse(&answer), Err(Rejected::Ignored));
            }
            assert!(is_answer(input, &failure(input, 3)) && code(&failure(input, 3)) == 3);
            assert!(truncated(input).len() <= input.len());
            if let Some(name) = &question.name {
                assert!(name.len() <= 253 && name.is_ascii());
                let _ = reversed(name);
            }
        }
        Err(Rejected::Ignored) => {}
        Err(Rejected::Answered(wrong)) => assert_eq!(code(&failure(input, wrong)), wrong),
    }
    // An answer to a question of ours.
    let asked = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03web\0\0\x01\0\x01";
    if is_answer(asked, input) {
        assert_eq!(input[..2], asked[..2]);
    }
    if let Ok(text) = std::str::from_utf8(input) {
        assert!(parse_servers(text).len() <= 3);
        let _ = net::port::parse(text).map(|ports| assert!(!ports.is_empty()));
        let _ = text
            .parse::<net::subnet::Subnet>()
            .map(|it| assert_eq!(it.to_string().parse(), Ok(it)));
        let _ = text.parse::<net::link::Mac>();
    }
});
