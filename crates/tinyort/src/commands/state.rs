//! `state`: what a container is doing.

use super::print;
use crate::context::Context;
use crate::exit::ExitCode;
use crate::failure::Result;
use runtime::{Container, Summary};
use spec::runtime::{Details, VERSION};

pub(crate) fn state(context: &Context<'_>) -> Result<ExitCode> {
    let summary = Container::open(&context.root, &context.id()?)?.summary()?;
    let text = spec::json::to_lines(&details(&summary, String::new()), "  ")?;
    print(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// What is printed of a container.
pub(super) fn details<'a>(summary: &'a Summary, owner: String) -> Details<'a> {
    let annotations = summary.annotations.iter();
    Details {
        oci_version: VERSION.into(),
        id: summary.id.as_str().into(),
        pid: summary.pid,
        status: summary.status,
        bundle: summary.bundle.as_str().into(),
        rootfs: summary.rootfs.as_str().into(),
        created: summary.created.as_str().into(),
        annotations: annotations.map(|(name, value)| (name.as_str(), value.into())).collect(),
        owner: owner.into(),
    }
}
