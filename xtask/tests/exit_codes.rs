//! Exit codes and the answers that need nothing built: help, the dataset list, bad usage.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn xtask(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).args(args).output().expect("xtask can be started")
}

#[test]
fn an_unknown_command_is_bad_usage_and_gets_help() {
    let output = xtask(&["distil"]);
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.starts_with("error: no command `distil`"), "{message}");
    assert!(message.contains("Commands:") && message.contains("tidy"), "{message}");
}

#[test]
fn an_unknown_option_is_bad_usage() {
    assert_eq!(xtask(&["tidy", "--nonsense"]).status.code(), Some(2));
    assert_eq!(xtask(&["new", "loss", "NotSnake"]).status.code(), Some(2));
    assert_eq!(xtask(&["oracle", "--run", "nobody"]).status.code(), Some(2));
}

#[test]
fn a_failure_is_one_and_says_what_was_expected() {
    let output = xtask(&["data", "get", "no-such-set"]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("no-such-set") && message.contains("hint: "), "{message}");
}

#[test]
fn the_dataset_list_comes_within_a_second() {
    let begun = Instant::now();
    let output = xtask(&["data", "list"]);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.starts_with("NAME") && text.contains("pneumoniamnist"), "{text}");
}

#[test]
fn the_dataset_list_is_one_json_document() {
    let output = xtask(&["data", "list", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let sets = json["datasets"].as_array().expect("a list");
    assert!(sets.iter().any(|set| set["name"] == "bloodmnist" && set["classes"] == 8 && set["images"] == 17092));
}
