//! Every loss of the catalogue, forward and backward, pooled and dense.

use std::hint::black_box;

use burn::tensor::{Device, Int, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use kd_bench::logits;
use kd_core::Head;
use kd_core::loss::{Beside, CATALOG, On, Output, Parameters, Range, build};

fn parameters(entry: &kd_core::loss::LossEntry) -> Parameters {
    let required = entry.parameters.iter().filter(|parameter| parameter.range.is_required());
    required.fold(Parameters::new(), |given, parameter| match parameter.range {
        Range::Flag { .. } => given.with(parameter.name, false),
        Range::Choice { options, .. } => given.with(parameter.name, options[0]),
        // A share where only shares are taken, else a number that every other range holds.
        Range::Number { max, .. } => given.with(parameter.name, if max <= 1.0 { 0.5 } else { 4.0 }),
    })
}

fn step<const D: usize>(c: &mut Criterion, shape: [usize; D], size: &str) {
    let device = Device::flex().autodiff();
    let student = logits(shape, 1, &device.clone().inner());
    let teacher = logits(shape, 2, &device.clone().inner());
    let mut positions = shape;
    positions[1] = 1;
    let labels = Tensor::<D, Int>::ones(positions, &device.clone().inner());
    let listed = CATALOG.iter().filter(|entry| entry.not_in_recipes.is_none() && entry.on != On::Features);
    for entry in listed.filter(|entry| entry.fits_output(Output::of_rank(D)).is_ok()) {
        let heads = [Head::Softmax { classes: shape[1] }, Head::MultiLabel { labels: shape[1] }];
        let Some(head) = heads.into_iter().find(|&head| entry.fits_head(head).is_ok()) else { continue };
        let loss = build::<D>(entry.name, &parameters(entry), head).expect("parameters of its own row");
        c.bench_function(&format!("loss/{}/{size}", entry.name), |b| {
            b.iter(|| {
                let leaf = Tensor::from_inner(student.clone()).require_grad();
                let beside = Beside::new(teacher.clone()).with_labels(Some(labels.clone()));
                let value = loss.evaluate(leaf.clone(), beside);
                let gradient = leaf.grad(&value.backward()).expect("the student has a gradient");
                assert!(gradient.dims() == shape);
                black_box(gradient)
            });
        });
    }
}

fn losses(c: &mut Criterion) {
    step(c, [128, 7], "128x7");
    step(c, [8, 3, 128, 128], "8x3x128x128");
}

criterion_group!(benches, losses);
criterion_main!(benches);
