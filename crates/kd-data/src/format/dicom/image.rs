//! One DICOM file with its pixels, and the three ways to look at them.

use std::fmt;
use std::path::Path;

use kd_image::Intensity;

use super::super::error::Problem;
use super::super::{FormatError, NpyArray, NpyValue, read_bytes};
use super::color;
use super::container::{Container, no_image};
use super::data_set::DataSet;
use super::frames::{FrameGroups, pixel_spacing};
use super::modality::{ModalityStep, Rescale};
use super::padding::Padding;
use super::palette::Palette;
use super::pixel_format::{Photometric, PixelFormat, SampleType};
use super::stored;
use super::tag;
use super::window::{Voi, VoiSteps, Window, WindowFunction};

/// Runs `$body` with `$values` bound to the numbers of an array, whatever their type, and `$as_f64` to the cast.
macro_rules! with_numbers {
    ($array:expr, |$values:ident, $as_f64:ident| $body:expr) => {{
        // Floats become whole numbers in front of tables only, and 64 bits become 32 by contract.
        #[allow(clippy::cast_lossless, clippy::cast_precision_loss, clippy::cast_possible_truncation)]
        match $array {
            NpyValue::U8(NpyArray { values: $values, .. }) => {
                let $as_f64 = |v: &u8| f64::from(*v);
                $body
            }
            NpyValue::I8(NpyArray { values: $values, .. }) => {
                let $as_f64 = |v: &i8| f64::from(*v);
                $body
            }
            NpyValue::U16(NpyArray { values: $values, .. }) => {
                let $as_f64 = |v: &u16| f64::from(*v);
                $body
            }
            NpyValue::I16(NpyArray { values: $values, .. }) => {
                let $as_f64 = |v: &i16| f64::from(*v);
                $body
            }
            NpyValue::U32(NpyArray { values: $values, .. }) => {
                let $as_f64 = |v: &u32| f64::from(*v);
                $body
            }
            NpyValue::I32(NpyArray { values: $values, .. }) => {
                let $as_f64 = |v: &i32| f64::from(*v);
                $body
            }
            NpyValue::F32(NpyArray { values: $values, .. }) => {
                let $as_f64 = |v: &f32| f64::from(*v);
                $body
            }
            NpyValue::F64(NpyArray { values: $values, .. }) => {
                let $as_f64 = |v: &f64| *v;
                $body
            }
            // Stored pixels are never of these.
            NpyValue::U64(NpyArray { values: $values, .. }) => {
                let $as_f64 = |v: &u64| *v as f64;
                $body
            }
            NpyValue::I64(NpyArray { values: $values, .. }) => {
                let $as_f64 = |v: &i64| *v as f64;
                $body
            }
            NpyValue::Text(NpyArray { values: $values, .. }) => {
                let $as_f64 = |_: &String| 0.0;
                $body
            }
        }
    }};
}

/// One file of pixels: stored values, and the steps that give them a meaning and a shade.
///
/// Holds nothing that identifies a patient: no name, number, date or instance UID is read into it.
pub struct DicomImage {
    pub(super) format: PixelFormat,
    stored: NpyValue,
    ybr: bool,
    palette: Option<Palette>,
    pub(super) modality: ModalityStep,
    voi: Result<VoiSteps, Problem>,
    padding: Option<Padding>,
    pixel_spacing_mm: Option<[f64; 2]>,
    intensity: Intensity,
    name: String,
}

impl fmt::Debug for DicomImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DicomImage")
            .field("shape", &self.shape())
            .field("photometric", &self.format.photometric)
            .field("intensity", &self.intensity)
            .field("pixel_spacing_mm", &self.pixel_spacing_mm)
            .finish_non_exhaustive()
    }
}

