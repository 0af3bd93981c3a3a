//! Segmentation as the trainer sees it: batches, the hard-label loss, and the measures that choose an epoch.

use burn::tensor::{Device, Int, Tensor, TensorData};
use kd_core::train::Measure;
use kd_core::{Batch, Head, Task, TaskError};
use kd_image::{IGNORED, LabelMap, Sample, SampleId};
use kd_metrics::Grid;
use rayon::prelude::*;

use crate::Augmentation;
use crate::loss::{HardLoss, HardLossError, Truth, signed_distances};

/// A segmentation task on images of `D` axes.
#[derive(Debug, Clone)]
pub struct SegmentTask<const D: usize> {
    head: Head,
    n_classes: usize,
    hard: HardLoss,
    augmentation: Augmentation,
    augmentation_key: u64,
}

/// The labels of one batch.
#[derive(Debug, Clone)]
pub struct Labels<const R: usize> {
    truth: Truth<R>,
    /// One label a point, sample after sample, for counting.
    maps: Vec<u16>,
}

/// Points counted over a split, sample by sample and class by class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// For each sample, for each class: true positives, false positives, false negatives.
    counts: Vec<Vec<[u64; 3]>>,
}

impl<const D: usize> SegmentTask<D> {
    /// Sets up a task of `n_classes` classes, the background among them.
    ///
    /// `augmentation_key` belongs to the recipe, not to a seed: views are shared by all arms and seeds.
    ///
    /// # Errors
    /// [`HardLossError`] when the loss does not fit the head, or the head not the classes.
    pub fn new(
        head: Head,
        n_classes: usize,
        hard: HardLoss,
        augmentation: Augmentation,
        augmentation_key: u64,
    ) -> Result<Self, HardLossError> {
        let fits = match head {
            Head::OneChannel | Head::TwoClassSoftmax => n_classes == 2,
            Head::Softmax { classes } => classes == n_classes,
            Head::MultiLabel { .. } | Head::Ordinal { .. } => false,
        };
        if !fits {
            return Err(HardLossError::Head { head: head.name(), classes: n_classes });
        }
        hard.check(head)?;
        Ok(Self { head, n_classes, hard, augmentation, augmentation_key })
    }

