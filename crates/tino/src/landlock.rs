//! `--landlock` and its kin: the child's restrictions, prepared before it starts, so that a path
//! that is missing or a kernel that is too old ends `tino` while nothing runs yet.

use core::ffi::CStr;

use crate::Tino;
use crate::flags::{Id, Kind};
use crate::interpreter;
use crate::log::Level;
use crate::options::{HIGHEST_PORT, PRESETS};
use crate::packed::Known;
use crate::rules::{self, Rights};
use crate::sys::{self, Buffer, Errno, Ruleset, Text, Word, errno};
use crate::texts::Message;

impl Tino {
    /// Makes the ruleset that the options ask for, if they ask for one. False when something could
    /// not be had that was asked for, and that has been said.
    pub fn prepare_restrictions(&mut self) -> bool {
        self.rights = rules::wanted(self.on);
        if self.rights == 0 {
            return true;
        }
        if let Err(error) = self.create_ruleset() {
            self.lack(Message::NO_LANDLOCK, Text::NONE, error.number());
        } else if self.ruleset != sys::NONE {
            self.add_rules();
        }
        !self.lacking || self.lenient()
    }

    fn lenient(&self) -> bool {
        self.on & (Id::LandlockWarnOnly.bit() | Id::WriteWarnOnly.bit()) != 0
    }

    fn create_ruleset(&mut self) -> Result<(), Errno> {
        let abi = sys::landlock_abi()?;
        self.rights = rules::enforceable(self.rights, abi, |message| {
            self.lack(message, Text::NONE, abi.cast_signed());
        });
        if self.rights != 0 {
            self.ruleset = sys::landlock_create_ruleset(&Ruleset {
                filesystem: u64::from(self.rights & rules::FILESYSTEM),
                network: u64::from(self.rights >> rules::NETWORK & 3),
                scope: u64::from(self.rights >> rules::SCOPE),
            })?;
        }
        Ok(())
    }

    /// Says what is lacking.
    #[inline(never)]
    fn lack(&mut self, message: Message, text: Text<'_>, number: i32) {
        self.lacking = true;
        let level = if self.lenient() { Level::Warn } else { Level::Fatal };
        self.log.say(level, message, text, number);
    }

    fn add_rules(&mut self) {
        if !self.on(Id::LandlockNoDev) {
            self.allow_if_there(c"/dev", rules::WRITE_FILE);
        }
        if let Some(program) = self.command.get(0) {
            self.allow_program(*program, rules::RUNNABLE);
        }
        // The lists, where they were written: on the command line, else in the variables.
        let _said_before = self.each_word(Tino::add_rule_for);
        self.each_variable(Tino::add_rule_for);
    }

    fn add_rule_for(&mut self, option: &Known, value: Text<'_>) -> bool {
        let rights = rules::given(option.id);
        match option.kind {
            Kind::Ports => self.allow_port(value, rights),
            Kind::Presets => {
                self.allow_if_there(c"/tmp", rights);
                self.allow_if_there(c"/var/tmp", rights);
                if value.position(PRESETS) == Some(1) {
                    self.allow_if_there(c"/run", rights);
                }
            }
            // An empty one was refused before.
            Kind::Paths if value.first() != 0 => match option.id {
                Id::ExecAllow => self.allow_program(value, rights),
                Id::LandlockProfile => self.allow_profile(value, rights),
                _ => self.allow(value, rights, true),
            },
            _ => {}
        }
        true
    }

    fn allow_port(&mut self, port: Text<'_>, right: Rights) {
        let Some(number) = port.number(HIGHEST_PORT) else { return };
        let rights = (self.rights & right) >> rules::NETWORK;
        let result = self.add_rule(sys::RULE_NET_PORT, rights, number);
        self.check_allowed(result, port);
    }

    #[inline(never)]
    fn add_rule(&self, kind: usize, rights: Rights, object: u32) -> Result<(), Errno> {
        if rights == 0 {
            return Ok(());
        }
        sys::landlock_add_rule(self.ruleset, kind, u64::from(rights), u64::from(object))
    }

