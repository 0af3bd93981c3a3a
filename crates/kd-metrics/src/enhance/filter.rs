//! Means over a sliding window, for images and products of images, without ever keeping a filtered image.
//!
//! The window is a product of one-dimensional ones, so depth, width and height are filtered one after the other, band by
//! band: what a band of rows needs stays in the cache. Only places where the whole window fits are visited, so no border
//! rule is needed. Sums are taken per band and then in order: the bits do not depend on the number of threads. Nor do they
//! depend on the width of vectors: the same loops are compiled for several, and no product is fused with a sum.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Rows of one band. Enough that the rows filtered twice do not matter, few enough that a band stays in the cache.
const BAND: usize = 32;

/// Weights of a one-dimensional window: odd in number, symmetric, with the sum 1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    weights: Vec<f64>,
}

impl Window {
    /// The same weight everywhere.
    pub(crate) fn uniform(length: usize) -> Self {
        Self { weights: vec![1.0 / length as f64; length] }
    }

    /// A Gaussian, cut off and scaled to the sum 1: along each axis this gives what a cut and scaled 2D one has.
    pub(crate) fn gaussian(length: usize, sigma: f64) -> Self {
        let middle = (length / 2) as f64;
        let raw: Vec<f64> = (0..length).map(|i| (-0.5 * ((i as f64 - middle) / sigma).powi(2)).exp()).collect();
        let sum: f64 = raw.iter().sum();
        Self { weights: raw.iter().map(|weight| weight / sum).collect() }
    }

    pub(crate) fn length(&self) -> usize {
        self.weights.len()
    }

    /// `out = Σ_k weight_k · source(k)`: neighbouring places of one line, or neighbouring lines.
    #[inline(always)]
    fn apply<'a>(&self, out: &mut [f64], source: impl Fn(usize) -> &'a [f64]) {
        let (n, last) = (out.len(), self.length() - 1);
        let middle = last / 2;
        let at = |k: usize| &source(k)[..n];
        let (centre, weight) = (at(middle), self.weights[middle]);
        for i in 0..n {
            out[i] = weight * centre[i];
        }
        // Two symmetric pairs at a time, from the middle outwards: fewer ways through memory.
        let mut k = middle;
        while k >= 2 {
            let (a, b, weight_ab) = (at(k - 1), at(last - (k - 1)), self.weights[k - 1]);
            let (c, d, weight_cd) = (at(k - 2), at(last - (k - 2)), self.weights[k - 2]);
            for i in 0..n {
                out[i] += weight_ab * (a[i] + b[i]) + weight_cd * (c[i] + d[i]);
            }
            k -= 2;
        }
        if k == 1 {
            let (a, b, weight) = (at(0), at(last), self.weights[0]);
            for i in 0..n {
                out[i] += weight * (a[i] + b[i]);
            }
        }
    }
}

/// Two images of one shape; a plane has depth 1 and no window along it.
#[derive(Clone, Copy)]
pub(crate) struct Images<'a> {
    pub(crate) shape: [usize; 3],
    pub(crate) axes: usize,
    pub(crate) x: &'a [f64],
    pub(crate) y: &'a [f64],
}

/// Sums `term` of the windowed means of `products` over all places where the window fits, and counts the places.
/// `None` where it fits nowhere.
pub(crate) fn sum_of_local<const M: usize, const T: usize>(
    images: Images<'_>,
    window: &Window,
    products: impl Fn(f64, f64) -> [f64; M] + Sync,
    term: impl Fn([f64; M]) -> [f64; T] + Sync,
) -> Option<([f64; T], usize)> {
    let length = window.length();
    let [depth, height, width] = images.shape;
    let slabs = if images.axes == 3 { (depth + 1).checked_sub(length)? } else { depth };
    let (rows, columns) = ((height + 1).checked_sub(length)?, (width + 1).checked_sub(length)?);
    if slabs == 0 || rows == 0 || columns == 0 {
        return None;
    }
    let (bands, arch) = (rows.div_ceil(BAND), Arch::new());
    let sums: Vec<[f64; T]> = (0..slabs * bands)
        .into_par_iter()
        .map_init(
            || Band::<M>::new(width, columns, length),
            |band, index| {
                let (slab, first) = (index / bands, index % bands * BAND);
                let rows = first..first + BAND.min(rows - first);
                arch.dispatch(OneBand { band, images, window, slab, rows, products: &products, term: &term })
            },
        )
        .collect();
    let total = sums.iter().fold([0.0; T], |total, sum| std::array::from_fn(|t| total[t] + sum[t]));
    Some((total, slabs * rows * columns))
}

/// The work on one band, for whatever vectors the machine has.
struct OneBand<'a, const M: usize, P, T> {
    band: &'a mut Band<M>,
    images: Images<'a>,
    window: &'a Window,
    slab: usize,
    rows: std::ops::Range<usize>,
    products: &'a P,
    term: &'a T,
}