/// Reads one DICOM file with all its frames.
///
/// # Policy
/// - Little- and big-endian, implicit and explicit, deflated; with or without preamble and meta information. A syntax
///   without a reader in this build is refused by name and UID.
/// - Bits outside of Bits Stored are cut off (old files keep overlays there), signs are spread.
/// - Truncated pixels are refused, never filled up.
///
/// # Errors
/// [`FormatError`] that names the file, and the attribute or the codec where one is at fault. It repeats no text of the
/// file except codes of the standard.
pub fn read_dicom(path: &Path) -> Result<DicomImage, FormatError> {
    let bytes = read_bytes(path, "a DICOM file")?;
    DicomImage::parse(&bytes, crate::store::path_tail(path)).map_err(|problem| problem.at(path, None))
}

impl DicomImage {
    fn parse(bytes: &[u8], name: String) -> Result<Self, Problem> {
        let container = Container::open(bytes)?;
        let set = container.data_set()?;
        if ![tag::PIXELS, tag::FLOAT_PIXELS, tag::DOUBLE_PIXELS].iter().any(|tag| set.elements.contains_key(tag)) {
            return Err(no_image());
        }
        let format = PixelFormat::read(&set)?;
        let groups = FrameGroups::of(&set);
        // Items without a frame come from files that were cut down to their first frames; a frame without its item has
        // nothing to stand on.
        if groups.distinct() != 1 && groups.distinct() < format.frames {
            let expected = format!("an item a frame in {}, {} in all", tag::FRAME_GROUPS, format.frames);
            return Err(Problem::new(expected, groups.distinct().to_string()));
        }
        let stored = stored::read(&set, &format, container.syntax).map_err(|problem| problem.inside(tag::PIXELS))?;
        let signed = matches!(format.sample_type, SampleType::Integer { signed: true, .. });
        let palette = match format.photometric {
            Photometric::Palette => Some(Palette::read(&set, signed)?),
            _ => None,
        };
        let modality = ModalityStep::read(&set, &groups, signed)?;
        let voi = voi_steps(&set, &groups, signed);
        let padding = Padding::read(&set, &format)?;
        let pixel_spacing_mm = pixel_spacing(&groups, 0)?;
        let intensity = intensity(&set, &format, &modality);
        let Stored { values: stored, ybr } = stored;
        Ok(Self { format, stored, ybr, palette, modality, voi, padding, pixel_spacing_mm, intensity, name })
    }

