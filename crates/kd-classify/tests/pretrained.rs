//! Weights that do not fit are refused by name; what may differ, differs only when asked for.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use kd_classify::{
    Architecture, Classifier, HeadPolicy, NamedTensors, NetworkDesign, NetworkSpec, PretrainedError, Stem,
    StemChannels, load_pretrained, torchvision_name,
};

#[derive(Default)]
struct Reader {
    path: Vec<String>,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let data = param.val().into_data();
        let shape = param.val().dims().to_vec();
        self.tensors.insert(self.path.join("."), (shape, data.try_into_vec().unwrap()));
    }
}

/// A network's values by path in the module.
fn values(network: &Classifier) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let mut reader = Reader::default();
    network.visit(&mut reader);
    reader.tensors
}

fn thin(in_channels: usize, outputs: usize) -> NetworkSpec {
    let mut design = NetworkDesign::new(Architecture::ThinResNet, Stem::Small);
    design.width = Some(4);
    design.blocks = Some(vec![1, 1]);
    design.spec(in_channels, outputs).unwrap()
}

/// A file as PyTorch would save this network: its names, linear weights as `[out, in]`, batch counters.
fn file(spec: &NetworkSpec) -> NamedTensors {
    let mut weights: NamedTensors = values(&spec.init(&Device::flex()))
        .into_iter()
        .map(|(path, (mut shape, values))| {
            let name = torchvision_name(spec, &path).unwrap();
            if let [rows, columns] = *shape.as_slice() {
                shape.reverse();
                let at = |index: usize| values[(index % rows) * columns + index / rows];
                return (name, (shape, (0..values.len()).map(at).collect()));
            }
            (name, (shape, values))
        })
        .collect();
    weights.insert("bn1.num_batches_tracked".into(), (vec![], vec![7.0]));
    weights
}

fn load(
    spec: &NetworkSpec,
    weights: &NamedTensors,
    head: HeadPolicy,
    stem: StemChannels,
) -> Result<Classifier, String> {
    load_pretrained(spec, spec.init(&Device::flex()), weights, head, stem).map_err(|error| error.to_string())
}

#[test]
fn a_file_of_the_same_network_sets_every_value() {
    let spec = thin(1, 3);
    let weights = file(&spec);
    let network = load(&spec, &weights, HeadPolicy::Require, StemChannels::Require).unwrap();
    for (path, (_, values)) in values(&network) {
        let (shape, expected) = &weights[&torchvision_name(&spec, &path).unwrap()];
        if shape.len() == 2 {
            // `[in, out]` here and `[out, in]` there: the second value is the first row's second, not the first
            // column's.
            assert_eq!(values[1].to_bits(), expected[shape[1]].to_bits(), "{path}");
        } else {
            assert_eq!(&values, expected, "{path}");
        }
    }
}

#[test]
fn missing_and_unexpected_names_are_listed_with_shapes() {
    let spec = thin(1, 3);
    let mut weights = file(&spec);
    let moved = weights.remove("layer2.0.downsample.1.running_mean").unwrap();
    weights.insert("layer2.0.shortcut.1.running_mean".into(), moved);
    let error = load(&spec, &weights, HeadPolicy::Require, StemChannels::Require).unwrap_err();
    assert!(error.contains("1 missing: layer2.0.downsample.1.running_mean [8]"), "{error}");
    assert!(error.contains("1 not in this network: layer2.0.shortcut.1.running_mean [8]"), "{error}");
    assert!(error.contains("\nhint: check architecture"), "{error}");
}

#[test]
fn only_the_first_few_names_are_listed() {
    let error = load(&thin(1, 3), &NamedTensors::new(), HeadPolicy::Require, StemChannels::Require).unwrap_err();
    let listed = "32 missing: bn1.bias [4], bn1.weight [4], bn1.running_mean [4], bn1.running_var [4], …\nhint:";
    assert!(error.contains(listed), "{error}");
}

#[test]
fn a_head_for_other_classes_is_refused_unless_it_is_to_be_replaced() {
    let weights = file(&thin(1, 1000));
    let spec = thin(1, 3);
    let error = load(&spec, &weights, HeadPolicy::Require, StemChannels::Require).unwrap_err();
    assert!(error.contains("fc.weight [1000, 8] where [3, 8] is expected"), "{error}");
    assert!(error.contains("hint: the file was trained for other classes"), "{error}");

    let fresh = spec.init(&Device::flex());
    let before = values(&fresh);
    let network = load_pretrained(&spec, fresh, &weights, HeadPolicy::Replace, StemChannels::Require).unwrap();
    let after = values(&network);
    assert_eq!(after["ResNet.fc.weight"], before["ResNet.fc.weight"]);
    assert_eq!(after["ResNet.layer2.0.conv1.weight"].1, weights["layer2.0.conv1.weight"].1);
}

