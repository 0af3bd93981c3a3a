//! `check`, `ci` and `test`: the same steps on a desk and in CI, cheapest first.
//!
//! All of them build in release, so that run, tests and lints share their dependencies.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::repository::{self, Workspace};
use crate::step::{Step, cargo, run, run_all};
use crate::{docs, tidy};

/// What to run before a push.
pub(crate) fn check() -> anyhow::Result<u8> {
    let root = repository::root();
    let quick = cargo(&root, ["test", "--workspace", "--release", "--lib", "--bins"]);
    run_all(vec![
        Step::command("format", format(&root)),
        Step::new("tidy", tidy::tidy),
        Step::command("clippy", clippy(&root, &[])),
        Step::command("quick tests", quick),
    ])
}

/// All that CI runs. The lock file has to be complete: nothing here may change it.
pub(crate) fn ci() -> anyhow::Result<u8> {
    let root = repository::root();
    let slow = Workspace::load(&root)?.slow_test_features();
    let mut steps = vec![Step::command("format", format(&root)), Step::new("tidy", tidy::tidy)];
    if let Some(deny) = deny(&root) {
        steps.push(Step::command("cargo deny", deny));
    }
    let mut cuda = cargo(&root, ["check", "--release", "--locked", "--package", "kd-cli", "--features", "cuda"]);
    // The build scripts of CUDA's crates then fetch no compiler: types are checked, nothing is linked.
    cuda.env("DOCS_RS", "1");
    let mut fuzz = cargo(&root, ["check", "--release", "--locked", "--manifest-path", "fuzz/Cargo.toml"]);
    // A library that nothing is linked with: the fuzzer's own C++ is then not compiled.
    fuzz.env("CUSTOM_LIBFUZZER_PATH", root.join("fuzz/target/libFuzzer.a"));
    steps.extend([
        Step::command("clippy", clippy(&root, &slow)),
        Step::command("tests", tests(&root, &slow, &["--locked".into()])),
        Step::new("docs", || docs::docs(true)),
        Step::command("types of the CUDA build", cuda),
        Step::command("types of the fuzz targets", fuzz),
    ]);
    run_all(steps)
}

/// All tests, slow ones and doc tests too.
pub(crate) fn test(args: &[OsString]) -> anyhow::Result<u8> {
    let root = repository::root();
    let slow = Workspace::load(&root)?.slow_test_features();
    run(tests(&root, &slow, args))
}

fn format(root: &Path) -> Command {
    cargo(root, ["fmt", "--all", "--check"])
}

fn clippy(root: &Path, slow: &[String]) -> Command {
    let mut command = cargo(root, ["clippy", "--workspace", "--release", "--all-targets"]);
    command.args(slow).args(["--", "--deny", "warnings"]);
    command
}

fn tests(root: &Path, slow: &[String], args: &[OsString]) -> Command {
    let mut command = cargo(root, ["test", "--workspace", "--release"]);
    command.args(slow).args(args);
    command
}

/// `cargo deny` where it is installed; tidy checks the licences anyway.
fn deny(root: &Path) -> Option<Command> {
    let mut probe = cargo(root, ["deny", "--version"]);
    let installed = probe.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    installed.then(|| cargo(root, ["deny", "check", "licenses", "bans", "sources"]))
}
