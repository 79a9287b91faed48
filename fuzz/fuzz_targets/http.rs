//! What a registry sends before a body: heads, challenges, addresses.
#![no_main]

use image::auth::Challenge;
use image::transport::http::{HEAD_LIMIT, Head};
use image::transport::url::Url;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(Some((head, length))) = Head::parse(input) {
        assert!(length <= input.len());
        let _ = (head.framing(false), head.framing(true), head.keeps_alive());
        let base: Url = "https://registry.test/v2/a?b".parse().unwrap();
        for header in ["location", "link", "www-authenticate", "x"] {
            let values: Vec<_> = head.headers(header).collect();
            values.iter().for_each(|value| check(value, &base));
        }
    } else {
        assert!(input.len() < HEAD_LIMIT || Head::parse(input).is_err());
    }
    if let Ok(text) = std::str::from_utf8(input) {
        check(text, &"http://[::1]:5000/".parse().unwrap());
    }
});

fn check(value: &str, base: &Url) {
    for challenge in Challenge::parse(value) {
        assert!(!challenge.scheme.is_empty());
    }
    let Ok(url) = base.join(value) else { return };
    assert!(url.target().starts_with('/'), "{url}");
    assert!(url.target().bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
    assert_eq!(url.to_string().parse().as_ref(), Ok(&url));
}
