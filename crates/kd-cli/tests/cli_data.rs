//! `kd data`: import, verify, describe and clean on a small set, and every wrong turn on the way.

mod program;

use std::path::Path;

use kd_data::format::{NpyArray, NpyValue, write_npz};
use program::{kd, text};

/// Eight images of 2 x 3 pixels, each with pixels of its own; two classes in every split, two images a subject.
fn small_npz(path: &Path, wrong_label: bool) {
    let mut arrays: Vec<(String, NpyValue)> = Vec::new();
    for (split, first, n) in [("train", 0u8, 4u8), ("val", 40, 2), ("test", 60, 2)] {
        let of = |shape: Vec<usize>, values: Vec<u8>| NpyValue::U8(NpyArray { shape, values });
        let n_images = usize::from(n);
        let pixels = (0..n * 6).map(|pixel| first + pixel).collect();
        let mut labels: Vec<u8> = (0..n).map(|image| image % 2).collect();
        if wrong_label && split == "val" {
            labels[1] = 9;
        }
        let groups = (0..n).map(|image| first + image / 2).collect();
        arrays.push((format!("{split}_images"), of(vec![n_images, 2, 3], pixels)));
        arrays.push((format!("{split}_labels"), of(vec![n_images, 1], labels)));
        arrays.push((format!("{split}_groups"), of(vec![n_images], groups)));
    }
    let named: Vec<(&str, NpyValue)> = arrays.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    write_npz(path, &named).unwrap();
}

const IMPORT: [&str; 9] =
    ["data", "import", "mine", "--format", "npz", "--license", "CC0-1.0", "--classes", "normal,finding"];

fn imported(folder: &Path) {
    small_npz(&folder.join("set.npz"), false);
    kd(folder, &[&IMPORT[..], &["set.npz", "--copy"]].concat()).exits(0);
}

#[test]
fn an_import_is_listed_verified_described_and_cleaned() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    imported(folder);
    let list = kd(folder, &["data", "list", "--json"]).exits(0).json();
    let sets = list["datasets"].as_array().unwrap();
    let mine = sets.iter().find(|set| set["name"] == "mine").unwrap();
    assert_eq!((&mine["from"], &mine["here"], &mine["task"]), (&"import".into(), &"yes".into(), &"binary".into()));
    assert!(sets.iter().any(|set| set["name"] == "pneumoniamnist" && set["here"] == "no"));

    let report = kd(folder, &["data", "verify", "mine", "--json"]).exits(0).json();
    assert_eq!((&report["ok"], &report["samples"]), (&true.into(), &8.into()));

    let facts = kd(folder, &["data", "describe", "mine", "--json"]).exits(0).json();
    assert_eq!(facts["classes"], serde_json::json!(["normal", "finding"]));
    assert_eq!(facts["subjects"], 4);
    assert_eq!(facts["splits"]["train"]["per_class"], serde_json::json!([2, 2]));
    let page = kd(folder, &["data", "describe", "mine"]).exits(0).stdout;
    assert!(page.contains("8 of 4 subjects") && page.contains("2 x 3"), "{page}");

    let raw = folder.join("artifacts/raw/mine");
    let dry =
        kd(folder, &["data", "clean", "mine"]).exits(0).says(&["nothing was removed", "kd data clean mine --yes"]);
    assert!(raw.is_dir() && dry.stdout.contains("there is raw/mine"), "{}", dry.stdout);
    let wet = kd(folder, &["data", "clean", "mine", "--yes"]).exits(0);
    assert!(!raw.exists() && wet.stdout.contains("removed raw/mine"), "{}", wet.stdout);
    assert!(folder.join("set.npz").is_file(), "what was imported from stays");
}

#[test]
fn a_changed_file_is_found_and_verify_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    imported(folder);
    let raw = folder.join("artifacts/raw/mine");
    let npz = std::fs::read_dir(&raw).unwrap().map(|entry| entry.unwrap().path());
    let npz = npz.into_iter().find(|path| path.extension().is_some_and(|end| end == "npz")).unwrap();
    let mut bytes = std::fs::read(&npz).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&npz, bytes).unwrap();
    let report = kd(folder, &["data", "verify", "mine", "--json"]).exits(1).json();
    assert_eq!(report["ok"], false);
    assert_eq!(report["files"][0]["status"], "wrong-checksum");
    kd(folder, &["data", "describe", "mine"]).exits(1).says(&["error: ", "has checksum", "hint: "]);
}

