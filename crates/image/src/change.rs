//! Changes of an image's configuration, written as in a Dockerfile: `CMD ["sh"]`, `ENV A=b`; or, as
//! Podman's manual has it, `CMD=sh`.

use serde_json::Value;
use spec::image::{ContainerConfig, HealthCheck};
use std::collections::BTreeMap;

/// Why a change cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line:?}: {why}")]
pub struct BadChange {
    /// The change.
    pub line: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Makes several changes, one after the other. A command that is among them stays, whatever
/// program comes behind it; an image's own command was for the image's own program.
///
/// # Errors
/// As [`change`].
pub fn changes(config: &mut ContainerConfig, lines: &[String]) -> Result<(), BadChange> {
    let mut command = None;
    for line in lines {
        change(config, line)?;
        let instruction = line.trim_start().get(..3).unwrap_or_default();
        if instruction.eq_ignore_ascii_case("CMD") {
            command.clone_from(&config.cmd);
        }
    }
    config.cmd = command.or(config.cmd.take());
    Ok(())
}

/// Makes a change.
///
/// # Errors
/// It is no instruction that changes a configuration, or has the wrong words.
pub fn change(config: &mut ContainerConfig, line: &str) -> Result<(), BadChange> {
    let bad = |why| BadChange { line: line.to_owned(), why };
    let line = line.trim();
    let ends = |it: char| it.is_whitespace() || it == '=';
    let (instruction, rest) = line.split_once(ends).unwrap_or((line, ""));
    let rest = rest.trim();
    if rest.is_empty() {
        return Err(bad("something must follow the instruction"));
    }
    match instruction.to_ascii_uppercase().as_str() {
        "CMD" => config.cmd = Some(command(config, rest)),
        "ENTRYPOINT" => {
            config.entrypoint = Some(command(config, rest));
            // What was to follow another program does not follow this one.
            config.cmd = None;
        }
        "ENV" => {
            for (name, value) in pairs(rest).ok_or_else(|| bad("write NAME=VALUE"))? {
                let prefix = format!("{name}=");
                config.env.retain(|known| !known.starts_with(&prefix));
                config.env.push(format!("{name}={value}"));
            }
        }
        "LABEL" => config.labels.extend(pairs(rest).ok_or_else(|| bad("write NAME=VALUE"))?),
        "EXPOSE" => {
            let ports = ports(rest).ok_or_else(|| bad("write PORT[-PORT][/PROTOCOL]"))?;
            config.exposed_ports.extend(set(ports));
        }
        "VOLUME" => config.volumes.extend(set(words(rest))),
        "USER" => config.user = rest.to_owned(),
        "WORKDIR" => config.working_dir = folder(&config.working_dir, rest),
        "STOPSIGNAL" => config.stop_signal = rest.to_owned(),
        "SHELL" => {
            config.shell =
                Some(list(rest).ok_or_else(|| bad("write [\"PROGRAM\", \"ARGUMENT\"]"))?);
        }
        "ONBUILD" => config.on_build.push(rest.to_owned()),
        "HEALTHCHECK" => {
            config.healthcheck = Some(health_check(config, rest).map_err(bad)?);
        }
        _ => return Err(bad("no instruction that changes a configuration")),
    }
    Ok(())
}

/// `["a", "b"]` as it is; anything else is for a shell.
fn command(config: &ContainerConfig, text: &str) -> Vec<String> {
    list(text).unwrap_or_else(|| {
        let shell = config.shell.clone().unwrap_or_else(|| vec!["/bin/sh".into(), "-c".into()]);
        shell.into_iter().chain([text.to_owned()]).collect()
    })
}

fn list(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

/// A list, or words between spaces.
fn words(text: &str) -> Vec<String> {
    list(text).unwrap_or_else(|| text.split_whitespace().map(str::to_owned).collect())
}

fn set(names: impl IntoIterator<Item = String>) -> BTreeMap<String, Value> {
    names.into_iter().map(|name| (name, Value::Object(serde_json::Map::new()))).collect()
}

/// `A=b C="d e"`, or `A all of the rest`.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let words = split(text)?;
    if words.first()?.contains('=') {
        let pair =
            |word: &String| word.split_once('=').map(|(name, value)| (name.into(), value.into()));
        let pairs: Vec<(String, String)> = words.iter().map(pair).collect::<Option<_>>()?;
        return pairs.iter().all(|(name, _)| !name.is_empty()).then_some(pairs);
    }
    let (name, value) = text.split_once(char::is_whitespace)?;
    Some(vec![(name.to_owned(), value.trim().to_owned())])
}

/// Words between spaces; quotes and backslashes keep some together.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            (_, Some(end)) if character == end => quote = None,
            ('"' | '\'', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            ('\\', None | Some('"')) => word.get_or_insert_default().push(characters.next()?),
            (space, None) if space.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// `80`, `53/udp`, `8000-8002`; without a protocol it is TCP.
fn ports(text: &str) -> Option<Vec<String>> {
    let mut ports = Vec::new();
    for word in text.split_whitespace() {
        let (range, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
        let protocol = protocol.to_ascii_lowercase();
        if !["tcp", "udp", "sctp"].contains(&protocol.as_str()) {
            return None;
        }
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
        if first == 0 || first > last {
            return None;
        }
        ports.extend((first..=last).map(|port| format!("{port}/{protocol}")));
    }
    Some(ports)
}

/// A folder, seen from the one before.
fn folder(before: &str, text: &str) -> String {
    if text.starts_with('/') {
        return text.to_owned();
    }
    format!("{}/{text}", before.trim_end_matches('/'))
}

/// `NONE`, or `[--interval=5s] CMD COMMAND`.
fn health_check(config: &ContainerConfig, text: &str) -> Result<HealthCheck, &'static str> {
    let mut check = HealthCheck::default();
    let mut rest = text;
    while let Some(flag) = rest.strip_prefix("--") {
        let (flag, after) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
        rest = after.trim_start();
        let (name, value) = flag.split_once('=').ok_or("write --FLAG=VALUE")?;
        let time = || nanoseconds(value).ok_or("write a time as 30s or 1m30s");
        match name {
            "interval" => check.interval = Some(time()?),
            "timeout" => check.timeout = Some(time()?),
            "start-period" => check.start_period = Some(time()?),
            "start-interval" => check.start_interval = Some(time()?),
            "retries" => check.retries = Some(value.parse().map_err(|_| "retries is a number")?),
            _ => return Err("no flag of HEALTHCHECK"),
        }
    }
    let (kind, command) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    check.test = match (kind.to_ascii_uppercase().as_str(), command.trim()) {
        ("NONE", "") => vec!["NONE".to_owned()],
        ("CMD", "") => return Err("a command must follow CMD"),
        ("CMD", command) => match list(command) {
            Some(words) => ["CMD".to_owned()].into_iter().chain(words).collect(),
            None if config.shell.is_some() => {
                let shell = self::command(config, command);
                ["CMD".to_owned()].into_iter().chain(shell).collect()
            }
            None => vec!["CMD-SHELL".to_owned(), command.to_owned()],
        },
        _ => return Err("write NONE, or CMD and a command"),
    };
    Ok(check)
}

/// `1h2m3.5s`, as Go has it.
fn nanoseconds(text: &str) -> Option<i64> {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let factor = match unit {
            "ns" => 1.0,
            "us" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * factor;
        rest = after;
    }
    (!text.is_empty() && total < 9e18).then_some(total as i64)
}

#[cfg(test)]
mod tests {
    use super::change;
    use spec::image::ContainerConfig;

    fn changed(lines: &[&str]) -> ContainerConfig {
        let mut config = ContainerConfig::default();
        lines.iter().for_each(|line| change(&mut config, line).unwrap());
        config
    }

    #[test]
    fn commands_have_two_forms() {
        let config = changed(&["cmd ls -l", r#"ENTRYPOINT ["a", "b c"]"#]);
        assert_eq!(config.entrypoint.unwrap(), ["a", "b c"]);
        assert_eq!(config.cmd, None);
        assert_eq!(changed(&["CMD ls -l"]).cmd.unwrap(), ["/bin/sh", "-c", "ls -l"]);
        assert_eq!(changed(&["CMD=ls -l"]).cmd.unwrap(), ["/bin/sh", "-c", "ls -l"]);
        assert_eq!(changed(&["ENV=A=b"]).env, ["A=b"]);
        let config = changed(&[r#"SHELL ["bash", "-ec"]"#, "CMD ls"]);
        assert_eq!(config.cmd.unwrap(), ["bash", "-ec", "ls"]);
    }

    #[test]
    fn a_command_that_is_said_stays() {
        let of_image = ContainerConfig { cmd: Some(vec!["old".into()]), ..Default::default() };
        let changed = |lines: &[&str]| {
            let mut config = of_image.clone();
            let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
            super::changes(&mut config, &lines).unwrap();
            config.cmd
        };
        let (command, program) = (r#"CMD ["new"]"#, r#"ENTRYPOINT ["a"]"#);
        for lines in [[command, program], [program, command]] {
            assert_eq!(changed(&lines).unwrap(), ["new"], "{lines:?}");
        }
        assert_eq!(changed(&[r#"CMD ["old"]"#, program]).unwrap(), ["old"]);
        assert_eq!(changed(&[program]), None);
        assert_eq!(changed(&["ENV A=b"]).unwrap(), ["old"]);
    }

    #[test]
    fn variables_and_labels() {
        let config =
            changed(&["ENV A=1 B='x y'", r#"ENV A="2 \" 3""#, "ENV C d e", "LABEL a.b=c d=\"\""]);
        assert_eq!(config.env, ["B=x y", "A=2 \" 3", "C=d e"]);
        assert_eq!((config.labels["a.b"].as_str(), config.labels["d"].as_str()), ("c", ""));
    }

    #[test]
    fn the_rest() {
        let config = changed(&[
            "EXPOSE 80 53/UDP 8000-8001",
            r#"VOLUME ["/a b"]"#,
            "VOLUME /c /d",
            "USER 1000:1000",
            "WORKDIR /a",
            "WORKDIR b",
            "STOPSIGNAL SIGQUIT",
            "ONBUILD RUN x",
            "HEALTHCHECK --interval=1m30s --retries=3 CMD curl -f localhost",
        ]);
        let keys =
            |map: &std::collections::BTreeMap<String, _>| map.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&config.exposed_ports), ["53/udp", "80/tcp", "8000/tcp", "8001/tcp"]);
        assert_eq!(keys(&config.volumes), ["/a b", "/c", "/d"]);
        assert_eq!((config.user.as_str(), config.working_dir.as_str()), ("1000:1000", "/a/b"));
        assert_eq!((config.stop_signal.as_str(), config.on_build.len()), ("SIGQUIT", 1));
        let check = config.healthcheck.unwrap();
        assert_eq!(check.test, ["CMD-SHELL", "curl -f localhost"]);
        assert_eq!((check.interval, check.retries), (Some(90_000_000_000), Some(3)));
        assert_eq!(changed(&["HEALTHCHECK NONE"]).healthcheck.unwrap().test, ["NONE"]);
    }

    #[test]
    fn what_cannot_be() {
        for line in [
            "",
            "CMD",
            "RUN x",
            "ENV",
            "ENV =x",
            "ENV A='x",
            "EXPOSE x",
            "EXPOSE 0",
            "EXPOSE 9-8",
            "EXPOSE 80/icmp",
            "SHELL bash",
            "HEALTHCHECK x",
            "HEALTHCHECK CMD",
            "HEALTHCHECK --interval=5 CMD x",
            "HEALTHCHECK --x=5s CMD x",
        ] {
            let error = change(&mut ContainerConfig::default(), line);
            assert!(error.is_err(), "{line}");
        }
    }
}
