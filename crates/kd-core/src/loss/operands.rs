//! Brings student, teacher and mask into the one state from which every distillation loss computes.
//!
//! Shape rules, detaching and masking stand here once, so that no single loss can forget one of them.

use burn::tensor::{Bool, Int, Tensor};

use super::{Beside, DistillLoss, LossError, reduce::total};
use crate::temperature::Temperature;

/// Student and teacher logits of equal shape, teacher and mask off the graph, masked positions blanked.
pub(super) struct Operands<const D: usize> {
    pub(super) student: Tensor<D>,
    pub(super) teacher: Tensor<D>,
    pub(super) mask: Option<Tensor<D>>,
    /// There when the loss needs them; positions without a label are masked, and 0 stands there.
    pub(super) labels: Option<Tensor<D, Int>>,
}

impl<const D: usize> Operands<D> {
    pub(super) fn new(loss: &impl DistillLoss<D>, student: Tensor<D>, beside: Beside<D>) -> Self {
        let Beside { teacher, mask, labels, .. } = beside;
        let labels = labels.filter(|_| loss.needs_labels());
        let mask_dims = mask.as_ref().map(Tensor::dims);
        let checked = loss
            .check(&student.dims(), &teacher.dims(), mask_dims.as_ref().map(<[usize; D]>::as_slice))
            .and_then(|()| match &labels {
                None if loss.needs_labels() => Err(LossError::NoLabels { loss: loss.name() }),
                None => Ok(()),
                Some(labels) => check_labels(&student.dims(), &labels.dims()),
            });
        if let Err(error) = checked {
            panic!("{}: {error}", loss.name());
        }
        // `inner`, not `detach`: detaching a leaf keeps its wish for a gradient, and backward would walk the teacher.
        let teacher = teacher.inner().cast(student.dtype());
        let mut mask = mask.map(|mask| mask.inner().cast(student.dtype()));
        let labels = labels.map(|labels| {
            let labels = labels.inner();
            let labelled = labels.clone().greater_equal_elem(0).float().cast(student.dtype());
            mask = Some(match mask.take() {
                None => labelled,
                Some(mask) => mask.expand(labels.dims()) * labelled,
            });
            labels.clamp_min(0)
        });
        match mask {
            None => Self { student, teacher, mask: None, labels },
            Some(mask) => Self {
                student: blank_invalid(student, &mask),
                teacher: blank_invalid(teacher, &mask),
                mask: Some(mask),
                labels,
            },
        }
    }

    /// Divides both sides' logits by the temperature.
    pub(super) fn softened(self, temperature: Temperature) -> Self {
        // As a product: Burn's gradient of a division by a scalar takes the reciprocal in single precision.
        let factor = 1.0 / temperature.get();
        Self { student: self.student.mul_scalar(factor), teacher: self.teacher.mul_scalar(factor), ..self }
    }

    /// The same with all spatial axes as one.
    pub(super) fn flat(self) -> Flat {
        let dims = self.student.dims();
        let positions = dims[2..].iter().product();
        let weight = match self.mask {
            Some(mask) => flatten(expand_mask(mask, dims)),
            None => Tensor::ones([dims[0], 1, positions], (&self.teacher.device(), self.teacher.dtype())),
        };
        let labels = self.labels.map(|labels| labels.reshape([dims[0], 1, positions]));
        Flat { student: flatten(self.student), teacher: flatten(self.teacher), weight, labels }
    }
}

/// Operands as `[batch, channel, position]`; one position where the output is pooled.
pub(super) struct Flat {
    pub(super) student: Tensor<3>,
    pub(super) teacher: Tensor<3>,
    /// `[batch, 1, position]`: how much a position counts, 0 for not.
    pub(super) weight: Tensor<3>,
    pub(super) labels: Option<Tensor<3, Int>>,
}

impl Flat {
    /// The labels as `[batch, classes, position]`: true at the label's class.
    pub(super) fn one_hot(&self, classes: usize) -> Tensor<3, Bool> {
        one_hot(self.labels.clone().expect("operands of a loss that needs labels have them"), classes)
    }

    /// Number of samples with a valid position, as a tensor, and at least 1.
    pub(super) fn samples(&self) -> Tensor<1> {
        total(self.weight.clone().max_dim(2).greater_elem(0.0).float().cast(self.weight.dtype())).clamp_min(1.0)
    }
}

/// `[batch, 1, position]` class numbers as `[batch, classes, position]`.
pub(super) fn one_hot(labels: Tensor<3, Int>, classes: usize) -> Tensor<3, Bool> {
    let [batch, _, positions] = labels.dims();
    let numbers = Tensor::<1, Int>::arange(0..classes as i64, (&labels.device(), labels.dtype()));
    let dims = [batch, classes, positions];
    numbers.reshape([1, classes, 1]).expand(dims).equal(labels.expand(dims))
}

