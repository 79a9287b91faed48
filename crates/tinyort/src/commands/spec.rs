//! `spec`: a configuration to begin with.

use crate::context::Context;
use crate::exit::ExitCode;
use crate::failure::{OrFail, Result, fail};
use spec::runtime::{TEMPLATE, rootless_template};
use std::borrow::Cow;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;
use sys::rustix::process::{getegid, geteuid};
use tinyort::flags;

pub(crate) fn spec(context: &Context<'_>) -> Result<ExitCode> {
    let text = if context.flags.is_on(&flags::SPEC_ROOTLESS) {
        Cow::Owned(rootless_template(geteuid().as_raw(), getegid().as_raw()))
    } else {
        Cow::Borrowed(TEMPLATE)
    };
    let folder = context.flags.path(&flags::BUNDLE).unwrap_or(Path::new("."));
    let path = folder.join("config.json");
    let mut file = match File::create_new(&path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return fail(format_args!("{} exists: remove it first", path.display()));
        }
        result => result.or_fail(path.display())?,
    };
    file.write_all(text.as_bytes()).or_fail(path.display())?;
    Ok(ExitCode::SUCCESS)
}
