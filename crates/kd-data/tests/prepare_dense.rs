//! Samples with an answer for each point: from raw volumes to the store and back, and what damage to the store does.

#![cfg(feature = "formats")]

use std::path::Path;
use std::sync::Arc;

use kd_data::degrade::Degradation;
use kd_data::import::generate_dataset;
use kd_data::leak::LeakPolicy;
use kd_data::prepare::{
    Blocks, CaseSet, DenseIntensity, DenseRequest, PairRequest, PrepareError, VolumeSet, prepare_cases, prepare_pairs,
};
use kd_data::store::{DenseSource, DenseStore, Element, StoreError};
use kd_data::{Manifest, Root};
use kd_image::{Image, LabelMap, SampleSource, Split};

fn manifest(kind: &str, task: &str, more: [&str; 2]) -> Manifest {
    let [head, generator] = more;
    let text = format!(
        "name = 'small'\ntitle = 'small'\ntask = '{task}'\nnotes = ['generated']\n{head}\n[image]\nchannels = 1\n\
         size = [32, 32]\nintensity = 'hounsfield'\n[license]\nspdx = 'MIT'\n[citation]\ntext = 'none'\n[split]\n\
         policy = 'official'\n[generator]\nkind = '{kind}'\nsize = 32\nslices = 3\nspacing_mm = 10.4\nslice_mm = 7.0\n\
         n_subjects = 6\nsplit = [0.5, 0.2, 0.3]\ndifficulty = 0.0\nseed = 4\n{generator}\n[source]\n\
         layout = 'generator'\n"
    );
    Manifest::parse(&text, "the test").unwrap()
}

fn organs() -> Manifest {
    let mask = "classes = ['background', 'lung', 'heart', 'bone', 'lesion']\n[mask]\nvalues = [0, 1, 2, 3, 4]";
    manifest("thorax-organs", "segmentation", [mask, "noise_hu = 5.0"])
}

fn clean() -> Manifest {
    manifest("ct", "enhancement", ["", "region = 'thorax'"])
}

fn root(manifest: &Manifest) -> (tempfile::TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    generate_dataset(&root, manifest).unwrap();
    (folder, root)
}

fn request(size: &[usize]) -> DenseRequest {
    DenseRequest {
        size: size.to_vec(),
        spacing_mm: None,
        intensity: DenseIntensity::Linear { offset: -1000.0, scale: 1000.0 },
        element: Element::F32,
        objects: None,
    }
}

fn pairs(degradation: &str, n_views: u32) -> PairRequest {
    let degradation: Degradation = toml::from_str(degradation).unwrap();
    PairRequest { clean: request(&[32, 32]), degradation, seed: 9, n_views }
}

const NOISE: &str = "kind = 'gaussian'\nsigma = 20.0";

fn cases(root: &Root, manifest: &Manifest, request: &DenseRequest) -> DenseStore {
    let set = CaseSet::open(root, manifest, LeakPolicy::Stop).unwrap();
    prepare_cases(&set, request, (1, 5), &manifest.content_hash(), &root.prepared()).unwrap()
}

fn noisy(root: &Root, manifest: &Manifest, request: &PairRequest) -> DenseStore {
    let set = VolumeSet::open(root, manifest, LeakPolicy::Stop, None).unwrap();
    prepare_pairs(&set, request, 1, &manifest.content_hash(), &root.prepared()).unwrap()
}

fn bytes(folder: &Path) -> Vec<Vec<u8>> {
    ["answers.bin", "index.csv", "inputs.bin", "plan.json"].map(|name| std::fs::read(folder.join(name)).unwrap()).into()
}

#[test]
fn slices_hold_the_values_and_labels_of_their_case() {
    let manifest = organs();
    let (_folder, root) = root(&manifest);
    let set = CaseSet::open(&root, &manifest, LeakPolicy::Stop).unwrap();
    let store = Arc::new(cases(&root, &manifest, &request(&[32, 32])));
    assert_eq!(store.entries().len(), 6 * 3);
    for split in Split::ALL {
        let source = DenseSource::<2, LabelMap<2>>::of_split(Arc::clone(&store), split);
        let entries: Vec<_> = source.entries().cloned().collect();
        for (index, entry) in entries.iter().enumerate() {
            let sample = source.read(index).unwrap();
            let case = (0..set.len()).find(|&case| *set.sample(case) == entry.case).unwrap();
            assert_eq!((set.split(case), set.subject(case)), (split, &sample.subject));
            let case = set.read(case).unwrap();
            let part = entry.slice * 1024..(entry.slice + 1) * 1024;
            assert_eq!(sample.target.labels(), &case.labels.labels()[part.clone()]);
            for (found, hu) in sample.image.values().iter().zip(&case.image.channel(0)[part]) {
                assert!((found - (hu + 1000.0) / 1000.0).abs() < 1e-5, "{found} of {hu} HU");
            }
        }
    }
}

