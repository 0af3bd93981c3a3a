//! Who teaches, through the program: the run itself, early exits, chains, several teachers as one.

mod program;

use std::path::{Path, PathBuf};

use program::{ARMS, classify_recipe, kd, text};

const WITHIN: &str = r#"
[[arm]]
name = "alone"
term = [{ loss = "task", weight = 1.0 }]

[[arm]]
name = "distilled"
teacher = "peer"
term = [{ loss = "task", weight = 1.0 }, { loss = "hinton", weight = 1.0, temperature = 1.0 }]

[[arm]]
name = "exits"
teacher = "itself"
term = [
    { loss = "task", weight = 1.0 },
    { loss = "task", name = "exit-task", weight = 0.5, exit = "layer1" },
    { loss = "hinton", weight = 0.5, temperature = 3.0, exit = "layer1" },
    { loss = "hint", weight = 0.01, student_tap = "layer1", teacher_tap = "stem" },
]
"#;

const AVERAGE: &str = r#"
[[arm]]
name = "average"
teacher = "average"
term = [{ loss = "task", weight = 1.0 }, { loss = "hinton", weight = 1.0, temperature = 1.0 }]
"#;

fn packed(root: &Path, ending: &str) -> PathBuf {
    let reports = std::fs::read_dir(root.join("artifacts/reports")).unwrap();
    let mut packages = reports.flat_map(|report| std::fs::read_dir(report.unwrap().path()).unwrap());
    packages.find_map(|entry| Some(entry.unwrap().path()).filter(|path| text(path).ends_with(ending))).unwrap()
}

#[test]
fn arms_that_learn_from_the_run_itself_are_methods_and_ask_no_teacher() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("within.toml");
    let averaged =
        classify_recipe("", &format!("{WITHIN}{AVERAGE}")).replace("[student.train]", "[student.train]\nema = 0.9");
    std::fs::write(&path, averaged).unwrap();
    let record = kd(folder.path(), &["run", text(&path), "--json"]).exits(0).json();
    let arms = &record["students"][0]["arms"];
    for (place, sources) in [
        (1, vec!["labels", "peer"]),
        (2, vec!["labels", "labels, exit at layer1", "itself, exit at layer1", "itself"]),
        (3, vec!["labels", "average"]),
    ] {
        let arm = &arms[place];
        assert_eq!(arm["role"], "distilled");
        let found: Vec<&str> =
            arm["terms"].as_array().unwrap().iter().map(|term| term["source"].as_str().unwrap()).collect();
        assert_eq!(found, sources);
        let shares = arm["curves"][0]["terms"].as_array().unwrap();
        assert!(shares.iter().all(|term| term["gradient_share"][0].as_f64().unwrap() > 0.0), "{arm}");
    }
    // Nobody asked the teacher, so nothing is stored; and whatever learned beside the student stayed behind.
    assert!(!folder.path().join("artifacts/soft").exists());
    let package = packed(folder.path(), "_distilled.kdp");
    let found = kd(folder.path(), &["inspect", text(&package), "--json"]).exits(0).json();
    assert_eq!(found["contents"]["parameters"], record["students"][0]["network"]["parameters"]);
}

#[test]
fn arms_that_cannot_learn_so_are_refused_before_anything_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("within.toml");
    let refused = |arms: &str, expected: &[&str]| {
        std::fs::write(&path, classify_recipe("", arms)).unwrap();
        kd(folder.path(), &["run", text(&path)]).exits(2).says(expected);
    };
    refused(&format!("{WITHIN}{AVERAGE}"), &["arm `average`", "`student.train.ema` is missing"]);
    let exit = "temperature = 3.0, exit = \"layer1\"";
    refused(
        &WITHIN.replace(exit, "temperature = 3.0"),
        &["arm `exits`, term `hinton`", "compares the student's answer with itself"],
    );
    refused(
        &WITHIN.replace(exit, "temperature = 3.0, exit = \"layer9\""),
        &["names tap `layer9`, which the student does not have"],
    );
    refused(&WITHIN.replace("\"peer\"", "\"peers\""), &["expected one of `itself`, `average`, `peer`"]);
    refused(
        &WITHIN.replace("layer1\", teacher_tap", "layer1\", exit = \"stem\", teacher_tap"),
        &["`exit` = \"stem\" is set beside taps"],
    );
    assert!(!folder.path().join("artifacts/runs").exists());
}

