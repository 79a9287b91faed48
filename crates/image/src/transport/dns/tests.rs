use super::config::{Hosts, ResolvConf};
use super::message::{Answer, Kind, NotTheAnswer, answer, question};
use super::{ResolveError, Resolver};
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, UdpSocket};

/// A server for one name, `app.test.`; everything else does not exist.
struct Server {
    udp: UdpSocket,
    tcp: Option<TcpListener>,
}

impl Server {
    /// Listens on a port that UDP and TCP have in common.
    fn start() -> (Server, String) {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = udp.local_addr().unwrap();
        let tcp = TcpListener::bind(address).ok();
        (Server { udp, tcp }, format!("nameserver {address}\noptions timeout:1 attempts:1\n"))
    }

    /// Answers `count` questions over UDP.
    fn serve(&self, count: usize, reply: impl Fn(&[u8]) -> Vec<u8>) {
        let mut buffer = [0; 512];
        for _ in 0..count {
            let (length, from) = self.udp.recv_from(&mut buffer).unwrap();
            self.udp.send_to(&reply(&buffer[..length]), from).unwrap();
        }
    }
}

fn is_for(question: &[u8], name: &str) -> bool {
    question[12..]
        .starts_with(&super::message::question(0, name, Kind::A).unwrap()[12..][..name.len() + 2])
}

fn kind(question: &[u8]) -> u8 {
    question[question.len() - 3]
}

/// The question as an answer with these flags and records.
fn reply(question: &[u8], flags: [u8; 2], records: &[(u8, &[u8])]) -> Vec<u8> {
    let mut message = question.to_vec();
    message[2] = flags[0];
    message[3] = flags[1];
    message[7] = records.len() as u8;
    for (kind, data) in records {
        message.extend([0xc0, 12, 0, *kind, 0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
        message.extend(*data);
    }
    message
}

/// An alias and then addresses of the kind asked for.
fn good(question: &[u8]) -> Vec<u8> {
    let alias: (u8, &[u8]) = (5, &[1, b'x', 0xc0, 12]);
    match kind(question) {
        1 => reply(question, [0x81, 0x80], &[alias, (1, &[10, 0, 0, 1]), (1, &[10, 0, 0, 2])]),
        _ => reply(
            question,
            [0x81, 0x80],
            &[(28, &[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])],
        ),
    }
}

#[test]
fn files_are_read_as_others_read_them() {
    let resolver = Resolver::new(
        "# comment\n127.0.0.1 localhost\n10.1.1.1\tRegistry.Local alias # x\n::5 registry.local\nbad x\n10.1.1.2",
        "",
    );
    let addresses = |host: &str| -> Vec<String> {
        resolver.addresses(host).unwrap().iter().map(ToString::to_string).collect()
    };
    assert_eq!(addresses("registry.LOCAL"), ["::5", "10.1.1.1"]);
    assert_eq!(addresses("alias."), ["10.1.1.1"]);
    assert_eq!(addresses("192.0.2.7"), ["192.0.2.7"]);
    assert_eq!(addresses("::1"), ["::1"]);
    assert_eq!(addresses("any.localhost"), ["127.0.0.1", "::1"]);
    assert_eq!(Hosts::parse("fe80::1%eth0 x"), Hosts::default());
}

#[test]
fn resolv_conf_and_its_limits() {
    let conf = ResolvConf::parse(
        "domain old\nsearch One.test. two.test\nnameserver 10.0.0.1\nnameserver ::1 ; x\nnameserver what\n\
         nameserver 10.0.0.2\nnameserver 10.0.0.3\noptions ndots:2 timeout:99 attempts:0 rotate ndots:x",
    );
    assert_eq!(conf.servers.len(), 3);
    assert_eq!(conf.servers[1].to_string(), "[::1]:53");
    assert_eq!((conf.ndots, conf.timeout.as_secs(), conf.attempts), (2, 30, 1));
    assert_eq!(conf.candidates("a.b"), ["a.b.one.test", "a.b.two.test", "a.b"]);
    assert_eq!(conf.candidates("a.b.c"), ["a.b.c", "a.b.c.one.test", "a.b.c.two.test"]);
    assert_eq!(conf.candidates("a."), ["a"]);
    assert_eq!(ResolvConf::parse("").servers[0].to_string(), "127.0.0.1:53");
}

#[test]
fn only_names_can_be_asked_for() {
    let long = "a.".repeat(127);
    for name in ["", "a..b", ".a", "a.", "ä.test", "a b", &"x".repeat(64), &long] {
        assert_eq!(question(1, name, Kind::A), None, "{name}");
    }
    assert_eq!(question(1, &"x".repeat(63), Kind::A).unwrap().len(), 12 + 1 + 63 + 1 + 4);
}

#[test]
fn an_answer_must_fit_the_question() {
    let asked = question(0x1234, "app.test", Kind::A).unwrap();
    let addresses = vec![IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])];
    let right = good(&asked);
    assert_eq!(answer(&asked, &right), Ok(Answer::Addresses(addresses)));
    let with = |place: usize, value: u8| {
        let mut message = right.clone();
        message[place] = value;
        answer(&asked, &message)
    };
    assert_eq!(with(0, 0), Err(NotTheAnswer), "another id");
    assert_eq!(with(2, 0), Err(NotTheAnswer), "a question");
    assert_eq!(with(13, b'x'), Err(NotTheAnswer), "another name");
    assert_eq!(with(7, 9), Err(NotTheAnswer), "fewer records than said");
    assert_eq!(with(3, 3), Ok(Answer::NoSuchName));
    assert_eq!(with(3, 2), Ok(Answer::Failed(2)));
    assert_eq!(with(2, 0x83), Ok(Answer::Truncated));
    for length in 0..right.len() {
        assert_eq!(answer(&asked, &right[..length]), Err(NotTheAnswer), "cut at {length}");
    }
}

