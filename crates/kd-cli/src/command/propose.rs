//! `kd data propose`: a recipe for one's own images with masks, from the fingerprint of the training cases.
//!
//! The rules are those of nnU-Net in spirit (Isensee et al. 2021, Nature Methods 18, "rule-based parameters"): spacing
//! from the median, a patch of the median case's proportions, depth from the patch. Numbers differ, as networks have to train
//! on a plain CPU.

use anyhow::{Context as _, Result, bail};
use kd_data::decode::{MaskedDataset, ReadMasked};
use kd_data::fingerprint::Fingerprint;
use kd_data::manifest::{Layout, Manifest, MaskValues, Task};
use kd_data::split::split_of_masked;
use kd_data::{Root, catalog};
use kd_image::Intensity;
use serde_json::json;

use crate::output::Output;
use crate::recipe::{AnySource, parse_any};

/// Slices are samples by themselves where they are so many times as far apart as points within them.
const APART: f64 = 3.0;
/// Volumes of fewer slices are learned slice by slice.
const FEWEST_SLICES: usize = 16;
/// Most points of a training sample: what one step on two cores does in about a second with a teacher of width 16.
const MOST_POINTS: [usize; 2] = [256 * 256, 160_000];
/// Points along the shortest axis that are left at the lowest level.
const LEFT: usize = 4;
/// Halvings at most, of pictures and of volumes.
const DEEPEST: [usize; 2] = [4, 3];

pub(super) fn run(name: &str, root: &Root, out: &Output) -> Result<bool> {
    let manifest = catalog::resolve(root, name)?;
    if manifest.task != Task::Segmentation {
        bail!(
            "data set `{name}` is for {}, expected one with masks\nhint: `cargo xtask new recipe` writes a recipe for classes of images",
            manifest.task.name()
        );
    }
    let fingerprint = match manifest.source.layout {
        Layout::ImageMasks => fingerprint(&MaskedDataset::<2>::open(root, &manifest)?)?,
        _ => fingerprint(&MaskedDataset::<3>::open(root, &manifest)?)?,
    };
    let proposal = Proposal::of(&manifest, &fingerprint);
    let recipe = proposal.recipe(&manifest);
    check(&recipe, &manifest).context("the proposal does not hold, which is a mistake of this program")?;
    if out.is_json() {
        out.json(
            &json!({ "schema": 1, "dataset": manifest.name.as_str(), "fingerprint": fingerprint, "recipe": recipe }),
        )?;
    } else {
        out.data(recipe.trim_end());
        out.note("write it to a file, and see what it takes: `kd run FILE --dry-run`");
    }
    Ok(true)
}

fn fingerprint<const D: usize>(set: &MaskedDataset<D>) -> Result<Fingerprint>
where
    MaskedDataset<D>: ReadMasked<D>,
{
    let table = split_of_masked(set, set.manifest().split)?;
    let fingerprint = Fingerprint::of(set, &table)?;
    if fingerprint.shapes.is_empty() {
        bail!("no case is for training, expected one or more\nhint: look at the split of the data set");
    }
    Ok(fingerprint)
}

/// What is proposed is read and checked as any recipe.
fn check(recipe: &str, manifest: &Manifest) -> Result<()> {
    let AnySource::Segment(source) = parse_any("proposal", recipe, &[])? else {
        bail!("the proposal is of another task");
    };
    match source.recipe.data.size.len() {
        2 => crate::dense::segment::experiment::<2>(&source, manifest).map(drop),
        _ => crate::dense::segment::experiment::<3>(&source, manifest).map(drop),
    }
}

/// What the fingerprint decides.
#[derive(Debug, PartialEq)]
struct Proposal {
    /// Why samples are slices, volumes or pictures.
    samples: String,
    size: Vec<usize>,
    /// Where cases differ in it.
    spacing_mm: Option<Vec<f64>>,
    /// Where a sample is more than a step should take.
    patch: Option<Vec<usize>>,
    depth: usize,
    /// Of Hounsfield units.
    window: Option<[f64; 2]>,
    /// A point's largest distance, in mm; none where it is not known.
    tolerance_mm: Option<f64>,
    foreground_share: f64,
    cases: usize,
    objects: bool,
}

