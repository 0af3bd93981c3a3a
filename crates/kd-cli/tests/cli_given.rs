//! Somebody else's answers as soft labels, through the program.

mod program;

use std::path::Path;

use kd_data::format::{NpyArray, NpyValue, Npz, write_npz};
use program::{ARMS, classify_recipe, kd, text};

const GIVEN: &str = r#"
[[arm]]
name = "given"
answers = "logits.npz"
term = [{ loss = "task", weight = 1.0 }, { loss = "hinton", weight = 1.0, temperature = 2.0 }]
"#;

/// The answers that a recipe stores, by `kd label --to`: views, and each sample's values of all views.
fn answers(folder: &Path, recipe: &Path) -> (usize, Vec<(String, Vec<f32>)>) {
    let file = folder.join("own.npz");
    kd(folder, &["label", text(recipe), "--to", "own.npz"])
        .exits(0)
        .says(&["answers to 367 training samples in 2 views"]);
    let arrays = Npz::open(&file).unwrap();
    let values = |id: &str| arrays.floats(id).unwrap().values.iter().map(|&value| value as f32).collect::<Vec<f32>>();
    let own = arrays.names().into_iter().map(|id| (id.to_owned(), values(id))).collect();
    let views = arrays.floats(arrays.names()[0]).unwrap().shape[0];
    std::fs::remove_file(file).unwrap();
    (views, own)
}

fn write(path: &Path, arrays: &[(String, Vec<f32>)], shape: &[usize]) {
    let arrays: Vec<(&str, NpyValue)> = arrays
        .iter()
        .map(|(id, values)| (id.as_str(), NpyValue::F32(NpyArray { shape: shape.to_vec(), values: values.clone() })))
        .collect();
    let _ = std::fs::remove_file(path);
    write_npz(path, &arrays).unwrap();
}

#[test]
fn the_teachers_own_answers_from_a_file_teach_exactly_as_the_teacher() {
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = (folder.path().join("given.toml"), folder.path().join("logits.npz"));
    std::fs::write(&path, classify_recipe("", ARMS)).unwrap();
    let (views, own) = answers(folder.path(), &path);
    write(&file, &own, &[views, 2]);

    std::fs::write(&path, classify_recipe("", &format!("{ARMS}{GIVEN}"))).unwrap();
    let told = kd(folder.path(), &["label", text(&path), "--from", "logits.npz"]).exits(0);
    told.says(&["answers to 367 training samples in 2 views are stored", "`answers = \"logits.npz\"`"]);
    let record = kd(folder.path(), &["run", text(&path), "--json"]).exits(0).json();
    let arms = &record["students"][0]["arms"];
    assert_eq!(arms[1]["metrics"], arms[2]["metrics"]);
    assert_eq!(arms[1]["curves"], arms[2]["curves"]);
    assert_eq!(arms[2]["terms"][1]["source"], "answers in logits.npz");
    assert_eq!(arms[2]["role"], "distilled");

    // One answer for all views: here that to the second one, while the only epoch shows the first.
    let second: Vec<_> = own.iter().map(|(id, values)| (id.clone(), values[2..].to_vec())).collect();
    write(&file, &second, &[2]);
    let spread = kd(folder.path(), &["run", text(&path), "--json"]).exits(0).json();
    assert_ne!(spread["students"][0]["arms"][2]["curves"], arms[2]["curves"]);
}

#[test]
fn answers_that_do_not_fit_are_refused_and_nothing_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = (folder.path().join("given.toml"), folder.path().join("logits.npz"));
    std::fs::write(&path, classify_recipe("", ARMS)).unwrap();
    let (_, own) = answers(folder.path(), &path);
    let good: Vec<_> = own.iter().map(|(id, values)| (id.clone(), values[..2].to_vec())).collect();
    let label = |arrays: &[(String, Vec<f32>)], shape: &[usize], expected: &[&str]| {
        write(&file, arrays, shape);
        kd(folder.path(), &["label", text(&path), "--from", "logits.npz"]).exits(1).says(expected);
    };
    label(&good[2..], &[2], &["answers in `logits.npz`", "none for 1 other of 367", "`kd prepare`"]);
    label(&good, &[1, 2], &["has shape [1, 2], expected [2] or [2, 2]"]);
    let mut broken = good.clone();
    broken[5].1[1] = f32::NAN;
    label(&broken, &[2], &["expected finite numbers, found NaN"]);

    std::fs::write(&file, b"PK").unwrap();
    kd(folder.path(), &["label", text(&path), "--from", "logits.npz"]).exits(1).says(&["logits.npz"]);
    kd(folder.path(), &["label", text(&path), "--from", "nowhere.npz"]).exits(1).says(&["nowhere.npz"]);
    assert_eq!(std::fs::read_dir(folder.path().join("artifacts/soft")).unwrap().count(), 1);

    let refused = |arms: &str, expected: &str| {
        std::fs::write(&path, classify_recipe("", &format!("{ARMS}{arms}"))).unwrap();
        kd(folder.path(), &["run", text(&path)])
            .exits(2)
            .says(&["arm `given` has `answers` = \"logits.npz\"", expected]);
    };
    refused(&GIVEN.replace("answers =", "teacher = \"peer\"\nanswers ="), "`teacher` is set, too");
    let fresh = classify_recipe("", &format!("{ARMS}{GIVEN}")).replace("views = 2", "views = \"fresh\"");
    std::fs::write(&path, fresh).unwrap();
    kd(folder.path(), &["run", text(&path)]).exits(2).says(&["which are for numbered views"]);
    let distils = ", { loss = \"hinton\", weight = 1.0, temperature = 2.0 }";
    refused(&GIVEN.replace(distils, ""), "no term looks at them");
    let hint = ", { loss = \"hint\", weight = 0.01, student_tap = \"layer2\", teacher_tap = \"layer2\" }";
    refused(&GIVEN.replace(distils, hint), "a term looks at features");
}

#[test]
fn a_teacher_of_finer_images_teaches_a_student_of_coarser_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (fine, coarse) = (folder.path().join("fine.toml"), folder.path().join("coarse.toml"));
    let recipe = classify_recipe("", ARMS);
    std::fs::write(&fine, recipe.replace("size = [16, 16]", "size = [32, 32]")).unwrap();
    std::fs::write(&coarse, classify_recipe("", &format!("{ARMS}{GIVEN}"))).unwrap();
    kd(folder.path(), &["label", text(&fine), "--to", "logits.npz"]).exits(0);
    let record = kd(folder.path(), &["run", text(&coarse), "--json"]).exits(0).json();
    let term = &record["students"][0]["arms"][2]["curves"][0]["terms"][1];
    assert!(term["gradient_share"][0].as_f64().unwrap() > 0.0, "{term}");
    kd(folder.path(), &["label", text(&fine), "--to", "logits.npz"]).exits(1).says(&["`logits.npz` is there already"]);
    kd(folder.path(), &["label", text(&fine), "--to", "a.npz", "--from", "logits.npz"]).exits(2);
    std::fs::write(
        &fine,
        recipe
            .replace("temperature = 2.0", "temperature = 2.0, exit = \"layer1\"")
            .replace("name = \"distilled\"\n", "name = \"distilled\"\nteacher = \"itself\"\n"),
    )
    .unwrap();
    kd(folder.path(), &["label", text(&fine), "--to", "b.npz"]).exits(1).says(&["no answers are stored for the arm"]);
}
