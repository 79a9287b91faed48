//! `tinyo` and Debian's `docker-registry`: what skopeo puts there is pulled, what is pushed skopeo
//! can read, with and without TLS and passwords; two pulls at once, and pulls that are killed.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::commands::{Daemon, end_of, expect_code, find, text_of, wait_until};
use crate::registry_token::TokenServer;
use crate::sandbox;

/// bcrypt of `pass`, made by crypt(3).
const HTPASSWD: &str = "user:$2b$05$abcdefghijklmnopqrstuuZFBUbfXoM8LFiPx8LYlO/sXZB/Cwk3K\n";

/// An image of two layers in a registry, and its manifest's digest.
struct Place {
    folder: PathBuf,
    name: String,
    digest: String,
    _registry: Daemon,
}

/// Starts a registry with more configuration, in a network of its own, and fills it.
fn place(folder: &Path, port: u16, scheme: &str, extra: &str, flags: &[&str]) -> Result<Place> {
    let registry = find("docker-registry")?;
    let (skopeo, umoci) = (find("skopeo")?, find("umoci")?);
    text_of(Command::new(find("ip")?).args(["link", "set", "lo", "up"]))?;
    let config = folder.join("registry.yml");
    let storage = folder.join("registry");
    fs::write(
        &config,
        format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http:\n  addr: 127.0.0.1:{port}\n{extra}",
            storage.display()
        ),
    )?;
    let log = fs::File::create(folder.join("registry.log"))?;
    let mut command = Command::new(registry);
    command.arg("serve").arg(&config).stdout(Stdio::null()).stderr(log);
    let daemon = Daemon::start(&mut command)?;
    wait_until("the registry listens", || {
        Ok(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())
    })?;
    let layout = folder.join("layout");
    let image = format!("{}:latest", layout.display());
    text_of(Command::new(&umoci).args(["init", "--layout"]).arg(&layout))?;
    text_of(Command::new(&umoci).args(["new", "--image", &image]))?;
    let content = folder.join("content");
    fs::create_dir(&content)?;
    // Long enough for several parts and for a pull to be killed within.
    fs::write(content.join("large"), noise(48 << 20))?;
    fs::write(content.join("small"), "small")?;
    for name in ["large", "small"] {
        let mut insert = Command::new(&umoci);
        insert.args(["insert", "--image", &image]).arg(content.join(name)).arg(format!("/{name}"));
        text_of(&mut insert)?;
    }
    let name = format!("127.0.0.1:{port}/test/image:1");
    let mut copy = Command::new(&skopeo);
    copy.args(["copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false"]).args(flags);
    text_of(copy.arg(format!("oci:{image}")).arg(format!("docker://{name}"))).with_context(
        || format!("{scheme}: {:?}", fs::read_to_string(folder.join("registry.log"))),
    )?;
    let index: serde_json::Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
    let digest = index["manifests"][0]["digest"].as_str().context("a digest")?.to_owned();
    Ok(Place { folder: folder.to_owned(), name, digest, _registry: daemon })
}

/// Bytes that gzip cannot make smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes
}

impl Place {
    fn tinyo(&self) -> Command {
        let mut command = Command::new(harness::tinyo());
        command.arg("--root").arg(self.folder.join("store"));
        command.env("HOME", &self.folder).env_remove("XDG_RUNTIME_DIR").stdin(Stdio::null());
        command
    }

    /// Pulls, and returns the manifest's digest.
    fn pull(&self, flags: &[&str]) -> Result<String> {
        let mut command = self.tinyo();
        command.args(["pull", "--quiet", "--format=json"]).args(flags).arg(&self.name);
        let result: serde_json::Value = serde_json::from_str(&text_of(&mut command)?)?;
        Ok(result["digest"].as_str().context("a digest")?.to_owned())
    }

    /// Forgets what was pulled. Somebody who still frees what the last command removed may make
    /// files meanwhile.
    fn clear(&self) -> Result<()> {
        let store = self.folder.join("store");
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            match fs::remove_dir_all(&store) {
                Err(error)
                    if error.kind() == ErrorKind::DirectoryNotEmpty && Instant::now() < end =>
                {
                    std::thread::sleep(Duration::from_millis(10));
                }
                result => return Ok(result?),
            }
        }
    }
}

