//! `cargo xtask bench speed`: how fast the operators are, and the networks that are made of them.
//!
//! All sides of a network run in one go, one step after the other in turns, so that whatever else the machine does meets
//! all of them; they are compared by their fastest steps. Peers are the same networks in PyTorch and ONNX Runtime.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;

use super::record::Origin;
use super::side::{Side, Times};
use super::side_by_side::is_asked;
use super::speed_table::{Measured, Operator, Run};
use crate::flags::SpeedOptions;
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
    let asked = ("families", options.families.as_slice());
    options.sides.check(asked, &FAMILIES)?;
    let code = run(cargo(&root, ["build", "--release", "--workspace"]))?;
    if code != 0 {
        return Ok(code);
    }
    let program = repository::target_folder(&root)?.join("release").join("kd-speed");
    let begun = SystemTime::now();
    let operators = operators(&program)?;
    let mut runs = Vec::new();
    for family in FAMILIES.into_iter().filter(|family| is_asked(&options.families, family)) {
        for mode in ["train", "infer"] {
            let times = side_by_side(&root, &program, options, family, mode)?;
            println!("{family} {mode}: done");
            runs.push(Run { family, mode, times });
        }
    }
    let command = options.sides.command("speed", asked);
    let measured = Measured { command, origin: Origin::here(&root, begun)?, operators, runs };
    let text = measured.markdown();
    print!("{text}");
    options.sides.keep(&root, ("speed", &measured.origin), &text, &measured.json())?;
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
    if let Some(python) = &options.sides.python {
        let layouts: &[&'static str] =
            if mode == "infer" { &["nchw", "channels-last", "onnx"] } else { &["nchw", "channels-last"] };
        let script: PathBuf = root.join("benches/peers/side.py");
        for &layout in layouts {
            let mut command = Command::new(python);
            command.arg(&script).args([family, mode, layout]);
            sides.push(Side::start(layout, command)?);
        }
    }
    for round in 0..options.sides.rounds {
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
