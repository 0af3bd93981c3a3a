//! Public losses and metrics say what they compute, which choices change the number, and where it comes from.
//!
//! A reader who cannot see the policy of a number cannot compare it with another paper's. A loss is a public type that
//! implements `DistillLoss`, or whose file bears its name; a metric is a public function that returns a score.

use super::{Finding, SourceFile};

const LOSSES: &str = "crates/kd-core/src/loss/";
const METRICS: &str = "crates/kd-metrics/src/";
const NUMBER: &[&str] = &["# Policy", "# Source", "# Example"];
const TENSOR: &[&str] = &["# Shapes"];

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines: Vec<&str> = file.text.lines().collect();
    let mut doc = Vec::new();
    for (line_idx, line) in lines.iter().enumerate() {
        if line.starts_with("///") {
            doc.push(line.trim_start_matches("///").trim());
        } else if !line.starts_with("#[") {
            let header = header(&lines[line_idx..]);
            for section in required(file, &header) {
                if !doc.iter().any(|line| line.starts_with(section)) {
                    let what = format!("doc of `{}`", name(&header));
                    findings.push(Finding::new(&file.path, line_idx + 1, &what, *section, "no such section"));
                }
            }
            doc.clear();
        }
    }
    findings
}

/// The sections that an item needs; `header` is empty inside of items.
fn required(file: &SourceFile, header: &str) -> &'static [&'static str] {
    let returns = |output: &str| {
        header.starts_with("pub fn ") && header.rsplit_once("->").is_some_and(|(_, found)| found.contains(output))
    };
    let in_losses = file.path.starts_with(LOSSES);
    if (in_losses && header.starts_with("pub struct ") && is_loss(file, name(header)))
        || (file.path.starts_with(METRICS) && returns("Score"))
    {
        NUMBER
    } else if in_losses && returns("Tensor") {
        TENSOR
    } else {
        &[]
    }
}

fn is_loss(file: &SourceFile, name: &str) -> bool {
    let ends = format!(" DistillLoss<D> for {name} {{");
    let stem = file.path.rsplit('/').next().unwrap_or("").trim_end_matches(".rs").replace('_', "");
    name.ends_with("Loss") || stem == name.to_lowercase() || file.text.lines().any(|line| line.ends_with(&ends))
}

/// An item of the file's outermost level up to its body, in one line; empty for anything else.
fn header(lines: &[&str]) -> String {
    let mut header = String::new();
    if !lines[0].starts_with("pub ") {
        return header;
    }
    for line in lines {
        let end = line.find(['{', ';']);
        header.push_str(line[..end.unwrap_or(line.len())].trim());
        header.push(' ');
        if end.is_some() {
            break;
        }
    }
    header
}

fn name(header: &str) -> &str {
    let mut words = header.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.find(|&word| word == "fn" || word == "struct");
    words.next().unwrap_or(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOSS: &str = "/// Computes.\n///\n/// # Policy\n/// # Source\n/// # Example\n#[derive(Debug)]\n\
                        pub struct HintonKd {\n}\nimpl<const D: usize> DistillLoss<D> for HintonKd {\n";

    fn found(path: &str, text: &str) -> Vec<String> {
        let file = SourceFile { path: path.to_owned(), text: text.to_owned() };
        check(&file).into_iter().map(|finding| format!("{} {}", finding.what, finding.expected)).collect()
    }

    #[test]
    fn a_loss_without_a_section_is_found() {
        assert!(found("crates/kd-core/src/loss/hinton.rs", LOSS).is_empty());
        let part = LOSS.replace("/// # Source\n", "");
        assert_eq!(found("crates/kd-core/src/loss/hinton.rs", &part), ["doc of `HintonKd` # Source"]);
        assert!(found("crates/kd-core/src/train/hinton.rs", &part).is_empty());
    }

    #[test]
    fn a_task_loss_is_known_by_its_file() {
        let text = "/// Computes.\npub struct CrossEntropy;";
        assert_eq!(found("crates/kd-core/src/loss/cross_entropy.rs", text).len(), 3);
        assert!(found("crates/kd-core/src/loss/catalog.rs", text).is_empty());
    }

    #[test]
    fn a_function_on_tensors_names_its_shapes() {
        let text = "/// Averages.\npub fn mean_over_valid<const D: usize>(\n    values: Tensor<D>,\n) -> Tensor<1> {";
        assert_eq!(found("crates/kd-core/src/loss/reduce.rs", text), ["doc of `mean_over_valid` # Shapes"]);
    }

    #[test]
    fn a_metric_over_several_lines_is_found() {
        let text =
            "/// Computes.\n/// # Source\n/// # Example\npub fn auroc(\n    scores: &[f64],\n) -> Result<Score, E> {";
        assert_eq!(found("crates/kd-metrics/src/auc.rs", text), ["doc of `auroc` # Policy"]);
        assert!(found("crates/kd-metrics/src/auc.rs", "pub fn ranks(scores: &[f64]) -> Vec<f64> {").is_empty());
    }

    #[test]
    fn a_doc_belongs_to_the_item_after_it() {
        let text = "/// # Policy\n/// # Source\n/// # Example\npub struct Weights {\n}\npub struct HintonLoss;";
        assert_eq!(found("crates/kd-core/src/loss/hinton.rs", text).len(), 3);
    }
}
