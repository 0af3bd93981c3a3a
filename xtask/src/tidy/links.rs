//! Links between our pages point to files that exist.
//!
//! Addresses on the web are not asked: CI runs without a network.

use std::collections::BTreeSet;

use super::{Finding, SourceFile};

pub(super) fn check(files: &[SourceFile], paths: &BTreeSet<String>) -> Vec<Finding> {
    let mut folders = BTreeSet::from([String::new()]);
    for path in paths {
        let mut rest = path.as_str();
        while let Some((folder, _)) = rest.rsplit_once('/') {
            folders.insert(folder.to_owned());
            rest = folder;
        }
    }
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        let mut in_code = false;
        for (line, text) in file.lines() {
            if text.trim_start().starts_with("```") {
                in_code = !in_code;
            }
            if in_code {
                continue;
            }
            for target in targets(text) {
                let resolved = resolve(&file.path, target);
                if !resolved.as_ref().is_some_and(|path| paths.contains(path) || folders.contains(path)) {
                    findings.push(Finding::new(&file.path, line, "link", "a file of this repository", target));
                }
            }
        }
    }
    findings
}

/// Targets of `[text](target)`, `[text]: target` and `src="target"` that name a file here.
fn targets(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (open, close) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
        for (at, _) in line.match_indices(open) {
            let rest = &line[at + open.len()..];
            found.extend(rest.split(close).next());
        }
    }
    if line.starts_with('[')
        && let Some((_, target)) = line.split_once("]: ")
    {
        found.push(target.trim());
    }
    found.retain(|target| !target.contains("://") && !target.starts_with("mailto:") && !target.starts_with('#'));
    found.into_iter().filter_map(|target| target.split(['#', ' ']).next()).filter(|target| !target.is_empty()).collect()
}

/// A relative target seen from a file, without `.` and `..`; none where it leaves the repository.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let paths = ["README.md", "docs/how-to/a.md", "docs/adr/0001.md"].map(str::to_owned).into();
        let file = SourceFile { path: "docs/how-to/a.md".to_owned(), text: text.to_owned() };
        check(&[file], &paths).into_iter().map(|finding| finding.found).collect()
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        assert!(found("[a](../adr/0001.md#why) and [b](../../README.md), [c](../adr/) [d](#here)").is_empty());
        assert_eq!(found("[a](../adr/0002.md) [b](README.md)"), ["../adr/0002.md", "README.md"]);
        assert_eq!(found("<img src=\"report.png\">"), ["report.png"]);
        assert_eq!(found("[a]: missing.md"), ["missing.md"]);
        assert_eq!(found("[a](../../../outside.md)"), ["../../../outside.md"]);
    }

    #[test]
    fn addresses_and_code_are_left_alone() {
        assert!(found("[a](https://example.org/x)\n```\n[a](missing.md)\n```").is_empty());
    }
}
