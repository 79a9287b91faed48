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
        state::parse(&bytes, defaults).map_err(|error| anyhow!("{shown}:{error}"))
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
            None => bail!("there is no state.yaml here: write one, or say which file with -f"),
        }
    }
}
