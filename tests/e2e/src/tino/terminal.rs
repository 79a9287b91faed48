//! Job control: `tino` between a shell, a terminal and a program.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::expect_eq;
use crate::support::pty::Pty;
use crate::support::{Launch, Place, Running, own_program, processes, until};

/// A shell with job control on a terminal.
struct Session {
    pty: Pty,
    shell: Running,
    /// `tino` as one word for the shell.
    tino: String,
    /// The actor as words for the shell.
    actor: String,
}

const PROMPT: &str = "prompt> ";

impl Session {
    /// None when there is no shell here. With a `wrapper`, the shell runs under it.
    fn start(wrapper: Option<Launch>) -> Result<Option<Self>> {
        let shells = [("/bin/bash", &["--norc", "--noediting", "-i"][..]), ("/bin/sh", &["-i"])];
        let Some((path, options)) = shells.into_iter().find(|(path, _)| Path::new(path).exists())
        else {
            return Ok(None);
        };
        let (pty, slave) = Pty::open()?;
        let launch = match wrapper {
            Some(wrapper) => wrapper.words(&["--", path]),
            None => Launch::new(path),
        };
        let shell = launch
            .words(options)
            .env(format!("PS1={PROMPT}"))
            .env("TERM=dumb")
            .env("HISTFILE=/dev/null")
            .terminal(slave)
            .start()?;
        let tino = harness::tino().display().to_string();
        let actor = format!("{} --helper", own_program().display());
        let mut session = Self { pty, shell, tino, actor };
        session.pty.see(PROMPT)?;
        Ok(Some(session))
    }

    /// Types a command line. The echo of it must not be taken for its output, so tests look for
    /// text that is not in the line.
    fn enter(&mut self, line: &str) -> Result<()> {
        self.pty.type_text(&format!("{line}\n"))
    }

    /// Types a command line that runs `steps` under `tino`.
    fn enter_tino(&mut self, options: &str, steps: &str, after: &str) -> Result<()> {
        let line = format!("{} {options} -- {} {steps} {after}", self.tino, self.actor);
        self.enter(&line)
    }

    /// The actor that speaks `NAME pid P ...`.
    fn see_ids(&mut self, name: &str) -> Result<(i32, i32)> {
        self.pty.see(&format!("{name} pid "))?;
        let text = self.pty.see("session")?;
        let words: Vec<&str> = text.split_whitespace().collect();
        Ok((words[0].parse()?, words[4].parse()?))
    }

    fn see_prompt(&mut self) -> Result<()> {
        self.pty.see(PROMPT).map(drop)
    }
}

fn state(pid: i32) -> char {
    processes::stat(pid).map_or('-', |stat| stat.state)
}

/// Does `body` with a shell, or skips.
fn with_shell(body: impl FnOnce(&mut Session) -> Result<()>) -> Result<()> {
    match Session::start(None)? {
        Some(mut session) => body(&mut session),
        None => harness::skip("no shell at /bin/bash or /bin/sh"),
    }
}

pub(crate) fn the_child_of_a_foreground_job_has_the_terminal() -> Result<()> {
    for options in ["", "-g", "-c", "-s"] {
        with_shell(|session| {
            session.enter_tino(options, "ids=actor pause", "")?;
            let (_, group) = session.see_ids("actor")?;
            until("its group is in the foreground", || session.pty.foreground() == group)?;
            session.pty.type_text("\x03")?;
            session.see_prompt()?;
            session.enter("echo code=$?")?;
            session.pty.see("code=130").map(drop)
        })?;
    }
    Ok(())
}

pub(crate) fn ctrl_z_stops_the_job_and_fg_goes_on() -> Result<()> {
    for options in ["", "-g", "-c"] {
        with_shell(|session| {
            session.enter_tino(options, "ids=actor say=up record=2", "")?;
            // An actor that records TSTP instead of stopping would prove nothing.
            let _ = session.see_ids("actor")?;
            session.pty.see("ready")?;
            session.pty.type_text("\x03")?;
            session.see_prompt()?;
            stop_and_go_on(session, options)
        })?;
    }
    Ok(())
}

