//! Every Rust file opens with a module doc: what it is, and why this way.
//!
//! Tests, benches and build scripts too: a golden value without a word about its origin is a number nobody dares touch.

use super::{Finding, SourceFile};

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    let first = file.text.lines().next().unwrap_or("");
    let opens_with_doc = first.strip_prefix("//!").is_some_and(|doc| !doc.trim().is_empty());
    if !file.is_rust() || opens_with_doc {
        return Vec::new();
    }
    let found = if first.is_empty() { "an empty line" } else { first };
    vec![Finding::new(&file.path, 1, "first line", "a module doc, `//! …`", found)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_module_doc_is_found() {
        let check = |path: &str, text: &str| check(&SourceFile { path: path.to_owned(), text: text.to_owned() }).len();
        assert_eq!(check("a.rs", "//! What it is.\nfn f() {}"), 0);
        assert_eq!(check("tests/a.rs", "use std::fmt;"), 1);
        assert_eq!(check("a.rs", "//!\nfn f() {}"), 1);
        assert_eq!(check("a.rs", ""), 1);
        assert_eq!(check("a.toml", "x = 1"), 0);
    }
}
