//! Copies of DICOM files hold nothing that names a person, and everything that an image needs.

mod dicom_files;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dicom_files::{Attribute, file, slice, text, write};
use kd_data::format::{
    Deidentification, Deidentified, Retain, Salt, Tilt, deidentify_dicom, files_below, read_dicom_volume,
};

const SECRET: &str = "SECRET";

fn series(index: u16) -> Vec<Attribute> {
    let mut attributes =
        slice(index, [0.0, 0.0, f64::from(index) * 2.0], [1.0, 0.0, 0.0, 0.0, 1.0, 0.0], [0.5, 0.5], (4, 5));
    attributes.extend([
        text(0x0008, 0x0016, b"UI", "1.2.840.10008.5.1.4.1.1.2"),
        text(0x0008, 0x0018, b"UI", format!("1.9.8.{}", index + 1)),
        text(0x0008, 0x0020, b"DA", "20240229"),
        text(0x0008, 0x0080, b"LO", "SECRET clinic"),
        text(0x0008, 0x0090, b"PN", "SECRET^Doctor"),
        text(0x0008, 0x1010, b"SH", "SECRET station"),
        text(0x0008, 0x103E, b"LO", "SECRET words"),
        text(0x0009, 0x0010, b"LO", "SECRET private"),
        text(0x0009, 0x1001, b"LO", "SECRET private"),
        text(0x0010, 0x0010, b"PN", "SECRET^Patient"),
        text(0x0010, 0x0020, b"LO", "SECRET-4711"),
        text(0x0010, 0x1010, b"AS", "044Y"),
        text(0x0018, 0x0015, b"CS", "CHEST"),
        text(0x0018, 0x1000, b"LO", "SECRET serial"),
        text(0x0018, 0xFFFE, b"LO", "SECRET unknown"),
        text(0x0020, 0x000D, b"UI", "1.9.7"),
        text(0x0028, 0x0301, b"CS", "NO"),
        text(0x6000, 0x3000, b"OW", "SECRET overlay"),
    ]);
    // Referenced Image Sequence, with the instance that slice 0 is, and a name at a depth of one.
    let inner = [text(0x0008, 0x1155, b"UI", "1.9.8.1"), text(0x0008, 0x0090, b"PN", "SECRET^Inner")];
    attributes.push((0x0008, 0x1140, b"SQ", item(&inner)));
    attributes
}

/// The bytes of one item of a sequence.
fn item(attributes: &[Attribute]) -> Vec<u8> {
    let mut inner = Vec::new();
    for (group, element, vr, value) in attributes {
        let mut value = value.clone();
        if value.len() % 2 == 1 {
            value.push(if *vr == b"UI" { 0 } else { b' ' });
        }
        inner.extend(group.to_le_bytes());
        inner.extend(element.to_le_bytes());
        inner.extend(*vr);
        inner.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
        inner.extend(value);
    }
    let mut bytes = vec![0xFE, 0xFF, 0x00, 0xE0];
    bytes.extend(u32::try_from(inner.len()).unwrap().to_le_bytes());
    bytes.extend(inner);
    bytes
}

fn salt(folder: &Path, secret: &[u8]) -> Salt {
    let path = folder.join("salt");
    std::fs::write(&path, secret).unwrap();
    Salt::of_file(&path).unwrap()
}

fn copied(folder: &Path, name: &str, retain: &[Retain], paths: &[PathBuf]) -> (Deidentified, Vec<PathBuf>) {
    let retain: BTreeSet<Retain> = retain.iter().copied().collect();
    let request = Deidentification { retain, salt: salt(folder, b"sixteen bytes of salt") };
    let told = deidentify_dicom(paths, &folder.join(name), &request).unwrap();
    let found = files_below(&folder.join(name)).unwrap_or_default();
    (
        told,
        found.into_iter().map(|file| file.path).filter(|path| path.extension().is_some_and(|e| e == "dcm")).collect(),
    )
}

fn holds(path: &Path, text: &[u8]) -> bool {
    std::fs::read(path).unwrap().windows(text.len()).any(|window| window == text)
}