fn stop_and_go_on(session: &mut Session, options: &str) -> Result<()> {
    session.enter_tino(options, "ids=actor pause", "")?;
    let (actor, group) = session.see_ids("actor")?;
    let init = processes::stat(actor).map_or(0, |stat| stat.parent);
    for _ in 0..3 {
        until("it has the terminal", || session.pty.foreground() == group)?;
        session.pty.type_text("\x1a")?;
        session.pty.see("Stopped")?;
        session.see_prompt()?;
        // The shell waits for the init alone: the actor may be a moment later.
        until("both are stopped", || (state(init), state(actor)) == ('T', 'T'))
            .with_context(|| format!("options {options:?}"))?;
        session.enter("jobs; echo listed $((1+1))")?;
        session.pty.see("Stopped")?;
        session.pty.see("listed 2")?;
        session.see_prompt()?;
        session.enter("fg")?;
        until("both run again", || state(init) == 'S' && state(actor) == 'S')?;
    }
    until("it has the terminal", || session.pty.foreground() == group)?;
    session.pty.type_text("\x03")?;
    session.see_prompt()?;
    session.enter("echo code=$?")?;
    session.pty.see("code=130")?;
    Ok(())
}

pub(crate) fn bg_goes_on_without_the_terminal() -> Result<()> {
    with_shell(|session| {
        session.enter_tino("", "ids=actor pause", "")?;
        let (actor, group) = session.see_ids("actor")?;
        let init = processes::stat(actor).map_or(0, |stat| stat.parent);
        until("it has the terminal", || session.pty.foreground() == group)?;
        session.pty.type_text("\x1a")?;
        session.pty.see("Stopped")?;
        session.see_prompt()?;
        session.enter("bg")?;
        until("both run again", || state(init) == 'S' && state(actor) == 'S')?;
        session.enter("echo the shell has $((40+2))")?;
        session.pty.see("has 42")?;
        expect_eq!(session.pty.foreground() == group, false, "the terminal was stolen");
        session.see_prompt()?;
        interrupt_in_foreground(session, (actor, group))
    })
}

/// Fetches a running background job with `fg`, and ends it with Ctrl-C. The shell gives the
/// terminal to the group of `tino`, and tells nobody.
fn interrupt_in_foreground(session: &mut Session, (actor, group): (i32, i32)) -> Result<()> {
    let init = processes::stat(actor).map_or(0, |stat| stat.parent);
    session.enter("fg")?;
    until("it has the terminal", || [init, group].contains(&session.pty.foreground()))?;
    session.pty.type_text("\x03")?;
    session.see_prompt()?;
    until("it has ended", || !processes::alive(actor) && !processes::alive(init))
}

pub(crate) fn a_background_job_does_not_steal_the_terminal() -> Result<()> {
    with_shell(|session| {
        session.enter_tino("", "ids=actor pause", "&")?;
        let (actor, group) = session.see_ids("actor")?;
        session.enter("echo the shell has $((40+2))")?;
        session.pty.see("has 42")?;
        expect_eq!(session.pty.foreground() == group, false, "the terminal was stolen");
        expect_eq!(session.pty.foreground(), session.shell.pid);
        session.see_prompt()?;
        interrupt_in_foreground(session, (actor, group))
    })
}

pub(crate) fn a_background_job_that_reads_waits_for_fg() -> Result<()> {
    for options in ["", "-g", "-c"] {
        with_shell(|session| {
            session.enter_tino(options, "ids=actor read-line", "&")?;
            let (actor, _) = session.see_ids("actor")?;
            let init = processes::stat(actor).map_or(0, |stat| stat.parent);
            until("the job is stopped", || state(actor) == 'T' && state(init) == 'T')?;
            session.enter("jobs; echo listed $((1+1))")?;
            session.pty.see("Stopped")?;
            session.pty.see("listed 2")?;
            session.see_prompt()?;
            session.enter("fg")?;
            until("both run again", || state(init) == 'S' && state(actor) == 'S')?;
            session.enter("some text")?;
            session.pty.see("read some text")?;
            session.see_prompt()
        })?;
    }
    Ok(())
}

