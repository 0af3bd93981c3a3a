//! Images as somebody hands them over: PNG or JPEG files, arrays in an npz, or a folder of these.
//!
//! Prediction has no manifest to lean on, so what a file holds is told by its content, and each image gets a name that
//! leads back to it without the path above the folder that was given.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use kd_image::{Geometry, Image, Intensity};

use super::error::Problem;
use super::{FileFormat, FormatError, NpyArray, Npz, read_raster, sniff};
use crate::error::{FileError, relative_name};

/// A file below a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its name below the folder, with `/` between its parts.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// All files below a folder, sorted by name; names that begin with a dot are left out, as file managers do.
///
/// # Policy
/// Links are followed. A folder is entered once, by its own name where it has one here, so a link that leads back up ends
/// there.
///
/// # Errors
/// [`FileError`] for a folder that cannot be listed.
pub fn files_below(folder: &Path) -> Result<Vec<FoundFile>, FileError> {
    let mut files = Vec::new();
    let (mut folders, mut links) = (vec![folder.to_path_buf()], BTreeSet::new());
    let mut entered = HashSet::new();
    while let Some(inside) = folders.pop().or_else(|| links.pop_first()) {
        let failed = |source| FileError::new("list", &inside, folder, source);
        if !entered.insert(std::fs::canonicalize(&inside).map_err(failed)?) {
            continue;
        }
        for entry in std::fs::read_dir(&inside).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            let path = entry.path();
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() && path.is_dir() {
                links.insert(path);
            } else {
                let bytes = std::fs::metadata(&path).map_or(0, |facts| facts.len());
                files.push(FoundFile { name: relative_name(&path, folder), path, bytes });
            }
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// One image or several of one file, before their pixels are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    path: PathBuf,
    name: String,
    member: Option<String>,
}

/// The images of one file.
#[derive(Debug)]
pub struct ImageStack {
    name: String,
    path: PathBuf,
    pixels: Pixels,
}

#[derive(Debug)]
enum Pixels {
    One(Box<Image<2>>),
    /// `[samples, rows, columns, channels]`, channels last as NumPy users keep them.
    Many {
        values: Vec<u16>,
        shape: [usize; 4],
        bits: u8,
    },
}

impl ImageFile {
    /// What a file holds, by content: itself for PNG and JPEG; for an npz the array `member`, or where none is asked for
    /// `images` and every array whose name ends in `_images`. `name` is what its images are called by.
    ///
    /// # Errors
    /// [`FormatError`] for any other format (named), an npz without such an array, and a member asked for where there
    /// are none.
    pub fn list(path: &Path, name: &str, member: Option<&str>) -> Result<Vec<Self>, FormatError> {
        let of = |member: Option<&str>| Self {
            path: path.to_path_buf(),
            name: name.to_owned(),
            member: member.map(str::to_owned),
        };
        match sniff(path)? {
            FileFormat::Npz => {
                let npz = Npz::open(path)?;
                if let Some(member) = member {
                    npz.array(member)?;
                    return Ok(vec![of(Some(member))]);
                }
                let is_image = |name: &&str| *name == "images" || name.ends_with("_images");
                let members: Vec<Self> = npz.names().into_iter().filter(is_image).map(|name| of(Some(name))).collect();
                if members.is_empty() {
                    let found = format!("arrays {}", npz.names().join(", "));
                    return Err(Problem::new("an array `images` or `…_images`", found)
                        .hint("name the array behind a colon: `file.npz:name`")
                        .at(path, None));
                }
                Ok(members)
            }
            FileFormat::Png | FileFormat::Jpeg if member.is_none() => Ok(vec![of(None)]),
            format => Err(format.refused("a PNG or JPEG image, or an npz with images").at(path, member)),
        }
    }

    /// Reads the pixels. A PNG or JPEG is one image; an array is `[samples, rows, columns]` or
    /// `[samples, rows, columns, channels]` of `uint8` (8 bits) or `uint16` (16 bits).
    ///
    /// # Errors
    /// [`FormatError`] for a damaged file, another shape, other element types, and a number of channels but 1 and 3.
    pub fn read(&self) -> Result<ImageStack, FormatError> {
        let pixels = match &self.member {
            None => Pixels::One(Box::new(read_raster(&self.path)?)),
            Some(member) => self.array(member)?,
        };
        Ok(ImageStack { name: self.name.clone(), path: self.path.clone(), pixels }.named(self.member.as_deref()))
    }

    fn array(&self, member: &str) -> Result<Pixels, FormatError> {
        let refused = |expected: &str, found: String| Problem::new(expected, found).at(&self.path, Some(member));
        let array = Npz::open(&self.path)?.array(member)?;
        let shape = match *array.shape() {
            [samples, rows, columns] => [samples, rows, columns, 1],
            [samples, rows, columns, channels @ (1 | 3)] => [samples, rows, columns, channels],
            _ => {
                let expected = "shape [samples, rows, columns] or [samples, rows, columns, 1 or 3]";
                return Err(refused(expected, format!("{:?}", array.shape())));
            }
        };
        if shape.contains(&0) {
            return Err(refused("at least one image of at least one pixel", format!("shape {:?}", array.shape())));
        }
        let bits = match array.dtype().trim_start_matches(['<', '>', '|', '=']) {
            "u1" => 8,
            "u2" => 16,
            other => {
                let found = format!("element type `{other}`");
                return Err(refused("uint8 or uint16, whose meaning is known", found));
            }
        };
        let values = array.integers()?.values.into_iter().map(|value| u16::try_from(value).unwrap_or_default());
        Ok(Pixels::Many { values: values.collect(), shape, bits })
    }
}

impl ImageStack {
    fn named(mut self, member: Option<&str>) -> Self {
        if let Some(member) = member {
            self.name = format!("{}#{member}", self.name);
        }
        self
    }

    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.pixels {
            Pixels::One(_) => 1,
            Pixels::Many { shape, .. } => shape[0],
        }
    }

    /// Whether there are none; a stack that was read has at least one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of an image: the file's, or `file.npz#array/00012`.
    #[must_use]
    pub fn name(&self, index: usize) -> String {
        match &self.pixels {
            Pixels::One(_) => self.name.clone(),
            Pixels::Many { .. } => format!("{}/{index:05}", self.name),
        }
    }

    /// An image in stored values; `index` is below [`len`](Self::len).
    ///
    /// # Errors
    /// [`FormatError::Content`] for pixels that make no image.
    pub fn image(&self, index: usize) -> Result<Image<2>, FormatError> {
        let (values, [_, rows, columns, channels], bits) = match &self.pixels {
            Pixels::One(image) => return Ok(image.as_ref().clone()),
            Pixels::Many { values, shape, bits } => (values, *shape, *bits),
        };
        let refused = |error: &dyn std::fmt::Display| Problem::new("pixels", error.to_string()).at(&self.path, None);
        let points = rows * columns;
        let pixels = &values[index * points * channels..(index + 1) * points * channels];
        let planes = (0..channels).flat_map(|c| pixels.iter().skip(c).step_by(channels).map(|&v| f32::from(v)));
        let grid = Geometry::without_spacing([rows, columns]).map_err(|error| refused(&error))?;
        Image::new(channels, grid, Intensity::Stored { bits }, planes.collect()).map_err(|error| refused(&error))
    }
}

