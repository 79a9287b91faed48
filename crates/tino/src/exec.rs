//! Finding the program and becoming it: execvp(3) without libc.

use crate::Tino;
use crate::log::Level;
use crate::personality::Personality;
use crate::rules::Rights;
use crate::sys::{self, Buffer, Errno, PATH_MAX, Text, errno};
use crate::texts::Message;
use crate::words::lookup;

/// What is done with a path, and with which rights.
pub type Visit = fn(&Tino, Text<'_>, Rights) -> Result<(), Errno>;

impl Tino {
    /// Executes the command. Returns only when it failed, with the exit code that says so.
    pub fn exec(&self) -> i32 {
        let program = self.command.get(0).map_or(Text::NONE, |program| *program);
        let result = self.each_in_path(program, Tino::execute, 0);
        let error = result.err().unwrap_or(errno::ENOENT);
        self.log.say(Level::Fatal, Message::EXEC_FAILED, program, error.number());
        exit_code(self.log.personality, error)
    }

    /// A file that the kernel does not know how to execute is taken for a shell script, as
    /// execvp(3) does.
    fn execute(&self, path: Text<'_>, _: Rights) -> Result<(), Errno> {
        let result = sys::execve(path, self.command, self.environment);
        if result == Err(errno::ENOEXEC) {
            sys::execve_by_shell(path, self.command, self.environment);
        }
        result
    }

    /// Visits the path of a program: a name without a slash in each folder of `$PATH`, as long as
    /// there is no such file or it may not be visited. `EACCES`, if it occurred, is a better
    /// answer than `ENOENT`.
    #[inline(never)]
    pub fn each_in_path(&self, name: Text<'_>, visit: Visit, rights: Rights) -> Result<(), Errno> {
        if name.behind(b'/').is_some() {
            return visit(self, name, rights);
        }
        let mut result = Err(errno::ENOENT);
        if name.first() == 0 {
            return result;
        }
        // Without a $PATH, where C libraries look.
        let folders = lookup(self.environment, Text::of(c"PATH"));
        let mut next = Some(folders.unwrap_or(Text::of(c"/bin:/usr/bin")));
        while let Some(folder) = next {
            next = folder.behind(b':');
            let mut room = sys::room::<{ PATH_MAX + 1 }>();
            let mut path = Buffer::over(&mut room);
            path.append(folder, b':');
            // An empty folder is the current one.
            if path.length() != 0 {
                path.push(b'/');
            }
            path.append(name, 0);
            // One that is too long holds nothing.
            if path.is_full() {
                continue;
            }
            match visit(self, path.text(), rights) {
                Err(errno::EACCES) => result = Err(errno::EACCES),
                Err(errno::ENOENT | errno::ENOTDIR) => {}
                Err(errno::ESTALE | errno::ENODEV | errno::ETIMEDOUT) => {}
                other => return other,
            }
        }
        result
    }
}

const fn exit_code(personality: Personality, error: Errno) -> i32 {
    match (personality, error) {
        (Personality::DumbInit, _) => 2,
        (Personality::Catatonit, _) => 1,
        (_, errno::ENOENT | errno::ENOTDIR | errno::ELOOP | errno::ENAMETOOLONG) => 127,
        (_, errno::EACCES) => 126,
        (Personality::Tini, _) => 1,
        _ => 126,
    }
}
