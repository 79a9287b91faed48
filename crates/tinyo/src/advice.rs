//! What to do about an error: the second line of it. Errors that say it in their first line, as
//! nothing else makes sense, have none.

use image::pull::PullError;
use image::push::PushError;
use image::registry::RegistryError;
use image::transport::{Reason, TransportError};
use image::{archive, assemble, store};
use std::error::Error;
use std::io;
use sys::rustix::io::Errno;

/// Errors that became text, and what to do about the first one that there is something to do about.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) text: String,
    pub(crate) hint: Option<&'static str>,
    /// The exit code, if it is not the command's usual one.
    pub(crate) code: Option<u8>,
}

impl std::fmt::Display for Told {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Error for Told {}

/// For the first cause that there is something to do about.
pub(crate) fn advice(error: &anyhow::Error) -> Option<&'static str> {
    error.chain().find_map(of)
}

fn of(cause: &(dyn Error + 'static)) -> Option<&'static str> {
    if let Some(Told { hint, .. }) = cause.downcast_ref() {
        return *hint;
    }
    if let Some(error) = cause.downcast_ref() {
        return of_store(error);
    }
    if let Some(error) = cause.downcast_ref() {
        return of_registry(error);
    }
    if let Some(error) = cause.downcast_ref() {
        return of_pull(error);
    }
    if let Some(error) = cause.downcast_ref() {
        return of_push(error);
    }
    if let Some(error) = cause.downcast_ref() {
        return of_archive(error);
    }
    if let Some(error) = cause.downcast_ref() {
        return of_assembled(error);
    }
    if let Some(error) = cause.downcast_ref::<sys::Error>() {
        return of_errno(error.errno);
    }
    match cause.downcast_ref() {
        // These stand for themselves in the chain of causes.
        Some(engine::Error::File { error, .. }) => return of_io(error),
        Some(engine::Error::Store(error)) => return of_store(error),
        Some(engine::Error::Call(error)) => return of_errno(error.errno),
        Some(error) if error.is_disk_full() => return of_errno(Errno::NOSPC),
        _ => {}
    }
    if let Some(project::Error::Engine(error) | project::Error::Service { error, .. }) =
        cause.downcast_ref()
    {
        return of(&**error);
    }
    of_io(cause.downcast_ref()?)
}

fn of_pull(error: &PullError) -> Option<&'static str> {
    match error {
        PullError::Registry(error) => of_registry(error),
        PullError::Store(error) => of_store(error),
        PullError::NowhereFound { .. } => Some(
            "write the registry in front of the name, or add it to \
             unqualified-search-registries in registries.conf",
        ),
        PullError::NoPlatform { .. } => Some("choose one of them with --platform"),
        PullError::Index { .. } | PullError::TooDeep { .. } => None,
    }
}

fn of_push(error: &PushError) -> Option<&'static str> {
    match error {
        PushError::Registry(error) => of_registry(error),
        PushError::Store(error) => of_store(error),
        PushError::Manifest { .. } | PushError::Thread(_) => None,
    }
}

fn of_archive(error: &archive::Error) -> Option<&'static str> {
    match error {
        archive::Error::NoList => Some("`tinyo import` makes an image of a root file system"),
        archive::Error::Store(error) => of_store(error),
        archive::Error::Write(error) => of_io(error),
        archive::Error::Kernel(error) => of_errno(error.errno),
        _ => None,
    }
}

fn of_assembled(error: &assemble::Error) -> Option<&'static str> {
    match error {
        assemble::Error::Archive(_) | assemble::Error::Inflate(_) => Some(
            "`tinyo import` takes a tar file with the files of a root; `tinyo load` what \
             `docker save` writes",
        ),
        assemble::Error::Store(error) => of_store(error),
        assemble::Error::Kernel(error) => of_errno(error.errno),
        assemble::Error::File(error) => of_io(error),
        assemble::Error::Json(_) => None,
    }
}

