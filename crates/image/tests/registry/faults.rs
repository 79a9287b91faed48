//! Answers that must become clear errors, and those that must be tried again.

use crate::support::{
    Fake, Reply, Server, blob, error, noise, registries, registries_within, remote, sha256,
};
use image::hosts::Hosts;
use image::registry::RegistryError;
use image::transport::Proxies;
use std::io::Read;
use std::sync::atomic::{AtomicU32, Ordering};

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const MANIFEST: &[u8] = br#"{"schemaVersion": 2, "config": {}, "layers": []}"#;

/// What asking for a manifest at a server fails with.
fn manifest_error(reply: impl Fn() -> Reply + Send + Sync + 'static) -> String {
    let server = Server::start(move |_| reply());
    let registries = registries();
    let remote = remote(&registries, &server.host(), "a");
    error(remote.manifest_by_digest(&sha256(MANIFEST))).to_string()
}

#[test]
fn a_manifest_is_what_was_asked_for() {
    let fake = Fake::start();
    fake.state.add_manifest("a", "latest", OCI, MANIFEST);
    let registries = registries();
    let remote = remote(&registries, &fake.host(), "a");
    let by_tag = remote.manifest_by_tag("latest").unwrap();
    assert_eq!(by_tag.bytes, MANIFEST);
    assert_eq!(by_tag.descriptor.digest, sha256(MANIFEST));
    assert_eq!(by_tag.descriptor.media_type.as_str(), OCI);
    assert_eq!(remote.manifest_by_digest(&sha256(MANIFEST)).unwrap().bytes, MANIFEST);
    assert_eq!(remote.find_manifest("latest").unwrap(), Some(sha256(MANIFEST)));
    assert_eq!(remote.find_manifest("nope").unwrap(), None);
    let missing = error(remote.manifest_by_tag("nope")).to_string();
    let expected = format!("{0}/a:nope does not exist on {0}: manifest unknown", fake.host());
    assert_eq!(missing, expected);
    // One connection for TLS, which it does not speak, and one for all the rest.
    assert_eq!(fake.server.connections(), 2);
    remote.delete_manifest(&sha256(MANIFEST)).unwrap();
    assert!(matches!(
        error(remote.delete_manifest(&sha256(MANIFEST))),
        RegistryError::NotFound { .. }
    ));
}

#[test]
fn wrong_manifests_are_refused() {
    let wrong = manifest_error(|| Reply::ok("{}").header("Content-Type", OCI));
    assert!(wrong.contains("wrong content: expected sha256:"), "{wrong}");
    let kind = manifest_error(|| Reply::ok(MANIFEST).header("Content-Type", "text/html"));
    assert!(kind.contains("kind that cannot be used here: text/html"), "{kind}");
    let large = manifest_error(|| Reply { declared: Some(100 << 20), ..Reply::ok("{") });
    assert!(large.ends_with("is larger than 4194304 bytes"), "{large}");
    // The same without saying so.
    let endless = manifest_error(|| Reply { is_chunked: true, ..Reply::ok(vec![b' '; 5 << 20]) });
    assert!(endless.ends_with("is larger than 4194304 bytes"), "{endless}");
    let short = manifest_error(|| Reply { declared: Some(100), ..Reply::ok(MANIFEST) });
    assert!(short.contains("bytes early"), "{short}");
    let cut = manifest_error(|| Reply { is_chunked: true, cut: Some(20), ..Reply::ok(MANIFEST) });
    assert!(cut.contains("unexpected end") || cut.contains("early"), "{cut}");
}

#[test]
fn a_tag_whose_digest_is_not_what_the_registry_says() {
    let server = Server::start(|_| {
        Reply::ok(MANIFEST)
            .header("Content-Type", OCI)
            .header("Docker-Content-Digest", sha256(b"x").as_str())
    });
    let registries = registries();
    let found = error(remote(&registries, &server.host(), "a").manifest_by_tag("latest"));
    assert!(matches!(found, RegistryError::WrongDigest { .. }), "{found}");
}

