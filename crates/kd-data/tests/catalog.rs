//! The compiled-in manifests are whole and agree with what was published.

use kd_data::catalog::{self, CatalogError};
use kd_data::manifest::{ImageSize, Layout, SplitPolicy, Task};
use kd_data::{Manifest, Root};

#[test]
fn all_manifests_are_there_and_named_like_their_folders() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets");
    let mut on_disk: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    let mut listed: Vec<String> = catalog::list().iter().map(|manifest| manifest.name.to_string()).collect();
    on_disk.sort();
    listed.sort();
    assert_eq!(listed, on_disk);
    assert_eq!(listed.len(), 40);
}

#[test]
fn every_medmnist_set_is_there_in_both_sizes_with_equal_facts() {
    let published: Vec<&Manifest> =
        catalog::list().iter().filter(|manifest| manifest.source.layout == Layout::MedmnistNpz).collect();
    assert_eq!(published.len(), 24);
    for small in published.iter().filter(|manifest| !manifest.name.as_str().ends_with("-64")) {
        let large = catalog::find(&format!("{}-64", small.name)).unwrap();
        assert_eq!((&small.classes, small.task, small.counts), (&large.classes, large.task, large.counts));
        assert_eq!(small.image.size, ImageSize::Fixed { height: 28, width: 28 });
        assert_eq!(large.image.size, ImageSize::Fixed { height: 64, width: 64 });
        assert_eq!(small.image.channels, large.image.channels);
        assert_ne!(small.source.files[0].checksum, large.source.files[0].checksum);
        assert_eq!(small.split, SplitPolicy::Official);
        let url = small.source.files[0].url.as_deref().unwrap();
        assert!(url.ends_with(&format!("/{}.npz?download=1", small.name)), "{url}");
    }
}

#[test]
fn facts_of_single_sets_are_the_published_ones() {
    // MedMNIST 3.0.2; counts after v2.2.4 removed blank organ images.
    let organ = catalog::find("organamnist").unwrap();
    assert_eq!(organ.counts.map(|n| (n.train, n.val, n.test)), Some((34_561, 6_491, 17_778)));
    assert_eq!(organ.source.files[0].checksum.hex(), "68e3f8846a6bd62f0c9bf841c0d9eacc");
    let chest = catalog::find("chestmnist").unwrap();
    assert_eq!((chest.task, chest.classes.len(), chest.classes[7].as_str()), (Task::MultiLabel, 14, "pneumothorax"));
    let breast = catalog::find("breastmnist").unwrap();
    assert_eq!(breast.positive().map(|n| breast.classes[n].as_str()), Some("normal, benign"));
    assert_eq!(catalog::find("dermamnist-64").unwrap().license.spdx, "CC-BY-NC-4.0");
    assert_eq!(catalog::find("retinamnist").unwrap().task, Task::Ordinal);
    assert_eq!(catalog::find("bloodmnist").unwrap().image.channels, 3);
}

#[test]
fn a_set_that_is_got_by_hand_says_where_and_how_to_go_on() {
    let by_hand: Vec<&Manifest> = catalog::list().iter().filter(|set| set.source.obtain.is_some()).collect();
    assert_eq!(by_hand.len(), 12);
    for set in by_hand {
        assert!(set.source.files.is_empty() && set.source.layout.has_masks() | set.source.layout.has_volumes());
        assert_eq!(&Manifest::parse(&set.to_toml(), "again").unwrap(), set);
    }
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    let spleen = catalog::find("msd-spleen").unwrap();
    let options = kd_data::fetch::FetchOptions::default();
    let refused = kd_data::fetch::fetch(&root, spleen, options, &mut |_| {}).unwrap_err().to_string();
    assert!(refused.contains("Task09_Spleen.tar") && refused.contains("--like msd-spleen"), "{refused}");
    let refused = kd_data::decode::MaskedDataset::<3>::open(&root, spleen).unwrap_err().to_string();
    assert!(refused.contains("Task09_Spleen.tar") && refused.contains("msd-spleen-local"), "{refused}");
}

#[test]
fn an_unknown_name_gets_the_nearest_one() {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    let refused = catalog::resolve(&root, "pneumonia-mnist").unwrap_err();
    assert!(matches!(&refused, CatalogError::Unknown { nearest: Some("pneumoniamnist"), .. }), "{refused}");
}

#[test]
fn a_path_gives_its_manifest_but_not_under_a_published_name() {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path().join("artifacts"));
    let mut mine = catalog::find("bloodmnist").unwrap().clone();
    mine.title = "Mine".into();
    let path = folder.path().join("dataset.toml");
    std::fs::write(&path, mine.to_toml()).unwrap();
    let refused = catalog::resolve(&root, path.to_str().unwrap()).unwrap_err();
    assert!(matches!(refused, CatalogError::Shadow { .. }), "{refused}");
    mine.name = "mine".parse().unwrap();
    std::fs::write(&path, mine.to_toml()).unwrap();
    assert_eq!(catalog::resolve(&root, folder.path().to_str().unwrap()).unwrap(), mine);
    assert!(catalog::imported(&root).unwrap().is_empty());
}
