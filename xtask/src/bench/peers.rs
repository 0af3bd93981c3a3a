//! `cargo xtask bench peers`: the work that another program does too, side by side.
//!
//! Both sides run in one go, one step after the other in turns, and are compared by their fastest steps; each bar is a share
//! of the peer's time, or a number of seconds where there is no peer.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::record::{Origin, time};
use super::side::{Side, Times};
use super::side_by_side::is_asked;
use crate::flags::PeerOptions;
use crate::repository;
use crate::step::{cargo, run};

/// Between two steps: threads that wait for work by spinning have to be asleep before another side's turn.
const PAUSE: Duration = Duration::from_millis(100);

/// What has to be reached.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bar {
    /// At most this share of the peer's time.
    Share(f64),
    /// At most so many seconds.
    Seconds(f64),
}

/// A piece of work: its name, what it is, its bar, and the most memory that it may take, in bytes.
struct Work {
    name: &'static str,
    what: &'static str,
    bar: Bar,
    memory: Option<u64>,
}

const WORKS: [Work; 7] = [
    Work {
        name: "dicom-series",
        what: "a DICOM series of 200 slices of 512 × 512, uncompressed, as a volume of 32-bit floats",
        bar: Bar::Share(0.5),
        // The volume, and one file for each thread.
        memory: Some(200 * 512 * 512 * 4 + 64 * (1 << 20)),
    },
    Work {
        name: "nifti-gz",
        what: "a gzipped NIfTI of 256³ int16 voxels as 32-bit floats",
        bar: Bar::Share(0.5),
        memory: None,
    },
    Work {
        name: "hd95-nsd",
        what: "95th percentile of the surface distances and surface Dice of two masks of 128³",
        bar: Bar::Share(0.1),
        memory: None,
    },
    Work {
        name: "ssim",
        what: "structural similarity of two images of 512 × 512, scikit-image's variant",
        bar: Bar::Share(0.2),
        memory: None,
    },
    Work {
        name: "psnr",
        what: "peak signal-to-noise ratio of two images of 512 × 512",
        bar: Bar::Share(0.2),
        memory: None,
    },
    Work {
        name: "pixel-kd",
        what: "pixel-wise distillation on 8 × 3 × 256 × 256 logits, value and gradient",
        bar: Bar::Share(1.0),
        memory: None,
    },
    Work {
        name: "low-dose-ct",
        what: "a slice of 512 × 512 projected at 720 angles, counted and reconstructed; no peer",
        bar: Bar::Seconds(2.0),
        memory: None,
    },
];

/// Times everything, shows it, keeps a record.
pub(super) fn peers(options: &PeerOptions) -> anyhow::Result<u8> {
    let root = repository::root();
    let asked = ("works", options.works.as_slice());
    options.sides.check(asked, &WORKS.map(|work| work.name))?;
    let code = run(cargo(&root, ["build", "--release", "--workspace"]))?;
    if code != 0 {
        return Ok(code);
    }
    let target = repository::target_folder(&root)?;
    let (program, files) = (target.join("release").join("kd-work"), target.join("bench-work"));
    std::fs::create_dir_all(&files)?;
    // In a process of its own, so that making the files is in nobody's memory.
    let mut make = Command::new(&program);
    make.arg("files").arg(&files);
    anyhow::ensure!(run(make)? == 0, "the files could not be made");
    let begun = SystemTime::now();
    let mut found = Vec::new();
    for work in WORKS.iter().filter(|work| is_asked(&options.works, work.name)) {
        found.push(Found { work, sides: side_by_side(&root, (&program, &files), options, work)? });
        println!("{}: done", work.name);
    }
    let command = options.sides.command("peers", asked);
    let origin = Origin::here(&root, begun)?;
    let text = markdown(&origin, &command, &found);
    print!("{text}");
    let works: Vec<Value> = found.iter().map(Found::json).collect();
    let json = json!({ "schema": 1, "command": command, "origin": origin.json(), "works": works });
    options.sides.keep(&root, ("peers", &origin), &text, &serde_json::to_string_pretty(&json)?)?;
    Ok(0)
}

/// Both sides of one piece of work, in turns; ours alone where there is no peer.
fn side_by_side(
    root: &Path,
    (program, files): (&Path, &Path),
    options: &PeerOptions,
    work: &Work,
) -> anyhow::Result<Vec<(&'static str, Times)>> {
    let mut own = Command::new(program);
    own.arg(work.name).arg(files);
    let mut sides = vec![Side::start("kd", own)?];
    if let (Bar::Share(_), Some(python)) = (work.bar, &options.sides.python) {
        let mut peer = Command::new(python);
        peer.arg(root.join("benches/peers/work.py")).arg(work.name).arg(files);
        sides.push(Side::start("peer", peer)?);
    }
    for _ in 0..options.sides.rounds {
        for side in &mut sides {
            side.step()?;
            std::thread::sleep(PAUSE);
        }
    }
    sides.into_iter().map(|side| Ok((side.name, side.finish()?))).collect()
}

