//! Steps of a check: announced, timed, stopped at the first failure.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::flags::FAILED;

/// One step: a name, and work that ends in an exit code.
pub(crate) struct Step<'a> {
    name: &'static str,
    work: Box<dyn FnOnce() -> anyhow::Result<u8> + 'a>,
}

impl<'a> Step<'a> {
    /// A step done in this process.
    pub(crate) fn new(name: &'static str, work: impl FnOnce() -> anyhow::Result<u8> + 'a) -> Self {
        Self { name, work: Box::new(work) }
    }

    /// A step done by a child process.
    pub(crate) fn command(name: &'static str, command: Command) -> Self {
        Self::new(name, move || run(command))
    }
}

/// `cargo` as it was called, with `args`, at the root of the repository.
pub(crate) fn cargo(root: &Path, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(args);
    // `cargo run` tells this program about its own package; a build script below would take that for a change and
    // run again.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command
}

/// Shows a command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut words = Vec::new();
    for (key, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={}", key.to_string_lossy(), quoted(&value.to_string_lossy())));
        }
    }
    words.push(program.to_string_lossy().into_owned());
    words.extend(command.get_args().map(|arg| quoted(&arg.to_string_lossy())));
    words.join(" ")
}

fn quoted(word: &str) -> String {
    if word.contains(char::is_whitespace) { format!("'{word}'") } else { word.to_owned() }
}

/// Runs a child to its end and returns its exit code.
pub(crate) fn run(mut command: Command) -> anyhow::Result<u8> {
    eprintln!("    {}", shown(&command));
    let status = command.status().with_context(|| format!("cannot start `{}`", shown(&command)))?;
    Ok(code(status))
}

/// The exit code of a child; a child ended by a signal has none and counts as failed.
pub(crate) fn code(status: ExitStatus) -> u8 {
    status.code().map_or(FAILED, |code| u8::try_from(code).unwrap_or(FAILED))
}

/// Runs the steps in order and stops at the first that fails. Returns its code, or 0.
pub(crate) fn run_all(steps: Vec<Step<'_>>) -> anyhow::Result<u8> {
    let begun = Instant::now();
    let mut done = Vec::new();
    for step in steps {
        eprintln!("==> {}", step.name);
        let step_begun = Instant::now();
        let code = (step.work)().with_context(|| format!("step `{}` failed", step.name))?;
        let took = step_begun.elapsed();
        if code != 0 {
            eprintln!("==> {} FAILED with exit code {code} after {}", step.name, seconds(took));
            return Ok(code);
        }
        eprintln!("==> {} done in {}", step.name, seconds(took));
        done.push((step.name, took));
    }
    for (name, took) in &done {
        eprintln!("{:>10}  {name}", seconds(*took));
    }
    eprintln!("{:>10}  in all", seconds(begun.elapsed()));
    Ok(0)
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn the_first_failure_stops_the_rest_and_gives_the_code() {
        let reached = Cell::new(0);
        let count = |code| {
            reached.set(reached.get() + 1);
            Ok(code)
        };
        let steps = vec![Step::new("a", || count(0)), Step::new("b", || count(7)), Step::new("c", || count(0))];
        assert_eq!(run_all(steps).expect("no step errs"), 7);
        assert_eq!(reached.get(), 2);
    }

    #[test]
    fn an_error_names_its_step() {
        let steps = vec![Step::new("licences", || anyhow::bail!("no such file"))];
        assert_eq!(format!("{:#}", run_all(steps).expect_err("the step errs")), "step `licences` failed: no such file");
    }

    #[test]
    fn a_command_is_shown_as_typed() {
        let mut command = Command::new("cargo");
        command.args(["test", "two words"]).env("DOCS_RS", "1");
        assert_eq!(shown(&command), "DOCS_RS=1 cargo test 'two words'");
    }
}
