//! Where the file is, and how the project is called.

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use project::Project;
use project::state::{self, Defaults};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Where a file is looked for that nobody has named.
const USUAL: [&str; 2] = ["state.yaml", "state.yml"];

#[derive(Args)]
pub(super) struct ProjectOptions {
    /// The file that says what is to run; - is standard input [default: state.yaml]
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// What it is called together [default: what the file says, or its folder's name]
    #[arg(short, long, visible_alias = "project", value_name = "NAME")]
    project_name: Option<String>,
}

impl ProjectOptions {
    /// As if nothing else was said.
    pub(super) fn of_file(file: Option<&Path>) -> ProjectOptions {
        ProjectOptions { file: file.map(Path::to_owned), project_name: None }
    }

    /// What the file says.
    pub(super) fn read(&self) -> Result<Project> {
        let path = self.path()?;
        let (bytes, file) = if path == Path::new("-") {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).context("standard input")?;
            (bytes, std::path::absolute("stdin").context("the current folder")?)
        } else {
            let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
            (bytes, std::path::absolute(&path).context("the current folder")?)
        };
        let folder = file.parent().unwrap_or(Path::new("/"));
        let folder_name = folder.file_name().unwrap_or_default().to_string_lossy();
        let name = self.project_name.as_deref();
        let defaults = Defaults { name, folder_name: &folder_name, folder };
        let shown = if path == Path::new("-") {
            "standard input".into()
        } else {
            path.display().to_string()
        };
        state::parse(&bytes, defaults).map_err(|error| match other_kind(&path, &bytes) {
            Some(kind) => anyhow!("{shown} is {kind}"),
            None => anyhow!("{shown}:{error}"),
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
            None => match others() {
                Some((path, kind)) => bail!("there is no state.yaml here, and {path} is {kind}"),
                None => bail!("there is no state.yaml here: write one, or say which file with -f"),
            },
        }
    }
}

const COMPOSE: &str = "a Compose file, which is not understood yet: `tinyo up` takes a state.yaml, with \
     image, command, environment, ports, mounts, restart, health and depends-on of each service";

const KUBERNETES: &str = "a Kubernetes manifest, which is not understood yet: `tinyo pod create` and \
     `tinyo run --pod` make pods, and `tinyo up` runs the services of a state.yaml";

/// What `docker compose` and `podman kube play` would take here.
fn others() -> Option<(&'static str, &'static str)> {
    const COMPOSE_FILES: [&str; 4] =
        ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
    const KUBERNETES_FILES: [&str; 4] = ["kube.yaml", "kube.yml", "pod.yaml", "pod.yml"];
    let compose = COMPOSE_FILES.map(|path| (path, COMPOSE));
    let kubernetes = KUBERNETES_FILES.map(|path| (path, KUBERNETES));
    compose.into_iter().chain(kubernetes).find(|(path, _)| Path::new(path).exists())
}

/// What a file is that is no state.yaml.
fn other_kind(path: &Path, bytes: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(bytes);
    let has = |field: &str| text.lines().any(|line| line.starts_with(field));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if has("apiVersion:") && has("kind:") {
        Some(KUBERNETES)
    } else if name.contains("compose") && name.contains(".y") {
        Some(COMPOSE)
    } else {
        None
    }
}
