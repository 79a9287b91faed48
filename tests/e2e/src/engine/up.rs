//! `tinyo up` and its like, by the command line alone.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::support::Engine;
use crate::expect_eq;
use crate::support::{Running, scratch, sys, until};

/// A folder with a `state.yaml`, and an engine.
pub(super) struct Place {
    pub(super) engine: Engine,
    file: PathBuf,
}

impl Place {
    pub(super) fn new(text: &str) -> Result<Place> {
        Place::with("state.yaml", text)
    }

    pub(super) fn with(name: &str, text: &str) -> Result<Place> {
        let place = Place { engine: Engine::new()?, file: scratch("shop").join(name) };
        fs::create_dir(scratch("shop"))?;
        place.write(text)?;
        Ok(place)
    }

    fn write(&self, text: &str) -> Result<()> {
        Ok(fs::write(&self.file, text)?)
    }

    /// A command with `-f`.
    pub(super) fn words<'a>(&'a self, words: &[&'a str]) -> Result<Vec<&'a str>> {
        let file = ["-f", self.file.to_str().context("UTF-8")?];
        Ok([&words[..1], &file, &words[1..]].concat())
    }

    pub(super) fn ok(&self, words: &[&str]) -> Result<String> {
        self.engine.ok(&self.words(words)?)
    }

    pub(super) fn fails(&self, words: &[&str], expected: &str) -> Result<()> {
        self.engine.fails(&self.words(words)?, 1, expected)
    }

    fn start(&self, words: &[&str]) -> Result<Running> {
        self.engine.launch(&self.words(words)?).start()
    }

    /// The id of a container.
    fn id(&self, name: &str) -> Result<String> {
        self.engine.field(name, "ID")
    }

    /// Nothing is left after `down`.
    pub(super) fn is_clean(&self) -> Result<()> {
        expect_eq!(
            self.engine.ok(&["network", "ls", "-fdriver=bridge", "--format={{.Name}}"])?,
            "bridge"
        );
        self.engine.is_clean()
    }
}

/// What a server on this machine answers.
fn fetch(port: u16, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned())
}

const SMALLEST: &str = "\
container: box
command: busybox httpd -f -p 80 -h /srv
port: 8080:80
mounts:
  - {source: ./site, target: /srv}
health: {command: busybox wget -qO- 127.0.0.1, start-interval: 20ms, start-period: 10s}
";

pub(crate) fn the_smallest_form() -> Result<()> {
    let place = Place::new(SMALLEST)?;
    let missing = "shop: ";
    place.fails(&["up", "-d"], missing)?;
    place.fails(&["up", "-d"], "site cannot be mounted: No such file or directory")?;
    fs::create_dir(scratch("shop/site"))?;
    fs::write(scratch("shop/site/index.html"), "it works")?;
    let running = "shop is running at http://localhost:8080";
    expect_eq!(place.ok(&["up", "-d"])?, running);
    expect_eq!(fetch(8080, "/index.html")?, "it works");
    let id = place.id("shop")?;
    // Nothing has changed, whatever else is written there.
    place.write(&format!("# the same\n{SMALLEST}"))?;
    expect_eq!(place.ok(&["up", "-d"])?, running);
    expect_eq!(place.id("shop")?, id);
    // It is started again where it has ended.
    place.engine.ok(&["stop", "-t0", "shop"])?;
    expect_eq!(place.ok(&["up", "-d"])?, running);
    expect_eq!(place.id("shop")?, id);
    place.write(&SMALLEST.replace("8080", "8081"))?;
    expect_eq!(place.ok(&["up", "-d"])?, "shop is running at http://localhost:8081");
    ensure!(place.id("shop")? != id, "it was not replaced");
    ensure!(fetch(8080, "/").is_err());
    expect_eq!(fetch(8081, "/index.html")?, "it works");
    expect_eq!(place.ok(&["compose", "ps", "--format={{.Names}}"])?, "shop");
    expect_eq!(place.ok(&["down", "-t0"])?, "removed shop\nremoved network shop");
    expect_eq!(place.ok(&["down"])?, "");
    place.is_clean()
}

const SEVERAL: &str = "\
services:
  web:
    image: box
    command: [sh, -c, 'busybox nslookup db | grep -q Name && echo found; sleep 1000']
    depends-on: {db: , job: {condition: completed}}
  job: {image: box, command: echo done, depends-on: [db]}
  db:
    image: box
    command: sh -c 'echo begins; sleep 0.3; echo ready > /data/ready; sleep 1000'
    mounts: [data:/data, /anonymous]
    health: {command: [test, -e, /data/ready], start-interval: 20ms, start-period: 10s}