#[test]
fn nothing_that_names_a_person_is_left_at_any_depth_and_the_volume_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let paths = write(folder.path(), &[0, 1, 2].map(|index| file(&series(index))));
    let before = read_dicom_volume(&paths, Tilt::Refuse).unwrap();
    let (told, copies) = copied(folder.path(), "copies", &[], &paths);
    assert_eq!((told.files, told.series, told.subjects, told.refused.len()), (3, 1, 1, 0));
    assert_eq!((told.perhaps_burned_in, told.perhaps_recognizable), (0, 0));
    for copy in &copies {
        for gone in [SECRET, "1.9.7", "1.9.8", "044Y", "2024"] {
            assert!(!holds(copy, gone.as_bytes()), "{gone} in {}", copy.display());
            assert!(!copy.strip_prefix(folder.path()).unwrap().to_string_lossy().contains(gone));
        }
        assert!(holds(copy, b"113100") && holds(copy, b"CHEST"));
    }
    assert_eq!(read_dicom_volume(&copies, Tilt::Refuse).unwrap().image.geometry(), before.image.geometry());
    assert_eq!(read_dicom_volume(&copies, Tilt::Refuse).unwrap().image.values(), before.image.values());
    let record = std::fs::read_to_string(folder.path().join("copies/deidentified.json")).unwrap();
    assert!(!record.contains(SECRET) && !record.contains("000.dcm"), "{record}");
    let change = |attribute: &str| told.changes.iter().find(|change| change.attribute == attribute).unwrap();
    assert_eq!((change("(0010,1010)").action, change("(0010,1010)").files), ("removed", 3));
    assert_eq!(change("(0009,1001)").action, "removed");
    assert_eq!(change("(0020,000D)").action, "new UID");
}

#[test]
fn references_between_copies_still_meet_and_another_salt_breaks_them() {
    let folder = tempfile::tempdir().unwrap();
    let paths = write(folder.path(), &[0, 1].map(|index| file(&series(index))));
    let (_, copies) = copied(folder.path(), "one", &[], &paths);
    let first = copies.iter().map(|path| path.file_stem().unwrap().to_string_lossy().into_owned());
    // The name of one copy is the identifier that both refer to.
    let referred: Vec<String> = first.filter(|name| copies.iter().all(|copy| holds(copy, name.as_bytes()))).collect();
    assert_eq!(referred.len(), 1);
    let (_, again) = copied(folder.path(), "two", &[], &paths);
    let names = |copies: &[PathBuf]| copies.iter().map(|path| path.file_name().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&copies), names(&again));
    let request = Deidentification { retain: BTreeSet::new(), salt: Salt::random().unwrap() };
    deidentify_dicom(&paths, &folder.path().join("three"), &request).unwrap();
    let other: Vec<PathBuf> =
        files_below(&folder.path().join("three")).unwrap().into_iter().map(|file| file.path).collect();
    assert!(names(&copies).iter().all(|name| !names(&other).contains(name)));
}

#[test]
fn options_keep_what_they_name() {
    let folder = tempfile::tempdir().unwrap();
    let paths = write(folder.path(), &[file(&series(0))]);
    let cases: [(Retain, &[u8]); 5] = [
        (Retain::Uids, b"1.9.8.1"),
        (Retain::Device, b"SECRET serial"),
        (Retain::Institution, b"SECRET clinic"),
        (Retain::PatientCharacteristics, b"044Y"),
        (Retain::FullDates, b"20240229"),
    ];
    for (option, kept) in cases {
        let (_, copies) = copied(folder.path(), option.name(), &[option], &paths);
        for (other, text) in cases {
            assert_eq!(holds(&copies[0], text), other == option, "{option:?} {}", String::from_utf8_lossy(text));
        }
        assert!(holds(&copies[0], kept) && holds(&copies[0], option.code().0.as_bytes()));
        assert!(!holds(&copies[0], b"SECRET^Patient") && !holds(&copies[0], b"SECRET-4711"));
    }
}

