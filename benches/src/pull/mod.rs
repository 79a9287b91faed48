//! `cargo xtask bench pull`: `tinyo pull` beside what others need to get an image from a registry
//! of this machine into root file systems.

mod contest;
mod disk;
mod images;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::contestant::Contestant;
use crate::options::Options;
use crate::report::Report;
use crate::rounds::median;
use contest::{Sample, Way};
use disk::Disk;

/// Where the registry listens. Nothing else may.
const REGISTRY: &str = "127.0.0.1:5987";

/// A pull takes seconds: more rounds than these are a coffee break.
const MOST_ROUNDS: usize = 7;

/// Measures all, prints the table on standard output and writes the JSON.
pub fn pull(options: &Options) -> Result<()> {
    let tinyo = Contestant::at("tinyo", options.release.join("tinyo"));
    ensure!(tinyo.path.is_some(), "tinyo is missing: cargo build --release -p tinyo");
    let ways = Way::all(tinyo);
    let rounds = rounds(options);
    disk::keep_mounts_private()?;
    let folder = Folder::new()?;
    let _registry = Registry::start(&folder.0)?;
    let disk = Disk::new(&folder.0)?;
    let mut report = Report {
        name: "pull",
        rounds,
        contestants: ways.iter().map(Way::contestant).collect(),
        measures: Vec::new(),
        notes: notes(options),
    };
    for image in images::all() {
        let name = format!("{REGISTRY}/bench/{}:1", image.name);
        eprintln!("bench pull: making the image {}", image.name);
        let put = image.put(&folder.0, &name, options.quick);
        put.with_context(|| image.name.to_owned())?;
        let samples = measure(&ways, rounds, &disk, &name);
        let column = |pick: usize| -> Vec<Result<f64, String>> {
            let middle = |samples: &Result<Vec<Sample>, String>| match samples {
                Ok(samples) => Ok(median(samples.iter().map(|it| it.numbers()[pick]).collect())),
                Err(why) => Err(why.clone()),
            };
            samples.iter().map(middle).collect()
        };
        for (pick, line) in image.lines.into_iter().enumerate() {
            report.add(line, if pick == 3 { 0 } else { 2 }, column(pick));
        }
    }
    print!("{}", report.table());
    report.write_json(&options.json)?;
    println!("JSON: {}", options.json.display());
    Ok(())
}

/// Turn by turn; whoever fails takes no further part.
fn measure(
    ways: &[Way],
    rounds: usize,
    disk: &Disk,
    name: &str,
) -> Vec<Result<Vec<Sample>, String>> {
    let mut all: Vec<Result<Vec<Sample>, String>> = ways.iter().map(|_| Ok(Vec::new())).collect();
    for round in 0..rounds {
        for place in 0..ways.len() {
            let place = (round + place) % ways.len();
            let Ok(samples) = &mut all[place] else { continue };
            match ways[place].turn(disk, name) {
                Ok(sample) => samples.push(sample),
                Err(error) => all[place] = Err(format!("{error:#}")),
            }
        }
    }
    all
}

fn rounds(options: &Options) -> usize {
    options.rounds.min(MOST_ROUNDS)
}

fn notes(options: &Options) -> Vec<String> {
    let mut notes = vec![
        format!("Medians of {} rounds, turn by turn; in brackets the ratio to tinyo.", rounds(options)),
        "Each pull begins with an empty store on a new ext4, which is a file read and written past \
         the page cache. Processor and memory: of all processes, and the most that one of them had \
         resident; of containerd the daemon."
            .to_owned(),
        "tinyo has synced everything to the disk when it returns; the others sync nothing, or little, \
         and are given a syncfs for the second line."
            .to_owned(),
    ];
    if options.quick {
        notes.push("Quick: the images have a tenth of their sizes. This is no result.".to_owned());
    }
    notes
}

/// A folder that goes away with all that is in it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder> {
        let path = std::env::temp_dir().join(format!("tinyo-bench-pull-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `docker-registry`, until this is dropped.
struct Registry(Child);

impl Registry {
    fn start(folder: &Path) -> Result<Registry> {
        let config = folder.join("registry.yml");
        let storage = folder.join("registry");
        fs::write(
            &config,
            format!(
                "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
                 http: {{addr: {REGISTRY}}}\n",
                storage.display()
            ),
        )?;
        let mut command = Command::new("docker-registry");
        command
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let registry = Registry(command.spawn().context("docker-registry")?);
        contest::wait_until("the registry listens", || {
            std::net::TcpStream::connect(REGISTRY).is_ok()
        })?;
        Ok(registry)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
