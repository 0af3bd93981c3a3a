//! U-Nets of every design: shapes, counts, gradients.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use kd_core::{Network, State, initialize};
use kd_segment::{Block, NetworkDesign, Norm};

const BLOCKS: [Block; 3] = [Block::Plain, Block::Residual, Block::Depthwise];
const NORMS: [Norm; 2] = [Norm::Batch, Norm::Instance];

fn designs() -> impl Iterator<Item = NetworkDesign> {
    BLOCKS.into_iter().flat_map(|block| NORMS.map(|norm| NetworkDesign::new(4, 2, block, norm)))
}

#[test]
fn the_cost_counts_what_the_network_holds() {
    let device = Device::flex();
    for design in designs() {
        let flat = design.clone().spec::<2>(2, 3).unwrap();
        let deep = design.spec::<3>(1, 1).unwrap();
        let (of_flat, of_deep) = (flat.cost([8, 12]).unwrap(), deep.cost([4, 8, 4]).unwrap());
        let network = flat.init(&device);
        assert_eq!(network.num_params() as u64, of_flat.parameters + of_flat.statistics, "{flat}");
        let network = deep.init(&device);
        assert_eq!(network.num_params() as u64, of_deep.parameters + of_deep.statistics, "{deep}");
    }
}

#[test]
fn twice_the_points_take_twice_the_work() {
    let spec = NetworkDesign::new(8, 3, Block::Plain, Norm::Batch).spec::<2>(1, 2).unwrap();
    let work = |size| spec.cost(size).unwrap().multiply_adds;
    assert_eq!(work([32, 64]), 2 * work([32, 32]));
}

#[test]
fn answers_have_the_size_of_the_image() {
    let device = Device::flex();
    for design in designs() {
        let network = initialize(design.clone().spec::<2>(2, 3).unwrap().init(&device), 1);
        assert_eq!(network.forward(Tensor::ones([2, 2, 8, 12], &device)).dims(), [2, 3, 8, 12]);
        let network = initialize(design.spec::<3>(1, 1).unwrap().init(&device), 1);
        assert_eq!(network.forward(Tensor::ones([2, 1, 4, 8, 12], &device)).dims(), [2, 1, 4, 8, 12]);
    }
}

#[test]
fn every_parameter_learns() {
    let device = Device::flex().autodiff();
    for design in designs() {
        let network = initialize(design.clone().spec::<2>(1, 2).unwrap().init(&device), 2).train();
        let before = State::of(&network);
        let input = Tensor::<4>::from_data(
            burn::tensor::TensorData::new(
                (0..2 * 64).map(|n| ((n * 37) % 23) as f32 / 11.0 - 1.0).collect(),
                [2, 1, 8, 8],
            ),
            &device.clone().inner(),
        );
        let answer = network.forward(Tensor::from_inner(input));
        // Not the same in every place, else batch norms would take all of it.
        let weights = answer.clone().inner().sin();
        let gradients = (answer * Tensor::from_inner(weights)).sum().backward();
        let gradients = burn::optim::GradientsParams::from_grads(gradients, &network);
        let trained = before.tensors().keys().filter(|name| !name.contains("running")).count();
        assert_eq!(gradients.len(), trained, "{design:?}");
    }
}

#[test]
fn a_size_that_cannot_be_halved_is_refused_with_one_that_can() {
    let spec = NetworkDesign::new(8, 3, Block::Plain, Norm::Batch).spec::<3>(1, 2).unwrap();
    let refused = spec.check_input([16, 20, 16]).unwrap_err().to_string();
    assert_eq!(
        refused,
        "axis 1 has 20 points, expected a multiple of 8 for a U-Net of depth 3\nhint: pad to 24, or choose a smaller depth"
    );
    assert!(NetworkDesign::new(0, 3, Block::Plain, Norm::Batch).spec::<2>(1, 2).is_err());
}

#[test]
fn a_design_reads_back_from_a_recipe() {
    let text = "architecture = 'u-net'\nwidth = 16\ndepth = 3\nblock = 'plain'\nnorm = 'batch'";
    let design: NetworkDesign = toml::from_str(text).unwrap();
    assert_eq!(design, NetworkDesign::new(16, 3, Block::Plain, Norm::Batch));
    assert!(toml::from_str::<NetworkDesign>(&format!("{text}\nwidht = 3")).is_err());
    assert!(toml::from_str::<NetworkDesign>(&text.replace("u-net", "unet")).is_err());
}
