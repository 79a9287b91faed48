//! What a `state.yaml` means, and what is said about one that means nothing.

use super::{Defaults, parse};
use crate::model::{Need, Project, Until};
use engine::settings::{Mount, MountKind, RestartPolicy, SecretKind};
use std::path::Path;

fn defaults() -> Defaults<'static> {
    let environment = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
    let folder = Path::new("/home/me/shop");
    Defaults { name: None, folder_name: "My Shop", folder, environment }
}

fn project(text: &str) -> Project {
    parse(text.as_bytes(), defaults()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn error(text: &str) -> String {
    parse(text.as_bytes(), defaults()).expect_err(text).to_string()
}

#[test]
fn the_smallest_form() {
    let project =
        project("container: alpine\nport: 8080\nmounts:\n  - {source: ./site/., target: /srv/}\n");
    assert_eq!(project.name(), "myshop");
    let [service] = project.services() else { panic!("one service") };
    assert_eq!(service.name, "myshop");
    let settings = &service.settings;
    assert_eq!((settings.image.as_str(), settings.init), ("alpine", true));
    assert_eq!(settings.network.ports, ["8080:8080"]);
    let mount = Mount {
        source: "/home/me/shop/site".to_owned(),
        target: "/srv".to_owned(),
        ..Mount::default()
    };
    assert_eq!(settings.mounts, [mount]);
}

#[test]
fn several_services() {
    let project = project(
        r#"
name: shop
services:
  web:
    image: nginx:1
    command: sh -c 'exec nginx -g "daemon off;"'
    entrypoint: [/bin/env]
    environment: {DEBUG: true, VERSION: 1.10, EMPTY: "", HOME: }
    ports: ["8080:80", 53/udp, "127.0.0.1::443"]
    mounts:
      - data:/data:ro
      - {source: conf/app, target: /etc/app, read-only: true}
      - target: /anonymous
    tmpfs: [/run]
    restart: on-failure:3
    health: {command: wget -q localhost, interval: 1m30s, retries: 5}
    depends-on: {db: {condition: healthy}, cache: , init: {condition: completed}}
    memory: 64m
    cpus: 1.5
    labels: [a=b, c]
  db: {image: postgres, environment: [A=1, B], depends-on: [cache]}
  cache: {image: redis, health: none}
  init: {image: alpine}
"#,
    );
    let names: Vec<&str> = project.services().iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["cache", "db", "init", "web"]);
    let web = &project.services()[3];
    let settings = &web.settings;
    assert_eq!(settings.command, ["sh", "-c", "exec nginx -g \"daemon off;\""]);
    assert_eq!(settings.entrypoint.as_deref(), Some(&["/bin/env".to_owned()][..]));
    assert_eq!(settings.env, ["DEBUG=true", "VERSION=1.10", "EMPTY=", "HOME"]);
    assert_eq!(settings.network.ports, ["8080:80", "53:53/udp", "127.0.0.1::443"]);
    let sources: Vec<_> = settings.mounts.iter().map(|it| (it.kind, it.source.as_str())).collect();
    let expected = [
        (MountKind::Volume, "data"),
        (MountKind::Bind, "/home/me/shop/conf/app"),
        (MountKind::Volume, ""),
        (MountKind::Tmpfs, ""),
    ];
    assert_eq!(sources, expected);
    assert_eq!((settings.restart.policy, settings.restart.limit), (RestartPolicy::OnFailure, 3));
    let health = settings.health.clone().unwrap();
    assert_eq!(health.command, ["/bin/sh", "-c", "wget -q localhost"]);
    assert_eq!((health.interval, health.retries), (90_000_000_000, 5));
    let need = |service: &str, until| Need { service: service.to_owned(), until };
    let needs =
        [need("db", Until::Healthy), need("cache", Until::Ready), need("init", Until::Completed)];
    assert_eq!(web.needs, needs);
    assert_eq!(
        (settings.limits.memory, settings.limits.nano_cpus),
        (Some(64 << 20), Some(1_500_000_000))
    );
    assert_eq!(settings.labels.len(), 2);
    assert_eq!(project.services()[1].settings.env, ["A=1", "B"]);
}

#[test]
fn variables_are_completed_by_the_caller() {
    let mut project = project("image: a\nenvironment: [A, B, C=1]\n");
    project.complete_variables(|name| (name == "A").then(|| "x=y".to_owned()));
    assert_eq!(project.services()[0].settings.env, ["A=x=y", "B", "C=1"]);
}

/// A file, and what is said about it.
// tidy: table
const WRONG: &[(&str, &str)] = &[
    (
        "",
        "1:1: found nothing, expected a mapping such as \"container: IMAGE\", or one with \"services:\"",
    ),
    (
        "- a\n",
        "1:1: found a list, expected a mapping such as \"container: IMAGE\", or one with \"services:\"",
    ),
    ("port: 80\n", "1:1: found no image, expected \"image: IMAGE\""),
    ("image:\n", "1:6: image: found nothing, expected an image, such as alpine:3"),
    ("image: [a]\n", "1:8: image: found a list, expected an image, such as alpine:3"),
    (
        "image: a\ncontainer: b\n",
        "2:12: container: found both image and container, expected one of them",
    ),
    ("image: a\nprot: 80\n", "2:1: found the unknown field \"prot\", expected port"),
    (
        "image: a\nport: eighty\n",
        "2:7: port: found \"eighty\", expected a port such as 8080 or \"8080:80\"",
    ),
    (
        "image: a\nport: 70000\n",
        "2:7: port: found \"70000\", expected a port such as 8080 or \"8080:80\"",
    ),
    (
        "image: a\nports: [80, {a: b}]\n",
        "2:13: ports[1]: found a mapping, expected a port such as 8080 or \"8080:80\"",
    ),
    (
        "image: a\ncommand: \"echo 'x\"\n",
        "2:10: command: found \"echo 'x\", expected a second ' in it",
    ),
    (
        "image: a\nmounts: /srv\n",
        "2:9: mounts: found \"/srv\", expected a list such as [{source: ./site, target: /srv}]",
    ),
    (
        "image: a\nmounts:\n  - source: x\n",
        "3:5: mounts[0]: found no target, expected \"target: /FOLDER\"",
    ),
    (
        "image: a\nmounts:\n  - {source: x, target: y}\n",
        "3:25: mounts[0].target: found \"y\", expected an absolute path in the container",
    ),
    (
        "image: a\nmounts:\n  - {src: xx, target: /y}\n",
        "3:6: mounts[0]: found the unknown field \"src\", expected one of target, source, read-only, options, subpath",
    ),
    (
        "image: a\nmounts: [\"~/x:/y\"]\n",
        "2:10: mounts[0]: found \"~/x:/y\", expected a path such as ./site or /srv/site",
    ),
    ("image: a\ninit: yes\n", "2:7: init: found \"yes\", expected true or false"),
    (
        "image: a\nrestart: sometimes\n",
        "2:10: restart: found \"sometimes\", expected no, on-failure, on-failure:TIMES, always or unless-stopped",
    ),
    (
        "image: a\nhealth: {interval: soon}\n",
        "2:20: health.interval: found \"soon\", expected a time such as 30s or 1m30s",
    ),
    (
        "image: a\nhealth: {}\n",
        "2:9: health: found a mapping, expected a command, or a mapping with \"command:\"",
    ),
    (
        "image: a\nenvironment: {\"A=B\": c}\n",
        "2:15: environment: found \"A=B\", expected the name of a variable",
    ),
    ("image: a\nenvironment: {A: [b]}\n", "2:18: environment.A: found a list, expected text"),
    ("image: a\nmemory: lots\n", "2:9: memory: found \"lots\", expected a size such as 64m or 1g"),
    (
        "image: a\nnetwork: other\n",
        "2:10: network: found \"other\", expected none, host or container:NAME",
    ),
    ("image: a\ndepends-on: [b]\n", "2:14: depends-on: there is no service \"b\""),
    (
        "services: {}\n",
        "1:11: services: found a mapping, expected services by their names, such as \"web: {image: IMAGE}\"",
    ),
    (
        "services:\n  a: {image: x}\nimage: y\n",
        "3:1: found the unknown field \"image\", expected one of name, services, secrets, configs",
    ),
    (
        "services:\n  a:\n    port: 1\n",
        "3:5: services.a: found no image, expected \"image: IMAGE\"",
    ),
    (
        "services:\n  a: alpine\n",
        "2:6: services.a: found \"alpine\", expected a mapping with \"image: IMAGE\"",
    ),
    (
        "services:\n  a: {image: x, depends-on: [b]}\n",
        "2:30: services.a.depends-on: there is no service \"b\"",
    ),
    (
        "services:\n  a: {image: x, depends-on: [b, b]}\n  b: {image: x}\n",
        "2:33: services.a.depends-on[1]: found \"b\" a second time",
    ),
    (
        "services:\n  a: {image: x, depends-on: {b: {condition: soon}}}\n  b: {image: x}\n",
        "2:45: services.a.depends-on.b.condition: found \"soon\", expected started, healthy or completed",
    ),
    (
        "services:\n  a: {image: x, depends-on: [b]}\n  b: {image: x, depends-on: {a: }}\n",
        "2:30: services.a.depends-on: services depend on each other in a circle: a -> b -> a",
    ),
    (
        "services:\n  a: {image: x}\n  a: {image: y}\n",
        "3:3: found \"a\" a second time; the first one is in line 2",
    ),
    (
        "image: a\nsecrets: [{target: x}]\n",
        "2:11: secrets[0]: found no source, expected \"source: SECRET\"",
    ),
    (
        "image: a\nsecrets: [{source: x, target: ../y}]\n",
        "2:31: secrets[0].target: found \"../y\", expected a path, or for type env the name of a variable",
    ),
    (
        "image: a\nsecrets: [{source: x, type: env, mode: 0400}]\n",
        "2:40: secrets[0].mode: found this with type env, expected it with type mount alone",
    ),
    ("image: a\nulimits: {nofile: 2:1}\n", "2:19: ulimits.nofile: 2 is above the hard limit, 1"),
    (
        "image: a\nulimits: {nofile: {soft: 1}}\n",
        "2:19: ulimits.nofile: found no hard, expected soft and hard",
    ),
    (
        "image: a\ndevices: [a:b:c:d]\n",
        "2:11: devices[0]: found \"a:b:c:d\", expected a device such as /dev/fuse",
    ),
    (
        "name: x\nimage: a\n",
        "1:7: name: \"x\" cannot be a name: expected letters, digits, '_', '.' and '-', the first a letter or digit, 2 to 63 in all",
    ),
    (
        "services:\n  a b: {image: x}\n",
        "2:3: services: \"a b\" cannot be a name: expected letters, digits, '_', '.' and '-', the first a letter or digit, 2 to 63 in all",
    ),
];

#[test]
fn secrets_limits_and_files_of_variables() {
    let folder = std::env::temp_dir().join(format!("tinyo-state-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("env"), "# no\nA=1\nB=2\n").unwrap();
    let text = r#"
image: alpine
env-file: env
environment: {A: 3}
secrets:
  - "key,mode=0400"
  - {source: password, type: env, target: PASSWORD}
  - {name: cert, target: /etc/cert, uid: 33, mode: "0440"}
ulimits: {nofile: 1024, nproc: "10:20", core: {soft: 0, hard: -1}}
sysctls: {net.ipv4.ip_forward: 1}
devices: ["/dev/fuse:/dev/fuse:rw"]
userns: auto
group-add: [audio]
dns-search: [example.org]
"#;
    let place = Defaults { folder: &folder, ..defaults() };
    let parsed = parse(text.as_bytes(), place);
    let missing = parse(b"image: a\nenv-file: [env, none]\n", place).unwrap_err().to_string();
    std::fs::remove_dir_all(&folder).unwrap();
    let project = parsed.unwrap();
    let settings = &project.services()[0].settings;
    assert_eq!(settings.env, ["A=1", "B=2", "A=3"]);
    let secrets: Vec<_> = settings
        .secrets
        .iter()
        .map(|it| (&*it.name, it.kind, &*it.target, it.user, it.mode))
        .collect();
    assert_eq!(
        secrets,
        [
            ("key", SecretKind::Mount, "", 0, 0o400),
            ("password", SecretKind::Env, "PASSWORD", 0, 0o444),
            ("cert", SecretKind::Mount, "/etc/cert", 33, 0o440),
        ]
    );
    let limit = |name: &str, soft, hard| (name.to_owned(), soft, hard);
    let expected =
        [limit("nofile", 1024, 1024), limit("nproc", 10, 20), limit("core", 0, u64::MAX)];
    assert_eq!(settings.limits.ulimits, expected);
    assert_eq!(settings.limits.sysctls["net.ipv4.ip_forward"], "1");
    assert_eq!(settings.devices[0].access, "rw");
    assert_eq!((&*settings.namespaces.user, &*settings.group_add[0]), ("auto", "audio"));
    assert_eq!(settings.network.dns_search, ["example.org"]);
    assert!(missing.starts_with("2:17: env-file[1]: "), "{missing}");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let other = WRONG.iter().map(|(text, expected)| (error(text), *expected));
    let other: Vec<_> = other.filter(|(found, expected)| found != expected).collect();
    assert!(other.is_empty(), "{other:#?}");
}

#[test]
fn a_folder_without_a_good_name_needs_one() {
    let defaults = Defaults { folder_name: "ä", folder: Path::new("/ä"), ..defaults() };
    let error = parse(b"image: a\n", defaults).unwrap_err().to_string();
    assert!(error.ends_with("; say which with \"name: NAME\""), "{error}");
    assert!(error.starts_with("1:1: \"\" cannot be a name"), "{error}");
    let named = |defaults| parse(b"image: a\nname: shop\n", defaults).unwrap().name().to_owned();
    assert_eq!(named(defaults), "shop");
    assert_eq!(named(Defaults { name: Some("other"), ..defaults }), "other");
}
