//! Where registries send us, and what we take with us.

use crate::support::{
    Fake, Reply, Server, blob, error, noise, registries, registries_with, remote, repository,
};
use image::auth::{Credential, CredentialFiles};
use image::hosts::Hosts;
use image::registry::RegistryError;
use image::transport::Proxies;

#[test]
fn authorization_stays_with_the_registry() {
    let bytes = noise(1000);
    let storage = Server::start(|_| Reply::ok(noise(1000)));
    let location = storage.url("/signed?secret=1");
    let registry = Server::start(move |seen| match seen.header("authorization") {
        "" => Reply::new(401).header("WWW-Authenticate", "Basic realm=\"x\""),
        "Basic dTpw" => Reply::redirect(307, location.clone()),
        _ => Reply::new(403),
    });
    let folder = crate::support::Folder::new("redirect-auth");
    let mut registries = registries();
    registries.credentials = CredentialFiles::new(vec![folder.path().join("auth.json")]);
    let credential = Credential::Password { user: "u".to_owned(), password: "p".to_owned() };
    registries.credentials.store(&registry.host(), &credential).unwrap();
    let remote = remote(&registries, &registry.host(), "a");
    assert_eq!(remote.small_blob(&blob(&bytes), 1 << 20).unwrap(), bytes);
    let seen = &storage.seen()[0];
    assert_eq!(seen.target, "/signed?secret=1");
    assert_eq!(seen.header("authorization"), "");
}

#[test]
fn a_redirect_within_the_registry_keeps_it() {
    let registry = Server::start(|seen| match (seen.path(), seen.header("authorization")) {
        (_, "") => Reply::new(401).header("WWW-Authenticate", "Basic realm=\"x\""),
        ("/moved", _) => Reply::ok(noise(10)),
        _ => Reply::redirect(302, "/moved"),
    });
    let folder = crate::support::Folder::new("redirect-same");
    let mut registries = registries();
    registries.credentials = CredentialFiles::new(vec![folder.path().join("auth.json")]);
    let credential = Credential::Password { user: "u".to_owned(), password: "p".to_owned() };
    registries.credentials.store(&registry.host(), &credential).unwrap();
    let remote = remote(&registries, &registry.host(), "a");
    assert_eq!(remote.small_blob(&blob(&noise(10)), 100).unwrap(), noise(10));
}

#[test]
fn loops_and_bad_addresses_end() {
    let server = Server::start(|seen| match seen.path() {
        "/v2/loop/manifests/x" => Reply::redirect(302, &seen.target),
        "/v2/file/manifests/x" => Reply::redirect(302, "file:///etc/passwd"),
        _ => Reply::redirect(302, "http://user:password@other.test/"),
    });
    let registries = registries();
    let found = error(remote(&registries, &server.host(), "loop").manifest_by_tag("x"));
    assert!(matches!(found, RegistryError::RedirectLoop { limit: 10, .. }), "{found}");
    assert_eq!(server.seen().len(), 11);
    for path in ["file", "user"] {
        let found = error(remote(&registries, &server.host(), path).manifest_by_tag("x"));
        assert!(matches!(found, RegistryError::BadLocation { .. }), "{found}");
    }
}

#[test]
fn mirrors_are_asked_first_and_left_when_they_fail() {
    let bytes = noise(1000);
    let upstream = Fake::start();
    upstream.state.add_blob("a", &bytes);
    let mirror = Server::start(|_| Reply::new(503));
    let closed = {
        let server = Server::start(|_| Reply::new(200));
        server.host()
    };
    let folder = crate::support::Folder::new("mirrors");
    let hosts_toml = format!(
        "server = \"http://{}\"\n[host.\"http://{}/base\".header]\nX-Own = \"1\"\n[host.\"http://{closed}\"]\n",
        upstream.host(),
        mirror.host()
    );
    folder.write("registry.test/hosts.toml", hosts_toml);
    let hosts = Hosts { folders: vec![folder.path().to_owned()], ..Hosts::default() };
    let registries = registries_with(Proxies::default(), hosts);
    let remote = registries.remote(&repository("registry.test", "a"), &|_, _| {}).unwrap();
    for _ in 0..2 {
        assert_eq!(remote.small_blob(&blob(&bytes), 1 << 20).unwrap(), bytes);
    }
    let seen = mirror.seen();
    assert_eq!(seen.len(), 2, "a mirror is asked once each time");
    let expected = format!("/base/v2/a/blobs/{}?ns=registry.test", blob(&bytes).digest);
    assert_eq!(seen[0].target, expected);
    assert_eq!(seen[0].header("x-own"), "1");
    assert_eq!(upstream.server.seen()[0].header("x-own"), "");
}

#[test]
fn a_proxy_gets_plain_requests_whole_and_the_rest_as_tunnels() {
    let proxy = Server::start(|seen| match seen.method.as_str() {
        "CONNECT" => Reply::new(403),
        _ => Reply::ok(noise(10)),
    });
    let proxies = Proxies::new(&format!("http://u:p@{}", proxy.host()), &proxy.host(), "").unwrap();
    let hosts = Hosts { insecure: true, ..Hosts::default() };
    let registries = registries_with(proxies, hosts);
    let remote = registries.remote(&repository("registry.test:81", "a"), &|_, _| {}).unwrap();
    let found = error(remote.small_blob(&blob(&noise(10)), 100));
    assert!(
        found.to_string().contains(&format!("the proxy http://{} answered 403", proxy.host())),
        "{found}"
    );
    assert_eq!(proxy.lines()[0], "CONNECT registry.test:81");
    let folder = crate::support::Folder::new("proxy");
    folder.write("registry.test/hosts.toml", "server = \"http://registry.test\"");
    let proxies = Proxies::new(&format!("http://u:p@{}", proxy.host()), "", "").unwrap();
    let hosts = Hosts { folders: vec![folder.path().to_owned()], ..Hosts::default() };
    let registries = registries_with(proxies, hosts);
    let remote = registries.remote(&repository("registry.test", "a"), &|_, _| {}).unwrap();
    assert_eq!(remote.small_blob(&blob(&noise(10)), 100).unwrap(), noise(10));
    let seen = proxy.seen().pop().unwrap();
    assert_eq!(seen.target, format!("http://registry.test/v2/a/blobs/{}", blob(&noise(10)).digest));
    assert_eq!(seen.header("proxy-authorization"), "Basic dTpw");
}
