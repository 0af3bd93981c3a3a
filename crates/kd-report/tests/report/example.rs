//! A made-up record with the shape and the size of a real one: arithmetic instead of measurements, so that every test
//! and every look at the page starts from the same bytes.

use kd_report::*;

/// Teacher, alone, smoothed, distilled, apart: score and wobble of each arm at a student size.
type Scores = [(&'static str, Role, f64); 4];

/// Two classes, two student sizes, three seeds.
pub(crate) fn two_classes() -> RunRecord {
    record(
        "PneumoniaMNIST: ResNet-18 to a 20 k student",
        &["normal", "pneumonia"],
        [135, 390],
        &[
            (
                "mobile-0.50",
                78_210,
                [
                    ("alone", Role::Alone, 0.952),
                    ("smoothed", Role::Control, 0.953),
                    ("distilled", Role::Distilled, 0.961),
                    ("distilled+unlabeled", Role::Extra, 0.963),
                ],
            ),
            (
                "mobile-0.25",
                19_546,
                [
                    ("alone", Role::Alone, 0.941),
                    ("smoothed", Role::Control, 0.944),
                    ("distilled", Role::Distilled, 0.956),
                    ("distilled+unlabeled", Role::Extra, 0.958),
                ],
            ),
        ],
    )
}

/// Three classes, one student size, nothing shown.
pub(crate) fn three_classes() -> RunRecord {
    let scores: Scores = [
        ("alone", Role::Alone, 0.957),
        ("smoothed", Role::Control, 0.958),
        ("distilled", Role::Distilled, 0.959),
        ("distilled+unlabeled", Role::Extra, 0.964),
    ];
    let mut record = record(
        "Blood cells, 5 % of the labels",
        &["red", "white", "platelets"],
        [212, 180],
        &[("mobile-0.25", 19_546, scores)],
    );
    record.dataset.claim_limit = Some("No claim about patients: all images come from one slide archive".to_owned());
    record
}

fn record(title: &str, classes: &[&str], counts: [u64; 2], sizes: &[(&str, u64, Scores)]) -> RunRecord {
    let classes: Vec<String> = classes.iter().map(|class| (*class).to_owned()).collect();
    let teacher = arm("teacher", Role::Teacher, 0.967, &[0], &classes);
    let students: Vec<StudentGroup> = sizes
        .iter()
        .map(|(name, parameters, scores)| StudentGroup {
            name: (*name).to_owned(),
            network: network("depthwise-separable mobile net", *parameters, Some(0.35 + *parameters as f64 / 60_000.0)),
            arms: scores.iter().map(|(name, role, score)| arm(name, *role, *score, &[0, 1, 2], &classes)).collect(),
        })
        .collect();
    let mut differences = Vec::new();
    let mut gaps = Vec::new();
    for (name, _, scores) in sizes {
        let (alone, control, distilled) = (scores[0].2, scores[1].2, scores[2].2);
        for (b, base) in [("alone", alone), ("smoothed", control)] {
            differences.push(difference(name, "distilled", b, "auroc", distilled - base, 0.0062));
            differences.push(difference(name, "distilled", b, "ece", (base - distilled) * 1.4, 0.011));
        }
        differences.push(difference(name, "teacher", "alone", "auroc", 0.967 - alone, 0.0071));
        let share = (distilled - alone) / (0.967 - alone);
        gaps.push(Gap {
            student: (*name).to_owned(),
            arm: "distilled".to_owned(),
            metric: "auroc".to_owned(),
            gap: Value::from(0.967 - alone),
            gap_low: Value::from(0.967 - alone - 0.0071),
            gap_high: Value::from(0.967 - alone + 0.0071),
            recovered: Value::from(share),
            recovered_low: Value::from(share - 0.27),
            recovered_high: Value::from(share + 0.29),
            method: "two-level paired bootstrap, 2000 draws".to_owned(),
        });
    }
    RunRecord {
        schema: SCHEMA,
        title: title.to_owned(),
        task: Task::Classify,
        provenance: provenance(),
        dataset: dataset(&classes, counts),
        protocol: [
            ("Budget", "12 epochs, batch 64, 888 steps for every arm"),
            ("Optimizer", "AdamW, weight decay 0.01, warm-up 1 epoch, cosine to 0"),
            ("Model choice", "best validation AUROC; last epoch reported beside it"),
            ("Augmentation", "shift ±2 px, rotation ±8°, 8 stored views"),
        ]
        .map(|(name, value)| Fact { name: name.to_owned(), value: value.to_owned() })
        .to_vec(),
        metrics: definitions(),
        primary_metric: "auroc".to_owned(),
        baselines: Vec::new(),
        teacher: Teacher {
            network: network("resnet18-small", 11_169_345, Some(9.8)),
            origin: "trained in this run, seed 0".to_owned(),
            hash_before: "sha256:7b1c09e2".to_owned(),
            hash_after: "sha256:7b1c09e2".to_owned(),
            arm: teacher,
        },
        students,
        differences,
        gaps,
    }
}

fn provenance() -> Provenance {
    Provenance {
        recipe: "classify/pneumoniamnist_resnet18-to-mobile".to_owned(),
        recipe_toml: "[data]\nname = \"pneumoniamnist\"\nleak_policy = \"drop-from-train\"\n\n[[arm]]\nname = \"distilled\"\n\n[[arm.term]]\nloss = \"hinton\"\nweight = 0.9\ntemperature = 4.0\n".to_owned(),
        command: "kd run classify/pneumoniamnist_resnet18-to-mobile --seeds 0..3".to_owned(),
        revision: "3f9a1c7".to_owned(),
        dirty: false,
        created: "2026-11-23".to_owned(),
        device: "cpu (flex, x86-v4)".to_owned(),
        host: Host { cpu: "Example CPU 2.6 GHz".to_owned(), cores: 2, memory_bytes: 25_769_803_776, os: "Linux 6.1 x86_64".to_owned(), rustc: "1.95.0".to_owned(), burn: "0.22.1".to_owned(), operators: "own avx2".to_owned() },
    }
}

fn dataset(classes: &[String], [first, second]: [u64; 2]) -> DatasetFacts {
    let split = |name: &str, factor: u64| {
        let counts: Vec<u64> =
            (0..classes.len() as u64).map(|index| factor * if index % 2 == 0 { first } else { second }).collect();
        let images = counts.iter().sum();
        let classes =
            classes.iter().zip(counts).map(|(class, images)| ClassCount { class: class.clone(), images }).collect();
        SplitFacts { name: name.to_owned(), images, subjects: images - 17, classes }
    };
    DatasetFacts {
        name: "PneumoniaMNIST 28".to_owned(),
        license: "CC BY 4.0".to_owned(),
        citation: "Yang et al., Scientific Data 10:41, 2023, https://doi.org/10.1038/s41597-022-01721-8".to_owned(),
        hash: "sha256:0c51a2f4d9".to_owned(),
        split_hash: "sha256:91e07bb3aa".to_owned(),
        preparation_hash: "sha256:d27c4410f6".to_owned(),
        classes: classes.to_vec(),
        splits: vec![split("train", 9), split("validation", 1), split("test", 2)],
        leaks: vec![LeakFinding {
            kind: "same pixels".to_owned(),
            between: "train and test".to_owned(),
            images: 23,
            dropped: 23,
            policy: "drop-from-train".to_owned(),
        }],
        unit_of_independence: "image (the source names no patients)".to_owned(),
        claim_limit: None,
    }
}

fn definitions() -> Vec<MetricDefinition> {
    let one = |name: &str, label: &str, definition: &str, policy: &str, direction| MetricDefinition {
        name: name.to_owned(),
        label: label.to_owned(),
        policy: policy.to_owned(),
        definition: definition.to_owned(),
        direction,
        unit: String::new(),
        decimals: 3,
    };
    vec![
        one(
            "auroc",
            "AUROC",
            "Chance that a random positive scores above a random negative.",
            "macro over classes, ties count half",
            Direction::Higher,
        ),
        one(
            "balanced_accuracy",
            "Balanced accuracy",
            "Mean sensitivity over classes.",
            "argmax of the probabilities",
            Direction::Higher,
        ),
        one(
            "ece",
            "ECE",
            "Mean distance of stated confidence and observed accuracy.",
            "15 equal-mass bins, top class",
            Direction::Lower,
        ),
        one(
            "sensitivity",
            "Sensitivity",
            "Share of positives that are found.",
            "one class against the rest",
            Direction::Higher,
        ),
        one(
            "specificity",
            "Specificity",
            "Share of negatives that are left alone.",
            "one class against the rest",
            Direction::Higher,
        ),
        one(
            "agreement",
            "Agreement",
            "Share of test images on which arm and teacher name the same class.",
            "argmax of both",
            Direction::Higher,
        ),
    ]
}

fn network(name: &str, parameters: u64, latency: Option<f64>) -> NetworkFacts {
    NetworkFacts {
        name: name.to_owned(),
        parameters,
        multiply_adds: parameters * 41,
        file_bytes: parameters * 4 + 8_192,
        latency_p50_ms: latency,
        latency_p95_ms: latency.map(|ms| ms * 1.31),
        peak_memory_bytes: Some(12_000_000 + parameters * 6),
    }
}

/// A number in -1..1 that looks random and never changes.
pub(crate) fn wobble(seed: u64, step: u64) -> f64 {
    let mixed = (seed * 7_919 + step * 104_729 + 12_345).wrapping_mul(2_654_435_761) % 2_001;
    mixed as f64 / 1_000.0 - 1.0
}

fn metric(name: &str, value: f64, half: f64, n: u64) -> Metric {
    Metric {
        name: name.to_owned(),
        value: Value::from(value),
        low: Value::from(value - half * 1.15),
        high: Value::from((value + half * 0.85).min(1.0)),
        n,
        method: "BCa bootstrap over images, 2000 draws".to_owned(),
    }
}

fn arm(name: &str, role: Role, auroc: f64, seeds: &[u64], classes: &[String]) -> Arm {
    let ece = 0.11 - (auroc - 0.94) * 2.2;
    let values = [("auroc", auroc, 0.004), ("balanced_accuracy", auroc - 0.081, 0.011), ("ece", ece, 0.012)];
    let per_seed = seeds
        .iter()
        .map(|seed| SeedResult {
            seed: *seed,
            metrics: values
                .iter()
                .map(|(name, value, spread)| SeedMetric {
                    name: (*name).to_owned(),
                    last: Value::from(value - 0.002 + spread * wobble(*seed, 3)),
                    chosen: Value::from(value + spread * wobble(*seed, 5)),
                })
                .collect(),
        })
        .collect();
    Arm {
        name: name.to_owned(),
        role,
        note: (role == Role::Extra).then(|| "also learns from soft labels on unlabeled images".to_owned()),
        seeds: seeds.to_vec(),
        terms: terms(role),
        per_seed,
        metrics: values.iter().map(|(name, value, _)| metric(name, *value, 0.014, 624)).collect(),
        per_subgroup: Vec::new(),
        per_class: classes
            .iter()
            .enumerate()
            .map(|(index, class)| {
                let shift = index as f64 * 0.013;
                ClassRow {
                    class: class.clone(),
                    n: 234 + 156 * index as u64,
                    metrics: vec![
                        metric("auroc", auroc - shift, 0.016, 624),
                        metric("sensitivity", auroc - 0.09 + shift * 2.0, 0.031, 624),
                        metric("specificity", auroc - 0.05 - shift, 0.027, 624),
                    ],
                }
            })
            .collect(),
        confusion: Some(Confusion {
            label: if seeds.len() == 1 { "seed 0".to_owned() } else { format!("sum over {} seeds", seeds.len()) },
            counts: confusion(auroc, classes.len(), seeds.len() as u64),
        }),
        roc: Some(roc(auroc)),
        reliability: Some(reliability(auroc)),
        calibration: Some(Calibration {
            fitted_on: "validation".to_owned(),
            temperature: Value::from(1.0 + ece * 6.0),
            ece_before: Value::from(ece),
            ece_after: Value::from(ece * 0.41),
        }),
        operating_point: (classes.len() == 2).then(|| OperatingPoint {
            rule: "sensitivity at least 0.95".to_owned(),
            chosen_on: "validation".to_owned(),
            threshold: Value::from(0.31 + auroc / 10.0),
            sensitivity: metric("sensitivity", auroc - 0.011, 0.018, 390),
            specificity: metric("specificity", auroc - 0.142, 0.041, 234),
        }),
        teacher_agreement: (role != Role::Teacher).then(|| metric("agreement", auroc - 0.032, 0.015, 624)),
        curves: seeds.iter().map(|seed| curves(role, auroc, *seed)).collect(),
    }
}

fn terms(role: Role) -> Vec<Term> {
    let term = |name: &str, weight, temperature, source: &str| Term {
        name: name.to_owned(),
        weight,
        is_share: false,
        temperature,
        source: source.to_owned(),
        epochs: None,
    };
    match role {
        Role::Teacher | Role::Alone => vec![term("cross_entropy", 1.0, None, "labels")],
        Role::Control => vec![term("cross_entropy_smoothed", 1.0, None, "labels, smoothing 0.1")],
        Role::Distilled | Role::Extra => {
            vec![term("cross_entropy", 0.1, None, "labels"), term("hinton", 0.9, Some(4.0), "teacher, cached")]
        }
    }
}

fn confusion(auroc: f64, classes: usize, seeds: u64) -> Vec<Vec<u64>> {
    (0..classes)
        .map(|truth| {
            let total = (234 + 156 * truth as u64) * seeds;
            let wrong = (total as f64 * (1.02 - auroc) * (2.0 - truth as f64 * 0.55)) as u64;
            (0..classes)
                .map(|predicted| if predicted == truth { total - wrong } else { wrong / (classes as u64 - 1) })
                .collect()
        })
        .collect()
}

fn roc(auroc: f64) -> RocBand {
    let fpr: Vec<f64> = (0..=50).map(|step| (f64::from(step) / 50.0).powi(3)).collect();
    let curve = |auroc: f64| fpr.iter().map(|x| x.powf((1.0 - auroc) / auroc)).collect::<Vec<f64>>();
    RocBand {
        label: "each class against the rest, macro".to_owned(),
        tpr: curve(auroc),
        low: curve(auroc - 0.017),
        high: curve((auroc + 0.011).min(0.999)),
        fpr,
        method: "pointwise 95 %, bootstrap over images".to_owned(),
    }
}

fn reliability(auroc: f64) -> Reliability {
    let bend = (0.975 - auroc) * 3.4;
    let bin = |index: u64| {
        let confidence = 0.06 + 0.098 * index as f64;
        let frequency = confidence + bend * (confidence * std::f64::consts::TAU).sin() + 0.02 * wobble(index, 2);
        ReliabilityBin { n: 62, confidence, frequency: frequency.clamp(0.0, 1.0) }
    };
    Reliability { policy: "10 equal-mass bins, positive class".to_owned(), bins: (0..10).map(bin).collect() }
}

/// Six digits, so that snapshots do not depend on the last bit of a system's exponential.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn curves(role: Role, auroc: f64, seed: u64) -> Curves {
    let epochs = 12_u64;
    let column = |make: &dyn Fn(f64, u64) -> f64| {
        (1..=epochs).map(|epoch| Value::from(rounded(make(epoch as f64, epoch)))).collect::<Vec<_>>()
    };
    let terms = terms(role)
        .iter()
        .enumerate()
        .map(|(index, term)| TermCurve {
            name: term.name.clone(),
            loss: column(&|x, epoch| {
                (0.18 + index as f64 * 0.3)
                    + 0.5 * (-x / 3.2).exp()
                    + 0.012 * wobble(seed, epoch + 7)
                    + (0.97 - auroc) * 2.0
            }),
            gradient_share: column(&|x, epoch| {
                let hinton = 0.82 - 0.2 * (-x / 4.0).exp() + 0.02 * wobble(seed, epoch);
                if terms(role).len() == 1 {
                    1.0
                } else if index == 1 {
                    hinton
                } else {
                    1.0 - hinton
                }
            }),
            weight: Vec::new(),
            temperature: Vec::new(),
        })
        .collect();
    Curves {
        seed,
        learning_rate: (1..=epochs)
            .map(|epoch| rounded(0.0005 * (1.0 + (std::f64::consts::PI * epoch as f64 / epochs as f64).cos())))
            .collect(),
        terms,
        validation_metric: "auroc".to_owned(),
        validation: column(&|x, epoch| auroc + 0.012 - 0.16 * (-x / 2.1).exp() + 0.004 * wobble(seed, epoch)),
        chosen_epoch: 9 + seed as u32,
    }
}

fn difference(student: &str, a: &str, b: &str, metric: &str, value: f64, half: f64) -> Difference {
    let p = (-(value / half).abs() * 3.1).exp();
    Difference {
        student: student.to_owned(),
        a: a.to_owned(),
        b: b.to_owned(),
        metric: metric.to_owned(),
        value: Value::from(value),
        low: Value::from(value - half * 1.1),
        high: Value::from(value + half),
        p: Value::from(p),
        p_holm: Value::from((p * 2.0).min(1.0)),
        method: "two-level paired bootstrap, seeds then images, 2000 draws".to_owned(),
    }
}

/// Times of the run.
pub(crate) fn timing() -> Timing {
    let stage = |name: &str, seconds| StageTime { name: name.to_owned(), seconds };
    Timing {
        schema: TIMING_SCHEMA,
        total_seconds: 241.7,
        threads: 2,
        peak_memory_bytes: Some(1_310_000_000),
        stages: vec![
            stage("prepare", 2.1),
            stage("teach", 121.4),
            stage("label", 9.7),
            stage("learn", 98.3),
            stage("score", 8.8),
            stage("report", 1.4),
        ],
        arms: vec![
            ArmTime { student: String::new(), arm: "teacher".to_owned(), seed: 0, seconds: 121.4 },
            ArmTime { student: "mobile-0.25".to_owned(), arm: "distilled".to_owned(), seed: 1, seconds: 7.9 },
        ],
    }
}