";

pub(crate) fn several_that_need_each_other() -> Result<()> {
    let place = Place::new(SEVERAL)?;
    let lines = place.ok(&["up", "-d"])?;
    expect_eq!(lines, "db is running\njob has ended\nweb is running");
    // A service that is called by its name, from one that has started behind it.
    let logs = || place.ok(&["compose", "logs"]);
    until("web has found db", || logs().is_ok_and(|text| text.contains("web | found")))?;
    expect_eq!(logs()?, "db  | begins\njob | done\nweb | found");
    expect_eq!(
        place.ok(&["compose", "logs", "--tail=1", "job", "db"])?,
        "db  | begins\njob | done"
    );
    place.fails(&["compose", "logs", "other"], "no container of a service other")?;
    // Only what has changed is replaced; volumes stay, whether they have a name or not.
    place.engine.ok(&["exec", "shop-db", "touch", "/anonymous/kept", "/data/kept"])?;
    let (web, db) = (place.id("shop-web")?, place.id("shop-db")?);
    place.write(&SEVERAL.replace(
        "    image: box\n    command: sh",
        "    image: box\n    user: 0:0\n    command: sh",
    ))?;
    place.ok(&["up", "-d", "db"])?;
    expect_eq!(place.id("shop-web")?, web);
    ensure!(place.id("shop-db")? != db, "it was not replaced");
    place.engine.ok(&["exec", "shop-db", "ls", "/anonymous/kept", "/data/kept"])?;
    expect_eq!(place.engine.ok(&["volume", "ls", "-q"])?.lines().count(), 2);
    // What is gone from the file is told of, and removed where that is asked for.
    let is_kept = |line: &&str| !line.starts_with("  job:");
    let rest = SEVERAL.lines().filter(is_kept).collect::<Vec<_>>().join("\n");
    let rest = rest.replace("{db: , job: {condition: completed}}", "[db]");
    place.write(&rest)?;
    let done = place.engine.run(&place.words(&["up", "-d"])?)?;
    ensure!(done.stderr.contains("nothing of shop-job any more"), "{done:?}");
    let lines = place.ok(&["up", "-d", "--remove-orphans"])?;
    expect_eq!(lines, "removed shop-job\ndb is running\nweb is running");
    expect_eq!(place.ok(&["compose", "ps", "-aq"])?.lines().count(), 2);
    place.ok(&["down", "-t0"])?;
    expect_eq!(place.engine.ok(&["volume", "ls", "-q"])?.lines().count(), 2);
    expect_eq!(place.ok(&["down", "-v"])?, "removed volume shop_data");
    place.engine.ok(&["volume", "prune", "-f"])?;
    place.is_clean()
}

pub(crate) fn the_seconds_of_each_step() -> Result<()> {
    let place = Place::new(
        "services:\n  a: {image: box, command: sleep 100}\n  b: {image: 'host:', command: sleep 100}\n",
    )?;
    let done = place.engine.run(&place.words(&["up", "-d", "--timings"])?)?;
    let lines: Vec<Vec<&str>> =
        done.stderr.lines().map(|line| line.split_whitespace().collect()).collect();
    let heading = ["seconds", "download", "unpack", "prepare", "start", "total"];
    ensure!(lines.len() == 4 && lines[0] == heading, "{done:?}");
    let number =
        |line: usize, column: usize| Ok::<f64, anyhow::Error>(lines[line][column].parse()?);
    expect_eq!((lines[1][0], lines[2][0], lines[3][0]), ("a", "b", "all"));
    for line in [1, 2] {
        ensure!(number(line, 3)? > 0.0 && number(line, 4)? > 0.0, "{done:?}");
        let sum = (1..5).map(|column| number(line, column)).sum::<Result<f64>>()?;
        ensure!((sum - number(line, 5)?).abs() < 0.004, "{done:?}");
    }
    ensure!(number(3, 1)? >= number(1, 3)? + number(2, 3)?, "{done:?}");
    place.ok(&["down", "-t0"])?;
    let done = place.engine.run(&["run", "--rm", "--timings", "box", "echo", "hello"])?;
    expect_eq!(done.stdout, "hello\n");
    let names: Vec<_> = done.stderr.lines().filter_map(|line| line.split(' ').next()).collect();
    expect_eq!(names, heading[1..]);
    place.is_clean()
}

