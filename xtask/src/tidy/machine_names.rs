//! No path of one machine, no name of a package registry in a file that is kept.
//!
//! Either would make a clone depend on where somebody once worked. The lock file is left out: cargo writes it, and the
//! index stands in every line.

use super::{Finding, SourceFile};

/// First folders of paths that exist on one machine only.
const FOLDERS: [&str; 8] = ["home", "root", "work", "tmp", "opt", "usr/local", "Users", "mnt"];
/// Hosts in two halves, so that this file does not name them either.
const HOSTS: [(&str, &str); 4] = [("crates", ".io"), ("pypi", ".org"), ("pythonhosted", ".org"), ("npmjs", ".com")];

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    if file.path == "Cargo.lock" || file.path.ends_with("/Cargo.lock") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (line, text) in file.lines() {
        for folder in FOLDERS {
            if let Some(found) = machine_path(text, folder) {
                findings.push(Finding::new(&file.path, line, "absolute path", "a relative path", found));
            }
        }
        let lower = text.to_lowercase();
        for (name, ending) in HOSTS {
            if lower.contains(&format!("{name}{ending}")) {
                findings.push(Finding::new(&file.path, line, "registry host", "no host name", format!("{name} …")));
            }
        }
    }
    findings
}

/// `/folder/…` at the start of a word: a path, rather than the middle of an address or of another path.
fn machine_path(line: &str, folder: &str) -> Option<String> {
    let needle = format!("/{folder}/");
    line.match_indices(&needle).find_map(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + needle.len()..].chars().next();
        let starts = before.is_none_or(|c| c.is_whitespace() || "\"'`(=<[,:".contains(c));
        let goes_on = after.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.');
        (starts && goes_on).then(|| format!("{needle}…"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n_found(text: &str) -> usize {
        check(&SourceFile { path: "a.md".to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        assert_eq!(n_found(&["data = \"", "home", "me", "x\""].join("/")), 1);
        assert_eq!(n_found(&["see ", "tmp", "x"].join("/")), 1);
        assert_eq!(n_found("artifacts/tmp/x and example.org/home/x and #!/usr/bin/env"), 0);
    }

    #[test]
    fn a_registry_host_is_found() {
        assert_eq!(n_found(&format!("https://{}{}/x", "Crates", ".io")), 1);
        assert_eq!(n_found("crates and io"), 0);
    }
}
