use super::{Call, Kind, Message, PREFIX, Value, length};

fn call(body: &[Value]) -> Vec<u8> {
    let (destination, path, interface) = ("org.example.D", "/org/example/P", "org.example.I");
    Call { destination, path, interface, member: "JobRemoved", body }.encode(7)
}

/// A message of our own is one that we can read, but for its body's values.
#[test]
fn calls_are_well_formed() {
    let bytes = call(&[Value::Text("first".to_owned()), Value::Bool(true)]);
    assert_eq!(length(*bytes.first_chunk().unwrap()), Some(bytes.len()));
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.kind, message.reply_to), (Kind::Call, None));
    assert_eq!(
        (message.member.as_str(), message.interface.as_str()),
        ("JobRemoved", "org.example.I")
    );
    assert_eq!((message.signature.as_str(), message.text()), ("sb", Some("first")));
    assert_eq!(&message.body[12..], [1, 0, 0, 0]);
}

/// By hand, from the specification.
#[test]
fn values_lie_where_the_specification_says() {
    let body = |value: Value| Message::parse(&call(&[value])).unwrap().body;
    assert_eq!(body(Value::Bytes(vec![5, 6])), [2, 0, 0, 0, 5, 6]);
    assert_eq!(body(Value::U64(1 << 40)), [0, 0, 0, 0, 0, 1, 0, 0]);
    assert_eq!(body(Value::I32(-2)), [0xfe, 0xff, 0xff, 0xff]);
    assert_eq!(body(Value::U32s(vec![9])), [4, 0, 0, 0, 9, 0, 0, 0]);
    assert_eq!(body(Value::Texts(vec!["a".into()])), [6, 0, 0, 0, 1, 0, 0, 0, b'a', 0]);
    let pair = [7 + 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, b'a', 0, 0, 0, 2, 0, 0, 0, b'b', b'c', 0];
    assert_eq!(body(Value::Pairs(vec![("a".into(), "bc".into())])), pair);
    // An empty array still aligns what would be its first element.
    assert_eq!(body(Value::NoUnits), [0; 8]);
    let property = [
        24, 0, 0, 0, 0, 0, 0, 0, // the array's length, and up to the first structure
        1, 0, 0, 0, b'n', 0, // its name
        1, b't', 0, // what the variant holds
        0, 0, 0, 0, 0, 0, 0, // up to a multiple of eight
        3, 0, 0, 0, 0, 0, 0, 0,
    ];
    assert_eq!(body(Value::Properties(vec![("n".into(), Value::U64(3))])), property);
}

/// A signal as systemd sends it.
fn job_removed(result: &str) -> Vec<u8> {
    let text = |text: &str| Value::Text(text.to_owned());
    let mut bytes = call(&[Value::U32(77), text("/job/77"), text("a.scope"), text(result)]);
    bytes[1] = Kind::Signal as u8;
    // A path has the same form as a text, but another name.
    let at = bytes.windows(5).position(|window| window == b"usss\0").unwrap();
    bytes[at + 1] = b'o';
    bytes
}

#[test]
fn a_signal_tells_how_a_job_went() {
    let message = Message::parse(&job_removed("failed")).unwrap();
    assert_eq!(message.job_removed(), Some(("/job/77", "failed")));
    let mut call = job_removed("failed");
    call[1] = Kind::Call as u8;
    assert_eq!(Message::parse(&call).unwrap().job_removed(), None);
}

#[test]
fn what_is_cut_or_changed_is_refused_or_harmless() {
    let bytes = job_removed("done");
    for end in 0..bytes.len() {
        assert_eq!(Message::parse(&bytes[..end]), None, "cut at {end}");
    }
    for index in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut changed = bytes.clone();
            changed[index] = value;
            if let Some(message) = Message::parse(&changed) {
                let _ = (message.text(), message.job_removed());
            }
        }
    }
}

#[test]
fn a_message_that_is_too_long_is_refused_before_it_is_read() {
    let mut prefix = [0; PREFIX];
    prefix[..4].copy_from_slice(&[b'l', 2, 0, 1]);
    assert_eq!(length(prefix), Some(PREFIX));
    prefix[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(length(prefix), None);
    prefix[4..8].copy_from_slice(&0_u32.to_le_bytes());
    prefix[0] = b'B';
    assert_eq!(length(prefix), None);
}