    #[inline(never)]
    fn check_allowed(&mut self, result: Result<(), Errno>, text: Text<'_>) {
        if let Err(error) = result {
            self.lack(Message::CANNOT_ALLOW, text, error.number());
        }
    }

    #[inline(never)]
    fn allow(&mut self, path: Text<'_>, rights: Rights, must_exist: bool) {
        let result = self.allow_path(path, rights);
        if must_exist || result != Err(errno::ENOENT) {
            self.check_allowed(result, path);
        }
    }

    fn allow_if_there(&mut self, path: &'static CStr, rights: Rights) {
        self.allow(Text::of(path), rights, false);
    }

    #[inline(never)]
    fn allow_path(&self, path: Text<'_>, rights: Rights) -> Result<(), Errno> {
        let fd = sys::open(path, sys::OPEN_PATH)?;
        let rights = rights & self.rights & rules::FILESYSTEM;
        let mut result = self.add_rule(sys::RULE_PATH_BENEATH, rights, fd);
        if result == Err(errno::EINVAL) {
            // A rule on a file may have no right that is about folders.
            let rights = rights & rules::FILE_RIGHTS;
            result = self.add_rule(sys::RULE_PATH_BENEATH, rights, fd);
        }
        sys::close(fd);
        result
    }

    /// Allows a program, and the interpreters and loaders without which it cannot be executed.
    #[inline(never)]
    fn allow_program(&mut self, name: Text<'_>, rights: Rights) {
        if self.rights & rights != 0 {
            let result = self.each_in_path(name, Tino::allow_chain, rights);
            self.check_allowed(result, name);
        }
    }

    fn allow_chain(&self, path: Text<'_>, rights: Rights) -> Result<(), Errno> {
        // The kernel follows no more than five interpreters of interpreters (ELOOP).
        const LONGEST_CHAIN: u32 = 6;
        self.allow_path(path, rights)?;
        let mut room = sys::room::<{ interpreter::LONGEST }>();
        let mut name = Buffer::over(&mut room);
        let mut fd = sys::open(path, sys::OPEN_READ);
        let mut links = 0;
        // A program that may be executed but not read has an interpreter that is not seen: it
        // must be named by an option of its own.
        while let Ok(file) = fd
            && links < LONGEST_CHAIN
        {
            let found = interpreter::of(file, &mut name);
            sys::close(file);
            if !found {
                break;
            }
            self.allow_path(name.text(), rules::RUNNABLE)?;
            fd = sys::open(name.text(), sys::OPEN_READ);
            links += 1;
        }
        Ok(())
    }

    /// A writable path a line; blank lines and those that begin with `#` say nothing.
    fn allow_profile(&mut self, file: Text<'_>, rights: Rights) {
        match read_profile(file) {
            Ok(text) => self.allow_lines(text, rights),
            Err(error) => self.check_allowed(Err(error), file),
        }
    }

    fn allow_lines(&mut self, text: Word, rights: Rights) {
        let mut next = Some(text);
        while let Some(mut line) = next {
            next = line.cut(b'\n');
            line.trim_end();
            while matches!(line.first(), b' ' | b'\t') {
                line = line.rest();
            }
            if !matches!(line.first(), b'#' | 0) {
                self.allow(*line, rights, true);
            }
        }
    }
}

fn read_profile(path: Text<'_>) -> Result<Word, Errno> {
    const LARGEST: usize = 1 << 20;
    let mut text = Buffer::over(sys::pages::<LARGEST>().ok_or(errno::ENOMEM)?);
    let fd = sys::open(path, sys::OPEN_READ)?;
    let mut result = Ok(1);
    while let Ok(1..) = result {
        result = sys::read(fd, &mut text);
    }
    sys::close(fd);
    result?;
    if text.is_full() { Err(errno::EFBIG) } else { Ok(text.into_word()) }
}
