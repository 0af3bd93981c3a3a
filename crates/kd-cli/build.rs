//! Tells the program which revision and compiler made it: a record without them is no record.

use std::process::Command;

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn main() {
    let revision = output("git", &["rev-parse", "HEAD"]);
    let dirty = output("git", &["status", "--porcelain", "--untracked-files=no"]).is_none_or(|text| !text.is_empty());
    let rustc = std::env::var("RUSTC").ok().and_then(|rustc| output(&rustc, &["--version"]));
    println!("cargo::rustc-env=KD_REVISION={}", revision.as_deref().unwrap_or("unknown"));
    println!("cargo::rustc-env=KD_DIRTY={dirty}");
    println!("cargo::rustc-env=KD_RUSTC={}", rustc.as_deref().unwrap_or("unknown"));
    // A commit changes one of these; without a repository they are missing and this runs every time.
    for file in ["../../.git/HEAD", "../../.git/index", "../../.git/logs/HEAD"] {
        if std::path::Path::new(file).exists() {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src");
}