#[test]
fn both_families_from_the_search_list() {
    let (server, conf) = Server::start();
    let resolver = Resolver::new("", &format!("{conf}search nowhere.test test\n"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            server.serve(4, |question| {
                if is_for(question, "app.test") {
                    good(question)
                } else {
                    reply(question, [0x81, 0x83], &[])
                }
            });
        });
        let addresses = resolver.addresses("app").unwrap();
        let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["fd00::1", "10.0.0.1", "10.0.0.2"]);
    });
    // Nobody serves any more: it is remembered.
    assert_eq!(resolver.addresses("app").unwrap().len(), 3);
}

#[test]
fn forged_answers_are_passed_over() {
    let (server, conf) = Server::start();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = [0; 512];
            for _ in 0..2 {
                let (length, from) = server.udp.recv_from(&mut buffer).unwrap();
                let question = &buffer[..length];
                let mut forged = reply(question, [0x81, 0x80], &[(1, &[6, 6, 6, 6])]);
                forged[0] ^= 0xff;
                server.udp.send_to(&forged, from).unwrap();
                server.udp.send_to(b"x", from).unwrap();
                server.udp.send_to(&good(question), from).unwrap();
            }
        });
        let addresses = Resolver::new("", &conf).addresses("app.test").unwrap();
        assert!(!addresses.contains(&IpAddr::from([6, 6, 6, 6])), "{addresses:?}");
        assert_eq!(addresses.len(), 3);
    });
}

#[test]
fn an_answer_that_does_not_fit_comes_over_tcp() {
    let (server, conf) = Server::start();
    let Some(tcp) = &server.tcp else { return };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            server.serve(2, |question| {
                let truncated = kind(question) == 1;
                if truncated {
                    reply(question, [0x83, 0x80], &[])
                } else {
                    reply(question, [0x81, 0x80], &[])
                }
            });
            let (mut stream, _) = tcp.accept().unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut question).unwrap();
            let answer = good(&question);
            stream.write_all(&(answer.len() as u16).to_be_bytes()).unwrap();
            stream.write_all(&answer).unwrap();
        });
        assert_eq!(Resolver::new("", &conf).addresses("app.test").unwrap().len(), 2);
    });
}

#[test]
fn failures_are_told_apart() {
    let (server, conf) = Server::start();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            server.serve(2, |question| reply(question, [0x81, 0x83], &[]));
            server.serve(2, |question| reply(question, [0x81, 0x82], &[]));
        });
        let resolver = Resolver::new("", &conf);
        let error = resolver.addresses("gone.test").unwrap_err();
        assert!(matches!(error, ResolveError::NoSuchHost { .. }), "{error}");
        let error = resolver.addresses("app.test").unwrap_err();
        assert!(error.to_string().contains("SERVFAIL"), "{error}");
        // Nobody answers: the time-out of one second.
        let error = resolver.addresses("app.test").unwrap_err();
        assert!(error.to_string().contains("does not answer"), "{error}");
        assert!(matches!(resolver.addresses("a..b"), Err(ResolveError::BadName { .. })));
    });
}