pub(crate) fn pull_and_push() -> Result<()> {
    sandbox::inside(|folder| {
        let place = place(folder, 5000, "http", "", &[])?;
        ensure!(place.pull(&[])? == place.digest);
        let copy = "127.0.0.1:5000/copy/of:2";
        text_of(place.tinyo().args(["push", "--quiet", &place.name, copy]))?;
        // Into an empty registry nothing can be mounted.
        let mut inspect = Command::new(find("skopeo")?);
        inspect.args(["inspect", "--tls-verify=false", "--format={{.Digest}}"]);
        ensure!(text_of(inspect.arg(format!("docker://{copy}")))? == place.digest);
        let mut verify = Command::new(find("skopeo")?);
        verify.args(["copy", "--quiet", "--insecure-policy", "--src-tls-verify=false"]);
        verify
            .arg(format!("docker://{copy}"))
            .arg(format!("dir:{}", folder.join("copy").display()));
        text_of(&mut verify)?;
        let list = text_of(place.tinyo().args(["search", "127.0.0.1:5000/of"]))?;
        ensure!(list == "127.0.0.1:5000/copy/of", "{list}");
        let missing = expect_code(place.tinyo().args(["pull", "127.0.0.1:5000/none"]), 1)?;
        ensure!(
            missing.stderr.contains("127.0.0.1:5000/none:latest does not exist"),
            "{missing:?}"
        );
        Ok(())
    })
}

pub(crate) fn in_chunks() -> Result<()> {
    sandbox::inside(|folder| {
        let place = place(folder, 5000, "http", "", &[])?;
        place.pull(&[])?;
        fs::remove_dir_all(folder.join("registry/docker"))?;
        text_of(place.tinyo().args(["push", "--quiet", "--chunk-size=10000000", &place.name]))?;
        place.clear()?;
        ensure!(place.pull(&[])? == place.digest);
        Ok(())
    })
}

pub(crate) fn tls_and_password() -> Result<()> {
    sandbox::inside(|folder| {
        make_certificate(folder)?;
        fs::write(folder.join("htpasswd"), HTPASSWD)?;
        let extra = format!(
            "  tls: {{certificate: {0}/tls/ca.crt, key: {0}/own.key}}\n\
             auth: {{htpasswd: {{realm: test, path: {0}/htpasswd}}}}\n",
            folder.display()
        );
        let place = place(folder, 5001, "https", &extra, &["--dest-creds=user:pass"])?;
        let certificates = format!("--cert-dir={}/tls", folder.display());
        let failed = |command: &mut Command, expected: &str| -> Result<()> {
            let ended = expect_code(command, 1)?;
            ensure!(ended.stderr.contains(expected), "{ended:#?}");
            Ok(())
        };
        failed(place.tinyo().args(["pull", &place.name]), "certificate")?;
        failed(
            place.tinyo().args(["pull", &certificates, &place.name]),
            "log in first: tinyo login",
        )?;
        let login = |password: &str| {
            let mut command = place.tinyo();
            command.args(["login", "-u", "user", "-p", password, &certificates, "127.0.0.1:5001"]);
            command
        };
        failed(&mut login("wrong"), "the user name or the password is wrong")?;
        text_of(&mut login("pass"))?;
        ensure!(place.pull(&[&certificates])? == place.digest);
        // The file that was written serves Docker's and Podman's programs as well.
        let auth = folder.join(".docker/config.json");
        let mut inspect = Command::new(find("skopeo")?);
        inspect
            .args(["inspect", "--format={{.Digest}}"])
            .arg(format!("--authfile={}", auth.display()));
        inspect.arg(format!("--cert-dir={}/tls", folder.display()));
        ensure!(text_of(inspect.arg(format!("docker://{}", place.name)))? == place.digest);
        text_of(place.tinyo().args(["logout", "127.0.0.1:5001"]))?;
        failed(place.tinyo().args(["pull", &certificates, &place.name]), "log in first")
    })
}

pub(crate) fn tokens() -> Result<()> {
    sandbox::inside(|folder| {
        text_of(Command::new(find("ip")?).args(["link", "set", "lo", "up"]))?;
        let tokens = TokenServer::start(folder, 5100)?;
        let extra = format!(
            "auth: {{token: {{realm: http://127.0.0.1:5100/token, service: test, issuer: test, \
             rootcertbundle: {}/token.crt}}}}\n",
            folder.display()
        );
        let place = place(folder, 5002, "http", &extra, &["--dest-creds=user:pass"])?;
        let refused = expect_code(place.tinyo().args(["pull", &place.name]), 1)?;
        ensure!(refused.stderr.contains("log in first: tinyo login 127.0.0.1:5002"), "{refused:?}");
        let mut login = place.tinyo();
        login.args(["login", "--username=user", "--password=pass", "127.0.0.1:5002"]);
        text_of(&mut login)?;
        let before = tokens.given();
        ensure!(place.pull(&[])? == place.digest);
        ensure!(tokens.given() - before == 1, "one token for the whole pull");
        text_of(place.tinyo().args(["push", "--quiet", &place.name, "127.0.0.1:5002/other/name"]))?;
        place.clear()?;
        text_of(place.tinyo().args(["pull", "--quiet", "127.0.0.1:5002/other/name"]))?;
        Ok(())
    })
}

