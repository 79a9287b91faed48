//! How long the steps of a start took: `--timings`.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

/// How long the steps of a start took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timings {
    /// Until the last byte of the image had come.
    pub(crate) download: Duration,
    /// From then on until the image was whole: most is unpacked while it comes.
    pub(crate) unpack: Duration,
    /// Until there was a container.
    pub(crate) prepare: Duration,
    /// Until its program ran and, where that is waited for, worked.
    pub(crate) start: Duration,
}

const HEADINGS: [&str; 5] = ["download", "unpack", "prepare", "start", "total"];

impl Timings {
    fn all(&self) -> [Duration; 4] {
        [self.download, self.unpack, self.prepare, self.start]
    }
}

/// The steps of one container, a line each.
pub(crate) fn print_one(timings: &Timings, total: Duration) {
    let times = timings.all().into_iter().chain([total]);
    let mut text = String::new();
    for (heading, time) in HEADINGS.iter().zip(times) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{heading:<8} {:>9.3} s", time.as_secs_f64());
    }
    print(&text);
}

/// The steps of several services, a line for each of these.
pub(crate) fn print_several(all: &[(String, Timings)], total: Duration) {
    let width = all.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(7);
    let mut text = format!("{:width$}", "seconds");
    for heading in HEADINGS {
        // Writing to a String cannot fail.
        let _ = write!(text, " {heading:>9}");
    }
    for (name, timings) in all {
        let _ = write!(text, "\n{name:width$}");
        let steps = timings.all();
        for time in steps.into_iter().chain([steps.iter().sum()]) {
            let _ = write!(text, " {:>9.3}", time.as_secs_f64());
        }
    }
    // Services wait for each other, and images come at the same time: this is no sum.
    let _ = writeln!(text, "\n{:width$} {:>49.3}", "all", total.as_secs_f64());
    print(&text);
}

fn print(text: &str) {
    // Figures that cannot be shown are no reason to stop.
    let _ = io::stderr().write_all(text.as_bytes());
}
