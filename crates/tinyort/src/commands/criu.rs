//! `checkpoint` and `restore`.

use super::create::{attend, bundle, protect_executable, request};
use crate::context::Context;
use crate::exit::ExitCode;
use crate::failure::{OrFail, Result, fail};
use runtime::{CgroupsMode, Checkpoint, Create, Criu, Foreground, Restore};
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use tinyort::flags;

pub(crate) fn checkpoint(context: &Context<'_>) -> Result<ExitCode> {
    let flags = context.flags;
    let (id, images) = (context.id()?, images(context)?);
    let pre_dump = flags.is_on(&flags::PRE_DUMP);
    let page_server = flags.text(&flags::PAGE_SERVER).map(page_server).transpose()?;
    if flags.is_on(&flags::LAZY_PAGES) && (page_server.is_none() || pre_dump) {
        return fail("--lazy-pages needs --page-server, and does not go with --pre-dump");
    }
    let warnings = runtime::checkpoint(&Checkpoint {
        root: &context.root,
        id: &id,
        options: options(context, &images),
        pre_dump,
        leave_running: flags.is_on(&flags::LEAVE_RUNNING),
        tcp_skip_in_flight: flags.is_on(&flags::TCP_SKIP_IN_FLIGHT),
        link_remap: flags.is_on(&flags::LINK_REMAP),
        parent_path: flags.path(&flags::PARENT_PATH),
        page_server,
        status: status(context)?,
    })?;
    context.warn(&warnings);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn restore(context: &Context<'_>) -> Result<ExitCode> {
    protect_executable()?;
    let flags = context.flags;
    let (id, bundle, images) = (context.id()?, bundle(context)?, images(context)?);
    if flags.is_on(&flags::NO_PIVOT) {
        context.log.warn("--no-pivot has no effect: criu makes the root");
    }
    let request = Restore {
        create: request(context, &id, &bundle)?,
        options: options(context, &images),
        lsm_profile: flags.text(&flags::LSM_PROFILE),
        lsm_mount_context: flags.text(&flags::LSM_MOUNT_CONTEXT),
    };
    if flags.is_on(&flags::DETACH) {
        context.warn(&runtime::restore(&request)?.warnings);
        return Ok(ExitCode::SUCCESS);
    }
    if request.create.console_socket.is_some() {
        return fail("--console-socket is for a container that is left alone: give --detach, too");
    }
    let foreground = Foreground::begin(!flags.is_on(&flags::NO_SUBREAPER))?;
    let create = Create { detach: false, ..request.create.clone() };
    let running = runtime::restore(&Restore { create, ..request })?;
    attend(context, foreground, running)
}

/// `./checkpoint` unless told otherwise.
fn images(context: &Context<'_>) -> Result<PathBuf> {
    let path = context.flags.path(&flags::IMAGE_PATH).unwrap_or(Path::new("checkpoint"));
    std::path::absolute(path).or_fail("--image-path")
}

fn options<'a>(context: &'a Context<'_>, image_path: &'a Path) -> Criu<'a> {
    let flags = context.flags;
    Criu {
        program: flags.path(&flags::CRIU).unwrap_or(Path::new(OsStr::new("criu"))),
        image_path,
        work_path: flags.path(&flags::WORK_PATH),
        tcp_established: flags.is_on(&flags::TCP_ESTABLISHED),
        ext_unix_sk: flags.is_on(&flags::EXT_UNIX_SK),
        shell_job: flags.is_on(&flags::SHELL_JOB),
        file_locks: flags.is_on(&flags::FILE_LOCKS),
        manage_cgroups: match flags.text(&flags::MANAGE_CGROUPS_MODE) {
            Some("ignore") => Some(CgroupsMode::Ignore),
            Some("soft") => Some(CgroupsMode::Soft),
            Some("full") => Some(CgroupsMode::Full),
            Some("strict") => Some(CgroupsMode::Strict),
            _ => None,
        },
        empty_network: flags.text(&flags::EMPTY_NS) == Some("network"),
        auto_dedup: flags.is_on(&flags::AUTO_DEDUP),
        lazy_pages: flags.is_on(&flags::LAZY_PAGES),
    }
}

/// `ADDRESS:PORT`; the address of IPv6 has brackets around it.
fn page_server(text: &str) -> Result<(&str, u16)> {
    let parts = text.rsplit_once(':').and_then(|(address, port)| {
        let bare = address.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let port = port.parse().ok().filter(|port| *port != 0)?;
        Some((bare.unwrap_or(address), port))
    });
    let wrong = format!("--page-server: {text:?} is not ADDRESS:PORT");
    parts.filter(|(address, _)| !address.is_empty()).or_fail(wrong)
}

fn status(context: &Context<'_>) -> Result<Option<OwnedFd>> {
    // -1, or nothing, is none, as for runc.
    match context.flags.number::<i32>(&flags::STATUS_FD)?.filter(|number| *number != -1) {
        None => Ok(None),
        Some(number) => sys::process::take_descriptor(number)
            .map(Some)
            .or_fail(format_args!("--status-fd: {number} is not a descriptor from 3 on")),
    }
}

#[cfg(test)]
mod tests {
    use super::page_server;

    #[test]
    fn addresses_of_page_servers() {
        assert_eq!(page_server("192.0.2.1:27").unwrap(), ("192.0.2.1", 27));
        assert_eq!(page_server("[2001:db8::1]:27").unwrap(), ("2001:db8::1", 27));
        for text in ["", "host", ":27", "host:", "host:0", "host:65536", "host:x"] {
            assert!(page_server(text).is_err(), "{text}");
        }
    }
}
