//! One side of a side-by-side: prepares one network, then does one step for each line on its standard input and answers
//! with the seconds that it took. `cargo xtask bench speed` alternates it with its peers.
//!
//! `kd-speed FAMILY train|infer`; lines `step`, `memory` and `versions`. `kd-speed kernels [FILTER]` times single convolutions.

use std::io::{BufRead as _, Write as _};
use std::time::{Duration, Instant};

use burn::module::{ModuleMapper, Param};
use burn::tensor::{Device, Gradients, Tensor};
use kd_bench::family::{Built, Family};
use kd_bench::kernels::{Measured, bars, measure};
use kd_bench::{logits, peak_memory};
use kd_core::{Network, initialize};
use kd_kernels::nn::momentum_step;
use kd_kernels::{Isa, Kernels, MomentumStep};

/// One line of the protocol; a reader that went away ends the program.
fn answer(line: std::fmt::Arguments) {
    if writeln!(std::io::stdout().lock(), "{line}").is_err() {
        std::process::exit(0);
    }
}

/// SGD with momentum .9, as the peers have it.
struct Sgd<'a> {
    gradients: &'a Gradients,
    momenta: &'a mut Vec<Tensor<1>>,
    at: usize,
}

impl ModuleMapper for Sgd<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = param.val().grad(self.gradients) else { return param };
        let shape = gradient.dims();
        let gradient: Tensor<1> = gradient.flatten(0, D - 1);
        let at = self.at;
        self.at += 1;
        param.map(|value| {
            let weight: Tensor<1> = value.inner().flatten(0, D - 1);
            let momentum = self.momenta.get(at).cloned().unwrap_or_else(|| weight.zeros_like());
            let step = MomentumStep { rate: 1e-3, momentum: 0.9, weight_decay: 0.0, nesterov: false };
            let [weight, momentum] = momentum_step(weight, gradient, momentum, step);
            if at < self.momenta.len() {
                self.momenta[at] = momentum;
            } else {
                self.momenta.push(momentum);
            }
            Tensor::from_inner(weight.reshape(shape)).require_grad()
        })
    }
}

fn sides<N: Network<I, O>, const I: usize, const O: usize>(network: N, shape: [usize; I], train: bool) {
    let plain = Device::flex();
    let input = logits(shape, 3, &plain);
    let mut network = initialize(network, 0);
    let mut momenta = Vec::new();
    let mut step = || {
        let begun = Instant::now();
        if train {
            let answer = network.forward(Tensor::from_inner(input.clone()));
            let gradients = answer.powi_scalar(2).mean().backward();
            let mut sgd = Sgd { gradients: &gradients, momenta: &mut momenta, at: 0 };
            network = network.clone().map(&mut sgd);
        } else {
            let answer = network.forward(input.clone()).into_data();
            assert!(answer.num_elements() > 0, "an answer");
        }
        begun.elapsed().as_secs_f64()
    };
    let idle = peak_memory();
    for _ in 0..2 {
        step();
    }
    answer(format_args!("ready"));
    for line in std::io::stdin().lock().lines() {
        match line.as_deref() {
            Ok("step") => answer(format_args!("{:.9}", step())),
            Ok("versions") => {
                answer(format_args!("kd, {} operators, {}", Kernels::chosen().name(), Isa::best().name()))
            }
            Ok("memory") => answer(format_args!("{idle} {}", peak_memory())),
            _ => break,
        }
    }
}

/// Times the convolutions whose name contains `filter`: a line of tab-separated fields for each.
fn operators(filter: &str) {
    for bar in bars().iter().filter(|bar| bar.name.contains(filter)) {
        let Measured { peak, forward, input_gradient, weight_gradient } =
            measure(&bar.shape, Duration::from_millis(400));
        let share = bar.share.map_or(String::new(), |share| share.to_string());
        answer(format_args!(
            "{}\t{share}\t{peak:.1}\t{forward:.1}\t{input_gradient:.1}\t{weight_gradient:.1}",
            bar.name
        ));
    }
}

fn main() {
    kd_kernels::keep_freed_memory();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "kernels") {
        return operators(arguments.get(1).map_or("", String::as_str));
    }
    let family = arguments.first().and_then(|name| Family::ALL.into_iter().find(|family| family.name() == name));
    let train = arguments.get(1).map(String::as_str);
    let (Some(family), Some("train" | "infer")) = (family, train) else {
        let names = Family::ALL.map(Family::name).join("|");
        answer(format_args!("usage: kd-speed {names} train|infer"));
        std::process::exit(2);
    };
    let train = train == Some("train");
    let device = if train { Device::flex().autodiff() } else { Device::flex() };
    match family.build(&device) {
        Built::Classifier(network, shape) => sides::<_, 4, 2>(*network, shape, train),
        Built::UNet(network, shape) => sides(*network, shape, train),
        Built::UNet3d(network, shape) => sides(*network, shape, train),
        Built::DnCnn(network, shape) => sides(*network, shape, train),
    }
}
