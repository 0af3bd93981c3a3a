//! Enhancement as the trainer sees it: batches of pairs, the loss against the true image, and the measures that choose an
//! epoch.

use burn::tensor::{Device, Tensor, TensorData};
use kd_core::loss::DistillLoss;
use kd_core::loss::image::ImageDistance;
use kd_core::train::Measure;
use kd_core::{Batch, Task, TaskError};
use kd_image::{Image, Sample, SampleId};
use kd_metrics::ImagePair;
use rayon::prelude::*;

use crate::views::{ViewError, Views};
use crate::{Metric, ScoreRange};

/// Why an enhancement task cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TaskSetupError {
    /// Views that the inputs do not have.
    #[error(transparent)]
    Views(#[from] ViewError),
    /// A loss that is nothing.
    #[error("loss against the truth has weights {found:?}, expected at least one, each above 0")]
    Weights {
        /// The weights.
        found: Vec<f64>,
    },
    /// A scale that maps nothing.
    #[error("prepared images are (value - {offset}) / {scale}, expected finite numbers and a scale above 0")]
    Scale {
        /// What becomes 0.
        offset: f64,
        /// What becomes 1, counted from the offset.
        scale: f64,
    },
}

/// What prepared numbers mean: `value = offset + scale · prepared`, in the unit that scores are in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    /// What becomes 0.
    pub offset: f64,
    /// What becomes 1, counted from the offset.
    pub scale: f64,
}

impl Unit {
    /// Prepared values in the unit of their source.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "images hold f32")]
    pub fn of_source(self, prepared: &[f32]) -> Vec<f32> {
        prepared.iter().map(|&value| (self.offset + self.scale * f64::from(value)) as f32).collect()
    }
}

/// An enhancement task on slices.
#[derive(Debug)]
pub struct EnhanceTask {
    /// Height and width of an input.
    size: [usize; 2],
    factor: usize,
    hard: Vec<(f64, ImageDistance)>,
    views: Views,
    views_key: u64,
    unit: Unit,
    range: ScoreRange,
}

/// The true images of one batch.
#[derive(Debug, Clone)]
pub struct Truth {
    images: Tensor<4>,
}

/// Numbers of a split, image by image, in the order of [`Metric::VALIDATION`]; none where a metric has no value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    images: Vec<Vec<Option<f64>>>,
}

