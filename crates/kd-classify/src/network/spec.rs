//! What a recipe says about a network, and the checks that turn it into something that can be built.

use std::fmt;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::classifier::Classifier;
use super::error::NetworkError;
use super::mobile::{MobilePlan, PAPER_BLOCKS};
use super::resnet::ResNetPlan;
use super::vgg::VggPlan;
use super::walk::Walk;

/// Channels of the first stage in the papers' ResNet and VGG.
const PAPER_WIDTH: usize = 64;
const MOST_WIDTH: usize = 512;
const MOST_CHANNELS: usize = 1024;
const MOST_OUTPUTS: usize = 65_536;
const MOST_BLOCKS: usize = 64;
const MOST_MULTIPLIER: f64 = 4.0;
/// Largest side of an input; keeps every count far inside 64 bits.
const MOST_SIDE: usize = 4096;

/// A family of networks that a recipe can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Architecture {
    /// Basic blocks 2, 2, 2, 2.
    #[serde(rename = "resnet-18")]
    ResNet18,
    /// Basic blocks 3, 4, 6, 3.
    #[serde(rename = "resnet-34")]
    ResNet34,
    /// Bottlenecks 3, 4, 6, 3.
    #[serde(rename = "resnet-50")]
    ResNet50,
    /// Basic blocks, with a width and stages of one's own.
    #[serde(rename = "thin-resnet")]
    ThinResNet,
    /// 13 plain convolutions.
    #[serde(rename = "vgg-16")]
    Vgg16,
    /// The same with batch norm.
    #[serde(rename = "vgg-16-bn")]
    Vgg16Bn,
    /// Depthwise-separable convolutions.
    #[serde(rename = "mobile")]
    Mobile,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::ResNet18, Self::ResNet34, Self::ResNet50, Self::ThinResNet, Self::Vgg16, Self::Vgg16Bn, Self::Mobile];

    /// The name in a recipe.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ResNet18 => "resnet-18",
            Self::ResNet34 => "resnet-34",
            Self::ResNet50 => "resnet-50",
            Self::ThinResNet => "thin-resnet",
            Self::Vgg16 => "vgg-16",
            Self::Vgg16Bn => "vgg-16-bn",
            Self::Mobile => "mobile",
        }
    }

    fn takes(self) -> &'static str {
        match self {
            Self::ThinResNet => "`width` and `blocks`",
            Self::Mobile => "`multiplier` and `blocks`",
            _ => "`width`",
        }
    }

    fn fixed_blocks(self) -> Option<&'static [usize]> {
        match self {
            Self::ResNet18 => Some(&[2, 2, 2, 2]),
            Self::ResNet34 | Self::ResNet50 => Some(&[3, 4, 6, 3]),
            _ => None,
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a network begins, and so how early it gives up resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// Full resolution at first: for images of about 28 to 64 pixels.
    Small,
    /// The published layout for 224-pixel images, the one that published weights fit.
    ImageNet,
}

impl fmt::Display for Stem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Small => "small",
            Self::ImageNet => "imagenet",
        })
    }
}

/// A network as a recipe's table gives it, before the data says how many channels and outputs there are.
///
/// # Policy
/// The stem has no default, because it changes every number. Unknown keys, and keys that the architecture does not
/// have, are errors.
///
/// # Example
/// ```
/// use kd_classify::{NetworkDesign, cost};
/// let design: NetworkDesign = toml::from_str(
///     r#"
///     architecture = "thin-resnet"
///     stem = "small"
///     width = 8
///     blocks = [1, 1, 1]
///     "#,
/// )?;
/// let spec = design.spec(1, 2)?;
/// assert_eq!(spec.to_string(), "thin-resnet/small width 8 blocks 1-1-1");
/// assert_eq!(cost(&spec, [28, 28])?.parameters, 19_546);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkDesign {
    /// The family.
    pub architecture: Architecture,
    /// How it begins.
    pub stem: Stem,
    /// Channels of the first stage; the published 64 where a ResNet or VGG leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// Factor on all channel counts of a mobile network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiplier: Option<f64>,
    /// Blocks of each stage; a mobile network without it has the paper's 1, 2, 2, 6, 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<Vec<usize>>,
}

impl NetworkDesign {
    /// A design with only the two keys that every architecture has.
    #[must_use]
    pub fn new(architecture: Architecture, stem: Stem) -> Self {
        Self { architecture, stem, width: None, multiplier: None, blocks: None }
    }

