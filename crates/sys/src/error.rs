//! A failed system call.

use rustix::io::Errno;
use std::fmt;

/// A failed system call, which reads like a line of strace:
/// `openat2(5, "etc/passwd", O_PATH): Too many levels of symbolic links (errno 40)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The name of the call, as in section 2 of the manual.
    pub call: &'static str,
    /// The arguments that matter, as strace would print them.
    pub arguments: String,
    /// What the kernel answered.
    pub errno: Errno,
}

impl Error {
    /// A failure of `call` with these arguments.
    pub fn new(call: &'static str, arguments: impl Into<String>, errno: Errno) -> Error {
        Error { call, arguments: arguments.into(), errno }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Error { call, arguments, errno } = self;
        // io::Error's text for the number, without its " (os error N)".
        let text = std::io::Error::from_raw_os_error(errno.raw_os_error()).to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        write!(formatter, "{call}({arguments}): {text} (errno {})", errno.raw_os_error())?;
        match *errno {
            Errno::NOSYS => formatter.write_str(
                "; the kernel is older than Linux 5.12, or a filter keeps the call back",
            ),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// Names the call in the error of a rustix function.
pub trait OrError<T> {
    /// Adds the call's name, and its arguments, made only when it failed.
    ///
    /// # Errors
    /// The error it was, with call and arguments.
    fn or_error<S: Into<String>>(
        self,
        call: &'static str,
        arguments: impl FnOnce() -> S,
    ) -> Result<T, Error>;
}

impl<T> OrError<T> for Result<T, Errno> {
    fn or_error<S: Into<String>>(
        self,
        call: &'static str,
        arguments: impl FnOnce() -> S,
    ) -> Result<T, Error> {
        self.map_err(|errno| Error::new(call, arguments(), errno))
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, OrError};
    use rustix::io::Errno;

    #[test]
    fn reads_like_a_line_of_strace() {
        let error = Err::<(), _>(Errno::LOOP).or_error("openat2", || r#"5, "etc", O_PATH"#);
        let text = error.unwrap_err().to_string();
        assert_eq!(
            text,
            r#"openat2(5, "etc", O_PATH): Too many levels of symbolic links (errno 40)"#
        );
        let text = Error::new("clone3", "", Errno::NOSYS).to_string();
        assert!(
            text.ends_with(
                "; the kernel is older than Linux 5.12, or a filter keeps the call back"
            )
        );
        assert_eq!(Error::new("fork", "", Errno::AGAIN).errno, Errno::AGAIN);
    }
}
