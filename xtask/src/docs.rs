//! Rust docs with warnings denied, and `docs/reference/`: what the programs say of themselves, written down.
//!
//! Nobody edits those pages. They are made from `kd --help`, `kd losses`, the dataset catalogue, the heads of the recipes,
//! the newest record of conformance and the records that compare losses, and CI compares them, so they cannot say something else than the program.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use kd_data::{Root, catalog, store};

use crate::data::Row;
use crate::flags::FAILED;
use crate::step::{cargo, run};
use crate::{conformance, kd, repository, which_loss};

const FOLDER: &str = "docs/reference";
const HEAD: &str = "<!-- Made by `cargo xtask docs`; edits here are lost. -->\n\n";

/// Builds the Rust docs; writes or compares the reference pages.
pub(crate) fn docs(only_compare: bool) -> anyhow::Result<u8> {
    let root = repository::root();
    let mut rustdoc = cargo(&root, ["doc", "--workspace", "--release", "--no-deps", "--locked"]);
    rustdoc.env("RUSTDOCFLAGS", "--deny warnings");
    let code = run(rustdoc)?;
    if code != 0 {
        return Ok(code);
    }
    let pages = pages(&root)?;
    if only_compare {
        return compare(&root, &pages);
    }
    for (name, text) in &pages {
        store::write_atomic(&root.join(FOLDER).join(name), text.as_bytes())?;
        println!("{FOLDER}/{name}");
    }
    Ok(0)
}

/// Every reference page by file name.
fn pages(root: &Path) -> anyhow::Result<BTreeMap<&'static str, String>> {
    let kd = kd::build(root)?;
    let mut command_line = format!("{HEAD}# Command line of `kd`\n");
    help_tree(&kd, &mut Vec::new(), &mut command_line)?;
    anyhow::ensure!(command_line.contains("\n## `kd run`\n"), "no command was found in the help of `kd`");
    let losses = said(&kd, &["losses"])?;
    Ok(BTreeMap::from([
        ("command-line.md", command_line),
        ("formats.md", format!("{HEAD}# Formats\n\n{}", conformance::page(conformance::newest(root)?))),
        ("datasets.md", format!("{HEAD}# Datasets\n\n{}", datasets())),
        ("losses.md", format!("{HEAD}# Losses\n\nWhat `kd losses` prints.\n\n```text\n{}\n```\n", losses.trim_end())),
        ("which-loss.md", format!("{HEAD}# Which loss\n\n{}", which_loss::page(&which_loss::records(root)?))),
        ("recipes.md", format!("{HEAD}# Recipes\n\n{}", recipes(root)?)),
    ]))
}

/// Adds the help of a command and of everything below it.
fn help_tree(kd: &Path, path: &mut Vec<String>, page: &mut String) -> anyhow::Result<()> {
    let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
    args.push("--help");
    let help = said(kd, &args)?;
    let name = ["kd"].into_iter().chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    page.push_str(&format!("\n## `{name}`\n\n```text\n{}\n```\n", help.trim_end()));
    for below in subcommands(&help) {
        path.push(below);
        help_tree(kd, path, page)?;
        path.pop();
    }
    Ok(())
}

/// The names of commands in a help text: they stand two columns in, below any heading but that of the examples.
fn subcommands(help: &str) -> Vec<String> {
    let before_examples = help.lines().take_while(|line| *line != "Examples:");
    let listed = before_examples.filter_map(|line| line.strip_prefix("  "));
    let names = listed.filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

/// What a command prints, at a width that does not depend on a terminal.
fn said(program: &Path, args: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new(program);
    command.args(args).env("COLUMNS", "100").env("NO_COLOR", "1").stdin(Stdio::null());
    let output = command.output().with_context(|| format!("cannot start `kd {}`", args.join(" ")))?;
    let message = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "`kd {}` failed: {}", args.join(" "), message.trim());
    let text = String::from_utf8(output.stdout).with_context(|| format!("`kd {}` printed no UTF-8", args.join(" ")))?;
    Ok(text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"))
}

fn datasets() -> String {
    let mut text = String::from("| name | title | task | classes | images | size | license |\n");
    text.push_str("|---|---|---|---:|---:|---|---|\n");
    let nowhere = Root::new("artifacts");
    for manifest in catalog::list() {
        let Row { name, title, task, n_classes, n_images, size, license, .. } = Row::new(&nowhere, manifest);
        let images = n_images.map_or("-".to_owned(), |n| n.to_string());
        text.push_str(&format!("| `{name}` | {title} | {task} | {n_classes} | {images} | {size} | {license} |\n"));
    }
    text
}

fn recipes(root: &Path) -> anyhow::Result<String> {
    let mut text = String::from("| file | what it is |\n|---|---|\n");
    for path in repository::files(root)? {
        if path.starts_with("recipes/") && path.ends_with(".toml") {
            let recipe = std::fs::read_to_string(root.join(&path)).with_context(|| format!("cannot read `{path}`"))?;
            text.push_str(&format!("| [`{path}`](../../{path}) | {} |\n", leading_comment(&recipe)));
        }
    }
    Ok(text)
}

/// The comment at the head of a recipe, as one line.
fn leading_comment(recipe: &str) -> String {
    let lines = recipe.lines().take_while(|line| line.starts_with('#'));
    lines.map(|line| line.trim_start_matches('#').trim()).collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn compare(root: &Path, pages: &BTreeMap<&'static str, String>) -> anyhow::Result<u8> {
    let mut code = 0;
    let mut differ = |name: &str, found: &str| {
        println!("{FOLDER}/{name}:1: reference page, expected what the program says, found {found}");
        code = FAILED;
    };
    for (name, text) in pages {
        match std::fs::read_to_string(root.join(FOLDER).join(name)) {
            Err(_) => differ(name, "no such file"),
            Ok(kept) if kept != *text => differ(name, "another text"),
            Ok(_) => {}
        }
    }
    for path in repository::files(root)? {
        if let Some(name) = path.strip_prefix(&format!("{FOLDER}/"))
            && !pages.contains_key(name)
        {
            differ(name, "a page that nothing makes");
        }
    }
    if code != 0 {
        eprintln!("hint: run `cargo xtask docs` and keep what it writes");
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subcommands_are_read_from_help() {
        let help = "Distils.\n\nUsage: kd <COMMAND>\n\nExperiment:\n  run      Runs all\n           at once\n\nData:\n  data     \
                    Data\n  help     Print this\n\nOptions:\n  -h, --help\n\nExamples:\n  kd run\n";
        assert_eq!(subcommands(help), ["run", "data"]);
        assert!(subcommands("Usage: kd run\n\nOptions:\n  -h\n").is_empty());
    }

    #[test]
    fn the_head_of_a_recipe_becomes_one_line() {
        assert_eq!(leading_comment("# Chest phantom,\n# small.\n[data]\n# not this\n"), "Chest phantom, small.");
    }

    #[test]
    fn a_page_that_differs_is_a_failure() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path();
        std::fs::create_dir_all(root.join(FOLDER)).expect("a folder");
        std::fs::write(root.join(".gitignore"), "").expect("a file");
        std::fs::write(root.join(FOLDER).join("a.md"), "old").expect("a file");
        assert_eq!(compare(root, &BTreeMap::from([("a.md", "old".to_owned())])).expect("readable"), 0);
        assert_eq!(compare(root, &BTreeMap::from([("a.md", "new".to_owned())])).expect("readable"), FAILED);
        assert_eq!(compare(root, &BTreeMap::new()).expect("readable"), FAILED);
    }
}
