//! Brings student, teacher and mask into the one state from which every distillation loss computes.
//!
//! Shape rules, detaching and masking stand here once, so that no single loss can forget one of them.

use burn::tensor::Tensor;

use super::{DistillLoss, LossError};
use crate::temperature::Temperature;

/// Student and teacher logits of equal shape, teacher and mask off the graph, masked positions blanked.
pub(super) struct Operands<const D: usize> {
    pub(super) student: Tensor<D>,
    pub(super) teacher: Tensor<D>,
    pub(super) mask: Option<Tensor<D>>,
}

impl<const D: usize> Operands<D> {
    pub(super) fn new(
        loss: &impl DistillLoss<D>,
        student: Tensor<D>,
        teacher: Tensor<D>,
        mask: Option<Tensor<D>>,
    ) -> Self {
        let mask_dims = mask.as_ref().map(Tensor::dims);
        let checked = loss.check(&student.dims(), &teacher.dims(), mask_dims.as_ref().map(<[usize; D]>::as_slice));
        if let Err(error) = checked {
            panic!("{}: {error}", loss.name());
        }
        // `inner`, not `detach`: detaching a leaf keeps its wish for a gradient, and backward would walk the teacher.
        let teacher = teacher.inner().cast(student.dtype());
        let mask = mask.map(|mask| mask.inner().cast(student.dtype()));
        match mask {
            None => Self { student, teacher, mask: None },
            Some(mask) => Self {
                student: blank_invalid(student, &mask),
                teacher: blank_invalid(teacher, &mask),
                mask: Some(mask),
            },
        }
    }

    /// Divides both sides' logits by the temperature.
    pub(super) fn softened(self, temperature: Temperature) -> Self {
        // As a product: Burn's gradient of a division by a scalar takes the reciprocal in single precision.
        let factor = 1.0 / temperature.get();
        Self { student: self.student.mul_scalar(factor), teacher: self.teacher.mul_scalar(factor), mask: self.mask }
    }
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
