//! What a network costs before anybody runs it: values to store, and multiply-adds for one image.

use serde::{Deserialize, Serialize};

use crate::network::{NetworkError, NetworkSpec};

/// Bytes of one 32-bit float.
const F32_BYTES: u64 = 4;

/// Size and work of a network, by [`cost`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Trained values: weights, biases, scales and shifts.
    pub parameters: u64,
    /// Running means and variances, which are stored but not trained.
    pub statistics: u64,
    /// Multiply-adds for one image in evaluation.
    pub multiply_adds: u64,
    /// Bytes of parameters and statistics as 32-bit floats, without any file header.
    pub f32_bytes: u64,
}

/// Counts a network's parameters, and its multiply-adds for one image of `[height, width]` pixels.
///
/// # Policy
/// One multiply-add is one multiplication with its addition, half of what papers that count "FLOPs" singly report.
/// Convolutions and linear layers are counted, padding included as if it were image; bias, norm, ReLU, pooling and
/// the residual additions are not. Parameters exclude running statistics, as PyTorch's count does.
///
/// # Errors
/// [`NetworkError::InputTooSmall`] and [`NetworkError::InputTooLarge`].
///
/// # Example
/// ```
/// use kd_classify::{Architecture, NetworkDesign, Stem, cost};
/// let spec = NetworkDesign::new(Architecture::ResNet18, Stem::ImageNet).spec(3, 1000)?;
/// let cost = cost(&spec, [224, 224])?;
/// assert_eq!(cost.parameters, 11_689_512);
/// assert_eq!(cost.multiply_adds, 1_814_073_344);
/// # Ok::<(), kd_classify::NetworkError>(())
/// ```
pub fn cost(spec: &NetworkSpec, size: [usize; 2]) -> Result<Cost, NetworkError> {
    let walk = spec.walk(size)?;
    Ok(Cost {
        parameters: walk.parameters,
        statistics: walk.statistics,
        multiply_adds: walk.multiply_adds,
        f32_bytes: (walk.parameters + walk.statistics) * F32_BYTES,
    })
}