    /// Number of classes, the background among them.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// What the answers of a network mean.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    fn make<const R: usize>(
        &self,
        samples: Vec<Sample<D, LabelMap<D>>>,
        view: Option<u32>,
        device: &Device,
    ) -> Result<Batch<Labels<R>, R>, TaskError> {
        let Some(first) = samples.first() else {
            return Err(TaskError::Sample { sample: "none".into(), reason: "is missing: a batch needs one".into() });
        };
        let (channels, shape) = (first.image.channels(), first.image.geometry().shape());
        if view.is_some()
            && let Err(refused) = self.augmentation.check(&shape)
        {
            let reason = format!("cannot give a view: {refused}");
            return Err(TaskError::Sample { sample: first.id.to_string(), reason });
        }
        let size: [usize; D] = match (view, &self.augmentation.patch) {
            (Some(_), Some(patch)) => std::array::from_fn(|axis| patch[axis]),
            _ => shape,
        };
        let points: usize = size.iter().product();
        let mut values = Vec::with_capacity(samples.len() * channels * points);
        let mut maps = Vec::with_capacity(samples.len() * points);
        for sample in &samples {
            let found = (sample.image.channels(), sample.image.geometry().shape(), sample.target.geometry().shape());
            if found != (channels, shape, shape) {
                let reason = format!(
                    "has {} channels, image {:?} and labels {:?}, expected {channels} and {shape:?} as the batch's first",
                    found.0, found.1, found.2
                );
                return Err(TaskError::Sample { sample: sample.id.to_string(), reason });
            }
            let pair = (&sample.image, &sample.target);
            let (image, labels) = match view {
                Some(view) => self.augmentation.view(pair, self.augmentation_key, &sample.id, view),
                None => (sample.image.values().to_vec(), sample.target.labels().to_vec()),
            };
            let unknown = |&label: &u16| usize::from(label) >= self.n_classes && label != IGNORED;
            if let Some(label) = labels.iter().copied().find(unknown) {
                let reason = format!("has class {label}, expected 0 to {}", self.n_classes - 1);
                return Err(TaskError::Sample { sample: sample.id.to_string(), reason });
            }
            values.extend(image);
            maps.extend(labels);
        }
        let dims = |channels: usize| -> [usize; R] {
            let mut dims = [samples.len(), channels, 1, 1, 1];
            dims[2..2 + D].copy_from_slice(&size);
            std::array::from_fn(|axis| dims[axis])
        };
        let classes: Vec<i32> = maps.iter().map(|&label| if label == IGNORED { 0 } else { label.into() }).collect();
        let mask = maps.contains(&IGNORED).then(|| {
            let known: Vec<f32> = maps.iter().map(|&label| f32::from(u8::from(label != IGNORED))).collect();
            Tensor::from_data(TensorData::new(known, dims(1)), device)
        });
        let distances = if self.hard.needs_distances() {
            let values = self.distances(&maps, size, &samples)?;
            Some(Tensor::from_data(TensorData::new(values, dims(self.n_classes - 1)), device))
        } else {
            None
        };
        let truth = Truth { classes: Tensor::from_data(TensorData::new(classes, dims(1)), device), mask, distances };
        let input = Tensor::from_data(TensorData::new(values, dims(channels)), device);
        let ids: Vec<SampleId> = samples.into_iter().map(|sample| sample.id).collect();
        Ok(Batch { input, target: Labels { truth, maps }, ids })
    }

    /// Signed distances of each foreground class, sample after sample. Ignored points belong to no class.
    fn distances(
        &self,
        maps: &[u16],
        size: [usize; D],
        samples: &[Sample<D, LabelMap<D>>],
    ) -> Result<Vec<f32>, TaskError> {
        let of_sample = |(map, sample): (&[u16], &Sample<D, LabelMap<D>>)| {
            let spacing = sample.target.geometry().spacing_mm().unwrap_or([1.0; D]);
            let grid = match (size.as_slice(), spacing.as_slice()) {
                ([depth, height, width], [z, y, x]) => Grid::volume([*depth, *height, *width], [*z, *y, *x]),
                ([height, width], [y, x]) => Grid::plane([*height, *width], [*y, *x]),
                _ => unreachable!("images have two or three axes"),
            };
            let of_class = |class: usize| {
                let mask: Vec<bool> = map.iter().map(|&label| usize::from(label) == class).collect();
                grid.clone().and_then(|grid| signed_distances(&grid, &mask))
            };
            let classes: Result<Vec<Vec<f32>>, _> = (1..self.n_classes).map(of_class).collect();
            classes.map(|classes| classes.concat()).map_err(|reason| TaskError::Sample {
                sample: sample.id.to_string(),
                reason: format!("has no distances: {reason}"),
            })
        };
        let points = size.iter().product();
        let values: Result<Vec<Vec<f32>>, TaskError> =
            maps.par_chunks_exact(points).zip(samples).map(of_sample).collect();
        Ok(values?.concat())
    }

    fn count<const R: usize>(&self, tally: &mut Tally, raw: Tensor<R>, target: &Labels<R>) -> Result<(), TaskError> {
        let [batch, found] = [raw.dims()[0], raw.dims()[1]];
        if found != self.head.n_outputs() {
            return Err(TaskError::Outputs { expected: self.head.n_outputs(), found, head: self.head.name() });
        }
        let points = target.maps.len() / batch;
        let logits: Vec<f32> = raw.into_data().convert::<f32>().try_into_vec().expect("converted to f32 just before");
        for (sample, truth) in target.maps.chunks_exact(points).enumerate() {
            let named = named_classes(&logits[sample * found * points..(sample + 1) * found * points], found);
            let mut counts = vec![[0; 3]; self.n_classes];
            for (&truth, named) in truth.iter().zip(named) {
                if truth == IGNORED {
                    continue;
                }
                if truth == named {
                    counts[usize::from(truth)][0] += 1;
                } else {
                    counts[usize::from(named)][1] += 1;
                    counts[usize::from(truth)][2] += 1;
                }
            }
            tally.counts.push(counts);
        }
        Ok(())
    }

    /// Dice of a class over all points of the split; none where neither truth nor answer shows it.
    fn dice(tally: &Tally, class: usize) -> Option<f64> {
        let add = |a: [u64; 3], b: &Vec<[u64; 3]>| std::array::from_fn::<u64, 3, _>(|n| a[n] + b[class][n]);
        let [both, more, less] = tally.counts.iter().fold([0; 3], add);
        let all = 2 * both + more + less;
        #[expect(clippy::cast_precision_loss, reason = "points are far below 2^53")]
        (all > 0).then(|| 2.0 * both as f64 / all as f64)
    }

    fn measures(&self, tally: &Tally) -> Vec<Measure> {
        let of_class: Vec<Option<f64>> = (1..self.n_classes).map(|class| Self::dice(tally, class)).collect();
        let shown: Vec<f64> = of_class.iter().flatten().copied().collect();
        #[expect(clippy::cast_precision_loss, reason = "classes are few")]
        let mean = (!shown.is_empty()).then(|| shown.iter().sum::<f64>() / shown.len() as f64);
        let measure = |name: String, value| Measure { name, value, higher_is_better: true };
        let classes = of_class.into_iter().enumerate();
        std::iter::once(measure("dice".into(), mean))
            .chain(classes.map(|(n, value)| measure(format!("dice_{}", n + 1), value)))
            .collect()
    }
}

