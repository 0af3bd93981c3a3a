//! Volumes of the phantoms: the same bytes always, read back through the real readers, smooth, each subject its own.

#![cfg(feature = "formats")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kd_data::decode::{DecodeError, RawDataset, VolumeDataset};
use kd_data::degrade::ct::{Beam, Filter};
use kd_data::degrade::{Degradation, DegradeKey, LowDoseCt, LowDoseOutput};
use kd_data::format::files_below;
use kd_data::import::generate_dataset;
use kd_data::leak::{LeakPolicy, check, rows, volume_pixel_hashes};
use kd_data::manifest::SplitPolicy;
use kd_data::phantom::volumes::ct::{CtParameters, Region};
use kd_data::phantom::volumes::mr::MrParameters;
use kd_data::phantom::{Phantom, PhantomError, create_phantom};
use kd_data::split::split_of_volumes;
use kd_data::verify::verify;
use kd_data::{Manifest, Root, catalog};
use kd_image::{Geometry, Image, Intensity};

fn ct(region: Region) -> CtParameters {
    CtParameters {
        region,
        size: 80,
        slices: 3,
        spacing_mm: if region == Region::Head { 2.7 } else { 4.1 },
        slice_mm: 5.0,
        n_subjects: 6,
        split: [0.5, 0.2, 0.3],
        difficulty: 0.3,
        seed: 7,
    }
}

fn mr() -> MrParameters {
    MrParameters {
        size: 80,
        slices: 3,
        spacing_mm: 2.7,
        slice_mm: 4.0,
        n_subjects: 6,
        split: [0.5, 0.2, 0.3],
        difficulty: 0.3,
        seed: 7,
    }
}

fn bytes_of(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    files_below(folder).unwrap().into_iter().map(|file| (file.name, std::fs::read(file.path).unwrap())).collect()
}

#[test]
fn any_number_of_threads_writes_the_same_bytes_and_another_seed_others() {
    let root = tempfile::tempdir().unwrap();
    for (name, phantom) in [("ct", Phantom::Ct(ct(Region::Thorax))), ("mr", Phantom::Mr(mr()))] {
        let made: Vec<_> = [1, 3]
            .into_iter()
            .map(|threads| {
                let folder = root.path().join(format!("{name}{threads}"));
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| create_phantom::<PhantomError>(&phantom, &folder, |_| Ok(()))).unwrap();
                bytes_of(&folder)
            })
            .collect();
        assert!(made[0] == made[1]);
        assert_eq!(made[0].len(), 6);
        assert_eq!(made[0].values().collect::<BTreeSet<_>>().len(), 6);
    }
    let other = CtParameters { seed: 8, ..ct(Region::Head) };
    assert_ne!(other.volume(0).unwrap(), ct(Region::Head).volume(0).unwrap());
}

#[test]
fn more_subjects_leave_the_first_ones_as_they_are() {
    let more = CtParameters { n_subjects: 60, split: [0.8, 0.1, 0.1], ..ct(Region::Thorax) };
    assert_eq!(more.volume(4).unwrap(), ct(Region::Thorax).volume(4).unwrap());
}

/// The catalogue's manifest with few small volumes.
fn small(name: &str, spacing_mm: f64) -> Manifest {
    let text = catalog::find(name).unwrap().to_toml();
    let text = text.replace("n_subjects = 60", "n_subjects = 9").replace("slices = 8", "slices = 2");
    let text = text.replace("size = 128", "size = 64").replace("128,\n    128,\n", "64,\n    64,\n");
    let text = text.replace("[128, 128]", "[64, 64]");
    let from = if name == "ct-phantom" { "spacing_mm = 2.6" } else { "spacing_mm = 1.75" };
    Manifest::parse(&text.replace(from, &format!("spacing_mm = {spacing_mm}")), "dataset.toml").unwrap()
}

#[test]
fn a_generated_set_is_read_as_every_set_of_volumes() {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    for (manifest, meant, spacing) in
        [(small("ct-phantom", 5.2), Intensity::Hounsfield, 5.2), (small("mr-phantom", 3.5), Intensity::Arbitrary, 3.5)]
    {
        assert!(matches!(VolumeDataset::open(&root, &manifest), Err(DecodeError::NotGenerated { .. })));
        assert!(generate_dataset(&root, &manifest).unwrap());
        assert!(!generate_dataset(&root, &manifest).unwrap());
        let set = VolumeDataset::open(&root, &manifest).unwrap();
        assert_eq!(set.records().len(), 9);
        let image = set.read(0).unwrap();
        assert_eq!((image.geometry().shape(), image.intensity()), ([2, 64, 64], meant));
        assert!((image.geometry().spacing_mm().unwrap()[2] - spacing).abs() < 1e-6);
        assert_eq!(image.geometry().orientation().unwrap().to_string(), "LPS");
        let report = verify(&root, &manifest);
        assert!(report.ok && report.repeated_images == 0, "{:?}", report.problems);
        let table = split_of_volumes(&set, SplitPolicy::Official).unwrap();
        let hashes = volume_pixel_hashes(&set).unwrap();
        check(&rows(&table, &hashes), LeakPolicy::Stop).unwrap();
        let refused = RawDataset::open(&root, &manifest).unwrap_err();
        assert!(matches!(refused, DecodeError::Layout { .. }), "{refused}");
        // The file of the first record holds what the generator says, to the last voxel.
        let number: usize = set.records()[0].sample.as_str().rsplit_once('s').unwrap().1.parse().unwrap();
        let table = manifest.generator.clone().unwrap();
        let made = match toml::Value::Table(table).try_into::<Phantom>().unwrap() {
            Phantom::Ct(parameters) => parameters.volume(number).unwrap(),
            Phantom::Mr(parameters) => parameters.volume(number).unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(image.values(), made.values());
        let file = root.raw_set(manifest.name.as_str()).join(format!("{}.nii.gz", images_name(&set)));
        let mut bytes = std::fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&file, bytes).unwrap();
        assert!(matches!(VolumeDataset::open(&root, &manifest), Err(DecodeError::Changed { .. })));
    }
}

