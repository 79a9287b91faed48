//! Lines at the bottom of the terminal that change in place, one for each thing that is going on.

use super::units;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use sys::rustix::termios::tcgetwinsize;

/// How often the lines are drawn.
const PACE: Duration = Duration::from_millis(100);

/// How wide the bar itself is.
const WIDTH: usize = 24;

/// What one line shows.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    /// The first word: 12 digits of a digest.
    pub(super) label: String,
    /// What is being done: `downloading`.
    pub(super) step: &'static str,
    pub(super) done: u64,
    /// 0 if there is nothing to measure.
    pub(super) total: u64,
    /// Since when it is being done, and from where.
    since: Option<(Instant, u64)>,
}

impl Bar {
    pub(super) fn new(label: String, total: u64) -> Bar {
        Bar { label, step: "waiting", done: 0, total, since: None }
    }

    /// Goes on with a step. The rate is that of the step.
    pub(super) fn set(&mut self, step: &'static str, done: u64) {
        if self.step != step {
            self.since = Some((Instant::now(), done));
        }
        (self.step, self.done) = (step, done.min(self.total));
    }

    /// Ends.
    pub(super) fn end(&mut self, step: &'static str) {
        (self.step, self.since, self.done) = (step, None, self.total);
    }

    fn render(&self) -> String {
        let mut line = format!("{}  {:<12}", self.label, self.step);
        let Some((since, start)) = self.since.filter(|_| self.total > 0) else {
            return format!("{line} {:>9}", units::bytes(self.total));
        };
        let filled =
            usize::try_from(self.done.saturating_mul(WIDTH as u64) / self.total).unwrap_or(WIDTH);
        let bar: String = (0..WIDTH).map(|place| if place < filled { '=' } else { ' ' }).collect();
        let _ =
            write!(line, " [{bar}] {:>7}/{:<7}", units::bytes(self.done), units::bytes(self.total));
        let seconds = since.elapsed().as_secs_f64();
        let rate = (self.done - start.min(self.done)) as f64 / seconds.max(0.001);
        if seconds > 0.3 && rate > 1.0 {
            let left = Duration::from_secs_f64(((self.total - self.done) as f64 / rate).min(1e6));
            let _ = write!(line, " {:>7}/s {:>6}", units::bytes(rate as u64), units::time(left));
        }
        line
    }
}

/// The lines.
#[derive(Debug, Default)]
pub(super) struct Bars {
    bars: Mutex<Vec<Bar>>,
}

impl Bars {
    /// Changes the lines; they are drawn a little later.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut Vec<Bar>) -> T) -> T {
        change(&mut self.bars.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Draws the lines as long as `work` takes.
    pub(super) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            let drawing = scope.spawn(|| {
                let mut drawn = 0;
                while !is_done.load(Ordering::Relaxed) {
                    drawn = self.draw(drawn);
                    thread::park_timeout(PACE);
                }
                self.draw(drawn);
            });
            let result = work();
            is_done.store(true, Ordering::Relaxed);
            drawing.thread().unpark();
            result
        })
    }

    /// Draws over the lines that were drawn before, and returns how many there are now.
    fn draw(&self, before: usize) -> usize {
        let (width, height) = match tcgetwinsize(io::stderr()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
            _ => (80, 24),
        };
        let lines: Vec<String> = self.with(|bars| bars.iter().map(Bar::render).collect());
        // Those that have scrolled away could not be drawn over again.
        let shown = lines.len().min(usize::from(height).saturating_sub(1));
        let mut text = String::new();
        if before > 0 {
            let _ = write!(text, "\x1b[{before}A");
        }
        for line in &lines[lines.len() - shown..] {
            // A line that wraps would be two.
            let line: String = line.chars().take(usize::from(width)).collect();
            let _ = write!(text, "\r{line}\x1b[K\n");
        }
        // The terminal may be gone.
        let _ = io::stderr().write_all(text.as_bytes());
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::Bar;

    #[test]
    fn what_a_line_shows() {
        let mut bar = Bar::new("0123456789ab".to_owned(), 2_000_000);
        assert_eq!(bar.render(), "0123456789ab  waiting        2.00 MB");
        bar.set("downloading", 500_000);
        let line = bar.render();
        assert!(
            line.starts_with(
                "0123456789ab  downloading  [======                  ]  500 kB/2.00 MB"
            ),
            "{line}"
        );
        bar.set("downloading", 9_000_000);
        assert_eq!(bar.done, 2_000_000);
        bar.end("done");
        assert_eq!(bar.render(), "0123456789ab  done           2.00 MB");
    }
}
