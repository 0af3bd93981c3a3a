//! The finished student as one file: weights, network, preparation, classes, decision threshold, calibration, and where
//! it all came from.
//!
//! The container (zip with checksums) is kd-data's; what the entries mean is decided here. Every entry is checked before
//! a single image is read, so a package of another version fails at once and in words.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use kd_classify::{Classifier, NetworkDesign};
use kd_core::{Head, State};
use kd_data::prepare::PreparePlan;
use kd_data::store::{read_package, write_package};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::recipe::{HeadKind, TaskKind};

/// Version of the layout; a package of another version is refused.
pub(crate) const SCHEMA: u32 = 1;

const CARD: &str = "card.json";
const WEIGHTS: &str = "weights.safetensors";
const LICENSE: &str = "LICENSE.txt";

/// The decision threshold on the positive class's probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    /// The rule that chose it on the validation split.
    pub(crate) rule: String,
    /// Positive from this probability on.
    pub(crate) threshold: f64,
    /// Sensitivity there, on the validation split.
    pub(crate) sensitivity: f64,
    /// Specificity there, on the validation split.
    pub(crate) specificity: f64,
}

/// Where the student came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provenance {
    pub(crate) recipe: String,
    pub(crate) recipe_toml: String,
    pub(crate) arm: String,
    pub(crate) seed: u64,
    pub(crate) chosen_epoch: usize,
    pub(crate) dataset: String,
    pub(crate) dataset_license: String,
    pub(crate) dataset_citation: String,
    pub(crate) preparation_hash: String,
    pub(crate) teacher: String,
    pub(crate) teacher_hash: String,
    pub(crate) weights_hash: String,
    pub(crate) revision: String,
    pub(crate) program: String,
}

/// Everything about the student but its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Card {
    pub(crate) schema: u32,
    pub(crate) name: String,
    pub(crate) network: NetworkDesign,
    pub(crate) head: HeadKind,
    /// Class names by index; index 1 is the positive one of a one-channel head.
    pub(crate) classes: Vec<String>,
    /// What is done to an image before the network sees it.
    pub(crate) preparation: PreparePlan,
    /// Probabilities are made from logits divided by this; fitted on the validation split.
    pub(crate) temperature: Option<f64>,
    /// For two classes.
    pub(crate) decision: Option<Decision>,
    pub(crate) parameters: u64,
    pub(crate) multiply_adds: u64,
    pub(crate) intended_use: String,
    pub(crate) provenance: Provenance,
}

/// A card of any task.
pub(crate) trait AnyCard: Serialize + DeserializeOwned {
    /// Where the student came from.
    fn provenance(&self) -> &Provenance;
    /// Who should use it for what.
    fn intended_use(&self) -> &str;
}

impl AnyCard for Card {
    fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    fn intended_use(&self) -> &str {
        &self.intended_use
    }
}

/// A student that can answer.
pub(crate) struct Package<C = Card> {
    pub(crate) card: C,
    pub(crate) weights: State,
}

/// The task of a package; packages of classification do not name it.
pub(crate) fn task_of(path: &Path) -> Result<TaskKind> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(default)]
        task: TaskKind,
    }
    let entries = read_package(path, SCHEMA)?;
    let named: Named = serde_json::from_slice(entry(&entries, CARD)?).context("card of the package cannot be read")?;
    Ok(named.task)
}

/// What a recipe takes from a finished student of any task to let it teach.
pub(crate) struct Link {
    /// The network, as its recipe wrote it.
    pub(crate) network: serde_json::Value,
    pub(crate) provenance: Provenance,
    pub(crate) weights: State,
}

/// Reads a package as the link of a chain.
pub(crate) fn link(path: &Path) -> Result<Link> {
    #[derive(Deserialize)]
    struct Linked {
        network: serde_json::Value,
        provenance: Provenance,
    }
    let entries = read_package(path, SCHEMA)?;
    let card: Linked = serde_json::from_slice(entry(&entries, CARD)?).context("card of the package cannot be read")?;
    let weights = weights(&entries, &card.provenance)?;
    Ok(Link { network: card.network, provenance: card.provenance, weights })
}

fn weights(entries: &BTreeMap<String, Vec<u8>>, provenance: &Provenance) -> Result<State> {
    let weights = State::from_bytes(entry(entries, WEIGHTS)?).context("weights of the package")?;
    let (found, expected) = (weights.hash(), &provenance.weights_hash);
    if found != *expected {
        bail!("weights of the package have hash {found}, expected {expected}");
    }
    Ok(weights)
}

fn entry<'a>(entries: &'a BTreeMap<String, Vec<u8>>, name: &str) -> Result<&'a [u8]> {
    let found = entries
        .get(name)
        .with_context(|| format!("package has no entry `{name}`, expected it\nhint: the file is no student package"))?;
    Ok(found)
}

impl<C: AnyCard> Package<C> {
    /// Writes the package as one file; equal packages give equal bytes.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let provenance = self.card.provenance();
        let license = format!(
            "Data: {} ({})\n{}\n\nThe weights were learned from these data; their terms apply.\n{}\n",
            provenance.dataset,
            provenance.dataset_license,
            provenance.dataset_citation,
            self.card.intended_use()
        );
        let entries = BTreeMap::from([
            (CARD.to_owned(), serde_json::to_vec_pretty(&self.card)?),
            (WEIGHTS.to_owned(), self.weights.to_bytes()),
            (LICENSE.to_owned(), license.into_bytes()),
        ]);
        Ok(write_package(path, SCHEMA, &entries)?)
    }

    /// Reads and checks a package.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let entries = read_package(path, SCHEMA)?;
        let card: C = serde_json::from_slice(entry(&entries, CARD)?).context("card of the package cannot be read")?;
        let weights = weights(&entries, card.provenance())?;
        Ok(Self { card, weights })
    }
}

impl Package {
    /// The head.
    pub(crate) fn head(&self) -> Result<Head> {
        self.card.head.head(self.card.classes.len())
    }

    /// The network with its weights, on a plain device.
    pub(crate) fn network(&self, device: &Device) -> Result<Classifier> {
        let spec = self.card.network.clone().spec(self.card.preparation.channels, self.head()?.n_outputs())?;
        Ok(self.weights.load_into(spec.init(device))?)
    }
}
