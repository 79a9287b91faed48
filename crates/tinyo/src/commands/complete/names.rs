//! Names of what there is.

use super::Candidate;
use crate::commands::compose;
use crate::context::Context;
use crate::rootless;
use anyhow::Result;
use engine::{Engine, Error, Status};
use image::store::Store;
use image::unpack::Owners;
use std::path::PathBuf;

/// The store that is asked.
#[derive(Default)]
pub(super) struct Names {
    pub(super) root: Option<PathBuf>,
    pub(super) run_root: Option<PathBuf>,
    /// The file that services are in.
    pub(super) file: Option<PathBuf>,
}

/// The words that some flags take among others.
const WORDS: [(&str, &[&str]); 5] = [
    ("driver", &["bridge", "macvlan", "ipvlan"]),
    ("restart", &["no", "on-failure", "always", "unless-stopped"]),
    ("network", &["none", "host"]),
    ("health_on_failure", &["none", "kill", "restart", "stop"]),
    ("cgroupns", &["private", "host"]),
];

/// The signals that programs are sent; others are not offered.
const SIGNALS: [&str; 12] =
    ["TERM", "KILL", "INT", "QUIT", "HUP", "USR1", "USR2", "STOP", "CONT", "TSTP", "WINCH", "ABRT"];

impl Names {
    /// As the caller has said, until other folders are said.
    pub(super) fn of_store(context: &Context) -> Result<Names> {
        let mut names = Names::default();
        for (flag, folder) in context.folder_flags()? {
            let place = if flag == "--root" { &mut names.root } else { &mut names.run_root };
            *place = Some(folder);
        }
        Ok(names)
    }

    /// What an argument of a command can be, by its own name, and what help calls its value.
    pub(super) fn of(&self, command: &str, arg: &str, value: &str) -> Result<Vec<Candidate>> {
        let words = WORDS.iter().filter(|(name, _)| *name == arg).flat_map(|(_, words)| *words);
        let signals = if value == "SIGNAL" { &SIGNALS[..] } else { &[] };
        let words = words.chain(signals).map(|word| plain((*word).to_owned()));
        Ok(words.chain(self.known(command, value)?).collect())
    }

    /// Those that the command can do something with.
    fn known(&self, command: &str, value: &str) -> Result<Vec<Candidate>> {
        if value == "SERVICE" {
            return Ok(named(compose::services(self.file.as_deref()), |service| service));
        }
        // Nobody who only types is to make a store.
        let known =
            ["CONTAINER", "FROM", "TO", "IMAGE", "NAME", "NETWORK", "POD", "SECRET", "VOLUME"];
        let Some(engine) = known.contains(&value).then(|| self.engine()).transpose()?.flatten()
        else {
            return Ok(Vec::new());
        };
        let every: fn(Status) -> bool = |_| true;
        match (value, command) {
            ("CONTAINER", _) => containers(&engine, scope(command), ""),
            ("FROM" | "TO", _) => containers(&engine, every, ":"),
            ("IMAGE", _) | ("NAME", "images" | "untag") => images(&engine),
            ("NETWORK", _) => Ok(named(engine.networks()?, |network| network.name)),
            ("POD", _) => pods(&engine),
            ("SECRET", _) => Ok(named(engine.secrets()?, |secret| secret.name)),
            ("VOLUME", "run" | "create") => {
                Ok(named(engine.volumes()?, |volume| format!("{}:", volume.name)))
            }
            ("VOLUME", _) => Ok(named(engine.volumes()?, |volume| volume.name)),
            ("NAME", "export") => Ok([containers(&engine, every, "")?, images(&engine)?].concat()),
            ("NAME", "inspect") => {
                let containers = containers(&engine, every, "")?;
                Ok([containers, images(&engine)?, pods(&engine)?].concat())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Nothing where there is no store.
    fn engine(&self) -> Result<Option<Engine>> {
        let is_root = !rootless::is_needed();
        let context = Context::new(self.root.clone(), self.run_root.clone(), is_root, Owners::Keep);
        if !Store::exists(&context.absolute_root()?) {
            return Ok(None);
        }
        if is_root {
            return Ok(Some(context.engine()?));
        }
        let owners = rootless::enter(&context.root_argument()?)?;
        Ok(Some(context.with_owners(owners).engine()?))
    }
}

/// What a command can do nothing with is not offered.
fn scope(command: &str) -> fn(Status) -> bool {
    match command {
        "start" => Status::is_over,
        "attach" | "exec" | "kill" | "port" | "stats" | "stop" | "top" => Status::is_running,
        "pause" => |status| status == Status::Running,
        "unpause" => |status| status == Status::Paused,
        _ => |_| true,
    }
}

/// With what each is doing.
fn containers(engine: &Engine, is_wanted: fn(Status) -> bool, end: &str) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    for container in engine.containers()?.into_iter().filter(|it| !it.is_infra) {
        let status = match engine.glance(&container) {
            Err(Error::NoSuchContainer(_)) => continue,
            seen => seen?.0.status,
        };
        if is_wanted(status) {
            let about = format!("{} {}", status.name(), container.settings.image);
            found.push(Candidate { word: format!("{}{end}", container.name), about });
        }
    }
    Ok(found)
}

fn images(engine: &Engine) -> Result<Vec<Candidate>> {
    let names = engine.store().images()?.into_iter().flat_map(|image| image.names);
    Ok(named(names, |named| named.name.familiar()))
}

fn pods(engine: &Engine) -> Result<Vec<Candidate>> {
    Ok(named(engine.pods()?, |pod| pod.name))
}

fn named<T>(all: impl IntoIterator<Item = T>, name: fn(T) -> String) -> Vec<Candidate> {
    all.into_iter().map(|it| plain(name(it))).collect()
}

fn plain(word: String) -> Candidate {
    Candidate { word, about: String::new() }
}
