use super::{
    FORMAT_ERROR, Kind, NAME_ERROR, NOT_IMPLEMENTED, REFUSED, Record, Rejected, answer, failure,
    id, is_answer, parse, reversed, set_id, truncated,
};

/// A question for this name and type, with these additional records.
fn question(name: &str, kind: u8, additional: &[&[u8]]) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, additional.len() as u8];
    for label in name.split('.') {
        message.push(label.len() as u8);
        message.extend(label.bytes());
    }
    message.extend([0, 0, kind, 0, 1]);
    message.extend(additional.concat());
    message
}

const OPTIONS: &[u8] = &[0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0];

#[test]
fn questions_are_read() {
    let found = parse(&question("Web.Example", 1, &[])).unwrap();
    assert_eq!((found.name.as_deref(), found.kind), (Some("web.example"), Kind::A));
    assert_eq!((found.limit, found.has_options), (512, false));
    let found = parse(&question("web", 28, &[OPTIONS])).unwrap();
    assert_eq!((found.kind, found.limit, found.has_options), (Kind::Aaaa, 1232, true));
    assert_eq!(parse(&question("a\u{7f}b", 16, &[])).unwrap().name, None);
    assert_eq!(parse(&question("a", 16, &[])).unwrap().kind, Kind::Other(16));
}

#[test]
fn what_is_no_question_is_told_apart() {
    let good = question("web", 1, &[OPTIONS]);
    for length in 0..12 {
        assert_eq!(parse(&good[..length]), Err(Rejected::Ignored));
    }
    for length in 12..good.len() {
        assert_eq!(parse(&good[..length]), Err(Rejected::Answered(FORMAT_ERROR)), "{length}");
    }
    let with = |place: usize, byte: u8| {
        let mut message = good.clone();
        message[place] = byte;
        parse(&message)
    };
    assert_eq!(with(2, 0x81), Err(Rejected::Ignored));
    assert_eq!(with(2, 0x29), Err(Rejected::Answered(NOT_IMPLEMENTED)));
    assert_eq!(with(5, 2), Err(Rejected::Answered(FORMAT_ERROR)));
    assert_eq!(with(7, 1), Err(Rejected::Answered(FORMAT_ERROR)));
    // A pointer, to itself.
    assert_eq!(with(12, 0xc0), Err(Rejected::Answered(FORMAT_ERROR)));
    // Class CHAOS.
    assert_eq!(with(20, 3), Err(Rejected::Answered(REFUSED)));
    let long = ["a"; 128].join(".");
    assert_eq!(parse(&question(&long, 1, &[])), Err(Rejected::Answered(FORMAT_ERROR)));
}

#[test]
fn answers_have_what_fits() {
    let asked = question("web", 1, &[OPTIONS]);
    let question = parse(&asked).unwrap();
    let records = [Record::Address([10, 1, 2, 3].into()), Record::Address([10, 1, 2, 4].into())];
    let whole = answer(&asked, &question, &records, 512);
    // Header, question, two records, options.
    assert_eq!(whole.len(), 12 + 9 + 2 * 16 + 11);
    assert_eq!(whole[..12], [0x12, 0x34, 0x85, 0x80, 0, 1, 0, 2, 0, 0, 0, 1]);
    assert_eq!(whole[21..37], [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 1, 2, 3]);
    assert!(is_answer(&asked, &whole));
    let part = answer(&asked, &question, &records, whole.len() - 1);
    assert_eq!(part[..12], [0x12, 0x34, 0x87, 0x80, 0, 1, 0, 1, 0, 0, 0, 1]);
    let name = answer(&asked, &question, &[Record::Name("web.net".to_owned())], 512);
    assert_eq!(name[31..42], *b"\x00\x09\x03web\x03net\x00");
}

#[test]
fn failures_repeat_the_question_if_there_is_one() {
    let asked = question("web", 1, &[OPTIONS]);
    let failed = failure(&asked, NAME_ERROR);
    assert_eq!(failed[..12], [0x12, 0x34, 0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert!(is_answer(&asked, &failed));
    assert_eq!(truncated(&asked)[2..4], [0x83, 0x80]);
    let broken = failure(&asked[..14], FORMAT_ERROR);
    assert_eq!(broken, [0x12, 0x34, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(is_answer(&asked, &broken));
    assert_eq!(failure(&[1, 2], FORMAT_ERROR), []);
}

#[test]
fn only_the_answer_to_the_question_is_one() {
    let asked = question("web", 1, &[]);
    let good = failure(&asked, 0);
    assert!(is_answer(&asked, &good));
    assert!(is_answer(&asked, &failure(&question("WEB", 1, &[]), 0)));
    let mut other = good.clone();
    set_id(&mut other, [9, 9]);
    assert_eq!(id(&other), [9, 9]);
    for wrong in [&other[..], &asked, &failure(&question("wep", 1, &[]), 0), &good[..15], &[]] {
        assert!(!is_answer(&asked, wrong), "{wrong:?}");
    }
}

#[test]
fn names_of_addresses() {
    assert_eq!(reversed("2.8.231.10.in-addr.arpa"), Some([10, 231, 8, 2].into()));
    let digits = "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.0.0.0.1.3.d.f";
    assert_eq!(reversed(&format!("{digits}.ip6.arpa")), "fd31:8::2".parse().ok());
    for name in ["2.8.231.in-addr.arpa", "256.1.1.1.in-addr.arpa", "1.ip6.arpa", "ip6.arpa", "web"]
    {
        assert_eq!(reversed(name), None, "{name}");
    }
    assert_eq!(reversed(&format!("{}.ip6.arpa", digits.replace("8", "+"))), None);
}
