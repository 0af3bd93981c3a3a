//! What holds for every architecture: shapes, gradients, counts, how far an answer sees; and what a recipe may say.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use kd_enhance::{Architecture, NetworkDesign, NetworkError, NetworkSpec, Norm, Restorer, cost};
use proptest::prelude::*;

fn design(architecture: Architecture, width: usize, norm: Norm, size: usize) -> NetworkDesign {
    let mut design = NetworkDesign::new(architecture, width);
    match architecture {
        Architecture::DnCnn => (design.layers, design.norm) = (Some(size + 1), Some(norm)),
        Architecture::RedCnn => design.depth = Some(size),
        Architecture::UNet => (design.depth, design.norm) = (Some(size.min(3)), Some(norm)),
        Architecture::Edsr => {
            (design.blocks, design.residual_scale) = (Some(size), Some(0.5));
            design.factor = Some(if norm == Norm::Batch { 2 } else { 4 });
        }
    }
    design
}

/// Every architecture in its two variants.
fn specs(channels: usize) -> Vec<NetworkSpec> {
    Architecture::ALL
        .into_iter()
        .flat_map(|architecture| [Norm::Batch, Norm::None].map(|norm| design(architecture, 3, norm, 2)))
        .map(|design| design.spec(channels).unwrap())
        .collect()
}

fn images([batch, channels, height, width]: [usize; 4], device: &Device) -> Tensor<4> {
    let values = (0..batch * channels * height * width).map(|index| ((index * 7919 % 1009) as f32) / 504.5 - 1.0);
    Tensor::from_data(TensorData::new(values.collect(), [batch, channels, height, width]), device)
}

fn values(answer: Tensor<4>) -> Vec<f32> {
    answer.into_data().try_into_vec().unwrap()
}

#[test]
fn images_of_any_size_come_back_on_their_grid_or_the_finer_one() {
    let device = Device::flex();
    for spec in specs(2) {
        for [height, width] in [[1, 1], [5, 13], [16, 8]] {
            spec.check_input([height, width]).unwrap();
            let answer = spec.init(&device).forward(images([2, 2, height, width], &device));
            assert_eq!(answer.dims(), [2, 2, spec.factor() * height, spec.factor() * width], "{spec}");
            assert!(values(answer).iter().all(|value| value.is_finite()), "{spec}");
        }
    }
}

#[test]
fn an_untrained_network_does_nothing() {
    let device = Device::flex();
    for spec in specs(1).into_iter().filter(|spec| spec.factor() == 1) {
        let network = kd_core::initialize(spec.init(&device), 3);
        let input = images([1, 1, 9, 6], &device);
        assert_eq!(values(network.forward(input.clone())), values(input), "{spec}");
    }
}