impl<const M: usize, const T: usize, P, F> WithSimd for OneBand<'_, M, P, F>
where
    P: Fn(f64, f64) -> [f64; M],
    F: Fn([f64; M]) -> [f64; T],
{
    type Output = [f64; T];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f64; T] {
        let count = self.rows.len();
        let all = self.rows.start..self.rows.end + self.window.length() - 1;
        self.band.load(self.images, self.window, self.slab, all, self.products);
        self.band.sum(self.window, count, self.term)
    }
}

/// Memory for the rows of one band, filtered along depth and width.
struct Band<const M: usize> {
    columns: usize,
    /// One line of each product.
    lines: [Vec<f64>; M],
    /// All rows of each product, after the filter along the width.
    rows: [Vec<f64>; M],
    /// One line of each product, after the filter along the height.
    means: [Vec<f64>; M],
}

impl<const M: usize> Band<M> {
    fn new(width: usize, columns: usize, length: usize) -> Self {
        Self {
            columns,
            lines: std::array::from_fn(|_| vec![0.0; width]),
            rows: std::array::from_fn(|_| vec![0.0; columns * (BAND + length - 1)]),
            means: std::array::from_fn(|_| vec![0.0; columns]),
        }
    }

    #[inline(always)]
    fn load(
        &mut self,
        images: Images<'_>,
        window: &Window,
        slab: usize,
        rows: std::ops::Range<usize>,
        products: &impl Fn(f64, f64) -> [f64; M],
    ) {
        let [_, height, width] = images.shape;
        for (index, row) in rows.enumerate() {
            let line = |depth: usize| {
                let start = (depth * height + row) * width;
                (&images.x[start..][..width], &images.y[start..][..width])
            };
            if images.axes == 3 {
                self.lines.iter_mut().for_each(|line| line.fill(0.0));
                for (step, &weight) in window.weights.iter().enumerate() {
                    let (x, y) = line(slab + step);
                    self.take(x, y, |old, value| old + weight * value, products);
                }
            } else {
                let (x, y) = line(slab);
                self.take(x, y, |_, value| value, products);
            }
            for (line, rows) in self.lines.iter().zip(&mut self.rows) {
                window.apply(&mut rows[index * self.columns..][..self.columns], |step| &line[step..]);
            }
        }
    }

    #[inline(always)]
    fn take(
        &mut self,
        x: &[f64],
        y: &[f64],
        combine: impl Fn(f64, f64) -> f64,
        products: &impl Fn(f64, f64) -> [f64; M],
    ) {
        let lines = self.lines.each_mut().map(|line| &mut line[..x.len()]);
        for column in 0..x.len() {
            let values = products(x[column], y[column]);
            for m in 0..M {
                lines[m][column] = combine(lines[m][column], values[m]);
            }
        }
    }

    #[inline(always)]
    fn sum<const T: usize>(&mut self, window: &Window, count: usize, term: &impl Fn([f64; M]) -> [f64; T]) -> [f64; T] {
        let columns = self.columns;
        let mut total = [0.0; T];
        for row in 0..count {
            for (rows, means) in self.rows.iter().zip(&mut self.means) {
                window.apply(means, |step| &rows[(row + step) * columns..][..columns]);
            }
            let means = self.means.each_ref().map(|line| &line[..columns]);
            let at = |column: usize| term(std::array::from_fn(|m| means[m][column]));
            // Two sums at once, so that divisions of neighbours overlap.
            let mut sums = [[0.0; T]; 2];
            for pair in 0..columns / 2 {
                for (lane, sum) in sums.iter_mut().enumerate() {
                    let values = at(2 * pair + lane);
                    (0..T).for_each(|t| sum[t] += values[t]);
                }
            }
            if columns % 2 == 1 {
                let values = at(columns - 1);
                (0..T).for_each(|t| sums[0][t] += values[t]);
            }
            (0..T).for_each(|t| total[t] += sums[0][t] + sums[1][t]);
        }
        total
    }
}

/// One plane filtered, then every second row and column of it: a coarser scale of VIF. The window fits.
pub(crate) fn halved(shape: [usize; 2], image: &[f64], window: &Window) -> ([usize; 2], Vec<f64>) {
    let ([height, width], length) = (shape, window.length());
    let (rows, columns) = (height + 1 - length, width + 1 - length);
    let mut filtered = vec![0.0; height * columns];
    for (out, line) in filtered.chunks_exact_mut(columns).zip(image.chunks_exact(width)) {
        window.apply(out, |step| &line[step..]);
    }
    let mut line = vec![0.0; columns];
    let mut out = Vec::with_capacity(rows.div_ceil(2) * columns.div_ceil(2));
    for row in (0..rows).step_by(2) {
        window.apply(&mut line, |step| &filtered[(row + step) * columns..][..columns]);
        out.extend(line.iter().step_by(2));
    }
    ([rows.div_ceil(2), columns.div_ceil(2)], out)
}
