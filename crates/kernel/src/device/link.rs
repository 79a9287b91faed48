//! The links in `/dev`.

use super::{Error, Folder, Step};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd};
use sys::OrError;
use sys::rustix::fs::{Access, AtFlags, CWD, accessat, symlinkat, unlinkat};
use sys::rustix::io::Errno;

/// Those of the runtime specification.
const LINKS: [(&CStr, &CStr); 4] = [
    (c"/proc/self/fd", c"fd"),
    (c"/proc/self/fd/0", c"stdin"),
    (c"/proc/self/fd/1", c"stdout"),
    (c"/proc/self/fd/2", c"stderr"),
];

/// Makes `fd`, `stdin`, `stdout`, `stderr`, `ptmx`, and `core` if the kernel has `/proc/kcore`, in
/// the folder that is `/dev`. All but `ptmx` are left if something is there.
///
/// # Errors
/// See [`Error`].
pub fn make_links(dev: &Folder<'_>) -> Result<(), Error> {
    for (target, name) in LINKS {
        make(dev, target, name)?;
    }
    if accessat(CWD, c"/proc/kcore", Access::EXISTS, AtFlags::empty()).is_ok() {
        make(dev, c"/proc/kcore", c"core")?;
    }
    if !dev.is_own() {
        // That of the image or of the machine would open terminals of another devpts.
        match unlinkat(dev, c"ptmx", AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            result => result
                .or_error("unlinkat", || format!("{}, \"ptmx\"", dev.as_fd().as_raw_fd()))
                .map_err(Error::at(Step::Link, &"/dev/ptmx"))?,
        }
    }
    make(dev, c"pts/ptmx", c"ptmx")
}

fn make(dev: &Folder<'_>, target: &CStr, name: &CStr) -> Result<(), Error> {
    match symlinkat(target, dev, name) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        result => result
            .or_error("symlinkat", || format!("{target:?}, {}, {name:?}", dev.as_fd().as_raw_fd()))
            .map_err(Error::at(Step::Link, &format_args!("/dev/{}", name.to_string_lossy()))),
    }
}