#[test]
fn a_mirror_with_other_bytes_is_refused_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("mirror")).unwrap();
    let get = ["data", "get", "breastmnist", "--mirror", "mirror"];
    kd(folder, &get).exits(1).says(&["holds no `breastmnist.npz`", "hint: "]);
    std::fs::write(folder.join("mirror/breastmnist.npz"), "not the published bytes").unwrap();
    kd(folder, &get).exits(1).says(&["`breastmnist.npz` has checksum", "expected", "hint: "]);
    assert!(!folder.join("artifacts/raw/breastmnist/breastmnist.npz").exists());
    let verified = kd(folder, &["data", "verify", "breastmnist", "--json"]).exits(1).json();
    assert_eq!(verified["files"][0]["status"], "missing");
}

#[test]
fn an_unknown_name_gets_the_nearest_and_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["get", "verify", "describe"] {
        kd(folder.path(), &["data", command, "pneumoniamnst"]).exits(1).says(&["`pneumoniamnist`", "kd data list"]);
    }
    kd(folder.path(), &["data", "clean", "../x"]).exits(1).says(&["no name of a data set"]);
    kd(folder.path(), &["data", "clean", "bloodmnist", "--yes"]).exits(1).says(&["has no raw files"]);
    assert!(!folder.path().join("artifacts").exists());
}

#[test]
fn bad_imports_are_refused_with_a_reason_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    small_npz(&folder.join("wrong.npz"), true);
    small_npz(&folder.join("good.npz"), false);
    let whole = std::fs::read(folder.join("good.npz")).unwrap();
    std::fs::write(folder.join("cut.npz"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(folder.join("empty.npz"), "").unwrap();
    std::fs::create_dir(folder.join("no-images")).unwrap();
    let import = |arguments: &[&str]| kd(folder, &[&IMPORT[..], arguments].concat());
    import(&["wrong.npz"]).exits(1).says(&["9"]);
    import(&["cut.npz"]).exits(1).says(&["error: ", "hint: "]);
    import(&["empty.npz"]).exits(1).says(&["0 bytes"]);
    import(&["missing.npz"]).exits(1).says(&["missing.npz"]);
    let of_folder = ["data", "import", "mine", "--format", "image-folder", "--license", "CC0-1.0", "no-images"];
    kd(folder, &of_folder).exits(1).says(&["holds no image"]);
    let taken = ["data", "import", "bloodmnist", "--format", "npz", "--license", "CC0-1.0", "good.npz"];
    kd(folder, &taken).exits(1).says(&["published data set", "hint: "]);
    let raw = folder.join("artifacts/raw");
    let left: Vec<_> = std::fs::read_dir(&raw).map_or_else(|_| Vec::new(), |entries| entries.flatten().collect());
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_imported_name_cannot_be_taken_twice() {
    let folder = tempfile::tempdir().unwrap();
    imported(folder.path());
    let set = folder.path().join("set.npz");
    let again = [&IMPORT[..], &[text(&set)]].concat();
    kd(folder.path(), &again).exits(1).says(&["the name `mine` is taken", "kd data clean mine"]);
}

const ORGANS: &str = "name = 'small'\ntitle = 'small'\ntask = 'segmentation'\nnotes = ['generated']\n\
    classes = ['background', 'lung', 'heart', 'bone', 'lesion']\n[image]\nchannels = 1\nsize = [32, 32]\n\
    intensity = 'hounsfield'\n[mask]\nvalues = [0, 1, 2, 3, 4]\n[license]\nspdx = 'MIT'\n[citation]\ntext = 'none'\n\
    [split]\npolicy = 'official'\n[generator]\nkind = 'thorax-organs'\nsize = 32\nslices = 4\nspacing_mm = 10.4\n\
    slice_mm = 7.0\nn_subjects = 6\nsplit = [0.5, 0.2, 0.3]\ndifficulty = 0.0\nseed = 4\nnoise_hu = 5.0\n[source]\n\
    layout = 'generator'\n";

#[test]
fn a_phantom_goes_out_as_dicom_and_comes_in_with_its_masks() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("dataset.toml"), ORGANS).unwrap();
    let export = ["data", "export", "dataset.toml", "out", "--format", "dicom"];
    let early = kd(folder, &export).exits(1).stderr;
    assert!(early.contains("is not here") && early.contains("kd data get"), "{early}");
    kd(folder, &["data", "get", "dataset.toml"]).exits(0);
    let told = kd(folder, &export).exits(0).stdout;
    assert!(told.contains("small: 6 volumes in DICOM"), "{told}");
    kd(folder, &export).exits(1);

    let import = ["data", "import", "mine", "--format", "dicom", "--task", "segmentation", "out", "--license", "MIT"];
    let ran = kd(folder, &import).exits(0).says(&["subjects: 6"]);
    let told = ran.stdout;
    assert!(told.contains("segmentation") && told.contains("background, bone, heart, lesion, lung"), "{told}");
    let facts = kd(folder, &["data", "describe", "mine", "--json"]).exits(0).json();
    assert_eq!((&facts["cases"], &facts["subjects"]), (&6.into(), &6.into()), "{facts}");
    let proposal = kd(folder, &["data", "propose", "mine"]).exits(0).stdout;
    assert!(proposal.contains("samples are slices: the median volume has 4 of them"), "{proposal}");
    assert!(proposal.contains("size = [32, 32]") && proposal.contains("kind = \"window\""), "{proposal}");
    std::fs::write(folder.join("mine.toml"), proposal).unwrap();
    kd(folder, &["run", "mine.toml", "--dry-run"]).exits(0);
    let idle = kd(folder, &[&import[..], &["--mask-values", "0,1"]].concat()).exits(1).stderr;
    assert!(idle.contains("--mask-values"), "{idle}");
}