#[test]
fn what_is_no_http_is_said_to_be_none() {
    let raw = |bytes: &'static [u8]| {
        manifest_error(move || Reply { raw: Some(bytes.to_vec()), ..Reply::new(0) })
    };
    assert!(raw(b"220 mail.example ESMTP\r\n").contains("does not speak HTTP"));
    assert!(
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
            .contains("impossible length")
    );
    assert!(
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").contains("malformed")
    );
    assert!(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n").contains("transfer coding"));
    let endless = [b"HTTP/1.1 200 OK\r\nA: ".to_vec(), vec![b'x'; 100_000]].concat();
    let found = manifest_error(move || Reply { raw: Some(endless.clone()), ..Reply::new(0) });
    assert!(found.contains("longer than 65536"), "{found}");
    let silent = manifest_error(|| Reply { hangs_up: true, ..Reply::new(0) });
    assert!(silent.contains("closed the connection"), "{silent}");
}

#[test]
fn a_server_that_closes_when_it_sees_tls_may_speak_plain_http() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        drop(listener.accept());
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\nab")
    });
    let registries = registries();
    assert_eq!(remote(&registries, &host, "a").small_blob(&blob(b"ab"), 9).unwrap(), b"ab");
}

#[test]
fn a_server_that_says_nothing_is_left() {
    let server = Server::start(|_| Reply {
        cut: Some(0),
        stalls: true,
        declared: Some(10),
        ..Reply::ok("x")
    });
    // The head comes, and must come within this.
    let patience = std::time::Duration::from_secs(3);
    let registries = registries_within(patience, Proxies::default(), Hosts::default());
    let remote = remote(&registries, &server.host(), "a");
    let mut part = remote.blob(&blob(b"0123456789"), 0..10).unwrap();
    let stalled = part.body.read(&mut [0; 10]).unwrap_err();
    assert_eq!(stalled.to_string(), "nothing came for 3 s");
}

#[test]
fn a_busy_registry_is_asked_again() {
    for (status, header) in [(429, "0"), (503, "0"), (502, ""), (500, "soon"), (408, "0")] {
        let count = AtomicU32::new(0);
        let server = Server::start(move |_| {
            if count.fetch_add(1, Ordering::Relaxed) < 2 {
                return Reply::new(status).header("Retry-After", header);
            }
            Reply::ok(MANIFEST).header("Content-Type", OCI)
        });
        let registries = registries();
        let waits = AtomicU32::new(0);
        let on_wait = |_: &RegistryError, _| _ = waits.fetch_add(1, Ordering::Relaxed);
        let repository = crate::support::repository(&server.host(), "a");
        let remote = registries.remote(&repository, &on_wait).unwrap();
        remote.manifest_by_tag("latest").unwrap();
        assert_eq!(waits.load(Ordering::Relaxed), 2, "{status}");
    }
}

#[test]
fn what_will_not_change_is_not_asked_again() {
    let server = Server::start(|_| Reply::new(400));
    let registries = registries();
    let found = error(remote(&registries, &server.host(), "a").manifest_by_tag("latest"));
    assert!(found.to_string().contains("the registry answered 400"), "{found}");
    assert_eq!(server.seen().len(), 1);
    let server = Server::start(|_| Reply::new(429).header("Retry-After", "86400"));
    let found = error(remote(&registries, &server.host(), "a").manifest_by_tag("latest"));
    assert!(found.to_string().contains("asks to wait 86400 s"), "{found}");
    assert_eq!(server.seen().len(), 1);
    // One that is always busy is given up.
    let server = Server::start(|_| Reply::new(503));
    error(remote(&registries, &server.host(), "a").manifest_by_tag("latest"));
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn blobs_whole_and_in_part() {
    let fake = Fake::start();
    let bytes = noise(100_000);
    let descriptor = fake.state.add_blob("a/b", &bytes);
    let registries = registries();
    let remote = remote(&registries, &fake.host(), "a/b");
    assert_eq!(remote.small_blob(&descriptor, 100_000).unwrap(), bytes);
    let mut part = remote.blob(&descriptor, 10..20).unwrap();
    assert_eq!(part.start, 10);
    assert_eq!(part.body.read_all(100).unwrap(), bytes[10..20]);
    let too_large = error(remote.small_blob(&descriptor, 99_999));
    assert!(matches!(too_large, RegistryError::TooLarge { limit: 99_999, .. }), "{too_large}");
}

#[test]
fn blobs_that_are_not_what_they_should_be() {
    let bytes = noise(5000);
    let descriptor = blob(&bytes);
    let get = |reply: Reply| {
        let server = Server::start(move |_| reply.clone());
        let registries = registries();
        error(remote(&registries, &server.host(), "a").small_blob(&descriptor, 1 << 20)).to_string()
    };
    let longer = get(Reply::ok(noise(5001)));
    assert!(longer.ends_with("wrong length: expected 5000 bytes, got 5001"), "{longer}");
    let shorter = get(Reply::ok(noise(4999)));
    assert!(shorter.ends_with("wrong length: expected 5000 bytes, got 4999"), "{shorter}");
    let endless = get(Reply { is_chunked: true, ..Reply::ok(noise(6000)) });
    assert!(endless.ends_with("wrong length: expected 5000 bytes, got more"), "{endless}");
    let early = get(Reply { is_chunked: true, ..Reply::ok(noise(4000)) });
    assert!(early.ends_with("wrong length: expected 5000 bytes, got 4000"), "{early}");
    let other = get(Reply::ok(vec![0; 5000]));
    assert!(other.contains("wrong content"), "{other}");
    let squeezed = get(Reply::ok(noise(5000)).header("Content-Encoding", "gzip"));
    assert!(squeezed.contains("compressed"), "{squeezed}");
    let part = get(Reply { status: 206, ..Reply::ok(&bytes[1..]) }
        .header("Content-Range", "bytes 1-4999/5000"));
    assert!(part.contains("another part than was asked for"), "{part}");
}

#[test]
fn a_body_that_breaks_off_is_asked_for_again() {
    let bytes = noise(5000);
    let descriptor = blob(&bytes);
    let count = AtomicU32::new(0);
    let server = Server::start(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Reply { cut: Some(1000), ..Reply::ok(noise(5000)) },
        _ => Reply::ok(noise(5000)),
    });
    let registries = registries();
    let remote = remote(&registries, &server.host(), "a");
    assert_eq!(remote.small_blob(&descriptor, 1 << 20).unwrap(), bytes);
}

