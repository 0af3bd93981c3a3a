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
    /// At most so many seconds; no peer.
    Seconds(f64),
    /// Any time; no peer.
    AnyTime,
}

/// The most memory above the idle process.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Memory {
    Any,
    /// In bytes.
    Most(u64),
    /// Less than the peer's.
    BelowPeer,
}

/// A piece of work: its name, what it is, and what is asked of its time and its memory.
struct Work {
    name: &'static str,
    what: &'static str,
    bar: Bar,
    memory: Memory,
}

/// How many times faster than the teacher a student has to restore a slice.
const STUDENT_FASTER: f64 = 5.0;

const WORKS: [Work; 11] = [
    Work {
        name: "dicom-series",
        what: "a DICOM series of 200 slices of 512 × 512, uncompressed, as a volume of 32-bit floats",
        bar: Bar::Share(0.5),
        // The volume, and one file for each thread.
        memory: Memory::Most(200 * 512 * 512 * 4 + 64 * (1 << 20)),
    },
    Work {
        name: "nifti-gz",
        what: "a gzipped NIfTI of 256³ int16 voxels as 32-bit floats",
        bar: Bar::Share(0.5),
        // The volume, and blocks on their way.
        memory: Memory::Most(256 * 256 * 256 * 4 + 16 * (1 << 20)),
    },
    Work {
        name: "hd95-nsd",
        what: "95th percentile of the surface distances and surface Dice of two masks of 128³",
        bar: Bar::Share(0.1),
        memory: Memory::Any,
    },
    Work {
        name: "ssim",
        what: "structural similarity of two images of 512 × 512, scikit-image's variant",
        bar: Bar::Share(0.2),
        memory: Memory::Any,
    },
    Work {
        name: "psnr",
        what: "peak signal-to-noise ratio of two images of 512 × 512",
        bar: Bar::Share(0.2),
        memory: Memory::Any,
    },
    Work {
        name: "pixel-kd",
        what: "pixel-wise distillation on 8 × 3 × 256 × 256 logits, value and gradient",
        bar: Bar::Share(1.0),
        memory: Memory::Any,
    },
    Work {
        name: "low-dose-ct",
        what: "a slice of 512 × 512 projected at 720 angles, counted and reconstructed; no peer",
        bar: Bar::Seconds(2.0),
        memory: Memory::Any,
    },
    Work {
        name: "sliding-window",
        what: "a 3D U-Net of width 5 over 256 × 256 × 128 in patches of 64³, half overlapping, blended to labels",
        bar: Bar::Share(1.0),
        memory: Memory::BelowPeer,
    },
    Work {
        name: "restore-student",
        what: "a slice of 512 × 512 restored by a DnCNN of width 10 and 8 layers",
        bar: Bar::Share(1.0),
        memory: Memory::Any,
    },
    Work {
        name: "restore-teacher",
        what: "the same slice by a DnCNN of width 32 and 10 layers",
        bar: Bar::Share(1.0),
        memory: Memory::Any,
    },
    Work {
        name: "restore-tiles",
        what: "a slice of 2048 × 2048 restored in tiles by the former; no peer",
        bar: Bar::AnyTime,
        memory: Memory::Most(500 << 20),
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
            Bar::AnyTime => None,
            Bar::Seconds(most) => Some((own, own <= most)),
            Bar::Share(most) => self.side("peer").map(|peer| (own / peer.fastest(), own / peer.fastest() <= most)),
        }
    }

    /// What the memory is held against, and whether that is met; none where nothing is asked, or without the peer.
    fn memory(&self) -> Option<(u64, bool)> {
        let own = self.side("kd")?.above_idle;
        match self.work.memory {
            Memory::Any => None,
            Memory::Most(most) => Some((most, own <= most)),
            Memory::BelowPeer => self.side("peer").map(|peer| (peer.above_idle, own < peer.above_idle)),
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
            (Bar::AnyTime, _) => ("–".to_owned(), "–".to_owned()),
            (_, None) => ("–".to_owned(), "no peer given".to_owned()),
        };
        let bound = found
            .memory()
            .map_or(String::new(), |(most, is_met)| format!(" (at most {}: {})", most >> 20, met(is_met)));
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
    let fastest = |name: &str| found.iter().find(|found| found.work.name == name)?.side("kd").map(Times::fastest);
    if let (Some(student), Some(teacher)) = (fastest("restore-student"), fastest("restore-teacher")) {
        let times = teacher / student;
        _ = writeln!(
            text,
            "\nThe student restores the slice {times:.1} times as fast as the teacher (at least {STUDENT_FASTER}: {}).",
            if times >= STUDENT_FASTER { "met" } else { "not met" }
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
        assert_eq!(alone(10, 1.5).verdict(), None);
    }

    #[test]
    fn memory_is_held_against_a_bound_or_against_the_peer() {
        let found = |work: usize, sides| Found { work: &WORKS[work], sides }.memory();
        let of = |bytes| Times { above_idle: bytes, ..times(&[1.0]) };
        assert_eq!(found(2, vec![("kd", of(7))]), None);
        assert_eq!(found(10, vec![("kd", of(500 << 20))]), Some((500 << 20, true)));
        assert_eq!(found(7, vec![("kd", of(7))]), None);
        assert_eq!(found(7, vec![("kd", of(7)), ("peer", of(7))]), Some((7, false)));
    }
}
