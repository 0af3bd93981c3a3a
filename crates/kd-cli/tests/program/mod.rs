//! Runs the built program in a folder of its own and keeps its two streams apart.

// Each test program uses its part of this.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run left.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Stdout as the one JSON document that it has to be.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e}\nstdout: {}\nstderr: {}", self.stdout, self.stderr))
    }

    /// Asserts the exit code and shows both streams where it differs.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Asserts that stderr holds every one of these texts.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "no `{text}` in stderr: {}", self.stderr);
        }
        self
    }
}

/// Runs `kd` with `ROOT/artifacts` below `folder` as its root.
pub(crate) fn kd(folder: &Path, arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_kd"))
        .current_dir(folder)
        .env_remove("BURN_DEVICE")
        .env("KD_ROOT", folder.join("artifacts"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program was built for this test");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
    Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A file that another program wrote.
pub(crate) fn oracle(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle").join(name)
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}

/// A recipe of seconds: `STEADILY` stands for a learning rate that does not change, `REPORTED` for a coarse report and the
/// distilled student's package.
pub(crate) fn recipe(text: &str) -> String {
    let steadily = r#"optimizer = { name = "adamw", weight_decay = 0.0 }
warmup = 0.0
decay = { name = "constant" }"#;
    let reported = r#"resamples = 50
level = 0.95
method = "percentile"
seed = 0
package = { student = "small", arm = "distilled", intended_use = "none" }"#;
    text.replace("STEADILY", steadily).replace("REPORTED", reported)
}

/// The arms of a recipe: the lone student, and one that learns from the teacher's answers.
pub(crate) const ARMS: &str = r#"
[[arm]]
name = "alone"
term = [{ loss = "task", weight = 1.0 }]

[[arm]]
name = "distilled"
term = [{ loss = "task", weight = 1.0 }, { loss = "hinton", weight = 1.0, temperature = 2.0 }]
"#;

/// A classification of seconds on a part of the chest phantom: more keys of the teacher, and the arms.
pub(crate) fn classify_recipe(teacher: &str, arms: &str) -> String {
    recipe(CLASSIFY).replace("TEACHER", teacher).replace("ARMS", arms)
}

const CLASSIFY: &str = r#"
title = "Shadows"
task = "classify"

[data]
name = "chest-phantom"
head = "softmax"
size = [16, 16]
channels = 1
leak_policy = "stop"
unit = "subject"
train_fraction = 0.3

[augment]
views = 2
shift = 0.1

[teacher]
name = "tiny"
network = { architecture = "thin-resnet", stem = "small", width = 4, blocks = [1, 1] }
TEACHER

[teacher.train]
epochs = 2
batch_size = 32
learning_rate = 0.01
STEADILY
select = "accuracy"

[student]
seeds = [0]

[[student.size]]
name = "small"
network = { architecture = "thin-resnet", stem = "small", width = 2, blocks = [1, 1] }

[student.train]
epochs = 1
batch_size = 32
learning_rate = 0.01
STEADILY
select = "accuracy"

ARMS
[score]
primary = "accuracy"
secondary = []
REPORTED
"#;

/// The volume of a NIfTI file as a DICOM series of CT images.
pub(crate) fn ct_series(nifti: &Path, folder: &Path) {
    use kd_data::format::{DicomModality, Nifti, NotFinite, SeriesFacts, write_dicom_series};
    let file = Nifti::open(nifti).unwrap();
    let image = file.image(kd_image::Intensity::Hounsfield, NotFinite::Refuse).unwrap();
    let facts = SeriesFacts {
        modality: DicomModality::Ct,
        study: None,
        series: None,
        frame_of_reference: None,
        patient_id: "Phantom^One".into(),
        description: "As it was measured".into(),
    };
    write_dicom_series(folder, &image, &facts).unwrap();
}
