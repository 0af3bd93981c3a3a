//! DICOM radiographs with masks as run lengths in a CSV, as the pneumothorax challenge of SIIM and ACR has them.
//!
//! Both are kept as PNG: stored values of the image, 0 and 1 in the mask.

use std::collections::BTreeMap;
use std::path::Path;

use super::masks::{MaskImportRequest, Placed, PlacedCase};
use super::volumes::is_companion;
use super::{ImportError, folder, place};
use crate::decode::{MASKS, images_folder};
use crate::format::{
    DicomImage, FileFormat, FoundFile, NpyValue, Photometric, belonging_of, files_below, gray8_png, gray16_png,
    read_dicom, sniff,
};
use crate::manifest::MaskValues;

/// Runs of one image, `[offset from the end of the run before, length]`.
type Runs = Vec<[usize; 2]>;

/// Reads every radiograph that the table names and places it with its mask.
pub(super) fn place_all(request: &MaskImportRequest, table: &Path, staging: &Path) -> Result<Placed, ImportError> {
    let classes = request.classes.clone().unwrap_or_default();
    if classes.len() != 2 {
        let found = if classes.is_empty() { "missing".to_owned() } else { format!("{} names", classes.len()) };
        return Err(ImportError::Classes { found, expected: "2 names, the background first".into() });
    }
    let mut runs = read_runs(table)?;
    let files: Vec<FoundFile> =
        files_below(&request.path)?.into_iter().filter(|file| !is_companion(&file.name)).collect();
    let by_split = place::by_split(&files)?;
    let (mut listed, mut cases, mut patients) = (Vec::new(), Vec::new(), Vec::new());
    let mut left_out = 0;
    for file in files {
        let found = sniff(&file.path)?;
        if found != FileFormat::Dicom {
            let expected = "DICOM, one radiograph a file";
            return Err(ImportError::Kind { file: file.name, found: found.name(), expected });
        }
        let belonging = belonging_of(&file.path)?;
        let stem = Path::new(&file.name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let runs = [belonging.instance, stem].into_iter().flatten().find_map(|name| runs.remove(&name));
        let Some(runs) = runs else {
            left_out += 1;
            continue;
        };
        let image = read_dicom(&file.path)?;
        let (png, shape) = picture(&image, &file)?;
        let mask = mask(&runs, shape, &file)?;
        let split = file.name.split_once('/').filter(|_| by_split).and_then(|(top, _)| crate::decode::split_of(top));
        let case = format!("image-{:05}", cases.len() + 1);
        let prefix = place::split_folder(split);
        for (inside, bytes) in [(images_folder(None), png), (MASKS.to_owned(), mask)] {
            let name = format!("{prefix}{inside}/{case}.png");
            crate::store::write_atomic(&staging.join(&name), &bytes)?;
            listed.push(place::listed(staging, &name)?);
        }
        let sample = format!("{prefix}{case}");
        patients.push((sample.clone(), belonging.patient));
        cases.push(PlacedCase { split, name: sample, given: file.name });
    }
    if let Some(name) = runs.keys().next() {
        return Err(ImportError::RunLengths {
            place: format!("{} images of the table", runs.len()),
            expected: "a DICOM file of that SOP Instance UID or name for each".into(),
            found: format!("none for one of {} characters", name.len()),
        });
    }
    if cases.is_empty() {
        return Err(ImportError::NoPairs { folder: crate::error::relative_name(&request.path, &request.path) });
    }
    let images: Vec<&str> = listed.iter().map(|file| file.name.as_str()).filter(|name| !is_mask(name)).collect();
    let mut notes = vec!["images were DICOM, masks run lengths in a table; they are kept as PNG".to_owned()];
    if left_out > 0 {
        notes.push(format!("{left_out} images that the table does not name were left out"));
    }
    Ok(Placed {
        image: folder::image_facts(&images, staging)?,
        values: MaskValues::Classes(vec![0, 1]),
        classes,
        files: listed,
        cases,
        groups: place::by_patient(patients),
        notes,
    })
}

fn is_mask(name: &str) -> bool {
    name.split('/').rev().nth(1) == Some(MASKS)
}

/// The runs of every image; several lines of one image are one mask, and `-1` is an empty one.
fn read_runs(table: &Path) -> Result<BTreeMap<String, Runs>, ImportError> {
    let refused = |place: String, expected: &str, found: String| ImportError::RunLengths {
        place,
        expected: expected.into(),
        found,
    };
    let unreadable = |place: String| {
        move |error: csv::Error| {
            let found = if error.is_io_error() { "one that cannot be opened" } else { "another table" };
            refused(place, "a CSV of two columns", found.into())
        }
    };
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(table).map_err(unreadable("the table".into()))?;
    let header = reader.headers().map_err(unreadable("its first line".into()))?;
    let names: Vec<String> = header.iter().map(str::to_lowercase).collect();
    if names != ["imageid", "encodedpixels"] {
        let found = format!("{} others", names.len());
        return Err(refused("its first line".into(), "the columns `ImageId,EncodedPixels`", found));
    }
    let mut all = BTreeMap::<String, Runs>::new();
    for (n, row) in reader.records().enumerate() {
        let line = format!("line {}", n + 2);
        let row = row.map_err(unreadable(line.clone()))?;
        let runs = all.entry(row[0].to_owned()).or_default();
        if !runs.is_empty() && row[1] != *"-1" {
            // Offsets of a line begin at the first pixel; a second mask of an image begins there again.
            runs.push([usize::MAX, 0]);
        }
        if row[1].is_empty() || row[1] == *"-1" {
            continue;
        }
        let numbers: Option<Vec<usize>> = row[1].split_whitespace().map(|number| number.parse().ok()).collect();
        let pairs = numbers.filter(|numbers| numbers.len().is_multiple_of(2)).ok_or_else(|| {
            refused(line, "pairs of whole numbers, or -1", format!("{} characters of other text", row[1].len()))
        })?;
        runs.extend(pairs.as_chunks::<2>().0);
    }
    Ok(all)
}

/// Stored values as a grey PNG, black at the smallest.
fn picture(image: &DicomImage, file: &FoundFile) -> Result<(Vec<u8>, [usize; 2]), ImportError> {
    let refused = || ImportError::Kind {
        file: file.name.clone(),
        found: "another kind of image",
        expected: "one grey frame of unsigned numbers of 8 or 16 bits",
    };
    let shape = match (image.shape().as_slice(), image.photometric()) {
        (&[1, rows, columns], Photometric::Monochrome1 | Photometric::Monochrome2) => [rows, columns],
        _ => return Err(refused()),
    };
    let inverted = image.photometric() == Photometric::Monochrome1;
    let png = match image.raw() {
        NpyValue::U8(array) if inverted => {
            gray8_png(shape, &array.values.iter().map(|&v| u8::MAX - v).collect::<Vec<_>>())
        }
        NpyValue::U8(array) => gray8_png(shape, &array.values),
        NpyValue::U16(array) if !inverted => gray16_png(shape, &array.values),
        _ => return Err(refused()),
    };
    Ok((png?, shape))
}

/// A mask of 0 and 1 as PNG. Runs go down the columns.
fn mask(runs: &Runs, [rows, columns]: [usize; 2], file: &FoundFile) -> Result<Vec<u8>, ImportError> {
    let mut pixels = vec![0; rows * columns];
    let mut at = 0_usize;
    for &[offset, length] in runs {
        if offset == usize::MAX {
            at = 0;
            continue;
        }
        let start = at.saturating_add(offset);
        let end = start.saturating_add(length);
        if end > pixels.len() {
            return Err(ImportError::RunLengths {
                place: format!("`{}`", file.name),
                expected: format!("runs within {rows} x {columns} pixels"),
                found: format!("one that ends behind pixel {end}"),
            });
        }
        (start..end).for_each(|place| pixels[place % rows * columns + place / rows] = 1);
        at = end;
    }
    Ok(gray8_png([rows, columns], &pixels)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::read_raster;

    fn file() -> FoundFile {
        FoundFile { path: "a.dcm".into(), name: "a.dcm".into(), bytes: 0 }
    }

    fn marked(runs: &Runs, shape: [usize; 2]) -> Vec<f32> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.png");
        std::fs::write(&path, mask(runs, shape, &file()).unwrap()).unwrap();
        read_raster(&path).unwrap().values().to_vec()
    }

    #[test]
    fn runs_go_down_the_columns_from_the_end_of_the_run_before() {
        // Of the challenge's own `rle2mask`: [1 2 1 1] of 2 columns and 3 rows is rows 1 and 2 of the first column, then
        // row 1 of the second.
        assert_eq!(marked(&vec![[1, 2], [1, 1]], [3, 2]), [0.0, 0.0, 1.0, 1.0, 1.0, 0.0]);
        assert_eq!(marked(&Vec::new(), [1, 2]), [0.0, 0.0]);
        assert_eq!(marked(&vec![[0, 1], [usize::MAX, 0], [1, 1]], [1, 3]), [1.0, 1.0, 0.0]);
    }

    #[test]
    fn a_run_beyond_the_image_is_refused() {
        let text = mask(&vec![[5, 2]], [2, 3], &file()).unwrap_err().to_string();
        assert!(text.contains("2 x 3") && text.contains("behind pixel 7"), "{text}");
        assert!(mask(&vec![[usize::MAX - 1, 9]], [2, 3], &file()).is_err());
    }

    #[test]
    fn tables_are_read_with_empty_masks_and_several_lines_an_image() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_runs(&path)
        };
        let found = read("ImageId, EncodedPixels\na, 3 4 5 6\nb, -1\na, 1 1\n").unwrap();
        assert_eq!(found["a"], [[3, 4], [5, 6], [usize::MAX, 0], [1, 1]]);
        assert!(found["b"].is_empty());
        for (text, part) in [
            ("ImageId,Mask\na,1 1\n", "ImageId,EncodedPixels"),
            ("ImageId,EncodedPixels\na,1 2 3\n", "line 2"),
            ("ImageId,EncodedPixels\na,1 x\n", "pairs of whole numbers"),
            ("ImageId,EncodedPixels\na\n", "line 2"),
        ] {
            let refused = read(text).unwrap_err().to_string();
            assert!(refused.contains(part) && refused.contains("hint: "), "{refused}");
        }
    }
}