#[test]
fn lists_in_pages() {
    let server = Server::start(|seen| match seen.target.as_str() {
        "/v2/a/tags/list" => Reply::ok(r#"{"tags": ["1", "2"]}"#)
            .header("Link", r#"</v2/a/tags/list?last=2>; rel="next""#),
        "/v2/a/tags/list?last=2" => {
            Reply::ok(r#"{"tags": null}"#).header("Link", r#"<http://evil.test/x>; rel="next""#)
        }
        "/v2/_catalog" => Reply::ok(r#"{"repositories": ["x/app", "y", "app"]}"#),
        _ => Reply::new(404),
    });
    let registries = registries();
    assert_eq!(remote(&registries, &server.host(), "a").tags().unwrap(), ["1", "2"]);
    assert_eq!(registries.search(&server.host(), "app", &|_, _| {}).unwrap(), ["x/app", "app"]);
    let none = Server::start(|_| Reply::new(404));
    let found = error(registries.search(&none.host(), "app", &|_, _| {}));
    assert!(matches!(found, RegistryError::Unsupported { .. }), "{found}");
    // The older way, where there is no list.
    let old = Server::start(|seen| match seen.target.as_str() {
        "/v1/search?q=my%20app&n=100" => Reply::ok(
            r#"{"num_results": 2, "results": [{"name": "x/my-app", "is_official": false}, {"name": "app"}]}"#,
        ),
        _ => Reply::new(404),
    });
    assert_eq!(registries.search(&old.host(), "my app", &|_, _| {}).unwrap(), ["x/my-app", "app"]);
}

#[test]
fn referrers_by_their_own_address_or_by_a_tag() {
    let index = format!(
        r#"{{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        {{"mediaType": "{OCI}", "size": 2, "digest": "{0}", "artifactType": "sig"}},
        {{"mediaType": "{OCI}", "size": 2, "digest": "{0}", "artifactType": "sbom"}}]}}"#,
        sha256(b"{}")
    );
    let subject = sha256(MANIFEST);
    let by_tag = format!("/v2/a/manifests/sha256-{}", subject.hex());
    let by_address = format!("/v2/b/referrers/{subject}");
    let server = Server::start(move |seen| {
        let known = seen.target == by_tag || seen.target == by_address;
        if known { Reply::ok(index.clone()) } else { Reply::new(404) }
    });
    let registries = registries();
    for path in ["a", "b"] {
        let remote = remote(&registries, &server.host(), path);
        assert_eq!(remote.referrers(&subject, None).unwrap().len(), 2);
        assert_eq!(remote.referrers(&subject, Some("sig")).unwrap().len(), 1);
    }
    let none = remote(&registries, &server.host(), "c");
    assert_eq!(none.referrers(&subject, None).unwrap(), []);
}
