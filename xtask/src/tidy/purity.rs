//! One door each: who may print, who may touch files, who may be unsafe.
//!
//! Libraries return values and errors; kd-cli and xtask talk. kd-data alone opens files, because it alone knows how a
//! half-written one is told from a whole one. Inline tests, `tests/`, `benches/`, `fuzz/` and build scripts may read files.

use super::code::{has_word, without_comments_and_literals, without_inline_tests};
use super::{Finding, SourceFile};

const PRINTS: [&str; 5] = ["println!", "eprintln!", "print!", "eprint!", "dbg!"];
const OPENS: [&str; 4] = ["std::fs", "fs::", "File::", "OpenOptions"];

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    if !file.is_rust() {
        return Vec::new();
    }
    let path = file.path.as_str();
    let under = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
    let is_build_script = path.ends_with("/build.rs");
    let is_test = path.contains("/tests/") || path.contains("/benches/") || under(&["benches/", "fuzz/"]);

    let code = without_comments_and_literals(&file.text);
    let shipped = without_inline_tests(&code);
    let mut findings = Vec::new();
    let mut look = |text: &str, words: &[&str], what: &str, expected: &str| {
        for (line_idx, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| stands_in(line, word)) {
                findings.push(Finding::new(path, line_idx + 1, what, expected, *word));
            }
        }
    };
    if !under(&["crates/kd-kernels/"]) && path != "crates/kd-cli/src/main.rs" {
        look(&code, &["unsafe"], "unsafe code", "none outside of kd-kernels and kd-cli's main");
    }
    if !under(&["crates/kd-cli/", "xtask/"]) && !is_build_script {
        look(&code, &PRINTS, "printing", "none outside of kd-cli and xtask");
    }
    if !under(&["crates/kd-data/", "xtask/"]) && !is_test && !is_build_script {
        look(&shipped, &OPENS, "file access", "none outside of kd-data");
    }
    findings
}

/// Words that end in `!` or `::` are followed by anything, so only their start has to be a word's start.
fn stands_in(line: &str, word: &str) -> bool {
    if word.ends_with(['!', ':']) {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
    } else {
        has_word(line, word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&SourceFile { path: path.to_owned(), text: text.to_owned() }).into_iter().map(|f| f.found).collect()
    }

    #[test]
    fn a_library_that_prints_is_found() {
        assert_eq!(found("crates/kd-core/src/a.rs", "fn f() { println!(\"x\"); }"), ["println!"]);
        assert_eq!(found("crates/kd-core/tests/a.rs", "dbg!(1);"), ["dbg!"]);
        assert!(found("crates/kd-cli/src/a.rs", "eprintln!()").is_empty());
        assert!(found("crates/kd-core/src/a.rs", "// println!(\"x\")\nwrite!(f, \"println!\")").is_empty());
    }

    #[test]
    fn a_file_opened_outside_of_data_is_found() {
        assert_eq!(found("crates/kd-metrics/src/a.rs", "use std::fs;"), ["std::fs"]);
        assert_eq!(found("crates/kd-cli/src/a.rs", "let f = File::open(p)?;"), ["File::"]);
        assert!(found("crates/kd-data/src/a.rs", "std::fs::read(p)").is_empty());
        assert!(found("crates/kd-cli/tests/a.rs", "std::fs::read(p)").is_empty());
        assert!(
            found("crates/kd-cli/src/a.rs", "#[cfg(test)]\nmod tests {\n    fn f() { std::fs::read(p) }\n}").is_empty()
        );
        assert!(found("crates/kd-cli/src/a.rs", "MyFile::open(p); offs::x()").is_empty());
    }

    #[test]
    fn unsafe_outside_its_two_places_is_found() {
        let text = "fn f() { unsafe { g() } }";
        assert_eq!(found("crates/kd-core/src/a.rs", text), ["unsafe"]);
        assert!(found("crates/kd-kernels/src/a.rs", text).is_empty());
        assert!(found("crates/kd-cli/src/main.rs", text).is_empty());
        assert!(found("crates/kd-core/src/a.rs", "#![forbid(unsafe_code)] // no unsafe here").is_empty());
    }
}