/// The class of the largest logit of each point, the first of equal ones; of one channel, the foreground above 0.
///
/// `logits` are those of one sample, channel after channel.
#[must_use]
pub fn named_classes(logits: &[f32], channels: usize) -> Vec<u16> {
    let points = logits.len() / channels.max(1);
    if channels == 1 {
        return logits.iter().map(|&logit| u16::from(logit > 0.0)).collect();
    }
    let mut best = logits[..points].to_vec();
    let mut named = vec![0u16; points];
    for (channel, plane) in logits.chunks_exact(points).enumerate().skip(1) {
        let class = u16::try_from(channel).unwrap_or(u16::MAX);
        for ((best, named), &logit) in best.iter_mut().zip(&mut named).zip(plane) {
            if logit > *best {
                (*best, *named) = (logit, class);
            }
        }
    }
    named
}

macro_rules! task {
    ($axes:literal, $rank:literal, $flat:literal) => {
        impl Task<$axes, $rank, $rank> for SegmentTask<$axes> {
            type Answer = LabelMap<$axes>;
            type Target = Labels<$rank>;
            type Tally = Tally;

            fn batch(
                &self,
                samples: Vec<Sample<$axes, LabelMap<$axes>>>,
                view: Option<u32>,
                device: &Device,
            ) -> Result<Batch<Labels<$rank>, $rank>, TaskError> {
                self.make(samples, view, device)
            }

            fn loss(&self, raw: Tensor<$rank>, target: &Labels<$rank>, smoothing: f64) -> Tensor<1> {
                self.hard.forward::<$rank, $flat>(self.head, raw, &target.truth, smoothing)
            }

            fn mask(&self, target: &Labels<$rank>) -> Option<Tensor<$rank>> {
                target.truth.mask.clone()
            }

            fn class_labels(&self, target: &Labels<$rank>) -> Option<Tensor<$rank, Int>> {
                let classes = target.truth.classes.clone();
                Some(match &target.truth.mask {
                    None => classes,
                    Some(mask) => classes.mask_fill(mask.clone().equal_elem(0.0), -1),
                })
            }

            fn gather(&self, tally: &mut Tally, raw: Tensor<$rank>, target: &Labels<$rank>) -> Result<(), TaskError> {
                self.count(tally, raw, target)
            }

            fn judge(&self, tally: &Tally) -> Vec<Measure> {
                self.measures(tally)
            }
        }
    };
}

