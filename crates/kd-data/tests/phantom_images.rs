//! The phantom: the same bytes always, whole subjects in a split, no answer in a name or a mean.

#![cfg(feature = "formats")]

use std::collections::{BTreeMap, BTreeSet};

use kd_data::format::{read_labelled_png, read_raster};
use kd_data::phantom::chest::{ChestImage, ChestParameters, Finding, generate};
use kd_data::phantom::{Phantom, PhantomError, create_phantom};
use kd_image::{Intensity, Split};

fn small() -> ChestParameters {
    ChestParameters { n_subjects: 60, ..Default::default() }
}

fn bytes_of(folder: &std::path::Path) -> BTreeMap<String, Vec<u8>> {
    let read = |folder: std::path::PathBuf| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = read(folder.to_path_buf()).chain(read(folder.join("images"))).filter(|path| path.is_file());
    files
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn any_number_of_threads_writes_the_same_bytes() {
    let root = tempfile::tempdir().unwrap();
    let parameters = ChestParameters { n_subjects: 6, ..Default::default() };
    let made: Vec<_> = [1, 3]
        .into_iter()
        .map(|threads| {
            let folder = root.path().join(threads.to_string());
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| create_phantom::<PhantomError>(&Phantom::Chest(parameters.clone()), &folder, |_| Ok(())))
                .unwrap();
            bytes_of(&folder)
        })
        .collect();
    assert!(made[0] == made[1]);
    let other = generate(&ChestParameters { seed: 21, ..parameters.clone() }).unwrap();
    assert_ne!(other[0].pixels, generate(&parameters).unwrap()[0].pixels);
}

#[test]
fn written_images_read_back_through_the_real_readers() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("phantom");
    let parameters = ChestParameters { n_subjects: 5, size: 24, ..Default::default() };
    create_phantom::<PhantomError>(&Phantom::Chest(parameters.clone()), &folder, |staged| {
        assert!(staged.join("labels.csv").is_file());
        Ok(())
    })
    .unwrap();
    let images = generate(&parameters).unwrap();
    let rows = read_labelled_png(&folder).unwrap();
    assert_eq!(rows.len(), images.len());
    for (row, image) in rows.iter().zip(&images) {
        assert_eq!(
            (&row.id, &row.subject, row.split, row.label),
            (&image.id, &image.subject, image.split, image.label)
        );
        let read = read_raster(&row.path).unwrap();
        assert_eq!((read.geometry().shape(), read.intensity()), ([24, 24], Intensity::Stored { bits: 16 }));
        assert_eq!(read.values(), image.pixels.iter().map(|&v| f32::from(v)).collect::<Vec<_>>());
    }
    assert!(matches!(
        create_phantom::<PhantomError>(&Phantom::Chest(parameters.clone()), &folder, |_| Ok(())),
        Err(PhantomError::Store(_))
    ));
    std::fs::remove_file(&rows[0].path).unwrap();
    assert!(read_labelled_png(&folder).unwrap_err().to_string().contains("line 2"));
}

#[test]
fn a_table_that_does_not_fit_is_refused_with_its_line() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("phantom");
    let parameters = ChestParameters { n_subjects: 3, images_per_subject: [1, 1], size: 16, ..Default::default() };
    create_phantom::<PhantomError>(&Phantom::Chest(parameters.clone()), &folder, |_| Ok(())).unwrap();
    let table = folder.join("labels.csv");
    let good = std::fs::read_to_string(&table).unwrap();
    let second = good.lines().nth(1).unwrap();
    for bad in [
        String::new(),
        "sample,label\n".into(),
        "sample,subject,split,label\n".into(),
        format!("{good}{second}\n"),
        good.replace(second, "../s00000-00,s0,train,1"),
        good.replace(second, "s00000-00,s0,training,1"),
        good.replace(second, "s00000-00,s0,train,-1"),
        good.replace(second, "s00000-00,s0,train"),
    ] {
        std::fs::write(&table, &bad).unwrap();
        assert!(read_labelled_png(&folder).is_err(), "{bad}");
    }
}