pub(crate) fn in_front_of_them() -> Result<()> {
    let place = Place::new(
        "services:\n  a: {image: box, command: sh -c 'echo one; sleep 1000'}\n  \
         long: {image: box, command: sh -c 'echo two >&2; exec sleep 1000'}\n",
    )?;
    let running = place.start(&["up", "--timeout=1"])?;
    running.wait_line("a    | one")?;
    until("the other one's line", || running.stderr().contains("long | two\n"))?;
    running.send(libc::SIGINT)?;
    running.finish()?.expect_code(130)?;
    expect_eq!(place.engine.status("shop-a")?, "exited");
    expect_eq!(place.engine.status("shop-long")?, "exited");
    // The same containers go on; when all have ended, so does the command.
    let id = place.id("shop-a")?;
    let running = place.start(&["up"])?;
    until("both run", || {
        ["shop-a", "shop-long"]
            .iter()
            .all(|it| place.engine.status(it).is_ok_and(|is| is == "running"))
    })?;
    running.wait_line("a    | one")?;
    expect_eq!(place.id("shop-a")?, id);
    place.ok(&["down", "-t0"])?;
    let finished = running.finish()?;
    finished.expect_code(0)?;
    // Not what it had printed the time before.
    expect_eq!(finished.stdout.matches("| one").count(), 1);
    place.is_clean()
}

pub(crate) fn what_is_not_ready_says_why() -> Result<()> {
    let place = Place::new("image: box\nname: shop\ncommand: sh -c 'echo no disk >&2; exit 3'\n")?;
    let wait = "until it has ended";
    let done = place.engine.run(&place.words(&["up", "-d"])?)?;
    // It may have been seen while it ran.
    if done.code != Some(0) {
        ensure!(done.stderr.contains("shop has ended with exit code 3"), "{done:?}");
        ensure!(done.stderr.contains("shop | no disk"), "{done:?}");
    }
    until(wait, || place.engine.status("shop").is_ok_and(|status| status == "exited"))?;
    place.write(
        "image: box\nname: shop\ncommand: sh -c 'echo no disk; sleep 1000'\n\
         health: {command: exit 1, interval: 20ms, retries: 2}\n",
    )?;
    let done = place.engine.run(&place.words(&["up", "-d"])?)?;
    expect_eq!(done.code, Some(1));
    ensure!(done.stderr.contains("shop is unhealthy: its check has failed"), "{done:?}");
    ensure!(done.stdout.contains("shop | no disk"), "{done:?}");
    place.ok(&["down", "-t0"])?;
    place.is_clean()
}

pub(crate) fn what_is_wrong_is_said_with_its_place() -> Result<()> {
    let place = Place::new("image: box\nprot: 80\n")?;
    let file = place.file.to_str().context("UTF-8")?;
    let expected = format!("tinyo: {file}:2:1: found the unknown field \"prot\", expected port\n");
    place.fails(&["up"], &expected)?;
    place.fails(&["down"], &expected)?;
    place.fails(&["compose", "ps"], &expected)?;
    fs::write(&place.file, b"image: \xff\n")?;
    place.fails(&["up"], "state.yaml:1:8: found the byte 0xff, expected UTF-8")?;
    place
        .write("services: {a: {image: box, depends-on: [b]}, b: {image: box, depends-on: [a]}}")?;
    place.fails(
        &["up"],
        "1:41: services.a.depends-on: services depend on each other in a circle: a -> b -> a",
    )?;
    place.write("image: none-of-that-name\npull: never\nname: shop\n")?;
    place.fails(&["up", "-d"], "none-of-that-name")?;
    place.write("name: bridge\nimage: box\ncommand: sleep 1\nnetwork: elsewhere\n")?;
    place.fails(&["up", "-d"], "4:10: network: found \"elsewhere\", expected none, host or")?;
    fs::remove_file(&place.file)?;
    place.fails(&["up"], "No such file or directory")?;
    // Where the name is said, there need be no file.
    expect_eq!(place.engine.ok(&["down", "-p", "shop"])?, "");
    // A name that somebody else has is not taken away.
    place.engine.ok(&["run", "-d", "--name=shop", "box", "sleep", "1000"])?;
    place.write("name: shop\nimage: box\ncommand: sleep 1000\n")?;
    place.fails(&["up", "-d"], "the container name \"shop\" is already in use")?;
    place.ok(&["down"])?;
    expect_eq!(place.engine.status("shop")?, "running");
    Ok(())
}

