//! Help, exit codes and streams: what every command has in common.

mod program;

use std::process::{Command, Stdio};

use program::kd;

#[test]
fn help_goes_to_stdout_names_every_command_and_shows_examples() {
    let folder = tempfile::tempdir().unwrap();
    let help = kd(folder.path(), &["--help"]).exits(0);
    assert!(help.stderr.is_empty(), "{}", help.stderr);
    let commands = [
        "run", "prepare", "teach", "label", "learn", "score", "report", "sweep", "predict", "data", "inspect",
        "convert", "metrics", "losses", "devices",
    ];
    for command in commands {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{command}: {}", help.stdout);
        let own = kd(folder.path(), &[command, "--help"]).exits(0);
        assert!(own.stdout.contains(&format!("Usage: kd {command}")), "{}", own.stdout);
    }
    for heading in ["Experiment:", "Use a student:", "Data:", "Options:", "Examples:", "Exit code 0: done"] {
        assert!(help.stdout.contains(heading), "{heading}: {}", help.stdout);
    }
    assert!(!folder.path().join("artifacts").exists(), "help makes no folder");
}

#[test]
fn wrong_usage_exits_with_2_and_says_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    for (line, reason) in [
        (&["frobnicate"][..], "frobnicate"),
        (&["run"][..], "RECIPE"),
        (&["run", "chest-phantom", "--seeds", "5..5"][..], "no seed"),
        (&["run", "chest-phantom", "--seeds", "1,1"][..], "stands twice"),
        (&["run", "chest-phantom", "--set", "epochs"][..], "KEY=VALUE"),
        (&["sweep", "chest-phantom"][..], "--over"),
        (&["sweep", "chest-phantom", "--over", "arm.kd.hinton.weight"][..], "KEY=VALUE,VALUE"),
        (&["predict", "student.kd", "--out", "x"][..], "INPUT"),
        (&["data", "import", "mine", "set.npz", "--format", "npz"][..], "--license"),
        (&["losses", "hintom"][..], "did you mean `hinton`?"),
        (&["metrics", "classify", "--pred", "p", "--scores", "percent"][..], "percent"),
        (&["metrics", "classify", "--pred", "p", "--scores", "probs", "--level", "95"][..], "--level is 95"),
    ] {
        let ran = kd(folder.path(), line).exits(2).says(&[reason]);
        assert!(ran.stdout.is_empty(), "{line:?}: {}", ran.stdout);
    }
}

#[test]
fn an_unknown_device_is_wrong_usage_and_an_unbuilt_one_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let list = kd(folder.path(), &["devices", "--json"]).exits(0).json();
    let devices = list["devices"].as_array().unwrap();
    let cpu = devices.iter().find(|device| device["name"] == "cpu").unwrap();
    assert_eq!(cpu["available"], true);
    let ndarray = devices.iter().find(|device| device["name"] == "ndarray").unwrap();
    assert!(ndarray["why"].as_str().unwrap().contains("deprecated by Burn"), "{ndarray}");
    kd(folder.path(), &["run", "chest-phantom", "--dry-run", "--device", "gpu"])
        .exits(2)
        .says(&["device is `gpu`", "hint: "]);
    let unbuilt = devices.iter().find(|device| device["why"].as_str().unwrap().contains("without the feature"));
    if let Some(name) = unbuilt.and_then(|device| device["name"].as_str()) {
        let run = ["run", "chest-phantom", "--dry-run", "--device", name];
        kd(folder.path(), &run).exits(1).says(&[&format!("without the feature `{name}`"), "cargo build"]);
    }
    let table = kd(folder.path(), &["devices"]).exits(0);
    assert!(table.stdout.starts_with("device"), "{}", table.stdout);
}

#[test]
fn json_is_one_document_for_results_and_for_errors() {
    let folder = tempfile::tempdir().unwrap();
    let losses = kd(folder.path(), &["losses", "--json"]).exits(0).json();
    assert!(losses["losses"].as_array().unwrap().iter().any(|loss| loss["name"] == "hinton"));
    let failed = kd(folder.path(), &["data", "verify", "nothing-like-it", "--json"]).exits(1);
    let document = failed.json();
    assert!(document["error"]["message"].as_str().unwrap().contains("nothing-like-it"), "{document}");
    assert!(document["error"]["hint"].as_str().unwrap().contains("kd data list"), "{document}");
    assert!(failed.stderr.starts_with("error: "), "{}", failed.stderr);
}

#[test]
fn a_loss_is_shown_with_formula_heads_parameters_and_source() {
    let folder = tempfile::tempdir().unwrap();
    let page = kd(folder.path(), &["losses", "hinton"]).exits(0).stdout;
    for text in ["formula", "softmax(z / τ)", "Hinton, Vinyals, Dean 2015", "one-channel", "no: ", "temperature"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let page = kd(folder.path(), &["losses", "ssim"]).exits(0).stdout;
    assert!(page.lines().any(|line| line.split_whitespace().eq(["images", "yes"])), "{page}");
    let table = kd(folder.path(), &["losses"]).exits(0).stdout;
    assert!(table.lines().any(|line| line.starts_with("bernoulli")), "{table}");
}

#[test]
fn quiet_leaves_only_data() {
    let folder = tempfile::tempdir().unwrap();
    let loud = kd(folder.path(), &["data", "list"]).exits(0);
    let quiet = kd(folder.path(), &["data", "list", "--quiet"]).exits(0);
    assert_eq!(loud.stdout, quiet.stdout);
    assert!(loud.stderr.contains("kd data get NAME") && quiet.stderr.is_empty(), "{}", quiet.stderr);
}

#[test]
fn a_reader_that_stops_early_causes_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_kd"))
        .args(["data", "list", "--json"])
        .env("KD_ROOT", folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(ended.status.code(), Some(0), "{stderr}");
}

#[test]
fn operators_that_nobody_knows_are_refused_as_wrong_usage() {
    let output = Command::new(env!("CARGO_BIN_EXE_kd")).arg("devices").env("KD_KERNELS", "fast").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("KD_KERNELS is `fast`, expected `own` or `stock`") && text.contains("hint:"), "{text}");
}
