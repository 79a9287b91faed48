//! Open files whose work is done.

use std::os::fd::OwnedFd;
use sys::process::close_all;

/// Files that nobody needs any more. They are closed together when this is dropped: a dozen of them
/// by a call or two.
#[derive(Debug, Default)]
pub struct Spent(Vec<OwnedFd>);

impl Spent {
    pub(super) fn add(&mut self, files: impl IntoIterator<Item = OwnedFd>) {
        self.0.extend(files);
    }

    pub(super) fn append(&mut self, other: &mut Spent) {
        self.0.append(&mut other.0);
    }
}

impl Drop for Spent {
    fn drop(&mut self) {
        close_all(std::mem::take(&mut self.0));
    }
}