/// A certificate for 127.0.0.1 that has signed itself.
fn make_certificate(folder: &Path) -> Result<()> {
    let tls = folder.join("tls");
    fs::create_dir(&tls)?;
    let mut openssl = Command::new(find("openssl")?);
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]);
    openssl.args(["-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]);
    openssl.arg("-keyout").arg(folder.join("own.key")).arg("-out").arg(tls.join("ca.crt"));
    text_of(&mut openssl).map(drop)
}

pub(crate) fn two_at_once_download_once() -> Result<()> {
    sandbox::inside(|folder| {
        let place = place(folder, 5000, "http", "", &[])?;
        let before = sent_by_loopback()?;
        let start = || -> Result<std::process::Child> {
            let mut command = place.tinyo();
            command.args(["pull", "--quiet", &place.name]).stdout(Stdio::null());
            Ok(command.spawn()?)
        };
        let children = [start()?, start()?, start()?];
        for mut child in children {
            ensure!(child.wait()?.success());
        }
        let sent = sent_by_loopback()? - before;
        // 48 MiB of noise, and a little of everything else.
        ensure!((48 << 20..52 << 20).contains(&sent), "{sent} bytes went over the network");
        Ok(())
    })
}

pub(crate) fn killed_pulls_go_on() -> Result<()> {
    sandbox::inside(|folder| {
        let place = place(folder, 5000, "http", "", &[])?;
        for round in 0..8_u64 {
            let before = sent_by_loopback()?;
            for kill in 0..3 {
                let mut command = place.tinyo();
                command.args(["pull", "--quiet", &place.name]).stdout(Stdio::null());
                let mut child = command.spawn()?;
                std::thread::sleep(Duration::from_millis(7 + 29 * ((round * 3 + kill) % 8)));
                let _ = kill_process(Pid::from_child(&child), Signal::KILL);
                child.wait()?;
            }
            ensure!(place.pull(&[])? == place.digest, "round {round}");
            let sent = sent_by_loopback()? - before;
            // Each of the three may lose the four parts of 8 MiB that it was at.
            let most = (48 << 20) + 3 * 4 * (8 << 20) + (8 << 20);
            ensure!(sent < most, "round {round}: {sent} bytes");
            let left = fs::read_dir(folder.join("store/incoming"))?.count();
            ensure!(left == 0, "round {round}: {left} unfinished downloads are left");
            place.clear()?;
        }
        let ended = end_of(place.tinyo().args(["pull", "--policy=never", &place.name]))?;
        ensure!(ended.stderr.contains("the policy `never` forbids"), "{ended:?}");
        Ok(())
    })
}

pub(crate) fn damage_is_mended_from_the_registry() -> Result<()> {
    sandbox::inside(|folder| {
        let place = place(folder, 5000, "http", "", &[])?;
        place.pull(&[])?;
        let blobs = folder.join("store/blobs/sha256");
        let names = fs::read_dir(&blobs)?.map(|entry| Ok(entry?.path()));
        let names = names.collect::<Result<Vec<_>>>()?;
        // Two layers, a configuration, and a manifest: one bit of each.
        ensure!(names.len() == 4, "{names:?}");
        for name in &names {
            let mut bytes = fs::read(name)?;
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(name, bytes)?;
        }
        let found = expect_code(place.tinyo().args(["system", "check", "-q"]), 1)?;
        // Nothing says what is right of a layer whose blob is damaged.
        ensure!(found.stdout.matches("is damaged").count() == 4, "{found:#?}");
        ensure!(found.stdout.matches("cannot be checked").count() == 2, "{found:#?}");
        let mended = text_of(place.tinyo().args(["system", "check", "-q", "--repair"]))?;
        ensure!(mended.matches("is damaged; repaired").count() == 4, "{mended}");
        ensure!(text_of(place.tinyo().args(["system", "check", "-q"]))?.is_empty());
        fs::remove_file(&names[0])?;
        let mended = text_of(place.tinyo().args(["system", "check", "-q", "--repair"]))?;
        ensure!(mended.contains("is missing; repaired"), "{mended}");
        ensure!(place.pull(&[])? == place.digest);
        Ok(())
    })
}

/// Bytes that went over the cell's own loopback device.
fn sent_by_loopback() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/net/dev")?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("lo:"));
    let numbers = line.context("/proc/self/net/dev has lo")?.split_whitespace().nth(8);
    Ok(numbers.context("bytes sent")?.parse()?)
}
