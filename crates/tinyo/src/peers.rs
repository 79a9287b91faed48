//! What Docker and Podman have and this program has not, and what there is instead: so that whoever
//! knows them need not guess.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::error::Error as _;

/// Commands, with the one that they belong to, and what is to be said of them.
const COMMANDS: &[(&str, &str)] = &[
    ("build", BUILD),
    ("buildx", BUILD),
    ("builder", BUILD),
    ("farm", BUILD),
    (
        "auto-update",
        "`tinyo run --pull newer` or `tinyo up --pull newer` takes a newer image, if there is one",
    ),
    ("checkpoint", CHECKPOINT),
    ("restore", CHECKPOINT),
    ("clone", "`tinyo commit` makes an image of a container, and `tinyo run` another one of that"),
    ("config", "services read files: mount them with -v FILE:TARGET:ro"),
    ("context", "there is no daemon to choose: --root FOLDER chooses where all is kept"),
    ("engine", NO_DAEMON),
    (
        "generate",
        "`tinyo system service install` has containers run when the machine starts; a state.yaml, see \
         `tinyo up`, says once and for all how",
    ),
    ("exists", "`tinyo container exists`, `tinyo image exists` and so on say it"),
    ("init", "`tinyo create` makes a container that is started later"),
    ("kube", KUBERNETES),
    ("play", KUBERNETES),
    ("machine", NO_DAEMON),
    ("node", ONE_MACHINE),
    ("plugin", "there are no plugins"),
    ("quadlet", "`tinyo system service install` has containers run when the machine starts"),
    ("service", ONE_MACHINE),
    ("stack", ONE_MACHINE),
    ("swarm", ONE_MACHINE),
    ("trust", "a digest says which image it is: NAME@sha256:..."),
    ("unshare", "unshare --map-auto --map-root-user (util-linux) does that"),
    ("connection", NO_DAEMON),
    ("dial-stdio", NO_DAEMON),
    ("migrate", "there is nothing to migrate"),
    ("renumber", "there are no numbered locks"),
    ("reload", "a firewall that was flushed is restored at once, by itself"),
    ("cleanup", "`tinyo system check --repair` puts in order what is not"),
    ("runlabel", "`tinyo image inspect` shows an image's labels"),
];

/// Those that are there of containers alone.
const OF_CONTAINERS: &[(&str, &str)] = &[("mount", MOUNT), ("umount", MOUNT), ("unmount", MOUNT)];

const MOUNT: &str = "`tinyo mount $(tinyo create IMAGE)` mounts an image's files, and `tinyo volume inspect` \
     says where a volume's are";

/// The same of commands below another one, which are told by both words.
const BELOW: &[(&str, &str)] = &[
    ("compose attach", SERVICES),
    ("compose build", BUILD),
    ("compose cp", SERVICES),
    ("compose create", "`tinyo up -d` makes and starts them"),
    ("compose events", "`tinyo events` tells of them"),
    ("compose ls", "`tinyo ps --format '{{.Names}} {{.Label \"org.tinyo.project\"}}'` shows them"),
    ("compose scale", "each service has one container"),
    ("compose stats", SERVICES),
    ("compose version", "`tinyo version` says it"),
    ("compose wait", SERVICES),
    ("compose watch", "`tinyo up -d` replaces what has changed in the file"),
    ("manifest create", MANIFESTS),
    ("manifest add", MANIFESTS),
    ("manifest annotate", MANIFESTS),
    ("manifest exists", MANIFESTS),
    ("manifest push", MANIFESTS),
    ("manifest remove", MANIFESTS),
    ("manifest rm", MANIFESTS),
    ("volume export", "`tinyo cp CONTAINER:FOLDER -` copies what is in a volume"),
    ("volume import", "`tinyo cp - CONTAINER:FOLDER` copies files into a volume"),
    ("volume mount", "`tinyo volume inspect -f '{{.Mountpoint}}' NAME` says where it is"),
    ("volume reload", "there are no plugins"),
    (
        "network update",
        "`--dns` of a container names its servers, besides which names are answered here",
    ),
    ("image tree", "`tinyo history IMAGE` shows an image's layers"),
    ("image diff", "`tinyo diff` is about containers"),
    ("image scp", "`tinyo save IMAGE | ssh HOST tinyo load` does that"),
    ("image search", "`tinyo search` does that"),
    ("image sign", "a digest says which image it is: NAME@sha256:..."),
];