task!(2, 4, 3);
task!(3, 5, 4);

#[cfg(test)]
mod tests {
    use super::*;
    use kd_image::{Geometry, Image, Intensity, SubjectId};

    fn sample(id: &str, labels: &[u16]) -> Sample<2, LabelMap<2>> {
        let grid = Geometry::<2>::without_spacing([2, labels.len() / 2]).unwrap();
        let values = labels.iter().map(|&label| f32::from(label.min(9))).collect();
        Sample {
            id: SampleId::new(id).unwrap(),
            subject: SubjectId::new(id).unwrap(),
            image: Image::new(1, grid.clone(), Intensity::ZScore, values).unwrap(),
            target: LabelMap::new(grid, labels.to_vec(), 3).unwrap(),
        }
    }

    fn task(head: Head, n_classes: usize, hard: HardLoss) -> SegmentTask<2> {
        SegmentTask::new(head, n_classes, hard, Augmentation::default(), 0).unwrap()
    }

    fn both() -> HardLoss {
        HardLoss { cross_entropy: 1.0, dice: 1.0, ..HardLoss::default() }
    }

    /// Logits that are sure of `labels`.
    fn sure(labels: &[u16], classes: u16) -> Tensor<4> {
        let plane = |class: u16| labels.iter().map(move |&label| if label == class { 9.0f32 } else { -9.0 });
        let values: Vec<f32> = (0..classes).flat_map(plane).collect();
        let shape = [1, usize::from(classes), 2, labels.len() / 2];
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    fn number(loss: Tensor<1>) -> f32 {
        loss.into_scalar::<f32>()
    }

    #[test]
    fn sure_and_right_answers_lose_nothing_and_score_one() {
        let task = task(Head::Softmax { classes: 3 }, 3, both());
        let labels = [0, 1, 2, 1];
        let batch = task.batch(vec![sample("a", &labels)], None, &Device::flex()).unwrap();
        assert!(number(task.loss(sure(&labels, 3), &batch.target, 0.0)) < 1e-4);
        let mut tally = Tally::default();
        task.gather(&mut tally, sure(&labels, 3), &batch.target).unwrap();
        let measures: Vec<Option<f64>> = task.judge(&tally).into_iter().map(|measure| measure.value).collect();
        assert_eq!(measures, [Some(1.0), Some(1.0), Some(1.0)]);
    }

    #[test]
    fn dice_counts_points_over_the_split() {
        let task = task(Head::Softmax { classes: 3 }, 3, both());
        let mut tally = Tally::default();
        for (truth, answer) in [([0, 1, 1, 1], [0, 1, 1, 0]), ([0, 0, 1, 0], [1, 0, 1, 0])] {
            let batch = task.batch(vec![sample("a", &truth)], None, &Device::flex()).unwrap();
            task.gather(&mut tally, sure(&answer, 3), &batch.target).unwrap();
        }
        // 3 right, 1 too many, 1 missed; class 2 is nowhere, and left out of the mean.
        let measures: Vec<Option<f64>> = task.judge(&tally).into_iter().map(|measure| measure.value).collect();
        assert_eq!(measures, [Some(0.75), Some(0.75), None]);
    }

    #[test]
    fn ignored_points_move_neither_loss_nor_measure() {
        let task = task(Head::Softmax { classes: 3 }, 3, both());
        let batch = task.batch(vec![sample("a", &[0, 1, IGNORED, 2])], None, &Device::flex()).unwrap();
        let losses = [[0, 1, 0, 2], [0, 1, 2, 2]].map(|answer| number(task.loss(sure(&answer, 3), &batch.target, 0.0)));
        assert!((losses[0] - losses[1]).abs() < 1e-6, "{losses:?}");
        let labels: Vec<i64> =
            task.class_labels(&batch.target).unwrap().into_data().convert::<i64>().try_into_vec().unwrap();
        assert_eq!(labels, [0, 1, -1, 2]);
        let known = task.mask(&batch.target).unwrap().sum().into_scalar::<f32>();
        assert!((known - 3.0).abs() < 1e-6, "{known}");
    }

    #[test]
    fn one_channel_and_two_class_softmax_lose_the_same() {
        let labels = [0, 1, 1, 0, 0, 1];
        let logits = [0.3f32, -1.2, 2.0, 0.7, -0.4, 1.1];
        let device = Device::flex();
        let one = Tensor::<4>::from_data(TensorData::new(logits.to_vec(), [1, 1, 2, 3]), &device);
        let two = Tensor::cat(vec![one.zeros_like(), one.clone()], 1);
        let lose = |head, raw| {
            let task = task(head, 2, both());
            let batch = task.batch(vec![sample("a", &labels)], None, &device).unwrap();
            number(task.loss(raw, &batch.target, 0.0))
        };
        let (a, b) = (lose(Head::OneChannel, one), lose(Head::TwoClassSoftmax, two));
        assert!((a - b).abs() < 1e-6, "{a} and {b}");
    }

    #[test]
    fn probability_far_from_its_class_loses_more_than_near_it() {
        let near = HardLoss { boundary: 1.0, dice: 1.0, ..HardLoss::default() };
        let task = task(Head::Softmax { classes: 3 }, 3, near);
        let batch = task.batch(vec![sample("a", &[1, 0, 0, 0, 0, 1, 0, 0, 0, 0])], None, &Device::flex()).unwrap();
        let lose = |answer: &[u16]| number(task.loss(sure(answer, 3), &batch.target, 0.0));
        let beside = lose(&[1, 1, 0, 0, 0, 1, 0, 0, 0, 0]);
        let far = lose(&[1, 0, 0, 0, 1, 1, 0, 0, 0, 0]);
        // Of both Dice is the same; the false point lies 1 and 4 steps away, of 10 points and 2 classes.
        assert!((far - beside - 3.0 / 20.0).abs() < 1e-4, "{beside} and {far}");
    }

    #[test]
    fn a_class_that_is_not_there_is_refused_with_the_sample() {
        let task = task(Head::OneChannel, 2, both());
        let refused = task.batch(vec![sample("a", &[0, 1, 2, 0])], None, &Device::flex()).err().unwrap().to_string();
        assert_eq!(refused, "sample `a` has class 2, expected 0 to 1");
    }

    #[test]
    fn a_head_that_does_not_name_the_classes_is_refused() {
        for (head, n) in [(Head::OneChannel, 3), (Head::Softmax { classes: 4 }, 3), (Head::MultiLabel { labels: 3 }, 3)]
        {
            assert!(SegmentTask::<2>::new(head, n, both(), Augmentation::default(), 0).is_err(), "{head:?} {n}");
        }
    }

    #[test]
    fn a_patch_that_the_image_cannot_give_is_refused() {
        let patch = Augmentation { patch: Some(vec![3, 2]), ..Augmentation::default() };
        let task = SegmentTask::<2>::new(Head::Softmax { classes: 3 }, 3, both(), patch, 0).unwrap();
        let refused = task.batch(vec![sample("a", &[0, 1, 2, 1])], Some(0), &Device::flex()).err().unwrap().to_string();
        assert!(refused.contains("`patch` is [3, 2]") && refused.contains("[2, 2]"), "{refused}");
    }

    #[test]
    fn of_equal_logits_the_first_class_is_named() {
        assert_eq!(named_classes(&[0.0, 1.0, 0.0, 2.0, 0.0, 2.0], 3), [0, 1]);
        assert_eq!(named_classes(&[0.0, 0.1], 1), [0, 1]);
    }
}
