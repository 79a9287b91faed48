//! Finding the program and becoming it: execvp(3) without libc.

use crate::child::Command;
use crate::log::{Level, Log};
use crate::personality::Personality;
use crate::sys::{self, Buffer, Errno, PATH_MAX, Text, Texts, errno};
use crate::value::Value;
use crate::words::lookup;

/// Executes the command. Returns only when it failed, with the exit code that says so.
pub fn exec(log: &Log, command: &Command) -> i32 {
    let program = command.words.get(0).map_or(Value::NONE, Value::all);
    let result =
        each_in_path(command.environment, program, &mut |path| Err(execute(command, path)));
    let error = result.err().unwrap_or(errno::ENOENT);
    log.say(Level::Fatal, c"exec %s failed: %e", program, error.number());
    exit_code(log.personality, error)
}

const fn exit_code(personality: Personality, error: Errno) -> i32 {
    let not_found =
        matches!(error, errno::ENOENT | errno::ENOTDIR | errno::ELOOP | errno::ENAMETOOLONG);
    match personality {
        Personality::DumbInit => 2,
        Personality::Catatonit => 1,
        _ if not_found => 127,
        Personality::Tini if !matches!(error, errno::EACCES) => 1,
        _ => 126,
    }
}

/// What is done with a path.
pub type Visit<'a> = &'a mut dyn FnMut(Text<'_>) -> Result<(), Errno>;

/// Visits a path that is part of a list.
#[inline(never)]
pub fn with_path(path: Value<'_>, visit: Visit<'_>) -> Result<(), Errno> {
    let mut memory = [0; PATH_MAX];
    let mut buffer = Buffer::over(&mut memory);
    if buffer.append(path.text, path.end) { visit(buffer.text()) } else { Err(errno::ENAMETOOLONG) }
}

/// Visits the path of a program: a name without a slash in each folder of `$PATH`, as long as
/// there is no such file or it may not be visited. `EACCES`, if it occurred, is a better answer
/// than `ENOENT`.
#[inline(never)]
pub fn each_in_path(environment: Texts, name: Value<'_>, visit: Visit<'_>) -> Result<(), Errno> {
    let mut rest = name;
    while rest.first() != b'/' {
        if rest.is_empty() {
            return search(environment, name, visit);
        }
        rest = rest.rest();
    }
    with_path(name, visit)
}

fn search(environment: Texts, name: Value<'_>, visit: Visit<'_>) -> Result<(), Errno> {
    let mut result = Err(errno::ENOENT);
    if name.is_empty() {
        return result;
    }
    let mut memory = [0; PATH_MAX];
    let mut path = Buffer::over(&mut memory);
    // Without a $PATH, where C libraries look.
    let folders = lookup(environment, Value::all(Text::of(c"PATH")));
    let mut next = Some(Value { text: folders.unwrap_or(Text::of(c"/bin:/usr/bin")), end: b':' });
    while let Some(folder) = next {
        path.clear();
        // An empty folder is the current one. One that is too long holds nothing.
        let fits = path.append(folder.text, folder.end)
            && (folder.is_empty() || path.push(b'/'))
            && path.append(name.text, name.end);
        if fits {
            match visit(path.text()) {
                Err(errno::EACCES) => result = Err(errno::EACCES),
                Err(errno::ENOENT | errno::ENOTDIR) => {}
                Err(errno::ESTALE | errno::ENODEV | errno::ETIMEDOUT) => {}
                other => return other,
            }
        }
        next = folder.next_part();
    }
    result
}

/// A file that the kernel does not know how to execute is taken for a shell script, as
/// execvp(3) does.
fn execute(command: &Command, path: Text<'_>) -> Errno {
    let error = sys::execve(path, command.words, command.environment);
    if error == errno::ENOEXEC
        && let Some(script) = sys::keep(path)
    {
        // The word before the program's name is one of tino's own, or its name: there always is
        // one, and nobody needs it any more.
        let shell = command.words.before();
        shell.set(0, Some(Text::of(c"/bin/sh")));
        shell.set(1, Some(script));
        let _not_executable_either = sys::execve(Text::of(c"/bin/sh"), shell, command.environment);
    }
    error
}
