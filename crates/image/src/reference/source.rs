//! Where an image comes from: a registry, a file, a folder, this machine.

use super::ReferenceError;
use std::fmt;
use std::path::PathBuf;

/// A place from which an image can be read. What is in a registry is still a text: a short name
/// becomes a [`super::Reference`] through the [`super::SearchList`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `docker://NAME`, or a name alone.
    Registry(String),
    /// `oci:FOLDER[:NAME]`: an OCI image layout.
    OciLayout {
        /// The folder with `index.json`.
        path: PathBuf,
        /// The image's name in the layout; needed if there are several.
        name: Option<String>,
    },
    /// `oci-archive:FILE[:NAME]`: an OCI image layout in a tar file.
    OciArchive {
        /// The tar file.
        path: PathBuf,
        /// The image's name in the layout; needed if there are several.
        name: Option<String>,
    },
    /// `docker-archive:FILE[:NAME]`: what `docker save` writes.
    DockerArchive {
        /// The tar file.
        path: PathBuf,
        /// `REPOSITORY:TAG` of one of the images in it.
        name: Option<String>,
    },
    /// `dir:FOLDER`: a root file system that lies ready.
    Folder(PathBuf),
    /// `host:`: the machine's own file system, read-only.
    Host,
    /// `hello`: the program that shows what a container sees.
    Hello,
}

impl Source {
    /// Reads `[TRANSPORT:]REST`. A word with a colon that is no transport is an image with a tag.
    ///
    /// # Errors
    /// Nothing, or a transport with nothing behind it. The image's name is not looked at.
    pub fn parse(text: &str) -> Result<Source, ReferenceError> {
        let error = |reason| Err(ReferenceError::Source { source_name: text.to_owned(), reason });
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if text == "hello" {
            return Ok(Source::Hello);
        }
        let Some((transport, rest)) = text.split_once(':') else {
            return Ok(Source::Registry(text.to_owned()));
        };
        let make: fn(PathBuf, Option<String>) -> Source = match transport {
            "docker" => {
                return match rest.strip_prefix("//") {
                    Some(name) if !name.is_empty() => Ok(Source::Registry(name.to_owned())),
                    // `docker:27` is the image of that name.
                    None if !rest.starts_with('/') => Ok(Source::Registry(text.to_owned())),
                    _ => error("write docker://NAME"),
                };
            }
            "host" if rest.is_empty() => return Ok(Source::Host),
            "dir" if rest.is_empty() => return error("a folder must follow: dir:FOLDER"),
            "dir" => return Ok(Source::Folder(rest.into())),
            "oci" => |path, name| Source::OciLayout { path, name },
            "oci-archive" => |path, name| Source::OciArchive { path, name },
            "docker-archive" => |path, name| Source::DockerArchive { path, name },
            _ => return Ok(Source::Registry(text.to_owned())),
        };
        // As the peers do: the first colon ends the path.
        let (path, name) = rest.split_once(':').map_or((rest, None), |(a, b)| (a, Some(b)));
        if path.is_empty() {
            return error("a path must follow the colon");
        }
        Ok(make(path.into(), name.filter(|name| !name.is_empty()).map(str::to_owned)))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (transport, path, name) = match self {
            Source::Registry(name) => return write!(formatter, "docker://{name}"),
            Source::Host => return formatter.write_str("host:"),
            Source::Hello => return formatter.write_str("hello"),
            Source::OciLayout { path, name } => ("oci", path, name),
            Source::OciArchive { path, name } => ("oci-archive", path, name),
            Source::DockerArchive { path, name } => ("docker-archive", path, name),
            Source::Folder(path) => ("dir", path, &None),
        };
        write!(formatter, "{transport}:{}", path.display())?;
        name.iter().try_for_each(|name| write!(formatter, ":{name}"))
    }
}
