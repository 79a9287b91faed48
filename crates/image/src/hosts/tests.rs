use super::{
    Capabilities, ConfigError, Endpoint, Hosts, RegistriesConf, parse_hosts_toml, upstream,
};
use crate::reference::{Reference, Repository};
use std::path::{Path, PathBuf};
use std::time::Duration;

fn repository(name: &str) -> Repository {
    name.parse::<Reference>().unwrap().repository().clone()
}

fn bases(endpoints: &[Endpoint]) -> Vec<String> {
    endpoints.iter().map(|it| format!("{}/{}", it.base, it.path)).collect()
}

fn hosts_toml(text: &str, name: &str) -> Result<Vec<Endpoint>, ConfigError> {
    let repository = repository(name);
    let own = upstream(repository.registry(), repository.path())?;
    parse_hosts_toml(text, Path::new("/etc/certs.d/x/hosts.toml"))?.endpoints(&own)
}

#[test]
fn without_configuration_there_is_the_registry_alone() {
    let endpoints = |name: &str| Hosts::default().endpoints(&repository(name)).unwrap();
    let hub = endpoints("alpine");
    assert_eq!(bases(&hub), ["https://registry-1.docker.io/v2/library/alpine"]);
    assert_eq!((hub[0].registry.as_str(), hub[0].plain_port), ("docker.io", None));
    let local = endpoints("localhost:5000/a");
    assert_eq!(
        (local[0].base.to_string().as_str(), local[0].plain_port),
        ("https://localhost:5000/v2", Some(5000))
    );
    assert_eq!(endpoints("127.0.0.1/a")[0].plain_port, Some(80));
    assert_eq!(local[0].in_the_clear().unwrap().base.to_string(), "http://localhost:5000/v2");
    assert_eq!(endpoints("r.test:5000/a")[0].in_the_clear(), None);
    let insecure = Hosts { insecure: true, ..Hosts::default() };
    let endpoint = &insecure.endpoints(&repository("r.test:5000/a")).unwrap()[0];
    assert!(endpoint.settings.dangerous_any_certificate && endpoint.plain_port == Some(5000));
}

#[test]
fn hosts_toml_in_the_order_of_the_file() {
    let text = r#"
        server = "https://registry-1.docker.io"
        ca = "own.crt"
        [host."https://z.test"]
        capabilities = ["pull"]
        ca = ["a.crt", "/b.crt"]
        client = [["c.cert", "c.key"]]
        dial_timeout = "1m0.5s"
        [host."https://z.test".header]
        X-One = "1"
        X-Two = ["2", "3"]
        [host."http://a.test:81/base"]
        skip_verify = true
        [host."https://m.test/api/registry/"]
        override_path = true
        [host."https://m.test/api/registry/".rewrite]
        "^library/(.*)$" = "mirror/$1"
    "#;
    let endpoints = hosts_toml(text, "alpine").unwrap();
    assert_eq!(
        bases(&endpoints),
        [
            "https://z.test/v2/library/alpine",
            "http://a.test:81/base/v2/library/alpine",
            "https://m.test/api/registry/mirror/alpine",
            "https://registry-1.docker.io/v2/library/alpine",
        ]
    );
    let first = &endpoints[0];
    assert_eq!(first.capabilities, Capabilities { by_tag: false, by_digest: true, push: false });
    assert_eq!(
        first.settings.authorities,
        [PathBuf::from("/etc/certs.d/x/a.crt"), "/b.crt".into()]
    );
    let client = (PathBuf::from("/etc/certs.d/x/c.cert"), PathBuf::from("/etc/certs.d/x/c.key"));
    assert_eq!(first.settings.client, Some(client));
    assert_eq!(first.settings.connect_timeout, Some(Duration::from_millis(60_500)));
    assert_eq!(first.headers.len(), 3);
    assert_eq!(
        (first.namespace.as_deref(), first.registry.as_str()),
        (Some("docker.io"), "z.test")
    );
    assert!(endpoints[1].settings.dangerous_any_certificate);
    let own = &endpoints[3];
    assert_eq!((own.namespace.as_deref(), own.registry.as_str()), (None, "docker.io"));
    assert_eq!(own.settings.authorities, [PathBuf::from("/etc/certs.d/x/own.crt")]);
}

