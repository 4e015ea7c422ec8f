//! Where lines go: above a bar on a terminal, plainly elsewhere, nowhere when JSON was asked for.

use hive_types::Millis;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// A live view.
pub(crate) enum View {
    Silent,
    Plain,
    Live(ProgressBar),
}

impl View {
    /// The view that fits the standard output.
    pub(crate) fn new(is_silent: bool, hours: u32) -> Self {
        if is_silent {
            return Self::Silent;
        }
        if !std::io::stdout().is_terminal() {
            return Self::Plain;
        }
        let bar = ProgressBar::new(u64::from(hours) * 60);
        let style = "{spinner} {bar:32} simulated {msg}, {elapsed} on the wall";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_message(Millis::ZERO.to_string());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self::Live(bar)
    }

    pub(crate) fn line(&self, text: &str) {
        match self {
            Self::Silent => {}
            // A reader that went away wants no more lines.
            Self::Plain => drop(writeln!(std::io::stdout(), "{text}")),
            Self::Live(bar) => bar.suspend(|| drop(writeln!(std::io::stdout(), "{text}"))),
        }
    }

    pub(crate) fn tick(&self, elapsed: Millis) {
        if let Self::Live(bar) = self {
            bar.set_position(elapsed.as_secs() / 60);
            bar.set_message(elapsed.to_string());
        }
    }

    pub(crate) fn end(&self) {
        if let Self::Live(bar) = self {
            bar.finish_and_clear();
        }
    }
}
