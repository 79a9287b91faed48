//! `tinyo top`.

use super::chosen::one;
use crate::context::Context;
use crate::show::{print_line, print_table};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use engine::settings::Ids;
use std::fs;
use std::process::Command;

#[derive(Args)]
pub(crate) struct Arguments {
    /// A container, or -l for the newest one, and options of ps(1), such as aux or -o pid,comm, or
    /// fields, such as pid user args
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_names = ["CONTAINER", "OPTIONS"])]
    words: Vec<String>,
}

/// Fields of ps(1) that Podman's users name, and what `ps` calls those.
const FIELDS: [(&str, &str); 19] = [
    ("pid", "pid"),
    ("hpid", "pid"),
    ("ppid", "ppid"),
    ("pgid", "pgid"),
    ("user", "user"),
    ("huser", "user"),
    ("uid", "uid"),
    ("group", "group"),
    ("args", "args"),
    ("comm", "comm"),
    ("etime", "etime"),
    ("time", "time"),
    ("stime", "stime"),
    ("tty", "tty"),
    ("state", "state"),
    ("nice", "nice"),
    ("rss", "rss"),
    ("vsz", "vsz"),
    ("pcpu", "pcpu"),
];

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let (name, options) = arguments.words.split_first().context("no container")?;
    let engine = context.engine()?;
    let container =
        one(&engine, Some(name.as_str()).filter(|it| !matches!(*it, "-l" | "--latest")))?;
    let processes = engine.processes(&container)?;
    if !engine.look(&container)?.status.is_running() {
        bail!("container {} does not run", container.name);
    }
    if options.is_empty() {
        // They may have ended meanwhile.
        let ids = &container.settings.namespaces.ids;
        let rows: Vec<_> = processes.into_iter().filter_map(|pid| process(pid, ids)).collect();
        return print_table(&PROCESS_HEADINGS, &rows);
    }
    with_options(options, &processes)
}

/// Shows processes with fields, or options of ps.
pub(crate) fn with_options(options: &[String], processes: &[i32]) -> Result<()> {
    let field = |word: &str| FIELDS.iter().find(|(known, _)| *known == word);
    let is_letters = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
    let words: Vec<&str> = options.iter().flat_map(|it| it.split(',')).collect();
    match words.iter().map(|word| field(word)).collect::<Option<Vec<_>>>() {
        Some(fields) => {
            let names: Vec<&str> = fields.into_iter().map(|(_, name)| *name).collect();
            let list: Vec<String> = processes.iter().map(ToString::to_string).collect();
            show(&ps(&["-o", &names.join(","), "-p", &list.join(",")])?, None)
        }
        // Letters alone may be options of ps, too, such as aux.
        None if words.iter().all(is_letters) && words.iter().any(|it| field(it).is_some()) => {
            let unknown = words.iter().find(|word| field(word).is_none());
            let known: Vec<_> = FIELDS.iter().map(|(name, _)| *name).collect();
            bail!("there is no field {}, only {}", unknown.unwrap_or(&""), known.join(" "))
        }
        None => show(&ps(options)?, Some(processes)),
    }
}

/// Prints what the machine's `ps` says, of all processes or of these.
fn show(text: &str, only: Option<&[i32]>) -> Result<()> {
    let mut lines = text.lines();
    let heading = lines.next().unwrap_or_default();
    let column = heading.split_whitespace().position(|word| word == "PID");
    let column = match (only, column) {
        (Some(_), None) => bail!("what ps printed has no column PID: add it, as in -o pid,comm"),
        (_, column) => column.unwrap_or(0),
    };
    print_line(heading)?;
    for line in lines {
        let pid = line.split_whitespace().nth(column).and_then(|word| word.parse::<i32>().ok());
        if only.is_none_or(|only| pid.is_some_and(|pid| only.contains(&pid))) {
            print_line(line)?;
        }
    }
    Ok(())
}

fn ps(options: &[impl AsRef<std::ffi::OsStr>]) -> Result<String> {
    let output = Command::new("ps").args(options).output();
    let output = output.context("ps (Debian's package procps) is needed for its options")?;
    if !output.status.success() {
        bail!("ps: {}", String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What [`process`] tells.
pub(crate) const PROCESS_HEADINGS: [&str; 5] = ["UID", "PID", "PPID", "TIME", "CMD"];

/// A line about a process, from proc(5), with the user that it is in the container.
pub(crate) fn process(pid: i32, ids: &Ids) -> Option<Vec<String>> {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).ok();
    let status = read("status")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next().map(str::to_owned)
    };
    let stat = read("stat")?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok());
    // Times are in hundredths of a second, whatever the kernel counts in.
    let seconds = (ticks(11)? + ticks(12)?) / 100;
    let time = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let words = read("cmdline")?.trim_end_matches('\0').replace('\0', " ");
    let words = if words.is_empty() { format!("[{}]", field("Name:")?) } else { words };
    let user = field("Uid:")?;
    let inside = user.parse().ok().and_then(|user| ids.user_inside(user));
    let user = inside.map_or(user, |user| user.to_string());
    Some(vec![user, pid.to_string(), field("PPid:")?, time, words])
}
