//! What Docker's users type behind `compose`.

use anyhow::{Result, ensure};

use super::support::end_of;
use super::up::Place;
use crate::expect_eq;
use crate::support::until;

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
