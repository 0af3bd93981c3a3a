//! A run that is killed, at any moment and with no warning, goes on to the same bytes.
//!
//! Slow: it starts the whole run more than twenty times.
#![cfg(feature = "slow-tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Kills wanted before the run may end.
const KILLS: usize = 20;

/// Small enough for a run of seconds, with every stage in it.
const SETTINGS: [&str; 13] = [
    "data.size=[16, 16]",
    "teacher.network.width=4",
    "teacher.train.epochs=2",
    "teacher.train.batch_size=64",
    "student.size.thin-4.network.width=2",
    "student.train.epochs=2",
    "student.train.batch_size=64",
    "score.resamples=100",
    "score.secondary=[]",
    "student.train.warmup=0.0",
    "teacher.train.warmup=0.0",
    "student.train.ema=0.9",
    "student.train.accumulation=2",
];

fn kd(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kd"));
    command.args(["run", "chest-phantom", "--device", "cpu", "--seeds", "0,1", "--checkpoint-seconds", "0", "--root"]);
    command.arg(root);
    for setting in SETTINGS {
        command.args(["--set", setting]);
    }
    command.stdout(Stdio::null()).stderr(Stdio::piped()).stdin(Stdio::null());
    command
}

/// Bytes of everything that has to be equal: models, stores and scores, by place.
fn results(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> =
        ["prepared", "soft", "runs", "scores"].iter().map(|stage| root.join(stage)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn finish(mut child: Child) {
    use std::io::Read;
    let mut words = String::new();
    child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert!(child.wait().unwrap().success(), "{words}");
}

/// A seeded delay: the next of a short linear congruential sequence, spread over `range`.
fn delay(state: &mut u64, range: Duration) -> Duration {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let share = u32::try_from(*state >> 40).unwrap();
    range * share / (1 << 24)
}

/// Kills a run over and over until it is done: after delays up to `most`. Says how often it was killed.
fn killed(root: &Path, most: Duration, state: &mut u64) -> usize {
    for kills in 0..400 {
        let mut child = kd(root).spawn().unwrap();
        let until = Instant::now() + delay(state, most);
        loop {
            match child.try_wait().unwrap() {
                Some(status) => {
                    assert!(status.success(), "the run failed by itself after {kills} kills");
                    return kills;
                }
                None if Instant::now() >= until => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    break;
                }
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }
    finish(kd(root).spawn().unwrap());
    400
}

#[test]
fn a_run_killed_twenty_times_ends_in_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    // Generating the data takes seconds, has no checkpoint and is not what is tested here.
    let fresh = |name: String| {
        let root = folder.path().join(name);
        let mut get = Command::new(env!("CARGO_BIN_EXE_kd"));
        assert!(get.args(["data", "get", "chest-phantom", "--quiet", "--root"]).arg(&root).status().unwrap().success());
        root
    };
    let whole = fresh("whole".into());
    let timed = || {
        let start = Instant::now();
        finish(kd(&whole).spawn().unwrap());
        start.elapsed()
    };
    let took = timed();
    // The second run finds everything finished: what is left is the way to the first unfinished step.
    let start_up = timed();
    let expected = results(&whole);
    let names = |results: &BTreeMap<PathBuf, Vec<u8>>| results.keys().cloned().collect::<Vec<_>>();

    let mut state = 20_261_123;
    let mut kills = 0;
    // Delays reach a part of the run beyond its start, so that kills fall into every stage as the run gets further. A machine
    // that does other things is now fast and now slow: where a run is done too early, the next one is killed sooner.
    for part in [12, 24, 48, 96] {
        let root = fresh(format!("killed-{part}"));
        kills = killed(&root, start_up + took / part, &mut state);
        let found = results(&root);
        assert_eq!(names(&found), names(&expected));
        for (place, bytes) in &expected {
            assert!(found[place] == *bytes, "{} differs after {kills} kills", place.display());
        }
        if kills >= KILLS {
            return;
        }
    }
    panic!("only {kills} kills before the run was done in {took:?}");
}
