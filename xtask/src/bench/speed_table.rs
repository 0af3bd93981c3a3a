//! What `bench speed` found, as a table for people and as JSON, with every bar met or not.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::record::{Origin, time};
use super::side::Times;

const SCHEMA: u64 = 1;

/// How much faster than Burn's own operators a training step has to be.
const FASTER_THAN_STOCK: f64 = 2.5;

/// One convolution: GFLOP/s, counted as a direct convolution.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operator {
    name: String,
    /// The share of peak asked for.
    bar: Option<f64>,
    /// Fused multiply-adds on all threads, measured just before.
    peak: f64,
    /// Forward, gradient by the input, gradient by the weight.
    speeds: [f64; 3],
}

impl Operator {
    /// From a line of `kd-speed kernels`.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, bar, numbers @ ..] = &fields[..] else { return None };
        let numbers: Vec<f64> = numbers.iter().map(|number| number.parse().ok()).collect::<Option<_>>()?;
        let [peak, forward, input, weight] = numbers[..] else { return None };
        let bar = if bar.is_empty() { None } else { Some(bar.parse().ok()?) };
        Some(Self { name: (*name).to_owned(), bar, peak, speeds: [forward, input, weight] })
    }

    fn is_met(&self) -> Option<bool> {
        self.bar.map(|bar| self.speeds.iter().all(|speed| speed / self.peak >= bar))
    }
}

/// One network, training or answering: its sides.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    pub(super) family: &'static str,
    pub(super) mode: &'static str,
    pub(super) times: Vec<(&'static str, Times)>,
}

impl Run {
    fn side(&self, name: &str) -> Option<&Times> {
        self.times.iter().find(|(side, _)| *side == name).map(|(_, times)| times)
    }

    /// The faster PyTorch layout when training, ONNX Runtime when answering.
    fn peer(&self) -> Option<(&'static str, &Times)> {
        let peers = self.times.iter().filter(|(name, _)| match self.mode {
            "train" => ["nchw", "channels-last"].contains(name),
            _ => *name == "onnx",
        });
        peers.map(|(name, times)| (*name, times)).min_by(|left, right| left.1.fastest().total_cmp(&right.1.fastest()))
    }

    /// Each bar of this run: what, the number, whether it is met.
    fn bars(&self) -> Vec<(String, f64, bool)> {
        let mut bars = Vec::new();
        let Some(own) = self.side("own") else { return bars };
        if let Some((name, peer)) = self.peer() {
            let ratio = own.fastest() / peer.fastest();
            bars.push((format!("time / {name}, at most 1"), ratio, ratio <= 1.0));
            if self.mode == "train" {
                #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
                let ratio = own.peak as f64 / peer.peak.max(1) as f64;
                bars.push((format!("peak memory / {name}, at most 1"), ratio, ratio <= 1.0));
            }
        }
        if let Some(stock) = self.side("stock").filter(|_| self.mode == "train") {
            let ratio = stock.fastest() / own.fastest();
            bars.push((format!("stock / time, at least {FASTER_THAN_STOCK}"), ratio, ratio >= FASTER_THAN_STOCK));
        }
        bars
    }
}

/// A whole measurement.
pub(super) struct Measured {
    pub(super) command: String,
    pub(super) origin: Origin,
    pub(super) operators: Vec<Operator>,
    pub(super) runs: Vec<Run>,
}

fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "not met" }
}

impl Measured {
    pub(super) fn markdown(&self) -> String {
        let mut text = format!("# Speed, {}\n\n{}", self.origin.date, self.origin.lines(&self.command));
        let mut versions: Vec<&str> = Vec::new();
        for (_, times) in self.runs.iter().flat_map(|run| &run.times) {
            if !versions.contains(&times.versions.as_str()) {
                versions.push(&times.versions);
            }
        }
        for versions in versions {
            _ = writeln!(text, "- {versions}");
        }
        text.push_str(
            "\n## Convolutions\n\nGFLOP/s counted as direct convolution, and the share of the fused multiply-add peak \
             that was measured beside it. Names are samples, channels, points; 3 taps along each axis and stride 1 where \
             nothing else is said.\n\n\
             | convolution | peak | forward | by input | by weight | bar |\n|---|---:|---:|---:|---:|---|\n",
        );
        for operator in &self.operators {
            let [forward, input, weight] =
                operator.speeds.map(|speed| format!("{speed:.0} ({:.0} %)", 100.0 * speed / operator.peak));
            let bar = match (operator.bar, operator.is_met()) {
                (Some(bar), Some(is_met)) => format!("{:.0} %: {}", 100.0 * bar, met(is_met)),
                _ => String::new(),
            };
            let (name, peak) = (&operator.name, operator.peak);
            _ = writeln!(text, "| {name} | {peak:.0} | {forward} | {input} | {weight} | {bar} |");
        }
        text.push_str(
            "\n## Networks\n\nOne step after the other in turns; memory is the peak of the process, and above it when \
             idle.\n\n\
             | network | mode | side | fastest | median | steps | peak | above idle |\n|---|---|---|---:|---:|---:|---:|---:|\n",
        );
        for run in &self.runs {
            for (side, times) in &run.times {
                let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
                _ = writeln!(
                    text,
                    "| {} | {} | {side} | {} | {} | {} | {} | {} |",
                    run.family,
                    run.mode,
                    time(times.fastest() * 1e9),
                    time(times.median() * 1e9),
                    times.seconds.len(),
                    mebibytes(times.peak),
                    mebibytes(times.above_idle)
                );
            }
        }
        text.push_str("\n## Bars\n\n| network | mode | bar | found | |\n|---|---|---|---:|---|\n");
        for run in &self.runs {
            for (what, ratio, is_met) in run.bars() {
                _ = writeln!(text, "| {} | {} | {what} | {ratio:.2} | {} |", run.family, run.mode, met(is_met));
            }
        }
        text
    }

