//! `cargo xtask new`: a file that keeps the house rules from its first line, and the list of what to do next.
//!
//! The templates compute something, so that the new file compiles and its example passes before the first edit.

use std::path::Path;

use anyhow::Context as _;
use kd_data::{manifest, store};

use crate::flags::{NewKind, Task, UsageError};
use crate::{kd, repository};

const LOSS: &str = include_str!("../templates/loss.rs.template");
const METRIC: &str = include_str!("../templates/metric.rs.template");
/// The manifest template, with the marks of [`fill`].
pub(crate) const DATASET: &str = include_str!("../templates/dataset.toml.template");

/// Writes the new file and prints the next steps.
pub(crate) fn new(kind: NewKind, name: &str) -> anyhow::Result<u8> {
    let root = repository::root();
    let (path, text) = file(&root, kind, name)?;
    let target = root.join(&path);
    if target.exists() {
        return Err(UsageError(format!("`{path}` is there already, expected a new name")).into());
    }
    store::write_atomic(&target, text.as_bytes())?;
    println!("{path}");
    for (step_idx, step) in next_steps(kind, name).iter().enumerate() {
        eprintln!("{}. {step}", step_idx + 1);
    }
    Ok(0)
}

/// Path and text of the new file.
fn file(root: &Path, kind: NewKind, name: &str) -> anyhow::Result<(String, String)> {
    Ok(match kind {
        NewKind::Loss => (format!("crates/kd-core/src/loss/{}.rs", snake(name)?), fill(LOSS, snake(name)?)),
        NewKind::Metric => (format!("crates/kd-metrics/src/classify/{}.rs", snake(name)?), fill(METRIC, snake(name)?)),
        NewKind::Dataset => {
            if !manifest::is_dataset_name(name) {
                let expected = "lower-case letters, digits, `-`, `_` and `.`, a letter or digit first";
                return Err(UsageError(format!("dataset name: expected {expected}, found `{name}`")).into());
            }
            (format!("datasets/{name}/dataset.toml"), fill(DATASET, name))
        }
        NewKind::Recipe => {
            let is_file_name = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c));
            if !is_file_name || !name.contains('_') || !name.contains("-to-") {
                let message = format!("recipe name: expected `<dataset>_<teacher>-to-<student>`, found `{name}`");
                return Err(UsageError(message).into());
            }
            let from = kd::default_recipe(root, Task::Classify)?;
            let text = std::fs::read_to_string(&from).context("cannot read the default recipe")?;
            (format!("recipes/classify/{name}.toml"), recipe(&text, name))
        }
    })
}

fn snake(name: &str) -> anyhow::Result<&str> {
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !fits {
        return Err(UsageError(format!("name: expected snake_case, found `{name}`")).into());
    }
    Ok(name)
}

/// A template with its marks replaced by the forms of a name.
pub(crate) fn fill(template: &str, name: &str) -> String {
    let words: Vec<&str> = name.split(['_', '-']).filter(|word| !word.is_empty()).collect();
    let capital = |word: &&str| word[..1].to_uppercase() + &word[1..];
    let type_name: String = words.iter().map(capital).collect();
    let title = capital(&words.join(" ").as_str());
    template
        .replace("{{snake}}", &words.join("_"))
        .replace("{{kebab}}", name.replace('_', "-").as_str())
        .replace("{{type}}", &type_name)
        .replace("{{title}}", &title)
}

/// The default recipe under another name: the best description of the keys is one that works.
fn recipe(default: &str, name: &str) -> String {
    let body = default.lines().skip_while(|line| line.starts_with('#')).collect::<Vec<_>>().join("\n");
    format!("# {name}: say in one line what this recipe is to find out.\n{}\n", body.trim_end())
}

fn next_steps(kind: NewKind, name: &str) -> Vec<String> {
    match kind {
        NewKind::Loss => vec![
            format!("name the module and the type in crates/kd-core/src/loss/mod.rs (`mod {name};`, `pub use`)"),
            "replace formula, policy, source and example in the new file".to_owned(),
            "add its row to crates/kd-core/src/loss/catalog/rows.rs and its arm to loss/build.rs".to_owned(),
            "add golden values: a case in oracles/losses_logits/make.py, then `cargo xtask oracle run losses_logits`"
                .to_owned(),
            "cargo xtask check".to_owned(),
        ],
        NewKind::Metric => vec![
            format!("name the module in crates/kd-metrics/src/classify/mod.rs (`pub(crate) mod {name};`)"),
            format!("name the function in crates/kd-metrics/src/lib.rs (`pub use classify::{name}::{name};`)"),
            "replace formula, policy, source and example in the new file".to_owned(),
            "add golden values: a script in oracles/metrics, its output in crates/kd-metrics/tests/oracle".to_owned(),
            "cargo xtask check".to_owned(),
        ],
        NewKind::Dataset => vec![
            "replace every value in the new manifest".to_owned(),
            "add its name to the list in crates/kd-data/src/catalog.rs".to_owned(),
            format!("cargo xtask data get {name}"),
            "cargo xtask docs".to_owned(),
        ],
        NewKind::Recipe => vec![
            "say at its head what it is to find out, then change dataset, networks and arms".to_owned(),
            format!("cargo xtask run recipes/classify/{name}.toml --dry-run"),
            "cargo xtask docs".to_owned(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_takes_the_form_that_each_place_needs() {
        let text = fill("{{snake}} {{kebab}} {{type}} {{title}}", "logit_range");
        assert_eq!(text, "logit_range logit-range LogitRange Logit range");
    }

    #[test]
    fn the_templates_leave_no_mark() {
        for template in [LOSS, METRIC, DATASET] {
            assert!(!fill(template, "logit_range").contains("{{"));
        }
    }

    #[test]
    fn the_dataset_template_is_a_manifest() {
        let text = fill(DATASET, "my-set");
        let manifest = kd_data::Manifest::parse(&text, "dataset.toml").expect("the template is valid");
        assert_eq!(manifest.name.as_str(), "my-set");
    }

    #[test]
    fn a_name_that_does_not_fit_is_bad_usage() {
        let root = repository::root();
        for (kind, name) in [
            (NewKind::Loss, "LogitRange"),
            (NewKind::Metric, "../evil"),
            (NewKind::Dataset, "My Set"),
            (NewKind::Recipe, "only-a-dataset"),
            (NewKind::Recipe, "../a_b-to-c"),
        ] {
            let error = file(&root, kind, name).expect_err(name);
            assert!(error.is::<UsageError>(), "{name}: {error}");
        }
    }

    #[test]
    fn a_new_recipe_keeps_the_keys_and_not_the_comment() {
        assert_eq!(
            recipe("# Default.\n# More.\n[data]\nname = \"a\"\n", "a_b-to-c"),
            "# a_b-to-c: say in one line what this recipe is to find out.\n[data]\nname = \"a\"\n"
        );
    }
}