const SERVICES: &str = "the containers are called PROJECT-SERVICE (`tinyo compose ps`), for commands such as \
     `tinyo cp FILE PROJECT-SERVICE:FOLDER`";
const MANIFESTS: &str = "lists of images for several machines are made elsewhere (buildah manifest, docker manifest); \
     `tinyo manifest inspect` shows one, `tinyo pull --platform` takes an image of it";
const BUILD: &str = "images are built elsewhere (buildah, docker build, kaniko); `tinyo load` takes them from \
     an archive, `tinyo pull` from a registry, `tinyo import` and `tinyo commit` make simple ones";
const CHECKPOINT: &str = "`tinyort checkpoint` and `tinyort restore` do that with criu";
const KUBERNETES: &str = "`tinyo up` runs what a state.yaml says, `tinyo pod` makes pods";
const NO_DAEMON: &str = "there is no daemon and no virtual machine: commands work on this machine";
const ONE_MACHINE: &str = "this is for one machine: `tinyo up` runs the services of a state.yaml";

/// Flags, and what is to be said of them.
const FLAGS: &[(&str, &str)] = &[
    ("-H", NO_DAEMON),
    ("--host", NO_DAEMON),
    ("--url", NO_DAEMON),
    ("--connection", NO_DAEMON),
    ("--remote", NO_DAEMON),
    ("--context", NO_DAEMON),
    ("--identity", NO_DAEMON),
    ("--ssh", NO_DAEMON),
    ("--tmpdir", "--runroot FOLDER says where things of a moment are"),
    ("--noout", "send it away: >/dev/null"),
    ("--module", "there is no file of defaults: a state.yaml, see `tinyo up`, says what is to run"),
    ("--tls", NO_DAEMON),
    ("--tlsverify", NO_DAEMON),
    ("--config", "credentials are read from the folder that DOCKER_CONFIG names, or --authfile"),
    ("--log-level", LOG_LEVEL),
    ("--debug", LOG_LEVEL),
    ("-D", LOG_LEVEL),
    ("--syslog", LOG_LEVEL),
    ("--storage-driver", "there is one, overlay"),
    ("--storage-opt", "a size for --tmpfs or --mount type=tmpfs limits what is written there"),
    ("--cgroup-manager", "cgroups are made directly, or by systemd where it has them"),
    ("--events-backend", "events are in a file; `tinyo events` shows them"),
    ("--runtime", "the runtime is a part of tinyo; `tinyort` is the same one as a program"),
    ("--network-cmd-path", "pasta or slirp4netns is found in $PATH"),
    ("--isolation", "that is for Windows"),
    ("--kernel-memory", "Linux has no such limit any more; -m limits all memory"),
    ("--cpu-rt-period", REAL_TIME),
    ("--cpu-rt-runtime", REAL_TIME),
    ("--init-path", "the first process is tino; --init=false leaves it away"),
    (
        "--systemd",
        "a container whose command is an init has what that needs, but for cgroups: \
                  --cgroupns host -v /sys/fs/cgroup:/sys/fs/cgroup",
    ),
    ("--sdnotify", "`tinyo system service install` has containers run when the machine starts"),
    ("--chrootdirs", "give the files to /etc/resolv.conf and /etc/hosts there with -v"),
    ("--disable-content-trust", "a digest says which image it is: NAME@sha256:..."),
    ("--use-api-socket", NO_DAEMON),
    ("--cgroups", "each container has a cgroup; --cgroup-parent says where"),
    ("--rdt-class", "only `tinyort` does that, with linux.intelRdt in config.json"),
    ("--preserve-fd", "--preserve-fds COUNT has it get those from 3 on"),
    ("--decryption-key", "encrypted images are not supported"),
    ("create --attach", ATTACH),
    ("create -a", ATTACH),
    ("network create --disable-dns", "names are answered in every network but none and host"),
    ("network create --dns", "`--dns` of a container names its servers"),
    ("network create --route", "packets go where the machine sends them"),
    (
        "network create --interface-name",
        "--opt com.docker.network.bridge.name=NAME says what its bridge is called",
    ),
    ("pod create --security-opt", "it is a container's: give it to `tinyo run --pod`"),
    ("pod create --device", "it is a container's: give it to `tinyo run --pod`"),
    ("network rm --time", IN_USE),
    ("network rm -t", IN_USE),
    ("volume rm --time", IN_USE),
    ("volume rm -t", IN_USE),
    ("ps --sync", "what is shown is always what is"),
    ("ps --external", OTHERS),
    ("ps --storage", OTHERS),
    ("commit --squash", "`tinyo export CONTAINER | tinyo import -` makes an image of one layer"),
    ("commit -s", "`tinyo export CONTAINER | tinyo import -` makes an image of one layer"),
    ("commit --format", "images are made as OCI has them; `tinyo save` writes what Docker reads"),
    ("commit -f", "images are made as OCI has them; `tinyo save` writes what Docker reads"),
    ("commit --include-volumes", "`tinyo cp CONTAINER:FOLDER -` copies what is in a volume"),
    ("cp --overwrite", "a folder and a file replace each other only when what is there is removed"),
    ("cp --pause", "`tinyo pause` and `tinyo unpause` do that"),
    ("save --compress", "pipe it through a program: tinyo save IMAGE | gzip"),
    ("pull --creds", CREDENTIALS),
    ("push --creds", CREDENTIALS),
    ("run --creds", CREDENTIALS),
    ("create --creds", CREDENTIALS),
    ("search --creds", CREDENTIALS),
    ("pull --retry-delay", "the waits are short at first, and become longer"),
    ("push --retry-delay", "the waits are short at first, and become longer"),
    ("push --remove-signatures", "signatures are not sent"),
    (
        "logout --all",
        "it forgets one registry at a time; all are in the file that --authfile names",
    ),
    ("logout -a", "it forgets one registry at a time; all are in the file that --authfile names"),
    ("--health-log-destination", HEALTH_LOG),
    ("--health-max-log-count", HEALTH_LOG),
    ("--health-max-log-size", HEALTH_LOG),
];

