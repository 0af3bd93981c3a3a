//! Peers, averages and early exits against PyTorch, step by step from the same start; committees, and experts of different
//! classes (`oracles/settings/make.py`).
//!
//! The start is what a run draws from its seed, so it is left for the script below the target folder, and the golden file
//! holds the one that it was made from.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use kd_core::train::{Guide, OptimizerPlan, Plan, Schedule, Views};
use kd_core::{Averaging, Committee, Expertise, Network, Objective};
use kd_image::{SampleSource, Target};
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::guides::{exits, run};
use crate::small::{Recorder, distilled, linear_source, plan};

const STEPS: usize = 6;
const RATE: f64 = 0.2;
const DECAY: f64 = 0.4;
const EXIT_WEIGHT: f64 = 0.5;

/// Every step sees all samples once.
fn whole_batches(ema: Option<f64>, rate: f64, epochs: usize) -> Plan {
    let base = plan(epochs);
    Plan {
        batch_size: 40,
        // A bias in front of statistics has no gradient but rounding, which Adam would make a step of.
        optimizer: OptimizerPlan::Sgd { momentum: 0.9, nesterov: false, weight_decay: 0.01 },
        schedule: Schedule { rate, ..base.schedule },
        clip_norm: None,
        views: Views::Numbered { count: 1 },
        ema,
        ..base
    }
}

type Arrays = BTreeMap<String, Vec<f32>>;

/// All arrays of the last checkpoint, by section and name.
fn arrays(objective: &Objective<4, 2>, plan: &Plan, guide: Guide<'_, 4, 2>) -> Arrays {
    let mut recorder = Recorder::every_step();
    run(objective, plan, guide, None, &mut recorder).unwrap();
    let file = SafeTensors::deserialize(recorder.checkpoints.last().unwrap()).unwrap();
    let values =
        |bytes: &[u8]| bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    file.iter().map(|(name, view)| (name.to_owned(), values(view.data()))).collect()
}

/// The arrays below a section, called as in the golden file.
fn section(arrays: &Arrays, prefix: &str) -> Value {
    let below = arrays.iter().filter_map(|(name, values)| Some((name.strip_prefix(prefix)?.to_owned(), json!(values))));
    Value::Object(below.collect())
}

fn of_setting(name: &str, arrays: &Arrays) -> Value {
    let mut told = json!({ "model": section(arrays, "model/") });
    let more: &[(&str, &str)] = match name {
        "peers" => &[("peer", "peer-model/")],
        "average" => &[("average", "average/")],
        _ => &[],
    };
    for (key, prefix) in more {
        told[*key] = section(arrays, prefix);
    }
    if name == "itself" {
        for part in ["weight", "bias"] {
            let found = arrays.iter().find(|(name, _)| name.starts_with("adaptors/") && name.ends_with(part)).unwrap();
            told[format!("exit.{part}")] = json!(found.1);
        }
    }
    told
}

fn settings() -> [(&'static str, Objective<4, 2>, Guide<'static, 4, 2>, Option<f64>); 3] {
    [
        ("peers", distilled(1.0), Guide::Peer, None),
        ("average", distilled(1.0), Guide::Average, Some(DECAY)),
        ("itself", exits(EXIT_WEIGHT), Guide::Itself, None),
    ]
}

