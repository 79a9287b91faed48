//! `tinyo logs`.

use super::printing::Printing;
use super::{chosen, front, parse};
use crate::context::Context;
use anyhow::{Context as _, Result};
use clap::Args;
use engine::{Container, Engine, Entry, Logs};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often it is looked whether there is more.
pub(crate) const PACE: Duration = Duration::from_millis(100);

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Show names in front of the lines, as of several containers their ids are shown
    #[arg(long)]
    names: bool,
    /// Show the lines of several containers with labels in different colors
    #[arg(long)]
    color: bool,
    /// The newest one
    #[arg(short, long, conflicts_with = "containers")]
    latest: bool,
    /// Names or ids
    #[arg(value_name = "CONTAINER", required_unless_present = "latest")]
    containers: Vec<String>,
}

impl Arguments {
    /// What stands in front of the lines of a container.
    fn label(&self, container: &Container, place: usize) -> String {
        let name = if self.names { &container.name } else { &container.id[..12] };
        if self.color {
            format!("\x1b[{}m{name}\x1b[0m ", 31 + place % 6)
        } else {
            format!("{name} ")
        }
    }

    /// Those of several containers, in the order of time.
    fn show_several(&self, engine: &Engine, containers: Vec<Container>) -> Result<()> {
        let containers = containers.into_iter().enumerate();
        let labelled = containers.map(|(place, it)| (self.label(&it, place), it)).collect();
        let mut printing = Printing::begin(engine, labelled, self.which.logs()?)?;
        printing.timestamps = self.which.timestamps;
        printing.details = self.which.details;
        printing.print_all(self.which.follow)
    }
}

/// Which part of a log, and how it is shown.
#[derive(Args)]
pub(crate) struct Which {
    /// Go on as long as the container runs
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// How many of the last lines, or all
    #[arg(
        short = 'n',
        long,
        value_name = "LINES",
        default_value = "all",
        allow_negative_numbers = true
    )]
    tail: String,
    /// From a time on: 2026-01-31T12:00:00Z, seconds since 1970, or a while ago: 10m
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<u64>,
    /// Up to a time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<u64>,
    /// Show when each line was printed
    #[arg(short, long)]
    pub(crate) timestamps: bool,
    /// Show the labels and variables that --log-opt has named, before each line
    #[arg(long)]
    pub(crate) details: bool,
}

impl Which {
    pub(crate) fn logs(&self) -> Result<Logs> {
        let tail =
            match self.tail.as_str() {
                "all" => None,
                // Docker and Podman take any negative number for all.
                lines if lines.parse().is_ok_and(|number: i64| number < 0) => None,
                lines => Some(lines.parse().ok().with_context(|| {
                    format!("--tail {lines}: neither a number of lines nor all")
                })?),
            };
        Ok(Logs { since: self.since, until: self.until, tail })
    }
}

/// A point in time, in nanoseconds since 1970.
pub(crate) fn time(text: &str) -> Result<u64, String> {
    const SECOND: u64 = 1_000_000_000;
    if let Some(seconds) = image::time::parse(text) {
        return Ok(seconds.saturating_mul(SECOND));
    }
    // A day, or a time without a zone, as they are in UTC.
    let has_day = text.len() >= 10 && text.as_bytes()[4] == b'-';
    let more = match text.len() {
        10 => "T00:00:00Z",
        16 => ":00Z",
        _ => "Z",
    };
    if let (true, Some(seconds)) = (has_day, image::time::parse(&format!("{text}{more}"))) {
        return Ok(seconds.saturating_mul(SECOND));
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if let (Ok(seconds), true) =
        (whole.parse::<u64>(), fraction.bytes().all(|digit| digit.is_ascii_digit()))
    {
        let fraction = format!("{:0<9}", &fraction[..fraction.len().min(9)]);
        return Ok(seconds.saturating_mul(SECOND) + fraction.parse().unwrap_or(0));
    }
    let ago = parse::duration(text).map_err(|_| {
        format!("{text:?} is no time such as 2026-01-31T12:00:00Z, 1769860800 or 10m (ago)")
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(u64::try_from(now.saturating_sub(ago).as_nanos()).unwrap_or(u64::MAX))
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let engine = context.engine()?;
    let mut containers = if arguments.latest {
        vec![chosen::newest(&engine)?]
    } else {
        arguments.containers.iter().map(|it| engine.find(it)).collect::<Result<Vec<_>, _>>()?
    };
    let container = match containers.pop() {
        Some(container) if containers.is_empty() && !arguments.names => container,
        last => {
            containers.extend(last);
            return arguments.show_several(&engine, containers);
        }
    };
    let Which { follow: is_to_follow, timestamps, .. } = arguments.which;
    let details = if arguments.which.details { details(&container) } else { String::new() };
    let show = |entry: &Entry| show(entry, timestamps, &details);
    let logs = arguments.which.logs()?;
    let (entries, mut follow) = engine.logs(&container, &logs)?;
    for entry in &entries {
        show(entry)?;
    }
    if !is_to_follow {
        return Ok(());
    }
    loop {
        // Asked first: what it printed last is there by the time that it has ended.
        let is_over = is_over(&engine, &container)?;
        if follow.is_none() {
            let everything = Logs { tail: None, ..logs };
            let (entries, now) = engine.logs(&container, &everything)?;
            follow = now;
            entries.iter().try_for_each(show)?;
        }
        while let Some(entry) = follow.as_mut().map_or(Ok(None), engine::Follow::next_entry)? {
            show(&entry)?;
        }
        if is_over {
            return Ok(());
        }
        std::thread::sleep(PACE);
    }
}

pub(crate) fn is_over(engine: &Engine, container: &Container) -> Result<bool> {
    match engine.look(container) {
        Ok(seen) => Ok(!matches!(
            seen.status,
            engine::Status::Running | engine::Status::Paused | engine::Status::Restarting
        )),
        Err(engine::Error::NoSuchContainer(_)) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// What `--log-opt` has named, as Docker writes it: in the order of their names, with commas between.
pub(crate) fn details(container: &Container) -> String {
    let settings = &container.settings;
    let labels = settings.labels.iter().filter(|(name, _)| settings.log.labels.contains(name));
    let mut all: BTreeMap<&str, &str> =
        labels.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // Of those with one name the last counts.
    let variables = settings.env.iter().filter_map(|variable| variable.split_once('='));
    all.extend(variables.filter(|(name, _)| settings.log.env.iter().any(|it| it == name)));
    let texts: Vec<_> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if texts.is_empty() { String::new() } else { texts.join(",") + " " }
}

fn show(entry: &Entry, timestamps: bool, details: &str) -> Result<()> {
    let mut line = Vec::with_capacity(entry.text.len() + 40);
    if timestamps {
        line.extend_from_slice(entry.time.as_bytes());
        line.push(b' ');
    }
    line.extend_from_slice(details.as_bytes());
    line.extend_from_slice(&entry.text);
    if entry.whole {
        line.push(b'\n');
    }
    front::print(entry.stream, &line)
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn points_in_time() {
        assert_eq!(time("1970-01-01T00:00:10Z"), Ok(10_000_000_000));
        assert_eq!(time("10.5"), Ok(10_500_000_000));
        for text in ["1970-01-02", "1970-01-02T00:00", "1970-01-02T00:00:00"] {
            assert_eq!(time(text), Ok(86_400_000_000_000), "{text}");
        }
        assert!(time("10m").unwrap() > 1_700_000_000_000_000_000);
        assert!(time("yesterday").is_err());
    }
}
