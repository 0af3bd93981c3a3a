//! Trained weights under PyTorch's names, put into a network of this crate.
//!
//! All or nothing: a name without a place, a place without a name, a wrong shape or a value that is no number is an
//! error, because a network with one layer left random still trains, and only scores worse.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use crate::network::{Architecture, Classifier, NetworkSpec, Stem, torchvision_index};

/// Arrays by name, each with its shape and its values, last axis fastest: what a weights file holds.
pub type NamedTensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// How many names an error lists before it only counts.
const NAMES_SHOWN: usize = 4;

/// What happens to the output layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadPolicy {
    /// It comes from the file, and has to fit.
    Require,
    /// It stays as initialized, and the file's is left out: for another set of classes.
    Replace,
}

/// What happens when the file's first convolution has other channels than the network's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StemChannels {
    /// It is an error.
    Require,
    /// Weights of several channels are summed into one, which answers a gray image as the file's network answers
    /// that image repeated in every channel. Needs a network of one channel.
    SumToGray,
}

/// Why weights were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PretrainedError {
    /// Names or shapes of the file and of the network differ.
    #[error(
        "weights do not fit {network}{}{}{}\nhint: {hint}",
        Listed("missing", missing),
        Listed("with another shape", reshaped),
        Listed("not in this network", unexpected)
    )]
    Mismatch {
        /// The network as its spec displays itself.
        network: String,
        /// Names that the network needs and the file lacks, with shapes.
        missing: Vec<String>,
        /// Names whose shape differs, with both shapes.
        reshaped: Vec<String>,
        /// Names that the file has and the network lacks, with shapes.
        unexpected: Vec<String>,
        /// What may help.
        hint: &'static str,
    },
    /// An array does not hold as many values as its shape says.
    #[error("weights `{name}` of shape {shape:?} hold {found} values")]
    ValueCount {
        /// Its name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Values found.
        found: usize,
    },
    /// A value is NaN or infinite, or a running variance is negative.
    #[error("weights `{name}` hold {found} at position {position}, expected {expected}")]
    Value {
        /// Its name.
        name: String,
        /// Where.
        position: usize,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// The network is not the spec's.
    #[error("the network to fill is not {network}, its parameter `{path}` has no place there")]
    OtherNetwork {
        /// The network as its spec displays itself.
        network: String,
        /// A parameter's path in the module.
        path: String,
    },
}

/// One heading of a mismatch, with its first few names.
struct Listed<'a>(&'a str, &'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(what, names) = self;
        if names.is_empty() {
            return Ok(());
        }
        write!(f, "; {} {what}: {}", names.len(), names[..names.len().min(NAMES_SHOWN)].join(", "))?;
        if names.len() > NAMES_SHOWN { f.write_str(", …") } else { Ok(()) }
    }
}

/// The name that PyTorch's state dict has for a parameter or running statistic of this crate's module.
///
/// ResNet and VGG have torchvision's names; a mobile network, which torchvision lacks, has its own paths with
/// PyTorch's leaf names. `None` for a path that the network does not have.
///
/// # Policy
/// The output layer of a VGG with the small stem is `classifier` itself; torchvision has no such head.
///
/// # Example
/// ```
/// use kd_classify::{Architecture, NetworkDesign, Stem, torchvision_name};
/// let vgg = NetworkDesign::new(Architecture::Vgg16Bn, Stem::ImageNet).spec(3, 1000)?;
/// assert_eq!(torchvision_name(&vgg, "Vgg.features.2.bn.gamma").as_deref(), Some("features.8.weight"));
/// assert_eq!(torchvision_name(&vgg, "Vgg.classifier.hidden.1.bias").as_deref(), Some("classifier.3.bias"));
/// # Ok::<(), kd_classify::NetworkError>(())
/// ```
#[must_use]
pub fn torchvision_name(spec: &NetworkSpec, path: &str) -> Option<String> {
    let (variant, path) = path.split_once('.')?;
    let (layer, leaf) = path.rsplit_once('.')?;
    let leaf = match leaf {
        "gamma" => "weight",
        "beta" => "bias",
        "weight" | "bias" | "running_mean" | "running_var" => leaf,
        _ => return None,
    };
    let design = spec.design();
    let layer = match (design.architecture, variant) {
        (
            Architecture::ResNet18 | Architecture::ResNet34 | Architecture::ResNet50 | Architecture::ThinResNet,
            "ResNet",
        ) => layer.replace("downsample.conv", "downsample.0").replace("downsample.bn", "downsample.1"),
        (Architecture::Vgg16 | Architecture::Vgg16Bn, "Vgg") => vgg_layer(spec, layer)?,
        (Architecture::Mobile, "Mobile") => layer.to_owned(),
        _ => return None,
    };
    Some(format!("{layer}.{leaf}"))
}

