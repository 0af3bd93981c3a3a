//! The scripts that made the golden values: listed, or run in a Python environment of their own.
//!
//! Never part of CI: a golden value is made once, by another program, and kept with that program's version.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::flags::UsageError;
use crate::repository;
use crate::step::run;

/// Lists the scripts, or runs `oracles/<name>/make.py` and passes its output on.
pub(crate) fn oracle(name: Option<&str>) -> anyhow::Result<u8> {
    let root = repository::root();
    let scripts = scripts(&root)?;
    let Some(name) = name else {
        for script in &scripts {
            let text = std::fs::read_to_string(root.join(format!("oracles/{script}/make.py")))?;
            println!("{script:<12} {}", first_sentence(&text));
        }
        eprintln!("hint: `cargo xtask oracle --run NAME > FILE`; the head of each script names its file");
        return Ok(0);
    };
    if !scripts.iter().any(|script| script == name) {
        let message = format!("no oracle `{name}`, expected one of {}", scripts.join(", "));
        return Err(UsageError(message).into());
    }
    let folder = root.join("oracles").join(name);
    let python = environment(&folder)?;
    let mut command = Command::new(python);
    command.current_dir(&root).arg(format!("oracles/{name}/make.py"));
    run(command)
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

/// A virtual environment beside the script, made on first use. It sees the system's packages, because PyTorch is
/// usually installed there; what `requirements.txt` names is installed on top.
fn environment(folder: &Path) -> anyhow::Result<PathBuf> {
    let python = folder.join(".venv/bin/python");
    if python.is_file() {
        return Ok(python);
    }
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--system-site-packages"]).arg(folder.join(".venv"));
    let code = run(make).context("hint: install Python 3 with its `venv` module")?;
    anyhow::ensure!(code == 0, "the Python environment could not be made\nhint: install Python's `venv` module");
    let requirements = folder.join("requirements.txt");
    if requirements.is_file() {
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(requirements);
        anyhow::ensure!(run(install)? == 0, "the packages of `requirements.txt` could not be installed");
    }
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_described_by_the_first_line_of_its_doc() {
        assert_eq!(first_sentence("\"\"\"Golden logits.\n\nMore.\n\"\"\"\nimport x"), "Golden logits.");
        assert_eq!(first_sentence("#!python\n\"\"\"\nSecond line.\n\"\"\""), "Second line.");
        assert_eq!(first_sentence("import x"), "no description");
    }
}
