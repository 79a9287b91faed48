//! What the environment says: the only place that reads it.

use crate::rootless::is_machines_own;
use crate::show::Screen;
use anyhow::{Context as _, Result};
use engine::{Engine, Folders};
use image::auth::CredentialFiles;
use image::hosts::{Hosts, RegistriesConf, SYSTEM_FILES, user_files};
use image::reference::{Reference, SearchList, Source};
use image::registry::{Registries, Retry};
use image::store::{self, Image, Store};
use image::transport::dns::Resolver;
use image::transport::http::Timeouts;
use image::transport::{Client, Proxies, SYSTEM_ROOTS, Settings};
use image::unpack::{Marks, Owners};
use std::env;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Folders with a folder for each registry.
const HOST_FOLDERS: &[&str] = &[
    "/etc/tinyo/certs.d",
    "/etc/containerd/certs.d",
    "/etc/docker/certs.d",
    "/etc/containers/certs.d",
];

/// Who we are and where our files are.
pub(crate) struct Context {
    root: Option<PathBuf>,
    run_root: Option<PathBuf>,
    is_root: bool,
    home: Option<PathBuf>,
    owners: Owners,
    /// Read when it is first needed.
    registries_conf: OnceLock<RegistriesConf>,
}

// What the flags of a command say about the network; no doc comment, which clap would show as what
// the command does.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct NetworkOptions {
    /// File with credentials, as Docker or Podman write it
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    /// Folder with certificates: *.crt to trust, and *.cert with *.key to show
    #[arg(long, value_name = "FOLDER")]
    cert_dir: Option<PathBuf>,
    /// Whether certificates are checked and plain HTTP is refused
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    tls_verify: bool,
    /// How often a request is tried again
    #[arg(long, value_name = "TIMES", default_value_t = 4)]
    retry: u32,
}

impl Context {
    pub(crate) fn new(
        root: Option<PathBuf>,
        run_root: Option<PathBuf>,
        is_root: bool,
        owners: Owners,
    ) -> Context {
        let registries_conf = OnceLock::new();
        Context { root, run_root, is_root, home: folder("HOME"), owners, registries_conf }
    }

    /// The same, where files of images become somebody else's.
    pub(crate) fn with_owners(self, owners: Owners) -> Context {
        Context { owners, ..self }
    }

    /// The engine, on the store.
    pub(crate) fn engine(&self) -> Result<Engine> {
        let absolute = |path: PathBuf| std::path::absolute(&path).context("the current folder");
        let root = absolute(self.store_folder()?)?;
        let run = absolute(self.run_folder()?)?;
        let engine = Engine::open(self.store()?, Folders::new(&root, &run), !is_machines_own())?;
        Ok(engine.with_progress(|done, all| {
            let text = format!("copying layer {} of {all} for the container's own ids", done + 1);
            Screen::new(false).say_on_terminal(&text);
        }))
    }

