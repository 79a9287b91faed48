//! Names of images: what is taken is taken again as it is shown, and is safe in an address.
#![no_main]

use image::reference::{Reference, SearchList, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = SearchList::default().candidates(text);
    let _ = SearchList::new([text]);
    if let Ok(source) = Source::parse(text) {
        assert_eq!(Source::parse(&source.to_string()).as_ref(), Ok(&source), "{text:?}");
    }
    let Ok(reference) = text.parse::<Reference>() else { return };
    assert_eq!(reference.to_string().parse().as_ref(), Ok(&reference), "{text:?}");
    assert_eq!(reference.familiar().parse().as_ref(), Ok(&reference), "{text:?}");
    let path = reference.repository().path();
    assert!(
        path.bytes().all(|byte| byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || b"-._/".contains(&byte))
    );
    assert!(path.split('/').all(|part| !part.is_empty() && part != "." && part != ".."), "{path}");
});
