//! What overlap losses are made of: for each class, how much is named, how much is true, and how much is both.

use burn::tensor::Tensor;

/// Sums over the batch and all valid points, `[class]` each.
pub(super) struct Sums {
    /// `Σ p t`.
    pub(super) both: Tensor<1>,
    /// `Σ p`.
    pub(super) named: Tensor<1>,
    /// `Σ t`, off the graph.
    pub(super) found: Tensor<1>,
}

impl Sums {
    /// Adds up `[batch, class, …spatial]` of equal shapes under a mask `[batch, 1, …spatial]`.
    ///
    /// # Panics
    /// When shapes do not fit; `loss` names the caller.
    pub(super) fn new<const R: usize>(
        loss: &str,
        probabilities: Tensor<R>,
        truth: Tensor<R>,
        mask: Option<Tensor<R>>,
    ) -> Self {
        let dims = probabilities.dims();
        assert_eq!(dims, truth.dims(), "{loss}: probabilities {dims:?} and truth {:?} differ", truth.dims());
        let truth = truth.inner().cast(probabilities.dtype());
        let (probabilities, truth) = match mask {
            None => (probabilities, truth),
            Some(mask) => {
                let mask = mask.inner().cast(probabilities.dtype()).expand(dims);
                (probabilities * mask.clone(), truth * mask)
            }
        };
        let points: usize = dims[2..].iter().product();
        // Per sample first: a sum over everything would be cut into pieces by threads.
        let sum =
            |tensor: Tensor<R>| tensor.reshape([dims[0], dims[1], points]).sum_dim(2).sum_dim(0).reshape([dims[1]]);
        Self { both: sum(probabilities.clone() * truth.clone()), named: sum(probabilities), found: sum(truth) }
    }

    /// The foreground alone: all but the first class, or the only one.
    pub(super) fn foreground(self) -> Self {
        let [classes] = self.found.dims();
        let first = usize::from(classes > 1);
        let of = |sums: Tensor<1>| sums.narrow(0, first, classes - first);
        Self { both: of(self.both), named: of(self.named), found: of(self.found) }
    }

    /// 1 for classes that the truth shows, 0 for others.
    pub(super) fn shown(&self) -> Tensor<1> {
        self.found.clone().greater_elem(0.0).float().cast(self.found.dtype())
    }
}

/// `1 − numerator / divisor`, averaged over the classes that are shown; 0 with gradient 0 where none is.
pub(super) fn mean_shortfall(numerator: Tensor<1>, divisor: Tensor<1>, shown: Tensor<1>) -> Tensor<1> {
    let absent = shown.clone().equal_elem(0.0);
    let shortfall = (numerator / divisor.mask_fill(absent, 1.0)).neg().add_scalar(1.0);
    let count = shown.clone().sum().clamp_min(1.0);
    (shortfall * shown).sum() / count
}