#[test]
fn shifted_dates_keep_their_distance_and_tell_no_day() {
    let folder = tempfile::tempdir().unwrap();
    let dated = |index: u16, patient: &str, day: &str| {
        let mut attributes = series(index);
        attributes.push(text(0x0010, 0x0020, b"LO", patient));
        attributes.push(text(0x0008, 0x0020, b"DA", day));
        attributes.push(text(0x0008, 0x0030, b"TM", "101500"));
        attributes.push(text(0x0008, 0x0018, b"UI", format!("1.9.9.{index}")));
        file(&attributes)
    };
    let files = [dated(0, "SECRET-1", "20240229"), dated(1, "SECRET-1", "20240310"), dated(2, "SECRET-2", "20240229")];
    let paths = write(folder.path(), &files);
    let (told, copies) = copied(folder.path(), "shifted", &[Retain::ShiftedDates], &paths);
    let change = told.changes.iter().find(|change| change.attribute == "(0008,0020)").unwrap();
    assert_eq!((change.action, change.files), ("shifted", 3));
    let day = |path: &PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        let at = bytes.windows(6).position(|six| six == [8, 0, 0x20, 0, b'D', b'A']).unwrap() + 8;
        let number = |from: usize, to: usize| std::str::from_utf8(&bytes[at + from..at + to]).unwrap().parse().unwrap();
        let date = kd_data::calendar::Date { year: number(0, 4), month: number(4, 6), day: number(6, 8) };
        (path.parent().unwrap().parent().unwrap().to_path_buf(), date.day_number().unwrap())
    };
    let mut days = std::collections::BTreeMap::<PathBuf, Vec<i64>>::new();
    for (subject, day) in copies.iter().map(day) {
        days.entry(subject).or_default().push(day);
    }
    let mut days: Vec<Vec<i64>> = days.into_values().collect();
    days.sort_by_key(Vec::len);
    let [alone, both] = &days[..] else { panic!("{days:?}") };
    assert_eq!((both[0] - both[1]).abs(), 10);
    let first = kd_data::calendar::Date { year: 2024, month: 2, day: 29 }.day_number().unwrap();
    assert!(days.iter().flatten().all(|&day| (first - 3_650..first).contains(&day)), "{days:?}");
    assert_ne!(alone[0], *both.iter().min().unwrap(), "patients are shifted by numbers of their own");
    assert!(copies.iter().all(|copy| holds(copy, b"101500") && holds(copy, b"113107") && !holds(copy, b"20240229")));
}

#[test]
fn safe_private_attributes_stay_where_that_is_asked_for_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut attributes = series(0);
    attributes.extend([
        text(0x0019, 0x0011, b"LO", "SIEMENS MR HEADER"),
        text(0x0019, 0x110C, b"IS", "1234567"),
        text(0x0019, 0x110B, b"LO", "SECRET place"),
        text(0x0099, 0x0010, b"LO", "NQHeader"),
        text(0x0099, 0x1001, b"UI", "1.9.6.5"),
    ]);
    let inner = [
        text(0x2005, 0x0010, b"LO", "Philips MR Imaging DD 001"),
        text(0x2005, 0x100E, b"FL", "7654"),
        text(0x2005, 0x1010, b"LO", "SECRET depth"),
    ];
    attributes.push((0x0008, 0x2112, b"SQ", item(&inner)));
    let paths = write(folder.path(), &[file(&attributes)]);
    let (told, copies) = copied(folder.path(), "safe", &[Retain::SafePrivate], &paths);
    for kept in ["SIEMENS MR HEADER", "1234567", "NQHeader", "Philips MR Imaging DD 001", "7654", "113111"] {
        assert!(holds(&copies[0], kept.as_bytes()), "{kept}");
    }
    assert!(!holds(&copies[0], SECRET.as_bytes()) && !holds(&copies[0], b"1.9.6.5"));
    let change = |attribute: &str| told.changes.iter().find(|change| change.attribute == attribute).map(|c| c.action);
    assert_eq!(change("(0099,1001)"), Some("new UID"));
    assert_eq!((change("(0019,110B)"), change("(0019,110C)")), (Some("removed"), None));
    let (_, copies) = copied(folder.path(), "basic", &[], &paths);
    for gone in ["SIEMENS", "1234567", "NQHeader", "Philips", "7654"] {
        assert!(!holds(&copies[0], gone.as_bytes()), "{gone}");
    }
}

