//! What `kd metrics` can be told.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// What is asked about each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TaskName {
    /// One of two classes; the second is the positive one
    Binary,
    /// One of several classes
    MultiClass,
    /// Any number of labels, each present or absent
    MultiLabel,
    /// One of several classes that have an order
    Ordinal,
}

/// What to score.
#[derive(Debug, Subcommand)]
pub(crate) enum MetricsCommand {
    /// Classification: AUROC, accuracy, calibration and more, each with an interval
    #[command(after_help = METRICS_HELP)]
    Classify(ClassifyArgs),
    /// Segmentation: Dice, surface Dice, distances, volumes and lesions, over cases and classes
    #[command(after_help = SEGMENT_HELP)]
    Segment(SegmentArgs),
    /// Enhancement: PSNR, SSIM and more, slice by slice
    #[command(after_help = ENHANCE_HELP)]
    Enhance(EnhanceArgs),
}

const SEGMENT_HELP: &str = "\
Examples:
  kd metrics segment --pred masks/ --truth labelsTs/ --classes background,liver,tumour --tolerance-mm 2
  kd metrics segment --pred masks/ --truth truth/ --classes background,cell --tolerance-mm 2 --spacing 1,1 --json

Both folders hold NIfTI volumes or grey PNG images with class numbers, a case under one name in both. PNG files have no
spacing: say it, or 1,1 for distances in pixels. The CSV of --groups has the columns `id,group`.";

const ENHANCE_HELP: &str = "\
Examples:
  kd metrics enhance --pred restored/ --truth clean/ --input noisy/ --range -160,240 --clip
  kd metrics enhance --pred restored/ --truth clean/ --range 0,255 --json

The folders hold NIfTI volumes or grey PNG images, a case under one name in all of them. Every slice of a volume is
scored; the slices of a file belong to one group, unless --groups (columns `id,group`, id is the file's name) says so.";

const METRICS_HELP: &str = "\
Examples:
  kd metrics classify --pred logits.npy --truth labels.npy --scores logits
  kd metrics classify --pred run.npz:probs --truth run.npz:labels --scores probs --groups patients.npy
  kd metrics classify --pred scores.csv --scores probs --json

Predictions are [n, classes], or [n] for one channel. Truth is [n] or [n, 1] classes, or [n, labels] of 0 and 1.
Files are .npy, .npz (`file.npz:array` where there are several) or CSV with the columns id, truth (or truth_0, …
for several labels) and score_0, …. Two files with ids are joined by id.";

/// Predictions, truth, and how to be sure of the difference.
#[derive(Debug, Args)]
pub(crate) struct ClassifyArgs {
    /// Predictions
    #[arg(long, value_name = "FILE")]
    pub(crate) pred: String,
    /// Truth; may be left out when the predictions are a CSV with truth
    #[arg(long, value_name = "FILE")]
    pub(crate) truth: Option<String>,
    /// What the predictions are
    #[arg(long, value_enum)]
    pub(crate) scores: ScoreKind,
    /// What was asked [default: as the shapes say; ordinal must be named]
    #[arg(long, value_enum)]
    pub(crate) task: Option<TaskName>,
    /// Who each sample belongs to: an array with a number or text a sample, or CSV with the columns id, group
    #[arg(long, value_name = "FILE")]
    pub(crate) groups: Option<String>,
    #[command(flatten)]
    pub(crate) interval: IntervalArgs,
}

/// What numbers in a file of predictions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScoreKind {
    /// Probabilities in 0..1
    Probs,
    /// Raw network outputs
    Logits,
}

/// How bootstrap draws become an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IntervalName {
    /// Bias-corrected and accelerated
    Bca,
    /// Plain percentiles
    Percentile,
}

/// How sure a number is.
#[derive(Debug, Args)]
pub(crate) struct IntervalArgs {
    /// Confidence level of the intervals
    #[arg(long, default_value_t = 0.95)]
    pub(crate) level: f64,
    /// Bootstrap draws
    #[arg(long, default_value_t = 2000)]
    pub(crate) resamples: usize,
    /// How draws become an interval
    #[arg(long, value_enum, default_value_t = IntervalName::Bca)]
    pub(crate) method: IntervalName,
    /// Seed of the draws
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

/// Masks, truth, and what the classes are.
#[derive(Debug, Args)]
pub(crate) struct SegmentArgs {
    /// Folder of the predicted masks
    #[arg(long, value_name = "DIR")]
    pub(crate) pred: PathBuf,
    /// Folder of the true masks
    #[arg(long, value_name = "DIR")]
    pub(crate) truth: PathBuf,
    /// Class names in the order of their numbers, the background first
    #[arg(long, value_name = "A,B", value_delimiter = ',', required = true)]
    pub(crate) classes: Vec<String>,
    /// How far apart surfaces may be and still count as the same, for surface Dice
    #[arg(long, value_name = "MM")]
    pub(crate) tolerance_mm: f64,
    /// Distance of neighbouring points in mm, slowest axis first, for files that do not say it
    #[arg(long, value_name = "Y,X", value_delimiter = ',', num_args = 1)]
    pub(crate) spacing: Option<Vec<f64>>,
    /// Who each case belongs to: CSV with the columns id, group
    #[arg(long, value_name = "FILE")]
    pub(crate) groups: Option<String>,
    #[command(flatten)]
    pub(crate) interval: IntervalArgs,
}

/// Restored images, truth, and the range that scores are measured by.
#[derive(Debug, Args)]
pub(crate) struct EnhanceArgs {
    /// Folder of the restored images
    #[arg(long, value_name = "DIR")]
    pub(crate) pred: PathBuf,
    /// Folder of the true images
    #[arg(long, value_name = "DIR")]
    pub(crate) truth: PathBuf,
    /// Folder of the images before restoration, for the row of doing nothing
    #[arg(long, value_name = "DIR")]
    pub(crate) input: Option<PathBuf>,
    /// From where to where intensities go
    #[arg(long, value_name = "LOW,HIGH", value_delimiter = ',', num_args = 1, allow_hyphen_values = true)]
    pub(crate) range: Vec<f64>,
    /// Clip answers and truth to the range, as a window does; without it a truth beyond the range is refused
    #[arg(long)]
    pub(crate) clip: bool,
    /// Who each file belongs to: CSV with the columns id, group
    #[arg(long, value_name = "FILE")]
    pub(crate) groups: Option<String>,
    #[command(flatten)]
    pub(crate) interval: IntervalArgs,
}
