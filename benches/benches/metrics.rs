//! AUROC and the bootstraps at the size of a usual test split.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use kd_bench::numbers;
use kd_metrics::{
    Arm, BootstrapMethod, BootstrapPlan, Grouping, RankedScores, TwoLevelPlan, auroc, auroc_of, bootstrap_interval,
    two_level_draws,
};

const SAMPLES: usize = 624;
const SEEDS: usize = 5;

fn ranked(seed: u64) -> RankedScores {
    let noise = numbers(SAMPLES, seed);
    let truth: Vec<bool> = (0..SAMPLES).map(|sample| sample % 8 > 2).collect();
    let scores: Vec<f64> =
        noise.iter().zip(&truth).map(|(noise, truth)| f64::from(*noise) + if *truth { 0.8 } else { 0.0 }).collect();
    RankedScores::new(&scores, &truth).expect("finite scores of both classes")
}

fn metrics(c: &mut Criterion) {
    let scores = ranked(0);
    c.bench_function("metric/auroc/624", |b| {
        b.iter(|| {
            let value = auroc(black_box(&scores)).expect("both classes");
            assert!((0.5..1.0).contains(&value));
            value
        });
    });
    let grouping = Grouping::each_sample(SAMPLES).expect("samples");
    let plan =
        BootstrapPlan { method: BootstrapMethod::BiasCorrectedAccelerated, resamples: 2000, level: 0.95, seed: 0 };
    c.bench_function("metric/bootstrap_bca/624x2000", |b| {
        b.iter(|| bootstrap_interval(&grouping, &|draw| auroc_of(&scores, draw), plan).expect("an interval"));
    });
    let seeds: Vec<RankedScores> = (0..SEEDS as u64).map(ranked).collect();
    let per_seed = |seed: usize, draw: &[usize]| auroc_of(&seeds[seed], draw);
    let arms = [Arm::PerSeed(&per_seed); 4];
    let plan = TwoLevelPlan { resamples: 2000, level: 0.95, seed: 0 };
    let mut group = c.benchmark_group("metric");
    group.sample_size(10);
    group.bench_function("two_level/624x2000x5x4", |b| {
        b.iter(|| two_level_draws(SEEDS, &grouping, &arms, plan).expect("draws"));
    });
    group.finish();
}

criterion_group!(benches, metrics);
criterion_main!(benches);
