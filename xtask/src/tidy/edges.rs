//! Which crate may depend on which, and who may reach Burn.
//!
//! Arrows point down: metrics never see a tensor, the training core never sees a path, task crates never see each
//! other. Development dependencies may add kd-data, because phantoms make good tests. Crates that are still to come
//! stand in the table already, so that they start inside the fence.

use std::collections::BTreeSet;

use super::Finding;
use crate::repository::{Declared, Package, Workspace};

/// The crates that see everything: the composition root, and the benches that measure it.
const ALL: &[&str] = &[
    "kd-image",
    "kd-metrics",
    "kd-data",
    "kd-kernels",
    "kd-core",
    "kd-classify",
    "kd-segment",
    "kd-enhance",
    "kd-report",
];
const TASK: &[&str] = &["kd-core", "kd-metrics", "kd-image", "kd-kernels"];

const ALLOWED: [(&str, &[&str]); 12] = [
    ("kd-image", &[]),
    ("kd-metrics", &["kd-image"]),
    ("kd-data", &["kd-image"]),
    ("kd-kernels", &[]),
    ("kd-core", &["kd-image", "kd-metrics", "kd-kernels"]),
    ("kd-classify", TASK),
    ("kd-segment", TASK),
    ("kd-enhance", TASK),
    ("kd-report", &[]),
    ("kd-cli", ALL),
    ("kd-bench", ALL),
    ("xtask", &["kd-report", "kd-data"]),
];

/// Below the line: no tensor library, directly or by way of others.
const WITHOUT_BURN: [&str; 5] = ["kd-image", "kd-metrics", "kd-data", "kd-report", "xtask"];

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let ours: BTreeSet<&str> = workspace.members().map(|member| member.name.as_str()).collect();
    let mut findings = Vec::new();
    for member in workspace.members() {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == member.name) else {
            let expected = "a row in the table of xtask/src/tidy/edges.rs";
            findings.push(Finding::new(&member.manifest, 1, "workspace member", expected, &member.name));
            continue;
        };
        for edge in member.declared.iter().filter(|edge| ours.contains(edge.name.as_str())) {
            let may = allowed.contains(&edge.name.as_str()) || (edge.is_dev && edge.name == "kd-data");
            if !may {
                let expected = if allowed.is_empty() { "none of ours".to_owned() } else { allowed.join(", ") };
                findings.push(Finding::new(&member.manifest, 1, "dependency edge", expected, &edge.name));
            }
            if member.name == "xtask" && edge.name == "kd-data" && reads_formats(edge) {
                let expected = "default-features = false and at most the feature `fetch`";
                let found = format!("default-features = {}, {:?}", edge.uses_default_features, edge.features);
                findings.push(Finding::new(&member.manifest, 1, "kd-data in xtask", expected, found));
            }
        }
        if WITHOUT_BURN.contains(&member.name.as_str())
            && let Some(path) = path_to_burn(workspace, member)
        {
            findings.push(Finding::new(&member.manifest, 1, "dependencies", "no way to Burn", path.join(" → ")));
        }
    }
    findings
}

fn reads_formats(edge: &Declared) -> bool {
    edge.uses_default_features || edge.features.iter().any(|feature| feature != "fetch")
}

/// The names along one way from a package to a crate of Burn, if there is one.
fn path_to_burn(workspace: &Workspace, from: &Package) -> Option<Vec<String>> {
    fn walk<'a>(workspace: &'a Workspace, package: &'a Package, seen: &mut BTreeSet<&'a str>) -> Option<Vec<String>> {
        if package.name == "burn" || package.name.starts_with("burn-") || package.name.starts_with("cubecl") {
            return Some(vec![package.name.clone()]);
        }
        for id in &package.resolved {
            if seen.insert(id)
                && let Some(next) = workspace.packages.get(id)
                && let Some(mut path) = walk(workspace, next, seen)
            {
                path.insert(0, package.name.clone());
                return Some(path);
            }
        }
        None
    }
    walk(workspace, from, &mut BTreeSet::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(name: &str, is_dev: bool) -> Declared {
        Declared { name: name.to_owned(), is_dev, uses_default_features: false, features: Vec::new() }
    }

    fn workspace(packages: &[(&str, bool, Vec<Declared>, &[&str])]) -> Workspace {
        let mut workspace = Workspace::default();
        for (name, is_member, declared, resolved) in packages {
            workspace.packages.insert(
                (*name).to_owned(),
                Package {
                    name: (*name).to_owned(),
                    is_member: *is_member,
                    manifest: format!("crates/{name}/Cargo.toml"),
                    declared: declared.clone(),
                    resolved: resolved.iter().map(|&id| id.to_owned()).collect(),
                    ..Package::default()
                },
            );
        }
        workspace
    }

    #[test]
    fn task_crates_may_not_see_each_other() {
        let packages = [
            ("kd-classify", true, vec![edge("kd-core", false), edge("kd-segment", false)], &[][..]),
            ("kd-segment", true, vec![], &[]),
            ("kd-core", true, vec![], &[]),
        ];
        let findings = check(&workspace(&packages));
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].found.as_str(), findings[0].line), ("kd-segment", 1));
    }

    #[test]
    fn data_is_allowed_for_tests_only() {
        let with = |is_dev| [("kd-core", true, vec![edge("kd-data", is_dev)], &[][..]), ("kd-data", true, vec![], &[])];
        assert!(check(&workspace(&with(true))).is_empty());
        assert_eq!(check(&workspace(&with(false))).len(), 1);
    }

    #[test]
    fn burn_behind_another_crate_is_seen() {
        let packages = [
            ("kd-metrics", true, vec![], &["middle"][..]),
            ("middle", false, vec![], &["burn-tensor"]),
            ("burn-tensor", false, vec![], &[]),
        ];
        let findings = check(&workspace(&packages));
        assert_eq!(findings[0].found, "kd-metrics → middle → burn-tensor");
    }

    #[test]
    fn xtask_takes_data_without_formats() {
        let with = |features: &[&str], uses_default_features| {
            let features = features.iter().map(|&feature| feature.to_owned()).collect();
            let data = Declared { features, uses_default_features, ..edge("kd-data", false) };
            check(&workspace(&[("xtask", true, vec![data], &[]), ("kd-data", true, vec![], &[])])).len()
        };
        assert_eq!(with(&["fetch"], false), 0);
        assert_eq!(with(&["fetch"], true), 1);
        assert_eq!(with(&["fetch", "formats"], false), 1);
    }

    #[test]
    fn a_crate_without_a_row_is_found() {
        assert_eq!(check(&workspace(&[("kd-models", true, vec![], &[])]))[0].what, "workspace member");
    }
}