fn start() -> Value {
    let source = linear_source(40, 1);
    let samples: Vec<_> = (0..source.len()).map(|index| source.read(index).unwrap()).collect();
    let class = |target: &Target| if let Target::Class(class) = target { *class } else { unreachable!() };
    let mut start = json!({
        "steps": STEPS, "rate": RATE, "temperature": 2.0, "decay": DECAY, "exit_weight": EXIT_WEIGHT,
        "inputs": samples.iter().map(|sample| sample.image.values().to_vec()).collect::<Vec<_>>(),
        "classes": samples.iter().map(|sample| class(&sample.target)).collect::<Vec<_>>(),
    });
    for (name, objective, guide, ema) in settings() {
        // A step too small to be seen leaves weights where they were; statistics start at 0 and 1.
        let mut told = of_setting(name, &arrays(&objective, &whole_batches(ema, 1e-30, 1), guide));
        for network in ["model", "peer"] {
            if let Some(network) = told.get_mut(network) {
                network["norm.running_mean"] = json!([0.0, 0.0, 0.0]);
                network["norm.running_var"] = json!([1.0, 1.0, 1.0]);
            }
        }
        start[name] = told;
    }
    start
}

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/settings.json");
    std::fs::read_to_string(path).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        Value::Object(items) => items.values().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

#[test]
fn steps_beside_a_peer_from_the_average_and_at_exits_are_those_of_pytorch() {
    let start = start();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("settings_start");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("start.json"), start.to_string()).unwrap();
    let golden = golden();
    assert_eq!(
        numbers(&golden["start"]),
        numbers(&start),
        "make it anew: oracles/settings/make.py {}",
        folder.display()
    );
    for (name, objective, guide, ema) in settings() {
        let found = of_setting(name, &arrays(&objective, &whole_batches(ema, RATE, STEPS), guide));
        let expected = &golden["ends"][name];
        for (part, expected) in expected.as_object().unwrap() {
            let (found, expected) = (numbers(&found[part]), numbers(expected));
            assert_eq!(found.len(), expected.len(), "{name} {part}");
            let moved = numbers(&start[name][part]);
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                // Single precision over six steps.
                assert!((found - expected).abs() < 2e-6, "{name} {part} {index}: {found} {expected}");
            }
            assert!(moved.iter().zip(&expected).any(|(start, end)| (start - end).abs() > 0.05), "{name} {part}");
        }
    }
}

#[test]
fn experts_say_together_what_a_general_search_finds() {
    let golden = golden();
    let experts = &golden["experts"];
    let known: Vec<Vec<usize>> = serde_json::from_value(experts["known"].clone()).unwrap();
    let joint = Expertise::new(known, 5).unwrap();
    let cases = experts["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let said: Vec<Vec<f64>> = case["said"].as_array().unwrap().iter().map(numbers).collect();
        let found = joint.join(&numbers(&experts["weights"]), &said);
        for (found, expected) in found.iter().zip(numbers(&case["joint"])) {
            // The search goes by differences of the sum, which end near the root of the smallest number.
            assert!((found.exp() - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}

/// Answers the same, whatever is asked.
#[derive(Module, Debug)]
struct Fixed {
    answer: Param<Tensor<2>>,
}

impl Network<4, 2> for Fixed {
    fn forward(&self, _: Tensor<4>) -> Tensor<2> {
        self.answer.val()
    }
}

#[test]
fn a_committee_answers_the_mean_that_pytorch_finds() {
    let golden = golden();
    let committees = &golden["committees"];
    let device = Device::flex();
    let member = |answer: &Value| {
        let values: Vec<f32> = numbers(answer).into_iter().map(|value| value as f32).collect();
        Fixed { answer: Param::from_tensor(Tensor::from_data(TensorData::new(values, [4, 3]), &device)) }
    };
    for (name, averaging) in
        [("classes", Averaging::Classes), ("labels", Averaging::Labels), ("values", Averaging::Values)]
    {
        let answers = committees["answers"].as_array().unwrap();
        let members = numbers(&committees["weights"]).into_iter().zip(answers.iter().map(member)).collect();
        let committee = Committee::new(members, averaging).unwrap();
        let found = committee.forward(Tensor::zeros([4, 1, 1, 1], &device)).into_data().try_into_vec::<f32>().unwrap();
        for (found, expected) in found.iter().zip(numbers(&committees[name])) {
            assert!(
                (f64::from(*found) - expected).abs() < 1e-5 * expected.abs().max(1.0),
                "{name}: {found} {expected}"
            );
        }
    }
}
