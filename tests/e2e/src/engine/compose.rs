//! What Docker's users type behind `compose`.

use std::fs;

use anyhow::{Result, ensure};

use super::support::{Engine, end_of};
use super::up::Place;
use crate::expect_eq;
use crate::support::{scratch, until};

const SERVICES: &str = "\
services:
  web:
    image: box
    command: sh -c 'trap \"exit 0\" TERM; while :; do sleep 0.05; done'
    ports: ['18090:80']
    depends-on: [db]
  db: {image: box, command: sleep 1000}
";

pub(crate) fn services_are_stopped_started_and_removed() -> Result<()> {
    let place = Place::new(SERVICES)?;
    let states = || place.ok(&["compose", "ps", "-a", "--format={{.Names}} {{.State}}"]);
    place.fails(&["compose", "start"], "`tinyo up -d` makes and starts them")?;
    place.ok(&["up", "-d"])?;
    expect_eq!(place.ok(&["compose", "stop", "web"])?, "shop-web");
    expect_eq!(states()?, "shop-web exited\nshop-db running");
    place.fails(&["compose", "stop", "other"], "no container of a service other")?;
    expect_eq!(place.ok(&["compose", "stop", "-t0"])?, "shop-db\nshop-web");
    expect_eq!(place.ok(&["compose", "start"])?, "shop-db\nshop-web");
    let pid = || place.engine.ok(&["inspect", "-f", "{{.State.Pid}}", "shop-web"]);
    let before = pid()?;
    expect_eq!(place.ok(&["compose", "restart", "web"])?, "shop-web");
    ensure!(pid()? != before, "it was not started again");
    expect_eq!(place.ok(&["compose", "pause", "db"])?, "shop-db");
    expect_eq!(states()?, "shop-web running\nshop-db paused");
    expect_eq!(place.ok(&["compose", "unpause"])?, "shop-db");
    // What runs is not removed unless that is said.
    expect_eq!(place.ok(&["compose", "rm", "-f"])?, "");
    expect_eq!(place.ok(&["compose", "kill", "-s", "TERM", "web"])?, "shop-web");
    until("web has ended", || states().is_ok_and(|it| it.contains("shop-web exited")))?;
    expect_eq!(place.ok(&["compose", "rm", "-f"])?, "shop-web");
    expect_eq!(place.ok(&["compose", "rm", "-sf", "db"])?, "shop-db");
    place.ok(&["down"])?;
    place.is_clean()
}

pub(crate) fn services_are_looked_at_and_entered() -> Result<()> {
    let place = Place::new(SERVICES)?;
    expect_eq!(place.ok(&["compose", "config", "--services"])?, "db\nweb");
    expect_eq!(place.ok(&["compose", "config"])?, SERVICES.trim_end());
    place.ok(&["up", "-d"])?;
    let words = ["compose", "exec", "-e", "A=b", "web", "sh", "-c", "echo $A; test -t 0"];
    place.fails(&words, "")?;
    expect_eq!(place.ok(&["compose", "exec", "-T", "db", "echo", "-l"])?, "-l");
    place.fails(&["compose", "exec", "other", "true"], "no container of a service other")?;
    expect_eq!(place.ok(&["compose", "port", "web", "80"])?, "0.0.0.0:18090\n[::]:18090");
    let top = place.ok(&["compose", "top", "db"])?;
    ensure!(top.starts_with("shop-db\nUID") && top.contains("sleep 1000"), "{top}");
    let images = place.ok(&["compose", "images"])?;
    ensure!(images.lines().count() == 3 && images.contains("shop-db     box"), "{images}");
    place.ok(&["down", "-t0"])?;
    place.is_clean()
}

const PROFILES: &str = "\
services:
  web: {image: box, command: sleep 1000}
  debug: {image: box, command: sleep 1000, profiles: [dev, test], depends-on: [helper]}
  helper: {image: box, command: sleep 1000, profiles: [other]}
";

