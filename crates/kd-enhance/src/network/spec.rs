//! What a recipe says about a network, and the checks that turn it into something that can be built.

use std::fmt;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::dncnn::DnCnnPlan;
use super::edsr::EdsrPlan;
use super::error::NetworkError;
use super::red_cnn::RedCnnPlan;
use super::restorer::Restorer;
use super::unet::UNetPlan;
use super::walk::Walk;

const MOST_WIDTH: usize = 512;
const MOST_CHANNELS: usize = 64;
/// Longest side of an input; keeps every count far inside 64 bits.
const MOST_SIDE: usize = 4096;

/// A family of networks that a recipe can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Architecture {
    /// Plain 3×3 convolutions.
    #[serde(rename = "dncnn")]
    DnCnn,
    /// 5×5 convolutions, encoder and decoder.
    #[serde(rename = "red-cnn")]
    RedCnn,
    /// Pooling and upsampling with shortcuts.
    #[serde(rename = "u-net")]
    UNet,
    /// Super-resolution by residual blocks and pixel shuffle.
    #[serde(rename = "edsr")]
    Edsr,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::DnCnn, Self::RedCnn, Self::UNet, Self::Edsr];

    /// The name in a recipe.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DnCnn => "dncnn",
            Self::RedCnn => "red-cnn",
            Self::UNet => "u-net",
            Self::Edsr => "edsr",
        }
    }

    /// Its keys, all of which must be given.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::DnCnn => &["width", "layers", "norm"],
            Self::RedCnn => &["width", "depth"],
            Self::UNet => &["width", "depth", "norm"],
            Self::Edsr => &["width", "blocks", "factor", "residual_scale"],
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What follows the inner convolutions of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// Batch norm.
    Batch,
    /// Nothing: the scale of an intensity reaches the answer as it is.
    None,
}

impl fmt::Display for Norm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Batch => "batch",
            Self::None => "none",
        })
    }
}

/// A network as a recipe's table gives it, before the data says how many channels there are.
///
/// # Policy
/// Nothing has a default, because everything changes every number. Unknown keys, and keys that the architecture does not
/// have, are errors.
///
/// # Example
/// ```
/// use kd_enhance::{NetworkDesign, cost};
/// let design: NetworkDesign = toml::from_str(
///     r#"
///     architecture = "red-cnn"
///     width = 8
///     depth = 3
///     "#,
/// )?;
/// let spec = design.spec(1)?;
/// assert_eq!(spec.to_string(), "red-cnn width 8 depth 3");
/// // 200 + 8, four times 1600 + 8, 200 + 1.
/// assert_eq!(cost(&spec, [512, 512])?.parameters, 6841);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkDesign {
    /// The family.
    pub architecture: Architecture,
    /// Channels inside, at full resolution.
    pub width: usize,
    /// Convolutions of a DnCNN, the first and the last among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// Convolutions on each side of a RED-CNN; poolings of a U-Net.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// What follows the inner convolutions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm: Option<Norm>,
    /// Residual blocks of an EDSR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<usize>,
    /// How many times finer the answer of an EDSR is along each axis: 2 or 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<usize>,
    /// Factor on what a block of an EDSR adds; 1 adds all, and very wide ones need .1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residual_scale: Option<f64>,
}

impl NetworkDesign {
    /// A design with only the two keys that every architecture has.
    #[must_use]
    pub fn new(architecture: Architecture, width: usize) -> Self {
        Self {
            architecture,
            width,
            layers: None,
            depth: None,
            norm: None,
            blocks: None,
            factor: None,
            residual_scale: None,
        }
    }

