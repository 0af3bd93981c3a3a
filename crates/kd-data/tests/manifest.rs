//! A manifest is read strictly: what is missing, unknown or wrong is named with file, line, key and remedy.

use kd_data::Manifest;
use kd_data::manifest::{ManifestError, SplitShares, is_dataset_name};

const GOOD: &str = r#"name = "my-set"
title = "My set"
task = "binary"
classes = ["normal", "lesion"]
positive = "lesion"

[image]
channels = 1
size = [28, 30]
intensity = "stored"
bits = 8

[license]
spdx = "CC-BY-4.0"

[citation]
text = "own data"

[split]
policy = "by-subject"
seed = 3
train = 0.6
val = 0.1
test = 0.3

[source]
layout = "medmnist-npz"

[[source.file]]
name = "set.npz"
md5 = "900150983cd24fb0d6963f7d28e17f72"
"#;

fn refused(text: &str) -> String {
    Manifest::parse(text, "dataset.toml").unwrap_err().to_string()
}

/// Replaces one line and gives the error.
#[track_caller]
fn check(line: &str, instead: &str, expected_start: &str, expected_hint: &str) {
    assert!(GOOD.contains(line), "{line}");
    let text = refused(&GOOD.replacen(line, instead, 1));
    assert!(text.starts_with(expected_start), "{text}");
    let hint = text.split_once("\nhint: ").map(|(_, hint)| hint).unwrap_or_default();
    assert!(hint.contains(expected_hint), "{text}");
}

#[test]
fn a_manifest_written_out_reads_back_the_same() {
    let manifest = Manifest::parse(GOOD, "dataset.toml").unwrap();
    assert_eq!(Manifest::parse(&manifest.to_toml(), "again").unwrap(), manifest);
    assert_eq!(manifest.positive(), Some(1));
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    check("bits = 8", "bits = 8\nspacing = 1", "dataset.toml:12: unknown field `spacing`", "CONTRIBUTING");
    check("title = \"My set\"", "titel = \"My set\"", "dataset.toml:2: unknown field `titel`", "");
}

#[test]
fn a_missing_class_list_is_named() {
    check("classes = [\"normal\", \"lesion\"]\n", "", "dataset.toml: `classes` is missing", "classes = [");
    check(
        "[\"normal\", \"lesion\"]",
        "[\"lesion\"]",
        "dataset.toml:4: `classes` is a list of 1",
        "order of the labels",
    );
    check("[\"normal\", \"lesion\"]", "[\"x\", \"x\"]", "dataset.toml:4: `classes` is a list with `x`", "");
}

#[test]
fn a_binary_task_has_to_name_its_positive_class_again() {
    check("positive = \"lesion\"\n", "", "dataset.toml: `positive` is missing, expected `lesion`", "second");
    check("positive = \"lesion\"", "positive = \"normal\"", "dataset.toml:5: `positive` is `normal`", "second");
    check("\"binary\"", "\"multi-class\"", "dataset.toml:5: `positive` is `lesion` for task `multi-class`", "remove");
}

#[test]
fn a_missing_unit_is_named_with_the_line_of_its_table() {
    check(
        "intensity = \"stored\"\n",
        "",
        "dataset.toml:7: `image.intensity` is missing",
        "what a pixel's number means",
    );
    check("bits = 8\n", "", "dataset.toml:7: `image.bits` is missing", "bits = 8");
    check("bits = 8", "bits = 17", "dataset.toml:11: `image.bits` is 17", "");
    check("\"stored\"", "\"hounsfield\"", "dataset.toml:11: `image.bits` is 8 for intensity `hounsfield`", "");
}

#[test]
fn a_missing_or_wrong_license_is_named() {
    check("[license]\nspdx = \"CC-BY-4.0\"\n", "", "dataset.toml: `license` is missing", "CC-BY-4.0");
    check("\"CC-BY-4.0\"", "\"CC BY 4.0\"", "dataset.toml:14: `license.spdx` is `CC BY 4.0`", "LicenseRef");
}

#[test]
fn sizes_channels_and_shares_are_checked() {
    check("[28, 30]", "[28]", "dataset.toml:9: `image.size` is [28]", "");
    check("[28, 30]", "[28, -1]", "dataset.toml:9: `image.size`", "");
    check("channels = 1", "channels = 2", "dataset.toml:8: `image.channels` is 2", "");
    check("val = 0.1", "val = 0.2", "dataset.toml:22: `split.train` is split into 0.6, 0.2, 0.3", "");
    check("seed = 3\n", "", "dataset.toml:20: `split.policy` is `by-subject` alone", "");
    assert!(SplitShares::new(f64::NAN, 0.5, 0.5).is_err());
}

#[test]
fn a_file_name_that_leads_out_of_the_folder_is_refused() {
    for name in ["../set.npz", "/set.npz", "a//b", "a\\\\b", "dataset.toml", "c:x"] {
        let text = refused(&GOOD.replacen("set.npz", name, 1));
        assert!(text.starts_with("dataset.toml:30: `source.file[0].name` is "), "{text}");
    }
}

#[test]
fn a_file_without_a_checksum_or_with_a_wrong_one_is_refused() {
    let sum = "md5 = \"900150983cd24fb0d6963f7d28e17f72\"\n";
    check(sum, "", "dataset.toml:29: `source.file[0].sha256` is missing, expected a checksum", "sha256");
    check(sum, "md5 = \"90\"\n", "dataset.toml:31: `source.file[0].md5` is `90`", "");
}

#[test]
fn text_that_is_no_toml_is_named_with_its_line() {
    let refused = Manifest::parse("name = \"x\"\ntitle = \n", "dataset.toml").unwrap_err();
    assert!(matches!(refused, ManifestError::Syntax { line: 2, .. }), "{refused}");
}

#[test]
fn names_that_cannot_be_folders_are_no_names() {
    for name in ["", ".hidden", "a/b", "A", "a b", "-x", "x.", "..", &"x".repeat(65)] {
        assert!(!is_dataset_name(name), "{name}");
    }
    assert!(is_dataset_name("pneumoniamnist-64"));
}

#[test]
fn the_content_hash_follows_the_bytes_and_not_the_words() {
    let hash = |text: &str| Manifest::parse(text, "dataset.toml").unwrap().content_hash();
    assert_eq!(hash(GOOD), hash(&GOOD.replace("My set", "Your set")));
    assert_ne!(hash(GOOD), hash(&GOOD.replace("md5 = \"90", "md5 = \"91")));
}