pub(crate) fn services_with_profiles_are_for_who_asks() -> Result<()> {
    let place = Place::new(PROFILES)?;
    let names = || place.ok(&["compose", "ps", "-a", "--format={{.Names}}"]);
    expect_eq!(place.ok(&["up", "-d"])?, "web is running");
    expect_eq!(place.ok(&["compose", "config", "--services"])?, "web");
    expect_eq!(place.ok(&["compose", "config", "--profiles"])?, "dev\nother\ntest");
    let with = ["compose", "--profile", "dev", "config", "--services"];
    expect_eq!(place.ok(&with)?, "web\nhelper\ndebug");
    let mut command = place.engine.command(&place.words(&["compose", "config", "--services"])?);
    let done = end_of(command.env("COMPOSE_PROFILES", "none,other"))?;
    expect_eq!(done.stdout, "web\nhelper\n");
    // What is named is meant, and what is not meant is no orphan.
    place.ok(&["up", "-d", "debug"])?;
    expect_eq!(names()?, "shop-debug\nshop-helper\nshop-web");
    let done = place.engine.run(&place.words(&["up", "-d", "--remove-orphans"])?)?;
    expect_eq!((done.stdout.as_str(), done.stderr.as_str()), ("web is running\n", ""));
    expect_eq!(names()?, "shop-debug\nshop-helper\nshop-web");
    place.ok(&["down", "-t0"])?;
    place.is_clean()
}

const GIVEN: &str = "\
services:
  web:
    image: box
    command: sh -c 'trap \"exit 0\" TERM; while :; do sleep 0.05; done'
    configs: [{source: site, target: /etc/site.conf, mode: 0440, uid: 33}, plain, text]
    secrets: [key, word, {source: kept, target: other}]
