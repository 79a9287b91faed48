//! Whom to trust, and who we are: TLS by rustls, with the certificates of the system.

use crate::file;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Where the distributions keep all certificates in one file. The first that exists counts.
pub const SYSTEM_ROOTS: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What the configuration says about connections to one server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ServerSettings {
    /// Certificates of authorities that are trusted beside those of the system (PEM).
    pub authorities: Vec<PathBuf>,
    /// Our certificate and its key (PEM; both may be in one file).
    pub client: Option<(PathBuf, PathBuf)>,
    /// Whether any certificate is taken: encrypted, but nobody knows with whom.
    pub dangerous_any_certificate: bool,
    /// Instead of [`super::http::Timeouts::connect`].
    pub connect_timeout: Option<Duration>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("certificate: {0}")]
    Read(#[from] sys::Error),
    /// A file is missing, or has nothing of what it should have.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// rustls cannot work with them.
    #[error("certificates: {0}")]
    Verifier(String),
    /// Certificate and key do not belong together, or the kind of key is not known.
    #[error("{}: the certificate cannot be used: {source}", path.display())]
    Client {
        /// The certificate.
        path: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
}

/// The same with all files read: whom to trust, and who we are.
#[derive(Clone, Debug)]
pub struct Server {
    pub(super) connect_timeout: Option<Duration>,
    pub(super) config: Arc<ClientConfig>,
}

impl Server {
    /// Tells servers apart as long as this value lives.
    pub(super) fn identity(&self) -> usize {
        Arc::as_ptr(&self.config).addr()
    }

    /// Reads the files, for a server that is trusted by `system` or by them.
    ///
    /// # Errors
    /// A file that is missing or of no use: to go on without it would fail later, or worse, not.
    pub(super) fn new(
        system: &RootCertStore,
        settings: &ServerSettings,
    ) -> Result<Server, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone());
        let builder = builder
            .with_safe_default_protocol_versions()
            .map_err(|source| TlsError::Client { path: PathBuf::new(), source })?;
        let builder = if settings.dangerous_any_certificate {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        } else if settings.authorities.is_empty() {
            builder.with_root_certificates(system.clone())
        } else {
            let verifier = Trusting::new(system, &settings.authorities, provider)?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        };
        let config = match &settings.client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                .map_err(|source| TlsError::Client { path: certificate.clone(), source })?,
        };
        Ok(Server { connect_timeout: settings.connect_timeout, config: Arc::new(config) })
    }
}

/// The certificates of the first of these files that exists; none if no file does. A certificate
/// that cannot be used is passed over: systems have some.
///
/// # Errors
/// A file that cannot be read.
pub(super) fn system_roots(files: &[PathBuf]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for path in files {
        if let Some(bytes) = file::read_if_present(path)? {
            let certificates = CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok);
            store.add_parsable_certificates(certificates);
            break;
        }
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes =
        file::read_if_present(path)?.ok_or_else(|| content(path, "there is no such file"))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(content(path, "it has no certificate in PEM form")),
        Err(error) => Err(content(path, error.to_string())),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let bytes =
        file::read_if_present(path)?.ok_or_else(|| content(path, "there is no such file"))?;
    PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|error| content(path, format!("it has no private key in PEM form: {error}")))
}

fn content(path: &Path, reason: impl Into<String>) -> TlsError {
    TlsError::Content { path: path.to_owned(), reason: reason.into() }
}

/// Takes what rustls takes, and a certificate that is itself among those that the administrator
/// trusts. `openssl req -x509` makes one that is its own authority, as Docker's manual tells its
/// readers to; by the rules an authority is no server, but nobody else can have its key. How long
/// it is good for then does not count.
#[derive(Debug)]
struct Trusting {
    by_rules: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl Trusting {
    fn new(
        system: &RootCertStore,
        authorities: &[PathBuf],
        provider: Arc<CryptoProvider>,
    ) -> Result<Trusting, TlsError> {
        let mut store = system.clone();
        let mut named = Vec::new();
        for path in authorities {
            for certificate in certificates(path)? {
                named.push(certificate.clone());
                store.add(certificate).map_err(|error| content(path, error.to_string()))?;
            }
        }
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider);
        let by_rules = builder.build().map_err(|error| TlsError::Verifier(error.to_string()))?;
        Ok(Trusting { by_rules, named })
    }
}

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.by_rules.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_)))
                if self.named.contains(certificate) =>
            {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_rules.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_rules.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_rules.supported_verify_schemes()
    }
}

/// Takes any certificate for any name, as `insecure` and `skip_verify` demand. The server must
/// still have the key of the certificate that it shows.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
