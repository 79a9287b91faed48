//! Where the file is, and how the project is called.

use crate::context::environment;
use crate::show::print_line;
use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use project::state::{self, Defaults};
use project::{Project, compose};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Where a file is looked for that nobody has named.
const USUAL: [&str; 6] = [
    "state.yaml",
    "state.yml",
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
];

#[derive(Args)]
pub(super) struct ProjectOptions {
    /// The file that says what is to run; - is standard input [default: state.yaml or compose.yaml]
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// What it is called together [default: what the file says, or its folder's name]
    #[arg(short, long, visible_alias = "project", value_name = "NAME")]
    project_name: Option<String>,
    /// With the services of this profile; * for all, several times for several
    /// [default: COMPOSE_PROFILES]
    #[arg(long, value_name = "PROFILE")]
    profile: Vec<String>,
}

#[derive(Args)]
pub(super) struct ConfigOptions {
    /// Only check it
    #[arg(short, long)]
    quiet: bool,
    /// Print the names of the services instead
    #[arg(long, conflicts_with = "images")]
    services: bool,
    /// Print the names of their images instead
    #[arg(long)]
    images: bool,
    /// Print the names of their profiles instead
    #[arg(long, conflicts_with_all = ["services", "images"])]
    profiles: bool,
}

/// `tinyo compose config`.
pub(super) fn config(of: &ProjectOptions, options: &ConfigOptions) -> Result<()> {
    let (text, shown) = of.bytes()?;
    let project = of.parse(&text, &shown)?;
    if options.profiles {
        let all = project.services().iter().flat_map(|it| &it.profiles);
        return all.collect::<BTreeSet<_>>().into_iter().try_for_each(|it| print_line(it));
    }
    for service in of.choose(project, &[])?.services() {
        if options.services {
            print_line(&service.name)?;
        } else if options.images {
            print_line(&service.settings.image)?;
        }
    }
    if options.quiet || options.services || options.images {
        return Ok(());
    }
    Ok(std::io::stdout().write_all(&text)?)
}

impl ProjectOptions {
    /// As if nothing else was said.
    pub(super) fn of_file(file: Option<&Path>) -> ProjectOptions {
        let file = file.map(Path::to_owned);
        ProjectOptions { file, project_name: None, profile: Vec::new() }
    }

    /// What is meant of it: these services, or those that are in no other profile.
    pub(super) fn choose(&self, project: Project, services: &[String]) -> Result<Project> {
        let usual = environment("COMPOSE_PROFILES").filter(|_| self.profile.is_empty());
        let usual = usual.iter().flat_map(|text| text.split(',')).map(str::to_owned);
        let profiles: Vec<String> = self.profile.iter().cloned().chain(usual).collect();
        let chosen = project.only(services, &profiles)?;
        if chosen.services().is_empty() {
            bail!("all services are in profiles: name one of these with --profile, or a service");
        }
        Ok(chosen)
    }

    /// What the file says.
    pub(super) fn read(&self) -> Result<Project> {
        let (bytes, path) = self.bytes()?;
        self.parse(&bytes, &path)
    }

    /// What is in the file, and where that is.
    fn bytes(&self) -> Result<(Vec<u8>, PathBuf)> {
        let path = self.path()?;
        if path == Path::new("-") {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).context("standard input")?;
            return Ok((bytes, path));
        }
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        Ok((bytes, path))
    }

    fn parse(&self, bytes: &[u8], path: &Path) -> Result<Project> {
        let is_input = path == Path::new("-");
        let file = std::path::absolute(if is_input { Path::new("stdin") } else { path });
        let file = file.context("the current folder")?;
        let folder = file.parent().unwrap_or(Path::new("/"));
        let folder_name = folder.file_name().unwrap_or_default().to_string_lossy();
        let name = self.project_name.as_deref();
        let defaults = Defaults { name, folder_name: &folder_name, folder, environment };
        let shown = if is_input { "standard input".into() } else { path.display().to_string() };
        let parse = if is_compose(path) { compose::parse } else { state::parse };
        parse(bytes, defaults).map_err(|error| match is_kubernetes(bytes) {
            true => anyhow!("{shown} is {KUBERNETES}"),
            false => anyhow!("{shown}:{error}"),
        })
    }

    /// How the project is called. Where it is said, the file need not be there.
    pub(super) fn name(&self) -> Result<String> {
        match &self.project_name {
            Some(name) => Ok(name.clone()),
            None => Ok(self.read()?.name().to_owned()),
        }
    }

    fn path(&self) -> Result<PathBuf> {
        if let Some(path) = &self.file {
            return Ok(path.clone());
        }
        let usual = USUAL.map(PathBuf::from).into_iter().find(|path| path.exists());
        match usual {
            Some(path) => Ok(path),
            None => match ["kube.yaml", "kube.yml", "pod.yaml", "pod.yml"]
                .into_iter()
                .find(|it| Path::new(it).exists())
            {
                Some(path) => bail!("there is no state.yaml here, and {path} is {KUBERNETES}"),
                None => bail!(
                    "there is no state.yaml or compose.yaml here: write one, or say which file with -f"
                ),
            },
        }
    }
}

const KUBERNETES: &str = "a Kubernetes manifest, which is not understood yet: `tinyo pod create` and \
     `tinyo run --pod` make pods, and `tinyo up` runs the services of a state.yaml";

/// By its name, as both may say the same.
fn is_compose(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains("compose"))
}

fn is_kubernetes(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let has = |field: &str| text.lines().any(|line| line.starts_with(field));
    has("apiVersion:") && has("kind:")
}