/// One piece of work and what its sides took.
struct Found<'a> {
    work: &'a Work,
    sides: Vec<(&'static str, Times)>,
}

impl Found<'_> {
    fn side(&self, name: &str) -> Option<&Times> {
        self.sides.iter().find(|(side, _)| *side == name).map(|(_, times)| times)
    }

    /// What the bar is held against, and whether it is met; none without the peer.
    fn verdict(&self) -> Option<(f64, bool)> {
        let own = self.side("kd")?.fastest();
        match self.work.bar {
            Bar::Seconds(most) => Some((own, own <= most)),
            Bar::Share(most) => self.side("peer").map(|peer| (own / peer.fastest(), own / peer.fastest() <= most)),
        }
    }

    fn json(&self) -> Value {
        let sides = self.sides.iter().map(|(name, times)| {
            json!({ "side": name, "seconds": times.seconds, "peak_bytes": times.peak,
                    "above_idle_bytes": times.above_idle, "versions": times.versions })
        });
        json!({ "name": self.work.name, "what": self.work.what, "sides": sides.collect::<Vec<_>>() })
    }
}

fn markdown(origin: &Origin, command: &str, found: &[Found<'_>]) -> String {
    let mut text = format!("# Beside other programs, {}\n\n{}", origin.date(), origin.lines(command));
    for found in found {
        for (_, times) in &found.sides {
            let line = format!("- {}\n", times.versions);
            if !text.contains(&line) {
                text += &line;
            }
        }
    }
    text += "\nFastest and median step of each side, taken in turns; memory is the peak above the idle process.\n\n\
             | work | kd | peer | kd / peer | bar | memory of kd | of the peer |\n|---|---:|---:|---:|---|---:|---:|\n";
    for found in found {
        let shown = |name: &str| {
            found.side(name).map_or("–".to_owned(), |times| {
                format!("{} ({})", time(1e9 * times.fastest()), time(1e9 * times.median()))
            })
        };
        let memory =
            |name: &str| found.side(name).map_or("–".to_owned(), |times| format!("{} MiB", times.above_idle >> 20));
        let met = |is: bool| if is { "met" } else { "not met" };
        let (ratio, bar) = match (found.work.bar, found.verdict()) {
            (Bar::Seconds(most), Some((_, is_met))) => ("–".to_owned(), format!("at most {most} s: {}", met(is_met))),
            (Bar::Share(most), Some((ratio, is_met))) => {
                (format!("{ratio:.2}"), format!("at most {most}: {}", met(is_met)))
            }
            (_, None) => ("–".to_owned(), "no peer given".to_owned()),
        };
        let bound =
            found.work.memory.zip(found.side("kd")).map_or(String::new(), |(most, own)| {
                format!(" (at most {}: {})", most >> 20, met(own.above_idle <= most))
            });
        _ = writeln!(
            text,
            "| {} | {} | {} | {ratio} | {bar} | {}{bound} | {} |",
            found.work.what,
            shown("kd"),
            shown("peer"),
            memory("kd"),
            memory("peer"),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(seconds: &[f64]) -> Times {
        Times { seconds: seconds.to_vec(), peak: 0, above_idle: 3 << 20, versions: "v".into() }
    }

    #[test]
    fn a_bar_is_held_against_the_fastest_steps_of_both() {
        let found = Found { work: &WORKS[0], sides: vec![("kd", times(&[0.9, 0.4])), ("peer", times(&[1.0, 3.0]))] };
        assert_eq!(found.verdict(), Some((0.4, true)));
        let slow = Found { work: &WORKS[0], sides: vec![("kd", times(&[0.6])), ("peer", times(&[1.0]))] };
        assert_eq!(slow.verdict(), Some((0.6, false)));
    }

    #[test]
    fn work_without_a_peer_is_held_against_seconds_and_with_a_missing_one_against_nothing() {
        let alone = |work: usize, seconds| Found { work: &WORKS[work], sides: vec![("kd", times(&[seconds]))] };
        assert_eq!(alone(6, 1.5).verdict(), Some((1.5, true)));
        assert_eq!(alone(0, 1.5).verdict(), None);
    }
}
