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

/// Counts a network's parameters, and its multiply-adds for one input image of `[height, width]` pixels.
///
/// # Policy
/// One multiply-add is one multiplication with its addition, half of what papers that count "FLOPs" singly report.
/// Convolutions are counted, padding included as if it were image; bias, norm, ReLU, pooling, interpolation and the
/// residual additions are not. Parameters exclude running statistics, as PyTorch's count does.
///
/// # Errors
/// As [`NetworkSpec::check_input`].
///
/// # Example
/// ```
/// use kd_enhance::{NetworkDesign, cost};
/// let text = "architecture = 'dncnn'\nwidth = 64\nlayers = 17\nnorm = 'batch'";
/// let spec = toml::from_str::<NetworkDesign>(text)?.spec(1)?;
/// // 576 + 64, 15 · (36 864 + 128), 576 + 1.
/// assert_eq!(cost(&spec, [40, 40])?.parameters, 556_097);
/// assert_eq!(cost(&spec, [40, 40])?.multiply_adds, 1600 * (576 + 15 * 36_864 + 576));
/// # Ok::<(), Box<dyn std::error::Error>>(())
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
