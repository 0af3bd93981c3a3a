//! Classification as the trainer sees it: batches, the hard-label loss, and the measures that choose an epoch.

use burn::tensor::{Device, Int, Tensor, TensorData};
use kd_core::loss::{BinaryCrossEntropy, BinaryWeights, CrossEntropy, LossError};
use kd_core::train::Measure;
use kd_core::{Batch, Head, Network, Task, TaskError, Watch};
use kd_image::{Sample, SampleId, Target};

use crate::score::{Judged, Metric};
use crate::{Augmentation, Classifier};

impl Network<4, 2> for Classifier {
    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        Self::forward(self, input)
    }

    fn forward_watched(&self, input: Tensor<4>, watch: &mut Watch<4>) -> Tensor<2> {
        Self::forward_watched(self, input, watch)
    }
}

/// How classes are weighted in the hard-label loss.
#[derive(Debug, Clone, PartialEq)]
pub enum ClassWeights {
    /// All samples count alike.
    Equal,
    /// One factor per class (softmax, one channel), or per label on its positive half (multi-label).
    Given(Vec<f64>),
}

/// A classification task.
#[derive(Debug, Clone)]
pub struct ClassifyTask {
    head: Head,
    n_classes: usize,
    weights: ClassWeights,
    augmentation: Augmentation,
    augmentation_key: u64,
}

/// The labels of one batch, in the form that its loss takes. Unlabelled samples have 0 in `labelled`.
#[derive(Debug, Clone)]
pub struct Labels {
    classes: Tensor<1, Int>,
    binary: Tensor<2>,
    labelled: Tensor<2>,
    targets: Vec<Target>,
}

/// Answers and labels gathered over a split.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Logits, sample by sample.
    pub logits: Vec<f32>,
    /// The labels in the same order.
    pub targets: Vec<Target>,
}

impl ClassifyTask {
    /// Sets up a task of `n_classes` classes or labels.
    ///
    /// `augmentation_key` belongs to the recipe, not to a seed: views are shared by all arms and seeds.
    ///
    /// # Errors
    /// [`LossError`] when the weights do not fit the head.
    pub fn new(
        head: Head,
        n_classes: usize,
        weights: ClassWeights,
        augmentation: Augmentation,
        augmentation_key: u64,
    ) -> Result<Self, LossError> {
        let task = Self { head, n_classes, weights, augmentation, augmentation_key };
        // The losses check the weights; shapes are those of a batch of one.
        if head.is_bernoulli() {
            let shape = [1, head.n_outputs()];
            task.binary_loss(0.0)?.check(&shape, &shape, None)?;
        } else {
            task.softmax_loss(0.0)?.check(&[1, head.n_outputs()], &[1], None)?;
        }
        Ok(task)
    }

    /// The same task with images left as they are.
    #[must_use]
    pub fn without_augmentation(&self) -> Self {
        Self { augmentation: Augmentation::default(), ..self.clone() }
    }

    /// The same task for some of the classes, counted anew in the order given, under a softmax head.
    ///
    /// # Errors
    /// [`LossError`] when a class has no weight among those that the task was given.
    ///
    /// # Panics
    /// For fewer than two classes.
    pub fn of_classes(&self, classes: &[usize]) -> Result<Self, LossError> {
        let weights = match &self.weights {
            ClassWeights::Equal => ClassWeights::Equal,
            ClassWeights::Given(weights) => {
                let of_class = |class: &usize| weights.get(*class).copied();
                let chosen: Option<Vec<f64>> = classes.iter().map(of_class).collect();
                ClassWeights::Given(chosen.ok_or_else(|| LossError::Weights {
                    what: "class_weights",
                    expected: format!("one for each of the classes {classes:?}"),
                    found: weights.clone(),
                })?)
            }
        };
        let head = Head::softmax(classes.len()).expect("two classes or more have a softmax head");
        Self::new(head, classes.len(), weights, self.augmentation, self.augmentation_key)
    }