    /// `[frames, rows, columns]`, and 3 behind them for colour; a palette image has no fourth axis before its colours are
    /// looked up.
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        self.format.shape()
    }

    /// What the samples stand for.
    #[must_use]
    pub fn photometric(&self) -> Photometric {
        self.format.photometric
    }

    /// What the numbers of [`modality`](Self::modality) mean.
    #[must_use]
    pub fn intensity(&self) -> Intensity {
        self.intensity
    }

    /// Distance of rows, then of columns, in mm. For projections without a calibration it is measured on the detector.
    #[must_use]
    pub fn pixel_spacing_mm(&self) -> Option<[f64; 2]> {
        self.pixel_spacing_mm
    }

    /// Values as they are stored, in the stored element type: palette indices, and colour as it was encoded (YBR_FULL as
    /// luminance and colour differences, one of each a pixel). Nothing is rescaled or inverted.
    #[must_use]
    pub fn raw(&self) -> &NpyValue {
        &self.stored
    }

    /// Which values are padding: equal to Pixel Padding Value, or between it and the limit of its range. `None` where
    /// the file declares no padding.
    #[must_use]
    pub fn padding_mask(&self) -> Option<Vec<bool>> {
        let padding = self.padding.as_ref()?;
        Some(with_numbers!(&self.stored, |values, as_f64| values.iter().map(|v| padding.holds(as_f64(v))).collect()))
    }

    /// Values after the modality step, `[frames, rows, columns]` or `[frames, rows, columns, 3]`.
    ///
    /// # Policy
    /// Grey: modality table, else slope and intercept (of each frame where they differ), computed in 64 bits.
    /// MONOCHROME1 is not inverted. Colour and palettes: red, green, blue in the range they are stored in.
    ///
    /// # Errors
    /// [`FormatError::Content`] for a result that is not finite.
    pub fn modality(&self) -> Result<NpyArray<f32>, FormatError> {
        let mut values = Vec::new();
        for frame in 0..self.format.frames {
            self.frame_modality(frame, &mut values)?;
        }
        let mut shape = vec![self.format.frames, self.format.rows, self.format.columns];
        if !self.format.photometric.is_grey() {
            shape.push(3);
        }
        Ok(NpyArray { shape, values })
    }

    /// Appends the modality values of one frame.
    pub(super) fn frame_modality(&self, frame: usize, into: &mut Vec<f32>) -> Result<(), FormatError> {
        let (start, end) = self.frame_range(frame);
        let first = into.len();
        with_numbers!(&self.stored, |values, as_f64| {
            let values = &values[start..end];
            if let Some(palette) = &self.palette {
                let colors = values.iter().map(|value| palette.color(as_f64(value) as i64));
                into.extend(colors.flat_map(|color| color.map(f32::from)));
            } else if self.ybr {
                into.extend(values.chunks_exact(3).flat_map(|ybr| self.rgb_of(ybr, as_f64).map(|v| v as f32)));
            } else if !self.format.photometric.is_grey() {
                into.extend(values.iter().map(|value| as_f64(value) as f32));
            } else if let (None, Some(Rescale { slope, intercept })) =
                (&self.modality.table, self.modality.rescale(frame))
            {
                // A loop of its own, without a choice in it: most files end up here.
                into.extend(values.iter().map(|value| (as_f64(value) * slope + intercept) as f32));
            } else {
                into.extend(values.iter().map(|value| self.modality.value(frame, as_f64(value)) as f32));
            }
        });
        match into[first..].iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(position) => Err(self.refused(Problem::new(
                "finite values after the modality step",
                format!("{} at position {position} of frame {frame}", into[first + position]),
            ))),
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // YBR has 8 bits
    fn rgb_of<T>(&self, ybr: &[T], as_f64: impl Fn(&T) -> f64) -> [f64; 3] {
        let bytes = std::array::from_fn(|index| ybr.get(index).map_or(0.0, &as_f64) as u8);
        color::rgb(bytes).map(f64::from)
    }

    /// Shades for a screen, 0 black to 255 white, `[frames, rows, columns]` or `[frames, rows, columns, 3]`.
    ///
    /// # Policy
    /// Grey: modality step, then the window or table that `voi` chooses, then MONOCHROME1 is inverted. Colour: scaled
    /// from its stored range; `voi` has no say. Halves are rounded up.
    ///
    /// # Errors
    /// [`FormatError::Content`] when the file lacks the window or table asked for, or its window is none.
    pub fn display(&self, voi: Voi) -> Result<NpyArray<u8>, FormatError> {
        let mut shape = vec![self.format.frames, self.format.rows, self.format.columns];
        if self.format.photometric.is_grey() {
            let values = self.grey_display(voi)?;
            return Ok(NpyArray { shape, values });
        }
        shape.push(3);
        let colors = self.modality()?;
        let bits = self.palette.as_ref().map_or_else(|| u32::from(self.format.stored_bits()), |p| u32::from(p.bits()));
        let highest = f64::from(u32::MAX >> (32 - if self.ybr { 8 } else { bits }));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
        let shade = |value: &f32| (f64::from(*value) / highest * 255.0 + 0.5).floor().clamp(0.0, 255.0) as u8;
        Ok(NpyArray { shape, values: colors.values.iter().map(shade).collect() })
    }

    fn grey_display(&self, voi: Voi) -> Result<Vec<u8>, FormatError> {
        let steps = self.voi.as_ref().map_err(|problem| self.refused(problem.clone()))?;
        let inverted = self.format.photometric == Photometric::Monochrome1;
        let mut shades = Vec::with_capacity(self.format.n_samples().unwrap_or_default());
        for frame in 0..self.format.frames {
            let (start, end) = self.frame_range(frame);
            let shading = steps.shading(voi, frame, || self.whole_range());
            let shading = shading.map_err(|problem| self.refused(problem))?;
            let shade = |stored: f64| {
                let shade = shading.byte(self.modality.value(frame, stored));
                if inverted { 255 - shade } else { shade }
            };
            match &self.stored {
                // Up to 16 bits every shade is computed once.
                NpyValue::U16(NpyArray { values, .. }) if values.len() >= 1 << 16 => {
                    let table: Vec<u8> = (0..=u16::MAX).map(|stored| shade(f64::from(stored))).collect();
                    shades.extend(values[start..end].iter().map(|&stored| table[usize::from(stored)]));
                }
                NpyValue::I16(NpyArray { values, .. }) if values.len() >= 1 << 16 => {
                    let table: Vec<u8> = (0..=u16::MAX).map(|bits| shade(f64::from(bits.cast_signed()))).collect();
                    shades.extend(values[start..end].iter().map(|&stored| table[usize::from(stored.cast_unsigned())]));
                }
                stored => with_numbers!(stored, |values, as_f64| {
                    shades.extend(values[start..end].iter().map(|value| shade(as_f64(value))));
                }),
            }
        }
        Ok(shades)
    }

    /// A window from the smallest to the largest modality value that is no padding.
    fn whole_range(&self) -> Window {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for frame in 0..self.format.frames {
            let (start, end) = self.frame_range(frame);
            with_numbers!(&self.stored, |values, as_f64| for value in values[start..end].iter().map(as_f64) {
                if self.padding.as_ref().is_none_or(|padding| !padding.holds(value)) {
                    let value = self.modality.value(frame, value);
                    low = low.min(value);
                    high = high.max(value);
                }
            });
        }
        let width = if high > low { high - low } else { 1.0 };
        let center = if low.is_finite() { low + width / 2.0 } else { 0.0 };
        Window { center, width, function: WindowFunction::LinearExact }
    }

    fn frame_range(&self, frame: usize) -> (usize, usize) {
        let samples = self.format.frame_samples().unwrap_or_default();
        (frame * samples, (frame + 1) * samples)
    }

    /// Which values of one frame are padding; `false` for all where the file declares none.
    pub(super) fn frame_padding(&self, frame: usize) -> Option<Vec<bool>> {
        let padding = self.padding.as_ref()?;
        let (start, end) = self.frame_range(frame);
        Some(with_numbers!(&self.stored, |values, as_f64| {
            values[start..end].iter().map(|value| padding.holds(as_f64(value))).collect()
        }))
    }

    fn refused(&self, problem: Problem) -> FormatError {
        problem.at(Path::new(&self.name), None)
    }
}