#[test]
fn a_packed_student_teaches_the_next_recipe_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("assistant.toml"), folder.path().join("chained.toml"));
    let assistant = classify_recipe("", ARMS);
    std::fs::write(&first, &assistant).unwrap();
    let record = kd(folder.path(), &["run", text(&first), "--json"]).exits(0).json();
    let package = packed(folder.path(), "_distilled.kdp");

    // The student of the first recipe, two channels wide, teaches; nothing of the first teacher is left.
    let (head, train) = assistant.split_once("[teacher.train]").unwrap();
    let (_, rest) = train.split_once("[student]").unwrap();
    let head = head.replace(
        "width = 4, blocks = [1, 1] }",
        &format!("width = 2, blocks = [1, 1] }}\npackage = '{}'", text(&package)),
    );
    let chained = format!("{head}[student]{rest}");
    std::fs::write(&second, &chained).unwrap();
    let next = kd(folder.path(), &["run", text(&second), "--json"]).exits(0).json();
    assert!(next["teacher"]["origin"].as_str().unwrap().starts_with("a finished student, "), "{}", next["teacher"]);
    assert_eq!(next["teacher"]["hash_before"], next["teacher"]["hash_after"]);
    assert_eq!(next["teacher"]["arm"]["metrics"], record["students"][0]["arms"][1]["metrics"]);

    let refused = |recipe: &str, expected: &[&str]| {
        std::fs::write(&second, recipe).unwrap();
        let ran = kd(folder.path(), &["run", text(&second)]);
        assert!(ran.code == 1 || ran.code == 2);
        ran.says(expected);
    };
    refused(&chained.replacen("width = 2", "width = 3", 1), &["`teacher.package` = ", "expected `teacher.network`"]);
    refused(
        &chained.replace("train_fraction = 0.3", "train_fraction = 0.4"),
        &["it learned from the prepared data", "a chain keeps `data` as it is"],
    );
    refused(
        &chained.replace("package = '", "folds = 3\npackage = '"),
        &["`teacher.folds` is set beside `teacher.package`"],
    );
    refused(&chained.replace(text(&package), "nowhere.kdp"), &["nowhere.kdp"]);
    refused(&chained.replace(&format!("package = '{}'", text(&package)), ""), &["`teacher.train` is missing"]);
}

#[test]
fn members_teach_and_are_scored_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("members.toml");
    let run = |teacher: &str| {
        std::fs::write(&path, classify_recipe(teacher, ARMS)).unwrap();
        kd(folder.path(), &["run", text(&path), "--json"]).exits(0).json()
    };
    let (one, two) = (run("calibrate = true"), run("members = 2\ncalibrate = true"));
    let teacher = &two["teacher"];
    assert!(teacher["origin"].as_str().unwrap().starts_with("2 networks"), "{teacher}");
    let parameters = |record: &serde_json::Value| record["teacher"]["network"]["parameters"].as_u64().unwrap();
    assert_eq!(parameters(&two), 2 * parameters(&one));
    assert_eq!(teacher["arm"]["curves"].as_array().unwrap().len(), 2);
    assert_eq!(teacher["arm"]["curves"][0], one["teacher"]["arm"]["curves"][0], "the first is the same run");
    assert_eq!(teacher["hash_before"], teacher["hash_after"]);
    assert_ne!(teacher["hash_before"], one["teacher"]["hash_before"]);
    // The student that learns from nobody is the same; the other one learned from both.
    let arm = |record: &serde_json::Value, place: usize| record["students"][0]["arms"][place]["metrics"].clone();
    assert_eq!(arm(&one, 0), arm(&two, 0));
    // A member that counts for nothing changes no answer by more than rounding.
    let weighted = run("members = 2\nmember_weights = [1.0, 1e-12]\ncalibrate = true");
    assert_eq!(weighted["teacher"]["arm"]["metrics"][0]["value"], one["teacher"]["arm"]["metrics"][0]["value"]);
    let steps = kd(folder.path(), &["run", text(&path), "--dry-run", "--json"]).exits(0).json();
    assert_eq!(steps["steps"][1]["name"], "teach tiny member 2 of 2");

    let refused = |teacher: &str, arms: &str, expected: &[&str]| {
        std::fs::write(&path, classify_recipe(teacher, arms)).unwrap();
        kd(folder.path(), &["run", text(&path)]).exits(2).says(expected);
    };
    refused("members = 1", ARMS, &["`teacher.members` is 1, expected 2 to 100"]);
    refused("members = 2\nfolds = 2", ARMS, &["`teacher.members` is set beside `teacher.folds`"]);
    refused("members = 2\nmember_weights = [1.0]", ARMS, &["a number above 0 for each of 2 members"]);
    let hint = "loss = \"hint\", weight = 0.01, student_tap = \"layer2\", teacher_tap = \"layer2\"";
    let hint = ARMS.replace("loss = \"hinton\", weight = 1.0, temperature = 2.0", hint);
    refused("members = 2", &hint, &["arm `distilled` looks at features, and the teacher has 2 members"]);
}

