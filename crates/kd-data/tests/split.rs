//! Splits, folds and subsets keep subjects whole and classes in proportion; leaks between splits are found.
#![cfg(feature = "formats")]

use std::collections::{BTreeMap, BTreeSet};

use kd_data::leak::{LeakPolicy, LeakRow, Pairs, PerSplit, PixelHash, check};
use kd_data::manifest::SplitShares;
use kd_data::split::{SplitError, SplitTable, label_subset, subject_folds, subject_split};
use kd_image::{Geometry, Image, Intensity, SampleId, Split, SubjectId, Target};
use proptest::prelude::*;

fn subject(n: usize) -> SubjectId {
    SubjectId::new(format!("s{n}")).unwrap()
}

/// `n` subjects with 1 to 3 images each; every fifth subject is of class 1.
fn samples(n: usize) -> Vec<(SubjectId, Target)> {
    let images = |s: usize| (0..1 + s % 3).map(move |_| (subject(s), Target::Class(u16::from(s.is_multiple_of(5)))));
    (0..n).flat_map(images).collect()
}

fn borrowed(samples: &[(SubjectId, Target)]) -> Vec<(&SubjectId, &Target)> {
    samples.iter().map(|(subject, target)| (subject, target)).collect()
}

fn shares() -> SplitShares {
    SplitShares::new(0.6, 0.1, 0.3).unwrap()
}

#[test]
fn every_split_holds_its_share_of_every_class() {
    let samples = samples(300);
    let splits = subject_split(&borrowed(&samples), shares(), 4).unwrap();
    for class in [0, 1] {
        let of_class = |split: Option<Split>| {
            let hits = samples.iter().zip(&splits).filter(|((_, target), found)| {
                *target == Target::Class(class) && split.is_none_or(|split| split == **found)
            });
            hits.count() as f64
        };
        for (split, share) in Split::ALL.into_iter().zip(shares().as_array()) {
            let found = of_class(Some(split)) / of_class(None);
            // A subject has up to 3 images and a class at least 120: 2.5 points each way.
            assert!((found - share).abs() < 0.026, "{split} {class}: {found} of {share}");
        }
    }
}

#[test]
fn the_order_of_the_samples_changes_nothing_and_the_seed_does() {
    let samples = samples(60);
    let by_subject = |samples: &[(SubjectId, Target)], seed| {
        let splits = subject_split(&borrowed(samples), shares(), seed).unwrap();
        samples.iter().map(|(subject, _)| subject.clone()).zip(splits).collect::<BTreeMap<_, _>>()
    };
    let mut backwards = samples.clone();
    backwards.reverse();
    assert_eq!(by_subject(&samples, 1), by_subject(&backwards, 1));
    assert_ne!(by_subject(&samples, 1), by_subject(&samples, 2));
}

#[test]
fn a_small_subset_keeps_every_class_and_close_to_its_fraction() {
    let mut samples = samples(400);
    samples.extend((0..3).map(|_| (subject(1000), Target::Class(2))));
    samples.push((subject(1001), Target::Unlabelled));
    let kept = label_subset(&borrowed(&samples), 0.05, 9).unwrap();
    let chosen: BTreeSet<&SubjectId> =
        samples.iter().zip(&kept).filter(|(_, kept)| **kept).map(|((subject, _), _)| subject).collect();
    let classes: BTreeSet<u16> = samples
        .iter()
        .zip(&kept)
        .filter_map(|((_, target), kept)| if let (Target::Class(c), true) = (target, kept) { Some(*c) } else { None })
        .collect();
    assert_eq!(classes, BTreeSet::from([0, 1, 2]));
    let n = kept.iter().filter(|kept| **kept).count();
    assert!((34..=46).contains(&n), "{n} of {}", samples.len());
    for ((subject, target), kept) in samples.iter().zip(&kept) {
        assert_eq!(*kept, chosen.contains(subject) && *target != Target::Unlabelled);
    }
    assert!(label_subset(&borrowed(&samples), 1.0, 9).unwrap().iter().filter(|kept| !**kept).count() == 1);
    for wrong in [0.0, -0.1, 1.1, f64::NAN] {
        assert!(matches!(label_subset(&borrowed(&samples), wrong, 9), Err(SplitError::Fraction { .. })));
    }
}

#[test]
fn a_small_subset_takes_large_and_small_subjects_alike() {
    // 200 subjects of one image, 200 of four: a tenth of each.
    let images = |s: usize| (0..if s < 200 { 1 } else { 4 }).map(move |_| (subject(s), Target::Class(0)));
    let samples: Vec<_> = (0..400).flat_map(images).collect();
    let kept = label_subset(&borrowed(&samples), 0.1, 3).unwrap();
    let of_small = kept[..200].iter().filter(|kept| **kept).count();
    let of_large = kept[200..].iter().filter(|kept| **kept).count() / 4;
    assert!(of_small.abs_diff(20) <= 2 && of_large.abs_diff(20) <= 2, "{of_small} {of_large}");
}