    /// Checks that the keys fit the architecture.
    ///
    /// # Errors
    /// [`NetworkError::KeyNotTaken`], [`NetworkError::KeyMissing`], [`NetworkError::OutOfRange`].
    pub fn check(&self) -> Result<(), NetworkError> {
        let architecture = self.architecture;
        let name = architecture.name();
        let check_key = |key, is_given: bool, example| match (is_given, architecture.keys().contains(&key)) {
            (true, false) => {
                let takes = architecture.keys().join("`, `");
                Err(NetworkError::KeyNotTaken { key, architecture: name, takes: format!("`{takes}`") })
            }
            (false, true) => Err(NetworkError::KeyMissing { key, architecture: name, example }),
            _ => Ok(()),
        };
        let depth_example = if architecture == Architecture::UNet { "depth = 3" } else { "depth = 5" };
        check_key("layers", self.layers.is_some(), "layers = 17")?;
        check_key("depth", self.depth.is_some(), depth_example)?;
        check_key("norm", self.norm.is_some(), "norm = \"batch\"")?;
        check_key("blocks", self.blocks.is_some(), "blocks = 16")?;
        check_key("factor", self.factor.is_some(), "factor = 2")?;
        check_key("residual_scale", self.residual_scale.is_some(), "residual_scale = 1.0")?;

        within("width", "1 to 512", Some(self.width), |width| (1..=MOST_WIDTH).contains(&width))?;
        within("layers", "2 to 64", self.layers, |layers| (2..=64).contains(&layers))?;
        if architecture == Architecture::UNet {
            within("depth", "1 to 6", self.depth, |depth| (1..=6).contains(&depth))?;
        }
        within("depth", "1 to 32", self.depth, |depth| (1..=32).contains(&depth))?;
        within("blocks", "1 to 128", self.blocks, |blocks| (1..=128).contains(&blocks))?;
        within("factor", "2 or 4", self.factor, |factor| factor == 2 || factor == 4)?;
        within("residual_scale", "above 0 and at most 1", self.residual_scale, |scale| scale > 0.0 && scale <= 1.0)
    }

    /// The design for images of `channels` channels.
    ///
    /// # Errors
    /// Those of [`check`](Self::check); [`NetworkError::OutOfRange`] for no or far too many channels.
    pub fn spec(self, channels: usize) -> Result<NetworkSpec, NetworkError> {
        self.check()?;
        within("channels", "1 to 64", Some(channels), |channels| (1..=MOST_CHANNELS).contains(&channels))?;
        Ok(NetworkSpec { design: self, channels })
    }
}

fn within<T: Copy + fmt::Debug>(
    key: &'static str,
    expected: &'static str,
    found: Option<T>,
    is_fine: impl Fn(T) -> bool,
) -> Result<(), NetworkError> {
    match found {
        Some(found) if !is_fine(found) => Err(NetworkError::OutOfRange { key, expected, found: format!("{found:?}") }),
        _ => Ok(()),
    }
}

/// A checked network: a design and the channels that go in and come out.
///
/// Serializes as one flat table, the keys of [`NetworkDesign`] with `channels`, and is checked again when it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SpecTable", into = "SpecTable")]
pub struct NetworkSpec {
    design: NetworkDesign,
    channels: usize,
}

impl NetworkSpec {
    /// The design.
    #[must_use]
    pub fn design(&self) -> &NetworkDesign {
        &self.design
    }

    /// Channels of an image, before and after.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// How many times finer the answer is along each axis.
    #[must_use]
    pub fn factor(&self) -> usize {
        self.design.factor.unwrap_or(1)
    }

    /// How many pixels of the input, at most, an answer sees on each side: a tile with this much overlap answers as the
    /// whole image does.
    #[must_use]
    pub fn reach(&self) -> usize {
        match self.plan() {
            Plan::DnCnn(plan) => plan.reach(),
            Plan::RedCnn(plan) => plan.reach(),
            Plan::UNet(plan) => plan.reach(),
            Plan::Edsr(plan) => plan.reach(),
        }
    }

    /// Pixels by which an image must be moved for its answer to move with it unchanged: 1, or a U-Net's coarsest step.
    #[must_use]
    pub fn stride(&self) -> usize {
        match self.plan() {
            Plan::UNet(plan) => plan.stride(),
            Plan::DnCnn(_) | Plan::RedCnn(_) | Plan::Edsr(_) => 1,
        }
    }

    /// Builds the network with Burn's own random initialization, which [`kd_core::initialize`] is meant to replace.
    #[must_use]
    pub fn init(&self, device: &Device) -> Restorer {
        match self.plan() {
            Plan::DnCnn(plan) => Restorer::DnCnn(plan.init(device)),
            Plan::RedCnn(plan) => Restorer::RedCnn(plan.init(device)),
            Plan::UNet(plan) => Restorer::UNet(plan.init(device)),
            Plan::Edsr(plan) => Restorer::Edsr(plan.init(device)),
        }
    }

