//! A token server for `docker-registry`, which signs what it is asked for if the password is right.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use anyhow::{Context as _, Result, ensure};

use crate::commands::{find, text_of};

/// Of `user:pass`.
const BASIC: &str = "Basic dXNlcjpwYXNz";

/// Answers until the process ends. Its thread is the trial's, which is a process of its own.
pub(crate) struct TokenServer {
    given: Arc<AtomicUsize>,
}

impl TokenServer {
    /// Listens on this port, with a key made here; its certificate is `FOLDER/token.crt`.
    pub(crate) fn start(folder: &Path, port: u16) -> Result<TokenServer> {
        let (certificate, key) = (folder.join("token.crt"), folder.join("token.key"));
        let mut openssl = Command::new(find("openssl")?);
        openssl.args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=t",
        ]);
        text_of(openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate))?;
        let pem = fs::read_to_string(certificate)?;
        let chain: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let given = Arc::new(AtomicUsize::new(0));
        let count = given.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Err(error) = answer(stream, &chain, &key, &count) {
                    println!("token server: {error:#}");
                }
            }
        });
        Ok(TokenServer { given })
    }

    /// How many tokens were given.
    pub(crate) fn given(&self) -> usize {
        self.given.load(Ordering::Relaxed)
    }
}

fn answer(stream: TcpStream, chain: &str, key: &PathBuf, count: &AtomicUsize) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().context("a request")??;
    let target = first.split(' ').nth(1).context("a target")?.to_owned();
    let mut is_known = false;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        is_known |= line.split_once(": ").is_some_and(|(_, value)| value == BASIC);
    }
    let (status, body) = if is_known {
        count.fetch_add(1, Ordering::Relaxed);
        ("200 OK", format!(r#"{{"token": "{}", "expires_in": 300}}"#, token(&target, chain, key)?))
    } else {
        ("401 Unauthorized", "{}".to_owned())
    };
    let mut stream = stream;
    let head =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    Ok(stream.write_all((head + &body).as_bytes())?)
}

/// A JSON Web Token (RFC 7515, RS256) for the scopes of the query.
fn token(target: &str, chain: &str, key: &PathBuf) -> Result<String> {
    let decoded = target.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",");
    let query = decoded.split_once('?').map_or("", |(_, query)| query);
    let scopes = query.split('&').filter_map(|pair| pair.strip_prefix("scope=repository:"));
    let access: Vec<String> = scopes
        .filter_map(|scope| scope.rsplit_once(':'))
        .map(|(name, actions)| {
            let actions = actions.replace(',', "\", \"");
            format!(r#"{{"type": "repository", "name": "{name}", "actions": ["{actions}"]}}"#)
        })
        .collect();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let header = format!(r#"{{"typ": "JWT", "alg": "RS256", "x5c": ["{chain}"]}}"#);
    let claims = format!(
        r#"{{"iss": "test", "sub": "user", "aud": "test", "nbf": {}, "iat": {now}, "exp": {}, "jti": "{now}", "access": [{}]}}"#,
        now - 10,
        now + 300,
        access.join(", ")
    );
    let signed = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()));
    let mut openssl = Command::new(find("openssl")?);
    openssl.args(["dgst", "-sha256", "-binary", "-sign"]).arg(key);
    let mut child = openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().context("stdin")?.write_all(signed.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "openssl dgst");
    Ok(format!("{signed}.{}", base64url(&output.stdout)))
}

/// Without padding (RFC 4648, section 5).
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number =
            chunk.iter().chain([&0, &0]).take(3).fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        for place in 0..=chunk.len() {
            text.push(char::from(ALPHABET[number >> (18 - 6 * place) & 63]));
        }
    }
    text
}
