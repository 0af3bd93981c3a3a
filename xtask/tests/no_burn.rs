//! xtask stays quick to build: no crate of Burn or CubeCL in its tree, and no reader of images.

use std::process::Command;

#[test]
fn nothing_of_burn_is_linked() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let args = ["tree", "--package", "xtask", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let output =
        Command::new(cargo).current_dir(env!("CARGO_MANIFEST_DIR")).args(args).output().expect("cargo can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("names are UTF-8");
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    // A tree without these would mean that the question was asked wrongly.
    assert!(names.contains(&"xtask") && names.contains(&"kd-data") && names.contains(&"clap"), "{tree}");
    for name in names {
        let is_heavy = name == "burn" || name.starts_with("burn-") || name.starts_with("cubecl") || name == "image";
        assert!(!is_heavy, "xtask links {name}, expected neither Burn nor readers");
    }
}