#[test]
fn whole_volumes_are_padded_to_one_size_with_background() {
    let manifest = organs();
    let (_folder, root) = root(&manifest);
    let store = Arc::new(cases(&root, &manifest, &request(&[5, 40, 28])));
    let sample = DenseSource::<3, LabelMap<3>>::of_split(store, Split::Test).read(0).unwrap();
    assert_eq!(sample.image.geometry().shape(), [5, 40, 28]);
    assert!(sample.target.labels()[..40 * 28].iter().all(|&label| label == 0));
    assert!(sample.target.labels().iter().any(|&label| label > 0));
}

#[test]
fn a_training_slice_has_a_noise_of_its_own_in_every_view_and_a_test_slice_always_the_same() {
    let manifest = clean();
    let (_folder, root) = root(&manifest);
    let store = Arc::new(noisy(&root, &manifest, &pairs(NOISE, 2)));
    let source = |split| DenseSource::<2, Image<2>>::of_split(Arc::clone(&store), split);
    let (train, test) = (source(Split::Train), source(Split::Test));
    let view = |source: &DenseSource<2, Image<2>>, view| source.read_view(0, view).unwrap();
    assert_ne!(view(&train, 0).image, view(&train, 1).image);
    assert_eq!(view(&train, 0).image, view(&train, 2).image);
    assert_eq!(view(&train, 0).target, view(&train, 1).target);
    assert_eq!(view(&test, 0).image, view(&test, 1).image);
    let sample = view(&train, 0);
    let error = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
    let sum: f64 = sample.image.values().iter().zip(sample.target.values()).map(error).sum();
    let sigma_hu = 1000.0 * (sum / 1024.0).sqrt();
    assert!((17.0..23.0).contains(&sigma_hu), "{sigma_hu}");
}

#[test]
fn a_coarser_input_covers_the_field_of_view_of_its_answer() {
    let manifest = clean();
    let (_folder, root) = root(&manifest);
    let request = pairs("kind = 'downsample'\nfactor = 2\nblur_sigma = 0.0", 1);
    let store = Arc::new(noisy(&root, &manifest, &request));
    let sample = DenseSource::<2, Image<2>>::of_split(store, Split::Train).read(0).unwrap();
    assert_eq!((sample.image.geometry().shape(), sample.target.geometry().shape()), ([16, 16], [32, 32]));
    let (input, answer) = (sample.image.values(), sample.target.values());
    for (row, column) in (0..16).flat_map(|row| (0..16).map(move |column| (row, column))) {
        let at = |r: usize, c: usize| answer[(2 * row + r) * 32 + 2 * column + c];
        let mean = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4.0;
        assert!((input[row * 16 + column] - mean).abs() < 1e-5);
    }
}

#[test]
fn the_same_request_opens_what_is_there_and_equal_input_gives_equal_bytes() {
    let manifest = clean();
    let ((_a, first), (_b, second)) = (root(&manifest), root(&manifest));
    let stores = [&first, &second].map(|root| noisy(root, &manifest, &pairs(NOISE, 2)));
    let folders = [&first, &second].map(|root| root.prepared().join(stores[0].identity()));
    assert_eq!(bytes(&folders[0]), bytes(&folders[1]));
    let again = noisy(&first, &manifest, &pairs(NOISE, 2));
    assert_eq!(again.identity(), stores[0].identity());
    assert_ne!(noisy(&first, &manifest, &pairs(NOISE, 1)).identity(), again.identity());
}