    /// Checks that the keys fit the architecture.
    ///
    /// # Errors
    /// [`NetworkError::KeyNotTaken`], [`NetworkError::KeyMissing`], [`NetworkError::OutOfRange`].
    pub fn check(&self) -> Result<(), NetworkError> {
        use Architecture::{Mobile, ThinResNet};
        let architecture = self.architecture;
        let check_key = |key, given: bool, taken: bool, needed: Option<&'static str>| match (given, taken, needed) {
            (true, false, _) => {
                Err(NetworkError::KeyNotTaken { key, architecture: architecture.name(), takes: architecture.takes() })
            }
            (false, true, Some(example)) => {
                Err(NetworkError::KeyMissing { key, architecture: architecture.name(), example })
            }
            _ => Ok(()),
        };
        let thin = architecture == ThinResNet;
        let mobile = architecture == Mobile;
        check_key("width", self.width.is_some(), !mobile, thin.then_some("width = 16"))?;
        check_key("multiplier", self.multiplier.is_some(), mobile, mobile.then_some("multiplier = 0.25"))?;
        check_key("blocks", self.blocks.is_some(), thin || mobile, thin.then_some("blocks = [1, 1, 1]"))?;

        let out_of_range = |key, expected, found: &dyn fmt::Debug| NetworkError::OutOfRange {
            key,
            expected,
            found: format!("{found:?}"),
        };
        if let Some(width) = self.width
            && !(1..=MOST_WIDTH).contains(&width)
        {
            return Err(out_of_range("width", "1 to 512", &width));
        }
        if let Some(multiplier) = self.multiplier
            && !(multiplier > 0.0 && multiplier <= MOST_MULTIPLIER)
        {
            return Err(out_of_range("multiplier", "above 0 and at most 4", &multiplier));
        }
        if let Some(blocks) = &self.blocks {
            let most_stages = if mobile { PAPER_BLOCKS.len() } else { 4 };
            if blocks.is_empty()
                || blocks.len() > most_stages
                || blocks.iter().any(|blocks| !(1..=MOST_BLOCKS).contains(blocks))
            {
                let expected =
                    if mobile { "1 to 5 stages of 1 to 64 blocks" } else { "1 to 4 stages of 1 to 64 blocks" };
                return Err(out_of_range("blocks", expected, blocks));
            }
        }
        Ok(())
    }

    /// The design for images of `in_channels` channels and a head of `outputs` logits.
    ///
    /// # Errors
    /// Those of [`check`](Self::check); [`NetworkError::OutOfRange`] for no or far too many channels or outputs.
    pub fn spec(self, in_channels: usize, outputs: usize) -> Result<NetworkSpec, NetworkError> {
        self.check()?;
        let range = |key, expected, found: usize, most| {
            (1..=most).contains(&found).then_some(()).ok_or(NetworkError::OutOfRange {
                key,
                expected,
                found: found.to_string(),
            })
        };
        range("in_channels", "1 to 1024", in_channels, MOST_CHANNELS)?;
        range("outputs", "1 to 65536", outputs, MOST_OUTPUTS)?;
        Ok(NetworkSpec { design: self, in_channels, outputs })
    }
}

/// A checked network: a design, the channels that go in and the logits that come out.
///
/// Serializes as one flat table, the keys of [`NetworkDesign`] with `in_channels` and `outputs`, and is checked again
/// when it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SpecTable", into = "SpecTable")]
pub struct NetworkSpec {
    design: NetworkDesign,
    in_channels: usize,
    outputs: usize,
}

impl NetworkSpec {
    /// The design.
    #[must_use]
    pub fn design(&self) -> &NetworkDesign {
        &self.design
    }

    /// Channels of an image.
    #[must_use]
    pub fn in_channels(&self) -> usize {
        self.in_channels
    }

    /// Logits per image.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Builds the network with Burn's own random initialization, which a seeded one is meant to replace.
    #[must_use]
    pub fn init(&self, device: &Device) -> Classifier {
        match self.plan() {
            Plan::ResNet(plan) => Classifier::ResNet(plan.init(device)),
            Plan::Vgg(plan) => Classifier::Vgg(plan.init(device)),
            Plan::Mobile(plan) => Classifier::Mobile(plan.init(device)),
        }
    }