#[test]
fn too_few_subjects_are_refused() {
    let two = samples(2);
    assert!(matches!(subject_split(&borrowed(&two), shares(), 0), Err(SplitError::TooFew { found: 2, .. })));
    assert!(matches!(subject_folds(&borrowed(&two), 3, 0), Err(SplitError::TooFew { .. })));
    assert!(matches!(subject_folds(&borrowed(&two), 1, 0), Err(SplitError::TooFew { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_subject_stands_in_two_parts(n in 5usize..80, folds in 2usize..5, seed: u64) {
        let samples = samples(n);
        let splits = subject_split(&borrowed(&samples), shares(), seed).unwrap();
        let parts = subject_folds(&borrowed(&samples), folds, seed).unwrap();
        let mut seen = BTreeMap::new();
        for (n, (subject, _)) in samples.iter().enumerate() {
            prop_assert!(parts[n] < folds);
            prop_assert_eq!(*seen.entry(subject).or_insert((splits[n], parts[n])), (splits[n], parts[n]));
        }
        prop_assert_eq!(parts.iter().collect::<BTreeSet<_>>().len(), folds);
    }
}

const TABLE: &str = "# kd split, version 1\n# dataset = x\nsample,subject,split\na,s1,train\nb,s2,test\n";

#[test]
fn a_split_file_reads_back_and_its_hash_follows_every_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("split.csv");
    let table = SplitTable::parse(TABLE, "split.csv").unwrap();
    assert_eq!(table.to_csv(), TABLE);
    table.write(&path).unwrap();
    assert_eq!(SplitTable::read(&path).unwrap(), table);
    let other = SplitTable::parse(&TABLE.replace("b,s2,test", "b,s2,val"), "split.csv").unwrap();
    assert_ne!(table.hash(), other.hash());
}

#[test]
fn a_broken_split_file_is_refused_with_its_line() {
    for (wrong, line) in [
        (TABLE.replace("version 1", "version 2"), 1),
        (TABLE.replace("# dataset", "dataset"), 2),
        (TABLE.replace("test", "tset"), 5),
        (TABLE.replace("b,s2", "a,s2"), 5),
        (TABLE.replace("b,s2,", "b,"), 5),
        (TABLE[..TABLE.len() - 28].into(), 3),
    ] {
        let refused = SplitTable::parse(&wrong, "split.csv").unwrap_err();
        assert!(matches!(&refused, SplitError::Line { line: found, .. } if *found == line), "{refused}");
    }
}

fn pixels(value: f32, shape: [usize; 2]) -> PixelHash {
    let grid = Geometry::without_spacing(shape).unwrap();
    PixelHash::of(&Image::new(1, grid, Intensity::Stored { bits: 8 }, vec![value; 6]).unwrap())
}

/// Sample, subject, split, pixel value.
type Row = (&'static str, &'static str, Split, f32);

fn leaks(rows: &[Row], policy: LeakPolicy) -> Result<(kd_data::leak::LeakReport, Vec<bool>), kd_data::leak::LeakError> {
    let ids: Vec<(SampleId, SubjectId)> =
        rows.iter().map(|(sample, subject, ..)| (sample.parse().unwrap(), subject.parse().unwrap())).collect();
    let rows: Vec<LeakRow<'_>> = rows
        .iter()
        .zip(&ids)
        .map(|(row, (sample, subject))| LeakRow { sample, subject, split: row.2, pixels: pixels(row.3, [2, 3]) })
        .collect();
    check(&rows, policy)
}

const LEAKING: [Row; 7] = [
    ("a", "s1", Split::Train, 1.0),
    ("b", "s2", Split::Train, 2.0),
    ("c", "s3", Split::Train, 3.0),
    ("d", "s4", Split::Train, 3.0),
    ("e", "s5", Split::Val, 2.0),
    ("f", "s6", Split::Val, 6.0),
    ("g", "s1", Split::Test, 7.0),
];

#[test]
fn two_splits_that_share_a_subject_stop_with_the_pair_and_a_hint() {
    let stopped = leaks(&LEAKING, LeakPolicy::Stop).unwrap_err();
    let text = stopped.to_string();
    assert!(text.starts_with("splits share 1 subjects and 1 images"), "{text}");
    assert!(text.contains("subject of `a` (train) and `g` (test)"), "{text}");
    assert!(text.contains("hint: ") && text.contains("leak_policy = \"drop-from-train\""), "{text}");
}

#[test]
fn what_repeats_is_dropped_from_the_less_protected_split_and_counted() {
    let (report, kept) = leaks(&LEAKING, LeakPolicy::DropFromTrain).unwrap();
    assert_eq!(kept, [false, false, true, true, true, true, true]);
    assert_eq!(report.shared_subjects, Pairs { train_test: 1, ..Pairs::default() });
    assert_eq!(report.shared_images, Pairs { train_val: 1, ..Pairs::default() });
    assert_eq!(report.repeats_within, PerSplit { train: 1, ..PerSplit::default() });
    assert_eq!(report.dropped, PerSplit { train: 2, ..PerSplit::default() });
    let val = [("a", "s1", Split::Val, 1.0), ("b", "s2", Split::Test, 1.0)];
    assert_eq!(leaks(&val, LeakPolicy::DropFromTrain).unwrap().1, [false, true]);
}

#[test]
fn repeats_inside_one_split_only_count() {
    let rows = [("a", "s1", Split::Train, 1.0), ("b", "s2", Split::Train, 1.0), ("c", "s3", Split::Test, 2.0)];
    let (report, kept) = leaks(&rows, LeakPolicy::Stop).unwrap();
    assert!(!report.leaks() && kept.iter().all(|kept| *kept));
    assert_eq!(report.repeats_within.train, 1);
}

#[test]
fn equal_values_on_another_shape_are_another_image() {
    assert_eq!(pixels(1.0, [2, 3]), pixels(1.0, [2, 3]));
    assert_ne!(pixels(1.0, [2, 3]), pixels(1.0, [3, 2]));
    assert_ne!(pixels(1.0, [2, 3]), pixels(2.0, [2, 3]));
}

#[test]
fn policy_names_read_back() {
    for policy in [LeakPolicy::Stop, LeakPolicy::DropFromTrain] {
        assert_eq!(LeakPolicy::of_name(policy.name()), Some(policy));
    }
    assert_eq!(LeakPolicy::of_name("ignore"), None);
}
