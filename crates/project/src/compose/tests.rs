//! What Compose files mean, by what a `state.yaml` with the same meaning is.

use super::parse;
use crate::model::{Project, Until};
use crate::state::Defaults;
use engine::settings::{Mount, MountKind};
use std::collections::BTreeMap;
use std::path::Path;

fn defaults() -> Defaults<'static> {
    let environment = |name: &str| match name {
        "HOME" => Some("/home/me".to_owned()),
        "TAG" => Some("16".to_owned()),
        _ => None,
    };
    Defaults { name: None, folder_name: "shop", folder: Path::new("/home/me/shop"), environment }
}

fn project(text: &str) -> Project {
    parse(text.as_bytes(), defaults()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn error(text: &str) -> String {
    parse(text.as_bytes(), defaults()).expect_err(text).to_string()
}

const SHOP: &str = r#"
version: "3.9"
x-usual: &usual {restart: unless-stopped, logging: {driver: json-file}}
services:
  web:
    <<: *usual
    image: nginx:${TAG:-1}
    container_name: front
    ports: ["8080:80", "9000", {target: 443, published: "8443", host_ip: 127.0.0.1, protocol: tcp}]
    volumes:
      - ./site:/srv:ro,z
      - "~/keys:/keys"
      - {type: volume, source: data, target: /data, volume: {nocopy: true}}
      - {type: tmpfs, target: /run/x}
      - given:/given
    depends_on:
      db: {condition: service_healthy, restart: true}
    networks: {front: {aliases: [www]}, default: {ipv4_address: 10.9.0.2}, back: }
    extra_hosts: {one: 10.0.0.1}
    stop_grace_period: 1m30s
    deploy: {resources: {limits: {cpus: "0.5", memory: 64M, pids: 10}}, placement: {}}
    security_opt: ["no-new-privileges:true"]
  db:
    image: postgres
    command:
    environment: [POSTGRES_PASSWORD=a$$b]
    healthcheck:
      test: ["CMD-SHELL", "pg_isready -U $${USER}"]
      interval: 5s
      start_period: 10s
    tmpfs: /tmp
    expose: [5432]
  worker:
    extends: {service: db}
    environment: [MORE=yes]
    healthcheck: {disable: true}
    profiles: [jobs]
networks:
  front: {internal: true, ipam: {config: [{subnet: 10.9.0.0/24, gateway: 10.9.0.254}]}}
  back: {external: true, name: outside}
volumes:
  data:
  given: {name: mine, labels: [a=b]}
"#;

#[test]
fn a_file_as_they_are_written() {
    let project = project(SHOP);
    let [db, worker, web] = ["db", "worker", "web"]
        .map(|name| project.services().iter().find(|it| it.name == name).unwrap());
    let network = &web.settings.network;
    assert_eq!(web.settings.image, "nginx:16");
    assert_eq!(network.ports, ["8080:80", "9000", "127.0.0.1:8443:443/tcp"]);
    assert_eq!(
        (network.mode.as_str(), network.aliases.join(" ")),
        ("shop_front", "www web".into())
    );
    let more: Vec<_> =
        network.more.iter().map(|it| (&*it.network, it.addresses.join(" "))).collect();
    assert_eq!(more, [("shop", "10.9.0.2".to_owned()), ("outside", String::new())]);
    assert_eq!(network.hosts, ["one:10.0.0.1"]);
    let mounts: Vec<_> =
        web.settings.mounts.iter().map(|it| (it.kind, &*it.source, &*it.target)).collect();
    assert_eq!(
        mounts,
        [
            (MountKind::Bind, "/home/me/shop/site", "/srv"),
            (MountKind::Bind, "/home/me/keys", "/keys"),
            (MountKind::Volume, "data", "/data"),
            (MountKind::Volume, "given", "/given"),
            (MountKind::Tmpfs, "", "/run/x"),
        ]
    );
    assert!(web.settings.mounts[0].read_only && !web.settings.mounts[1].read_only);
    assert_eq!((web.needs[0].service.as_str(), web.needs[0].until), ("db", Until::Healthy));
    assert_eq!(web.settings.stop_timeout, Some(90));
    assert_eq!(web.settings.limits.pids, Some(10));
    assert_eq!(web.settings.limits.memory, Some(64 << 20));
    assert_eq!(project.container_name("web"), "front");
    let volume = |key| project.volume(key);
    assert_eq!((volume("given").name.as_str(), volume("given").external), ("mine", false));
    assert_eq!((volume("data").name.as_str(), volume("data").external), ("shop_data", false));
    assert_eq!(volume("given").labels, BTreeMap::from([("a".into(), "b".into())]));
    assert_eq!(volume("data").labels, BTreeMap::new());
    assert_eq!(db.settings.env, ["POSTGRES_PASSWORD=a$b"]);
    let health = db.settings.health.as_ref().unwrap();
    assert_eq!(health.command, ["/bin/sh", "-c", "pg_isready -U ${USER}"]);
    assert_eq!(worker.settings.env, ["POSTGRES_PASSWORD=a$b", "MORE=yes"]);
    assert_eq!(worker.settings.health.as_ref().unwrap().command, ["NONE"]);
    assert_eq!(worker.profiles, ["jobs"]);
    let networks: Vec<_> =
        project.networks().into_iter().map(|it| (it.name, it.external, it.internal)).collect();
    let of = |name: &str, external, internal| (name.to_owned(), external, internal);
    assert_eq!(networks.len(), 3);
    let front = project.networks().into_iter().find(|it| it.name == "shop_front").unwrap();
    assert_eq!(front.subnets, [("10.9.0.0/24".parse().unwrap(), Some([10, 9, 0, 254].into()))]);
    assert!(networks.contains(&of("shop", false, false)));
    assert!(networks.contains(&of("shop_front", false, true)));
    assert!(networks.contains(&of("outside", true, false)));
}

#[test]
fn what_is_not_understood_is_told_with_its_place() {
    for (text, expected) in [
        ("services: {a: {build: .}}", "1:23: build: found build, expected image"),
        ("services: {a: {image: x, scale: 2}}", "each service has one container"),
        ("services: {a: {image: x, deploy: {replicas: 3}}}", "each service has one container"),
        ("services: {a: {image: x, security_opt: [seccomp:x]}}", "expected no-new-privileges"),
        ("services: {a: {image: x, networks: [b]}}", "services.a.networks: found \"b\""),
        ("services: {a: {image: x, extends: a}}", "expected another service of this file"),
        ("services: {a: {image: x, extends: {file: y, service: b}}}", "unknown field \"file\""),
        ("services: {a: {image: \"x:${V:?say which}\"}}", "the variable V is not set: say which"),
        ("services: {a: {image: x, nothing_known: 1}}", "unknown field \"nothing-known\""),
        ("services: {a: {image: x}}\nvolumes: {b: {driver: nfs}}", "expected bridge or local"),
        ("services: {a: {image: x, links: [b:c]}}", "found \"b:c\", expected a service's name"),
        ("services: {a: {image: x, logging: {driver: syslog}}}", "a.log.driver: output is kept"),
        ("services: {a: {image: x, logging: {options: {max-file: 0}}}}", "it is a number from 1"),
        ("", "found nothing"),
    ] {
        let said = error(text);
        assert!(said.contains(expected), "{text}: {said}");
    }
}

#[test]
fn what_is_kept_and_when_it_starts_again_is_as_it_is_said() {
    let settings = |text: &str| {
        let project = project(&format!("services: {{a: {{image: x, {text}}}}}"));
        project.services()[0].settings.clone()
    };
    let log = settings("logging: {driver: json-file, options: {max-size: 1k, max-file: '3'}}").log;
    assert_eq!((log.none, log.max_size, log.max_files), (false, 1024, 3));
    assert!(settings("logging: {driver: none}").log.none);
    let policy = settings("deploy: {restart_policy: {condition: on-failure, max_attempts: 4}}");
    assert_eq!(policy.restart, engine::value::restart("on-failure:4").unwrap());
}

/// One service's mounts, as `kind source target options ro nocopy subpath`.
fn mounts(text: &str) -> Vec<String> {
    let project = project(&format!("services: {{a: {{image: x, {text}}}}}"));
    let line = |it: &Mount| {
        let flags = [(it.read_only, "ro"), (it.no_copy, "nocopy")];
        let flags = flags.iter().filter(|it| it.0).map(|it| it.1);
        let words = it.options.iter().map(String::as_str).chain(flags).collect::<Vec<_>>();
        format!("{} {}:{} {}{}", it.kind.name(), it.source, it.target, words.join(","), it.subpath)
    };
    project.services()[0].settings.mounts.iter().map(line).collect()
}

#[test]
fn mounts_have_all_that_is_said_of_them() {
    for (text, expected) in [
        ("volumes: ['vol:/v:ro,nocopy,z']", "volume vol:/v ro,nocopy"),
        ("volumes: ['/s:/t:rshared,noexec']", "bind /s:/t rshared,noexec"),
        ("tmpfs: '/t:size=1m,mode=755'", "tmpfs :/t size=1m,mode=755"),
        (
            "volumes: [{type: bind, source: /s, target: /t, bind: {propagation: rslave, \
             create_host_path: true, selinux: z}}]",
            "bind /s:/t rslave",
        ),
        (
            "volumes: [{type: volume, source: vol, target: /t, volume: {nocopy: true}}]",
            "volume vol:/t nocopy",
        ),
        (
            "volumes: [{type: volume, source: vol, target: /t, volume: {subpath: a/b}}]",
            "volume vol:/t nocopya/b",
        ),
        (
            "volumes: [{type: tmpfs, target: /t, read_only: true, tmpfs: {size: 64m, mode: 0700}}]",
            "tmpfs :/t size=64m,mode=0700,ro",
        ),
    ] {
        assert_eq!(mounts(text), [expected], "{text}");
    }
    for (text, expected) in [
        ("'vol:/v:sideways'", "there is no option \"sideways\""),
        (
            "{type: bind, source: /s, target: /t, bind: {create_host_path: false}}",
            "create-host-path",
        ),
        ("{type: bind, source: /s, target: /t, bind: {propagation: up}}", "no option \"up\""),
        ("{type: bind, source: /s, target: /t, bind: {subpath: x}}", "unknown field \"subpath\""),
        ("{type: tmpfs, target: /t, tmpfs: {pages: 1}}", "unknown field \"pages\""),
        ("{type: tmpfs, target: /t, tmpfs: {size: many}}", "\"many\" is no size of a tmpfs"),
    ] {
        let said = error(&format!("services: {{a: {{image: x, volumes: [{text}]}}}}"));
        assert!(said.contains(expected), "{text}: {said}");
    }
}

/// A folder with files, and what is read there.
fn in_folder(files: &[(&str, &str)], text: &str) -> Result<Project, String> {
    let name = format!("compose-{}-{}", std::process::id(), files[0].1.len());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let found = parse(text.as_bytes(), Defaults { folder: &folder, ..defaults() });
    std::fs::remove_dir_all(&folder).unwrap();
    found.map_err(|error| error.to_string())
}

#[test]
fn variables_of_files_are_as_compose_has_them() {
    let files = [
        (".env", "export VERSION='7' # of the image\n"),
        ("own.env", "WORD=\"open $VERSION\"\nTWICE=file\nUNSET\n"),
        ("raw.env", "RAW=\"$VERSION\"\n"),
    ];
    let text = "services: {a: {image: 'x:${VERSION}', environment: {TWICE: own, ALONE: }, env_file: \
                [own.env, {path: raw.env, format: raw}, {path: none.env, required: false}]}}";
    let project = in_folder(&files, text).unwrap();
    let settings = &project.services()[0].settings;
    assert_eq!(settings.image, "x:7");
    let expected = ["WORD=open 7", "TWICE=file", "UNSET", "RAW=\"$VERSION\"", "TWICE=own", "ALONE"];
    assert_eq!(settings.env, expected);
    let said = in_folder(&[("other", "")], "services: {a: {image: x, env_file: none.env}}");
    let said = said.unwrap_err();
    assert!(
        said.starts_with("1:36: env_file[0]: ") && said.contains("none.env: No such file"),
        "{said}"
    );
    let said = in_folder(&[(".env", "TAG=1\nB C=2\n")], "services: {a: {image: x}}");
    let said = said.unwrap_err();
    assert!(said.contains(".env: line 2: \"B C=2\""), "{said}");
}
