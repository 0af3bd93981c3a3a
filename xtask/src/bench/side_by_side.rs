//! What benches that take turns with other programs have in common: which names they take, how they are called, and where
//! their records go.

use std::path::Path;

use kd_data::store;

use super::record::Origin;
use crate::flags::{SideBySide, UsageError};

impl SideBySide {
    /// Refuses no rounds, and names that nobody knows; `names` are those of the flag `what`.
    pub(super) fn check(&self, (what, names): (&str, &[String]), known: &[&str]) -> anyhow::Result<()> {
        if self.rounds == 0 {
            return Err(UsageError("rounds: expected at least 1, found 0".to_owned()).into());
        }
        match names.iter().find(|name| !known.contains(&name.as_str())) {
            Some(name) => {
                Err(UsageError(format!("{what}: expected some of {}, found `{name}`", known.join(", "))).into())
            }
            None => Ok(()),
        }
    }

    /// The command that makes the record of a bench again.
    pub(super) fn command(&self, bench: &str, (what, names): (&str, &[String])) -> String {
        let mut command = format!("cargo xtask bench {bench} --rounds {}", self.rounds);
        if !names.is_empty() {
            command.push_str(&format!(" --{what} {}", names.join(",")));
        }
        command.push_str(if self.python.is_some() { " --python PYTHON --record" } else { " --record" });
        command
    }

    /// Keeps a record as Markdown and JSON, where that is asked for.
    pub(super) fn keep(
        &self,
        root: &Path,
        (bench, origin): (&str, &Origin),
        markdown: &str,
        json: &str,
    ) -> anyhow::Result<()> {
        if !self.record {
            return Ok(());
        }
        let name = format!("{}-{bench}", origin.name());
        let folder = store::StagedFolder::create(&root.join("benches/record").join(name))?;
        store::write_atomic(&folder.path().join(format!("{bench}.md")), markdown.as_bytes())?;
        store::write_atomic(&folder.path().join(format!("{bench}.json")), json.as_bytes())?;
        println!("{}", folder.commit()?.display());
        Ok(())
    }
}

/// Whether a name is asked for: all are where none is named.
pub(super) fn is_asked(names: &[String], name: &str) -> bool {
    names.is_empty() || names.iter().any(|asked| asked == name)
}