    /// Number of classes, or of labels.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    fn softmax_loss(&self, smoothing: f64) -> Result<CrossEntropy, LossError> {
        let weights = match &self.weights {
            ClassWeights::Equal => None,
            ClassWeights::Given(weights) => Some(weights.clone()),
        };
        CrossEntropy::new(weights, smoothing)
    }

    fn binary_loss(&self, smoothing: f64) -> Result<BinaryCrossEntropy, LossError> {
        let weights = match (&self.weights, self.head) {
            (ClassWeights::Equal, _) => BinaryWeights::Equal,
            (ClassWeights::Given(weights), Head::OneChannel) => match weights.as_slice() {
                [negative, positive] => BinaryWeights::Classes { negative: *negative, positive: *positive },
                _ => {
                    return Err(LossError::Weights {
                        what: "class_weights",
                        expected: "two (negative, positive)".into(),
                        found: weights.clone(),
                    });
                }
            },
            (ClassWeights::Given(weights), _) => BinaryWeights::Positive(weights.clone()),
        };
        BinaryCrossEntropy::new(weights, smoothing)
    }

    fn labels(&self, samples: &[Sample<2>], device: &Device) -> Result<Labels, TaskError> {
        let n = samples.len();
        let outputs = self.head.n_outputs();
        let mut classes = vec![0i32; n];
        let mut binary = vec![0.0f32; n * outputs];
        let mut labelled = vec![1.0f32; n];
        for (position, sample) in samples.iter().enumerate() {
            let refuse = |reason: String| TaskError::Sample { sample: sample.id.to_string(), reason };
            let row = &mut binary[position * outputs..(position + 1) * outputs];
            match (&sample.target, self.head) {
                (Target::Unlabelled, _) => labelled[position] = 0.0,
                (Target::Class(class), Head::MultiLabel { .. }) => {
                    return Err(refuse(format!("has one class ({class}), expected a set of labels")));
                }
                (Target::Class(class), _) if usize::from(*class) >= self.n_classes => {
                    return Err(refuse(format!("has class {class}, expected 0 to {}", self.n_classes - 1)));
                }
                (Target::Class(class), Head::OneChannel) => row[0] = f32::from(*class),
                (Target::Class(class), Head::Ordinal { .. }) => {
                    row.iter_mut().take(usize::from(*class)).for_each(|target| *target = 1.0);
                }
                (Target::Class(class), _) => classes[position] = i32::from(*class),
                (Target::Labels(labels), Head::MultiLabel { .. }) if labels.len() == outputs => {
                    row.iter_mut().zip(labels).for_each(|(target, &label)| *target = f32::from(u8::from(label)));
                }
                (Target::Labels(labels), head) => {
                    return Err(refuse(format!(
                        "has {} labels, expected {} for a {} head",
                        labels.len(),
                        if matches!(head, Head::MultiLabel { .. }) { outputs } else { 1 },
                        head.name()
                    )));
                }
            }
        }
        Ok(Labels {
            classes: Tensor::from_data(TensorData::new(classes, [n]), device),
            binary: Tensor::from_data(TensorData::new(binary, [n, outputs]), device),
            labelled: Tensor::from_data(TensorData::new(labelled, [n, 1]), device),
            targets: samples.iter().map(|sample| sample.target.clone()).collect(),
        })
    }
}

impl Task<2, 4, 2> for ClassifyTask {
    type Answer = Target;
    type Target = Labels;
    type Tally = Tally;

    fn batch(
        &self,
        samples: Vec<Sample<2>>,
        view: Option<u32>,
        device: &Device,
    ) -> Result<Batch<Labels, 4>, TaskError> {
        let target = self.labels(&samples, device)?;
        let (channels, [height, width]) =
            samples.first().map_or((1, [1, 1]), |sample| (sample.image.channels(), sample.image.geometry().shape()));
        let mut values = Vec::with_capacity(samples.len() * channels * height * width);
        for sample in &samples {
            let found = (sample.image.channels(), sample.image.geometry().shape());
            if found != (channels, [height, width]) {
                let reason = format!(
                    "has {} channels and shape {:?}, expected {channels} and {:?} as the batch's first",
                    found.0,
                    found.1,
                    [height, width]
                );
                return Err(TaskError::Sample { sample: sample.id.to_string(), reason });
            }
            match view {
                Some(view) => {
                    values.extend(self.augmentation.view(&sample.image, self.augmentation_key, &sample.id, view));
                }
                None => values.extend_from_slice(sample.image.values()),
            }
        }
        let ids: Vec<SampleId> = samples.into_iter().map(|sample| sample.id).collect();
        let input = Tensor::from_data(TensorData::new(values, [ids.len(), channels, height, width]), device);
        Ok(Batch { input, target, ids })
    }

    fn loss(&self, raw: Tensor<2>, target: &Labels, smoothing: f64) -> Tensor<1> {
        let labelled = Some(target.labelled.clone());
        if self.head.is_bernoulli() {
            let loss = self.binary_loss(smoothing).expect("weights and smoothing were checked when the task was made");
            loss.forward(raw, target.binary.clone(), labelled)
        } else {
            let loss = self.softmax_loss(smoothing).expect("weights and smoothing were checked when the task was made");
            loss.forward(raw, target.classes.clone(), labelled)
        }
    }

    /// Distillation looks at every sample, labelled or not: that is what soft labels are for.
    fn mask(&self, _target: &Labels) -> Option<Tensor<2>> {
        None
    }

    fn class_labels(&self, target: &Labels) -> Option<Tensor<2, Int>> {
        let classes = match self.head {
            Head::OneChannel => target.binary.clone().int(),
            Head::TwoClassSoftmax | Head::Softmax { .. } => target.classes.clone().unsqueeze_dim(1),
            Head::MultiLabel { .. } | Head::Ordinal { .. } => return None,
        };
        Some(classes.mask_fill(target.labelled.clone().equal_elem(0.0), -1))
    }

