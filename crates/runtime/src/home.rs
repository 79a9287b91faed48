//! `$HOME`, where the configuration does not say.

use std::ffi::CString;
use sys::rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use sys::rustix::io::read;

/// A file that is larger is not read further.
const MAX: usize = 1 << 20;

/// `HOME=` and the folder of this user, from the container's own `/etc/passwd`, passwd(5); `/` if it
/// tells none. To be called in the container.
pub(crate) fn variable(user: u32) -> Option<CString> {
    let text = passwd().unwrap_or_default();
    let home = folder(&text, user).filter(|home| !home.is_empty()).unwrap_or(b"/");
    CString::new([b"HOME=", home].concat()).ok()
}

/// The container owns this file: it is opened so that nothing but a regular file can be waited for,
/// and one of procfs, which would tell what the caller of the runtime has, is none: it has no size.
fn passwd() -> Option<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(CWD, c"/etc/passwd", flags, Mode::empty()).ok()?;
    let status = fstat(&file).ok()?;
    if !FileType::from_raw_mode(status.st_mode).is_file() || status.st_size == 0 {
        return None;
    }
    let mut text = vec![0; 4096];
    let mut length = 0;
    loop {
        match read(&file, &mut text[length..]).ok()? {
            0 => break,
            count => length += count,
        }
        if length == text.len() {
            if length >= MAX {
                break;
            }
            text.resize(length * 2, 0);
        }
    }
    text.truncate(length);
    Some(text)
}

/// The sixth field of the line whose third is this number.
fn folder(text: &[u8], user: u32) -> Option<&[u8]> {
    let user = user.to_string();
    let mut lines = text.split(|byte| *byte == b'\n');
    lines.find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let is_it = fields.nth(2) == Some(user.as_bytes());
        if is_it { fields.nth(2) } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::{folder, variable};

    #[test]
    fn the_line_of_the_user() {
        let text = b"root:x:0:0:root:/root:/bin/sh\nbad\n:\ne:x:12:1:::\nf:x:1:1::/home/f";
        assert_eq!(folder(text, 0), Some(&b"/root"[..]));
        assert_eq!(folder(text, 1), Some(&b"/home/f"[..]));
        assert_eq!(folder(text, 12), Some(&b""[..]));
        assert_eq!(folder(text, 2), None);
    }

    #[test]
    fn there_is_always_one() {
        assert_eq!(variable(4_000_000_000).as_deref(), Some(c"HOME=/"));
    }
}
