//! How far the blobs of an image are that is being pushed.

use super::Screen;
use super::bars::{Bar, Bars};
use image::Digest;
use image::push::Event;
use image::registry::Uploaded;

/// Shows a bar for each blob, or a line for each that is there.
pub(crate) struct Sending {
    screen: Screen,
    bars: Bars,
}

impl Sending {
    pub(crate) fn new(screen: &Screen) -> Sending {
        Sending { screen: *screen, bars: Bars::default() }
    }

    /// Shows them while `work` goes on.
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        if self.screen.has_bars() { self.bars.during(work) } else { work() }
    }

    pub(crate) fn tell(&self, event: Event<'_>) {
        match event {
            Event::Blobs(blobs) => self.bars.with(|bars| {
                let bar =
                    |it: &spec::image::Descriptor| Bar::new(it.digest.short().to_owned(), it.size);
                *bars = blobs.iter().map(bar).collect();
            }),
            Event::Sends(digest, done) => self.change(digest, |bar| bar.set("sending", done)),
            Event::Done(digest, how) => {
                let step = match how {
                    Uploaded::Existed => "exists",
                    Uploaded::Mounted => "mounted",
                    Uploaded::Sent => "sent",
                };
                self.change(digest, |bar| bar.end(step));
                if !self.screen.has_bars() {
                    self.screen.say(&format!("{}: {step}", digest.short()));
                }
            }
        }
    }

    fn change(&self, digest: &Digest, change: impl FnOnce(&mut Bar)) {
        self.bars.with(|bars| {
            if let Some(bar) = bars.iter_mut().find(|bar| bar.label == digest.short()) {
                change(bar);
            }
        });
    }
}