fn vgg_layer(spec: &NetworkSpec, layer: &str) -> Option<String> {
    if let Some(rest) = layer.strip_prefix("features.") {
        let (unit, part) = rest.split_once('.')?;
        let first = torchvision_index(unit.parse().ok()?, spec.design().architecture == Architecture::Vgg16Bn)?;
        return match part {
            "conv" => Some(format!("features.{first}")),
            "bn" => Some(format!("features.{}", first + 1)),
            _ => None,
        };
    }
    match (layer, spec.design().stem) {
        // A ReLU and a dropout stand between the linear layers.
        ("classifier.hidden.0", Stem::ImageNet) => Some("classifier.0".into()),
        ("classifier.hidden.1", Stem::ImageNet) => Some("classifier.3".into()),
        ("classifier.output", Stem::ImageNet) => Some("classifier.6".into()),
        ("classifier.output", Stem::Small) => Some("classifier".into()),
        _ => None,
    }
}

/// What PyTorch's names of the output layer begin with. A VGG with the small stem replaces the whole published head.
fn head_prefix(spec: &NetworkSpec) -> &'static str {
    match (spec.design().architecture, spec.design().stem) {
        (Architecture::Vgg16 | Architecture::Vgg16Bn, Stem::Small) => "classifier.",
        (Architecture::Vgg16 | Architecture::Vgg16Bn, Stem::ImageNet) => "classifier.6.",
        _ => "fc.",
    }
}

/// PyTorch's name of the first convolution's weight.
fn stem_name(spec: &NetworkSpec) -> &'static str {
    match spec.design().architecture {
        Architecture::Vgg16 | Architecture::Vgg16Bn => "features.0.weight",
        Architecture::Mobile => "stem.conv.weight",
        _ => "conv1.weight",
    }
}

/// Puts trained weights under PyTorch's names into a network that `spec` has built.
///
/// Linear weights are transposed from `[out, in]`. Counters of seen batches (`num_batches_tracked`) are passed over.
///
/// # Policy
/// `head` and `stem` say what may differ; everything else has to be there with the right shape. The network is filled
/// in place: clones of it made before share its running statistics, as Burn's modules do.
///
/// # Errors
/// [`PretrainedError::Mismatch`] with the first few names and shapes, [`PretrainedError::ValueCount`],
/// [`PretrainedError::Value`], and [`PretrainedError::OtherNetwork`] when `classifier` is not `spec`'s.
pub fn load_pretrained(
    spec: &NetworkSpec,
    classifier: Classifier,
    weights: &NamedTensors,
    head: HeadPolicy,
    stem: StemChannels,
) -> Result<Classifier, PretrainedError> {
    check_values(weights)?;
    let mut places = Places::default();
    classifier.visit(&mut places);

    let mut filled = BTreeMap::new();
    let mut used = BTreeSet::new();
    let (mut missing, mut reshaped) = (Vec::new(), Vec::new());
    for (path, place) in places.shapes {
        let Some(name) = torchvision_name(spec, &path) else {
            return Err(PretrainedError::OtherNetwork { network: spec.to_string(), path });
        };
        if head == HeadPolicy::Replace && name.starts_with(head_prefix(spec)) {
            continue;
        }
        // Every rank-2 parameter is a linear weight, and Burn keeps those as `[in, out]`.
        let linear = place.len() == 2;
        let expected: Vec<usize> = if linear { place.iter().rev().copied().collect() } else { place };
        match weights.get(&name) {
            None => missing.push(format!("{name} {expected:?}")),
            Some((shape, values)) if *shape == expected => {
                let values = if linear { transposed(values, [shape[0], shape[1]]) } else { values.clone() };
                filled.insert(path, values);
            }
            Some((shape, values)) => match gray_stem(spec, stem, &name, shape, &expected, values) {
                Some(summed) => {
                    filled.insert(path, summed);
                }
                None => reshaped.push(format!("{name} {shape:?} where {expected:?} is expected")),
            },
        }
        used.insert(name);
    }
    let head_is_left = |name: &str| head == HeadPolicy::Replace && name.starts_with(head_prefix(spec));
    let unexpected: Vec<String> = weights
        .iter()
        .filter(|(name, _)| {
            !used.contains(*name) && !name.ends_with(".num_batches_tracked") && !head_is_left(name.as_str())
        })
        .map(|(name, (shape, _))| format!("{name} {shape:?}"))
        .collect();
    if !(missing.is_empty() && reshaped.is_empty() && unexpected.is_empty()) {
        let hint = hint(spec, &missing, &reshaped);
        return Err(PretrainedError::Mismatch { network: spec.to_string(), missing, reshaped, unexpected, hint });
    }
    Ok(classifier.map(&mut Filler { path: Vec::new(), values: filled }))
}