/// Three sorts of shades, by brightness; pixels of each image are its own.
fn shades(folder: &Path) {
    use kd_data::format::{NpyArray, NpyValue, write_npz};
    let mut arrays: Vec<(String, NpyValue)> = Vec::new();
    for (split, first, n) in [("train", 0usize, 36usize), ("val", 36, 12), ("test", 48, 24)] {
        let of = |shape: Vec<usize>, values: Vec<u8>| NpyValue::U8(NpyArray { shape, values });
        let shade = |image: usize, pixel: usize| {
            (image % 3 * 80 + (image * image * 31 + image * pixel + pixel * 17) % 41) as u8
        };
        let pixels = (first..first + n).flat_map(|image| (0..64).map(move |pixel| shade(image, pixel))).collect();
        arrays.push((format!("{split}_images"), of(vec![n, 8, 8], pixels)));
        arrays.push((format!("{split}_labels"), of(vec![n, 1], (first..first + n).map(|n| (n % 3) as u8).collect())));
    }
    let named: Vec<(&str, NpyValue)> = arrays.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    write_npz(&folder.join("shades.npz"), &named).unwrap();
    let import =
        ["data", "import", "shades", "--format", "npz", "--license", "CC0-1.0", "--classes", "dark,grey,light"];
    kd(folder, &[&import[..], &["shades.npz"]].concat()).exits(0);
}

#[test]
fn experts_of_some_classes_answer_of_all_and_teach_them() {
    let folder = tempfile::tempdir().unwrap();
    shades(folder.path());
    let path = folder.path().join("experts.toml");
    let with = |experts: &str| {
        let recipe = classify_recipe(experts, ARMS).replace("chest-phantom", "shades").replace("[16, 16]", "[8, 8]");
        let recipe = recipe.replace("train_fraction = 0.3\n", "").replace("epochs = 2", "epochs = 12");
        std::fs::write(&path, recipe.replace("batch_size = 32", "batch_size = 12")).unwrap();
    };
    with("experts = [[\"dark\", \"grey\"], [\"light\", \"grey\"]]");
    let record = kd(folder.path(), &["run", text(&path), "--json"]).exits(0).json();
    let teacher = &record["teacher"];
    assert_eq!(
        teacher["origin"],
        "2 networks trained in this experiment that answer as one, each of some classes: dark, grey; light, grey"
    );
    assert_eq!(teacher["hash_before"], teacher["hash_after"]);
    // Neither has seen all three, and together they tell them apart.
    let accuracy = teacher["arm"]["metrics"][0]["value"].as_f64().unwrap();
    assert!(accuracy > 0.9, "{accuracy}");
    let whole = {
        with("");
        kd(folder.path(), &["run", text(&path), "--json"]).exits(0).json()
    };
    let parameters = |record: &serde_json::Value| record["teacher"]["network"]["parameters"].as_u64().unwrap();
    // Two networks, each with one output less: four channels and a bias fewer in the head of 8 features.
    assert_eq!(parameters(&record), 2 * (parameters(&whole) - 9));

    for (experts, expected) in [
        ("experts = [[\"dark\", \"grey\"], [\"dark\", \"white\"]]", "names the class \"white\""),
        ("experts = [[\"dark\", \"grey\"], [\"grey\", \"dark\"]]", "no expert knows class 2"),
        ("experts = [[\"dark\", \"grey\"], [\"light\"]]", "expected two or more"),
        ("experts = [[\"dark\", \"grey\", \"light\"]]", "expected 2 to 100"),
        ("members = 2\nexperts = [[\"dark\", \"grey\"], [\"grey\", \"light\"]]", "beside `teacher.members`"),
        ("folds = 2\nexperts = [[\"dark\", \"grey\"], [\"grey\", \"light\"]]", "beside `teacher.folds`"),
    ] {
        with(experts);
        kd(folder.path(), &["run", text(&path)]).exits(2).says(&[expected]);
    }
}
