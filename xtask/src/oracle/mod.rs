//! The scripts that made the golden values: listed, run, or run again to see that the values are still theirs.
//!
//! Never part of CI: a golden value is made once, by another program, and kept with that program's version.

mod golden;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use golden::{Golden, Target};

use crate::flags::{FAILED, OracleCommand, OracleOptions, UsageError};
use crate::repository;
use crate::step::run;

const LIST: &str = "oracles/golden.toml";
const REQUIREMENTS: &str = "oracles/requirements.txt";
/// Differences of one file that are printed.
const SHOWN: usize = 5;

/// Lists the scripts, runs one and passes its output on, or makes golden files again and compares.
pub(crate) fn oracle(options: &OracleOptions) -> anyhow::Result<u8> {
    let root = repository::root();
    match &options.command {
        None => list(&root),
        Some(OracleCommand::Run { name }) => run_one(&root, name, options.python.as_deref()),
        Some(OracleCommand::Check { names }) => check(&root, names, options.python.as_deref()),
    }
}

fn list(root: &Path) -> anyhow::Result<u8> {
    for script in scripts(root)? {
        let text = std::fs::read_to_string(root.join(format!("oracles/{script}/make.py")))?;
        println!("{script:<16} {}", first_sentence(&text));
    }
    eprintln!(
        "hint: `cargo xtask oracle run NAME > FILE`, as the head of each script says, or `cargo xtask oracle check`"
    );
    Ok(0)
}

fn run_one(root: &Path, name: &str, python: Option<&Path>) -> anyhow::Result<u8> {
    let scripts = scripts(root)?;
    if !scripts.iter().any(|script| script == name) {
        return Err(no_oracle(name, &scripts));
    }
    let mut command = Command::new(interpreter(root, python)?);
    command.current_dir(root).arg(format!("oracles/{name}/make.py"));
    run(command)
}

fn no_oracle(name: &str, scripts: &[String]) -> anyhow::Error {
    UsageError(format!("no oracle `{name}`, expected one of {}", scripts.join(", "))).into()
}

/// Makes the golden files of `names`, or of all, again: a value that differs is a failure, a version that differs a note.
fn check(root: &Path, names: &[String], python: Option<&Path>) -> anyhow::Result<u8> {
    let text = std::fs::read_to_string(root.join(LIST)).with_context(|| format!("cannot read `{LIST}`"))?;
    let list = Golden::list(&text).with_context(|| format!("`{LIST}`"))?;
    let folder_of = |golden: &Golden| golden.script.split('/').nth(1).unwrap_or_default().to_owned();
    if let Some(name) = names.iter().find(|&name| !list.iter().any(|golden| folder_of(golden) == *name)) {
        return Err(no_oracle(name, &list.iter().map(folder_of).collect::<Vec<_>>()));
    }
    let python = interpreter(root, python)?;
    let mut failures = 0;
    for golden in list.iter().filter(|golden| names.is_empty() || names.contains(&folder_of(golden))) {
        if let Some(missing) = golden.argument.as_ref().filter(|argument| !root.join(argument).exists()) {
            println!("left out  {}: `{missing}` is not there", golden.script);
            continue;
        }
        let files = made(root, golden, &python).with_context(|| format!("`{}`", golden.script))?;
        for (name, bytes) in files {
            let found = golden.compare(&root.join(&name), &bytes)?;
            println!("{}  {name}", if found.differences.is_empty() { "same     " } else { "DIFFERENT" });
            for difference in found.differences.iter().take(SHOWN) {
                println!("          {difference}");
            }
            if found.differences.len() > SHOWN {
                println!("          and {} more", found.differences.len() - SHOWN);
            }
            if !found.origins.is_empty() {
                println!("          other versions: {}", found.origins.join("; "));
            }
            failures += usize::from(!found.differences.is_empty());
        }
    }
    Ok(if failures == 0 { 0 } else { FAILED })
}

/// What a script makes now, by the committed path.
fn made(root: &Path, golden: &Golden, python: &Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut command = Command::new(python);
    command.current_dir(root).arg(&golden.script).args(&golden.argument).stderr(Stdio::piped());
    let folder = repository::target_folder(root)?.join("golden");
    if let Target::Folder(_) = golden.target {
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        command.arg(&folder);
    }
    let output = command.output().with_context(|| format!("cannot run `{}`", python.display()))?;
    if !output.status.success() {
        anyhow::bail!("the script failed:\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    match &golden.target {
        Target::Printed(file) => Ok(vec![(file.clone(), output.stdout)]),
        Target::Folder(committed) => {
            let mut files = Vec::new();
            for entry in std::fs::read_dir(&folder)? {
                let path = entry?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                files.push((format!("{committed}/{name}"), std::fs::read(&path)?));
            }
            files.sort();
            Ok(files)
        }
    }
}

/// Names of the folders below `oracles/` that hold a `make.py`.
fn scripts(root: &Path) -> anyhow::Result<Vec<String>> {
    let files = repository::files(root)?;
    let names = files.iter().filter_map(|path| path.strip_prefix("oracles/")?.strip_suffix("/make.py"));
    Ok(names.map(str::to_owned).collect())
}

/// The first line of a script's doc string.
fn first_sentence(script: &str) -> &str {
    let doc = script.split("\"\"\"").nth(1).unwrap_or("");
    doc.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no description")
}

/// The Python that was asked for, or an environment below `oracles/`, made on first use, with every pinned package.
pub(crate) fn interpreter(root: &Path, asked: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(python) = asked {
        return Ok(python.to_owned());
    }
    let folder = root.join("oracles/.venv");
    let python = folder.join("bin/python");
    // Written last, so that an environment whose packages were cut off is not taken for whole.
    let whole = folder.join("whole");
    if whole.is_file() {
        return Ok(python);
    }
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(&folder);
    let code = run(make).context("hint: install Python 3 with its `venv` module")?;
    anyhow::ensure!(code == 0, "the Python environment could not be made\nhint: install Python's `venv` module");
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(root.join(REQUIREMENTS));
    anyhow::ensure!(run(install)? == 0, "the packages of `{REQUIREMENTS}` could not be installed");
    std::fs::write(whole, "")?;
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_and_every_golden_file_stand_in_the_list() {
        let root = repository::root();
        let list = Golden::list(&std::fs::read_to_string(root.join(LIST)).unwrap()).unwrap();
        let files = repository::files(&root).unwrap();
        let in_folders = |file: &str| {
            let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
            list.iter().any(|golden| golden.target == Target::Folder(folder.to_owned()))
        };
        for file in files.iter().filter(|file| file.contains("/tests/oracle/")) {
            let printed = list.iter().any(|golden| golden.target == Target::Printed(file.clone()));
            assert!(printed || in_folders(file), "{file}");
        }
        for script in files.iter().filter(|file| file.starts_with("oracles/") && file.contains("/make")) {
            assert!(list.iter().any(|golden| golden.script == *script), "{script}");
        }
    }

    #[test]
    fn a_script_is_described_by_the_first_line_of_its_doc() {
        assert_eq!(first_sentence("\"\"\"Golden logits.\n\nMore.\n\"\"\"\nimport x"), "Golden logits.");
        assert_eq!(first_sentence("#!python\n\"\"\"\nSecond line.\n\"\"\""), "Second line.");
        assert_eq!(first_sentence("import x"), "no description");
    }
}
