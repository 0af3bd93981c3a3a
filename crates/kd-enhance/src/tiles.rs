//! Restoring an image of any size piece by piece, so that memory follows the tile and not the image.

use burn::tensor::{Device, Tensor, TensorData};
use kd_image::{Image, ImageError};

use crate::pair::finer;
use crate::{NetworkSpec, Restorer};

/// How an image is cut for restoration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiling {
    /// Pixels of the input along each side that one pass keeps an answer of.
    pub core: usize,
    /// Pixels around the core that a pass sees too.
    pub margin: usize,
}

/// Why an image was not restored.
#[derive(Debug, thiserror::Error)]
pub enum TileError {
    /// Another number of channels than the network's.
    #[error("image has {found} channels, expected {expected} as the network has")]
    Channels {
        /// Channels of the image.
        found: usize,
        /// Channels of the network.
        expected: usize,
    },
    /// Tiles of nothing.
    #[error("tiles keep {core} pixels a side, expected at least 1 and a multiple of {stride}")]
    Core {
        /// What was asked for.
        core: usize,
        /// The network's stride.
        stride: usize,
    },
    /// An answer that is no image.
    #[error("answer of the network: {0}")]
    Answer(#[from] ImageError),
}

impl Tiling {
    /// Pixels of a core along each side that fit slices of scanners: one of 512 is one pass, one of 2048 are 16.
    pub const SLICE_CORE: usize = 512;

    /// Tiles whose joined answers are the whole image's: as much margin as the network looks around, rounded up to its
    /// stride.
    #[must_use]
    pub fn exact(spec: &NetworkSpec, core: usize) -> Self {
        let stride = spec.stride().max(1);
        Self { core: core.next_multiple_of(stride), margin: spec.reach().next_multiple_of(stride) }
    }

    /// Restores an image of prepared values.
    ///
    /// # Policy
    /// Each tile is passed with its margin and answers for its core; where the image ends, so does the tile, and the
    /// network pads it as it pads a whole image. With at least the network's reach as margin, cores and margin multiples
    /// of its stride, the joined answer differs from that of the whole image by rounding alone; with less, seams show.
    /// An image no larger than a core with its margins is passed at once.
    ///
    /// # Errors
    /// [`TileError`] for other channels than the network's, a core that is 0 or no multiple of its stride, and an answer
    /// that holds a number that is not finite.
    ///
    /// # Example
    /// ```
    /// use burn::tensor::Device;
    /// use kd_enhance::{NetworkDesign, Tiling};
    /// use kd_image::{Geometry, Image, Intensity};
    /// let spec = toml::from_str::<NetworkDesign>("architecture = 'red-cnn'\nwidth = 4\ndepth = 1")?.spec(1)?;
    /// let network = kd_core::initialize(spec.init(&Device::flex()), 0);
    /// let grid = Geometry::<2>::without_spacing([40, 30])?;
    /// let image = Image::new(1, grid, Intensity::Unit, vec![0.25; 1200])?;
    /// let tiling = Tiling::exact(&spec, 16);
    /// assert_eq!(tiling.restore(&network, &spec, &image, &Device::flex())?.geometry().shape(), [40, 30]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore(
        &self,
        network: &Restorer,
        spec: &NetworkSpec,
        image: &Image<2>,
        device: &Device,
    ) -> Result<Image<2>, TileError> {
        let channels = image.channels();
        if channels != spec.channels() {
            return Err(TileError::Channels { found: channels, expected: spec.channels() });
        }
        let stride = spec.stride().max(1);
        if self.core == 0 || !self.core.is_multiple_of(stride) {
            return Err(TileError::Core { core: self.core, stride });
        }
        let [rows, columns] = image.geometry().shape();
        let factor = spec.factor();
        let (fine_rows, fine_columns) = (rows * factor, columns * factor);
        let mut values = vec![0.0f32; channels * fine_rows * fine_columns];
        for [top, bottom] in self.cores(rows) {
            for [left, right] in self.cores(columns) {
                let (seen_rows, seen_columns) = (self.seen([top, bottom], rows), self.seen([left, right], columns));
                let size = [seen_rows[1] - seen_rows[0], seen_columns[1] - seen_columns[0]];
                let mut tile = Vec::with_capacity(channels * size[0] * size[1]);
                for channel in 0..channels {
                    let plane = image.channel(channel);
                    for row in seen_rows[0]..seen_rows[1] {
                        tile.extend_from_slice(
                            &plane[row * columns + seen_columns[0]..row * columns + seen_columns[1]],
                        );
                    }
                }
                let input = TensorData::new(tile, [1, channels, size[0], size[1]]);
                let answer = network.forward(Tensor::from_data(input, device)).into_data().convert::<f32>();
                let answer: Vec<f32> = answer.try_into_vec().expect("converted to f32 just before");
                let (tile_rows, tile_columns) = (size[0] * factor, size[1] * factor);
                let width = (right - left) * factor;
                for channel in 0..channels {
                    for row in top * factor..bottom * factor {
                        let inside = row - seen_rows[0] * factor;
                        let from = (channel * tile_rows + inside) * tile_columns + (left - seen_columns[0]) * factor;
                        let to = (channel * fine_rows + row) * fine_columns + left * factor;
                        values[to..to + width].copy_from_slice(&answer[from..from + width]);
                    }
                }
            }
        }
        let grid = finer(image.geometry(), factor).expect("a finer grid of an image that is in memory");
        Ok(Image::new(channels, grid, image.intensity(), values)?)
    }

