//! The recipes that come with the program, and reading one by name or path.

use std::path::Path;

use anyhow::{Context, Result};

use serde::de::DeserializeOwned;

use super::{EnhanceRecipe, SegmentRecipe, Source, overrides};
use crate::output::usage;

macro_rules! recipes {
    ($($task:literal / $name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../../recipes/", $task, "/", $name, ".toml")))),*]
    };
}

/// Name and text of every recipe of the repository.
pub(crate) static RECIPES: [(&str, &str); 8] = recipes![
    "classify" / "chest-phantom_thin-16-to-thin-4",
    "classify" / "pneumoniamnist_resnet-18-to-thin",
    "classify" / "blood-cells_resnet-18-to-thin",
    "classify" / "blood-cells_which-loss",
    "classify" / "pneumoniamnist_which-loss",
    "classify" / "pneumoniamnist_who-teaches",
    "segment" / "thorax-phantom_u-net-12-to-6",
    "enhance" / "ct-phantom_dncnn-32-to-10",
];

/// A recipe of any task, read strictly.
pub(crate) enum AnySource {
    Classify(Box<Source>),
    Segment(Box<Source<SegmentRecipe>>),
    Enhance(Box<Source<EnhanceRecipe>>),
}

/// Reads a recipe by name or path, with overrides.
pub(crate) fn load(name: &str, sets: &[String]) -> Result<AnySource> {
    read(name, sets).map_err(usage)
}

fn read(name: &str, sets: &[String]) -> Result<AnySource> {
    let path = Path::new(name);
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
    if path.is_file() {
        return parse_any(stem, &kd_data::text::read_text(path)?, sets);
    }
    // A name, or the part before its first underscore where one recipe alone begins so.
    let begins = |known: &str| known == stem || known.split_once('_').is_some_and(|(first, _)| first == stem);
    let found: Vec<&(&str, &str)> = RECIPES.iter().filter(|(known, _)| begins(known)).collect();
    match found.as_slice() {
        [(known, text)] => parse_any(known, text, sets),
        [_, _, ..] => {
            let several: Vec<&str> = found.iter().map(|(known, _)| *known).collect();
            anyhow::bail!("`{name}` begins the name of several recipes, expected one of {}", several.join(", "))
        }
        [] => {
            let known: Vec<&str> = RECIPES.iter().map(|(known, _)| *known).collect();
            anyhow::bail!(
                "no recipe `{name}` among the files or in the catalogue ({})\nhint: give a path to a .toml file",
                known.join(", ")
            )
        }
    }
}

/// Reads a recipe's text for the task that it names.
pub(crate) fn parse_any(name: &str, text: &str, sets: &[String]) -> Result<AnySource> {
    // Whatever else is wrong is told by the strict reading that follows.
    let table: toml::Table = toml::from_str(text).with_context(|| format!("recipe `{name}`"))?;
    match table.get("task").and_then(toml::Value::as_str) {
        Some("segment") => Ok(AnySource::Segment(Box::new(parse(name, text, sets)?))),
        Some("enhance") => Ok(AnySource::Enhance(Box::new(parse(name, text, sets)?))),
        _ => Ok(AnySource::Classify(Box::new(parse(name, text, sets)?))),
    }
}

/// Reads a recipe's text, with overrides.
pub(crate) fn parse<R: DeserializeOwned>(name: &str, text: &str, sets: &[String]) -> Result<Source<R>> {
    // The first reading tells line and column of a mistake, which a changed table no longer knows.
    let recipe: R = toml::from_str(text).with_context(|| format!("recipe `{name}`"))?;
    if sets.is_empty() {
        return Ok(Source { name: name.to_owned(), text: text.to_owned(), recipe });
    }
    let mut table: toml::Table = toml::from_str(text)?;
    for set in sets {
        overrides::apply(&mut table, set)?;
    }
    let recipe =
        table.clone().try_into().with_context(|| format!("recipe `{name}` after --set {}", sets.join(" --set ")))?;
    Ok(Source { name: name.to_owned(), text: toml::to_string(&table)?, recipe })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;

    #[test]
    fn every_recipe_of_the_repository_is_read_and_fits_its_data() {
        for (name, text) in RECIPES {
            let fits = match parse_any(name, text, &[]).unwrap() {
                AnySource::Classify(source) => crate::recipe::Experiment::without_manifest(&source).map(drop),
                AnySource::Segment(source) => {
                    let manifest = kd_data::catalog::find(&source.recipe.data.name).unwrap();
                    match source.recipe.data.size.len() {
                        2 => crate::dense::segment::experiment::<2>(&source, manifest).map(drop),
                        _ => crate::dense::segment::experiment::<3>(&source, manifest).map(drop),
                    }
                }
                AnySource::Enhance(source) => {
                    let manifest = kd_data::catalog::find(&source.recipe.data.name).unwrap();
                    crate::dense::enhance::experiment(&source, manifest).map(drop)
                }
            };
            assert!(fits.is_ok(), "{name}: {:#}", fits.err().unwrap());
        }
    }

    #[test]
    fn a_beginning_that_several_recipes_share_is_refused_with_their_names() {
        let refused = read("pneumoniamnist", &[]).err().unwrap().to_string();
        assert!(refused.contains("pneumoniamnist_which-loss") && refused.contains("resnet-18-to-thin"), "{refused}");
        assert!(read("thorax-phantom", &[]).is_ok() && read("nobody", &[]).is_err());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let (name, text) = RECIPES[0];
        let wrong = text.replacen("leak_policy", "leak_polcy", 1);
        let refused = format!("{:#}", parse::<Recipe>(name, &wrong, &[]).unwrap_err());
        assert!(refused.contains("leak_polcy") && refused.contains("line"), "{refused}");
    }

    #[test]
    fn overrides_change_the_text_that_is_recorded() {
        let (name, text) = RECIPES[0];
        let source: Source = parse(name, text, &["student.train.epochs=3".into()]).unwrap();
        assert_eq!(source.recipe.student.train.epochs, 3);
        assert_eq!(parse::<Recipe>(name, &source.text, &[]).unwrap().recipe, source.recipe);
        assert!(parse::<Recipe>(name, text, &["student.train.epoch=3".into()]).is_err());
    }
}
