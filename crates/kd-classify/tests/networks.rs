//! What holds for every architecture: shapes, gradients, counts, independence of the batch.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use kd_classify::{Architecture, Classifier, NetworkDesign, NetworkSpec, Stem, cost};
use proptest::prelude::*;

/// Every architecture, thin enough for a test, with as many stages and blocks as it has.
fn designs(stem: Stem) -> Vec<NetworkDesign> {
    Architecture::ALL
        .map(|architecture| {
            let mut design = NetworkDesign::new(architecture, stem);
            match architecture {
                Architecture::Mobile => design.multiplier = Some(0.25),
                Architecture::ThinResNet => {
                    design.width = Some(8);
                    design.blocks = Some(vec![1, 2, 1]);
                }
                _ => design.width = Some(8),
            }
            design
        })
        .into()
}

fn images([batch, channels, height, width]: [usize; 4], device: &Device) -> Tensor<4> {
    let values = (0..batch * channels * height * width).map(|index| ((index * 7919 % 1009) as f32) / 504.5 - 1.0);
    Tensor::from_data(TensorData::new(values.collect(), [batch, channels, height, width]), device)
}

fn values(logits: Tensor<2>) -> Vec<f32> {
    logits.into_data().try_into_vec().unwrap()
}

fn check_forward(stem: Stem, outputs: usize) {
    let device = Device::flex();
    for design in designs(stem) {
        for side in [28, 32, 64] {
            let spec = design.clone().spec(1, outputs).unwrap();
            if spec.check_input([side; 2]).is_err() {
                // Five poolings need 32 pixels; everything else takes all sizes.
                assert!(stem == Stem::ImageNet && side < 32 && spec.to_string().starts_with("vgg"), "{spec} at {side}");
                continue;
            }
            let logits = spec.init(&device).forward(images([2, 1, side, side], &device));
            assert_eq!(logits.dims(), [2, outputs], "{spec}");
            assert!(values(logits).iter().all(|logit| logit.is_finite()), "{spec} at {side}");
        }
    }
}

#[test]
fn small_stems_answer_every_head_with_finite_logits() {
    for outputs in [1, 2, 14] {
        check_forward(Stem::Small, outputs);
    }
}

#[test]
fn imagenet_stems_answer_every_head_with_finite_logits() {
    for outputs in [1, 2, 14] {
        check_forward(Stem::ImageNet, outputs);
    }
}

/// Parameters (with a demand for gradients) and statistics, and which parameters got no gradient.
struct Inventory<'a> {
    path: Vec<String>,
    gradients: Option<&'a Gradients>,
    parameters: u64,
    statistics: u64,
    without_gradient: Vec<String>,
}

impl<'a> Inventory<'a> {
    fn of(network: &Classifier, gradients: Option<&'a Gradients>) -> Self {
        let mut inventory =
            Self { path: Vec::new(), gradients, parameters: 0, statistics: 0, without_gradient: Vec::new() };
        network.visit(&mut inventory);
        inventory
    }
}

impl ModuleVisitor for Inventory<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.join(".");
        let count = param.lazy_shape().num_elements() as u64;
        if path.contains("running_") {
            self.statistics += count;
            return;
        }
        self.parameters += count;
        if let Some(gradients) = self.gradients {
            let most = param.val().grad(gradients).map(|gradient| gradient.abs().max().into_scalar::<f32>());
            if !most.is_some_and(|most| most.is_finite() && most > 0.0) {
                self.without_gradient.push(path);
            }
        }
    }
}

#[test]
fn a_gradient_reaches_every_parameter() {
    let device = Device::flex().autodiff();
    for stem in [Stem::Small, Stem::ImageNet] {
        for design in designs(stem) {
            let spec = design.spec(3, 4).unwrap();
            let network = spec.init(&device);
            let log_probs = log_softmax(network.forward(images([4, 3, 64, 64], &device)), 1);
            // The images have different targets, so that no gradient cancels over the batch.
            let targets = Tensor::<2>::eye(4, &device);
            let gradients = (log_probs * targets).sum().neg().backward();
            let inventory = Inventory::of(&network, Some(&gradients));
            // A batch norm takes away what a bias before it adds: those of VGG-16-BN see rounding errors, if anything.
            let missing: Vec<_> = inventory
                .without_gradient
                .into_iter()
                .filter(|path| !(spec.to_string().starts_with("vgg-16-bn") && path.ends_with("conv.bias")))
                .collect();
            assert!(missing.is_empty(), "{spec}: {missing:?}");
        }
    }
}

#[test]
fn an_image_alone_gets_the_answer_that_it_gets_in_a_batch() {
    let device = Device::flex();
    for design in designs(Stem::Small) {
        let network = design.spec(1, 3).unwrap().init(&device);
        let batch = images([3, 1, 28, 28], &device);
        let together = values(network.forward(batch.clone()));
        for image in 0..3 {
            let alone = values(network.forward(batch.clone().narrow(0, image, 1)));
            for (alone, together) in alone.iter().zip(&together[3 * image..]) {
                // Blocking of the matrix product may depend on the batch, so a few ulp may differ.
                assert!((alone - together).abs() <= 1e-5 * together.abs().max(0.1), "{alone} and {together}");
            }
        }
    }
}

#[test]
fn the_counted_parameters_are_the_module_s() {
    let device = Device::flex();
    for stem in [Stem::Small, Stem::ImageNet] {
        for architecture in Architecture::ALL {
            let mut design = NetworkDesign::new(architecture, stem);
            design.multiplier = (architecture == Architecture::Mobile).then_some(0.7);
            if architecture == Architecture::ThinResNet {
                design.width = Some(12);
                design.blocks = Some(vec![1, 2]);
            }
            check_count(&design.spec(3, 5).unwrap(), &device);
        }
    }
}

fn check_count(spec: &NetworkSpec, device: &Device) {
    let counted = cost(spec, [64, 64]).unwrap();
    // Parameters are lazy, so not even VGG-16's 138 million are drawn here.
    let inventory = Inventory::of(&spec.init(device), None);
    assert_eq!((inventory.parameters, inventory.statistics), (counted.parameters, counted.statistics), "{spec}");
}

proptest! {
    #[test]
    fn any_thin_network_is_counted_right(
        width in 1_usize..40,
        blocks in prop::collection::vec(1_usize..4, 1..5),
        multiplier in 0.01_f64..2.0,
        small in any::<bool>(),
        mobile in any::<bool>(),
        channels in 1_usize..5,
        outputs in 1_usize..20,
    ) {
        let stem = if small { Stem::Small } else { Stem::ImageNet };
        let architecture = if mobile { Architecture::Mobile } else { Architecture::ThinResNet };
        let design = NetworkDesign {
            architecture,
            stem,
            width: (!mobile).then_some(width),
            multiplier: mobile.then_some(multiplier),
            blocks: Some(blocks),
        };
        check_count(&design.spec(channels, outputs).unwrap(), &Device::flex());
    }
}
