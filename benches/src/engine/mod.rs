//! `cargo xtask bench engine`: `tinyo` beside Podman with conmon, and Docker's client with its
//! daemon and containerd; the floor is the bare system calls of a container's start.

mod cell;
mod engines;
mod growth;
mod measure;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::contestant::Contestant;
use crate::options::Options;
use crate::report::Report;
use crate::rounds::alternate;
use crate::runtime::bundle::{self, Kind};
use crate::runtime::contestants::{BARE, Runtime};
use crate::runtime::machine::Machine;
use engines::Engine;

/// Counts that hardly vary need no more turns than this.
const FEW_ROUNDS: usize = 3;

/// The contestant with a daemon.
const DOCKER: &str = "docker";

/// Containers that run at the same time; a tenth with `--quick`.
const MANY: usize = 100;

/// So many times as many come and go, to see what is left of them.
const COME_AND_GO: usize = 10;

/// Measures all in a cell of its own, prints the table on standard output and writes the JSON.
pub fn engine(options: &Options) -> Result<()> {
    ensure!(options.actor().is_file(), "build the benches first: cargo xtask bench engine");
    cell::run(options)
}

/// The same, inside: this is the first process of its namespaces, and has one thread.
pub fn inside(options: &Options, folder: &Path) -> Result<()> {
    cell::furnish()?;
    let machine = Machine::prepare()?;
    bundle::write(&machine.folder)?;
    let tar = write_image(&Kind::Plain.bundle(&machine.folder).join("rootfs"), folder)?;
    let mut bench = Bench::new(options, machine);
    bench.prepare(folder, &tar, |name| name != DOCKER);
    // All that lives is waited for, which a daemon would keep from ending.
    bench.once(&options.actor());
    bench.prepare(folder, &tar, |name| name == DOCKER);
    bench.each(options.rounds);
    bench.grow(folder);
    bench.many(options.rounds);
    let report = bench.report;
    print!("{}", report.table());
    report.write_json(&options.json)?;
    println!("JSON: {}", options.json.display());
    Ok(())
}

/// The root file system of `bench runtime`, and a shell.
fn write_image(rootfs: &Path, folder: &Path) -> Result<PathBuf> {
    let busybox = Contestant::installed("busybox").path.context("busybox-static is missing")?;
    let (image, tar) = (folder.join("rootfs"), folder.join("image.tar"));
    let copied = Command::new("cp").arg("-a").arg(rootfs).arg(&image).status()?;
    ensure!(copied.success(), "cp {}", rootfs.display());
    for name in ["sh", "sleep"] {
        fs::copy(&busybox, image.join("bin").join(name))?;
    }
    let packed =
        Command::new("tar").arg("-C").arg(&image).arg("-cf").arg(&tar).arg(".").status()?;
    ensure!(packed.success(), "tar {}", image.display());
    Ok(tar)
}

/// A report in the making.
struct Bench {
    machine: Machine,
    engines: HashMap<PathBuf, Result<Engine>>,
    many: usize,
    report: Report,
}

impl Bench {
    fn new(options: &Options, machine: Machine) -> Bench {
        let ours = Contestant::at("tinyo", options.release.join("tinyo"));
        let bare = Contestant::at("bare", options.release.join(BARE));
        let also = options.also.iter().map(|(name, path)| Contestant::at(name, path.clone()));
        let peers = ["podman", DOCKER].map(Contestant::installed);
        let contestants: Vec<_> = [ours, bare].into_iter().chain(peers).chain(also).collect();
        let many = if options.quick { MANY / 10 } else { MANY };
        let notes = notes(options.rounds, many);
        let (name, rounds, measures) = ("engine", options.rounds, Vec::new());
        let report = Report { name, rounds, contestants, measures, notes };
        Bench { machine, engines: HashMap::new(), many, report }
    }

    /// Gives the image to those with such a name.
    fn prepare(&mut self, folder: &Path, tar: &Path, is_meant: impl Fn(&str) -> bool) {
        for (number, contestant) in (0..).zip(&self.report.contestants) {
            let path = contestant.path.as_ref().filter(|path| !path.ends_with(BARE));
            if let Some(path) = path.filter(|_| is_meant(&contestant.name)) {
                let engine = Engine::prepare(contestant, folder, tar, number);
                self.engines.insert(path.clone(), engine);
            }
        }
    }

