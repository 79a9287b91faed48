//! `tinyo login`.

use crate::context::{Context, NetworkOptions};
use crate::show::{Screen, print_line, warn};
use crate::terminal;
use anyhow::{Result, bail};
use clap::Args;
use image::auth::{Credential, Kept};
use image::reference::DOCKER_HUB;
use image::registry::Login;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Host name and port [default: docker.io]
    registry: Option<String>,
    /// Who you are
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,
    /// The password, which others can then see in the list of processes
    #[arg(short, long, value_name = "PASSWORD")]
    password: Option<String>,
    /// Read the password from standard input
    #[arg(long, conflicts_with = "password")]
    password_stdin: bool,
    /// Print who you are to the registry, and do nothing
    #[arg(long)]
    get_login: bool,
    #[command(flatten)]
    network: NetworkOptions,
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let registries = context.registries(&arguments.network)?;
    let registry = registry_name(arguments.registry.as_deref())?;
    if arguments.get_login {
        return match registries.credentials.find_registry(&registry)? {
            Some(Credential::Password { user, .. }) => print_line(&user),
            Some(Credential::IdentityToken(_)) => print_line("<token>"),
            None => bail!("not logged in to {registry}"),
        };
    }
    let credential = credential(arguments, &registry)?;
    let screen = Screen::new(false);
    let on_wait = |error: &_, time| screen.wait(error, time);
    let login = registries.log_in(&registry, credential.clone(), &on_wait)?;
    if login == Login::NotNeeded {
        warn(&format!("{registry} lets anybody in; it has not looked at the password"));
    }
    match registries.credentials.store(&registry, &credential)? {
        Kept::File(path) => {
            warn(&format!(
                "the password is in {}, not encrypted; credHelpers there can name a program that keeps it",
                path.display()
            ));
        }
        Kept::Helper(name) => screen.say(&format!("kept by docker-credential-{name}")),
    }
    print_line("Login Succeeded")
}

/// The registry as its name is written in references: without a scheme or a path.
pub(super) fn registry_name(text: Option<&str>) -> Result<String> {
    let text = text.unwrap_or(DOCKER_HUB);
    let bare =
        text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    let host = bare.split('/').next().unwrap_or_default().to_ascii_lowercase();
    if host == "index.docker.io" || host == "registry-1.docker.io" {
        return Ok(DOCKER_HUB.to_owned());
    }
    // A host without a dot is no registry to the grammar, so a path is needed to see it as one.
    image::reference::check_registry(&host)?;
    Ok(host)
}

fn credential(arguments: &Arguments, registry: &str) -> Result<Credential> {
    let user = match &arguments.username {
        Some(user) => user.clone(),
        None if arguments.password_stdin => bail!("--password-stdin needs --username"),
        None => terminal::ask(&format!("Username for {registry}"), "--username")?,
    };
    let password = match &arguments.password {
        Some(password) => {
            warn("a password on the command line can be seen by others; --password-stdin hides it");
            password.clone()
        }
        None if arguments.password_stdin => terminal::read_line()?,
        None => terminal::ask_secretly("Password")?,
    };
    if user.is_empty() || password.is_empty() {
        bail!("neither the user name nor the password may be empty");
    }
    Ok(Credential::Password { user, password })
}

#[cfg(test)]
mod tests {
    use super::registry_name;

    #[test]
    fn registries_as_people_write_them() {
        let name = |text: &str| registry_name(Some(text)).unwrap();
        assert_eq!(registry_name(None).unwrap(), "docker.io");
        assert_eq!(name("https://index.docker.io/v1/"), "docker.io");
        assert_eq!(name("GHCR.io/owner"), "ghcr.io");
        assert_eq!(name("http://localhost:5000"), "localhost:5000");
        assert!(registry_name(Some("a b")).is_err());
        assert!(registry_name(Some("")).is_err());
    }
}