pub(crate) fn a_job_fetched_while_it_runs_can_read() -> Result<()> {
    with_shell(|session| {
        session.enter_tino("", "ids=actor record=10 unblock read-line", "&")?;
        let (actor, _) = session.see_ids("actor")?;
        session.pty.see("ready")?;
        let init = processes::stat(actor).map_or(0, |stat| stat.parent);
        session.enter("fg")?;
        until("it has the terminal", || session.pty.foreground() == init)?;
        crate::support::sys::send(init, libc::SIGUSR1)?;
        session.pty.see("got 10")?;
        session.enter("some text")?;
        session.pty.see("read some text")?;
        session.see_prompt()
    })
}

pub(crate) fn ctrl_c_reaches_a_child_in_the_same_group_once() -> Result<()> {
    with_shell(|session| {
        session.enter_tino("-c", "record=12", "")?;
        session.pty.see("ready")?;
        session.pty.type_text("\x03")?;
        session.pty.see("got 2 ")?;
        // What was passed on a second time would come before USR2, which has a higher number.
        let init = processes::children(session.shell.pid)[0];
        crate::support::sys::send(init, libc::SIGUSR2)?;
        let shown = session.pty.see("got 12 ")?;
        expect_eq!(shown.contains("got 2 "), false, "{shown}");
        session.see_prompt()
    })
}

pub(crate) fn a_shell_under_tino_has_job_control() -> Result<()> {
    for (place, options) in
        [(Place::Ordinary, &[][..]), (Place::PidOne, &[]), (Place::PidOne, &["-g"])]
    {
        let wrapper = Launch::tino(options).place(place);
        let Some(mut session) = Session::start(Some(wrapper))? else {
            return harness::skip("no shell at /bin/bash or /bin/sh");
        };
        let actor = session.actor.clone();
        session.enter(&format!("{actor} say=u\"\"p pause"))?;
        session.pty.see("\nup")?;
        session.pty.type_text("\x1a")?;
        session.pty.see("Stopped")?;
        session.see_prompt()?;
        session.enter("fg; echo code=$?")?;
        until("the job is in the foreground", || {
            let inner = processes::children(session.shell.pid);
            inner.first().is_some_and(|shell| session.pty.foreground() != *shell)
        })?;
        session.pty.type_text("\x03")?;
        session.see_prompt()?;
        expect_eq!(session.pty.screen().contains("no job control"), false);
        session.enter("exit 6")?;
        session.shell.finish()?.expect_code(6)?;
    }
    Ok(())
}

/// Nobody could continue PID 1, nor the group of a session's leader: there Ctrl-Z does nothing.
pub(crate) fn ctrl_z_cannot_wedge_an_init_that_nobody_can_continue() -> Result<()> {
    for place in [Place::Ordinary, Place::PidOne] {
        let (mut pty, slave) = Pty::open()?;
        let running =
            Launch::tino(&[]).act(&["say=up", "pause"]).place(place).terminal(slave).start()?;
        pty.see("up")?;
        let child = running.child()?;
        until("it has the terminal", || pty.foreground() == child)?;
        for _ in 0..3 {
            pty.type_text("\x1a")?;
            pty.see("^Z")?;
        }
        until("both run", || state(child) == 'S' && state(running.pid) == 'S')?;
        pty.type_text("\x03")?;
        running.finish()?.expect_code(130)?;
    }
    Ok(())
}

pub(crate) fn the_end_of_the_terminal_is_passed_on() -> Result<()> {
    let (mut pty, slave) = Pty::open()?;
    let running = Launch::tino(&[]).act(&["say=up", "pause"]).terminal(slave).start()?;
    pty.see("up")?;
    drop(pty);
    running.finish()?.expect_code(129)?;
    Ok(())
}
