//! The repository as `cargo metadata` and the file tree show it.
//!
//! Only what the commands here ask for is kept: members and what they declare, every package's licence, and the
//! resolved graph without development dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use crate::step::cargo;

/// The folder of the root `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// What `cargo metadata` says, all features on, for the machine that it runs on.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    /// Every package by id, members and foreign ones.
    pub(crate) packages: BTreeMap<String, Package>,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    pub(crate) is_member: bool,
    /// `Cargo.toml`, relative to the root for a member.
    pub(crate) manifest: String,
    pub(crate) features: BTreeSet<String>,
    pub(crate) declared: Vec<Declared>,
    /// Ids of the packages that a normal or build dependency resolves to.
    pub(crate) resolved: Vec<String>,
}

/// One line of a `[dependencies]` table.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) is_dev: bool,
    pub(crate) uses_default_features: bool,
    pub(crate) features: Vec<String>,
}

impl Workspace {
    /// Asks `cargo metadata`. Only this machine's platform is resolved, so that no foreign platform's crates have to
    /// be downloaded for a check.
    pub(crate) fn load(root: &Path) -> anyhow::Result<Self> {
        let args = ["metadata", "--format-version", "1", "--all-features", "--filter-platform", &host()?];
        let output = cargo(root, args).output().context("cannot start `cargo metadata`")?;
        anyhow::ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
        let json = serde_json::from_slice(&output.stdout).context("`cargo metadata` gave no JSON")?;
        Self::from_json(&json, root).context("unexpected shape of `cargo metadata`")
    }

    fn from_json(json: &Value, root: &Path) -> Option<Self> {
        let members: BTreeSet<&str> = json["workspace_members"].as_array()?.iter().filter_map(Value::as_str).collect();
        let mut packages = BTreeMap::new();
        for package in json["packages"].as_array()? {
            let id = package["id"].as_str()?;
            let manifest = Path::new(package["manifest_path"].as_str()?);
            let manifest = manifest.strip_prefix(root).unwrap_or(manifest).to_string_lossy().replace('\\', "/");
            let declared = package["dependencies"].as_array()?.iter().map(declared).collect::<Option<_>>()?;
            packages.insert(
                id.to_owned(),
                Package {
                    name: package["name"].as_str()?.to_owned(),
                    version: package["version"].as_str()?.to_owned(),
                    license: package["license"].as_str().map(str::to_owned),
                    is_member: members.contains(id),
                    manifest,
                    features: package["features"].as_object()?.keys().cloned().collect(),
                    declared,
                    resolved: Vec::new(),
                },
            );
        }
        for node in json["resolve"]["nodes"].as_array()? {
            let package = packages.get_mut(node["id"].as_str()?)?;
            for dependency in node["deps"].as_array()? {
                if dependency["dep_kinds"].as_array()?.iter().any(|kind| kind["kind"].as_str() != Some("dev")) {
                    package.resolved.push(dependency["pkg"].as_str()?.to_owned());
                }
            }
        }
        Some(Self { packages })
    }

    /// The crates of this repository, by name.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().filter(|package| package.is_member)
    }

    /// `--features` that switch on every member's slow tests; empty where no member has such a feature.
    pub(crate) fn slow_test_features(&self) -> Vec<String> {
        let slow = self.members().filter(|member| member.features.contains("slow-tests"));
        slow.flat_map(|member| ["--features".to_owned(), format!("{}/slow-tests", member.name)]).collect()
    }
}

fn declared(dependency: &Value) -> Option<Declared> {
    Some(Declared {
        name: dependency["name"].as_str()?.to_owned(),
        is_dev: dependency["kind"].as_str() == Some("dev"),
        uses_default_features: dependency["uses_default_features"].as_bool()?,
        features: dependency["features"].as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    })
}

fn host() -> anyhow::Result<String> {
    let output = std::process::Command::new("rustc").arg("-vV").output().context("cannot start `rustc -vV`")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

/// Every file of the repository that git would not ignore, relative to `root` with forward slashes, sorted.
///
/// Cargo's target folder.
pub(crate) fn target_folder(root: &Path) -> anyhow::Result<PathBuf> {
    let mut command = crate::step::cargo(root, ["metadata", "--format-version", "1", "--no-deps"]);
    let output = command.output().context("cannot start `cargo metadata`")?;
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).context("`cargo metadata` gave no JSON")?;
    Ok(PathBuf::from(json["target_directory"].as_str().context("`cargo metadata` names no target folder")?))
}

/// The tree is walked rather than git asked, so that a source archive can be checked as well.
pub(crate) fn files(root: &Path) -> anyhow::Result<Vec<String>> {
    let ignored = std::fs::read_to_string(root.join(".gitignore")).context("cannot read `.gitignore`")?;
    let ignored: Vec<&str> = ignored.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(root.join(&folder)).with_context(|| format!("cannot list `{folder}`"))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list `{folder}`"))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if name == ".git" || ignored.iter().any(|pattern| is_ignored(pattern, &path, &name)) {
                continue;
            }
            if entry.file_type()?.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

/// The part of git's pattern language that our `.gitignore` uses: a leading `/` anchors at the root, `*` is anything.
fn is_ignored(pattern: &str, path: &str, name: &str) -> bool {
    match pattern.trim_end_matches('/').strip_prefix('/') {
        Some(anchored) => matches(anchored, path),
        None => matches(pattern.trim_end_matches('/'), name),
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| rest.ends_with(after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignore_patterns_follow_git() {
        assert!(is_ignored("/target", "target", "target"));
        assert!(!is_ignored("/target", "crates/target", "target"));
        assert!(is_ignored("/target-*", "target-lint", "target-lint"));
        assert!(is_ignored("*.pyc", "oracles/a.pyc", "a.pyc"));
        assert!(!is_ignored("*.pyc", "oracles/a.py", "a.py"));
    }

    #[test]
    fn metadata_keeps_members_and_drops_development_edges() {
        let json = serde_json::json!({
            "workspace_members": ["a#1"],
            "packages": [
                {"id": "a#1", "name": "a", "version": "1.0.0", "license": "MIT", "manifest_path": "r/a/Cargo.toml",
                 "features": {"slow-tests": []},
                 "dependencies": [{"name": "b", "kind": "dev", "uses_default_features": false, "features": ["x"]}]},
                {"id": "b#2", "name": "b", "version": "2.0.0", "license": null, "manifest_path": "z/Cargo.toml",
                 "features": {}, "dependencies": []}
            ],
            "resolve": {"nodes": [
                {"id": "a#1", "deps": [{"pkg": "b#2", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "b#2", "deps": [{"pkg": "a#1", "dep_kinds": [{"kind": "dev"}, {"kind": null}]}]}
            ]}
        });
        let workspace = Workspace::from_json(&json, Path::new("r")).expect("the shape is right");
        let member = &workspace.packages["a#1"];
        assert!(member.is_member && member.resolved.is_empty());
        assert_eq!(member.manifest, "a/Cargo.toml");
        assert!(member.declared[0].is_dev && !member.declared[0].uses_default_features);
        assert_eq!(workspace.packages["b#2"].resolved, ["a#1"]);
        assert_eq!(workspace.slow_test_features(), ["--features", "a/slow-tests"]);
    }
}
