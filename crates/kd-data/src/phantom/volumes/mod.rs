//! Seeded volumes of heads and thoraxes: the clean images that enhancement starts from, as a CT or as a T1-weighted MR, and
//! thoraxes with masks for segmentation.
//!
//! Anatomy and scanner are apart: a body paints its tissues over one another, each over the part of a voxel that it
//! covers, and a scanner turns tissue into numbers. Tissue has a smooth texture of its own, because a flat one would teach
//! a network that everything flat is right; noise there is none, as [`degrade`](crate::degrade) is to make it.

pub mod ct;
mod head;
pub mod mr;
pub mod organs;
mod shape;
mod texture;
mod thorax;
mod tissue;

use std::path::Path;

use kd_image::{Affine, Geometry, Image, Intensity, Split};
use rayon::prelude::*;

pub use tissue::Tissue;

use self::head::Head;
use self::shape::{cover, ellipsoid};
use self::texture::Field;
use self::thorax::Thorax;
use super::draw::{Draw, Purpose};
use super::{PhantomError, check_shares, refuse, subject_splits};
use crate::format::{NiftiType, write_nifti_image};
use crate::store::StoreError;

/// Takes what a body is made of at one point, the outermost first.
trait Painter {
    /// A tissue over a part of what was there before.
    fn layer(&mut self, tissue: Tissue, cover: f64);

    /// A lesion, which moves the value of what is there: by its strength, −1 to 1, over a part of it.
    fn shift(&mut self, strength: f64, cover: f64);
}

/// A small ellipsoid that is not as the tissue around it.
#[derive(Debug, Clone)]
struct Lesion {
    centre: [f64; 3],
    half: [f64; 3],
    turn: f64,
    /// What it consists of, where that is not the tissue around it.
    tissue: Option<Tissue>,
    /// How much brighter (1) or darker (−1).
    strength: f64,
}

impl Lesion {
    fn draw(draw: &mut Draw, centre: [f64; 3], difficulty: f64) -> Self {
        let graded = |easy: f64, hard: f64| easy + (hard - easy) * difficulty;
        let radius = graded(11.0, 4.0) * draw.within(0.8, 1.2);
        let half = std::array::from_fn(|_| radius * draw.within(0.75, 1.2));
        let sign = if draw.chance(0.5) { 1.0 } else { -1.0 };
        let strength = sign * graded(0.9, 0.3) * draw.within(0.85, 1.1);
        Self { centre, half, turn: draw.within(-1.5, 1.5), tissue: None, strength }
    }

    /// `limit` is the distance to the edge of what it lies in.
    fn paint(&self, point: [f64; 3], pixel_mm: f64, limit: f64, paint: &mut impl Painter) {
        let part = cover(ellipsoid(point, self.centre, self.half, self.turn).max(limit), pixel_mm);
        if part > 0.0 {
            if let Some(tissue) = self.tissue {
                paint.layer(tissue, part);
            }
            paint.shift(self.strength, part);
        }
    }
}

/// Whose inside is shown.
#[derive(Debug, Clone)]
enum Body {
    Head(Box<Head>),
    Thorax(Box<Thorax>),
}

/// The numbers of one set: what both scanners have in common.
#[derive(Debug, Clone, Copy)]
struct Sections {
    is_head: bool,
    size: usize,
    slices: usize,
    spacing_mm: f64,
    slice_mm: f64,
    n_subjects: usize,
    split: [f64; 3],
    difficulty: f64,
    seed: u64,
}

impl Sections {
    fn check(&self) -> Result<(), PhantomError> {
        if !(32..=512).contains(&self.size) {
            return refuse("size", "32 to 512", self.size.to_string());
        }
        if !(1..=256).contains(&self.slices) {
            return refuse("slices", "1 to 256", self.slices.to_string());
        }
        let field = self.spacing_mm * self.size as f64;
        let (expected, least) = if self.is_head {
            ("a field of view (size times spacing_mm) of 210 to 700 mm for a head", 210.0)
        } else {
            ("a field of view (size times spacing_mm) of 320 to 700 mm for a thorax", 320.0)
        };
        if !(least..=700.0).contains(&field) {
            return refuse("spacing_mm", expected, format!("{} ({field:.1} mm)", self.spacing_mm));
        }
        let slab = self.slice_mm * self.slices as f64;
        if !(self.slice_mm > 0.0 && slab <= 120.0) {
            let expected = "above 0, and all slices within 120 mm";
            return refuse("slice_mm", expected, format!("{} ({slab:.1} mm)", self.slice_mm));
        }
        if !(3..=10_000).contains(&self.n_subjects) {
            return refuse("n_subjects", "3 to 10000", self.n_subjects.to_string());
        }
        check_shares(self.split, &[("difficulty", self.difficulty)])
    }