impl Proposal {
    fn of(manifest: &Manifest, fingerprint: &Fingerprint) -> Self {
        let spacing = fingerprint.median_spacing_mm();
        let [own, _] = fingerprint.shape_at(None);
        let is_volume = own.len() == 3;
        let gap = spacing.as_ref().filter(|_| is_volume).map(|(mm, _)| mm[0] / mm[1].min(mm[2]));
        let (axes, samples) = match gap {
            _ if !is_volume => (2, "pictures".to_owned()),
            _ if own[0] < FEWEST_SLICES => (2, format!("slices: the median volume has {} of them", own[0])),
            Some(gap) if gap >= APART => (2, format!("slices: they are {gap:.1} times as far apart as their points")),
            _ => (3, "volumes".to_owned()),
        };
        let target = spacing.as_ref().filter(|(_, uniform)| !uniform).map(|(mm, _)| mm.as_slice());
        let [median, largest] = fingerprint.shape_at(target);
        let last = |all: &[usize]| all[all.len() - axes..].to_vec();
        let (median, largest) = (last(&median), last(&largest));
        let most = MOST_POINTS[axes - 2];
        let is_whole = largest.iter().product::<usize>() <= most;
        let patch = if is_whole { largest.clone() } else { patch(&median, most) };
        let shortest = patch.iter().copied().min().unwrap_or(1);
        let depth = (1..=DEEPEST[axes - 2]).rev().find(|depth| shortest >> depth >= LEFT).unwrap_or(1);
        let step = 1 << depth;
        let up = |points: &usize| points.div_ceil(step) * step;
        let down = |points: &usize| (points / step).max(1) * step;
        let is_ct = manifest.image.intensity == Intensity::Hounsfield;
        let window = fingerprint.foreground.filter(|[low, high]| is_ct && low.round() < high.round());
        let finest = |mm: &[f64]| mm[mm.len() - axes..].iter().map(|mm| rounded(*mm)).collect::<Vec<f64>>();
        Self {
            samples,
            size: largest.iter().map(up).collect(),
            spacing_mm: target.map(finest),
            patch: (!is_whole).then(|| patch.iter().map(down).collect()),
            depth,
            window: window.map(|window| window.map(f64::round)),
            tolerance_mm: spacing.map(|(mm, _)| rounded(mm.iter().copied().fold(0.0, f64::max))),
            foreground_share: fingerprint.foreground_share,
            cases: fingerprint.shapes.len(),
            objects: manifest.mask == Some(MaskValues::Instances),
        }
    }

