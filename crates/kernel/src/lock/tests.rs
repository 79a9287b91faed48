use super::{Error, Kind, PATIENCE, holder, take};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use sys::rustix::process::{Pid, Signal, kill_process};

const SHORT: Duration = Duration::from_millis(300);

/// A file, and a process that has its lock.
struct Locked {
    path: PathBuf,
    child: Child,
}

impl Locked {
    /// `script` is what it does next.
    fn new(name: &str, script: &str) -> Locked {
        let path = std::env::temp_dir().join(format!("tinyo-lock-{name}-{}", std::process::id()));
        File::create(&path).unwrap();
        let script = format!("exec 9<{}; flock 9; echo held; {script}", path.display());
        let mut child =
            Command::new("bash").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        Locked { path, child }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.path);
    }
}

#[test]
fn who_stands_still_is_not_waited_for() {
    let locked = Locked::new("still", "read x <> <(:)");
    locked.signal(Signal::STOP);
    let file = File::open(&locked.path).unwrap();
    let Err(Error::Held { path, holder }) = take(file.as_fd(), SHORT) else {
        panic!("it is taken");
    };
    assert_eq!(
        (path.as_str(), holder.pid),
        (locked.path.to_str().unwrap(), locked.child.id().cast_signed())
    );
    assert!(holder.is_stopped() && holder.command.starts_with("bash -c exec 9<"), "{holder:?}");
    let text = holder.to_string();
    assert!(text.contains("is stopped: `kill -CONT ") && !text.contains('\n'), "{text}");
    // He goes on, and ends one day.
    locked.signal(Signal::CONT);
    locked.signal(Signal::KILL);
    take(file.as_fd(), PATIENCE).unwrap();
}

#[test]
fn who_works_is_waited_for() {
    /// Longer than a busy machine lets anybody wait for a processor, shorter than the work takes.
    const PATIENCE: Duration = Duration::from_secs(3);
    // No program is loaded meanwhile: a busy disk would hold that up.
    let work = "exec 8<> <(:); for ((i = 0; i < 100; i++)); do read -t 0.05 -u 8; done";
    let locked = Locked::new("works", work);
    let file = File::open(&locked.path).unwrap();
    take(file.as_fd(), PATIENCE).unwrap();
}

#[test]
fn who_it_is_said_of_files_without_holders() {
    let path = std::env::temp_dir().join(format!("tinyo-lock-free-{}", std::process::id()));
    let file = File::create(&path).unwrap();
    assert_eq!(holder(&path, Kind::File), None);
    // Oneself is nobody else.
    take(file.as_fd(), SHORT).unwrap();
    assert_eq!(holder(&path, Kind::File), None);
    std::fs::remove_file(&path).unwrap();
    let locked = Locked::new("who", "read x <> <(:)");
    assert_eq!(holder(&locked.path, Kind::File).unwrap().pid, locked.child.id().cast_signed());
    assert_eq!(holder(&locked.path, Kind::Record), None);
}