#[test]
fn a_replaced_head_does_not_excuse_the_rest() {
    let mut weights = file(&thin(1, 3));
    weights.remove("layer1.0.bn2.bias");
    let error = load(&thin(1, 3), &weights, HeadPolicy::Replace, StemChannels::Require).unwrap_err();
    assert!(error.contains("layer1.0.bn2.bias [4]"), "{error}");
}

#[test]
fn a_color_stem_is_refused_unless_it_is_to_be_summed() {
    let weights = file(&thin(3, 2));
    let spec = thin(1, 2);
    let error = load(&spec, &weights, HeadPolicy::Require, StemChannels::Require).unwrap_err();
    assert!(error.contains("conv1.weight [4, 3, 3, 3] where [4, 1, 3, 3] is expected"), "{error}");
    assert!(error.contains("summed to gray"), "{error}");
    // The policy is for gray networks only.
    assert!(load(&thin(2, 2), &weights, HeadPolicy::Require, StemChannels::SumToGray).is_err());
}

#[test]
fn a_summed_stem_answers_gray_as_the_color_network_answers_it_repeated() {
    let device = Device::flex();
    let weights = file(&thin(3, 2));
    let color = load(&thin(3, 2), &weights, HeadPolicy::Require, StemChannels::Require).unwrap();
    let gray = load(&thin(1, 2), &weights, HeadPolicy::Require, StemChannels::SumToGray).unwrap();
    let pixels: Vec<f32> = (0..2 * 12 * 10).map(|index| ((index * 37 % 101) as f32) / 50.0 - 1.0).collect();
    let images = Tensor::<4>::from_data(TensorData::new(pixels, [2, 1, 12, 10]), &device);
    let from_color = color.forward(images.clone().repeat_dim(1, 3));
    let difference = (gray.forward(images) - from_color).abs().max().into_scalar::<f32>();
    // The sum over channels is taken before instead of after the multiplication, in f32.
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn values_that_are_no_numbers_are_refused() {
    let spec = thin(1, 2);
    for (name, value, expected) in [
        ("conv1.weight", f32::NAN, "`conv1.weight` hold NaN at position 1"),
        ("bn1.running_mean", f32::INFINITY, "`bn1.running_mean` hold inf at position 1"),
        ("bn1.running_var", -0.5, "`bn1.running_var` hold -0.5 at position 1, expected a finite number from 0 on"),
    ] {
        let mut weights = file(&spec);
        weights.get_mut(name).unwrap().1[1] = value;
        let error = load(&spec, &weights, HeadPolicy::Require, StemChannels::Require).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn an_array_shorter_than_its_shape_is_refused() {
    let spec = thin(1, 2);
    let mut weights = file(&spec);
    weights.get_mut("conv1.weight").unwrap().1.pop();
    let refused =
        load_pretrained(&spec, spec.init(&Device::flex()), &weights, HeadPolicy::Require, StemChannels::Require);
    assert_eq!(
        refused.err(),
        Some(PretrainedError::ValueCount { name: "conv1.weight".into(), shape: vec![4, 1, 3, 3], found: 35 })
    );
}

#[test]
fn a_network_of_another_spec_is_refused() {
    let mobile = toml::from_str::<NetworkDesign>("architecture = \"mobile\"\nstem = \"small\"\nmultiplier = 0.1")
        .unwrap()
        .spec(1, 2)
        .unwrap();
    let spec = thin(1, 2);
    let refused =
        load_pretrained(&spec, mobile.init(&Device::flex()), &file(&spec), HeadPolicy::Require, StemChannels::Require);
    assert!(matches!(refused, Err(PretrainedError::OtherNetwork { .. })));
}

#[test]
fn a_small_vgg_takes_published_features_and_leaves_the_published_head() {
    let design = |stem| {
        let mut design = NetworkDesign::new(Architecture::Vgg16Bn, stem);
        design.width = Some(1);
        design
    };
    let published = file(&design(Stem::ImageNet).spec(3, 10).unwrap());
    assert!(published.contains_key("classifier.0.weight"));
    let spec = design(Stem::Small).spec(3, 2).unwrap();
    assert!(load(&spec, &published, HeadPolicy::Require, StemChannels::Require).is_err());
    let network = load(&spec, &published, HeadPolicy::Replace, StemChannels::Require).unwrap();
    assert_eq!(values(&network)["Vgg.features.12.bn.gamma"].1, published["features.41.weight"].1);
}