use super::stored::Stored;

fn voi_steps(set: &DataSet<'_>, groups: &FrameGroups<'_>, signed: bool) -> Result<VoiSteps, Problem> {
    use super::lookup::LookupTable;
    let tables =
        set.items(tag::VOI_LUT).iter().map(|item| LookupTable::read(item, signed)).collect::<Result<_, _>>()?;
    let windows = (0..groups.distinct())
        .map(|frame| {
            let holding = groups.holding(frame, tag::FRAME_VOI, tag::WINDOW_CENTER);
            holding.map_or_else(|| Ok(Vec::new()), Window::read_all)
        })
        .collect::<Result<_, _>>()?;
    Ok(VoiSteps { tables, windows })
}

/// What modality values mean: Hounsfield units only where a CT says so, by rescaling to no other unit.
fn intensity(set: &DataSet<'_>, format: &PixelFormat, modality: &ModalityStep) -> Intensity {
    let is_ct = set.code(tag::MODALITY) == Some("CT");
    let scout = set.code(tag::IMAGE_TYPE).is_some_and(|kind| kind.split('\\').any(|part| part.trim() == "LOCALIZER"));
    let unsigned = matches!(format.sample_type, SampleType::Integer { signed: false, .. });
    if is_ct && !scout && format.photometric.is_grey() && modality.rescales_all() && modality.unit_may_be_hu {
        return Intensity::Hounsfield;
    }
    // An MR's numbers have no unit, however they were stored.
    let mr = set.code(tag::MODALITY) == Some("MR");
    if unsigned && !mr && format.photometric != Photometric::Palette && modality.is_none() {
        return Intensity::Stored { bits: u8::try_from(format.stored_bits()).unwrap_or(u8::MAX) };
    }
    Intensity::Arbitrary
}