impl EnhanceTask {
    /// Sets up a task on inputs of `[height, width]` whose answers are `factor` times as fine.
    ///
    /// The loss against the truth is the weighted sum of `hard`, in prepared units; measures are in the unit of the source,
    /// within `range`. `views_key` belongs to the recipe, not to a seed: views are shared by all arms and seeds.
    ///
    /// # Errors
    /// [`TaskSetupError`].
    ///
    /// # Example
    /// ```
    /// use kd_core::loss::image::ImageDistance;
    /// use kd_enhance::{EnhanceTask, ScoreRange, Unit, Views};
    /// let unit = Unit { offset: -1000.0, scale: 2000.0 };
    /// let range = ScoreRange::new([-160.0, 240.0], true)?;
    /// let task = EnhanceTask::new(([8, 8], 1), vec![(1.0, ImageDistance::L1)], (Views::default(), 0), (unit, range))?;
    /// assert_eq!(task.factor(), 1);
    /// assert!(EnhanceTask::new(([8, 8], 1), Vec::new(), (Views::default(), 0), (unit, range)).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(
        (size, factor): ([usize; 2], usize),
        hard: Vec<(f64, ImageDistance)>,
        (views, views_key): (Views, u64),
        (unit, range): (Unit, ScoreRange),
    ) -> Result<Self, TaskSetupError> {
        views.check(size)?;
        if hard.is_empty() || hard.iter().any(|(weight, _)| !(weight.is_finite() && *weight > 0.0)) {
            return Err(TaskSetupError::Weights { found: hard.iter().map(|(weight, _)| *weight).collect() });
        }
        let Unit { offset, scale } = unit;
        if !(offset.is_finite() && scale.is_finite() && scale > 0.0) {
            return Err(TaskSetupError::Scale { offset, scale });
        }
        Ok(Self { size, factor, hard, views, views_key, unit, range })
    }

    /// How many times finer an answer is than its input.
    #[must_use]
    pub fn factor(&self) -> usize {
        self.factor
    }

    /// Height and width of a training input.
    #[must_use]
    pub fn view_size(&self) -> [usize; 2] {
        self.views.size(self.size)
    }

    /// What prepared numbers mean.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// The range of the scores.
    #[must_use]
    pub fn range(&self) -> &ScoreRange {
        &self.range
    }

    fn check(&self, sample: &Sample<2, Image<2>>, channels: usize) -> Result<(), TaskError> {
        let found = (sample.image.channels(), sample.image.geometry().shape());
        let truth = (sample.target.channels(), sample.target.geometry().shape());
        let fine = self.size.map(|side| side * self.factor);
        if (found, truth) == ((channels, self.size), (channels, fine)) {
            return Ok(());
        }
        let reason = format!(
            "has {} channels of {:?} pixels and a truth of {} channels of {:?}, expected {channels} of {:?} and of {fine:?}",
            found.0, found.1, truth.0, truth.1, self.size
        );
        Err(TaskError::Sample { sample: sample.id.to_string(), reason })
    }

    /// PSNR, SSIM and RMSE of one prepared answer.
    fn scores(&self, shape: [usize; 2], answer: &[f32], truth: &[f32]) -> Vec<Option<f64>> {
        let values = |prepared: &[f32]| self.range.applied(&self.unit.of_source(prepared));
        let (answer, truth) = (values(answer), values(truth));
        let pair = ImagePair::plane(shape, &answer, &truth).ok();
        // Equal images have an infinite PSNR, which no mean can take.
        let score = |metric: &Metric| metric.within(&self.range).score(pair.as_ref()?).ok().filter(|v| v.is_finite());
        Metric::VALIDATION.iter().map(score).collect()
    }
}

impl Task<2, 4, 4> for EnhanceTask {
    type Answer = Image<2>;
    type Target = Truth;
    type Tally = Tally;

    fn batch(
        &self,
        samples: Vec<Sample<2, Image<2>>>,
        view: Option<u32>,
        device: &Device,
    ) -> Result<Batch<Truth, 4>, TaskError> {
        let Some(first) = samples.first() else {
            return Err(TaskError::Sample { sample: "none".into(), reason: "is missing: a batch needs one".into() });
        };
        let channels = first.image.channels();
        let (mut inputs, mut truths) = (Vec::new(), Vec::new());
        for sample in &samples {
            self.check(sample, channels)?;
            let view = view.map(|view| self.views.draw(self.size, self.views_key, &sample.id, view));
            for (image, factor, values) in [(&sample.image, 1, &mut inputs), (&sample.target, self.factor, &mut truths)]
            {
                let columns = image.geometry().shape()[1];
                for channel in 0..channels {
                    match view {
                        Some(view) => values.extend(view.of(image.channel(channel), columns, factor)),
                        None => values.extend_from_slice(image.channel(channel)),
                    }
                }
            }
        }
        let size = if view.is_some() { self.view_size() } else { self.size };
        let tensor = |values, factor: usize| {
            let shape = [samples.len(), channels, size[0] * factor, size[1] * factor];
            Tensor::from_data(TensorData::new(values, shape), device)
        };
        let (input, images) = (tensor(inputs, 1), tensor(truths, self.factor));
        let ids: Vec<SampleId> = samples.into_iter().map(|sample| sample.id).collect();
        Ok(Batch { input, target: Truth { images }, ids })
    }

    /// The weighted sum of the losses against the truth. An image has no label that could be smoothed: `smoothing` is not
    /// used, and recipes refuse it.
    fn loss(&self, raw: Tensor<4>, target: &Truth, _smoothing: f64) -> Tensor<1> {
        let term = |(weight, loss): &(f64, ImageDistance)| {
            loss.forward(raw.clone(), target.images.clone(), None).mul_scalar(*weight)
        };
        let sum = self.hard.iter().map(term).reduce(|sum, term| sum + term);
        sum.expect("a task has at least one loss")
    }

