use super::super::{AuthError, Credential};
use super::{CredentialFiles, Kept, normal};
use crate::reference::Reference;
use std::path::PathBuf;

/// A file in a folder of its own, which goes away with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, content: Option<&str>) -> Scratch {
        let folder = std::env::temp_dir().join(format!("image-auth-{}-{name}", std::process::id()));
        let path = folder.join("config.json");
        if let Some(content) = content {
            let folder = crate::file::Folder::lock(&path).unwrap();
            folder.replace(content.as_bytes()).unwrap();
        }
        Scratch(path)
    }

    fn files(&self) -> CredentialFiles {
        CredentialFiles::new(vec![self.0.clone()])
    }

    fn text(&self) -> String {
        let bytes = crate::file::read_if_present(&self.0).unwrap().unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        use sys::rustix::fs::{AtFlags, CWD, unlinkat};
        let _ = unlinkat(CWD, &self.0, AtFlags::empty());
        let _ = unlinkat(CWD, self.0.parent().unwrap(), AtFlags::REMOVEDIR);
    }
}

fn password(user: &str, password: &str) -> Credential {
    Credential::Password { user: user.to_owned(), password: password.to_owned() }
}

fn find(files: &CredentialFiles, name: &str) -> Option<Credential> {
    files.find(name.parse::<Reference>().unwrap().repository()).unwrap()
}

#[test]
fn the_most_precise_entry_counts() {
    // a:b, c:d, e:f
    let scratch = Scratch::new(
        "precise",
        Some(
            r#"{"auths": {"r.test": {"auth": "YTpi"}, "r.test/team": {"auth": "Yzpk"},
            "https://index.docker.io/v1/": {"auth": "ZTpm"}, "https://old.test/v2/": {"auth": "YTpi"},
            "t.test": {"identitytoken": "refresh"}, "plain.test": {"username": "u", "password": "p"},
            "empty.test": {}}}"#,
        ),
    );
    let files = scratch.files();
    assert_eq!(find(&files, "r.test/x"), Some(password("a", "b")));
    assert_eq!(find(&files, "r.test/team/app"), Some(password("c", "d")));
    assert_eq!(find(&files, "r.test/teamwork/app"), Some(password("a", "b")));
    assert_eq!(find(&files, "alpine"), Some(password("e", "f")));
    assert_eq!(find(&files, "old.test/x"), Some(password("a", "b")));
    assert_eq!(find(&files, "t.test/x"), Some(Credential::IdentityToken("refresh".to_owned())));
    assert_eq!(find(&files, "plain.test/x"), Some(password("u", "p")));
    assert_eq!(find(&files, "empty.test/x"), None);
    assert_eq!(find(&files, "other.test/x"), None);
    assert_eq!(files.find_registry("docker.io").unwrap(), Some(password("e", "f")));
}

#[test]
fn what_is_stored_is_found_and_nothing_else_is_lost() {
    let scratch =
        Scratch::new("store", Some(r#"{"psFormat": "x", "auths": {"a.test": {"auth": "YTpi"}}}"#));
    let files = scratch.files();
    let kept = files.store("b.test:5000", &password("user", "p:a:s")).unwrap();
    assert_eq!(kept, Kept::File(scratch.0.clone()));
    files.store("docker.io", &password("hub", "x")).unwrap();
    assert_eq!(find(&files, "b.test:5000/x"), Some(password("user", "p:a:s")));
    assert_eq!(find(&files, "a.test/x"), Some(password("a", "b")));
    assert!(scratch.text().contains("https://index.docker.io/v1/"));
    assert!(scratch.text().contains("psFormat"));
    let mode = sys::rustix::fs::stat(&scratch.0).unwrap().st_mode;
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(files.erase("b.test:5000").unwrap(), [Kept::File(scratch.0.clone())]);
    assert_eq!(files.erase("b.test:5000").unwrap(), []);
    assert_eq!(find(&files, "b.test:5000/x"), None);
    assert_eq!(find(&files, "alpine"), Some(password("hub", "x")));
}

#[test]
fn a_missing_file_is_made_and_a_broken_one_is_an_error() {
    let scratch = Scratch::new("missing", None);
    let files = scratch.files();
    assert_eq!(find(&files, "a.test/x"), None);
    files.store("a.test", &Credential::IdentityToken("t".to_owned())).unwrap();
    assert_eq!(find(&files, "a.test/x"), Some(Credential::IdentityToken("t".to_owned())));
    drop(scratch);
    let broken = Scratch::new("broken", Some("{"));
    let repository = "a.test/x".parse::<Reference>().unwrap();
    let error = broken.files().find(repository.repository()).unwrap_err();
    assert!(matches!(error, AuthError::BadFile { .. }), "{error}");
    let bad = Scratch::new("entry", Some(r#"{"auths": {"a.test": {"auth": "!"}}}"#));
    let error = bad.files().find(repository.repository()).unwrap_err();
    assert!(matches!(error, AuthError::BadEntry { .. }), "{error}");
}

#[test]
fn a_helper_that_is_missing_or_misnamed_is_an_error() {
    let config = r#"{"credHelpers": {"a.test": "no-such-helper-here", "b.test": "../evil"}}"#;
    let scratch = Scratch::new("helper", Some(config));
    let find = |name: &str| {
        scratch
            .files()
            .find(name.parse::<Reference>().unwrap().repository())
            .unwrap_err()
            .to_string()
    };
    assert!(find("a.test/x").contains("not installed"), "{}", find("a.test/x"));
    assert!(find("b.test/x").contains("only letters"), "{}", find("b.test/x"));
}

#[test]
fn old_spellings_of_a_registry() {
    assert_eq!(normal("https://index.docker.io/v1/"), "docker.io");
    assert_eq!(normal("index.docker.io"), "docker.io");
    assert_eq!(normal("http://a.test:5000"), "a.test:5000");
    assert_eq!(normal("a.test/team"), "a.test/team");
}
