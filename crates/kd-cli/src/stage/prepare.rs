//! Prepare: raw files, split, leak check, prepared store.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use kd_data::decode::RawDataset;
use kd_data::import::generate_dataset;
use kd_data::leak::{self, LeakReport};
use kd_data::manifest::Layout;
use kd_data::prepare::prepare;
use kd_data::split::{SplitSource, SplitTable, label_subset, split_of};
use kd_data::store::{PreparedSource, PreparedStore};
use kd_image::{SampleSource, Split, SubjectId, Target};

use super::Context;

/// The prepared data set and what is known about it.
pub(crate) struct Prepared {
    pub(crate) store: Arc<PreparedStore>,
    pub(crate) leaks: LeakReport,
    pub(crate) split_hash: String,
}

impl Prepared {
    /// The samples of a split.
    pub(crate) fn split(&self, split: Split) -> PreparedSource {
        PreparedSource::of_split(Arc::clone(&self.store), split)
    }

    /// The subject of every sample of a split, for grouped statistics.
    pub(crate) fn subjects(&self, split: Split) -> Vec<String> {
        let source = self.split(split);
        (0..source.len()).map(|index| source.subject(index).to_string()).collect()
    }
}

/// Makes the files of a generated data set, where they are not there yet.
pub(crate) fn generate<E>(context: &Context<'_, E>) -> Result<()> {
    let manifest = context.manifest;
    if manifest.source.layout == Layout::Generator && generate_dataset(context.root, manifest)? {
        context.out.note(format!("generated `{}`", manifest.name));
    }
    Ok(())
}

/// Opens, splits, checks and prepares the data set.
pub(crate) fn run(context: &Context<'_>) -> Result<Prepared> {
    let (root, manifest, experiment) = (context.root, context.manifest, context.experiment);
    generate(context)?;
    let set = RawDataset::open(root, manifest)?;
    let table = split_of(&set, manifest.split)?;
    let hashes = leak::pixel_hashes(&set)?;
    let (leaks, keep) = leak::check(&leak::rows(&table, &hashes), experiment.leak_policy)?;
    let dropped = keep.iter().filter(|keep| !**keep).count();
    if dropped > 0 {
        context.out.note(format!("left out {dropped} samples that repeat in another split (`data.leak_policy`)"));
    }
    let keep = thinned(context, &set, &table, keep)?;
    let source = SplitSource::new(&set, &table, &keep).context("split table and data set do not belong together")?;
    let split_hash = source.split_hash();
    let mut store = prepare(&source, &experiment.prepare, &manifest.content_hash(), &split_hash, &root.prepared())?;
    store.load()?;
    Ok(Prepared { store: Arc::new(store), leaks, split_hash })
}

/// Leaves out training subjects where the recipe asks for fewer: a set as small as medical ones are.
fn thinned(context: &Context<'_>, set: &RawDataset, table: &SplitTable, mut keep: Vec<bool>) -> Result<Vec<bool>> {
    let data = &context.experiment.recipe.data;
    let Some(fraction) = data.train_fraction else { return Ok(keep) };
    let training: Vec<usize> =
        (0..keep.len()).filter(|&row| keep[row] && table.rows()[row].split == Split::Train).collect();
    let samples: Vec<(&SubjectId, &Target)> =
        training.iter().map(|&row| (&set.records()[row].subject, &set.records()[row].target)).collect();
    let seen = label_subset(&samples, fraction, data.train_seed.unwrap_or(0)).context("`data.train_fraction`")?;
    let left = seen.iter().filter(|seen| **seen).count();
    for (row, seen) in training.iter().zip(seen) {
        keep[*row] = seen;
    }
    context.out.note(format!("{left} of {} training samples stay (`data.train_fraction`)", training.len()));
    Ok(keep)
}