/// All spatial axes as one.
pub(super) fn flatten<const D: usize>(tensor: Tensor<D>) -> Tensor<3> {
    let dims = tensor.dims();
    tensor.reshape([dims[0], dims[1], dims[2..].iter().product()])
}

/// A mask at every position of `dims`, one channel.
fn expand_mask<const D: usize>(mask: Tensor<D>, dims: [usize; D]) -> Tensor<D> {
    let mut full = dims;
    full[1] = 1;
    mask.expand(full)
}

/// Sets logits at masked positions to 0, because multiplying a loss or a gradient by 0 does not remove a NaN.
pub(super) fn blank_invalid<const D: usize>(logits: Tensor<D>, mask: &Tensor<D>) -> Tensor<D> {
    let invalid = mask.clone().equal_elem(0.0).expand(logits.dims());
    logits.mask_fill(invalid, 0.0)
}

/// Checks the shapes of logits and mask against the house convention.
///
/// # Shapes
/// See [`DistillLoss`]: rank 2 to 5, equal for student and teacher, class axis 1; a mask has the batch of the logits,
/// a class axis of 1, and spatial axes that are equal or 1.
///
/// # Errors
/// [`LossError::Rank`], [`LossError::EmptyAxis`], [`LossError::TeacherShape`] or [`LossError::MaskShape`], the first
/// that applies.
///
/// # Example
/// ```
/// use kd_core::loss::check_shapes;
///
/// assert!(check_shapes(&[8, 3, 32, 32], &[8, 3, 32, 32], Some(&[8, 1, 32, 32])).is_ok());
/// let error = check_shapes(&[8, 3], &[8, 4], None).unwrap_err();
/// assert_eq!(error.to_string(), "teacher logits must have the shape of the student logits [8, 3], found [8, 4]");
/// ```
pub fn check_shapes(student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
    check_logits(student)?;
    if student != teacher {
        return Err(LossError::TeacherShape { student: student.to_vec(), teacher: teacher.to_vec() });
    }
    mask.map_or(Ok(()), |mask| check_mask(student, mask, false))
}

/// Rank 2 to 5 and no empty axis.
pub(super) fn check_logits(logits: &[usize]) -> Result<(), LossError> {
    if !(2..=5).contains(&logits.len()) {
        return Err(LossError::Rank { found: logits.to_vec() });
    }
    if logits.contains(&0) {
        return Err(LossError::EmptyAxis { found: logits.to_vec() });
    }
    Ok(())
}

/// Labels `[batch, 1, …spatial]` of the logits' full size.
pub(super) fn check_labels(logits: &[usize], labels: &[usize]) -> Result<(), LossError> {
    let mut expected = logits.to_vec();
    expected[1] = 1;
    if labels == expected {
        return Ok(());
    }
    Err(LossError::LabelShape { logits: logits.to_vec(), expected, found: labels.to_vec() })
}

/// A mask over positions (class axis 1), or over single labels as well where `per_label` says so.
pub(super) fn check_mask(logits: &[usize], mask: &[usize], per_label: bool) -> Result<(), LossError> {
    let fits = mask.len() == logits.len()
        && mask.iter().zip(logits).enumerate().all(|(axis, (&m, &l))| match axis {
            0 => m == l,
            1 => m == 1 || (per_label && m == l),
            _ => m == l || m == 1,
        });
    if fits {
        return Ok(());
    }
    let mut expected = logits.to_vec();
    expected[1] = 1;
    Err(LossError::MaskShape { logits: logits.to_vec(), expected, mask: mask.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_shape_that_breaks_it() {
        let ok = |s: &[usize], t: &[usize], m: Option<&[usize]>| check_shapes(s, t, m);
        assert_eq!(ok(&[4, 3], &[4, 3], Some(&[4, 1])), Ok(()));
        assert_eq!(ok(&[4, 3, 8, 6], &[4, 3, 8, 6], Some(&[4, 1, 1, 1])), Ok(()));
        assert!(matches!(ok(&[4], &[4], None), Err(LossError::Rank { .. })));
        assert!(matches!(ok(&[1; 6], &[1; 6], None), Err(LossError::Rank { .. })));
        assert!(matches!(ok(&[0, 3], &[0, 3], None), Err(LossError::EmptyAxis { .. })));
        assert!(matches!(ok(&[4, 3], &[3, 4], None), Err(LossError::TeacherShape { .. })));
        for mask in [&[4, 3][..], &[1, 1], &[3, 1], &[4], &[4, 1, 1]] {
            assert!(matches!(ok(&[4, 3], &[4, 3], Some(mask)), Err(LossError::MaskShape { .. })), "{mask:?}");
        }
    }

    #[test]
    fn a_mask_per_label_is_only_taken_where_it_is_allowed() {
        assert!(check_mask(&[4, 3], &[4, 3], true).is_ok());
        assert!(check_mask(&[4, 3], &[4, 2], true).is_err());
        assert!(check_mask(&[4, 3], &[4, 3], false).is_err());
    }
}