#[test]
fn blocks_are_split_as_subjects_and_their_gaps_are_left_out() {
    let mut manifest = clean();
    let text = manifest.to_toml().replace("slices = 3", "slices = 17").replace("n_subjects = 6", "n_subjects = 3");
    manifest = Manifest::parse(&text, "the test").unwrap();
    let (_folder, root) = root(&manifest);
    let shares = kd_data::manifest::SplitShares::new(0.5, 0.25, 0.25).unwrap();
    manifest.split = kd_data::manifest::SplitPolicy::BySubject { seed: 1, shares };
    let set = VolumeSet::open(&root, &manifest, LeakPolicy::Stop, Some(Blocks { slices: 3, gap: 4 })).unwrap();
    // 17 slices are three blocks of 3 with gaps of 4 between them.
    assert_eq!(set.len(), 3 * 3);
    let whole = VolumeSet::open(&root, &manifest, LeakPolicy::Stop, None).unwrap();
    assert_ne!(whole.split_hash(), set.split_hash());
    let (volume, block) = (whole.read(0).unwrap(), set.read(1).unwrap());
    assert_eq!(block.geometry().shape(), [3, 32, 32]);
    assert_eq!(block.values(), &volume.values()[7 * 1024..10 * 1024]);
    let splits: std::collections::BTreeSet<Split> = (0..set.len()).map(|index| set.split(index)).collect();
    assert_eq!(splits.len(), 3);
}

#[test]
fn requests_that_make_no_pair_are_refused_with_what_was_expected() {
    let refused = |request: PairRequest| request.check().unwrap_err().to_string();
    let wrong = |change: &dyn Fn(&mut PairRequest)| {
        let mut request = pairs(NOISE, 1);
        change(&mut request);
        refused(request)
    };
    assert!(wrong(&|r| r.n_views = 0).contains("at least 1"));
    assert!(wrong(&|r| r.clean.size = vec![3, 32, 32]).contains("[height, width]"));
    assert!(wrong(&|r| r.clean.intensity = DenseIntensity::EachVolume).contains("unit of its source"));
    let mut odd = pairs("kind = 'downsample'\nfactor = 2\nblur_sigma = 0.0", 1);
    odd.clean.size = vec![32, 31];
    assert!(refused(odd).contains("multiples of 2"));
}

#[test]
fn a_store_whose_bytes_changed_is_refused_and_nothing_else_is_read() {
    let manifest = clean();
    let (_folder, root) = root(&manifest);
    let identity = noisy(&root, &manifest, &pairs(NOISE, 1)).identity().to_owned();
    let folder = root.prepared().join(&identity);
    let read = |identity: &str| -> Result<Vec<f32>, String> {
        let store = Arc::new(DenseStore::open(&folder, identity).map_err(|error| error.to_string())?);
        let mut all = Vec::new();
        for split in Split::ALL {
            let source = DenseSource::<2, Image<2>>::of_split(Arc::clone(&store), split);
            for index in 0..source.len() {
                let sample = source.read(index).map_err(|error| error.to_string())?;
                all.extend_from_slice(sample.image.values());
                all.extend_from_slice(sample.target.values());
            }
        }
        Ok(all)
    };
    let whole = read(&identity).unwrap();
    let other = DenseStore::open(&folder, "another").unwrap_err();
    assert!(matches!(other, StoreError::Mismatch { .. }), "{other}");
    for name in ["answers.bin", "index.csv", "inputs.bin", "plan.json"] {
        let path = folder.join(name);
        let bytes = std::fs::read(&path).unwrap();
        for step in 0..60 {
            let mut changed = bytes.clone();
            let at = step * bytes.len() / 60;
            match step % 3 {
                0 => changed.truncate(at),
                1 => changed[at] ^= 1 << (step % 8),
                _ => changed.insert(at, b'7'),
            }
            std::fs::write(&path, &changed).unwrap();
            let found = read(&identity);
            assert!(found.is_err() || found.as_ref() == Ok(&whole), "{name}, step {step}: other values");
        }
        std::fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(read(&identity).unwrap(), whole);
}

#[test]
fn a_case_that_cannot_be_prepared_is_named() {
    let manifest = organs();
    let (_folder, root) = root(&manifest);
    let set = CaseSet::open(&root, &manifest, LeakPolicy::Stop).unwrap();
    let wrong = DenseRequest { size: vec![0, 32], ..request(&[32, 32]) };
    let refused = prepare_cases(&set, &wrong, (1, 5), &manifest.content_hash(), &root.prepared()).unwrap_err();
    assert!(matches!(refused, PrepareError::Plan { .. }), "{refused}");
    let name = set.sample(0).as_str().rsplit_once('/').unwrap().1.to_owned();
    for file in kd_data::format::files_below(&root.raw_set("small")).unwrap() {
        if file.name.contains("masks") && file.name.contains(&name) {
            std::fs::remove_file(&file.path).unwrap();
        }
    }
    let refused = CaseSet::open(&root, &manifest, LeakPolicy::Stop).unwrap_err().to_string();
    assert!(refused.contains(&name), "{refused}");
}
