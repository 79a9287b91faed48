//! Certificates: trusted, not trusted, ours.

use crate::support::{Certificates, Reply, Server, blob, error, noise, registries_with};
use image::hosts::Hosts;
use image::registry::Registries;
use image::transport::Proxies;

/// A client whose configuration says `config` about the server.
fn with_config(certificates: &Certificates, server: &Server, config: &str) -> Registries {
    let host = format!("registry.test:{}", server.address.port());
    certificates.folder().write(&format!("{host}/hosts.toml"), config);
    let folders = vec![certificates.folder().path().to_owned()];
    registries_with(Proxies::default(), Hosts { folders, ..Hosts::default() })
}

fn get(
    registries: &Registries,
    server: &Server,
) -> Result<Vec<u8>, image::registry::RegistryError> {
    let host = format!("registry.test:{}", server.address.port());
    crate::support::remote(registries, &host, "a").small_blob(&blob(&noise(50_000)), 1 << 20)
}

fn serve(certificates: &Certificates, names: &[&str], wants_client: bool) -> Server {
    Server::start_tls(certificates.server(names, wants_client), |_| Reply::ok(noise(50_000)))
}

#[test]
fn only_a_known_authority_is_trusted() {
    let certificates = Certificates::new("tls-authority");
    let server = serve(&certificates, &["registry.test"], false);
    let found = error(get(&with_config(&certificates, &server, ""), &server));
    assert!(found.to_string().contains("TLS: invalid peer certificate: UnknownIssuer"), "{found}");
    let trusted = with_config(&certificates, &server, "ca = \"../authority.crt\"");
    assert_eq!(get(&trusted, &server).unwrap(), noise(50_000));
    // The connection is kept.
    let before = server.connections();
    get(&trusted, &server).unwrap();
    assert_eq!(server.connections(), before);
    let blind = with_config(&certificates, &server, "skip_verify = true");
    assert_eq!(get(&blind, &server).unwrap(), noise(50_000));
}

#[test]
fn the_name_must_be_right() {
    let certificates = Certificates::new("tls-name");
    let server = serve(&certificates, &["other.test"], false);
    let trusted = with_config(&certificates, &server, "ca = \"../authority.crt\"");
    let found = error(get(&trusted, &server));
    assert!(found.to_string().contains("not valid for name \"registry.test\""), "{found}");
}

#[test]
fn a_client_certificate_is_shown() {
    let certificates = Certificates::new("tls-client");
    let server = serve(&certificates, &["registry.test"], true);
    certificates.sign("client", &["me"]);
    let without = with_config(&certificates, &server, "ca = \"../authority.crt\"");
    let found = error(get(&without, &server));
    assert!(found.to_string().contains("CertificateRequired"), "{found}");
    let config = "ca = \"../authority.crt\"\nclient = [[\"../client.cert\", \"../client.key\"]]";
    let with = with_config(&certificates, &server, config);
    assert_eq!(get(&with, &server).unwrap(), noise(50_000));
    let missing = with_config(&certificates, &server, "ca = \"../gone.crt\"");
    let host = format!("registry.test:{}", server.address.port());
    let repository = crate::support::repository(&host, "a");
    let result = missing.remote(&repository, &|_, _| {});
    let found = result.err().expect("a missing file is an error").to_string();
    assert!(found.contains("gone.crt: there is no such file"), "{found}");
}

#[test]
fn a_certificate_that_is_its_own_authority_is_trusted_by_itself() {
    let certificates = Certificates::new("tls-own-authority");
    for (name, is_right) in [("registry.test", true), ("other.test", false)] {
        let server =
            Server::start_tls(certificates.own_authority(name), |_| Reply::ok(noise(50_000)));
        let strange = with_config(&certificates, &server, "ca = \"../authority.crt\"");
        assert!(error(get(&strange, &server)).to_string().contains("TLS: "));
        let trusted = with_config(&certificates, &server, "ca = \"../own.crt\"");
        assert_eq!(get(&trusted, &server).is_ok(), is_right, "{name}");
    }
}

#[test]
fn plain_http_is_spoken_only_where_it_may() {
    let server = Server::start(|_| Reply::ok(noise(50_000)));
    let registries = registries_with(Proxies::default(), Hosts::default());
    let found = error(get(&registries, &server));
    assert!(found.to_string().ends_with("it speaks plain HTTP, not HTTPS"), "{found}");
    let insecure =
        registries_with(Proxies::default(), Hosts { insecure: true, ..Hosts::default() });
    assert_eq!(get(&insecure, &server).unwrap(), noise(50_000));
}

#[test]
fn no_redirect_leads_out_of_encryption() {
    let certificates = Certificates::new("tls-redirect");
    let plain = Server::start(|_| Reply::ok(noise(50_000)));
    let location = plain.url("/x");
    let server = Server::start_tls(certificates.server(&["registry.test"], false), move |_| {
        Reply::redirect(302, location.clone())
    });
    let trusted = with_config(&certificates, &server, "ca = \"../authority.crt\"");
    let found = error(get(&trusted, &server));
    assert!(found.to_string().contains("which is not encrypted"), "{found}");
    assert_eq!(plain.seen().len(), 0);
}