fn of_store(error: &store::Error) -> Option<&'static str> {
    match error {
        store::Error::Kernel(error) => of_errno(error.errno),
        store::Error::Blob(_, error) | store::Error::Export(error) => of_io(error),
        store::Error::Unpack { source: image::unpack::Error::Kernel(_, error), .. } => {
            if error.errno == Errno::INVAL && error.call.contains("chown") {
                return Some(
                    "the user namespace has no such id: give this user 65536 of them in \
                     /etc/subuid and /etc/subgid",
                );
            }
            of_errno(error.errno)
        }
        store::Error::Origin { source, .. } => of(&**source),
        store::Error::Short { .. } | store::Error::Digest { .. } => {
            Some("try again; if it stays so, the registry's copy is damaged")
        }
        store::Error::DamagedDatabase(_) => Some(
            "move the store's folder away and pull the images again; copies of the database, if \
             there are any, help with the containers",
        ),
        store::Error::Locked => Some(
            "try again; `fuser -v tinyo.db` in the store's folder tells who holds it, if it stays so",
        ),
        store::Error::Database(_) if error.is_full_disk() => of_errno(Errno::NOSPC),
        store::Error::Disk { errno, .. } => of_errno(*errno),
        store::Error::ReadOnly => of_errno(Errno::ROFS),
        store::Error::NotAnImage { .. } => Some("`tinyo manifest inspect` shows what it is"),
        _ => None,
    }
}

fn of_registry(error: &RegistryError) -> Option<&'static str> {
    match error {
        RegistryError::Transport(error) => of_transport(error),
        RegistryError::NotFound { .. } => Some(
            "check the spelling; `tinyo search --list-tags NAME` lists the tags that there are",
        ),
        RegistryError::Status { status: 500.., .. } => {
            Some("that is the registry's own trouble; try again later")
        }
        RegistryError::Busy { .. } => {
            Some("try again later; who has logged in (`tinyo login`) may often ask for more")
        }
        RegistryError::NoServer { .. } => Some("see hosts.toml of the registry in certs.d"),
        _ => None,
    }
}

fn of_transport(error: &TransportError) -> Option<&'static str> {
    match &*error.reason {
        Reason::Resolve(_) => {
            Some("check the registry's name, the network, and the servers in /etc/resolv.conf")
        }
        Reason::Connect(_) => {
            Some("check that the registry runs and whether a proxy is needed (https_proxy)")
        }
        Reason::PlainHttp => Some(
            "for a registry without TLS: --tls-verify=false, or `insecure = true` in registries.conf",
        ),
        Reason::Tls(_) => Some(
            "for a certificate that the system does not know: --cert-dir FOLDER, or put it into \
             /etc/tinyo/certs.d/HOST/ca.crt",
        ),
        _ => None,
    }
}

fn of_io(error: &io::Error) -> Option<&'static str> {
    of_errno(Errno::from_raw_os_error(error.raw_os_error()?))
}

fn of_errno(errno: Errno) -> Option<&'static str> {
    match errno {
        Errno::NOSPC | Errno::DQUOT => Some("make room, for example with `tinyo system prune`"),
        Errno::ROFS => Some(
            "mount the disk writable again (`mount -o remount,rw`); if the kernel has made it \
             read-only, `dmesg` says why",
        ),
        Errno::IO => Some("the disk fails: `dmesg` says which, and why"),
        Errno::ACCESS | Errno::PERM => {
            Some("run it as who owns that, or name a folder of your own with --root")
        }
        Errno::MFILE | Errno::NFILE => Some("raise the limit of open files (ulimit -n)"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::advice;
    use anyhow::Context as _;
    use image::store;
    use sys::rustix::io::Errno;

    #[test]
    fn causes_are_found_below_what_was_being_done() {
        let full = || sys::Error::new("write", "", Errno::NOSPC);
        let room = Some("make room, for example with `tinyo system prune`");
        let error = Err::<(), _>(full()).context("file").unwrap_err();
        assert_eq!(advice(&error), room);
        let error = Err::<(), _>(store::Error::Kernel(full())).context("a").context("b");
        assert_eq!(advice(&error.unwrap_err()), room);
        let error = std::io::Error::from_raw_os_error(Errno::NOSPC.raw_os_error());
        assert_eq!(advice(&error.into()), room);
        for error in [engine::Error::Call(full()), store::Error::Kernel(full()).into()] {
            assert_eq!(advice(&error.into()), room);
        }
        let of_service = project::Error::from(engine::Error::Call(full()));
        assert_eq!(advice(&of_service.into()), room);
        let locked = engine::Error::Store(store::Error::Locked);
        assert!(advice(&locked.into()).is_some_and(|hint| hint.contains("fuser")));
        assert_eq!(advice(&anyhow::anyhow!("something")), None);
    }
}
