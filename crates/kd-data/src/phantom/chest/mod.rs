//! A seeded generator of chest-radiograph-like images for classification: normal, or with a nodule or a collapsed lung.
//!
//! The default data of classification. It runs offline, goes through the same readers as real data, and its truth is known. It
//! stands for no patient: a result on it shows that the machinery works, and how networks differ on a task of this kind.
//!
//! Positives and negatives differ in the lesion only. Both come from the same subjects, and anatomy, pose, breath,
//! exposure and noise are drawn before it is decided what an image shows, so nothing but the lesion tells them apart.

mod anatomy;
mod attenuation;
mod detector;

use std::path::Path;

use kd_image::{SampleId, Split, SubjectId};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::anatomy::Anatomy;
use self::attenuation::{Lesion, Pose, Scene, holds_nodule};
use self::detector::{Exposure, OVERSAMPLING, expose};
use super::draw::{Draw, Purpose};
use super::{PhantomError, check_shares, refuse, subject_splits};
use crate::format::{LABELS_FILE, LabelledPng, gray16_png, labels_csv};
use crate::store::StoreError;

/// What a positive image shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// A round mass of soft tissue anywhere in a lung, behind ribs too.
    Nodule,
    /// A lung shrunk towards its hilum: a fine line, darker and without vessels outside of it.
    CollapsedLung,
}

/// Everything that the images depend on; equal parameters give equal bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChestParameters {
    /// Pixels along each side, 16 to 512.
    pub size: usize,
    /// Subjects in all splits.
    pub n_subjects: usize,
    /// Fewest and most images of one subject.
    pub images_per_subject: [usize; 2],
    /// Shares of the subjects in train, val and test; they sum to 1.
    pub split: [f64; 3],
    /// Probability that an image shows a finding (class 1).
    pub prevalence: f64,
    /// What findings there are, equally often.
    pub findings: Vec<Finding>,
    /// 0 (large and dense) to 1 (small and faint).
    pub difficulty: f64,
    /// Probability that a label of train or val is the wrong one. Test labels are always right.
    pub label_noise: f64,
    /// Quantum noise relative to a well exposed image: photons are divided by its square.
    pub noise: f64,
    /// Where all random streams start.
    pub seed: u64,
}

impl Default for ChestParameters {
    fn default() -> Self {
        Self {
            size: 32,
            n_subjects: 800,
            images_per_subject: [1, 3],
            split: [0.5, 0.125, 0.375],
            prevalence: 0.4,
            findings: vec![Finding::Nodule, Finding::CollapsedLung],
            difficulty: 0.3,
            label_noise: 0.05,
            noise: 1.0,
            seed: 20,
        }
    }
}

impl ChestParameters {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`PhantomError::Parameter`] for the first that is outside.
    pub fn check(&self) -> Result<(), PhantomError> {
        if !(16..=512).contains(&self.size) {
            return refuse("size", "16 to 512", self.size.to_string());
        }
        if !(3..=1_000_000).contains(&self.n_subjects) {
            return refuse("n_subjects", "3 to 1000000", self.n_subjects.to_string());
        }
        let [fewest, most] = self.images_per_subject;
        if fewest == 0 || most < fewest || most > 100 {
            return refuse(
                "images_per_subject",
                "1 to 100, the fewest first",
                format!("{:?}", self.images_per_subject),
            );
        }
        check_shares(
            self.split,
            &[("prevalence", self.prevalence), ("difficulty", self.difficulty), ("label_noise", self.label_noise)],
        )?;
        if self.findings.is_empty() {
            return refuse("findings", "at least one of nodule, collapsed-lung", "none".into());
        }
        if !(self.noise > 0.0 && self.noise <= 100.0) {
            return refuse("noise", "above 0, at most 100", self.noise.to_string());
        }
        Ok(())
    }
}

/// One image before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChestImage {
    /// Its name; says nothing about what it shows.
    pub id: SampleId,
    /// Whose chest.
    pub subject: SubjectId,
    /// Where it belongs.
    pub split: Split,
    /// The label that goes into the table: 0 normal, 1 finding; flipped with the given probability in train and val.
    pub label: u16,
    /// What it really shows.
    pub finding: Option<Finding>,
    /// Stored values, `[size, size]`.
    pub pixels: Vec<u16>,
}

/// Makes all images, subject by subject.
///
/// # Policy
/// A split holds whole subjects. Whether an image shows a finding is drawn image by image: the images of a subject are
/// taken as visits far apart. Label noise flips labels of train and val, never of test.
///
/// # Errors
/// [`PhantomError::Parameter`].
///
/// # Example
/// ```
/// use kd_data::phantom::chest::{ChestParameters, generate};
/// let images = generate(&ChestParameters { n_subjects: 4, ..Default::default() })?;
/// assert!(images.iter().all(|image| image.pixels.len() == 32 * 32));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn generate(parameters: &ChestParameters) -> Result<Vec<ChestImage>, PhantomError> {
    parameters.check()?;
    let splits = subject_splits(parameters.n_subjects, parameters.split, parameters.seed);
    let subjects: Vec<Vec<ChestImage>> = splits
        .into_par_iter()
        .enumerate()
        .map(|(number, split)| subject(parameters, number, split))
        .collect::<Result<_, PhantomError>>()?;
    Ok(subjects.into_iter().flatten().collect())
}

