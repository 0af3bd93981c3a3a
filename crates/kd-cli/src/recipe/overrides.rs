//! `--set path=value`: one key of a recipe changed from the command line.
//!
//! A path follows keys; where it meets a list of tables, the next part is the `name` (of a term: `name` or `loss`) of
//! one of them. Terms need no `term` in the path: `arm.kd.hinton.temperature=2`.

use anyhow::{Result, anyhow, bail};
use toml::{Table, Value};

/// Applies `path=value`.
pub(super) fn apply(recipe: &mut Table, text: &str) -> Result<()> {
    let (path, value) = text
        .split_once('=')
        .ok_or_else(|| anyhow!("--set got `{text}`, expected path=value\nhint: --set student.train.epochs=4"))?;
    let parts: Vec<&str> = path.trim().split('.').collect();
    if parts.iter().any(|part| part.is_empty()) {
        bail!("--set got path `{path}`, expected keys joined by dots");
    }
    set(recipe, &parts, path, read(value.trim()))
}

/// A TOML value, or plain text where it is none.
fn read(text: &str) -> Value {
    format!("value = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn set(table: &mut Table, parts: &[&str], path: &str, value: Value) -> Result<()> {
    match parts {
        [] => bail!("--set got an empty path"),
        [key] => {
            table.insert((*key).to_owned(), value);
            Ok(())
        }
        [key, rest @ ..] if table.contains_key(*key) => match table.get_mut(*key) {
            Some(Value::Table(inner)) => set(inner, rest, path, value),
            Some(Value::Array(list)) => in_list(list, key, rest, path, value),
            _ => bail!("--set got path `{path}`, but `{key}` is a plain value"),
        },
        [key, ..] => {
            // A part that is no key may be the name of a term.
            match table.get_mut("term") {
                Some(Value::Array(terms)) => in_list(terms, "term", parts, path, value),
                _ => bail!(
                    "--set got path `{path}`, but there is no `{key}`; found {}",
                    table.keys().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
                ),
            }
        }
    }
}

fn in_list(list: &mut [Value], key: &str, rest: &[&str], path: &str, value: Value) -> Result<()> {
    let Some((name, rest)) = rest.split_first() else { bail!("--set got path `{path}`, which ends at a list") };
    let named = |value: &Value| {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        text("name").or_else(|| text("loss")).map(str::to_owned)
    };
    let names: Vec<String> = list.iter().filter_map(named).collect();
    let found = list.iter_mut().find(|entry| named(entry).as_deref() == Some(*name));
    match found {
        Some(Value::Table(table)) => set(table, rest, path, value),
        _ => bail!("--set got path `{path}`, but no `{key}` is named `{name}`; found {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> Table {
        r#"
        [student.train]
        epochs = 8
        [[arm]]
        name = "kd"
        [[arm.term]]
        loss = "task"
        weight = 1.0
        [[arm.term]]
        loss = "hinton"
        temperature = 4.0
        "#
        .parse()
        .unwrap()
    }

    #[test]
    fn a_path_reaches_tables_lists_and_terms() {
        let mut changed = recipe();
        apply(&mut changed, "student.train.epochs=3").unwrap();
        apply(&mut changed, "arm.kd.hinton.temperature=2").unwrap();
        apply(&mut changed, "arm.kd.note=plain text").unwrap();
        assert_eq!(changed["student"]["train"]["epochs"].as_integer(), Some(3));
        assert_eq!(changed["arm"][0]["term"][1]["temperature"].as_integer(), Some(2));
        assert_eq!(changed["arm"][0]["note"].as_str(), Some("plain text"));
    }

    #[test]
    fn a_name_that_is_not_there_is_refused_with_those_that_are() {
        let refused = apply(&mut recipe(), "arm.dkd.hinton.temperature=2").unwrap_err().to_string();
        assert_eq!(refused, "--set got path `arm.dkd.hinton.temperature`, but no `arm` is named `dkd`; found kd");
        assert!(apply(&mut recipe(), "student.train").is_err());
        assert!(apply(&mut recipe(), "teacher.train.epochs=1").is_err());
    }
}