configs:
  site: {file: ./site.conf}
  plain: {file: ./site.conf}
  text: {content: \"a: b\"}
secrets:
  key: {file: ./site.conf}
  word: {environment: SECRET_WORD}
  kept: {external: true}
";

pub(crate) fn configs_and_secrets_are_given_as_files() -> Result<()> {
    let place = Place::new(GIVEN)?;
    fs::write(scratch("shop/site.conf"), "first\n")?;
    place.fails(&["up", "-d"], "web: /run/secrets/word would be empty")?;
    let mut keep = place.engine.command(&["secret", "create", "kept", "-"]);
    let kept = scratch("kept");
    fs::write(&kept, "from the store")?;
    ensure!(end_of(keep.stdin(fs::File::open(kept)?))?.code == Some(0));
    let up = || -> Result<String> {
        let mut command = place.engine.command(&place.words(&["up", "-d"])?);
        let done = end_of(command.env("SECRET_WORD", "open sesame"))?;
        ensure!(done.code == Some(0), "{done:#?}");
        place.engine.field("shop-web", "ID")
    };
    let first = up()?;
    let script = "cat /etc/site.conf /plain /text /run/secrets/key /run/secrets/word /run/secrets/other; \
                  stat -c ' %a %u' /etc/site.conf";
    let seen = || place.ok(&["compose", "exec", "-T", "web", "sh", "-c", script]);
    expect_eq!(seen()?, "first\nfirst\na: bfirst\nopen sesamefrom the store 440 33");
    expect_eq!(up()?, first);
    // What is mounted is as it is at any time; what was given is, in a container made anew.
    fs::write(scratch("shop/site.conf"), "second\n")?;
    expect_eq!(seen()?, "first\nsecond\na: bsecond\nopen sesamefrom the store 440 33");
    ensure!(up()? != first, "it was not replaced");
    expect_eq!(seen()?, "second\nsecond\na: bsecond\nopen sesamefrom the store 440 33");
    // None but what was there before is kept as a secret.
    expect_eq!(place.engine.ok(&["secret", "ls", "--format={{.Name}}"])?, "kept");
    place.ok(&["down", "-t0"])?;
    place.engine.ok(&["secret", "rm", "kept"])?;
    place.is_clean()
}

const LABELLED: &str = "\
services:
  web: {image: box, command: sleep 1000, networks: [back], volumes: ['data:/data', 'theirs:/theirs']}
networks:
  back: {labels: {tier: back}, internal: true}
volumes:
  data: {labels: [a=b, c]}
  theirs: {external: true}
";

pub(crate) fn networks_and_volumes_are_labelled_and_those_of_others_left() -> Result<()> {
    let place = Place::with("compose.yaml", LABELLED)?;
    place.fails(&["up", "-d"], "no such volume: theirs")?;
    place.engine.ok(&["volume", "create", "theirs"])?;
    place.ok(&["up", "-d"])?;
    let labelled = |kind, label| {
        place.engine.ok(&[kind, "ls", "--format={{.Name}}", "--filter", &format!("label={label}")])
    };
    let of_project = |kind| labelled(kind, "org.tinyo.project=shop");
    expect_eq!(labelled("volume", "a=b")?, "shop_data");
    expect_eq!(labelled("volume", "c")?, "shop_data");
    expect_eq!(labelled("network", "tier=back")?, "shop_back");
    expect_eq!(
        (of_project("volume")?, of_project("network")?),
        ("shop_data".into(), "shop_back".into())
    );
    place.ok(&["down", "-t0", "-v"])?;
    expect_eq!(place.engine.ok(&["volume", "ls", "-q"])?, "theirs");
    place.engine.ok(&["volume", "rm", "theirs"])?;
    place.is_clean()
}

const JOBS: &str = "\
services:
  web:
    image: box
    entrypoint: [sh, -c]
    command: [echo usual]
    environment: {A: file, B: file}
    ports: ['18091:80']
    restart: always
    depends-on: {db: {condition: healthy}, init: {condition: completed}}
  db:
    image: box
    command: sleep 1000
    health: {command: test -e /tmp/ready || touch /tmp/ready, start-interval: 20ms, start-period: 10s}
  init: {image: box, command: sleep 0.3}
";

pub(crate) fn one_more_container_of_a_service() -> Result<()> {
    let place = Place::new(JOBS)?;
    let quiet = |words: &[&str]| place.ok(&[&["compose", "run", "--rm"], words].concat());
    expect_eq!(quiet(&["web"])?, "usual");
    // What it needs runs, and it is gone.
    let states = || place.ok(&["compose", "ps", "-a", "--format={{.Names}} {{.State}}"]);
    expect_eq!(states()?, "shop-init exited\nshop-db running");
    expect_eq!(
        quiet(&["-e", "A=run", "web", "echo $A $B; test -t 0 || echo none"])?,
        "run file\nnone"
    );
    expect_eq!(quiet(&["--entrypoint", "id", "-u", "33", "web", "-u"])?, "33");
    place.fails(&["compose", "run", "--rm", "other"], "no service \"other\"")?;
    let words = place.words(&["compose", "run", "--rm", "web", "exit 3"])?;
    expect_eq!(place.engine.run(&words)?.code, Some(3));
    // It stays where it is not to be removed, is none of its service's, and goes with the rest.
    let name = place.ok(&["compose", "run", "-d", "db", "sleep", "1000"])?;
    ensure!(name.starts_with("shop-db-run-") && name.len() == 24, "{name}");
    place.ok(&["compose", "run", "-d", "--name", "mine", "-P", "web", "sleep 1000"])?;
    expect_eq!(place.engine.ok(&["port", "mine", "80"])?, "0.0.0.0:18091\n[::]:18091");
    place.ok(&["compose", "exec", "-T", "mine", "true"]).expect_err("it is no service");
    let id = || place.engine.ok(&["inspect", "-f", "{{.Id}}", "shop-db"]);
    let before = id()?;
    place.ok(&["up", "-d", "db"])?;
    expect_eq!(id()?, before);
    expect_eq!(place.engine.status("mine")?, "running");
    place.ok(&["down", "-t0"])?;
    place.is_clean()
}

const SHOP: &str = r#"
version: "3.9"
x-usual: &usual {restart: unless-stopped, logging: {driver: json-file}}
services:
  web:
    <<: *usual
    image: ${IMAGE:-box}
    container_name: front
    command: sh -c 'echo "$$GREETING" > /srv/said; exec sleep 1000'
    environment: {GREETING: "${HELLO}, $$1"}
    ports: ["127.0.0.1:18092:80", "80"]
    volumes: ["./site:/srv", "data:/data:ro"]
    depends_on: {db: {condition: service_healthy}, cache: {condition: service_started, required: true}}
    networks: [outside, inner]
  db:
    <<: *usual
    image: box
    command: ["sh", "-c", "touch /data/ready; exec sleep 1000"]
    env_file: [{path: ./db.env}]
    healthcheck: {test: ["CMD", "test", "-e", "/data/ready"], interval: 1s, start_interval: 20ms, start_period: 10s}
    volumes: [{type: volume, source: data, target: /data}]
    networks: {inner: {aliases: [database]}}
    deploy: {resources: {limits: {memory: 64M}}}
  cache:
    extends: {service: db}
    container_name: cache
    healthcheck: {disable: true}
    command: sleep 1000
  jobs: {image: box, profiles: [jobs]}
networks: {outside: , inner: {internal: true}}
volumes: {data: {name: shop-files}}
"#;

pub(crate) fn a_compose_file_is_understood() -> Result<()> {
    let engine = Engine::new()?;
    let folder = scratch("shop");
    fs::create_dir(&folder)?;
    fs::write(folder.join("docker-compose.yml"), SHOP)?;
    fs::write(folder.join("db.env"), "FROM=file\n")?;
    fs::write(folder.join(".env"), "HELLO=hi\n")?;
    let ok = |words: &[&str]| -> Result<String> {
        let done = end_of(engine.command(words).current_dir(&folder))?;
        ensure!(done.code == Some(0), "{words:?}: {done:#?}");
        Ok(done.stdout.trim_end().to_owned())
    };
    let said = ok(&["compose", "up", "-d"])?;
    ensure!(said.contains("web is running at http://localhost:18092, http://localhost:"), "{said}");
    expect_eq!(ok(&["compose", "ps", "--format={{.Names}}"])?, "front\ncache\nshop-db");
    expect_eq!(fs::read_to_string(folder.join("site/said"))?, "hi, $1\n");
    let inside =
        |service: &str, script: &str| ok(&["compose", "exec", "-T", service, "sh", "-c", script]);
    expect_eq!(inside("db", "echo $FROM")?, "file");
    for (name, service) in [("database", "web"), ("db", "web"), ("web", "cache"), ("front", "db")] {
        inside(service, &format!("busybox nslookup {name}"))?;
    }
    inside("db", "busybox nslookup outside.test").expect_err("the network is internal");
    expect_eq!(
        inside("web", "ls /data/ready; touch /data/x 2>&1 | grep -c only")?,
        "/data/ready\n1"
    );
    let networks = ok(&["network", "ls", "--format={{.Name}}"])?;
    ensure!(networks.contains("shop_inner") && networks.contains("shop_outside"), "{networks}");
    let limit = ok(&["inspect", "-f", "{{.HostConfig.Memory}}", "cache"])?;
    expect_eq!(limit, "67108864");
    // Nothing has changed.
    let ids = || ok(&["compose", "ps", "-q"]);
    let before = ids()?;
    ok(&["compose", "up", "-d"])?;
    expect_eq!(ids()?, before);
    ok(&["compose", "run", "--rm", "jobs", "true"])?;
    ok(&["compose", "down", "-t0", "--volumes"])?;
    expect_eq!(ok(&["volume", "ls", "-q"])?, "");
    expect_eq!(engine.ok(&["network", "ls", "-fdriver=bridge", "--format={{.Name}}"])?, "bridge");
    engine.is_clean()
}