#[test]
fn hosts_toml_that_means_nothing_is_an_error() {
    for text in [
        "x",
        "server = 1",
        "server = \"ftp://a\"",
        "[host.\"https://u:p@a\"]",
        "capabilities = [\"fly\"]",
        "dial_timeout = \"5\"",
        "dial_timeout = \"-5s\"",
        "client = [\"a\", \"b\"]",
        "[header]\n\"a b\" = \"x\"",
        "[header]\nA = \"x\\r\\nB: y\"",
        "[rewrite]\n\"(\" = \"x\"",
        "[rewrite]\n\".*\" = \"../../x\"",
    ] {
        assert!(hosts_toml(text, "r.test/a").is_err(), "{text}");
    }
    assert_eq!(bases(&hosts_toml("", "r.test/a").unwrap()), ["https://r.test/v2/a"]);
}

fn conf(text: &str) -> RegistriesConf {
    let mut conf = RegistriesConf::default();
    conf.add(text, Path::new("registries.conf")).unwrap();
    conf
}

#[test]
fn registries_conf_sends_names_elsewhere() {
    let registries = conf(
        r#"
        unqualified-search-registries = ["quay.io", "docker.io"]
        [[registry]]
        prefix = "docker.io/library"
        location = "cache.test:5000/hub"
        [[registry.mirror]]
        location = "mirror.test/m"
        insecure = true
        [[registry.mirror]]
        location = "digests.test"
        pull-from-mirror = "digest-only"
        [[registry]]
        location = "docker.io"
        [[registry]]
        prefix = "*.corp.test"
        insecure = true
        [[registry]]
        prefix = "bad.test/x"
        blocked = true
        [aliases]
        fedora = "registry.fedora.test/fedora"
        "#,
    );
    let hosts = Hosts { registries, ..Hosts::default() };
    let endpoints = |name: &str| hosts.endpoints(&repository(name)).unwrap();
    let alpine = endpoints("alpine");
    assert_eq!(
        bases(&alpine),
        [
            "https://mirror.test/v2/m/alpine",
            "https://digests.test/v2/alpine",
            "https://cache.test:5000/v2/hub/alpine",
        ]
    );
    assert_eq!(alpine[0].plain_port, Some(80));
    assert!(!alpine[0].capabilities.push && alpine[2].capabilities.push);
    assert!(!alpine[1].capabilities.by_tag && alpine[1].capabilities.by_digest);
    assert_eq!(bases(&endpoints("user/app")), ["https://registry-1.docker.io/v2/user/app"]);
    assert!(endpoints("a.corp.test:81/x")[0].settings.dangerous_any_certificate);
    assert!(!endpoints("corp.test/x")[0].settings.dangerous_any_certificate);
    let blocked = hosts.endpoints(&repository("bad.test/x/y")).unwrap_err();
    assert!(matches!(blocked, ConfigError::Blocked { .. }));
    assert!(hosts.endpoints(&repository("bad.test/xy")).is_ok());
    let list = hosts.registries.short_names().list().unwrap();
    assert_eq!(list.candidates("app").unwrap()[0].to_string(), "quay.io/app:latest");
    assert_eq!(
        list.candidates("fedora").unwrap()[0].to_string(),
        "registry.fedora.test/fedora:latest"
    );
}

#[test]
fn a_later_file_goes_before_an_earlier_one() {
    let mut both = conf(
        "unqualified-search-registries = [\"a.test\"]\n[[registry]]\nlocation = \"x.test\"\nblocked = true",
    );
    both.add("[[registry]]\nlocation = \"x.test\"", Path::new("b.conf")).unwrap();
    assert!(both.locations(&repository("x.test/y")).is_ok());
    assert_eq!(both.short_names().search, Some(vec!["a.test".to_owned()]));
    for text in [
        "[[registry]]",
        "[[registry]]\nprefix = \"*.a\"\nlocation = \"b\"",
        "[[registry]]\nlocation = \"a\"\n[[registry.mirror]]\nlocation = \"b\"\npull-from-mirror = \"x\"",
    ] {
        assert!(both.add(text, Path::new("c.conf")).is_err(), "{text}");
    }
}
