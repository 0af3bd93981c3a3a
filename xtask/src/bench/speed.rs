//! `cargo xtask bench speed`: how fast the operators are, and the networks that are made of them.
//!
//! All sides of a network run in one go, one step after the other in turns, so that whatever else the machine does meets
//! all of them; they are compared by their fastest steps. Peers are the same networks in PyTorch and ONNX Runtime.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use kd_data::store;

use super::record::Origin;
use super::side::{Side, Times};
use super::speed_table::{Measured, Operator, Run};
use crate::flags::{SpeedOptions, UsageError};
use crate::repository;
use crate::step::{cargo, run, shown};

const FAMILIES: [&str; 5] = ["resnet-18", "u-net", "u-net-3d", "mobile", "dncnn"];

/// Between two steps: threads that wait for work by spinning have to be asleep before another side's turn.
const PAUSE: Duration = Duration::from_millis(250);

/// Burn's own operators are several times slower; a few steps tell as much.
const STOCK_ROUNDS: usize = 4;

/// Times everything, shows it, keeps a record.
pub(super) fn speed(options: &SpeedOptions) -> anyhow::Result<u8> {
    let root = repository::root();
    if options.rounds == 0 {
        return Err(UsageError("rounds: expected at least 1, found 0".to_owned()).into());
    }
    for family in &options.families {
        if !FAMILIES.contains(&family.as_str()) {
            let known = FAMILIES.join(", ");
            return Err(UsageError(format!("families: expected some of {known}, found `{family}`")).into());
        }
    }
    let code = run(cargo(&root, ["build", "--release", "--workspace"]))?;
    if code != 0 {
        return Ok(code);
    }
    let program = repository::target_folder(&root)?.join("release").join("kd-speed");
    let begun = SystemTime::now();
    let operators = operators(&program)?;
    let mut runs = Vec::new();
    for family in FAMILIES {
        if !options.families.is_empty() && !options.families.iter().any(|name| name == family) {
            continue;
        }
        for mode in ["train", "infer"] {
            let times = side_by_side(&root, &program, options, family, mode)?;
            println!("{family} {mode}: done");
            runs.push(Run { family, mode, times });
        }
    }
    let mut command = format!("cargo xtask bench speed --rounds {}", options.rounds);
    if !options.families.is_empty() {
        command.push_str(&format!(" --families {}", options.families.join(",")));
    }
    command.push_str(if options.python.is_some() { " --python PYTHON --record" } else { " --record" });
    let measured = Measured { command, origin: Origin::here(&root, begun)?, operators, runs };
    print!("{}", measured.markdown());
    if options.record {
        let name = format!("{}-speed", measured.origin.name());
        let folder = store::StagedFolder::create(&root.join("benches/record").join(name))?;
        store::write_atomic(&folder.path().join("speed.md"), measured.markdown().as_bytes())?;
        store::write_atomic(&folder.path().join("speed.json"), measured.json().as_bytes())?;
        println!("{}", folder.commit()?.display());
    }
    Ok(0)
}

/// Single convolutions.
fn operators(program: &Path) -> anyhow::Result<Vec<Operator>> {
    let mut command = Command::new(program);
    command.arg("kernels");
    let line = shown(&command);
    let output = command.output().with_context(|| format!("cannot start `{line}`"))?;
    anyhow::ensure!(output.status.success(), "`{line}` failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).with_context(|| format!("`{line}` answered no text"))?;
    text.lines()
        .map(|line| Operator::parse(line).with_context(|| format!("expected six fields, found `{line}`")))
        .collect()
}

/// All sides of one network, in turns.
fn side_by_side(
    root: &Path,
    program: &Path,
    options: &SpeedOptions,
    family: &str,
    mode: &str,
) -> anyhow::Result<Vec<(&'static str, Times)>> {
    let own = |kernels: &str| {
        let mut command = Command::new(program);
        command.args([family, mode]).env("KD_KERNELS", kernels);
        command
    };
    let mut sides = vec![Side::start("own", own("own"))?, Side::start("stock", own("stock"))?];
    if let Some(python) = &options.python {
        let layouts: &[&'static str] =
            if mode == "infer" { &["nchw", "channels-last", "onnx"] } else { &["nchw", "channels-last"] };
        let script: PathBuf = root.join("benches/peers/side.py");
        for &layout in layouts {
            let mut command = Command::new(python);
            command.arg(&script).args([family, mode, layout]);
            sides.push(Side::start(layout, command)?);
        }
    }
    for round in 0..options.rounds {
        for side in &mut sides {
            if side.name == "stock" && round >= STOCK_ROUNDS {
                continue;
            }
            side.step()?;
            std::thread::sleep(PAUSE);
        }
    }
    sides.into_iter().map(|side| Ok((side.name, side.finish()?))).collect()
}
