//! Handing over to `kd`, built in release.
//!
//! On Unix this process becomes `kd`, so that Ctrl-C reaches `kd` alone and it can end at its next checkpoint.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use clap::CommandFactory as _;
use serde_json::Value;

use crate::flags::{BAD_USAGE, Flags, KD_COMMANDS, Task};
use crate::repository;
use crate::step::cargo;

/// Runs a command of `kd`; what is none is answered with help, before anything is built.
pub(crate) fn hand_over(args: Vec<OsString>) -> anyhow::Result<u8> {
    let name = args[0].to_string_lossy();
    if !KD_COMMANDS.contains(&name.as_ref()) {
        eprintln!("error: no command `{name}`, expected one of those below\n");
        eprint!("{}", Flags::command().render_long_help());
        return Ok(BAD_USAGE);
    }
    become_kd(args)
}

/// Runs `kd data …`.
pub(crate) fn hand_over_data(args: Vec<OsString>) -> anyhow::Result<u8> {
    become_kd([OsString::from("data")].into_iter().chain(args).collect())
}

/// Runs the default recipe of a task. `kd run` prints the table and says where the report lies.
pub(crate) fn distill(args: Vec<OsString>) -> anyhow::Result<u8> {
    let (task, args) = Task::take(args)?;
    let recipe = default_recipe(&repository::root(), task)?;
    become_kd([OsString::from("run"), recipe.into()].into_iter().chain(args).collect())
}

/// `recipes/<task>/<phantom>_<teacher>-to-<student>.toml`: the first by name.
pub(crate) fn default_recipe(root: &Path, task: Task) -> anyhow::Result<PathBuf> {
    let (folder, dataset) = match task {
        Task::Classify => ("recipes/classify", "chest-phantom"),
        Task::Segment => ("recipes/segment", "thorax-phantom"),
        Task::Enhance => ("recipes/enhance", "ct-phantom"),
    };
    let mut recipes = repository::files(root)?;
    recipes.retain(|path| path.starts_with(&format!("{folder}/{dataset}_")) && path.ends_with(".toml"));
    let Some(recipe) = recipes.first() else {
        anyhow::bail!(
            "no recipe `{folder}/{dataset}_*.toml`, expected one\nhint: name a recipe with `cargo xtask run`"
        );
    };
    Ok(root.join(recipe))
}

/// Builds `kd` and returns where it lies. Cargo's progress goes to stderr.
pub(crate) fn build(root: &Path) -> anyhow::Result<PathBuf> {
    let args =
        ["build", "--release", "--package", "kd-cli", "--bin", "kd", "--message-format", "json-render-diagnostics"];
    let output = cargo(root, args).stderr(Stdio::inherit()).output().context("cannot start `cargo build`")?;
    anyhow::ensure!(output.status.success(), "`kd` could not be built\nhint: see the compiler's messages above");
    let text = String::from_utf8_lossy(&output.stdout);
    executable(&text).context("`cargo build` named no executable `kd`")
}

fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut built = messages.filter(|message| message["target"]["name"] == "kd");
    built.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

fn become_kd(args: Vec<OsString>) -> anyhow::Result<u8> {
    let mut command = Command::new(build(&repository::root())?);
    command.args(args);
    replace(command)
}

#[cfg(unix)]
fn replace(mut command: Command) -> anyhow::Result<u8> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec()).context("cannot start `kd`")
}

#[cfg(not(unix))]
fn replace(mut command: Command) -> anyhow::Result<u8> {
    Ok(crate::step::code(command.status().context("cannot start `kd`")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_read_from_the_messages_of_cargo() {
        let messages = "{\"target\":{\"name\":\"kd_data\"},\"executable\":null}\nnot json\n\
                        {\"target\":{\"name\":\"kd\"},\"executable\":\"out/release/kd\"}\n";
        assert_eq!(executable(messages), Some(PathBuf::from("out/release/kd")));
        assert_eq!(executable("{\"target\":{\"name\":\"kd_data\"},\"executable\":null}"), None);
    }
}
