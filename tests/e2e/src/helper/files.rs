//! Steps that try something with a file and say how it went: `WORD PATH: ok` or an errno.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::say_result;

/// False when the word is not one of these.
pub(super) fn step(verb: &str, value: &str) -> bool {
    let what = format!("{verb} {value}");
    match verb {
        "create" => say_result(&what, OpenOptions::new().write(true).create_new(true).open(value)),
        "write" => {
            let file = OpenOptions::new().write(true).open(value);
            say_result(&what, file.and_then(|mut file| file.write_all(b"text")));
        }
        "truncate" => say_result(
            &what,
            rustix::fs::open(
                value,
                rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::TRUNC,
                rustix::fs::Mode::empty(),
            )
            .map_err(Into::into),
        ),
        "shorten" => say_result(&what, shorten(value)),
        "read" => say_result(&what, fs::read(value)),
        "list" => say_result(&what, fs::read_dir(value)),
        "mkdir" => say_result(&what, fs::create_dir(value)),
        "unlink" => say_result(&what, fs::remove_file(value)),
        "rmdir" => say_result(&what, fs::remove_dir(value)),
        "symlink" => say_result(&what, std::os::unix::fs::symlink("target", value)),
        "rename" => {
            let (from, to) = value.split_once(':').expect("rename=FROM:TO");
            say_result(&what, fs::rename(from, to));
        }
        // Runs an actor without steps, which ends at once, and tells the errno of the exec.
        "run" => {
            let null = Stdio::null;
            let command = Command::new(value)
                .arg("--helper")
                .stdin(null())
                .stdout(null())
                .stderr(null())
                .status();
            say_result(&what, command);
        }
        // An ioctl that only a device knows; ENOTTY also means that Landlock let it through.
        "ioctl" => {
            let size = File::open(value).and_then(|file| Ok(rustix::termios::tcgetwinsize(&file)?));
            say_result(&what, size);
        }
        _ => return false,
    }
    true
}

/// `truncate(2)` by path, which opens nothing.
fn shorten(path: &str) -> std::io::Result<()> {
    let path = std::ffi::CString::new(path)?;
    crate::support::sys::truncate(&path)
}
