//! Bootstrap behavior: grouping, determinism, undefined draws, pairing, and the headline of a study.

use std::collections::BTreeSet;
use std::sync::Mutex;

use kd_metrics::*;

const PERCENTILE: BootstrapPlan =
    BootstrapPlan { method: BootstrapMethod::Percentile, resamples: 500, level: 0.95, seed: 9 };
const TWO_LEVEL: TwoLevelPlan = TwoLevelPlan { resamples: 500, level: 0.95, seed: 9 };

fn mean_of(values: &[f64], drawn: &[usize]) -> Score {
    Ok(drawn.iter().map(|&i| values[i]).sum::<f64>() / drawn.len() as f64)
}

/// Scores of a synthetic experiment: a positive has a higher score by `lift`.
fn experiment(samples: usize, lift: f64, salt: u64) -> RankedScores {
    let mut state = salt.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let truth: Vec<bool> = (0..samples).map(|i| i % 8 < 5).collect();
    let scores: Vec<f64> = truth.iter().map(|&t| uniform() + uniform() + if t { lift } else { 0.0 }).collect();
    RankedScores::new(&scores, &truth).unwrap()
}

#[test]
fn a_drawn_subject_brings_all_its_samples() {
    let grouping = Grouping::new(&[7, 3, 7, 7, 3, 1]).unwrap();
    let seen = Mutex::new(BTreeSet::new());
    let statistic = |drawn: &[usize]| {
        let count = |i| drawn.iter().filter(|&&d| d == i).count();
        assert!(count(0) == count(2) && count(2) == count(3) && count(1) == count(4));
        seen.lock().unwrap().insert(drawn.len());
        Ok(drawn.len() as f64)
    };
    bootstrap_interval(&grouping, &statistic, PERCENTILE).unwrap();
    // Three subjects of 3, 2 and 1 samples: from 3 × 1 to 3 × 3 samples in a draw.
    assert_eq!(*seen.lock().unwrap(), (3..=9).collect());
}

#[test]
fn grouped_samples_widen_the_interval() {
    // Each value occurs four times: four images of one patient.
    let values: Vec<f64> = (0..80).map(|i| f64::from(i / 4 * 37 % 20)).collect();
    let subjects: Vec<usize> = (0..80).map(|i| i / 4).collect();
    let width = |grouping: Grouping| {
        let interval = bootstrap_interval(&grouping, &|drawn| mean_of(&values, drawn), PERCENTILE).unwrap();
        interval.high - interval.low
    };
    let ratio = width(Grouping::new(&subjects).unwrap()) / width(Grouping::each_sample(80).unwrap());
    assert!((1.7..2.3).contains(&ratio), "a factor of about √4, found {ratio}");
}

#[test]
fn results_do_not_depend_on_the_number_of_threads_but_on_the_seed() {
    let scores = experiment(200, 0.5, 3);
    let grouping = Grouping::new(&(0..200).map(|i| i / 2).collect::<Vec<_>>()).unwrap();
    let run = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let bca = BootstrapPlan { method: BootstrapMethod::BiasCorrectedAccelerated, seed, ..PERCENTILE };
            let one = bootstrap_interval(&grouping, &|drawn| auroc_of(&scores, drawn), bca).unwrap();
            let arm = |seed: usize, drawn: &[usize]| Ok(auroc_of(&scores, drawn)? + seed as f64 / 100.0);
            let plan = TwoLevelPlan { seed, ..TWO_LEVEL };
            (one, two_level_draws(3, &grouping, &[Arm::PerSeed(&arm)], plan).unwrap())
        })
    };
    assert_eq!(run(1, 4), run(3, 4));
    assert_ne!(run(2, 4), run(2, 5));
}

#[test]
fn undefined_draws_are_counted_and_too_many_refused() {
    // One positive among n samples is missed by a share of (1 − 1/n)^n, about 37 %, of the draws.
    let rare = RankedScores::new(&[0.1, 0.2, 0.3, 0.4, 0.25, 0.6], &[false, false, false, false, true, false]).unwrap();
    let grouping = Grouping::each_sample(6).unwrap();
    let refused = bootstrap_interval(&grouping, &|drawn| auroc_of(&rare, drawn), PERCENTILE).unwrap_err();
    let Undefined::TooManyUndefinedDraws { undefined, resamples: 500, first } = refused else {
        panic!("expected too many undefined draws, found {refused}");
    };
    assert!((130..250).contains(&undefined));
    assert_eq!(*first, Undefined::OneClassOnly { positive: false });
    // Four positives among ten: some draws lack one class, fewer than 5 %.
    let scores: Vec<f64> = (0..10).map(|i| f64::from(i * 7 % 10)).collect();
    let truth: Vec<bool> = (0..10).map(|i| i < 4).collect();
    let some = RankedScores::new(&scores, &truth).unwrap();
    let grouping = Grouping::each_sample(10).unwrap();
    let plan = BootstrapPlan { resamples: 2000, ..PERCENTILE };
    let interval = bootstrap_interval(&grouping, &|drawn| auroc_of(&some, drawn), plan).unwrap();
    assert!((1..=100).contains(&interval.undefined_draws));
}