    fn grid(&self) -> Result<Geometry<3>, PhantomError> {
        let (mm, half) = (self.spacing_mm, (self.size as f64 - 1.0) / 2.0 * self.spacing_mm);
        // Columns run to the left, rows to the back, slices to the head.
        let matrix =
            [[-mm, 0.0, 0.0, half], [0.0, -mm, 0.0, half], [0.0, 0.0, self.slice_mm, 0.0], [0.0, 0.0, 0.0, 1.0]];
        Geometry::<3>::placed([self.slices, self.size, self.size], Affine { matrix }).map_err(|refused| {
            let expected = "parameters that make a grid";
            PhantomError::Parameter { name: "spacing_mm", expected, found: refused.to_string() }
        })
    }

    /// One subject's volume; `scanner` is asked for a painter for each voxel and for what it then shows.
    fn volume<S: Scanner>(&self, number: usize, intensity: Intensity) -> Result<Image<3>, PhantomError> {
        let stream = number as u64;
        let mut draw = Draw::new(self.seed, Purpose::Anatomy, stream);
        let body = if self.is_head {
            Body::Head(Box::new(Head::draw(&mut draw, self.difficulty)))
        } else {
            Body::Thorax(Box::new(Thorax::draw(&mut draw, self.difficulty)))
        };
        let mut draw = Draw::new(self.seed, Purpose::Image, stream);
        let middle = if self.is_head { draw.around(12.0, 6.0) } else { draw.around(0.0, 8.0) };
        let scanner = S::draw(&mut draw);
        let half = (self.size as f64 - 1.0) / 2.0;
        let mut values = Vec::with_capacity(self.slices * self.size * self.size);
        for slice in 0..self.slices {
            let z = middle + (slice as f64 - (self.slices as f64 - 1.0) / 2.0) * self.slice_mm;
            let body = match &body {
                Body::Thorax(thorax) => Body::Thorax(Box::new(thorax.at_height(z))),
                head @ Body::Head(_) => head.clone(),
            };
            for n in 0..self.size * self.size {
                let [row, column] = [n / self.size, n % self.size].map(|place| place as f64);
                let point = [(column - half) * self.spacing_mm, (half - row) * self.spacing_mm, z];
                let mut voxel = scanner.voxel(point);
                match &body {
                    Body::Head(head) => head.paint(point, self.spacing_mm, &mut voxel),
                    Body::Thorax(thorax) => thorax.paint(point, self.spacing_mm, &mut voxel),
                }
                values.push(S::shown(&voxel));
            }
        }
        Image::new(1, self.grid()?, intensity, values).map_err(|refused| {
            let expected = "parameters that make an image";
            PhantomError::Parameter { name: "size", expected, found: refused.to_string() }
        })
    }

    /// Writes every subject's volume as NIfTI of 16 bits: `<split>/images/<subject>.nii.gz`.
    fn write<S: Scanner>(&self, intensity: Intensity, folder: &Path) -> Result<(), PhantomError> {
        self.check()?;
        for split in Split::ALL {
            let inside = folder.join(split.name()).join("images");
            std::fs::create_dir_all(&inside).map_err(|source| StoreError::io("creating", &inside, source))?;
        }
        let splits = subject_splits(self.n_subjects, self.split, self.seed);
        // One subject a thread is in memory at a time.
        let written: Vec<Result<(), PhantomError>> = splits
            .into_par_iter()
            .enumerate()
            .map(|(number, split)| {
                let image = self.volume::<S>(number, intensity)?;
                let path = folder.join(split.name()).join("images").join(format!("s{number:05}.nii.gz"));
                Ok(write_nifti_image(&path, &image, NiftiType::I16)?)
            })
            .collect();
        written.into_iter().collect()
    }
}

/// Turns tissue into numbers.
trait Scanner: Sync {
    type Voxel: Painter;

    /// What differs from one examination to the next.
    fn draw(draw: &mut Draw) -> Self;

    /// A voxel before anything was painted.
    fn voxel(&self, point: [f64; 3]) -> Self::Voxel;

    /// What it shows: a whole number that 16 bits hold.
    fn shown(voxel: &Self::Voxel) -> f32;
}

/// Texture of one body: two sizes of grain.
#[derive(Debug, Clone)]
struct Texture([Field; 2]);

impl Texture {
    fn draw(draw: &mut Draw) -> Self {
        Self([Field::draw(draw), Field::draw(draw)])
    }

    /// Within −1 and 1.
    fn at(&self, point: [f64; 3]) -> f64 {
        0.6 * self.0[0].at(point, 15.0) + 0.4 * self.0[1].at(point, 6.0)
    }
}