/// Two services that take a while to be stopped, made and started.
const TWO: &str = "\
services:
  a: {image: box, command: sleep 1000, stop-timeout: 0, labels: {round: ROUND}, mounts: [data:/data, /own]}
  b: {image: box, command: sleep 1000, stop-timeout: 0, labels: {round: ROUND}, depends-on: [a], port: 8080}
";

pub(crate) fn two_at_once() -> Result<()> {
    let place = Place::new(TWO)?;
    for round in ["1", "2"] {
        place.write(&TWO.replace("ROUND", round))?;
        let all = (0..4).map(|_| place.start(&["up", "-d"])).collect::<Result<Vec<_>>>()?;
        for running in all {
            let finished = running.finish()?;
            finished.expect_code(0)?;
            ensure!(
                finished.stdout.ends_with("b is running at http://localhost:8080\n"),
                "{finished:?}"
            );
        }
        expect_eq!(place.ok(&["compose", "ps", "-aq"])?.lines().count(), 2);
    }
    let all = (0..3).map(|_| place.start(&["down", "-v"])).collect::<Result<Vec<_>>>()?;
    for running in all {
        running.finish()?.expect_code(0)?;
    }
    place.engine.ok(&["volume", "prune", "-f"])?;
    place.is_clean()
}

pub(crate) fn killed_at_any_moment() -> Result<()> {
    let place = Place::new(TWO)?;
    let kill_after = |words: &[&str], milliseconds: u64| -> Result<()> {
        let running = place.start(words)?;
        std::thread::sleep(Duration::from_millis(milliseconds));
        // It may have ended.
        let _ = sys::send(running.pid, libc::SIGKILL);
        running.finish().map(drop)
    };
    for round in 0..12_u64 {
        place.write(&TWO.replace("ROUND", &round.to_string()))?;
        kill_after(&["up", "-d"], 5 + 23 * round)?;
        if round % 3 == 2 {
            kill_after(&["down"], 5 + 7 * round)?;
        }
        let up = || place.ok(&["up", "-d"]);
        // Whom the killed `down` had just ended may have seemed to run.
        let lines = up().or_else(|error| {
            ensure!(round % 3 == 2 && error.to_string().contains("has ended with exit"), "{error}");
            up()
        })?;
        expect_eq!(lines, "a is running\nb is running at http://localhost:8080", "round {round}");
        let ps = ["compose", "ps", "-a", "--format={{.Names}} {{.State}}"];
        expect_eq!(place.ok(&ps)?, "shop-b running\nshop-a running", "round {round}");
    }
    kill_after(&["down", "-v"], 30)?;
    place.ok(&["down", "-v"])?;
    place.engine.ok(&["container", "prune", "-f"])?;
    place.engine.ok(&["volume", "prune", "-f"])?;
    place.is_clean()
}

pub(crate) fn secrets_and_variables_of_files() -> Result<()> {
    let place = Place::new(
        "services:\n  one:\n    image: box\n    env-file: [env]\n\
         \u{20}   environment: {B: 3}\n    ulimits: {nofile: 77}\n    group-add: [log]\n\
         \u{20}   sysctls: [kernel.msgmax=9000]\n\
         \u{20}   secrets: [key, {source: key, type: env, target: PW}]\n\
         \u{20}   command: sh -c 'cat /run/secrets/key; echo; echo $PW $A $B; ulimit -n; id -G;\n\
         \u{20}     cat /proc/sys/kernel/msgmax; exec sleep 1000'\n",
    )?;
    let file = scratch("shop").join("env");
    place.fails(&["up", "-d"], "env: No such file")?;
    fs::write(&file, "A=1\nB=2\n")?;
    place.fails(&["up", "-d"], "no such secret: key")?;
    let secret = scratch("secret");
    fs::write(&secret, "secret")?;
    place.engine.ok(&["secret", "create", "key", secret.to_str().context("UTF-8")?])?;
    place.ok(&["up", "-d"])?;
    let said = || place.engine.ok(&["logs", "shop-one"]);
    until("it has said all", || said().is_ok_and(|text| text.lines().count() == 5))?;
    expect_eq!(said()?, "secret\nsecret 1 3\n77\n0 4\n9000");
    // What is the same is left alone; another file of variables is another service.
    let id = place.id("shop-one")?;
    place.ok(&["up", "-d"])?;
    expect_eq!(place.id("shop-one")?, id);
    fs::write(&file, "A=9\n")?;
    place.ok(&["up", "-d", "-t", "0"])?;
    ensure!(place.id("shop-one")? != id, "it was not replaced");
    place.ok(&["down", "-t", "0"])?;
    place.engine.ok(&["secret", "rm", "key"])?;
    place.is_clean()
}