    fn gather(&self, tally: &mut Tally, raw: Tensor<2>, target: &Labels) -> Result<(), TaskError> {
        let [_, found] = raw.dims();
        if found != self.head.n_outputs() {
            return Err(TaskError::Outputs { expected: self.head.n_outputs(), found, head: self.head.name() });
        }
        let values = raw.into_data().convert::<f32>().try_into_vec().expect("converted to f32 just before");
        tally.logits.extend::<Vec<f32>>(values);
        tally.targets.extend_from_slice(&target.targets);
        Ok(())
    }

    fn judge(&self, tally: &Tally) -> Vec<Measure> {
        let judged = Judged::new(self.head, self.n_classes, &tally.logits, &tally.targets);
        let measured = |metric: Metric| {
            let value = judged.as_ref().ok().and_then(|judged| judged.value(metric, None).ok());
            Measure { name: metric.name().into(), value, higher_is_better: metric.higher_is_better() }
        };
        Metric::of_head(self.head).iter().map(|&metric| measured(metric)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kd_image::{Geometry, Image, Intensity, SubjectId};

    fn sample(id: &str, target: Target) -> Sample<2> {
        let image = Image::new(1, Geometry::without_spacing([1, 2]).unwrap(), Intensity::ZScore, vec![0.0, 1.0]);
        let name = SampleId::new(id).unwrap();
        Sample { id: name, subject: SubjectId::new(id).unwrap(), image: image.unwrap(), target }
    }

    fn task(head: Head, n_classes: usize) -> ClassifyTask {
        ClassifyTask::new(head, n_classes, ClassWeights::Equal, Augmentation::default(), 0).unwrap()
    }

    fn loss(task: &ClassifyTask, raw: &[&[f32]], targets: Vec<Target>) -> f32 {
        let device = Device::flex();
        let samples = targets.into_iter().map(|target| sample("s", target)).collect();
        let batch = task.batch(samples, None, &device).unwrap();
        let raw = Tensor::from_data(TensorData::new(raw.concat(), [raw.len(), raw[0].len()]), &device);
        task.loss(raw, &batch.target, 0.0).into_data().try_into_vec::<f32>().unwrap()[0]
    }

    #[test]
    fn unlabelled_samples_do_not_move_the_loss() {
        let task = task(Head::Softmax { classes: 3 }, 3);
        let alone = loss(&task, &[&[1.0, 0.0, 2.0]], vec![Target::Class(2)]);
        let both = loss(&task, &[&[1.0, 0.0, 2.0], &[9.0, -9.0, 0.0]], vec![Target::Class(2), Target::Unlabelled]);
        assert!((alone - both).abs() < 1e-6, "{alone} and {both}");
    }

    #[test]
    fn some_of_the_classes_are_counted_anew_with_their_weights() {
        let weights = ClassWeights::Given(vec![1.0, 2.0, 4.0]);
        let all = ClassifyTask::new(Head::Softmax { classes: 3 }, 3, weights, Augmentation::default(), 0).unwrap();
        let two = all.of_classes(&[2, 0]).unwrap();
        assert_eq!((two.head, two.n_classes), (Head::TwoClassSoftmax, 2));
        assert_eq!(two.weights, ClassWeights::Given(vec![4.0, 1.0]));
        assert!(all.of_classes(&[0, 3]).unwrap_err().to_string().contains("class_weights"));
    }

    #[test]
    fn a_grade_is_as_many_yes_answers_as_it_is_high() {
        // Grade 1 of 0..=2: first question yes, second no; σ(0) = ½ each.
        let found = loss(&task(Head::Ordinal { classes: 3 }, 3), &[&[0.0, 0.0]], vec![Target::Class(1)]);
        assert!((found - 2.0 * 2f32.ln()).abs() < 1e-6, "{found}");
        let sure = loss(&task(Head::Ordinal { classes: 3 }, 3), &[&[9.0, -9.0]], vec![Target::Class(1)]);
        assert!(sure < 1e-3, "{sure}");
    }

    #[test]
    fn a_label_of_another_kind_is_refused_with_the_sample() {
        let device = Device::flex();
        let refuse = |head, n, target| task(head, n).batch(vec![sample("a", target)], None, &device).err().unwrap();
        let class = refuse(Head::OneChannel, 2, Target::Class(2)).to_string();
        assert_eq!(class, "sample `a` has class 2, expected 0 to 1");
        let labels = refuse(Head::MultiLabel { labels: 3 }, 3, Target::Labels(vec![true])).to_string();
        assert_eq!(labels, "sample `a` has 1 labels, expected 3 for a multi-label head");
    }

    #[test]
    fn one_channel_takes_two_class_weights_and_no_other_number() {
        let weighted =
            |weights| ClassifyTask::new(Head::OneChannel, 2, ClassWeights::Given(weights), Augmentation::default(), 0);
        assert!(weighted(vec![1.0, 3.0]).is_ok());
        assert!(weighted(vec![1.0]).is_err());
        assert!(weighted(vec![1.0, 2.0, 3.0]).is_err());
    }
}