    fn recipe(&self, manifest: &Manifest) -> String {
        let is_volume = self.size.len() == 3;
        let list = |values: &[usize]| format!("{values:?}");
        let norm = if is_volume { "instance" } else { "batch" };
        let batch = if is_volume { 2 } else { 16 };
        let rates = if is_volume { [0.002, 0.005] } else { [0.004, 0.01] };
        let network = |width: usize| {
            format!(
                "{{ architecture = \"u-net\", width = {width}, depth = {}, block = \"plain\", norm = \"{norm}\" }}",
                self.depth
            )
        };
        let train = |epochs: usize, rate: f64| {
            format!(
                "epochs = {epochs}\nbatch_size = {batch}\noptimizer = {{ name = \"adamw\", weight_decay = 0.01 }}\n\
                 learning_rate = {rate}\nwarmup = 0.1\ndecay = {{ name = \"cosine\", floor = 0.0 }}\nclip_norm = 5.0\n\
                 select = \"dice\"\n"
            )
        };
        let spacing = self
            .spacing_mm
            .as_ref()
            .map(|mm| format!("# The median of the training cases, which differ.\nspacing_mm = {mm:?}\n"));
        let intensity = match self.window {
            Some([low, high]) => format!(
                "# The 0.5th to the 99.5th percentile of the foreground.\nintensity = {{ kind = \"window\", low = {low:?}, high = {high:?} }}\n"
            ),
            None => "intensity = { kind = \"each-volume\" }\n".to_owned(),
        };
        let patch = self.patch.as_ref().map(|patch| {
            format!(
                "# A whole sample is more than a step should take: patches of the median case's proportions.\npatch = {}\nforeground_share = 0.33\n",
                list(patch)
            )
        });
        let (objects, primary, secondary) = if self.objects {
            ("objects = { border = 1, min_points = 10 }\n", "panoptic_quality", "\"dice\", \"object_f1\"")
        } else {
            ("", "dice", "\"nsd\", \"hd95\"")
        };
        let tolerance = match self.tolerance_mm {
            Some(mm) => format!("# One point of the grid.\ntolerance_mm = {mm:?}\n"),
            None => "# Spacing is unknown: points.\ntolerance_mm = 1.0\n".to_owned(),
        };
        let (name, title) = (manifest.name.as_str(), toml::Value::String(manifest.title.clone()));
        format!(
            "# A proposal from {cases} training cases of `{name}`; samples are {samples}. {share:.2} % of their points are foreground.\n\
             # It is a start: weights of terms are to be chosen with `kd sweep`, and its words are yours to correct.\n\
             title = {title}\ntask = \"segment\"\n\n\
             [data]\nname = \"{name}\"\nhead = \"softmax\"\n\
             # The largest training case, up to a multiple of {step} for {depth} halvings.\nsize = {size}\n\
             {spacing}{intensity}{objects}leak_policy = \"stop\"\nunit = \"subject\"\n\
             hard_loss = {{ cross_entropy = 1.0, dice = 1.0 }}\n\n\
             [augment]\nviews = {views}\n{patch}rotate_deg = 10.0\nscale = 0.1\ncontrast = 0.1\nbrightness = 0.1\n\n\
             [teacher]\nname = \"u-net-16\"\nnetwork = {teacher}\n\n[teacher.train]\n{teacher_train}seed = 0\n\n\
             [student]\nseeds = [0, 1, 2]\n\n\
             # About a tenth of the teacher's parameters, and a fiftieth.\n\
             [[student.size]]\nname = \"u-net-5\"\nnetwork = {five}\n\n[[student.size]]\nname = \"u-net-2\"\nnetwork = {two}\n\n\
             [student.train]\n{student_train}\n\
             [[arm]]\nname = \"alone\"\nterm = [{{ loss = \"task\", weight = 1.0 }}]\n\n\
             [[arm]]\nname = \"smoothed\"\nnote = \"control: softness without a teacher\"\n\
             term = [{{ loss = \"task\", weight = 1.0, smoothing = 0.1 }}]\n\n\
             [[arm]]\nname = \"distilled\"\nterm = [\n    {{ loss = \"task\", weight = 0.5 }},\n    \
             {{ loss = \"hinton\", weight = 0.5, temperature = 2.0, pixels = \"class-balanced\" }},\n]\n\n\
             [score]\nprimary = \"{primary}\"\nsecondary = [{secondary}]\n{tolerance}resamples = 2000\nlevel = 0.95\n\
             method = \"percentile\"\nseed = 0\n\
             package = {{ student = \"u-net-5\", arm = \"distilled\", intended_use = \"Research. Not a medical device.\" }}\n",
            cases = self.cases,
            samples = self.samples,
            share = 100.0 * self.foreground_share,
            step = 1 << self.depth,
            depth = self.depth,
            size = list(&self.size),
            spacing = spacing.unwrap_or_default(),
            views = if is_volume && self.patch.is_none() { 1 } else { 4 },
            patch = patch.unwrap_or_default(),
            teacher = network(16),
            teacher_train = train(20, rates[0]),
            five = network(5),
            two = network(2),
            student_train = train(20, rates[1]),
        )
    }
}

/// The median case, made smaller along all axes alike until a step can take it.
fn patch(median: &[usize], most: usize) -> Vec<usize> {
    let points: f64 = median.iter().map(|&points| points as f64).product();
    let share = (most as f64 / points).powf(1.0 / median.len() as f64).min(1.0);
    median.iter().map(|&points| ((points as f64 * share) as usize).max(1)).collect()
}

