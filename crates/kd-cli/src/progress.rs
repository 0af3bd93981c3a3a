//! How far long work is: a bar on a terminal, a line every few seconds elsewhere, never on stdout.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{Output, size};

/// Between two lines where there is no terminal.
const PAUSE: Duration = Duration::from_secs(4);

/// One piece of long work.
#[derive(Debug)]
pub(crate) struct Progress {
    title: String,
    unit: Unit,
    shown: Shown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Steps,
    Bytes,
}

#[derive(Debug)]
enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines { last: Instant, total: u64 },
}

impl Progress {
    /// Work of `total` steps; 0 where that is not known.
    pub(crate) fn new(out: &Output, title: &str, total: u64) -> Self {
        Self::start(out, title.to_owned(), total, Unit::Steps)
    }

    /// Work of `total` bytes; 0 where that is not known.
    pub(crate) fn bytes(out: &Output, title: &str, total: u64) -> Self {
        Self::start(out, title.to_owned(), total, Unit::Bytes)
    }

    fn start(out: &Output, title: String, total: u64, unit: Unit) -> Self {
        let shown = if out.is_quiet() {
            Shown::Nothing
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(total).with_prefix(title.clone());
            let counts = match unit {
                Unit::Steps => "{pos}/{len}",
                Unit::Bytes => "{binary_bytes}/{binary_total_bytes}",
            };
            let template = format!("{{prefix}} {{wide_bar:.cyan/dim}} {counts} {{eta}} {{msg}}");
            // The template is ours; a plain bar is what is left if it were wrong.
            bar.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()));
            Shown::Bar(bar)
        } else {
            Shown::Lines { last: Instant::now(), total }
        };
        Self { title, unit, shown }
    }

    /// Corrects the total, once it is known.
    pub(crate) fn set_total(&mut self, all: u64) {
        match &mut self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => bar.set_length(all),
            Shown::Lines { total, .. } => *total = all,
        }
    }

    /// Steps (or bytes) that are done, and a word about where it is.
    pub(crate) fn set(&mut self, done: u64, message: &str) {
        match &mut self.shown {
            Shown::Bar(bar) => {
                bar.set_position(done);
                bar.set_message(message.to_owned());
            }
            Shown::Lines { last, total } if last.elapsed() >= PAUSE => {
                *last = Instant::now();
                let total = *total;
                line(&self.text(done, total, message));
            }
            Shown::Nothing | Shown::Lines { .. } => {}
        }
    }

    /// Ends it and leaves nothing behind.
    pub(crate) fn clear(self) {
        self.finish("");
    }

    /// Ends it; a message that is not empty stays as a line of its own.
    pub(crate) fn finish(self, message: &str) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
        if !matches!(self.shown, Shown::Nothing) && !message.is_empty() {
            line(&format!("{}: {message}", self.title));
        }
    }

    fn text(&self, done: u64, total: u64, message: &str) -> String {
        let of = |number: u64| if self.unit == Unit::Bytes { size(number) } else { number.to_string() };
        let share = if total > 0 { format!("/{}", of(total)) } else { String::new() };
        format!("{}: {}{share} {message}", self.title, of(done)).trim_end().to_owned()
    }
}

impl Drop for Progress {
    /// An error on the way leaves no half-drawn bar above its message.
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown
            && !bar.is_finished()
        {
            bar.finish_and_clear();
        }
    }
}

fn line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent(unit: Unit) -> Progress {
        Progress { title: "fetch".into(), unit, shown: Shown::Nothing }
    }

    #[test]
    fn a_line_tells_title_counts_and_message() {
        assert_eq!(silent(Unit::Steps).text(3, 9, "epoch 1"), "fetch: 3/9 epoch 1");
        assert_eq!(silent(Unit::Steps).text(3, 0, ""), "fetch: 3");
        assert_eq!(silent(Unit::Bytes).text(512, 2048, ""), "fetch: 512 B/2.0 KiB");
    }
}
