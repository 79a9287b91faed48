//! Numbers and signals, beside what the standard library says.
#![no_main]

use fuzz::List;
use libfuzzer_sys::fuzz_target;
use tino::signals;

fuzz_target!(|input: &[u8]| {
    let mut list = List::new(input);
    let Some(value) = list.texts().get(0) else { return };
    let bytes = value.bytes();
    let digits = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(bytes).ok().filter(|_| digits).and_then(|it| it.parse().ok());
    assert_eq!(value.number(u32::MAX), number, "{bytes:?}");
    assert_eq!(value.number(255), number.filter(|it| *it <= 255), "{bytes:?}");
    let signal = signals::parse(*value);
    assert!(signal.is_none_or(|signal| (1..=64).contains(&signal)), "{signal:?}");
    if let Some(number) = number {
        assert_eq!(signal, i32::try_from(number).ok().filter(|it| (1..=64).contains(it)));
    }
});
