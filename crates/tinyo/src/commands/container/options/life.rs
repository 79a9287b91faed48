//! The flags of `run` and `create` about a container's life: its end, its new start, its health, and
//! what is kept of its output.

use super::parse;
use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use engine::settings::{Health, LogOptions, OnFailure, Restart, Startup};
use std::time::Duration;

#[derive(Args)]
pub(super) struct LifeOptions {
    /// When it is started again: no, on-failure[:TIMES], always, unless-stopped [default: no, or
    /// what its pod says]
    #[arg(long, value_name = "POLICY", value_parser = parse::restart)]
    pub(super) restart: Option<Restart>,
    /// The signal that asks it to end
    #[arg(long, value_name = "SIGNAL", default_value = "", hide_default_value = true)]
    stop_signal: String,
    /// Seconds until it is killed after that [default: 10]
    #[arg(long, value_name = "SECONDS")]
    pub(super) stop_timeout: Option<u32>,
    /// Seconds that it may run; then it is killed
    #[arg(long, value_name = "SECONDS", default_value_t = 0, hide_default_value = true)]
    pub(super) timeout: u32,
    /// A shell command that finds out whether it works
    #[arg(long, value_name = "COMMAND")]
    health_cmd: Option<String>,
    /// Between two checks [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    health_interval: Option<Duration>,
    /// Of one check [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    health_timeout: Option<Duration>,
    /// While failures do not count [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    health_start_period: Option<Duration>,
    /// Between two checks while it is starting [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    health_start_interval: Option<Duration>,
    /// How many failures in a row make it unhealthy [default: 3]
    #[arg(long, value_name = "TIMES")]
    health_retries: Option<u32>,
    /// What is done when it has become unhealthy: none, kill, restart or stop
    #[arg(long, value_name = "ACTION", default_value = "none", hide_default_value = true, value_parser = parse::on_failure)]
    health_on_failure: OnFailure,
    /// A shell command that finds out whether it has started: until then nothing else is checked
    #[arg(long, value_name = "COMMAND")]
    health_startup_cmd: Option<String>,
    /// Between two checks whether it has started [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = parse::duration, requires = "health_startup_cmd")]
    health_startup_interval: Option<Duration>,
    /// Of one check whether it has started [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = parse::duration, requires = "health_startup_cmd")]
    health_startup_timeout: Option<Duration>,
    /// How many failures have it started again [default: 0, none]
    #[arg(long, value_name = "TIMES", requires = "health_startup_cmd")]
    health_startup_retries: Option<u32>,
    /// How many successes say that it has started [default: 1]
    #[arg(long, value_name = "TIMES", requires = "health_startup_cmd")]
    health_startup_success: Option<u32>,
    /// No check, even if the image has one
    #[arg(long)]
    no_healthcheck: bool,
    /// Where output is kept: k8s-file, which json-file and local mean, too, or none
    #[arg(long, value_name = "DRIVER", default_value = "k8s-file", value_parser = parse::log_driver)]
    log_driver: String,
    /// max-size=BYTES, max-file=COUNT; labels=NAMES and env=NAMES are what `logs --details` shows
    #[arg(long, value_name = "OPTION", value_parser = parse::pair)]
    log_opt: Vec<(String, String)>,
}

impl LifeOptions {
    pub(super) fn stop_signal(&self) -> Result<String> {
        if !self.stop_signal.is_empty() {
            engine::signal(&self.stop_signal).context("--stop-signal")?;
        }
        Ok(self.stop_signal.clone())
    }

    /// A check without a command changes that of the image.
    pub(super) fn health(&self) -> Option<Health> {
        if self.no_healthcheck {
            return Some(Health { command: vec!["NONE".to_owned()], ..Health::default() });
        }
        let time = |time: Option<Duration>| {
            time.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
        };
        let shell = |command: &String| vec!["/bin/sh".to_owned(), "-c".to_owned(), command.clone()];
        let startup = self.health_startup_cmd.as_ref().map(|command| Startup {
            command: shell(command),
            interval: time(self.health_startup_interval),
            timeout: time(self.health_startup_timeout),
            retries: self.health_startup_retries.unwrap_or(0),
            successes: self.health_startup_success.unwrap_or(1),
        });
        let health = Health {
            command: self.health_cmd.as_ref().map(shell).unwrap_or_default(),
            interval: time(self.health_interval),
            timeout: time(self.health_timeout),
            start_period: time(self.health_start_period),
            start_interval: time(self.health_start_interval),
            retries: self.health_retries.unwrap_or(0),
            on_failure: self.health_on_failure,
            startup,
        };
        Some(health).filter(|health| *health != Health::default())
    }

    pub(super) fn log(&self) -> Result<LogOptions> {
        let mut log = LogOptions { none: self.log_driver == "none", ..LogOptions::default() };
        for (name, value) in &self.log_opt {
            engine::value::log_option(&mut log, name, value)
                .map_err(|why| anyhow!("--log-opt {name}={value}: {why}"))?;
        }
        Ok(log)
    }
}