/// Four digits that count.
fn rounded(mm: f64) -> f64 {
    let digits = 3 - mm.abs().log10().floor() as i32;
    let factor = 10f64.powi(digits);
    (mm * factor).round() / factor
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(intensity: &str, values: &str, layout: &str) -> Manifest {
        let bits = if intensity == "stored" { "\nbits = 8" } else { "" };
        let text = format!(
            "name = 'mine'\ntitle = 'Mine \"and\" yours'\ntask = 'segmentation'\nclasses = ['background', 'organ']\n[image]\nchannels = 1\n\
             size = 'varies'\nintensity = '{intensity}'{bits}\n[mask]\nvalues = {values}\n[license]\nspdx = 'MIT'\n[citation]\n\
             text = 'none'\n[split]\npolicy = 'by-subject'\nseed = 0\ntrain = 0.7\nval = 0.1\ntest = 0.2\n[source]\nlayout = '{layout}'\n\
             FILE'images/a.nii.gz'\nSUMFILE'masks/a.nii.gz'\nSUM"
        );
        let text = text.replace("FILE", "[[source.file]]\nname = ");
        let text = text.replace("SUM", "md5 = '2b94928a2ae4916078ca51e05b6b800b'\n");
        Manifest::parse(&text, "the test").unwrap()
    }

    fn fingerprint(shapes: &[&[usize]], spacings: Option<&[&[f64]]>) -> Fingerprint {
        Fingerprint {
            shapes: shapes.iter().map(|shape| shape.to_vec()).collect(),
            spacings_mm: spacings.map(|spacings| spacings.iter().map(|mm| mm.to_vec()).collect()),
            foreground: Some([-40.2, 180.6]),
            foreground_share: 0.012,
        }
    }

    fn proposed(manifest: &Manifest, fingerprint: &Fingerprint) -> Proposal {
        let proposal = Proposal::of(manifest, fingerprint);
        let recipe = proposal.recipe(manifest);
        check(&recipe, manifest).unwrap_or_else(|refused| panic!("{refused:#}\n{recipe}"));
        proposal
    }

    #[test]
    fn small_volumes_are_taken_whole_on_their_own_grid() {
        let mr = manifest("arbitrary", "[0, 1]", "nifti-masks");
        let found = proposed(&mr, &fingerprint(&[&[35, 51, 34], &[40, 48, 36]], Some(&[&[1.0; 3], &[1.0; 3]])));
        assert_eq!((found.size, found.depth, found.patch), (vec![40, 56, 40], 3, None));
        assert_eq!((found.spacing_mm, found.window, found.tolerance_mm), (None, None, Some(1.0)));
    }

    #[test]
    fn large_volumes_give_patches_of_their_proportions() {
        let ct = manifest("hounsfield", "[0, 1]", "nifti-masks");
        let spacings: [&[f64]; 2] = [&[2.0, 0.8, 0.8], &[1.6, 0.7, 0.7]];
        let found = proposed(&ct, &fingerprint(&[&[100, 400, 400], &[120, 512, 512]], Some(&spacings)));
        assert_eq!(found.spacing_mm, Some(vec![1.6, 0.7, 0.7]));
        assert_eq!(found.window, Some([-40.0, 181.0]));
        let patch = found.patch.unwrap();
        let points: usize = patch.iter().product();
        assert!(points <= MOST_POINTS[1] && points > MOST_POINTS[1] / 3, "{patch:?}");
        assert!(patch[1] == patch[2] && patch[1] > 2 * patch[0], "{patch:?}");
        assert!(patch.iter().chain(&found.size).all(|points| points % (1 << found.depth) == 0), "{patch:?}");
    }

    #[test]
    fn slices_far_apart_or_few_are_samples_by_themselves() {
        let ct = manifest("hounsfield", "[0, 1]", "nifti-masks");
        let far = proposed(&ct, &fingerprint(&[&[40, 100, 100]], Some(&[&[5.0, 0.8, 0.8]])));
        assert_eq!((far.size, far.spacing_mm), (vec![112, 112], None));
        assert!(far.samples.contains("6.2 times"), "{}", far.samples);
        let few = proposed(&ct, &fingerprint(&[&[10, 100, 100], &[12, 90, 90]], Some(&[&[1.0; 3], &[1.0, 2.0, 2.0]])));
        assert!(few.samples.contains("has 10"), "{}", few.samples);
        assert_eq!(few.spacing_mm, Some(vec![1.0, 1.0]));
    }

    #[test]
    fn pictures_with_numbered_objects_are_learned_object_by_object() {
        let pictures = manifest("stored", "'instances'", "image-masks");
        let found = proposed(&pictures, &fingerprint(&[&[256, 256], &[256, 320]], None));
        assert!(found.objects && found.tolerance_mm.is_none());
        assert_eq!(found.size, [256, 320]);
        assert!(found.patch.is_some_and(|patch| patch.iter().product::<usize>() <= MOST_POINTS[0]));
    }
}
