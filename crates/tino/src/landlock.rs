//! `--landlock` and its kin: the child's restrictions, prepared before it starts, so that a path
//! that is missing or a kernel that is too old ends `tino` while nothing runs yet.

use core::ffi::CStr;

use crate::child::Command;
use crate::exec::{each_in_path, with_path};
use crate::flags::Id;
use crate::interpreter;
use crate::log::{Level, Log};
use crate::options::Options;
use crate::rules::{self, Rights};
use crate::sys::{self, Buffer, Descriptor, Errno, Ruleset, Text, errno};
use crate::value::Value;
use crate::words::{Words, variables};

/// Something could not be had that was asked for, and that has been said.
pub struct Refused;

/// The ruleset that the options ask for, `None` if they ask for none.
pub fn prepare(
    options: &Options,
    command: &Command,
    words: Words<'_>,
) -> Result<Option<Descriptor>, Refused> {
    let handled = rules::wanted(options);
    if handled == 0 {
        return Ok(None);
    }
    let lenient = options.on(Id::LandlockWarnOnly) || options.on(Id::WriteWarnOnly);
    let log = words.log;
    let mut sandbox = Sandbox { log, command, lenient, handled, ruleset: -1, lacking: false };
    if let Err(error) = sandbox.create() {
        sandbox.lack(
            c"no Landlock in this kernel, or forbidden by seccomp: %e",
            Value::NONE,
            error,
        );
    } else if sandbox.ruleset >= 0 {
        sandbox.add_rules(options, words);
    }
    if sandbox.lacking && !lenient {
        return Err(Refused);
    }
    Ok((sandbox.ruleset >= 0).then_some(sandbox.ruleset))
}

struct Sandbox<'a> {
    log: &'a Log,
    command: &'a Command,
    lenient: bool,
    /// Whether anything that was asked for is not to be had.
    lacking: bool,
    /// The rights taken away.
    handled: Rights,
    /// -1 where nothing is left to enforce.
    ruleset: Descriptor,
}

