//! `list`: all containers, as a table, in JSON, or only their ids.

use super::{print, state::details};
use crate::context::Context;
use crate::exit::ExitCode;
use crate::failure::Result;
use runtime::Summary;
use tinyort::flags;

pub(crate) fn list(context: &Context<'_>) -> Result<ExitCode> {
    let (containers, problems) = runtime::list(&context.root)?;
    problems.iter().for_each(|problem| context.log.warn(&problem.to_string()));
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let text = if context.flags.is_on(&flags::QUIET) {
        containers.iter().map(|container| format!("{}\n", container.id)).collect()
    } else if context.flags.text(&flags::FORMAT) == Some("json") {
        let all: Vec<_> =
            containers.iter().map(|it| details(it, name_of(it.owner, &users))).collect();
        spec::json::to_line(&all)? + "\n"
    } else {
        table(&containers, &users)
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The name of a user, or the number after `#` for one that has none.
fn name_of(user: u32, users: &str) -> String {
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(user)).then_some(name)
    });
    name.map_or_else(|| format!("#{user}"), str::to_owned)
}

fn table(containers: &[Summary], users: &str) -> String {
    let title = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned);
    let lines = containers.iter().map(|it| {
        [
            it.id.to_string(),
            it.pid.to_string(),
            it.status.to_string(),
            it.bundle.clone(),
            it.created.clone(),
            name_of(it.owner, users),
        ]
    });
    let lines: Vec<[String; 6]> = std::iter::once(title).chain(lines).collect();
    align(&lines)
}

/// Columns of at least 12 characters, 3 of them space, as runc's are.
fn align<const N: usize>(lines: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(12 - 3).max(*width);
        }
    }
    let mut text = String::new();
    for line in lines {
        for (width, cell) in widths.iter().zip(line) {
            text.push_str(&format!("{cell:width$}   "));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{align, name_of};

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let lines = [["ID", "PID", "X"], ["a-long-container-id", "7", "y"]];
        let lines = lines.map(|line| line.map(str::to_owned));
        let expected = "\
ID                    PID         X
a-long-container-id   7           y
";
        assert_eq!(align(&lines), expected);
    }

    #[test]
    fn owners_have_names_where_there_are_any() {
        let users = "root:x:0:0:root:/root:/bin/sh\nme:x:1000:1000::/:/bin/sh\nbroken\n";
        assert_eq!(name_of(1000, users), "me");
        assert_eq!(name_of(7, users), "#7");
    }
}