#[test]
fn plans_and_statistics_without_meaning_are_refused() {
    let values = [1.0, 2.0, 4.0, 3.0];
    let grouping = Grouping::each_sample(4).unwrap();
    let refused = |grouping: &Grouping, plan| bootstrap_interval(grouping, &|d| mean_of(&values, d), plan).is_err();
    assert!(!refused(&grouping, PERCENTILE));
    assert!(refused(&grouping, BootstrapPlan { level: 1.0, ..PERCENTILE }));
    assert!(refused(&grouping, BootstrapPlan { level: f64::NAN, ..PERCENTILE }));
    assert!(refused(&grouping, BootstrapPlan { resamples: 99, ..PERCENTILE }));
    assert!(refused(&Grouping::new(&["a"; 4]).unwrap(), PERCENTILE));
    assert!(Grouping::new::<u8>(&[]).is_err() && Grouping::each_sample(0).is_err());
    let nan = bootstrap_interval(&grouping, &|_| Ok(f64::NAN), PERCENTILE);
    assert!(matches!(nan, Err(Undefined::NotFinite { .. })));
    let constant = bootstrap_interval(&grouping, &|_| Ok(1.0), PERCENTILE);
    assert!(matches!(constant, Err(Undefined::ZeroVariance { .. })));
}

#[test]
fn bca_names_the_subject_that_it_cannot_do_without() {
    let scores = RankedScores::new(&[0.1, 0.5, 0.3, 0.4], &[false, true, false, false]).unwrap();
    // Draws always hold the one positive here; the jackknife cannot.
    let statistic = |drawn: &[usize]| match drawn.len() {
        3 => auroc_of(&scores, drawn),
        _ => mean_of(&[0.1, 0.5, 0.3, 0.4], drawn),
    };
    let plan = BootstrapPlan { method: BootstrapMethod::BiasCorrectedAccelerated, ..PERCENTILE };
    let refused = bootstrap_interval(&Grouping::each_sample(4).unwrap(), &statistic, plan).unwrap_err();
    assert!(matches!(refused, Undefined::UndefinedWithout { subject: 1, .. }));
}

#[test]
fn bca_of_a_skewed_mean_lies_above_the_percentiles() {
    let values: Vec<f64> = (0..30).map(|i| f64::from(i * 13 % 30).powi(4) / 1e4).collect();
    let grouping = Grouping::each_sample(30).unwrap();
    let run = |method| {
        let plan = BootstrapPlan { method, resamples: 2000, ..PERCENTILE };
        bootstrap_interval(&grouping, &|drawn| mean_of(&values, drawn), plan).unwrap()
    };
    let (plain, corrected) = (run(BootstrapMethod::Percentile), run(BootstrapMethod::BiasCorrectedAccelerated));
    assert!(corrected.low > plain.low && corrected.high > plain.high);
}

#[test]
fn the_same_draw_serves_all_arms_so_a_constant_lead_has_no_spread() {
    let values: Vec<f64> = (0..20).map(|i| f64::from(i * 3 % 20) / 32.0).collect();
    let a = |seed: usize, drawn: &[usize]| Ok(mean_of(&values, drawn)? + [0.0, 0.5, 0.25][seed]);
    let b = |seed: usize, drawn: &[usize]| Ok(a(seed, drawn)? + 0.125 * values[drawn[0]]);
    let grouping = Grouping::each_sample(20).unwrap();
    let study =
        two_level_draws(3, &grouping, &[Arm::PerSeed(&a), Arm::PerSeed(&b), Arm::PerSeed(&a)], TWO_LEVEL).unwrap();
    assert!(matches!(study.difference(0, 2), Err(Undefined::ZeroVariance { .. })));
    let apart = study.interval(0).unwrap();
    let paired = study.difference(1, 0).unwrap().interval;
    assert!(paired.high - paired.low < (apart.high - apart.low) / 3.0);
    let spread = study.seed_spread(0).unwrap();
    assert!((spread.highest - spread.lowest - 0.5).abs() < 1e-12 && (spread.standard_deviation - 0.25).abs() < 1e-12);
}

#[test]
fn a_single_network_has_no_seed_spread_and_a_strange_arm_is_refused() {
    let teacher = experiment(40, 0.6, 1);
    let arm = |drawn: &[usize]| auroc_of(&teacher, drawn);
    let study = two_level_draws(3, &Grouping::each_sample(40).unwrap(), &[Arm::Single(&arm)], TWO_LEVEL).unwrap();
    assert_eq!(study.seed_values(0).unwrap().len(), 1);
    assert!(study.seed_spread(0).is_err());
    assert_eq!(study.interval(1), Err(Undefined::NoSuchArm { arm: 1, arms: 1 }));
    assert!(study.difference(0, 5).is_err());
    let none = two_level_draws(0, &Grouping::each_sample(40).unwrap(), &[Arm::Single(&arm)], TWO_LEVEL);
    assert!(matches!(none, Err(Undefined::NotEnough { what: "seeds", .. })));
}

