//! Finding the program in the container.

use crate::failure::{Failure, Step};
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use sys::rustix::fs::{Access, AtFlags, CWD, FileType, accessat, stat};
use sys::rustix::io::Errno;

/// The file that execve(2) is to be given for this word: the word itself if there is a slash in
/// it, otherwise the first executable file of this name in the folders of `path`, the container's
/// `$PATH`. The texts are runc's, for callers look for parts of them.
pub(crate) fn find(word: &str, path: Option<&str>) -> Result<CString, Failure> {
    if word.contains('/') {
        return match check(Path::new(word)) {
            Ok(()) => c_string(word),
            Err(Errno::NOENT) => Err(failure(
                Errno::NOENT,
                format!("exec: {word:?}: stat {word}: no such file or directory"),
            )),
            Err(Errno::ISDIR) => {
                let reason = format!("exec: {word:?}: is a directory: permission denied");
                Err(failure(Errno::ACCESS, reason))
            }
            Err(errno) => Err(failure(errno, format!("exec: {word:?}: {}", text(errno)))),
        };
    }
    let mut refused = None;
    for folder in path.unwrap_or_default().split(':') {
        // An empty one is the working folder, which is not looked into: it may be anybody's.
        if folder.is_empty() || word.is_empty() {
            continue;
        }
        let file = Path::new(folder).join(OsStr::from_bytes(word.as_bytes()));
        match check(&file) {
            Ok(()) => return c_string(file.to_str().unwrap_or_default()),
            Err(Errno::ACCESS) => refused = Some(Errno::ACCESS),
            Err(_) => {}
        }
    }
    match refused {
        Some(errno) => Err(failure(errno, format!("exec: {word:?}: {}", text(errno)))),
        None => Err(failure(
            Errno::NOENT,
            format!("exec: {word:?}: executable file not found in $PATH"),
        )),
    }
}

/// Why execve(2) failed on a program that was found.
pub(crate) fn refused(program: &CString, errno: Errno) -> Failure {
    failure(errno, format!("exec {}: {}", program.to_string_lossy(), text(errno)))
}

fn check(file: &Path) -> Result<(), Errno> {
    let found = stat(file)?;
    if FileType::from_raw_mode(found.st_mode).is_dir() {
        return Err(Errno::ISDIR);
    }
    accessat(CWD, file, Access::EXEC_OK, AtFlags::EACCESS)
}

fn failure(errno: Errno, reason: String) -> Failure {
    Failure { step: Step::Execute, errno: errno.raw_os_error(), reason }
}

/// In small letters, as Go writes them.
fn text(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string().to_lowercase();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn c_string(word: &str) -> Result<CString, Failure> {
    CString::new(word).map_err(|_| failure(Errno::INVAL, format!("exec: {word:?}: NUL in it")))
}

#[cfg(test)]
mod tests {
    use super::find;

    fn found(word: &str, path: Option<&str>) -> Result<String, String> {
        let found = find(word, path).map(|it| it.to_string_lossy().into_owned());
        found.map_err(|failure| failure.reason)
    }

    #[test]
    fn the_first_folder_that_has_it() {
        assert_eq!(found("sh", Some("/no:/dev::/bin:/usr/bin")), Ok("/bin/sh".to_owned()));
        assert_eq!(found("/bin/sh", None), Ok("/bin/sh".to_owned()));
    }

    #[test]
    fn the_words_that_callers_look_for() {
        let text = |word: &str, path| found(word, path).unwrap_err();
        assert_eq!(
            text("no-such", Some("/bin")),
            r#"exec: "no-such": executable file not found in $PATH"#
        );
        assert_eq!(text("sh", None), r#"exec: "sh": executable file not found in $PATH"#);
        assert_eq!(text("", Some("/bin")), r#"exec: "": executable file not found in $PATH"#);
        assert_eq!(text("/no/x", None), r#"exec: "/no/x": stat /no/x: no such file or directory"#);
        assert_eq!(text("/etc", None), r#"exec: "/etc": is a directory: permission denied"#);
        assert_eq!(text("/etc/passwd", None), r#"exec: "/etc/passwd": permission denied"#);
        assert_eq!(text("passwd", Some("/etc")), r#"exec: "passwd": permission denied"#);
    }
}
