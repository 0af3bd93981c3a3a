//! The batch path, one training step and inference of the networks that the recipes use.

use std::hint::black_box;

use burn::tensor::{Device, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use kd_bench::{logits, samples};
use kd_classify::{Architecture, Augmentation, ClassWeights, ClassifyTask, NetworkDesign, NetworkSpec, Stem};
use kd_core::{Head, Network, Task, initialize};

const BATCH: usize = 64;
const SIZE: usize = 28;

fn networks() -> Vec<(&'static str, NetworkSpec)> {
    let thin = |width, blocks: &[usize]| {
        let mut design = NetworkDesign::new(Architecture::ThinResNet, Stem::Small);
        design.width = Some(width);
        design.blocks = Some(blocks.to_vec());
        design
    };
    let mut teacher = NetworkDesign::new(Architecture::ResNet18, Stem::Small);
    teacher.width = Some(16);
    [("resnet-18/16", teacher), ("thin-8", thin(8, &[1, 1, 1])), ("thin-27", thin(27, &[1, 1, 1]))]
        .into_iter()
        .map(|(name, design)| (name, design.spec(1, 1).expect("a sound design")))
        .collect()
}

fn network(c: &mut Criterion) {
    let plain = Device::flex();
    let gentle = Augmentation { shift: 0.05, rotate_deg: 5.0, scale: 0.05, ..Augmentation::default() };
    let task = ClassifyTask::new(Head::OneChannel, 2, ClassWeights::Equal, gentle, 0).expect("a sound task");
    let images = samples(BATCH, SIZE);
    c.bench_function("batch/augmented/64x28x28", |b| {
        b.iter(|| {
            let batch = task.batch(images.clone(), Some(3), &plain).expect("sound samples");
            assert!(batch.input.dims() == [BATCH, 1, SIZE, SIZE]);
            black_box(batch)
        });
    });
    let mut group = c.benchmark_group("network");
    group.sample_size(10);
    for (name, spec) in networks() {
        let tracked = plain.clone().autodiff();
        let student = initialize(spec.init(&tracked), 0);
        let input = logits([BATCH, 1, SIZE, SIZE], 3, &plain);
        group.bench_function(format!("train_step/{name}/64x28x28"), |b| {
            b.iter(|| {
                let raw = Network::<4, 2>::forward(&student, Tensor::from_inner(input.clone()));
                assert!(raw.dims() == [BATCH, 1]);
                black_box(raw.powf_scalar(2.0).mean().backward())
            });
        });
        let finished = initialize(spec.init(&plain), 0);
        for batch in [1, BATCH] {
            let input = logits([batch, 1, SIZE, SIZE], 4, &plain);
            group.bench_function(format!("inference/{name}/{batch}x28x28"), |b| {
                b.iter(|| {
                    let raw = Network::<4, 2>::forward(&finished, input.clone()).into_data();
                    assert!(raw.num_elements() == batch);
                    raw
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, network);
criterion_main!(benches);