#[test]
fn an_untrained_super_resolution_interpolates() {
    let device = Device::flex();
    let spec = design(Architecture::Edsr, 3, Norm::Batch, 1).spec(1).unwrap();
    let network = kd_core::initialize(spec.init(&device), 3);
    let answer = values(network.forward(Tensor::from_floats([[[[0.0, 4.0]]]], &device)));
    assert_eq!(answer, [0.0, 1.0, 3.0, 4.0, 0.0, 1.0, 3.0, 4.0]);
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
    fn of(network: &Restorer, gradients: Option<&'a Gradients>) -> Self {
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
    for architecture in Architecture::ALL {
        for norm in [Norm::Batch, Norm::None] {
            let spec = design(architecture, 8, norm, 3).spec(1).unwrap();
            let network = spec.init(&device);
            let input = images([2, 1, 16, 16], &device);
            let answer = network.forward(input);
            let weights = images(answer.dims(), &device);
            let gradients = (answer.clone() * answer * weights).sum().backward();
            let missing = Inventory::of(&network, Some(&gradients)).without_gradient;
            assert!(missing.is_empty(), "{spec}: {missing:?}");
        }
    }
}

#[test]
fn an_image_alone_gets_the_answer_that_it_gets_in_a_batch() {
    let device = Device::flex();
    for spec in specs(1) {
        let network = spec.init(&device);
        let batch = images([3, 1, 12, 10], &device);
        let together = values(network.forward(batch.clone()));
        for image in 0..3 {
            let alone = values(network.forward(batch.clone().narrow(0, image, 1)));
            let points = alone.len();
            for (alone, together) in alone.iter().zip(&together[points * image..]) {
                // Blocking of the matrix product may depend on the batch, so a few ulp may differ.
                assert!((alone - together).abs() <= 1e-5 * together.abs().max(0.1), "{alone} and {together}");
            }
        }
    }
}

#[test]
fn an_answer_sees_no_further_than_the_network_says() {
    let device = Device::flex();
    for spec in specs(1) {
        let network = spec.init(&device);
        let (reach, factor) = (spec.reach(), spec.factor());
        let (height, width) = (2, 2 * reach + 8);
        // A change at one column must not be felt further away than `reach`.
        for column in [reach + 1, reach + 4] {
            let before = images([1, 1, height, width], &device);
            let mut changed: Vec<f32> = values(before.clone());
            (0..height).for_each(|row| changed[row * width + column] += 3.0);
            let after = Tensor::from_data(TensorData::new(changed, [1, 1, height, width]), &device);
            let (before, after) = (values(network.forward(before)), values(network.forward(after)));
            let mut felt = 0;
            for (index, (before, after)) in before.iter().zip(&after).enumerate() {
                let distance = (index % (factor * width) / factor).abs_diff(column);
                felt += usize::from((before - after).abs() > 1e-5);
                assert!(distance <= reach || (before - after).abs() < 1e-5, "{spec}: felt {distance} columns away");
            }
            assert!(felt > 0, "{spec}");
        }
    }
}

fn check_count(spec: &NetworkSpec) {
    let counted = cost(spec, [64, 48]).unwrap();
    let inventory = Inventory::of(&spec.init(&Device::flex()), None);
    assert_eq!((inventory.parameters, inventory.statistics), (counted.parameters, counted.statistics), "{spec}");
}

proptest! {
    #[test]
    fn any_network_is_counted_right(
        which in 0_usize..4,
        width in 1_usize..40,
        size in 1_usize..9,
        batch_norm in any::<bool>(),
        channels in 1_usize..5,
    ) {
        let norm = if batch_norm { Norm::Batch } else { Norm::None };
        check_count(&design(Architecture::ALL[which], width, norm, size).spec(channels).unwrap());
    }
}

fn refusal(text: &str) -> String {
    let design: Result<NetworkDesign, _> = toml::from_str(text);
    match design {
        Err(error) => error.to_string(),
        Ok(design) => design.check().unwrap_err().to_string(),
    }
}

#[test]
fn an_unknown_key_or_architecture_is_refused_by_name() {
    let text = refusal("architecture = \"dncnn\"\nwidth = 8\nlayers = 5\nnorm = \"batch\"\nkernel = 3");
    assert!(text.contains("kernel"), "{text}");
    let text = refusal("architecture = \"swinir\"\nwidth = 8");
    assert!(text.contains("red-cnn") && text.contains("edsr"), "{text}");
    assert!(refusal("architecture = \"dncnn\"").contains("width"));
}

#[test]
fn a_key_of_another_architecture_is_refused() {
    let text = refusal("architecture = \"red-cnn\"\nwidth = 8\ndepth = 5\nnorm = \"batch\"");
    assert_eq!(
        text,
        "network key `norm` does not apply to architecture `red-cnn`\nhint: remove it; red-cnn takes `width`, `depth`"
    );
}

#[test]
fn a_missing_key_is_answered_with_an_example() {
    assert!(refusal("architecture = \"dncnn\"\nwidth = 8\nlayers = 5").contains("norm = \"batch\""));
    assert!(refusal("architecture = \"u-net\"\nwidth = 8\nnorm = \"none\"").contains("depth = 3"));
    assert!(refusal("architecture = \"edsr\"\nwidth = 8\nblocks = 2\nfactor = 2").contains("residual_scale = 1.0"));
}

#[test]
fn numbers_out_of_range_are_refused() {
    for keys in [
        "architecture = \"dncnn\"\nwidth = 0\nlayers = 5\nnorm = \"none\"",
        "architecture = \"dncnn\"\nwidth = 8\nlayers = 1\nnorm = \"none\"",
        "architecture = \"u-net\"\nwidth = 8\ndepth = 7\nnorm = \"none\"",
        "architecture = \"red-cnn\"\nwidth = 8\ndepth = 0",
        "architecture = \"edsr\"\nwidth = 8\nblocks = 1\nfactor = 3\nresidual_scale = 1.0",
        "architecture = \"edsr\"\nwidth = 8\nblocks = 1\nfactor = 2\nresidual_scale = nan",
    ] {
        assert!(refusal(keys).contains("expected"), "{keys}");
    }
    let spec = design(Architecture::RedCnn, 8, Norm::None, 2).spec(1).unwrap();
    let refused = spec.check_input([4097, 8]).unwrap_err();
    assert_eq!(refused, NetworkError::InputSize { height: 4097, width: 8, most: 4096 });
    assert!(spec.check_input([0, 8]).is_err());
    assert!(design(Architecture::RedCnn, 8, Norm::None, 2).spec(0).is_err());
}

#[test]
fn a_spec_reads_back_what_it_wrote_and_is_checked_when_read() {
    for spec in specs(2) {
        let text = toml::to_string(&spec).unwrap();
        assert_eq!(toml::from_str::<NetworkSpec>(&text).unwrap(), spec);
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<NetworkSpec>(&json).unwrap(), spec);
        let without = text.replace("channels = 2", "channels = 0");
        assert!(toml::from_str::<NetworkSpec>(&without).unwrap_err().to_string().contains("channels"));
    }
    let lines: Vec<String> = specs(1).iter().map(ToString::to_string).collect();
    assert_eq!(lines[0], "dncnn width 3 layers 3 norm batch");
    assert_eq!(lines[4], "u-net width 3 depth 2 norm batch");
    assert_eq!(lines[7], "edsr ×4 width 3 blocks 2 residual scale 0.5");
}
