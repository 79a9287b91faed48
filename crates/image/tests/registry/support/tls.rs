//! An authority, and certificates of it.

use super::Folder;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::PathBuf;
use std::sync::Arc;

/// An authority and what it has signed, as files.
pub(crate) struct Certificates {
    folder: Folder,
    issuer: Issuer<'static, KeyPair>,
    /// The authority's certificate.
    pub(crate) authority: PathBuf,
}

impl Certificates {
    pub(crate) fn new(name: &str) -> Certificates {
        let folder = Folder::new(name);
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let authority = folder.write("authority.crt", certificate.pem());
        Certificates { folder, issuer: Issuer::new(params, key), authority }
    }

    /// Signs a certificate for these names, and writes it and its key.
    pub(crate) fn sign(&self, file: &str, names: &[&str]) -> (PathBuf, PathBuf) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let params = CertificateParams::new(names).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let paths = (format!("{file}.cert"), format!("{file}.key"));
        let certificate = self.folder.write(&paths.0, certificate.pem());
        (certificate, self.folder.write(&paths.1, key.serialize_pem()))
    }

    /// A server with such a certificate, which may demand one of the same authority.
    pub(crate) fn server(&self, names: &[&str], wants_client: bool) -> Arc<ServerConfig> {
        let (certificate, key) = self.sign("server", names);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if wants_client {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(&self.authority).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        Arc::new(builder.with_single_cert(chain, key).unwrap())
    }

    /// A server whose certificate is that of an authority, as `openssl req -x509` makes it; it is
    /// written to `own.crt`.
    pub(crate) fn own_authority(&self, name: &str) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        self.folder.write("own.crt", certificate.pem());
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }
}
