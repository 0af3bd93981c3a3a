//! A file is one thing: at most 500 lines, and a name that says what it holds.
//!
//! `utils` and its kin are where things go that nobody could name; a reader looks there last.

use super::{Finding, SourceFile};

const MAX_LINES: usize = 500;
const NO_NAMES: [&str; 6] = ["utils", "util", "helpers", "helper", "common", "misc"];

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    if !file.is_rust() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let n_lines = file.text.lines().count();
    if n_lines > MAX_LINES {
        let expected = format!("at most {MAX_LINES} lines");
        findings.push(Finding::new(&file.path, n_lines, "file length", expected, n_lines.to_string()));
    }
    for part in file.path.trim_end_matches(".rs").split('/') {
        if NO_NAMES.contains(&part) {
            findings.push(Finding::new(&file.path, 1, "module name", "what the module holds", part));
        }
    }
    for (line, text) in file.lines() {
        let text = text.trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ");
        if let Some(rest) = text.strip_prefix("mod ") {
            let name = rest.trim_end_matches([';', '{', ' ']);
            if NO_NAMES.contains(&name) {
                findings.push(Finding::new(&file.path, line, "module name", "what the module holds", name));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&SourceFile { path: path.to_owned(), text: text.to_owned() }).into_iter().map(|f| f.found).collect()
    }

    #[test]
    fn the_line_after_the_limit_is_found() {
        assert!(found("a.rs", &"x\n".repeat(500)).is_empty());
        assert_eq!(found("a.rs", &"x\n".repeat(501)), ["501"]);
        assert!(found("a.md", &"x\n".repeat(501)).is_empty());
    }

    #[test]
    fn a_name_that_says_nothing_is_found() {
        assert_eq!(found("crates/a/src/utils.rs", ""), ["utils"]);
        assert_eq!(found("crates/a/tests/common/mod.rs", ""), ["common"]);
        assert_eq!(found("crates/a/src/lib.rs", "pub mod helpers;"), ["helpers"]);
        assert!(found("crates/a/src/commonality.rs", "mod miscellany;").is_empty());
    }
}
