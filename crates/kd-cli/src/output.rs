//! Where words go: data to stdout, talk to stderr, errors in one form.
//!
//! A reader that closes the pipe early (`kd data list | head`) ends nothing with a panic, and with `--json` whatever
//! happens leaves exactly one JSON document on stdout.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

/// The two streams, and how much is said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
}

/// Wrong usage or configuration: exit code 2 instead of 1.
#[derive(Debug)]
pub(crate) struct UsageError(String);

impl UsageError {
    /// An error of that text; a second line may be a hint.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Marks an error as one of usage or configuration; its text stays the same.
pub(crate) fn usage(error: impl Into<anyhow::Error>) -> anyhow::Error {
    let Told { message, hints } = Told::of(&error.into());
    let lines = std::iter::once(message).chain(hints.into_iter().map(|hint| format!("{HINT}{hint}")));
    UsageError(lines.collect::<Vec<_>>().join("\n")).into()
}

impl Output {
    /// Sets up both streams.
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// Whether one JSON document is wanted instead of text.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether notes and progress are unwanted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// A line of data.
    pub(crate) fn data(&self, text: impl Display) {
        say(io::stdout().lock(), &text);
    }

    /// The one JSON document of a command.
    pub(crate) fn json(&self, document: &impl Serialize) -> anyhow::Result<()> {
        self.data(serde_json::to_string_pretty(document)?);
        Ok(())
    }

    /// A line of talk.
    pub(crate) fn note(&self, text: impl Display) {
        if !self.quiet {
            say(io::stderr().lock(), &text);
        }
    }

    /// A warning: told even to those who want quiet.
    pub(crate) fn warn(&self, text: impl Display) {
        say(io::stderr().lock(), &format_args!("warning: {text}"));
    }

    /// Why the command ended, with what to do about it.
    pub(crate) fn report_error(&self, error: &anyhow::Error) {
        let Told { message, hints } = Told::of(error);
        say(io::stderr().lock(), &format_args!("error: {message}"));
        for hint in &hints {
            say(io::stderr().lock(), &format_args!("{HINT}{hint}"));
        }
        if self.json {
            let hint = (!hints.is_empty()).then(|| hints.join("\n"));
            let document = json!({ "error": { "message": message, "hint": hint } });
            say(io::stdout().lock(), &format_args!("{document:#}"));
        }
    }
}

/// A stream that cannot be written to has nobody who could be told.
fn say(mut stream: impl Write, text: &impl Display) {
    let _ = writeln!(stream, "{text}").and_then(|()| stream.flush());
}

const HINT: &str = "hint: ";

/// An error's chain as one message, hints apart.
struct Told {
    message: String,
    hints: Vec<String>,
}

impl Told {
    fn of(error: &anyhow::Error) -> Self {
        let mut told = Self { message: String::new(), hints: Vec::new() };
        for link in error.chain() {
            let text = link.to_string();
            let mut said = Vec::new();
            for line in text.lines() {
                match line.trim_start().strip_prefix(HINT) {
                    Some(hint) if told.hints.iter().any(|known| known == hint) => {}
                    Some(hint) => told.hints.push(hint.to_owned()),
                    None => said.push(line),
                }
            }
            let said = said.join("\n");
            let said = said.trim();
            // Many errors quote their cause; saying it again helps nobody.
            if said.is_empty() || told.message.contains(said) {
                continue;
            }
            if !told.message.is_empty() {
                told.message.push_str(": ");
            }
            told.message.push_str(said);
        }
        told
    }
}

/// Lines of cells under a header, columns as wide as they need; numbers are the caller's to format.
pub(crate) fn columns(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| {
            // Not `{:width$}`: that one counts right only as long as nothing is combined.
            format!("{cell}{}", " ".repeat(width.saturating_sub(cell.chars().count())))
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let body = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    std::iter::once(line(header.to_vec())).chain(body).collect::<Vec<_>>().join("\n")
}

/// Bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_was_quoted_is_not_said_twice_and_hints_come_last() {
        let error = anyhow::anyhow!("no such file\nhint: look again")
            .context("reading `a`: no such file")
            .context("recipe cannot be loaded\nhint: kd run --help");
        let told = Told::of(&error);
        assert_eq!(told.message, "recipe cannot be loaded: reading `a`: no such file");
        assert_eq!(told.hints, ["kd run --help", "look again"]);
    }

    #[test]
    fn a_usage_error_keeps_text_and_hints_and_is_found_under_context() {
        let error = usage(anyhow::anyhow!("inner\nhint: do this").context("outer")).context("around");
        assert!(error.downcast_ref::<UsageError>().is_some());
        let told = Told::of(&error);
        assert_eq!(told.message, "around: outer: inner");
        assert_eq!(told.hints, ["do this"]);
    }

    #[test]
    fn columns_line_up_and_no_line_ends_in_blanks() {
        let rows = [vec!["κ".to_owned(), "1".to_owned()], vec!["long".to_owned(), String::new()]];
        assert_eq!(columns(&["a", "b"], &rows), "a     b\nκ     1\nlong");
    }

    #[test]
    fn sizes_are_in_binary_units() {
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(4_170_669), "4.0 MiB");
    }
}