    /// Checks that every layer has an output for images of `[height, width]` pixels.
    ///
    /// # Errors
    /// [`NetworkError::InputTooSmall`], [`NetworkError::InputTooLarge`].
    pub fn check_input(&self, size: [usize; 2]) -> Result<(), NetworkError> {
        self.walk(size).map(|_| ())
    }

    pub(crate) fn walk(&self, size: [usize; 2]) -> Result<Walk, NetworkError> {
        let [height, width] = size;
        if size.iter().any(|&side| side > MOST_SIDE) {
            return Err(NetworkError::InputTooLarge { height, width, most: MOST_SIDE });
        }
        let plan = self.plan();
        let walk_from = |size| {
            let mut walk = Walk::new(self.in_channels, size);
            match &plan {
                Plan::ResNet(plan) => plan.walk(&mut walk),
                Plan::Vgg(plan) => plan.walk(&mut walk),
                Plan::Mobile(plan) => plan.walk(&mut walk),
            }
            walk
        };
        let walk = walk_from(size);
        if walk.ran_out {
            let least = (1..=MOST_SIDE).find(|&side| !walk_from([side; 2]).ran_out).unwrap_or(MOST_SIDE);
            return Err(NetworkError::InputTooSmall { network: self.to_string(), height, width, least });
        }
        Ok(walk)
    }

    fn plan(&self) -> Plan {
        let NetworkDesign { architecture, stem, width, multiplier, ref blocks } = self.design;
        let (in_channels, outputs) = (self.in_channels, self.outputs);
        let width = width.unwrap_or(PAPER_WIDTH);
        match architecture {
            Architecture::ResNet18 | Architecture::ResNet34 | Architecture::ResNet50 | Architecture::ThinResNet => {
                let blocks = architecture.fixed_blocks().map(<[usize]>::to_vec).or_else(|| blocks.clone());
                let bottleneck = architecture == Architecture::ResNet50;
                let blocks = blocks.unwrap_or_default();
                Plan::ResNet(ResNetPlan { stem, in_channels, width, blocks, bottleneck, outputs })
            }
            Architecture::Vgg16 | Architecture::Vgg16Bn => {
                let batch_norm = architecture == Architecture::Vgg16Bn;
                Plan::Vgg(VggPlan { stem, in_channels, width, batch_norm, outputs })
            }
            Architecture::Mobile => {
                let multiplier = multiplier.unwrap_or(1.0);
                let blocks = blocks.clone().unwrap_or_else(|| PAPER_BLOCKS.to_vec());
                Plan::Mobile(MobilePlan { stem, in_channels, multiplier, blocks, outputs })
            }
        }
    }
}

/// The network in one short line, for reports and errors.
impl fmt::Display for NetworkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NetworkDesign { architecture, stem, width, multiplier, blocks } = &self.design;
        write!(f, "{architecture}/{stem}")?;
        if let Some(width) = width {
            write!(f, " width {width}")?;
        }
        if let Some(multiplier) = multiplier {
            write!(f, " multiplier {multiplier}")?;
        }
        if let Some(blocks) = blocks {
            let blocks: Vec<String> = blocks.iter().map(ToString::to_string).collect();
            write!(f, " blocks {}", blocks.join("-"))?;
        }
        Ok(())
    }
}

enum Plan {
    ResNet(ResNetPlan),
    Vgg(VggPlan),
    Mobile(MobilePlan),
}

/// The flat form of a spec. Not `flatten`, which would let unknown keys through.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpecTable {
    architecture: Architecture,
    stem: Stem,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    width: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    multiplier: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blocks: Option<Vec<usize>>,
    in_channels: usize,
    outputs: usize,
}

impl TryFrom<SpecTable> for NetworkSpec {
    type Error = NetworkError;

    fn try_from(table: SpecTable) -> Result<Self, NetworkError> {
        let SpecTable { architecture, stem, width, multiplier, blocks, in_channels, outputs } = table;
        NetworkDesign { architecture, stem, width, multiplier, blocks }.spec(in_channels, outputs)
    }
}

impl From<NetworkSpec> for SpecTable {
    fn from(spec: NetworkSpec) -> Self {
        let NetworkSpec { design, in_channels, outputs } = spec;
        let NetworkDesign { architecture, stem, width, multiplier, blocks } = design;
        Self { architecture, stem, width, multiplier, blocks, in_channels, outputs }
    }
}
