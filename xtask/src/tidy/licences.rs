//! Licences of everything that is linked, against the allow list of `deny.toml`, and the manifests of our own crates.
//!
//! `cargo deny` asks the same and more, where it is installed; this runs everywhere. It reads the same file, so there
//! is one list.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::{Finding, SourceFile, spdx};
use crate::repository::Workspace;

const DENY: &str = "deny.toml";

/// The `[licenses]` part of `deny.toml`.
#[derive(Debug, Default)]
struct Policy {
    allow: BTreeSet<String>,
    /// Further licences for one crate each.
    exceptions: BTreeMap<String, BTreeSet<String>>,
    /// Licences of crates that ship a text instead of naming one.
    clarified: BTreeMap<String, String>,
}

pub(super) fn check(workspace: &Workspace, files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = inherits_the_workspace(workspace, files);
    let deny = files.iter().find(|file| file.path == DENY);
    let Some(policy) = deny.and_then(|file| policy(&file.text)) else {
        findings.push(Finding::new(DENY, 1, "licence policy", "a table `[licenses]` with `allow`", "none"));
        return findings;
    };
    for package in workspace.packages.values() {
        let license = package.license.as_ref().or_else(|| policy.clarified.get(&package.name));
        let exceptions = policy.exceptions.get(&package.name);
        let allowed = |id: &str| policy.allow.contains(id) || exceptions.is_some_and(|more| more.contains(id));
        let found = match license {
            None => "none",
            Some(license) if spdx::satisfied(license, &allowed) == Some(true) => continue,
            Some(license) => license,
        };
        let what = format!("licence of {} {}", package.name, package.version);
        findings.push(Finding::new("Cargo.lock", 1, &what, "one that deny.toml allows", found));
    }
    findings
}

fn policy(text: &str) -> Option<Policy> {
    let table: Table = text.parse().ok()?;
    let licenses = table.get("licenses")?.as_table()?;
    let mut policy = Policy { allow: strings(licenses.get("allow")?)?, ..Policy::default() };
    for exception in rows(licenses, "exceptions") {
        let name = exception.get("name").or_else(|| exception.get("crate"))?.as_str()?.to_owned();
        policy.exceptions.insert(name, strings(exception.get("allow")?)?);
    }
    for clarified in rows(licenses, "clarify") {
        let name = clarified.get("name").or_else(|| clarified.get("crate"))?.as_str()?.to_owned();
        policy.clarified.insert(name, clarified.get("expression")?.as_str()?.to_owned());
    }
    Some(policy)
}

fn rows<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = &'a Table> {
    table.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table)
}

fn strings(value: &Value) -> Option<BTreeSet<String>> {
    value.as_array()?.iter().map(|entry| entry.as_str().map(str::to_owned)).collect()
}

/// Each crate of ours takes its lints and its licence from the workspace.
fn inherits_the_workspace(workspace: &Workspace, files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in workspace.members() {
        let text = files.iter().find(|file| file.path == member.manifest).map_or("", |file| file.text.as_str());
        let table: Table = text.parse().unwrap_or_default();
        let inherits = |path: [&str; 2]| {
            table.get(path[0]).and_then(|value| value.get(path[1])).and_then(Value::as_bool) == Some(true)
        };
        if !inherits(["lints", "workspace"]) {
            findings.push(Finding::new(&member.manifest, 1, "lints", "`[lints] workspace = true`", "none"));
        }
        let license = table.get("package").and_then(|package| package.get("license"));
        if license.and_then(|license| license.get("workspace")).and_then(Value::as_bool) != Some(true) {
            findings.push(Finding::new(&member.manifest, 1, "licence", "`license.workspace = true`", "none"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::Package;

    const POLICY: &str = "[licenses]\nallow = [\"MIT\"]\n[[licenses.exceptions]]\nname = \"odd\"\nallow = [\"MPL-2.0\"]\n\
                          [[licenses.clarify]]\nname = \"texted\"\nexpression = \"MIT\"\n";
    const MANIFEST: &str = "[package]\nlicense.workspace = true\n[lints]\nworkspace = true\n";

    fn found(packages: &[(&str, Option<&str>)], manifest: &str) -> Vec<String> {
        let mut workspace = Workspace::default();
        for (name, license) in packages {
            let license = license.map(str::to_owned);
            let package = Package { name: (*name).to_owned(), license, ..Package::default() };
            workspace.packages.insert((*name).to_owned(), package);
        }
        let ours = Package {
            name: "ours".to_owned(),
            license: Some("MIT".to_owned()),
            is_member: true,
            manifest: "ours/Cargo.toml".to_owned(),
            ..Package::default()
        };
        workspace.packages.insert("ours".to_owned(), ours);
        let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
        let files = [file(DENY, POLICY), file("ours/Cargo.toml", manifest)];
        check(&workspace, &files).into_iter().map(|finding| format!("{}: {}", finding.what, finding.found)).collect()
    }

    #[test]
    fn a_licence_that_is_not_allowed_is_found() {
        assert!(found(&[("a", Some("MIT OR GPL-3.0"))], MANIFEST).is_empty());
        assert_eq!(found(&[("a", Some("GPL-3.0"))], MANIFEST), ["licence of a : GPL-3.0"]);
        assert_eq!(found(&[("a", None)], MANIFEST), ["licence of a : none"]);
    }

    #[test]
    fn an_exception_is_for_one_crate() {
        assert!(found(&[("odd", Some("MPL-2.0")), ("texted", None)], MANIFEST).is_empty());
        assert_eq!(found(&[("even", Some("MPL-2.0"))], MANIFEST).len(), 1);
    }

    #[test]
    fn a_crate_that_does_not_inherit_is_found() {
        assert_eq!(found(&[], "[package]\nlicense.workspace = true\n"), ["lints: none"]);
        assert_eq!(found(&[], "[package]\nlicense = \"MIT\"\n[lints]\nworkspace = true\n"), ["licence: none"]);
    }
}