#[test]
fn the_recovered_share_is_the_same_for_a_score_and_its_error() {
    let values: Vec<f64> = (0..60).map(|i| f64::from(i * 17 % 60) / 600.0).collect();
    let squares: Vec<f64> = values.iter().map(|v| v * v).collect();
    let shifted = |by: f64| move |drawn: &[usize], values: &[f64]| Ok(mean_of(values, drawn)? * by + by);
    let (t, a, d) = (shifted(0.9), shifted(0.5), shifted(0.7));
    let grouping = Grouping::each_sample(60).unwrap();
    let run = |sign: f64, better| {
        let teacher = |drawn: &[usize]| t(drawn, &values).map(|v: f64| sign * v);
        let alone = |_: usize, drawn: &[usize]| a(drawn, &values).map(|v: f64| sign * v);
        let distilled = |seed: usize, drawn: &[usize]| {
            d(drawn, &values).map(|v: f64| sign * (v + 0.001 * seed as f64 + mean_of(&squares, drawn).unwrap()))
        };
        let arms = [Arm::Single(&teacher), Arm::PerSeed(&alone), Arm::PerSeed(&distilled)];
        two_level_draws(2, &grouping, &arms, TWO_LEVEL).unwrap().gap_recovered(0, 1, 2, better)
    };
    let (score, error) = (run(1.0, Better::Higher).unwrap(), run(-1.0, Better::Lower).unwrap());
    assert!((score.share - error.share).abs() < 1e-12 && (score.interval.low - error.interval.low).abs() < 1e-12);
    assert!((0.45..0.6).contains(&score.share) && score.interval.contains(score.share));
    // The same numbers read the other way round: the teacher is worse.
    assert!(matches!(run(1.0, Better::Lower), Err(Undefined::NoGap { .. })));
}

#[test]
fn no_gap_means_no_share() {
    let (t, a, d) = (experiment(120, 0.40, 1), experiment(120, 0.40, 2), experiment(120, 0.45, 3));
    let teacher = |drawn: &[usize]| auroc_of(&t, drawn);
    let alone = |_: usize, drawn: &[usize]| auroc_of(&a, drawn);
    let distilled = |_: usize, drawn: &[usize]| auroc_of(&d, drawn);
    let arms = [Arm::Single(&teacher), Arm::PerSeed(&alone), Arm::PerSeed(&distilled)];
    let study = two_level_draws(3, &Grouping::each_sample(120).unwrap(), &arms, TWO_LEVEL).unwrap();
    let difference = study.difference(0, 1).unwrap();
    assert!(difference.interval.contains(0.0) && difference.p_value > 0.05);
    let refused = study.gap_recovered(0, 1, 2, Better::Higher).unwrap_err();
    assert!(refused.to_string().starts_with("no gap to recover"));
}

#[test]
fn a_study_of_four_arms_and_five_seeds_is_quick() {
    let arm = |lift: f64, salt: u64| (0..5).map(|s| experiment(624, lift, salt + s)).collect::<Vec<_>>();
    let networks = [arm(0.8, 10), arm(0.4, 20), arm(0.45, 30), arm(0.6, 40)];
    let statistics: Vec<_> =
        networks.iter().map(|n| |seed: usize, drawn: &[usize]| auroc_of(&n[seed], drawn)).collect();
    let arms: Vec<Arm<'_>> = statistics.iter().map(|s| Arm::PerSeed(s)).collect();
    let started = std::time::Instant::now();
    let plan = TwoLevelPlan { resamples: 2000, ..TWO_LEVEL };
    let study = two_level_draws(5, &Grouping::each_sample(624).unwrap(), &arms, plan).unwrap();
    let recovered = study.gap_recovered(0, 1, 3, Better::Higher).unwrap();
    let seconds = started.elapsed().as_secs_f64();
    assert!(recovered.interval.low > 0.0 && recovered.interval.high < 1.0);
    assert!(recovered.gap.p_value < 0.01);
    assert!(seconds < 5.0, "took {seconds} s");
}

#[test]
fn a_roc_band_holds_the_curve() {
    let scores = experiment(160, 0.5, 8);
    let grid: Vec<f64> = (0..=20).map(|i| f64::from(i) / 20.0).collect();
    let curve = |drawn: &[usize]| -> Curve {
        let roc = roc_curve_of(&scores, drawn)?;
        grid.iter().map(|&rate| roc.sensitivity_at(rate)).collect()
    };
    let grouping = Grouping::each_sample(160).unwrap();
    let band = bootstrap_band(&grouping, grid.len(), &curve, PERCENTILE).unwrap();
    let roc = roc_curve(&scores).unwrap();
    for (interval, &rate) in band.iter().zip(&grid) {
        assert!(interval.contains(roc.sensitivity_at(rate).unwrap()));
    }
    assert!(band[4].high - band[4].low > 0.05);
    assert!(bootstrap_band(&grouping, 3, &curve, PERCENTILE).is_err());
    let bca = BootstrapPlan { method: BootstrapMethod::BiasCorrectedAccelerated, ..PERCENTILE };
    assert!(matches!(bootstrap_band(&grouping, grid.len(), &curve, bca), Err(Undefined::MethodMismatch { .. })));
}
