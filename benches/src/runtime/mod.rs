//! `cargo xtask bench runtime`: `tinyort` against the runtimes that Debian has, and against the
//! bare system calls.

pub(crate) mod bundle;
pub(crate) mod contestants;
pub(crate) mod machine;
mod measure;

use std::path::Path;

use anyhow::{Result, ensure};

use crate::contestant::Contestant;
use crate::options::Options;
use crate::report::Report;
use crate::rounds::alternate;
use contestants::{BARE, Runtime};

use bundle::Kind;
use machine::Machine;

/// Counts that hardly vary need no more turns than this.
const FEW_ROUNDS: usize = 3;

/// Containers per contestant, one after the other, spread over the rounds.
const SEQUENCE: usize = 1000;

/// Measures all, prints the table on standard output and writes the JSON. This process must have
/// one thread; it moves to a mount namespace of its own.
pub fn runtime(options: &Options) -> Result<()> {
    let actor = options.actor();
    ensure!(actor.is_file(), "{} is missing: cargo build --release -p benches", actor.display());
    let machine = Machine::prepare()?;
    bundle::write(&machine.folder)?;
    let report = measured(options, &machine)?;
    print!("{}", report.table());
    report.write_json(&options.json)?;
    println!("JSON: {}", options.json.display());
    Ok(())
}

fn contestants(options: &Options) -> Vec<Contestant> {
    let ours = Contestant::at("tinyort", options.release.join("tinyort"));
    let bare = Contestant::at("bare", options.release.join(BARE));
    let peers = ["crun", "runc"].map(Contestant::installed);
    let also = options.also.iter().map(|(name, path)| Contestant::at(name, path.clone()));
    [ours, bare].into_iter().chain(peers).chain(also).collect()
}

fn measured(options: &Options, machine: &Machine) -> Result<Report> {
    let (rounds, contestants) = (options.rounds, contestants(options));
    let mut bench = Bench {
        all: contestants.clone(),
        machine,
        report: Report {
            name: "runtime",
            rounds,
            contestants,
            measures: Vec::new(),
            notes: notes(rounds),
        },
    };
    bench.counts(&options.actor());
    bench.times(rounds);
    bench.throughput(rounds);
    bench.report.notes.extend(machine.leftovers()?.iter().map(|it| format!("Left behind: {it}")));
    Ok(bench.report)
}

/// A report in the making.
struct Bench<'a> {
    all: Vec<Contestant>,
    machine: &'a Machine,
    report: Report,
}

impl Bench<'_> {
    fn add(
        &mut self,
        name: &'static str,
        digits: usize,
        rounds: usize,
        turn: impl Fn(Runtime) -> Result<f64>,
    ) {
        let machine = self.machine;
        let turn = |program: &Path| turn(Runtime { program, machine });
        let outcomes = alternate(&self.all, rounds, turn);
        self.report.add(name, digits, outcomes);
    }

    fn counts(&mut self, actor: &Path) {
        self.add("bytes on disk", 0, 1, |it| Ok(std::fs::metadata(it.program)?.len() as f64));
        let totals = |it: Runtime, kind| measure::totals(actor, it, kind);
        for (name, kind) in [
            ("run: system calls", Kind::Plain),
            ("run, seccomp: system calls", Kind::Seccomp),
            ("run, user namespace: system calls", Kind::User),
        ] {
            self.add(name, 0, FEW_ROUNDS, |it| Ok(totals(it, kind)?.calls as f64));
        }
        let plain = |it: Runtime| totals(it, Kind::Plain);
        self.add("run: processes", 0, FEW_ROUNDS, |it| Ok(plain(it)?.processes as f64));
        self.add("run: threads", 0, FEW_ROUNDS, |it| Ok(plain(it)?.threads as f64));
        self.add("run: peak memory, kB", 0, FEW_ROUNDS, |it| Ok(plain(it)?.peak_kb as f64));
        self.add("charged to the cgroup, kB", 0, FEW_ROUNDS, measure::charged_memory);
        self.add("of it the kernel's, kB", 0, FEW_ROUNDS, measure::kernel_memory);
        self.add("created, waiting: charged, kB", 0, 1, measure::created_memory);
    }

    fn times(&mut self, rounds: usize) {
        let plain = Kind::Plain;
        self.add("run: processor, ms", 2, rounds, |it| measure::processor_time(it, plain));
        self.add("run, ms", 2, rounds, |it| measure::run_time(it, plain));
        self.add("run, seccomp, ms", 2, rounds, |it| measure::run_time(it, Kind::Seccomp));
        self.add("of it for the filter, ms", 2, rounds, measure::filter_time);
        self.add("run, user namespace, ms", 2, rounds, |it| measure::run_time(it, Kind::User));
        self.add("create + start + delete, ms", 2, rounds, measure::create_start_delete);
        self.add("exec, ms", 2, rounds, |it| measure::tell(it, "exec", &["/bin/true"]));
        self.add("state, ms", 2, rounds, |it| measure::tell(it, "state", &[]));
        self.add("delete, ms", 2, rounds, measure::delete);
    }

    fn throughput(&mut self, rounds: usize) {
        let count = SEQUENCE.div_ceil(rounds);
        self.add("runs a second, one by one", 1, rounds, |it| {
            measure::one_after_the_other(it, count)
        });
        self.add("runs a second, 100 at once", 1, rounds.min(FEW_ROUNDS), measure::at_once);
    }
}

fn notes(rounds: usize) -> Vec<String> {
    vec![
        format!(
            "Medians of {rounds} rounds, turn by turn (counts: {FEW_ROUNDS}); in brackets the ratio to tinyort."
        ),
        "bare: the same system calls by a program that reads no configuration and checks nothing."
            .to_owned(),
        "The container's own program makes one system call, which is counted.".to_owned(),
        "Processor: in user mode and in the kernel, of the runtime and what it waits for."
            .to_owned(),
        format!("One by one: {SEQUENCE} in all."),
    ]
}