impl NpyArray<f32> {
    /// An image as NumPy users keep it: `[depth, rows, columns]` or `[rows, columns]`, channels last where there are
    /// several.
    ///
    /// # Example
    /// ```
    /// use kd_data::format::NpyArray;
    /// use kd_image::{Geometry, Image, Intensity};
    /// let grid = Geometry::<3>::without_spacing([1, 1, 2])?;
    /// let image = Image::new(2, grid, Intensity::Arbitrary, vec![1.0, 2.0, 7.0, 8.0])?;
    /// assert_eq!(NpyArray::of_image(&image), NpyArray { shape: vec![1, 1, 2, 2], values: vec![1.0, 7.0, 2.0, 8.0] });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of_image<const D: usize>(image: &Image<D>) -> Self {
        let mut shape = image.geometry().shape().to_vec();
        let channels = image.channels();
        if channels == 1 {
            return Self { shape, values: image.values().to_vec() };
        }
        shape.push(channels);
        let points = image.geometry().n_points();
        let values = (0..points).flat_map(|point| (0..channels).map(move |c| image.channel(c)[point])).collect();
        Self { shape, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{NpyValue, gray8_png, write_npz};

    #[test]
    fn an_npz_gives_every_array_of_images_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.npz");
        let images = |shape: Vec<usize>, values: Vec<u8>| NpyValue::U8(NpyArray { shape, values });
        let arrays = [
            ("test_images", images(vec![1, 1, 2, 3], vec![1, 2, 3, 4, 5, 6])),
            ("train_images", images(vec![2, 1, 2], vec![7, 8, 9, 10])),
            ("train_labels", images(vec![2, 1], vec![0, 1])),
        ];
        write_npz(&path, &arrays).unwrap();
        let files = ImageFile::list(&path, "set.npz", None).unwrap();
        let stacks: Vec<ImageStack> = files.iter().map(|file| file.read().unwrap()).collect();
        assert_eq!(stacks.iter().map(ImageStack::len).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(stacks[1].name(1), "set.npz#train_images/00001");
        assert_eq!(stacks[1].image(1).unwrap().values(), [9.0, 10.0]);
        // Channels are last in the file and first in an image.
        assert_eq!(stacks[0].image(0).unwrap().values(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        let labels = ImageFile::list(&path, "set.npz", Some("train_labels")).unwrap();
        assert!(labels[0].read().unwrap_err().to_string().contains("found [2, 1]"));
        assert!(ImageFile::list(&path, "set.npz", Some("nothing")).is_err());
    }

    #[test]
    fn floats_are_refused_because_their_range_is_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.npz");
        let values = NpyValue::F32(NpyArray { shape: vec![1, 1, 1], values: vec![0.5] });
        write_npz(&path, &[("images", values)]).unwrap();
        let text = ImageFile::list(&path, "set.npz", None).unwrap()[0].read().unwrap_err().to_string();
        assert!(text.contains("expected uint8 or uint16"), "{text}");
    }

    #[test]
    fn files_of_a_folder_are_named_below_it_and_hidden_ones_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        let png = gray8_png([1, 1], &[3]).unwrap();
        for name in ["b/x.png", "a.png", ".hidden"] {
            std::fs::write(folder.path().join(name), &png).unwrap();
        }
        let names: Vec<String> = files_below(folder.path()).unwrap().into_iter().map(|file| file.name).collect();
        assert_eq!(names, ["a.png", "b/x.png"]);
    }

    #[cfg(unix)]
    #[test]
    fn linked_folders_are_entered_once_and_a_link_back_up_ends() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let (tree, elsewhere) = (folder.path().join("tree"), folder.path().join("elsewhere"));
        for (inside, name) in [(tree.join("b"), "x.png"), (elsewhere.clone(), "y.png")] {
            std::fs::create_dir_all(&inside).unwrap();
            std::fs::write(inside.join(name), [1]).unwrap();
        }
        symlink(&elsewhere, tree.join("c")).unwrap();
        symlink(&elsewhere, tree.join("d")).unwrap();
        symlink(&tree, tree.join("b/back")).unwrap();
        symlink(tree.join("b"), tree.join("a")).unwrap();
        symlink(tree.join("b/x.png"), tree.join("z.png")).unwrap();
        let names: Vec<String> = files_below(&tree).unwrap().into_iter().map(|file| file.name).collect();
        assert_eq!(names, ["b/x.png", "c/y.png", "z.png"]);
    }

    #[test]
    fn a_format_without_a_reader_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scan");
        let mut bytes = vec![0; 132];
        bytes[128..].copy_from_slice(b"DICM");
        std::fs::write(&path, bytes).unwrap();
        let text = ImageFile::list(&path, "scan", None).unwrap_err().to_string();
        assert!(text.contains("found DICOM"), "{text}");
    }
}
