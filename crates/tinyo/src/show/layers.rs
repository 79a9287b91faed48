//! How far the layers of an image are that is being pulled.

use super::bars::{Bar, Bars};
use super::{Screen, units};
use image::Digest;
use image::store::{Event, Progress};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Shows a bar for each layer, or a line for what has happened where there is no terminal.
pub(crate) struct Layers {
    screen: Screen,
    bars: Bars,
    last_byte: Mutex<Option<Instant>>,
}

impl Layers {
    pub(crate) fn new(screen: &Screen) -> Layers {
        Layers { screen: *screen, bars: Bars::default(), last_byte: Mutex::new(None) }
    }

    /// When the last byte came, if one did.
    pub(crate) fn last_byte(&self) -> Option<Instant> {
        *self.last_byte.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows them while `work` goes on.
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        if self.screen.has_bars() { self.bars.during(work) } else { work() }
    }

    /// Changes the bar of a layer; says it in a line, if the step is a new one.
    fn change(&self, digest: &Digest, step: &'static str, change: impl FnOnce(&mut Bar)) {
        let line = self.bars.with(|bars| {
            let bar = bars.iter_mut().find(|bar| bar.label == digest.short())?;
            let is_new = bar.step != step;
            change(bar);
            is_new.then(|| format!("{}: {step} ({})", bar.label, units::bytes(bar.total)))
        });
        if let Some(line) = line.filter(|_| !self.screen.has_bars()) {
            self.screen.say(&line);
        }
    }
}

impl Progress for Layers {
    fn tell(&self, event: Event<'_>) {
        match event {
            Event::Layers(layers) => self.bars.with(|bars| {
                let bar = |layer: &spec::image::Descriptor| {
                    Bar::new(layer.digest.short().to_owned(), layer.size)
                };
                *bars = layers.iter().map(bar).collect();
                bars.dedup_by(|a, b| a.label == b.label);
            }),
            Event::Exists(digest) => self.change(digest, "exists", |bar| bar.end("exists")),
            Event::Waits(digest, done) => {
                self.change(digest, "other pull", |bar| bar.set("other pull", done));
            }
            Event::Receives(digest, done) => {
                let now = Some(Instant::now());
                *self.last_byte.lock().unwrap_or_else(PoisonError::into_inner) = now;
                self.change(digest, "downloading", |bar| bar.set("downloading", done));
            }
            // Both go on at the same time: the bar is about what is behind.
            Event::Unpacks(digest, done) => {
                let is_here = self.bars.with(|bars| {
                    let bar = bars.iter().find(|bar| bar.label == digest.short());
                    bar.is_some_and(|bar| bar.step != "downloading" || bar.done == bar.total)
                });
                if is_here {
                    self.change(digest, "extracting", |bar| bar.set("extracting", done));
                }
            }
            Event::Syncs(digest) => self.change(digest, "syncing", |bar| bar.end("syncing")),
            Event::Done(digest) => self.change(digest, "done", |bar| {
                if bar.step != "exists" {
                    bar.end("done");
                }
            }),
        }
    }
}