fn hint(spec: &NetworkSpec, missing: &[String], reshaped: &[String]) -> &'static str {
    let only = |prefix: &str| missing.is_empty() && reshaped.iter().all(|name| name.starts_with(prefix));
    if only(head_prefix(spec)) && !reshaped.is_empty() {
        "the file was trained for other classes; ask for a new head, or set the classes to the file's"
    } else if only(stem_name(spec)) && !reshaped.is_empty() {
        "the first layer differs: check the stem and the image channels; several channels can be summed to gray"
    } else {
        "check architecture, stem, width and blocks against the network that the file comes from"
    }
}

fn check_values(weights: &NamedTensors) -> Result<(), PretrainedError> {
    for (name, (shape, values)) in weights {
        let count = shape.iter().try_fold(1_usize, |count, &axis| count.checked_mul(axis));
        if count != Some(values.len()) {
            return Err(PretrainedError::ValueCount { name: name.clone(), shape: shape.clone(), found: values.len() });
        }
        let variance = name.ends_with("running_var");
        let refused = |value: &f32| !value.is_finite() || (variance && *value < 0.0);
        if let Some(position) = values.iter().position(refused) {
            let expected = if variance { "a finite number from 0 on" } else { "a finite number" };
            let found = values[position].to_string();
            return Err(PretrainedError::Value { name: name.clone(), position, found, expected });
        }
    }
    Ok(())
}

fn transposed(values: &[f32], [rows, columns]: [usize; 2]) -> Vec<f32> {
    let mut out = Vec::with_capacity(values.len());
    for column in 0..columns {
        out.extend((0..rows).map(|row| values[row * columns + column]));
    }
    out
}

/// The first convolution's weights summed over their input channels, where policy and shapes allow it.
fn gray_stem(
    spec: &NetworkSpec,
    policy: StemChannels,
    name: &str,
    shape: &[usize],
    expected: &[usize],
    values: &[f32],
) -> Option<Vec<f32>> {
    let (&[out, channels, rows, columns], &[expected_out, 1, expected_rows, expected_columns]) = (shape, expected)
    else {
        return None;
    };
    let fits = [out, rows, columns] == [expected_out, expected_rows, expected_columns];
    if policy != StemChannels::SumToGray || name != stem_name(spec) || !fits || channels == 0 {
        return None;
    }
    let points = rows * columns;
    let sum = |index: usize| {
        let (kernel, point) = (index / points, index % points);
        (0..channels).map(|channel| values[(kernel * channels + channel) * points + point]).sum()
    };
    Some((0..out * points).map(sum).collect())
}

/// Shapes of all parameters and statistics by path, without drawing those that are still lazy.
#[derive(Default)]
struct Places {
    path: Vec<String>,
    shapes: BTreeMap<String, Vec<usize>>,
}

impl ModuleVisitor for Places {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.shapes.insert(self.path.join("."), param.lazy_shape().to_vec());
    }
}

/// Sets the values it has; what it has none for stays.
struct Filler {
    path: Vec<String>,
    values: BTreeMap<String, Vec<f32>>,
}

impl ModuleMapper for Filler {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(values) = self.values.remove(&self.path.join(".")) else { return param };
        let (id, shape, device) = (param.id, param.lazy_shape(), param.lazy_device());
        param.transform_for_load(Tensor::from_data(TensorData::new(values, shape), &device), id)
    }
}
