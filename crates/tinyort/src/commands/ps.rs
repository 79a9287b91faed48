//! `ps`: a container's processes, as ps(1) of the host shows them.

use super::print;
use crate::context::Context;
use crate::exit::ExitCode;
use crate::failure::{OrFail, Result, fail};
use std::ffi::OsString;
use std::process::Command;
use tinyort::flags;

pub(crate) fn ps(context: &Context<'_>) -> Result<ExitCode> {
    let pids = runtime::processes(&context.root, &context.id()?)?;
    if context.flags.text(&flags::FORMAT) == Some("json") {
        print(&format!("{}\n", spec::json::to_line(&pids)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let default = [OsString::from("-ef")];
    let options = if context.rest().is_empty() { &default } else { context.rest() };
    let output = Command::new("ps").args(options).output().or_fail("ps(1)")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return fail(format_args!("ps: {}: {}", output.status, said.trim_end()));
    }
    print(&only(&pids, &String::from_utf8_lossy(&output.stdout))?)?;
    Ok(ExitCode::SUCCESS)
}

/// The title, and the lines of these processes.
fn only(pids: &[i32], table: &str) -> Result<String> {
    let mut lines = table.lines();
    let title = lines.next().unwrap_or_default();
    let column = title.split_whitespace().position(|name| name == "PID");
    let column = column.or_fail("the output of ps has no column PID; other options are needed")?;
    let is_ours = |line: &&str| {
        let pid = line.split_whitespace().nth(column).and_then(|word| word.parse().ok());
        pid.is_some_and(|pid| pids.contains(&pid))
    };
    let ours = std::iter::once(title).chain(lines.filter(is_ours));
    Ok(ours.flat_map(|line| [line, "\n"]).collect())
}

#[cfg(test)]
mod tests {
    use super::only;

    #[test]
    fn only_the_lines_of_the_container() {
        let table =
            "UID        PID  CMD\nroot         1  init\nroot        12  12 1\nroot        123  x\n";
        assert_eq!(only(&[12, 7], table).unwrap(), "UID        PID  CMD\nroot        12  12 1\n");
        assert!(only(&[12], "CMD\nx\n").is_err());
        assert!(only(&[12], "").is_err());
    }
}