fn subject(parameters: &ChestParameters, number: usize, split: Split) -> Result<Vec<ChestImage>, PhantomError> {
    let mut draw = Draw::new(parameters.seed, Purpose::Anatomy, number as u64);
    let [fewest, most] = parameters.images_per_subject;
    let n_images = fewest + draw.below(most - fewest + 1);
    let anatomy = Anatomy::draw(&mut draw);
    let name = |error: kd_image::IdError| PhantomError::Parameter {
        name: "n_subjects",
        expected: "a number that makes a name",
        found: error.to_string(),
    };
    let subject = SubjectId::new(format!("s{number:05}")).map_err(name)?;
    (0..n_images)
        .map(|visit| {
            let stream = (number as u64) << 8 | visit as u64;
            let (finding, pixels) = radiograph(parameters, &anatomy, stream);
            let mut draw = Draw::new(parameters.seed, Purpose::Labels, stream);
            let flipped = draw.chance(parameters.label_noise) && split != Split::Test;
            Ok(ChestImage {
                id: SampleId::new(format!("s{number:05}-{visit:02}")).map_err(name)?,
                subject: subject.clone(),
                split,
                label: u16::from(finding.is_some() != flipped),
                finding,
                pixels,
            })
        })
        .collect()
}

fn radiograph(parameters: &ChestParameters, anatomy: &Anatomy, stream: u64) -> (Option<Finding>, Vec<u16>) {
    let mut draw = Draw::new(parameters.seed, Purpose::Image, stream);
    let pose = Pose {
        shift: [draw.around(0.0, 0.6), draw.around(0.3, 0.6)],
        roll: draw.around(0.0, 0.03),
        zoom: draw.around(1.1, 0.025),
        turn: draw.around(0.0, 0.5),
        breath: draw.around(0.0, 0.7),
    };
    let black = draw.around(0.9, 0.12);
    let exposure = Exposure {
        photons: 9000.0 * draw.around(0.0, 0.25).exp() / (parameters.noise * parameters.noise),
        scatter: draw.within(0.12, 0.3),
        black,
        window: draw.around(2.9, 0.18),
        gamma: draw.around(0.95, 0.06),
    };
    let mut scene = Scene { anatomy, pose, lesion: None };
    let finding =
        draw.chance(parameters.prevalence).then(|| parameters.findings[draw.below(parameters.findings.len())]);
    scene.lesion = finding.map(|finding| lesion(&mut draw, &scene, finding, parameters.difficulty));
    let integrals = scene.project(parameters.size * OVERSAMPLING);
    let mut noise = Draw::new(parameters.seed, Purpose::Noise, stream);
    (finding, expose(&integrals, parameters.size, &exposure, &mut noise))
}

fn lesion(draw: &mut Draw, scene: &Scene<'_>, finding: Finding, difficulty: f64) -> Lesion {
    let graded = |easy: f64, hard: f64| easy + (hard - easy) * difficulty;
    let index = draw.below(2);
    let lung = scene.anatomy.lungs[index];
    match finding {
        Finding::CollapsedLung => {
            let lost = graded(0.22, 0.04) * draw.within(0.8, 1.25);
            Lesion::CollapsedLung { lung: index, scale: 1.0 - lost }
        }
        Finding::Nodule => {
            let radius = graded(2.1, 0.8) * draw.within(0.85, 1.2);
            let contrast = graded(1.25, 0.6) * draw.within(0.85, 1.15);
            let mut center = lung.center;
            // Most places fit; the middle of the lung is what is left should none be met.
            for _ in 0..200 {
                let place = [
                    lung.center[0] + lung.half[0] * draw.within(-1.0, 1.0),
                    lung.center[1] + lung.half[1] * draw.within(-1.0, 1.0),
                ];
                if holds_nodule(scene, &lung, index, place, radius) {
                    center = place;
                    break;
                }
            }
            Lesion::Nodule { center, radius, contrast }
        }
    }
}

/// Writes images and their table into a folder that exists: `images/<sample>.png` (16-bit grey) and `labels.csv`.
///
/// # Errors
/// [`PhantomError`].
pub fn write_images(images: &[ChestImage], size: usize, folder: &Path) -> Result<(), PhantomError> {
    let inside = folder.join("images");
    std::fs::create_dir_all(&inside).map_err(|source| StoreError::io("creating", &inside, source))?;
    let rows: Vec<LabelledPng> = images
        .par_iter()
        .map(|image| {
            let path = inside.join(format!("{}.png", image.id));
            let png = gray16_png([size, size], &image.pixels)?;
            std::fs::write(&path, png).map_err(|source| StoreError::io("writing", &path, source))?;
            let (id, subject) = (image.id.clone(), image.subject.clone());
            Ok(LabelledPng { id, subject, split: image.split, label: image.label, path })
        })
        .collect::<Result<_, StoreError>>()?;
    let table = folder.join(LABELS_FILE);
    std::fs::write(&table, labels_csv(&rows)).map_err(|source| StoreError::io("writing", &table, source))?;
    Ok(())
}
