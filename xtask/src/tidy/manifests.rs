//! Every folder of `datasets/` holds a manifest that kd-data accepts, under the name of its folder.
//!
//! The check itself is kd-data's: a second opinion here would drift.

use std::collections::BTreeSet;

use kd_data::Manifest;

use super::{Finding, SourceFile};

pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut folders = BTreeSet::new();
    let mut described = BTreeSet::new();
    for file in files {
        let Some((folder, rest)) = file.path.strip_prefix("datasets/").and_then(|path| path.split_once('/')) else {
            continue;
        };
        folders.insert(folder);
        if rest != "dataset.toml" {
            continue;
        }
        described.insert(folder);
        match Manifest::parse(&file.text, &file.path) {
            Err(error) => {
                let found = error.to_string().replace('\n', "; ");
                findings.push(Finding::new(&file.path, 1, "manifest", "one that kd-data accepts", found));
            }
            Ok(manifest) if manifest.name.to_string() != folder => {
                findings.push(Finding::new(&file.path, 1, "name", folder, manifest.name.to_string()));
            }
            Ok(_) => {}
        }
    }
    for folder in folders.difference(&described) {
        let path = format!("datasets/{folder}");
        findings.push(Finding::new(&path, 1, "dataset folder", "a `dataset.toml`", "none"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scaffold::{DATASET, fill};

    fn found(path: &str, text: &str) -> Vec<String> {
        let files = [SourceFile { path: path.to_owned(), text: text.to_owned() }];
        check(&files).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_manifest_under_a_strange_name_is_found() {
        let text = fill(DATASET, "mine");
        assert!(
            found("datasets/mine/dataset.toml", &text).is_empty(),
            "{:?}",
            found("datasets/mine/dataset.toml", &text)
        );
        assert_eq!(found("datasets/yours/dataset.toml", &text), ["name"]);
    }

    #[test]
    fn an_unknown_key_is_found() {
        let text = format!("nonsense = 1\n{}", fill(DATASET, "mine"));
        assert_eq!(found("datasets/mine/dataset.toml", &text), ["manifest"]);
    }

    #[test]
    fn a_folder_without_manifest_is_found() {
        assert_eq!(found("datasets/mine/README.md", ""), ["dataset folder"]);
    }
}