const HEALTH_LOG: &str = "the last 5 checks, with up to 4096 bytes of what each printed, are in \
     `tinyo inspect -f '{{json .State.Health.Log}}'`";
const ATTACH: &str = "`tinyo start -a` and `tinyo run -a stdout` say what one is in front of";
const IN_USE: &str =
    "what a container uses is not removed: `tinyo rm -f -t SECONDS` ends that first";
const OTHERS: &str = "containers of other programs, such as buildah, are not looked for";
const CREDENTIALS: &str = "`tinyo login` keeps who you are to a registry, where --authfile says";
const LOG_LEVEL: &str = "there is no log: what fails says why, `tinyo events` tells what has happened, and \
     `tinyo doctor` what the machine lacks";
const REAL_TIME: &str = "--ulimit rtprio=99 --cap-add SYS_NICE let it have real-time priorities";

/// The parser would list all commands, in one line.
const NOTHING: &str = "tinyo: no command\nhint: `tinyo --help` lists the commands";

/// What is to be said of words that there are not, if something is.
pub(crate) fn instead(error: &clap::Error) -> Option<String> {
    let nothing = || (error.kind() == ErrorKind::MissingSubcommand).then(|| NOTHING.to_owned());
    not_a_number(error).or_else(|| not_there(error)).or_else(|| not_text(error)).or_else(nothing)
}

/// The parser would not tell of which.
fn not_text(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::InvalidUtf8 {
        return None;
    }
    let word = std::env::args_os().find(|word| word.to_str().is_none())?;
    let text = word.to_string_lossy();
    let (flag, value) =
        text.split_once('=').filter(|_| text.starts_with('-')).unwrap_or(("", &text));
    let separator = if flag.is_empty() { "" } else { ": " };
    Some(format!("tinyo: {flag}{separator}{value:?} is not UTF-8"))
}

/// The parser would tell of digits.
fn not_a_number(error: &clap::Error) -> Option<String> {
    error.source()?.downcast_ref::<std::num::ParseIntError>()?;
    match (error.get(ContextKind::InvalidArg)?, error.get(ContextKind::InvalidValue)?) {
        (ContextValue::String(flag), ContextValue::String(value)) => {
            let flag = flag.split(' ').next().unwrap_or_default();
            Some(format!("tinyo: {flag}: {value:?} is no whole number"))
        }
        _ => None,
    }
}