/// Name of the first volume's file, without ending.
fn images_name(set: &VolumeDataset) -> String {
    let (split, case) = set.records()[0].sample.as_str().split_once('/').unwrap();
    format!("{split}/images/{case}")
}

#[test]
fn a_manifest_that_says_something_else_than_its_generator_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    let good = small("ct-phantom", 5.2).to_toml();
    for (from, to, said) in [
        ("kind = \"ct\"", "kind = \"pet\"", "unknown variant `pet`"),
        ("kind = \"ct\"\n", "", "missing field `kind`"),
        ("region = \"thorax\"\n", "", "missing field `region`"),
        ("difficulty = 0.4", "difficulty = 1.4", "difficulty is 1.4, expected 0 to 1"),
        ("spacing_mm = 5.2", "spacing_mm = 2.0", "field of view"),
        ("slice_mm = 5.0", "slice_mm = 90.0", "within 120 mm"),
        ("seed = 30", "seed = 30\ntypo = 1", "unknown field `typo`"),
        ("\"hounsfield\"", "\"arbitrary\"", "intensity: Arbitrary"),
        ("slices = 2", "slices = 0", "1 to 256"),
    ] {
        assert!(good.contains(from), "{from}");
        let manifest = Manifest::parse(&good.replace(from, to), "dataset.toml").unwrap();
        let text = generate_dataset(&root, &manifest).unwrap_err().to_string();
        assert!(text.contains(said) && text.contains("hint: "), "{text}");
        assert!(!root.raw_set("ct-phantom").exists());
    }
}

#[test]
fn clean_volumes_are_smooth_within_a_tissue() {
    let parameters = CtParameters { size: 256, slices: 1, spacing_mm: 1.3, ..ct(Region::Thorax) };
    for subject in 0..3 {
        let volume = parameters.volume(subject).unwrap();
        let at = |row: usize, column: usize| f64::from(volume.values()[row * 256 + column]);
        let mut bends = Vec::new();
        for row in 0..256 {
            for column in 1..255 {
                let [left, here, right] = [at(row, column - 1), at(row, column), at(row, column + 1)];
                // Soft tissue and its neighbours; whole numbers round by up to a half each.
                if [left, here, right].iter().all(|hu| (20.0..75.0).contains(hu)) {
                    bends.push((left - 2.0 * here + right).abs());
                }
            }
        }
        bends.sort_by(f64::total_cmp);
        assert!(bends.len() > 3000, "{}", bends.len());
        // White noise of only 2 HU would bend by 3.3 HU in the median.
        assert!(bends[bends.len() / 2] <= 1.0 && bends[bends.len() * 9 / 10] <= 2.0);
    }
}

#[test]
fn a_harder_set_has_smaller_and_fainter_lesions() {
    // The same heads with lesions of another difficulty: all that differs is lesions.
    let changed = |difficulty: f64| {
        let with = CtParameters { difficulty, size: 100, slices: 5, spacing_mm: 2.16, ..ct(Region::Head) };
        let (mut count, mut most) = (0, 0.0f32);
        for subject in 0..6 {
            let hardest = CtParameters { difficulty: 1.0, ..with.clone() }.volume(subject).unwrap();
            for (a, b) in with.volume(subject).unwrap().values().iter().zip(hardest.values()) {
                count += usize::from((a - b).abs() > 0.0);
                most = most.max((a - b).abs());
            }
        }
        (count, most)
    };
    let (easy, middle) = (changed(0.0), changed(0.7));
    assert!(easy.0 > middle.0 && easy.1 > middle.1 && middle.0 > 0, "{easy:?} {middle:?}");
}

#[test]
fn a_quarter_of_the_dose_shows_on_a_phantom() {
    let volume = CtParameters { size: 128, slices: 1, spacing_mm: 2.6, ..ct(Region::Thorax) }.volume(2).unwrap();
    let grid = Geometry::<2>::with_spacing([128, 128], [2.6, 2.6]).unwrap();
    let clean = Image::new(1, grid, Intensity::Hounsfield, volume.into_values()).unwrap();
    let id = "train/s00002".parse().unwrap();
    let error = |dose_fraction, output| {
        let scan = LowDoseCt {
            beam: Beam::Fan { source_to_centre_mm: 595.0 },
            angles: 360,
            detectors: None,
            photons: 1e5,
            dose_fraction,
            electronic_sigma: 5.0,
            filter: Filter::Ramp,
            output,
        };
        let noisy = Degradation::LowDoseCt(scan).apply(&clean, DegradeKey { seed: 1, sample: &id, view: 0 }).unwrap();
        let squares = noisy.values().iter().zip(clean.values()).map(|(a, b)| f64::from(a - b).powi(2));
        (squares.sum::<f64>() / 16_384.0).sqrt()
    };
    let noise = |dose| error(dose, LowDoseOutput::NoiseInserted);
    let (full, quarter) = (noise(1.0), noise(0.25));
    // A quarter of the photons is twice the noise, a little more where few are left.
    assert!((1.95..2.2).contains(&(quarter / full)) && full > 3.0, "{full} {quarter}");
    // Edges of bones that a pixel of 2.6 mm cannot hold make up most of the error of a whole reconstruction.
    assert!(error(0.25, LowDoseOutput::Reconstructed) > quarter);
}