    /// Where cores begin and end along an axis.
    fn cores(&self, length: usize) -> Vec<[usize; 2]> {
        if length <= self.core + 2 * self.margin {
            return vec![[0, length]];
        }
        (0..length).step_by(self.core).map(|start| [start, length.min(start + self.core)]).collect()
    }

    /// What a pass for a core sees.
    fn seen(&self, [start, end]: [usize; 2], length: usize) -> [usize; 2] {
        [start.saturating_sub(self.margin), length.min(end + self.margin)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NetworkDesign;
    use kd_image::{Geometry, Intensity};

    const DESIGNS: [&str; 4] = [
        "architecture = 'dncnn'\nwidth = 4\nlayers = 4\nnorm = 'none'",
        "architecture = 'red-cnn'\nwidth = 4\ndepth = 2",
        "architecture = 'u-net'\nwidth = 4\ndepth = 2\nnorm = 'none'",
        "architecture = 'edsr'\nwidth = 4\nblocks = 1\nfactor = 2\nresidual_scale = 0.5",
    ];

    fn noise(shape: [usize; 2]) -> Image<2> {
        let value = |n: usize| ((n as u32).wrapping_mul(2_654_435_761) >> 16) as f32 / 65536.0;
        let values = (0..shape[0] * shape[1]).map(value).collect();
        Image::new(1, Geometry::without_spacing(shape).unwrap(), Intensity::Unit, values).unwrap()
    }

    #[test]
    fn tiles_with_the_networks_reach_join_to_the_whole_answer() {
        let device = Device::flex();
        for text in DESIGNS {
            let spec = toml::from_str::<NetworkDesign>(text).unwrap().spec(1).unwrap();
            let network = kd_core::initialize(spec.init(&device), 3);
            let image = noise([68, 84]);
            let whole = Tiling { core: 1 << 12, margin: 0 }.restore(&network, &spec, &image, &device).unwrap();
            let tiled = Tiling::exact(&spec, 12).restore(&network, &spec, &image, &device).unwrap();
            let difference = |(a, b): (&f32, &f32)| (a - b).abs();
            let most = whole.values().iter().zip(tiled.values()).map(difference).fold(0.0, f32::max);
            assert!(most < 2e-6, "{text}: {most}");
            assert_eq!(whole.geometry(), tiled.geometry());
        }
    }

    #[test]
    fn another_number_of_channels_and_an_empty_core_are_refused() {
        let device = Device::flex();
        let spec = toml::from_str::<NetworkDesign>(DESIGNS[2]).unwrap().spec(1).unwrap();
        let network = kd_core::initialize(spec.init(&device), 3);
        let restore = |core, image: &Image<2>| Tiling { core, margin: 4 }.restore(&network, &spec, image, &device);
        let two = Image::new(2, Geometry::without_spacing([4, 4]).unwrap(), Intensity::Unit, vec![0.0; 32]).unwrap();
        assert!(matches!(restore(16, &two), Err(TileError::Channels { found: 2, expected: 1 })));
        assert!(matches!(restore(0, &noise([8, 8])), Err(TileError::Core { core: 0, .. })));
        assert!(matches!(restore(15, &noise([8, 8])), Err(TileError::Core { .. })));
    }
}