#[test]
fn a_set_got_by_hand_brings_its_facts_with_it() {
    use kd_data::format::{NiftiType, write_nifti_image, write_nifti_labels};
    use kd_image::{Affine, Geometry, Image, Intensity, LabelMap};
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let told = kd(folder, &["data", "get", "msd-spleen"]).exits(1).stderr;
    assert!(told.contains("Task09_Spleen.tar") && told.contains("--like msd-spleen"), "{told}");
    let matrix = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 5.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
    let grid = Geometry::<3>::placed([2, 3, 4], Affine { matrix }).unwrap();
    for inside in ["imagesTr", "labelsTr"] {
        std::fs::create_dir_all(folder.join("Task09_Spleen").join(inside)).unwrap();
    }
    for case in 0..8u8 {
        let values = (0..24u8).map(|n| f32::from(n) * f32::from(case)).collect();
        let image = Image::new(1, grid.clone(), Intensity::Hounsfield, values).unwrap();
        let labels = LabelMap::new(grid.clone(), (0..24).map(|n| u16::from(n == 5)).collect(), 2).unwrap();
        let at = |inside: &str| folder.join(format!("Task09_Spleen/{inside}/spleen_{case}.nii.gz"));
        write_nifti_image(&at("imagesTr"), &image, NiftiType::I16).unwrap();
        write_nifti_labels(&at("labelsTr"), &labels).unwrap();
    }
    let import = ["data", "import", "spleen-local", "--like", "msd-spleen", "Task09_Spleen"];
    kd(folder, &[&import[..], &["--license", "MIT"]].concat()).exits(2);
    kd(folder, &["data", "import", "x", "Task09_Spleen"]).exits(2).says(&["--format", "--license"]);
    kd(folder, &["data", "import", "x", "--like", "bloodmnist", "Task09_Spleen"]).exits(1).says(&["got by hand"]);
    kd(folder, &import).exits(0).says(&["every image counts as a subject of its own"]);
    let list = kd(folder, &["data", "list", "--json"]).exits(0).json();
    let of = |name: &str| list["datasets"].as_array().unwrap().iter().find(|set| set["name"] == name).unwrap();
    let (mine, theirs) = (of("spleen-local"), of("msd-spleen"));
    assert_eq!((&mine["here"], &theirs["here"]), (&"yes".into(), &"by hand".into()));
    for fact in ["title", "license", "citation", "classes", "intensity", "layout"] {
        assert_eq!(mine[fact], theirs[fact], "{fact}");
    }
}