    pub(super) fn json(&self) -> String {
        let operators: Vec<Value> = self
            .operators
            .iter()
            .map(|operator| {
                let [forward, input, weight] = operator.speeds;
                json!({
                    "name": operator.name, "bar": operator.bar, "met": operator.is_met(), "peak_gflops": operator.peak,
                    "forward_gflops": forward, "by_input_gflops": input, "by_weight_gflops": weight,
                })
            })
            .collect();
        let runs: Vec<Value> = self
            .runs
            .iter()
            .map(|run| {
                let sides: Vec<Value> = run
                    .times
                    .iter()
                    .map(|(side, times)| {
                        json!({
                            "side": side, "seconds": times.seconds, "peak_bytes": times.peak,
                            "above_idle_bytes": times.above_idle, "versions": times.versions,
                        })
                    })
                    .collect();
                let bars: Vec<Value> = run
                    .bars()
                    .into_iter()
                    .map(|(what, ratio, is_met)| json!({ "bar": what, "found": ratio, "met": is_met }))
                    .collect();
                json!({ "family": run.family, "mode": run.mode, "sides": sides, "bars": bars })
            })
            .collect();
        let mut json = self.origin.json();
        json["schema"] = json!(SCHEMA);
        json["command"] = json!(self.command);
        json["operators"] = json!(operators);
        json["runs"] = json!(runs);
        format!("{json:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(seconds: &[f64], peak: u64) -> Times {
        Times { seconds: seconds.to_vec(), peak, above_idle: peak / 2, versions: "V".into() }
    }

    #[test]
    fn an_operator_meets_its_bar_with_all_three_or_not_at_all() {
        let operator = |line: &str| Operator::parse(line).expect("an operator");
        assert_eq!(operator("a\t0.7\t100\t71\t90\t70").is_met(), Some(true));
        assert_eq!(operator("a\t0.7\t100\t71\t90\t69").is_met(), Some(false));
        assert_eq!(operator("a\t\t100\t1\t1\t1").is_met(), None);
        assert_eq!(Operator::parse("a\t0.7\t100\t71\t90"), None);
        assert_eq!(Operator::parse("a\tx\t100\t71\t90\t1"), None);
    }

    #[test]
    fn training_is_measured_against_the_faster_layout_and_answers_against_onnx() {
        let run = |mode, times| Run { family: "f", mode, times };
        let train = run(
            "train",
            vec![
                ("own", times(&[3.0, 2.0], 50)),
                ("stock", times(&[4.9, 6.0], 50)),
                ("nchw", times(&[2.1, 2.5], 100)),
                ("channels-last", times(&[1.9, 2.5], 40)),
            ],
        );
        let bars: Vec<(f64, bool)> = train.bars().into_iter().map(|(_, ratio, is_met)| (ratio, is_met)).collect();
        let expected = [(2.0 / 1.9, false), (1.25, false), (2.45, false)];
        for (found, expected) in bars.iter().zip(expected) {
            assert!((found.0 - expected.0).abs() < 1e-12 && found.1 == expected.1, "{found:?}, {expected:?}");
        }
        let infer =
            run("infer", vec![("own", times(&[1.0], 1)), ("nchw", times(&[0.1], 1)), ("onnx", times(&[2.0], 1))]);
        assert_eq!(infer.bars().iter().map(|bar| bar.2).collect::<Vec<_>>(), [true]);
    }
}