impl Sandbox<'_> {
    fn create(&mut self) -> Result<(), Errno> {
        let abi = sys::landlock_abi()?;
        self.handled = rules::enforceable(self.handled, abi, &mut |name| {
            let name = Value::all(Text::of(name));
            self.lack(
                c"the kernel's Landlock (ABI %d) lacks %s",
                name,
                Errno::new(abi.cast_signed()),
            );
        });
        if self.handled != 0 {
            self.ruleset = sys::landlock_create_ruleset(&Ruleset {
                filesystem: u64::from(self.handled & rules::FILESYSTEM),
                network: u64::from(self.handled >> rules::NETWORK & 3),
                scope: u64::from(self.handled >> rules::SCOPE),
            })?;
        }
        Ok(())
    }

    /// Says what is lacking.
    #[inline(never)]
    fn lack(&mut self, format: &'static CStr, text: Value<'_>, error: Errno) {
        self.lacking = true;
        let level = if self.lenient { Level::Warn } else { Level::Fatal };
        self.log.say(level, format, text, error.number());
    }

    fn add_rules(&mut self, options: &Options, words: Words<'_>) {
        if !options.on(Id::LandlockNoDev) {
            self.allow_if_there(c"/dev", rules::WRITE_FILE);
        }
        if let Some(program) = self.command.words.get(0) {
            self.allow_program(Value::all(program), rules::RUNNABLE);
        }
        // The lists, where they were written: on the command line, else in the variables.
        let environment = self.command.environment;
        let add = |sandbox: &mut Self, id, value: Option<Value<'static>>| {
            if let Some(value) = value {
                sandbox.add(id, value);
            }
            true
        };
        let _said_before = words.options(&mut |option, value| add(self, option.id(), value));
        let visit = &mut |option: crate::packed::Known, value| {
            options.overruled(option.id()) || add(self, option.id(), value)
        };
        variables(environment, visit, &mut |_| {});
    }

    fn add(&mut self, id: Id, value: Value<'static>) {
        match id {
            Id::LandlockWritable => self.allow(value, rules::WRITABLE),
            Id::ReadAllow => self.allow(value, rules::READABLE),
            Id::DeviceIoctlAllow => self.allow(value, rules::CONTROLLABLE),
            Id::ExecAllow => self.allow_program(value, rules::EXECUTABLE),
            Id::BindTcpAllow => self.allow_port(value, rules::BIND_TCP),
            Id::ConnectTcpAllow => self.allow_port(value, rules::CONNECT_TCP),
            Id::LandlockProfile => self.allow_profile(value),
            Id::WritePreset => {
                self.allow_if_there(c"/tmp", rules::WRITABLE);
                self.allow_if_there(c"/var/tmp", rules::WRITABLE);
                if value.first().eq_ignore_ascii_case(&b'r') {
                    self.allow_if_there(c"/run", rules::WRITABLE);
                }
            }
            _ => {}
        }
    }

    #[inline(never)]
    fn allow_port(&mut self, port: Value<'_>, right: Rights) {
        let rights = (self.handled & right) >> rules::NETWORK;
        let number = port.number(u32::MAX).unwrap_or_default();
        let result = self.add_rule(sys::RULE_NET_PORT, rights, number);
        self.check(result, port);
    }

    #[inline(never)]
    fn add_rule(&self, kind: usize, rights: Rights, object: u32) -> Result<(), Errno> {
        if rights == 0 {
            return Ok(());
        }
        sys::landlock_add_rule(self.ruleset, kind, u64::from(rights), u64::from(object))
    }

    fn check(&mut self, result: Result<(), Errno>, text: Value<'_>) {
        if let Err(error) = result {
            self.lack(c"cannot allow %s: %e", text, error);
        }
    }

    #[inline(never)]
    fn allow(&mut self, path: Value<'_>, rights: Rights) {
        let result = self.try_allow(path, rights);
        self.check(result, path);
    }

    #[inline(never)]
    fn allow_if_there(&mut self, path: &'static CStr, rights: Rights) {
        let path = Value::all(Text::of(path));
        let result = self.try_allow(path, rights);
        if result != Err(errno::ENOENT) {
            self.check(result, path);
        }
    }

    #[inline(never)]
    fn try_allow(&self, path: Value<'_>, rights: Rights) -> Result<(), Errno> {
        with_path(path, &mut |path| self.allow_path(path, rights))
    }

    #[inline(never)]
    fn allow_path(&self, path: Text<'_>, rights: Rights) -> Result<(), Errno> {
        let fd = sys::open(path, sys::OPEN_PATH)?;
        let rights = rights & self.handled & rules::FILESYSTEM;
        let mut result = self.add_rule(sys::RULE_PATH_BENEATH, rights, fd as u32);
        if result == Err(errno::EINVAL) {
            // A rule on a file may have no right that is about folders.
            let rights = rights & rules::FILE_RIGHTS;
            result = self.add_rule(sys::RULE_PATH_BENEATH, rights, fd as u32);
        }
        sys::close(fd);
        result
    }

    /// Allows a program, and the interpreters and loaders without which it cannot be executed.
    #[inline(never)]
    fn allow_program(&mut self, name: Value<'_>, rights: Rights) {
        if self.handled & rights != 0 {
            let environment = self.command.environment;
            let result =
                each_in_path(environment, name, &mut |path| self.allow_chain(path, rights));
            self.check(result, name);
        }
    }

    fn allow_chain(&self, path: Text<'_>, rights: Rights) -> Result<(), Errno> {
        // The kernel follows no more than five interpreters of interpreters (ELOOP).
        const LONGEST_CHAIN: u32 = 6;
        self.allow_path(path, rights)?;
        let mut memory = [0; interpreter::LONGEST];
        let mut name = Buffer::over(&mut memory);
        let mut fd = sys::open(path, sys::OPEN_READ);
        for _ in 0..LONGEST_CHAIN {
            // A program that may be executed but not read has an interpreter that is not seen: it
            // must be named by an option of its own.
            let Ok(file) = fd else { break };
            let found = interpreter::of(file, &mut name);
            sys::close(file);
            if !found {
                break;
            }
            self.allow_path(name.text(), rules::RUNNABLE)?;
            fd = sys::open(name.text(), sys::OPEN_READ);
        }
        Ok(())
    }

    /// A writable path a line; blank lines and those that begin with `#` say nothing.
    #[inline(never)]
    fn allow_profile(&mut self, file: Value<'_>) {
        const LARGEST: usize = 1 << 20;
        let mut next = None;
        let result = with_path(file, &mut |path| {
            let text = sys::read_lines(path, LARGEST)?;
            next = Some(Value { text, end: b'\n' });
            Ok(())
        });
        self.check(result, file);
        while let Some(line) = next {
            let mut path = line;
            while matches!(path.first(), b' ' | b'\t') {
                path = path.rest();
            }
            if !matches!(path.first(), b'#' | 0) {
                self.allow(path, rules::WRITABLE);
            }
            next = line.next_part();
        }
    }
}