#[test]
fn every_encoding_comes_through() {
    let folder = tempfile::tempdir().unwrap();
    let explicit = series(0);
    let plain = file(&explicit);
    let mut deflated = Vec::new();
    {
        // The meta information of `file` is the transfer syntax alone: 132 bytes, then 8 + 20.
        let body = &plain[160..];
        let with = file(&[text(0x0002, 0x0010, b"UI", "1.2.840.10008.1.2.1.99")]);
        deflated.extend(with);
        let mut encoder = flate2::write::DeflateEncoder::new(&mut deflated, flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, body).unwrap();
        encoder.finish().unwrap();
    }
    let mut implicit = plain[..132].to_vec();
    let meta = file(&[text(0x0002, 0x0010, b"UI", "1.2.840.10008.1.2")]);
    implicit.extend(&meta[132..]);
    for (group, element, vr, mut value) in sorted(&explicit) {
        // The nested sequence is explicit; an implicit file has implicit items.
        if vr == b"SQ" {
            continue;
        }
        if value.len() % 2 == 1 {
            value.push(b' ');
        }
        implicit.extend(group.to_le_bytes());
        implicit.extend(element.to_le_bytes());
        implicit.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
        implicit.extend(value);
    }
    for (name, bytes) in [("plain", plain), ("deflated", deflated), ("implicit", implicit)] {
        let source = folder.path().join(format!("{name}.dcm"));
        std::fs::write(&source, bytes).unwrap();
        let before = kd_data::format::read_dicom(&source).unwrap().modality().unwrap();
        let (told, copies) = copied(folder.path(), name, &[], std::slice::from_ref(&source));
        assert!(told.refused.is_empty(), "{name}: {:?}", told.refused);
        assert!(!holds(&copies[0], SECRET.as_bytes()), "{name}");
        assert_eq!(kd_data::format::read_dicom(&copies[0]).unwrap().modality().unwrap(), before, "{name}");
    }
}

fn sorted(attributes: &[Attribute]) -> Vec<Attribute> {
    let mut by_tag = std::collections::BTreeMap::new();
    for (group, element, vr, value) in attributes {
        by_tag.insert((*group, *element), (*vr, value.clone()));
    }
    by_tag.into_iter().map(|((group, element), (vr, value))| (group, element, vr, value)).collect()
}

#[test]
fn what_cannot_be_cleaned_is_refused_with_the_reason_and_heads_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let with = |more: Attribute| {
        let mut attributes = series(0);
        attributes.push(more);
        file(&attributes)
    };
    let paths = write(
        folder.path(),
        &[
            with(text(0x0028, 0x0301, b"CS", "YES")),
            with(text(0x0008, 0x0016, b"UI", "1.2.840.10008.5.1.4.1.1.88.22")),
            with(text(0x0008, 0x0018, b"UI", "")),
            with(text(0x0018, 0x0015, b"CS", "HEAD")),
            with(text(0x0008, 0x0090, b"PN", "Another")),
            file(&series(0))[..700].to_vec(),
        ],
    );
    let (told, copies) = copied(folder.path(), "copies", &[], &paths);
    // Two of the readable ones are the same instance: the first stays.
    assert_eq!((told.files, copies.len(), told.burned_in), (1, 1, 1));
    assert_eq!(told.perhaps_recognizable, 1, "a head");
    let reasons: Vec<String> = told.refused.iter().map(ToString::to_string).collect();
    for reason in ["says there is some", "a structured report", "(0008,0018)", "another file has too", "cut off"] {
        assert!(reasons.iter().any(|said| said.contains(reason)), "{reason}: {reasons:#?}");
    }
    assert!(reasons.iter().all(|said| !said.contains(SECRET)), "{reasons:#?}");
}

#[test]
fn nothing_is_written_where_nothing_can_be_copied() {
    let folder = tempfile::tempdir().unwrap();
    let paths = write(folder.path(), &[Vec::new(), b"no DICOM at all".to_vec()]);
    let (told, copies) = copied(folder.path(), "copies", &[], &paths);
    assert_eq!((told.files, told.refused.len(), copies.len()), (0, 2, 0));
    assert!(!folder.path().join("copies").exists());
    std::fs::write(folder.path().join("short"), b"short").unwrap();
    let short = Salt::of_file(&folder.path().join("short")).unwrap_err().to_string();
    assert!(short.contains("16 bytes") && short.contains("hint:"), "{short}");
    assert_eq!(format!("{:?}", Salt::random().unwrap()), "Salt");
}
