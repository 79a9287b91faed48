//! Tokens: how they are got, used again and replaced.

use crate::support::{Folder, Reply, Seen, Server, error, registries, remote};
use image::auth::{AuthError, Credential, CredentialFiles};
use image::registry::{Login, Registries, RegistryError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const MANIFEST: &[u8] = br#"{"schemaVersion": 2, "config": {}, "layers": []}"#;

/// A registry and its token server in one, of which each token is good for a number of requests.
struct Guarded {
    server: Server,
    tokens: Arc<AtomicU32>,
}

impl Guarded {
    fn start(life: u32, token: impl Fn(&Seen, u32) -> Reply + Send + Sync + 'static) -> Guarded {
        let tokens = Arc::new(AtomicU32::new(0));
        let count = tokens.clone();
        let used = AtomicU32::new(0);
        let server = Server::start(move |seen| {
            if seen.path() == "/token" {
                used.store(0, Ordering::Relaxed);
                return token(seen, count.fetch_add(1, Ordering::Relaxed) + 1);
            }
            let good = format!("Bearer t{}", count.load(Ordering::Relaxed));
            if seen.header("authorization") == good && used.fetch_add(1, Ordering::Relaxed) < life {
                return Reply::ok(MANIFEST).header("Content-Type", OCI);
            }
            let realm = format!("http://{}/token?x=y", seen.header("host"));
            let challenge =
                format!("Bearer realm=\"{realm}\",service=\"s\",scope=\"repository:a/b:pull\"");
            Reply::new(401).header("WWW-Authenticate", challenge)
        });
        Guarded { server, tokens }
    }

    fn tokens(&self) -> u32 {
        self.tokens.load(Ordering::Relaxed)
    }
}

fn numbered(_: &Seen, number: u32) -> Reply {
    Reply::ok(format!(r#"{{"token": "t{number}", "expires_in": 300}}"#))
}

fn with_credential(name: &str, host: &str, credential: &Credential) -> (Registries, Folder) {
    let folder = Folder::new(name);
    let mut registries = registries();
    registries.credentials = CredentialFiles::new(vec![folder.path().join("config.json")]);
    registries.credentials.store(host, credential).unwrap();
    (registries, folder)
}

fn password() -> Credential {
    Credential::Password { user: "u".to_owned(), password: "p".to_owned() }
}

#[test]
fn a_token_is_used_again_and_replaced_when_it_is_refused() {
    let guarded = Guarded::start(2, numbered);
    let registries = registries();
    let remote = remote(&registries, &guarded.server.host(), "a/b");
    for _ in 0..5 {
        remote.manifest_by_tag("latest").unwrap();
    }
    assert_eq!(guarded.tokens(), 3);
    let asked = guarded.server.seen().into_iter().find(|seen| seen.path() == "/token").unwrap();
    assert_eq!(asked.target, "/token?x=y&service=s&scope=repository%3Aa%2Fb%3Apull");
    assert_eq!(asked.header("authorization"), "");
}

#[test]
fn many_threads_ask_for_one_token() {
    let guarded = Guarded::start(1000, numbered);
    let registries = registries();
    let remote = remote(&registries, &guarded.server.host(), "a/b");
    // The first one finds out that the server speaks no TLS.
    error(remote.manifest_by_digest(&crate::support::sha256(b"x")));
    let before = guarded.tokens();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| remote.manifest_by_tag("latest").unwrap());
        }
    });
    assert_eq!((before, guarded.tokens()), (1, 1));
}

#[test]
fn the_password_goes_to_the_token_server() {
    let guarded = Guarded::start(1000, |seen, number| {
        if seen.header("authorization") == "Basic dTpw" {
            numbered(seen, number)
        } else {
            Reply::new(401)
        }
    });
    let (registries, _folder) =
        with_credential("token-password", &guarded.server.host(), &password());
    remote(&registries, &guarded.server.host(), "a/b").manifest_by_tag("latest").unwrap();
    let anonymous = crate::support::registries();
    let denied = error(remote(&anonymous, &guarded.server.host(), "a/b").manifest_by_tag("latest"));
    assert!(denied.to_string().contains("log in first: tinyo login"), "{denied}");
}

#[test]
fn a_refresh_token_is_posted() {
    let guarded = Guarded::start(1000, |seen, _| {
        let form = String::from_utf8(seen.body.clone()).unwrap();
        let is_good = seen.method == "POST"
            && form.contains("grant_type=refresh_token")
            && form.ends_with("refresh_token=r%2Ft");
        if is_good { Reply::ok(r#"{"access_token": "t1"}"#) } else { Reply::new(400) }
    });
    let credential = Credential::IdentityToken("r/t".to_owned());
    let (registries, _folder) =
        with_credential("token-refresh", &guarded.server.host(), &credential);
    remote(&registries, &guarded.server.host(), "a/b").manifest_by_tag("latest").unwrap();
}

#[test]
fn token_servers_that_misbehave() {
    for (answer, expected) in [
        ("{}", "has no token"),
        ("nonsense", "not JSON"),
        (r#"{"token": "a\r\nX: y"}"#, "characters that no header can have"),
    ] {
        let guarded = Guarded::start(1, move |_, _| Reply::ok(answer));
        let registries = registries();
        let found =
            error(remote(&registries, &guarded.server.host(), "a/b").manifest_by_tag("latest"));
        assert!(found.to_string().contains(expected), "{found}");
    }
    // Tokens that are never accepted: one try with each of two, no more.
    let guarded = Guarded::start(0, numbered);
    let registries = registries();
    let found = error(remote(&registries, &guarded.server.host(), "a/b").manifest_by_tag("latest"));
    assert!(matches!(found, RegistryError::Auth(AuthError::Denied { .. })), "{found}");
    assert_eq!(guarded.tokens(), 1);
}

#[test]
fn other_schemes_are_named() {
    let server = Server::start(|_| {
        Reply::new(401).header("WWW-Authenticate", "Negotiate, Digest realm=\"x\"")
    });
    let registries = registries();
    let found = error(remote(&registries, &server.host(), "a").manifest_by_tag("latest"));
    assert!(found.to_string().contains("wants authentication by negotiate, digest"), "{found}");
}

#[test]
fn logging_in() {
    let server = Server::start(|seen| match seen.header("authorization") {
        "Basic dTpw" => Reply::ok("{}"),
        _ => Reply::new(401).header("WWW-Authenticate", "Basic realm=\"x\""),
    });
    let registries = registries();
    let host = server.host();
    assert_eq!(registries.log_in(&host, password(), &|_, _| {}).unwrap(), Login::Accepted);
    let wrong = Credential::Password { user: "u".to_owned(), password: "x".to_owned() };
    let found = error(registries.log_in(&host, wrong, &|_, _| {}));
    assert!(matches!(found, RegistryError::Auth(AuthError::Denied { .. })), "{found}");
    let open = Server::start(|_| Reply::ok("{}"));
    assert_eq!(registries.log_in(&open.host(), password(), &|_, _| {}).unwrap(), Login::NotNeeded);
}
