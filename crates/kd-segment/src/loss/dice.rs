//! Soft Dice.

use burn::tensor::Tensor;

use super::sums::{Sums, mean_shortfall};

/// Computes 1 − the mean over foreground classes of `2 Σ p t / (Σ p + Σ t)`, each sum over the batch and all valid points.
///
/// # Shapes
/// `probabilities` and `truth` `[batch, class, …spatial]` of equal shape, the background first; with one channel that
/// channel is the foreground. `mask` `[batch, 1, …spatial]`. To `[1]`.
///
/// # Policy
/// - The background is left out: it is most of the image, and hides everything else.
/// - Sums run over the whole batch ("batch Dice"): a slice without the class does not count as 0 or 1 by itself.
/// - A class that the batch's truth does not show is left out of the mean, also where it is predicted: cross-entropy answers
///   for that. Without any class the loss is 0 with gradient 0.
///
/// # Panics
/// When shapes do not fit.
///
/// # Source
/// Milletari, Navab and Ahmadi 2016, "V-Net", arXiv 1606.04797, section 3; without the squares in the divisor, as
/// Drozdzal et al. 2016, arXiv 1608.04117, equation 2.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_segment::loss::soft_dice;
/// let device = Device::flex();
/// // Two points, the second one foreground: 2 · 0.5 / (0.5 + 0 + 1) = 2/3.
/// let probabilities = Tensor::<3>::from_data([[[1.0, 0.5], [0.0, 0.5]]], &device);
/// let truth = Tensor::<3>::from_data([[[1.0, 0.0], [0.0, 1.0]]], &device);
/// let loss = soft_dice(probabilities, truth, None).into_scalar::<f32>();
/// assert!((loss - 1.0 / 3.0).abs() < 1e-6);
/// ```
pub fn soft_dice<const R: usize>(probabilities: Tensor<R>, truth: Tensor<R>, mask: Option<Tensor<R>>) -> Tensor<1> {
    let sums = Sums::new("soft Dice", probabilities, truth, mask).foreground();
    let shown = sums.shown();
    mean_shortfall(sums.both.mul_scalar(2.0), sums.named + sums.found, shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn pair(device: &Device) -> (Tensor<4>, Tensor<4>) {
        let truth = [0, 1, 2, 2, 1, 0, 0, 0];
        let one_hot: Vec<f32> = (0..2)
            .flat_map(|sample| (0..3).flat_map(move |class| (0..4).map(move |point| (sample, class, point))))
            .map(|(sample, class, point)| f32::from(u8::from(truth[sample * 4 + point] == class)))
            .collect();
        let soft: Vec<f32> = one_hot.iter().enumerate().map(|(n, t)| 0.7 * t + 0.1 + 0.01 * (n % 5) as f32).collect();
        let tensor = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, [2, 3, 2, 2]), device);
        (tensor(soft), tensor(one_hot))
    }

    #[test]
    fn a_perfect_answer_loses_nothing() {
        let (_, truth) = pair(&Device::flex());
        assert!(soft_dice(truth.clone(), truth, None).into_scalar::<f32>().abs() < 1e-6);
    }

    #[test]
    fn points_outside_of_the_mask_move_nothing() {
        let device = Device::flex();
        let (soft, truth) = pair(&device);
        let mask = Tensor::<4>::from_data([[[[1.0, 1.0], [1.0, 0.0]]], [[[1.0, 1.0], [0.0, 1.0]]]], &device);
        let spoiled = soft.clone() + mask.clone().neg().add_scalar(1.0).expand([2, 3, 2, 2]).mul_scalar(5.0);
        let a = soft_dice(soft, truth.clone(), Some(mask.clone())).into_scalar::<f32>();
        let b = soft_dice(spoiled, truth, Some(mask)).into_scalar::<f32>();
        assert!((a - b).abs() < 1e-6 && a > 0.1, "{a} and {b}");
    }

    #[test]
    fn a_batch_without_foreground_has_no_loss_and_no_gradient() {
        let device = Device::flex().autodiff();
        let background = Tensor::<3>::from_data([[[1.0, 1.0], [0.0, 0.0]]], &device.clone().inner());
        let soft = Tensor::<3>::from_data([[[0.6, 0.9], [0.4, 0.1]]], &device).require_grad();
        let loss = soft_dice(soft.clone(), background, None);
        assert!(loss.clone().inner().into_scalar::<f32>().abs() < f32::MIN_POSITIVE);
        let gradient = soft.grad(&loss.backward()).map_or(0.0, |g| g.abs().sum().into_scalar::<f32>());
        assert!(gradient < f32::MIN_POSITIVE, "{gradient}");
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let device = Device::flex().autodiff();
        let (soft, truth) = pair(&device.clone().inner());
        let leaf = Tensor::from_inner(soft.clone()).require_grad();
        let gradient = leaf.grad(&soft_dice(leaf.clone(), truth.clone(), None).backward()).unwrap();
        let gradient: Vec<f32> = gradient.into_data().try_into_vec().unwrap();
        let values: Vec<f32> = soft.into_data().try_into_vec().unwrap();
        let loss = |place: usize, step: f32| {
            let mut moved = values.clone();
            moved[place] += step;
            let moved = Tensor::<4>::from_data(TensorData::new(moved, [2, 3, 2, 2]), &device.clone().inner());
            f64::from(soft_dice(moved, truth.clone(), None).into_scalar::<f32>())
        };
        for (place, &found) in gradient.iter().enumerate() {
            let numeric = (loss(place, 1e-2) - loss(place, -1e-2)) / 2e-2;
            // Single precision, so steps are large and differences coarse.
            assert!((numeric - f64::from(found)).abs() < 1e-4, "{place}: {numeric} and {found}");
        }
    }
}