    /// Checks that images of `[height, width]` pixels can be restored at once.
    ///
    /// # Errors
    /// [`NetworkError::InputSize`] for an axis of no or more than 4096 pixels.
    pub fn check_input(&self, size: [usize; 2]) -> Result<(), NetworkError> {
        let [height, width] = size;
        if size.iter().all(|side| (1..=MOST_SIDE).contains(side)) {
            return Ok(());
        }
        Err(NetworkError::InputSize { height, width, most: MOST_SIDE })
    }

    pub(crate) fn walk(&self, size: [usize; 2]) -> Result<Walk, NetworkError> {
        self.check_input(size)?;
        let mut walk = Walk::new(self.channels, size);
        match self.plan() {
            Plan::DnCnn(plan) => plan.walk(&mut walk),
            Plan::RedCnn(plan) => plan.walk(&mut walk),
            Plan::UNet(plan) => plan.walk(&mut walk),
            Plan::Edsr(plan) => plan.walk(&mut walk),
        }
        Ok(walk)
    }

    /// Keys that the check found are there; the numbers in their place here are never used.
    fn plan(&self) -> Plan {
        let NetworkDesign { architecture, width, layers, depth, norm, blocks, factor, residual_scale } = self.design;
        let channels = self.channels;
        let norm = norm.unwrap_or(Norm::None);
        let depth = depth.unwrap_or(1);
        match architecture {
            Architecture::DnCnn => Plan::DnCnn(DnCnnPlan { channels, width, layers: layers.unwrap_or(2), norm }),
            Architecture::RedCnn => Plan::RedCnn(RedCnnPlan { channels, width, depth }),
            Architecture::UNet => Plan::UNet(UNetPlan { channels, width, depth, norm }),
            Architecture::Edsr => Plan::Edsr(EdsrPlan {
                channels,
                width,
                blocks: blocks.unwrap_or(1),
                doublings: if factor == Some(4) { 2 } else { 1 },
                residual_scale: residual_scale.unwrap_or(1.0),
            }),
        }
    }
}

/// The network in one short line, for reports and errors.
impl fmt::Display for NetworkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NetworkDesign { architecture, width, layers, depth, norm, blocks, factor, residual_scale } = &self.design;
        write!(f, "{architecture}")?;
        if let Some(factor) = factor {
            write!(f, " ×{factor}")?;
        }
        write!(f, " width {width}")?;
        for (name, number) in [("layers", layers), ("depth", depth), ("blocks", blocks)] {
            if let Some(number) = number {
                write!(f, " {name} {number}")?;
            }
        }
        if let Some(norm) = norm {
            write!(f, " norm {norm}")?;
        }
        match residual_scale {
            Some(scale) if *scale < 1.0 => write!(f, " residual scale {scale}"),
            _ => Ok(()),
        }
    }
}

enum Plan {
    DnCnn(DnCnnPlan),
    RedCnn(RedCnnPlan),
    UNet(UNetPlan),
    Edsr(EdsrPlan),
}

/// The flat form of a spec. Not `flatten`, which would let unknown keys through.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpecTable {
    architecture: Architecture,
    width: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layers: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    depth: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    norm: Option<Norm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blocks: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    factor: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    residual_scale: Option<f64>,
    channels: usize,
}

impl TryFrom<SpecTable> for NetworkSpec {
    type Error = NetworkError;

    fn try_from(table: SpecTable) -> Result<Self, NetworkError> {
        let SpecTable { architecture, width, layers, depth, norm, blocks, factor, residual_scale, channels } = table;
        NetworkDesign { architecture, width, layers, depth, norm, blocks, factor, residual_scale }.spec(channels)
    }
}

impl From<NetworkSpec> for SpecTable {
    fn from(spec: NetworkSpec) -> Self {
        let NetworkSpec { design, channels } = spec;
        let NetworkDesign { architecture, width, layers, depth, norm, blocks, factor, residual_scale } = design;
        Self { architecture, width, layers, depth, norm, blocks, factor, residual_scale, channels }
    }
}