    fn truth(&self, target: &Truth) -> Option<Tensor<4>> {
        Some(target.images.clone())
    }

    fn mask(&self, _target: &Truth) -> Option<Tensor<4>> {
        None
    }

    fn gather(&self, tally: &mut Tally, raw: Tensor<4>, target: &Truth) -> Result<(), TaskError> {
        let [_, channels, height, width] = raw.dims();
        let expected = target.images.dims();
        if raw.dims() != expected {
            let reason = format!("was answered with {:?} values, expected {expected:?}", raw.dims());
            return Err(TaskError::Sample { sample: "of validation".into(), reason });
        }
        let host = |tensor: Tensor<4>| -> Vec<f32> {
            tensor.into_data().convert::<f32>().try_into_vec().expect("converted to f32 just before")
        };
        let (answers, truths) = (host(raw), host(target.images.clone()));
        let plane = height * width;
        let scores: Vec<Vec<Option<f64>>> = answers
            .par_chunks_exact(channels * plane)
            .zip(truths.par_chunks_exact(channels * plane))
            .map(|(answer, truth)| self.scores([height, width], &answer[..plane], &truth[..plane]))
            .collect();
        tally.images.extend(scores);
        Ok(())
    }

    fn judge(&self, tally: &Tally) -> Vec<Measure> {
        let measure = |(place, metric): (usize, &Metric)| {
            let values: Vec<f64> = tally.images.iter().filter_map(|image| image[place]).collect();
            #[expect(clippy::cast_precision_loss, reason = "images are few")]
            let mean = (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
            Measure { name: metric.name().into(), value: mean, higher_is_better: metric.higher_is_better() }
        };
        Metric::VALIDATION.iter().enumerate().map(measure).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kd_image::{Geometry, Intensity, SubjectId};

    const UNIT: Unit = Unit { offset: -1000.0, scale: 2000.0 };

    fn image(shape: [usize; 2], value: impl Fn(usize) -> f32) -> Image<2> {
        let values = (0..shape[0] * shape[1]).map(value).collect();
        Image::new(1, Geometry::without_spacing(shape).unwrap(), Intensity::ZScore, values).unwrap()
    }

    fn sample(id: &str, image: Image<2>, target: Image<2>) -> Sample<2, Image<2>> {
        Sample { id: SampleId::new(id).unwrap(), subject: SubjectId::new(id).unwrap(), image, target }
    }

    fn task(size: [usize; 2], factor: usize, views: Views, hard: Vec<(f64, ImageDistance)>) -> EnhanceTask {
        let range = ScoreRange::new([-1000.0, 1000.0], false).unwrap();
        EnhanceTask::new((size, factor), hard, (views, 3), (UNIT, range)).unwrap()
    }

    #[test]
    fn the_loss_is_the_weighted_sum_in_prepared_units_and_0_for_the_truth() {
        let hard = vec![(2.0, ImageDistance::L1), (4.0, ImageDistance::Mse)];
        let task = task([4, 4], 1, Views::default(), hard);
        let truth = image([4, 4], |n| n as f32 / 16.0);
        let device = Device::flex();
        let batch = task.batch(vec![sample("a", truth.clone(), truth)], None, &device).unwrap();
        let loss = |answer| task.loss(answer, &batch.target, 0.0).into_scalar::<f32>();
        assert!(loss(batch.input.clone()).abs() < f32::MIN_POSITIVE);
        // 2 · 0.5 + 4 · 0.25
        assert!((loss(batch.input.clone() + 0.5) - 2.0).abs() < 1e-6);
    }

    #[test]
    fn a_term_against_the_truth_is_the_loss_from_the_true_image() {
        let task = task([4, 4], 1, Views::default(), vec![(1.0, ImageDistance::L1)]);
        let truth = image([4, 4], |n| n as f32 / 16.0);
        let batch = task.batch(vec![sample("a", truth.clone(), truth)], None, &Device::flex()).unwrap();
        let kind = kd_core::TermKind::Truth(Box::new(ImageDistance::Mse));
        let term =
            kd_core::Term { name: "mse".into(), weight: 3.0.into(), ramp: kd_core::Ramp::None, kind, exit: None };
        let objective = kd_core::Objective::new(vec![term]).unwrap();
        let seen = kd_core::Seen {
            task: &task,
            raw: &(batch.input + 0.5),
            watched: &kd_core::Watch::nothing(),
            target: &batch.target,
            teacher: None,
            adaptors: &kd_core::Adaptors::default(),
            moment: kd_core::loss::feature::Moment { ids: &batch.ids, seed: 0, epoch: 0 },
        };
        let parts = objective.evaluate(&seen, &[3.0]);
        assert!((parts.total.into_scalar::<f32>() - 0.75).abs() < 1e-6);
    }

    #[test]
    fn measures_are_in_the_unit_of_the_source() {
        let task = task([16, 16], 1, Views::default(), vec![(1.0, ImageDistance::L1)]);
        let truth = image([16, 16], |n| (n % 16) as f32 / 16.0);
        let device = Device::flex();
        let batch = task.batch(vec![sample("a", truth.clone(), truth)], None, &device).unwrap();
        let mut tally = Tally::default();
        task.gather(&mut tally, batch.input.clone() + 0.01, &batch.target).unwrap();
        let measures = task.judge(&tally);
        let value = |name: &str| measures.iter().find(|measure| measure.name == name).unwrap().value.unwrap();
        assert!((value("rmse") - 20.0).abs() < 1e-3, "{}", value("rmse"));
        assert!((value("psnr_db") - 40.0).abs() < 1e-3, "{}", value("psnr_db"));
    }

    #[test]
    fn equal_images_leave_the_mean_of_psnr_without_a_value_instead_of_infinity() {
        let task = task([16, 16], 1, Views::default(), vec![(1.0, ImageDistance::L1)]);
        let truth = image([16, 16], |n| (n % 16) as f32 / 16.0);
        let batch = task.batch(vec![sample("a", truth.clone(), truth)], None, &Device::flex()).unwrap();
        let mut tally = Tally::default();
        task.gather(&mut tally, batch.input.clone(), &batch.target).unwrap();
        let measures = task.judge(&tally);
        assert_eq!((measures[0].name.as_str(), measures[0].value), ("psnr_db", None));
        assert_eq!(measures[1].value, Some(1.0));
    }

    #[test]
    fn a_view_takes_the_same_part_of_input_and_finer_truth() {
        let views = Views { patch: Some([2, 2]), ..Views::default() };
        let task = task([4, 4], 2, views, vec![(1.0, ImageDistance::L1)]);
        let input = image([4, 4], |n| n as f32);
        let truth = image([8, 8], |n| ((n / 8 / 2) * 4 + n % 8 / 2) as f32);
        let batch = task.batch(vec![sample("a", input, truth)], Some(9), &Device::flex()).unwrap();
        assert_eq!((batch.input.dims(), batch.target.images.dims()), ([1, 1, 2, 2], [1, 1, 4, 4]));
        let host = |tensor: Tensor<4>| tensor.into_data().convert::<f32>().try_into_vec::<f32>().unwrap();
        let (input, truth) = (host(batch.input), host(batch.target.images));
        let repeated: Vec<f32> = (0..16).map(|n| input[(n / 4 / 2) * 2 + n % 4 / 2]).collect();
        assert_eq!(truth, repeated);
    }

    #[test]
    fn a_pair_of_other_sizes_is_refused_by_name() {
        let task = task([4, 4], 2, Views::default(), vec![(1.0, ImageDistance::L1)]);
        let pair = sample("case-7", image([4, 4], |_| 0.0), image([4, 4], |_| 0.0));
        let text = task.batch(vec![pair], None, &Device::flex()).unwrap_err().to_string();
        assert!(text.starts_with("sample `case-7` has 1 channels of [4, 4]") && text.contains("[8, 8]"), "{text}");
    }
}
