//! House rules that no compiler knows, one file each.
//!
//! A rule is a pure function from texts to findings, so each has a test that shows it catching a violation. All
//! findings are printed before the command fails: one edit round instead of many. The same run is a test of this
//! package, so `cargo test` cannot pass while a rule is broken.

mod code;
mod doc_sections;
mod edges;
mod layout;
mod licences;
mod links;
mod machine_names;
mod manifests;
mod module_doc;
mod purity;
mod spdx;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use anyhow::Context as _;

use crate::flags::FAILED;
use crate::repository::{self, Workspace};

/// One file of the repository.
#[derive(Debug)]
struct SourceFile {
    /// Relative to the root, with forward slashes.
    path: String,
    text: String,
}

impl SourceFile {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(line_idx, line)| (line_idx + 1, line))
    }
}

/// One broken rule at one place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    what: String,
    expected: String,
    found: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.to_owned(), expected: expected.into(), found: found.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, what, expected, found } = self;
        write!(formatter, "{path}:{line}: {what}, expected {expected}, found {found}")
    }
}

/// Every rule with its name; the name is the file beside this one that explains it.
type Rule = (&'static str, fn(&Repository) -> Vec<Finding>);

const RULES: [Rule; 9] = [
    ("edges", |repository| edges::check(&repository.workspace)),
    ("layout", |repository| each(repository, layout::check)),
    ("module_doc", |repository| each(repository, module_doc::check)),
    ("doc_sections", |repository| each(repository, doc_sections::check)),
    ("manifests", |repository| manifests::check(&repository.files)),
    ("purity", |repository| each(repository, purity::check)),
    ("machine_names", |repository| each(repository, machine_names::check)),
    ("licences", |repository| licences::check(&repository.workspace, &repository.files)),
    ("links", |repository| links::check(&repository.files, &repository.paths)),
];

/// All that the rules look at, read once.
struct Repository {
    files: Vec<SourceFile>,
    /// Every path, text or not.
    paths: BTreeSet<String>,
    workspace: Workspace,
}

impl Repository {
    fn load(root: &Path) -> anyhow::Result<Self> {
        let paths: BTreeSet<String> = repository::files(root)?.into_iter().collect();
        let mut files = Vec::new();
        for path in &paths {
            let bytes = std::fs::read(root.join(path)).with_context(|| format!("cannot read `{path}`"))?;
            // What is no UTF-8 is an image or an archive, and no rule here reads those.
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(SourceFile { path: path.clone(), text });
            }
        }
        Ok(Self { files, paths, workspace: Workspace::load(root)? })
    }
}

fn each(repository: &Repository, rule: fn(&SourceFile) -> Vec<Finding>) -> Vec<Finding> {
    repository.files.iter().flat_map(rule).collect()
}

/// Prints every finding and returns the exit code.
pub(crate) fn tidy() -> anyhow::Result<u8> {
    let (findings, broken) = findings(&repository::root())?;
    if findings.is_empty() {
        eprintln!("tidy: {} rules hold", RULES.len());
        return Ok(0);
    }
    for finding in &findings {
        println!("{finding}");
    }
    eprintln!("tidy: {} findings, expected none", findings.len());
    for name in broken {
        eprintln!("hint: the rule `{name}` is explained at the head of xtask/src/tidy/{name}.rs");
    }
    Ok(FAILED)
}

fn findings(root: &Path) -> anyhow::Result<(Vec<Finding>, Vec<&'static str>)> {
    let repository = Repository::load(root)?;
    let mut all = Vec::new();
    let mut broken = Vec::new();
    for (name, rule) in RULES {
        let mut found = rule(&repository);
        found.sort();
        if !found.is_empty() {
            broken.push(name);
        }
        all.append(&mut found);
    }
    Ok((all, broken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_keeps_its_rules() {
        let (findings, _) = findings(&repository::root()).expect("the repository can be read");
        let text: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert!(text.is_empty(), "\n{}\n", text.join("\n"));
    }

    #[test]
    fn each_rule_is_explained_in_a_file_of_its_name() {
        for (name, _) in RULES {
            assert!(repository::root().join(format!("xtask/src/tidy/{name}.rs")).is_file(), "{name}");
        }
    }

    #[test]
    fn a_finding_reads_as_place_thing_expected_found() {
        let finding = Finding::new("a/b.rs", 7, "file length", "at most 500 lines", "501");
        assert_eq!(finding.to_string(), "a/b.rs:7: file length, expected at most 500 lines, found 501");
    }
}
