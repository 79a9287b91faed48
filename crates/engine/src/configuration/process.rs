//! The program: its words, variables, rights.

use super::{Context, security};
use crate::error::{Error, Result};
use crate::settings::Settings;
use crate::{init, secret};
use spec::json::{Map, Text};
use spec::runtime::{Process, Rlimit, User};
use std::collections::BTreeMap;

/// What programs are looked for in where nothing else is said.
pub(crate) const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Our init, and what it is told.
const INIT: [&str; 4] = [init::PATH, "-p", "KILL", "--"];

/// Programs that are a first process themselves.
const INITS: [&str; 10] = [
    "init",
    "systemd",
    "tino",
    "tini",
    "docker-init",
    "dumb-init",
    "catatonit",
    "s6-svscan",
    "runit",
    "openrc-init",
];

pub(super) fn process(context: &Context<'_>, user: User) -> Result<Process<'static>> {
    let settings = &context.container.settings;
    let host = super::files::hostname(context)?;
    let folder = folder(settings)?;
    let secrets = secret::variables(&context.folder, settings)?;
    let env = variables(settings, &secrets, Some(&host));
    Ok(Process {
        terminal: settings.tty,
        console_size: None,
        args: words(settings)?,
        env: env.into_iter().map(Text::from).collect(),
        cwd: folder.to_owned().into(),
        capabilities: Some(security::capabilities(settings, user.uid)?),
        user,
        rlimits: rlimits(settings),
        no_new_privileges: security::no_new_privileges(settings),
        apparmor_profile: settings.security.apparmor.clone().into(),
        oom_score_adj: settings.limits.oom_score_adj,
        scheduler: None,
        selinux_label: settings.security.label.clone().into(),
        io_priority: None,
        exec_cpu_affinity: None,
    })
}

/// Where it starts.
pub(super) fn folder(settings: &Settings) -> Result<&str> {
    match settings.working_dir.as_str() {
        "" => Ok("/"),
        folder if folder.starts_with('/') => Ok(folder),
        folder => super::wrong("--workdir", folder, "is not absolute"),
    }
}

/// `tino` first, which ends with its monitor, unless the program is an init itself.
fn words(settings: &Settings) -> Result<Vec<Text<'static>>> {
    let words: Vec<&String> = settings.words().collect();
    let Some(program) = words.first() else {
        return Err(Error::invalid(
            "no command: the image has none, and none was given after the image's name",
        ));
    };
    let mut all: Vec<Text<'static>> = Vec::with_capacity(words.len() + INIT.len());
    if has_init(settings, program) {
        all.extend(INIT.map(Text::from));
    }
    all.extend(words.into_iter().map(|word| Text::from(word.clone())));
    Ok(all)
}

fn has_init(settings: &Settings, program: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or_default();
    // With the machine's process ids it is not the first process, and kills nobody else's.
    let own_pids = settings.namespaces.pid.is_empty() || settings.namespaces.pid == "private";
    settings.init && own_pids && !INITS.contains(&name)
}

/// What the runtime is told beside the configuration: where the program is behind our init, so that
/// one that is missing is noticed before anything runs.
pub(super) fn annotations(settings: &Settings) -> Map<'static, Text<'static>> {
    let own = settings.annotations.iter();
    let mut all: BTreeMap<_, _> =
        own.map(|(name, value)| (name.clone(), Text::from(value.clone()))).collect();
    if settings.words().next().is_some_and(|program| has_init(settings, program)) {
        all.insert("org.tinyo.launcher".to_owned(), INIT.len().to_string().into());
    }
    all.into_iter().collect()
}

/// All variables; of those with one name the last counts.
pub(crate) fn variables(settings: &Settings, more: &[String], host: Option<&str>) -> Vec<String> {
    let mut all = vec![PATH.to_owned()];
    all.extend(host.map(|host| format!("HOSTNAME={host}")));
    if settings.tty {
        all.push("TERM=xterm".to_owned());
    }
    for variable in settings.env.iter().chain(more) {
        let name = |text: &str| text.split('=').next().map(str::to_owned);
        match all.iter_mut().find(|known| name(known) == name(variable)) {
            Some(known) => known.clone_from(variable),
            None => all.push(variable.clone()),
        }
    }
    // `-e NAME` takes a variable away that the image has.
    all.retain(|variable| variable.contains('='));
    all
}

fn rlimits(settings: &Settings) -> Vec<Rlimit<'static>> {
    let limit = |(name, soft, hard): &(String, u64, u64)| Rlimit {
        kind: format!("RLIMIT_{}", name.to_ascii_uppercase()).into(),
        hard: *hard,
        soft: *soft,
    };
    settings.limits.ulimits.iter().map(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::{variables, words};
    use crate::settings::Settings;

    fn settings(words: &[&str]) -> Settings {
        let command = words.iter().map(ToString::to_string).collect();
        Settings { command, init: true, ..Settings::default() }
    }

    #[test]
    fn the_first_process_is_an_init() {
        assert_eq!(words(&settings(&["sh", "-c"])).unwrap()[4..], ["sh", "-c"]);
        assert_eq!(words(&settings(&["/sbin/init"])).unwrap(), ["/sbin/init"]);
        assert!(words(&settings(&[])).is_err());
        let host = Settings { init: false, ..settings(&["sh"]) };
        assert_eq!(words(&host).unwrap(), ["sh"]);
    }

    #[test]
    fn the_last_variable_of_a_name_counts() {
        let env = ["A=1", "PATH=/x", "A=2", "B", "C="].map(str::to_owned).to_vec();
        let settings = Settings { env, tty: true, ..Settings::default() };
        let expected = ["PATH=/x", "HOSTNAME=h", "TERM=xterm", "A=2", "C=3"];
        assert_eq!(variables(&settings, &["C=3".to_owned()], Some("h")), expected);
    }
}