    fn add(
        &mut self,
        name: &'static str,
        digits: usize,
        rounds: usize,
        mut turn: impl FnMut(&Engine) -> Result<f64>,
    ) {
        let outcomes = alternate(&self.report.contestants, rounds, |program| {
            match self.engines.get(program) {
                Some(Ok(engine)) => turn(engine),
                Some(Err(error)) => Err(anyhow!("{error:#}")),
                None if program.ends_with(BARE) => {
                    Err(anyhow!("a container's system calls and nothing else"))
                }
                None => Err(anyhow!("a daemon does the work")),
            }
        });
        self.report.add(name, digits, outcomes);
    }

    /// What hardly varies.
    fn once(&mut self, actor: &Path) {
        let totals = |it: &Engine| measure::totals(actor, it);
        self.add("run: system calls", 0, FEW_ROUNDS, |it| Ok(totals(it)?.calls as f64));
        self.add("run: processes", 0, FEW_ROUNDS, |it| Ok(totals(it)?.processes as f64));
        self.add("run: peak memory, kB", 0, FEW_ROUNDS, |it| Ok(totals(it)?.peak_kb as f64));
    }

    /// A container at a time.
    fn each(&mut self, rounds: usize) {
        let machine = &self.machine;
        let outcomes = alternate(&self.report.contestants, rounds, |program| {
            match self.engines.get(program) {
                Some(Ok(engine)) => measure::run(engine),
                Some(Err(error)) => Err(anyhow!("{error:#}")),
                None => {
                    let bare = Runtime { program, machine };
                    Ok(bare.time(&mut bare.run(Kind::Plain)?)?.as_secs_f64() * 1e3)
                }
            }
        });
        self.report.add("run --network none, ms", 2, outcomes);
        self.add("run: processor, ms", 2, rounds, measure::processor_time);
        self.add("run --publish, ms", 2, rounds, measure::run_with_port);
    }

    /// Containers that come and go, of ours alone: a thousand of the others take minutes.
    fn grow(&mut self, folder: &Path) {
        let (cgroup, runs) = (cell::cgroup(folder), self.many * COME_AND_GO);
        let mut found = Vec::new();
        for contestant in &self.report.contestants {
            let engine = contestant.path.as_ref().and_then(|path| self.engines.get(path));
            found.push(match engine {
                Some(Ok(engine)) if engine.is_tinyo() => {
                    growth::measure(engine, &cgroup, runs).map_err(|error| format!("{error:#}"))
                }
                _ => Err("not asked".to_owned()),
            });
        }
        for (index, name) in growth::NAMES.into_iter().enumerate() {
            let outcomes = found.iter().map(|it| it.as_ref().map(|all| all[index]));
            let outcomes = outcomes.map(|it| it.map_err(String::clone)).collect();
            self.report.add(name, 0, outcomes);
        }
    }

    /// Beside many that run.
    fn many(&mut self, rounds: usize) {
        let many = self.many;
        self.add("runs at once, ms each", 2, FEW_ROUNDS.min(rounds), |it| {
            measure::at_once(it, many)
        });
        let mut started = HashMap::new();
        self.add("run --detach, ms", 2, many, |it| {
            let number: &mut usize = started.entry(it.publish()).or_default();
            *number += 1;
            measure::start(it, &format!("many{number}"))
        });
        self.add("ps, ms", 2, rounds, |it| measure::tell(it, &["ps"]));
        self.add("exec, ms", 2, rounds, |it| measure::tell(it, &["exec", "many1", "/bin/true"]));
        let mut has_talked = Vec::new();
        self.add("logs, ms", 2, rounds, |it| {
            if !has_talked.contains(&it.publish()) {
                measure::talk(it, "talker")?;
                has_talked.push(it.publish());
            }
            measure::tell(it, &["logs", "talker"])
        });
        self.add("stop, ms", 2, rounds, measure::stop);
        self.add("rm, ms", 2, rounds, measure::remove);
        self.add("idle: private memory, kB", 0, 1, |it| Ok(it.keepers()? as f64 / many as f64));
    }
}

fn notes(rounds: usize, many: usize) -> Vec<String> {
    let runs = many * COME_AND_GO;
    vec![
        format!(
            "Medians of {rounds} rounds, turn by turn (counts: {FEW_ROUNDS}); in brackets the ratio to tinyo."
        ),
        format!(
            "At once: {many} of each. What comes behind it: while {many} containers of each run. \
             Memory: of what stays beside each of them, pages that nobody else has; with tinyo that is \
             a monitor and an init."
        ),
        format!(
            "Growth: what is there more after {runs} containers than before them; kernel memory is \
             the whole machine's."
        ),
        "bare: the system calls of a container's start and end, by a program that keeps no images, \
         logs or states. Processor: of the command and what it waits for; a daemon's is not counted."
            .to_owned(),
    ]
}
