//! Somebody else's answers to the training samples, from a file: checked, and stored as a teacher's own are.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use kd_core::train::Views;
use kd_data::digest::sha256_file;
use kd_data::format::{NpyArray, NpyValue, Npz, write_npz};
use kd_data::store::{Element, SoftKey, SoftStore, SoftStoreWriter};
use kd_image::{SampleId, SoftTargetSource as _};

use super::Context;
use crate::output::Output;

/// Files that `kd label` was given: whose answers are stored, and where those that it stored go.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AnswerFiles<'a> {
    pub(crate) from: Option<&'a str>,
    pub(crate) to: Option<&'a Path>,
}

/// What answers from a file have to be.
pub(crate) struct Given {
    /// The samples that need one.
    pub(crate) ids: Vec<SampleId>,
    /// Of one answer.
    pub(crate) shape: Vec<usize>,
    /// Whether an answer holds for every view: it does where it is about the whole image.
    pub(crate) for_all_views: bool,
    /// All but the teacher's hash, which is that of the file.
    pub(crate) key: SoftKey,
    pub(crate) element: Element,
}

/// Stands for the teacher's hash: what students learn from is the file.
pub(crate) fn hash(file: &str) -> Result<String> {
    let path = Path::new(file);
    let (checksum, _) = sha256_file(path, path.parent().unwrap_or(Path::new("")))?;
    Ok(format!("file {}", checksum.hex()))
}

/// How many views answers from a file are needed for.
pub(crate) fn views(views: Views) -> Result<u32> {
    match views {
        Views::Numbered { count } => Ok(count),
        Views::Fresh => bail!(
            "answers from a file are for numbered views, found `augment.views = \"fresh\"`\nhint: set a number of views"
        ),
    }
}

/// Says what was stored, and how an arm learns from it.
pub(crate) fn tell(out: &Output, file: &str, store: &SoftStore) {
    let (samples, views) = (store.samples().len(), store.key().n_views);
    out.note(format!(
        "answers to {samples} training samples in {views} views are stored; an arm learns from them with `answers = \"{file}\"`"
    ));
}

/// Writes stored answers as a file that another recipe can take: `[view, …shape]` for each sample.
pub(crate) fn write(out: &Output, store: Option<&Arc<SoftStore>>, shape: &[usize], to: &Path) -> Result<()> {
    let store = store.context(
        "no answers are stored for the arm that the recipe packs, expected an arm that learns from a teacher's answers to numbered views\nhint: arms with taps, without a teacher, or with fresh views store none",
    )?;
    let n_views = store.key().n_views;
    let shape: Vec<usize> = std::iter::once(n_views as usize).chain(shape.iter().copied()).collect();
    let mut arrays = Vec::with_capacity(store.samples().len());
    for id in store.samples() {
        let mut values = vec![0.0; shape.iter().product()];
        for (row, view) in values.chunks_exact_mut(store.n_values()).zip(0..) {
            store.read(&SampleId::new(id)?, view, row)?;
        }
        arrays.push((id.as_str(), NpyValue::F32(NpyArray { shape: shape.clone(), values })));
    }
    write_npz(to, &arrays)?;
    out.note(format!("answers to {} training samples in {n_views} views are in {}", arrays.len(), to.display()));
    Ok(())
}

impl Given {
    /// Opens the stored answers of a file, or reads, checks and stores them.
    pub(crate) fn stored<E>(&self, context: &Context<'_, E>, file: &str) -> Result<Arc<SoftStore>> {
        let key = SoftKey { teacher: hash(file)?, ..self.key.clone() };
        let folder = context.root.soft().join(key.hash());
        if !folder.is_dir() {
            self.read(file, &key, &folder).with_context(|| format!("answers in `{file}`"))?;
        }
        let mut store = SoftStore::open(&folder, &key)?;
        store.load()?;
        Ok(Arc::new(store))
    }

    fn read(&self, file: &str, key: &SoftKey, folder: &Path) -> Result<()> {
        let arrays = Npz::open(Path::new(file))?;
        let missing: Vec<&SampleId> = self.ids.iter().filter(|id| !arrays.contains(id.as_str())).collect();
        if let Some(first) = missing.first() {
            bail!(
                "no array `{first}` and none for {} other of {} training samples, expected one for each\nhint: arrays are named by sample ids, the first column of `index.csv` in the folder that `kd prepare` tells",
                missing.len() - 1,
                self.ids.len()
            );
        }
        let n_values = self.shape.iter().product();
        let n_views = key.n_views as usize;
        let per_view: Vec<usize> = std::iter::once(n_views).chain(self.shape.iter().copied()).collect();
        let mut writer = SoftStoreWriter::create(folder, key.clone(), &self.ids, n_values, self.element)?;
        for (sample, id) in self.ids.iter().enumerate() {
            let array = arrays.floats(id.as_str())?;
            let is_one = array.shape == self.shape && (self.for_all_views || n_views == 1);
            if !is_one && array.shape != per_view {
                let one =
                    if self.for_all_views || n_views == 1 { format!("{:?} or ", self.shape) } else { String::new() };
                bail!(
                    "array `{id}` has shape {:?}, expected {one}{per_view:?}: an answer for each of {n_views} views\nhint: answers to images as they are need `augment.views = 1` and no augmentation",
                    array.shape
                );
            }
            #[expect(clippy::cast_possible_truncation, reason = "students learn in f32")]
            let values: Vec<f32> = array.values.iter().map(|&value| value as f32).collect();
            if let Some(found) = values.iter().find(|value| !value.is_finite()) {
                bail!("array `{id}` holds {found}, expected finite logits or intensities");
            }
            for view in 0..key.n_views {
                let start = if is_one { 0 } else { view as usize * n_values };
                writer.write(sample, view, &values[start..start + n_values])?;
            }
        }
        writer.finish()?;
        Ok(())
    }
}
