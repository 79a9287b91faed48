//! Commands that change a container and print nothing.

use crate::context::Context;
use crate::exit::ExitCode;
use crate::failure::{OrFail, Result};
use sys::signal_name;
use tinyort::flags;

pub(crate) fn start(context: &Context<'_>) -> Result<ExitCode> {
    runtime::start(&context.root, &context.id()?, context.notify_socket.as_deref())?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn kill(context: &Context<'_>) -> Result<ExitCode> {
    let signal = context.rest().first().map_or(Ok("TERM"), Context::text)?;
    let wrong = || format!("{signal:?} is no signal: give a name such as TERM, or 1 to 64");
    let signal = signal_name::parse(signal).or_fail(wrong())?;
    let all = context.flags.is_on(&flags::ALL);
    match runtime::kill(&context.root, &context.id()?, signal, all) {
        // As runc: with --all it is enough that none is left.
        Err(runtime::Error::NotRunning(_)) if all => Ok(ExitCode::SUCCESS),
        result => Ok(result.map(|()| ExitCode::SUCCESS)?),
    }
}

pub(crate) fn pause(context: &Context<'_>) -> Result<ExitCode> {
    runtime::pause(&context.root, &context.id()?)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn resume(context: &Context<'_>) -> Result<ExitCode> {
    runtime::resume(&context.root, &context.id()?)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn delete(context: &Context<'_>) -> Result<ExitCode> {
    let force = context.flags.is_on(&flags::FORCE);
    context.warn(&runtime::delete(&context.root, &context.id()?, force)?);
    Ok(ExitCode::SUCCESS)
}
