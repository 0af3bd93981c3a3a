//! Which part of the values is shown: windows and VOI tables (PS3.3 C.11.2).

use super::super::error::Problem;
use super::data_set::DataSet;
use super::lookup::LookupTable;
use super::tag;

/// The curve of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowFunction {
    /// A line from `center − 0.5 − (width − 1) / 2` to `center − 0.5 + (width − 1) / 2` (C.11.2.1.2.1).
    Linear,
    /// A line from `center − width / 2` to `center + width / 2` (C.11.2.1.3.2).
    LinearExact,
    /// `1 / (1 + exp(−4 (x − center) / width))` (C.11.2.1.3.1).
    Sigmoid,
}

/// A range of modality values and how it is spread over the shades of a display.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Its middle, in modality values.
    pub center: f64,
    /// Its width, in modality values.
    pub width: f64,
    /// Its curve.
    pub function: WindowFunction,
}

/// Which window or table a display uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Voi {
    /// The file's choice: its first VOI table if it has one, else its first window, else the whole range.
    File,
    /// The file's VOI table of this position, from 0.
    Table(usize),
    /// The file's window of this position, from 0.
    Window(usize),
    /// This one.
    Given(Window),
    /// From the smallest to the largest modality value of the image, padding left out.
    WholeRange,
}

impl Window {
    /// Where a modality value lies between black (0) and white (1).
    ///
    /// # Example
    /// ```
    /// use kd_data::format::{Window, WindowFunction};
    /// let window = Window { center: 2.0, width: 3.0, function: WindowFunction::Linear };
    /// assert_eq!([0.5, 1.5, 2.5].map(|x| window.shade(x)), [0.0, 0.5, 1.0]);
    /// let exact = Window { function: WindowFunction::LinearExact, ..window };
    /// assert_eq!([0.5, 2.0, 3.5].map(|x| exact.shade(x)), [0.0, 0.5, 1.0]);
    /// ```
    #[must_use]
    pub fn shade(&self, value: f64) -> f64 {
        let line = |center: f64, width: f64| {
            if value <= center - width / 2.0 {
                0.0
            } else if value > center + width / 2.0 {
                1.0
            } else {
                (value - center) / width + 0.5
            }
        };
        match self.function {
            WindowFunction::Linear => line(self.center - 0.5, self.width - 1.0),
            WindowFunction::LinearExact => line(self.center, self.width),
            WindowFunction::Sigmoid => 1.0 / (1.0 + (-4.0 * (value - self.center) / self.width).exp()),
        }
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        let narrowest = if self.function == WindowFunction::Linear { "from 1" } else { "above 0" };
        let valid = match self.function {
            WindowFunction::Linear => self.width >= 1.0,
            WindowFunction::LinearExact | WindowFunction::Sigmoid => self.width > 0.0,
        };
        if valid && self.width.is_finite() && self.center.is_finite() {
            return Ok(());
        }
        Err(Problem::new(format!("{} {narrowest}", tag::WINDOW_WIDTH), self.width.to_string())
            .hint("give a window of your own, or take the whole range"))
    }

    /// Reads the windows of a data set; centres and widths come in pairs.
    pub(super) fn read_all(set: &DataSet<'_>) -> Result<Vec<Self>, Problem> {
        let function = match set.code(tag::VOI_FUNCTION) {
            None | Some("LINEAR") => WindowFunction::Linear,
            Some("LINEAR_EXACT") => WindowFunction::LinearExact,
            Some("SIGMOID") => WindowFunction::Sigmoid,
            Some(_) => {
                let expected = format!("LINEAR, LINEAR_EXACT or SIGMOID in {}", tag::VOI_FUNCTION);
                return Err(Problem::new(expected, "another text"));
            }
        };
        let centers = set.decimals(tag::WINDOW_CENTER)?.unwrap_or_default();
        let widths = set.decimals(tag::WINDOW_WIDTH)?.unwrap_or_default();
        Ok(centers.into_iter().zip(widths).map(|(center, width)| Self { center, width, function }).collect())
    }
}

/// Tables and windows of a file; windows may differ from frame to frame.
#[derive(Clone)]
pub(super) struct VoiSteps {
    pub(super) tables: Vec<LookupTable>,
    /// One list for all frames, or one a frame.
    pub(super) windows: Vec<Vec<Window>>,
}

/// What turns modality values of one frame into shades.
pub(super) enum Shading<'a> {
    Table(&'a LookupTable),
    Window(Window),
}

impl VoiSteps {
    pub(super) fn shading(
        &self,
        voi: Voi,
        frame: usize,
        whole_range: impl Fn() -> Window,
    ) -> Result<Shading<'_>, Problem> {
        let windows = self.windows.get(frame).or_else(|| self.windows.first()).map_or(&[][..], Vec::as_slice);
        let missing = |what: &str, index: usize, found: usize| {
            Problem::new(format!("{what} {index}, counted from 0"), format!("{found} in the file"))
        };
        let shading = match voi {
            Voi::File => match (self.tables.first(), windows.first()) {
                (Some(table), _) => Shading::Table(table),
                (None, Some(window)) => Shading::Window(*window),
                (None, None) => Shading::Window(whole_range()),
            },
            Voi::Table(index) => {
                let table = self.tables.get(index);
                Shading::Table(table.ok_or_else(|| missing("VOI table", index, self.tables.len()))?)
            }
            Voi::Window(index) => {
                Shading::Window(*windows.get(index).ok_or_else(|| missing("window", index, windows.len()))?)
            }
            Voi::Given(window) => Shading::Window(window),
            Voi::WholeRange => Shading::Window(whole_range()),
        };
        if let Shading::Window(window) = &shading {
            window.check()?;
        }
        Ok(shading)
    }
}

impl Shading<'_> {
    /// The shade of a modality value, from 0 (black) to 255 (white), halves rounded up.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 1, so nothing is cut off but the fraction
    pub(super) fn byte(&self, value: f64) -> u8 {
        let shade = match self {
            Self::Window(window) => window.shade(value),
            // Tables map whole numbers; a value between two of them takes the nearer one.
            Self::Table(table) => f64::from(table.at(value.round() as i64)) / f64::from(table.highest()),
        };
        (shade * 255.0 + 0.5).floor().clamp(0.0, 255.0) as u8
    }
}