    /// The engine; none on a disk that cannot be written, if there was never a container there.
    pub(crate) fn engine_if_any(&self) -> Result<Option<Engine>> {
        match self.engine() {
            Ok(engine) => Ok(Some(engine)),
            Err(error) => match error.downcast_ref() {
                Some(engine::Error::Store(store::Error::ReadOnly)) => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// For what does not outlive the machine. Another store has another one.
    fn run_folder(&self) -> Result<PathBuf> {
        if let Some(folder) = &self.run_root {
            return Ok(folder.clone());
        }
        if let Some(root) = &self.root {
            return Ok(root.join("run"));
        }
        if self.is_root {
            return Ok(PathBuf::from("/run/tinyo"));
        }
        let folder =
            folder("XDG_RUNTIME_DIR").context("XDG_RUNTIME_DIR is not set: say --runroot")?;
        Ok(folder.join("tinyo"))
    }

    /// The store, made if there is none.
    pub(crate) fn store(&self) -> Result<Store> {
        let marks = if is_machines_own() { Marks::Trusted } else { Marks::User };
        Ok(Store::open(&self.store_folder()?, marks)?.with_owners(self.owners.clone()))
    }

    fn store_folder(&self) -> Result<PathBuf> {
        if let Some(root) = &self.root {
            return Ok(root.clone());
        }
        if self.is_root {
            return Ok(PathBuf::from("/var/lib/tinyo"));
        }
        let data = folder("XDG_DATA_HOME").or(self.home.as_ref().map(|it| it.join(".local/share")));
        Ok(data.context("neither HOME nor XDG_DATA_HOME is set: say --root FOLDER")?.join("tinyo"))
    }

    /// Whether the caller has the machine's rights.
    pub(crate) fn is_root(&self) -> bool {
        self.is_root
    }

    /// The folder of the store.
    pub(crate) fn absolute_root(&self) -> Result<PathBuf> {
        std::path::absolute(self.store_folder()?).context("the current folder")
    }

    /// That something has happened to an image, for `tinyo events`.
    pub(crate) fn tell_of_image(
        &self,
        image: &Image,
        action: &str,
        name: Option<&Reference>,
    ) -> Result<()> {
        let name = name.map(Reference::familiar);
        let root = self.store_folder()?;
        Ok(engine::tell_event_of_image(&root, image.id.as_str(), action, name.as_deref())?)
    }

    /// What the user has said of folders, for another process to be told the same.
    pub(crate) fn folder_flags(&self) -> Result<Vec<(&'static str, PathBuf)>> {
        let flags = [("--root", &self.root), ("--runroot", &self.run_root)];
        let given = flags.into_iter().filter_map(|(flag, it)| Some((flag, it.as_ref()?)));
        given
            .map(|(flag, it)| Ok((flag, std::path::absolute(it).context("the current folder")?)))
            .collect()
    }

    /// Where a user who is not root has configuration files.
    pub(crate) fn user_config(&self) -> Result<Option<PathBuf>> {
        if self.is_root {
            return Ok(None);
        }
        Ok(Some(self.config_home().context("neither HOME nor XDG_CONFIG_HOME is set")?))
    }

    /// How registries are reached.
    pub(crate) fn registries(&self, options: &NetworkOptions) -> Result<Registries> {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        let own_roots = env::var_os("SSL_CERT_FILE").map(PathBuf::from);
        let settings = Settings {
            resolver: Resolver::new(&text("/etc/hosts"), &text("/etc/resolv.conf")),
            proxies: Proxies::new(
                &variable("http_proxy"),
                &variable("https_proxy"),
                &variable("no_proxy"),
            )
            .context("the proxy in the environment")?,
            timeouts: Timeouts::default(),
            system_roots: own_roots
                .into_iter()
                .chain(SYSTEM_ROOTS.iter().map(PathBuf::from))
                .collect(),
            user_agent: format!("tinyo/{}", env!("CARGO_PKG_VERSION")),
        };
        let hosts = Hosts {
            folders: HOST_FOLDERS.iter().map(PathBuf::from).collect(),
            only_folder: options.cert_dir.clone(),
            registries: self.registries_conf()?.clone(),
            insecure: !options.tls_verify,
        };
        Ok(Registries {
            client: Client::new(settings),
            hosts,
            credentials: CredentialFiles::new(self.credential_files(options)),
            retry: Retry { attempts: options.retry.saturating_add(1), ..Retry::default() },
        })
    }

    /// What a name on the command line may mean, the most likely first.
    pub(crate) fn candidates(&self, name: &str) -> Result<Vec<Reference>> {
        let name = match Source::parse(name)? {
            Source::Registry(name) => name,
            other => anyhow::bail!("{other} is no image in a registry"),
        };
        let list: SearchList = self.registries_conf()?.short_names().list()?;
        Ok(list.candidates(&name)?)
    }

    /// The image that a name, an id or the beginning of an id means.
    pub(crate) fn find_image(&self, store: &Store, text: &str) -> Result<Image> {
        if let Some(image) = self.find_by_name(store, text)? {
            return Ok(image);
        }
        Ok(store.find_by_digest(text)?.ok_or_else(|| store::Error::NoSuchImage(text.to_owned()))?)
    }

    /// The image that has a name.
    pub(crate) fn find_by_name(&self, store: &Store, text: &str) -> Result<Option<Image>> {
        Ok(store.find_by_name(&self.local_names(text))?)
    }

    /// What a name may mean of what is here; nothing if it is no name.
    pub(crate) fn local_names(&self, text: &str) -> Vec<Reference> {
        if text == "hello" {
            return image::hello::NAME.parse().into_iter().collect();
        }
        let mut names = self.candidates(text).unwrap_or_default();
        // What was made here and named shortly.
        names.extend(format!("localhost/{text}").parse::<Reference>());
        names
    }

    /// The folder of the store, for a process that goes on with it.
    pub(crate) fn root_argument(&self) -> Result<PathBuf> {
        self.store_folder()
    }

    fn registries_conf(&self) -> Result<&RegistriesConf> {
        if let Some(known) = self.registries_conf.get() {
            return Ok(known);
        }
        let (file, folder) = match env::var_os("CONTAINERS_REGISTRIES_CONF").map(PathBuf::from) {
            Some(file) => (file, PathBuf::new()),
            None => {
                let user = self.config_home().map(|home| user_files(&home));
                let own = user.filter(|(file, _)| !self.is_root && file.exists());
                own.unwrap_or((SYSTEM_FILES.0.into(), SYSTEM_FILES.1.into()))
            }
        };
        let read = RegistriesConf::read(&file, &folder)?;
        Ok(self.registries_conf.get_or_init(|| read))
    }

    /// The first one is written; Docker's, as its users expect to stay logged in.
    fn credential_files(&self, options: &NetworkOptions) -> Vec<PathBuf> {
        let explicit = options
            .authfile
            .clone()
            .or_else(|| env::var_os("REGISTRY_AUTH_FILE").map(PathBuf::from));
        if let Some(file) = explicit {
            return vec![file];
        }
        let docker =
            folder("DOCKER_CONFIG").or(self.home.as_ref().map(|home| home.join(".docker")));
        let runtime = folder("XDG_RUNTIME_DIR");
        let files = [
            docker.map(|folder| folder.join("config.json")),
            runtime.map(|folder| folder.join("containers/auth.json")),
            self.config_home().map(|folder| folder.join("containers/auth.json")),
        ];
        files.into_iter().flatten().collect()
    }

    fn config_home(&self) -> Option<PathBuf> {
        folder("XDG_CONFIG_HOME").or(self.home.as_ref().map(|home| home.join(".config")))
    }
}

fn folder(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// A variable that is written in small or in capital letters. `HTTP_PROXY` in capitals is obeyed
/// too: nothing here runs as a CGI program.
fn variable(name: &str) -> String {
    let value = env::var(name).ok().filter(|value| !value.is_empty());
    value.or_else(|| env::var(name.to_ascii_uppercase()).ok()).unwrap_or_default()
}

/// A variable of the caller's, for a container.
pub(crate) fn environment(name: &str) -> Option<String> {
    env::var(name).ok()
}