fn not_there(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let (word, what, table) = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            (text(ContextKind::InvalidSubcommand)?, "command", COMMANDS)
        }
        ErrorKind::UnknownArgument => (text(ContextKind::InvalidArg)?, "flag", FLAGS),
        _ => return None,
    };
    // `--isolation=a` is told with its value.
    let word = word.split('=').next().unwrap_or_default();
    let of_command = command(error).map(|command| format!("{command} {word}"));
    let short = of_command.as_deref().map(|it| it.strip_prefix("container ").unwrap_or(it));
    let short = short.map(|it| it.strip_prefix("image ").unwrap_or(it));
    let (below, others) =
        if what == "command" { (BELOW, OF_CONTAINERS) } else { (&[][..], &[][..]) };
    let is_it =
        |known: &str| known == word || of_command.as_deref() == Some(known) || short == Some(known);
    let (_, advice) = below.iter().chain(table).chain(others).find(|(known, _)| is_it(known))?;
    Some(format!("tinyo: there is no {what} {word}\nhint: {advice}"))
}

/// Which command this is about, such as `network create`.
fn command(error: &clap::Error) -> Option<String> {
    let ContextValue::StyledStr(usage) = error.get(ContextKind::Usage)? else { return None };
    let usage = usage.to_string();
    // `Usage: tinyo manifest [OPTIONS] <COMMAND>`, with whatever name it was called by.
    let words = usage.split_whitespace().skip(2);
    let is_name = |word: &&str| word.starts_with(|it: char| it.is_ascii_lowercase());
    let names: Vec<_> = words.take_while(is_name).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

#[cfg(test)]
mod tests {
    use super::{BELOW, COMMANDS, FLAGS, instead};
    use crate::Cli;
    use clap::{CommandFactory as _, Parser as _};

    fn said(words: &str) -> Option<String> {
        instead(&Cli::try_parse_from(words.split(' ')).err()?)
    }

    #[test]
    fn what_others_have_is_told_of() {
        let build = said("tinyo build .").unwrap();
        assert!(build.starts_with("tinyo: there is no command build\nhint: "), "{build}");
        assert!(said("tinyo run --isolation=a alpine").unwrap().contains("Windows"));
        assert!(said("tinyo -H unix:///x ps").unwrap().contains("no daemon"));
        assert!(said("tinyo --log-level debug ps").unwrap().contains("tinyo events"));
        assert!(said("tinyo image mount alpine").unwrap().contains("tinyo create IMAGE"));
        assert!(said("tinyo manifest create x").unwrap().contains("buildah"));
        assert!(said("tinyo create -a x").unwrap().contains("tinyo start -a"));
        assert_eq!(said("tinyo port -z x"), None);
        assert!(said("tinyo compose cp x web:/").unwrap().contains("PROJECT-SERVICE"));
        assert_eq!(said("tinyo run --detatch alpine"), None);
        assert_eq!(said("tinyo run alpine --isolation"), None);
    }

    #[test]
    fn a_flag_before_the_image_is_no_image() {
        let wrong = Cli::try_parse_from(["tinyo", "run", "--detatch", "alpine"]).err().unwrap();
        assert!(wrong.to_string().contains("'--detach'"), "{wrong}");
        for words in ["run alpine ls -l --color", "exec web ls -l --color", "run -it -- alpine -x"]
        {
            let words = ["tinyo"].into_iter().chain(words.split(' '));
            assert!(Cli::try_parse_from(words).is_ok());
        }
    }

    /// A table that speaks of what is there by now would never be asked.
    #[test]
    fn what_is_there_is_not_told_of() {
        let cli = Cli::command();
        let names: Vec<_> = cli.get_subcommands().map(clap::Command::get_name).collect();
        let here: Vec<_> = COMMANDS.iter().filter(|(name, _)| names.contains(name)).collect();
        assert!(here.is_empty(), "{here:?}");
        for (words, _) in BELOW {
            assert!(said(&format!("tinyo {words} x")).is_some(), "{words} is there");
        }
        for (flag, _) in FLAGS {
            if flag.contains(' ') {
                assert!(said(&format!("tinyo {flag} x")).is_some(), "{flag} is there");
                continue;
            }
            let said = |command: &&str| said(&format!("tinyo {command} {flag} alpine")).is_some();
            assert!(["run", "create"].iter().any(said), "{flag} is there");
        }
    }
}
