//! A teacher whose logits are divided by one number, so that its probabilities are frequencies.
//!
//! An overconfident teacher teaches almost one-hot labels at any temperature that is chosen for another one. The number
//! is fitted on validation answers by whoever makes this; stored answers stay raw, and are divided as they are read.

use burn::tensor::Tensor;
use kd_image::SampleId;

use crate::state::hash_texts;
use crate::{Teacher, TeacherError, Temperature, Watch};

/// Divides another teacher's logits by a fitted temperature.
///
/// # Policy
/// The temperature of a distillation loss comes on top. Decisions do not change. The hash is another one than the raw
/// teacher's, so a student of one is never taken for a student of the other.
///
/// # Source
/// Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv 1706.04599, section 4.2 (temperature scaling).
///
/// # Example
/// ```
/// use kd_core::{CalibratedTeacher, Teacher, TeacherError, Temperature};
/// use burn::tensor::{Device, Tensor};
/// use kd_image::SampleId;
///
/// struct Sure;
/// impl Teacher<4, 2> for Sure {
///     fn hash(&self) -> &str { "sure" }
///     fn answers_fresh_views(&self) -> bool { true }
///     fn answer(&self, _: &Tensor<4>, _: &[SampleId], _: u32) -> Result<Tensor<2>, TeacherError> {
///         Ok(Tensor::from_data([[6.0, -2.0]], &Device::flex()))
///     }
///     fn hash_now(&self) -> String { "sure".into() }
/// }
///
/// let teacher = CalibratedTeacher::new(&Sure, Temperature::new(2.0)?);
/// let answer = teacher.answer(&Tensor::zeros([1, 1, 1, 1], &Device::flex()), &[], 0)?;
/// assert_eq!(answer.into_data().try_into_vec::<f32>().unwrap(), [3.0, -1.0]);
/// assert_ne!(teacher.hash(), "sure");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CalibratedTeacher<'a, const I: usize, const O: usize> {
    inner: &'a dyn Teacher<I, O>,
    temperature: Temperature,
    hash: String,
}

impl<'a, const I: usize, const O: usize> CalibratedTeacher<'a, I, O> {
    /// Wraps a teacher.
    #[must_use]
    pub fn new(inner: &'a dyn Teacher<I, O>, temperature: Temperature) -> Self {
        let hash = Self::hash_of(inner.hash(), temperature);
        Self { inner, temperature, hash }
    }

    /// The hash of a calibrated teacher, from the raw one's.
    #[must_use]
    pub fn hash_of(raw: &str, temperature: Temperature) -> String {
        hash_texts([raw.to_owned(), format!("calibrated {}", temperature.get())].into_iter())
    }
}

impl<const I: usize, const O: usize> Teacher<I, O> for CalibratedTeacher<'_, I, O> {
    fn hash(&self) -> &str {
        &self.hash
    }

    fn answers_fresh_views(&self) -> bool {
        self.inner.answers_fresh_views()
    }

    fn answer(&self, input: &Tensor<I>, ids: &[SampleId], view: u32) -> Result<Tensor<O>, TeacherError> {
        Ok(self.inner.answer(input, ids, view)?.mul_scalar(1.0 / self.temperature.get()))
    }

    fn answer_watched(
        &self,
        input: &Tensor<I>,
        ids: &[SampleId],
        view: u32,
        watch: &mut Watch<I>,
    ) -> Result<Tensor<O>, TeacherError> {
        Ok(self.inner.answer_watched(input, ids, view, watch)?.mul_scalar(1.0 / self.temperature.get()))
    }

    fn hash_now(&self) -> String {
        Self::hash_of(&self.inner.hash_now(), self.temperature)
    }
}