#[test]
fn a_subject_lies_in_one_split_and_shares_are_kept() {
    let images = generate(&small()).unwrap();
    let mut splits: BTreeMap<&str, BTreeSet<Split>> = BTreeMap::new();
    for image in &images {
        splits.entry(image.subject.as_str()).or_default().insert(image.split);
    }
    assert!(splits.values().all(|of_subject| of_subject.len() == 1));
    let count = |split| splits.values().filter(|s| s.contains(&split)).count();
    assert_eq!([count(Split::Train), count(Split::Val), count(Split::Test)], [30, 8, 22]);
}

#[test]
fn label_noise_spares_the_test_split() {
    let images = generate(&ChestParameters { label_noise: 0.5, ..small() }).unwrap();
    let wrong =
        |split: Split| images.iter().filter(|i| i.split == split && (i.label == 1) != i.finding.is_some()).count();
    assert_eq!(wrong(Split::Test), 0);
    assert!(wrong(Split::Train) > 10 && wrong(Split::Val) > 1);
    // The flips are streams of their own: the pictures are those of a phantom without them.
    let clean = generate(&ChestParameters { label_noise: 0.0, ..small() }).unwrap();
    assert!(images.iter().zip(&clean).all(|(a, b)| a.pixels == b.pixels && (b.label == 1) == b.finding.is_some()));
}

/// Probability that a positive has the larger value, ties as a half.
fn auroc(pairs: &[(f64, bool)]) -> f64 {
    let (positive, negative): (Vec<&(f64, bool)>, Vec<_>) = pairs.iter().partition(|pair| pair.1);
    let wins: f64 = positive
        .iter()
        .flat_map(|p| {
            negative.iter().map(|n| {
                if p.0 > n.0 {
                    1.0
                } else if p.0 < n.0 {
                    0.0
                } else {
                    0.5
                }
            })
        })
        .sum();
    wins / (positive.len() * negative.len()) as f64
}

#[test]
fn the_mean_of_an_image_does_not_tell_what_it_shows() {
    let images = generate(&ChestParameters { n_subjects: 240, ..Default::default() }).unwrap();
    let mean = |image: &ChestImage| image.pixels.iter().map(|&v| f64::from(v)).sum::<f64>();
    let pairs: Vec<_> = images.iter().map(|image| (mean(image), image.finding.is_some())).collect();
    let value = auroc(&pairs);
    assert!((0.4..=0.6).contains(&value), "{value}");
}

#[test]
fn a_finding_changes_nothing_but_itself() {
    // The same streams with and without findings: what differs is the lesion, inside of the chest.
    let with = generate(&ChestParameters { prevalence: 1.0, ..small() }).unwrap();
    let without = generate(&ChestParameters { prevalence: 0.0, ..small() }).unwrap();
    for (a, b) in with.iter().zip(&without) {
        let differing = a.pixels.iter().zip(&b.pixels).filter(|(a, b)| a.abs_diff(**b) > 1500).count();
        assert!(differing < 400, "{}: {differing} of 1024 pixels", a.id);
    }
    let nodules = with.iter().filter(|image| image.finding == Some(Finding::Nodule)).count();
    assert!(nodules * 4 > with.len() && nodules * 4 < 3 * with.len());
}

#[test]
fn parameters_outside_of_their_range_are_refused_by_name() {
    for (name, parameters) in [
        ("size", ChestParameters { size: 8, ..small() }),
        ("n_subjects", ChestParameters { n_subjects: 2, ..small() }),
        ("images_per_subject", ChestParameters { images_per_subject: [3, 1], ..small() }),
        ("split", ChestParameters { split: [0.5, 0.5, 0.5], ..small() }),
        ("findings", ChestParameters { findings: vec![], ..small() }),
        ("difficulty", ChestParameters { difficulty: f64::NAN, ..small() }),
        ("noise", ChestParameters { noise: 0.0, ..small() }),
    ] {
        let text = generate(&parameters).unwrap_err().to_string();
        assert!(text.contains(&format!("parameter {name} is")), "{text}");
    }
    assert!(serde_json::from_str::<ChestParameters>("{\"sise\": 32}").is_err());
}
