//! The command line as types: what can be asked for, and how help explains it.
//!
//! Everything that a flag can get wrong by itself is refused here, before a file is touched, with exit code 2.

mod data;
mod deidentify;
mod import;
mod metrics;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use data::{DataCommand, ExportFormatName};
pub(crate) use deidentify::{DeidentifyArgs, RetainName};
pub(crate) use import::{EmptyMasksName, ImportArgs, ImportFormatName, ImportTaskName, IntensityName, MaskNumbers};
pub(crate) use metrics::{
    ClassifyArgs, EnhanceArgs, IntervalArgs, IntervalName, MetricsCommand, ScoreKind, SegmentArgs, TaskName,
};

const ABOUT: &str = "Distils a large medical-image network into a small one, and shows whether it helped";

/// The commands by what they are for; clap itself knows no groups. A test compares them with the real ones.
const HELP_TEMPLATE: &str = "\
{about}

{usage-heading} {usage}

Experiment:
  run       All stages of a recipe: teacher, soft labels, students, scores, report, package
  prepare   Only bring the images to the network's size, channels and intensities
  teach     Only train the teacher
  label     Train the teacher if need be, and store its answers
  learn     Only train the students
  score     Only answer the test split and compute metrics
  report    Only write the report and the package
  sweep     Compare settings of a recipe on its validation split

Use a student:
  predict   Answer images with a finished student

Data:
  data      List, fetch, import, check and describe data sets
  inspect   Say what a file holds
  convert   Write a volume in another format, on the same grid

Look things up:
  metrics   Score anybody's predictions
  losses    The distillation losses: formula, heads, parameters, source
  devices   What can be computed on here, and why the rest cannot

Options:
{options}{after-help}";

const AFTER_HELP: &str = "\
Examples:
  kd run chest-phantom             the whole experiment on generated radiographs
  kd run chest-phantom --dry-run   what it would do, and what that costs
  kd predict student.kd scans/ --out answers
  kd data get pneumoniamnist
  kd metrics classify --pred scores.csv --scores probs --json

Data goes to stdout, talk goes to stderr.
Exit code 0: done; 1: failed; 2: wrong usage or configuration.
`kd COMMAND --help` tells more about a command.";

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "kd",
    version,
    about = ABOUT,
    after_help = AFTER_HELP,
    help_template = HELP_TEMPLATE,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 110
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Folder of downloads, runs and reports
    #[arg(long, global = true, value_name = "DIR", env = "KD_ROOT", default_value = "./artifacts")]
    pub(crate) root: PathBuf,
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Threads to compute with [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: Option<u32>,
    /// No progress and no notes; errors are still told
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All stages of a recipe: teacher, soft labels, every arm and seed, scores, report, package
    #[command(after_help = RUN_HELP)]
    Run(RunArgs),
    /// Bring the images of a recipe to the network's size, channels and intensities
    Prepare(RunArgs),
    /// Train the teacher of a recipe
    Teach(RunArgs),
    /// Store the teacher's answers for every training sample and view
    Label(LabelArgs),
    /// Train the students of a recipe: every arm with every seed
    Learn(RunArgs),
    /// Answer the test split with teacher and students, and compute metrics
    Score(RunArgs),
    /// Write the report and the package of a scored recipe
    Report(RunArgs),
    /// Compare settings of a recipe on the validation split, such as weights and temperatures of its arms
    #[command(after_help = SWEEP_HELP)]
    Sweep(SweepArgs),
    /// Answer images with a finished student; writes predictions.csv and predictions.json
    #[command(after_help = PREDICT_HELP)]
    Predict(PredictArgs),
    /// List, fetch, import, check and describe data sets
    #[command(subcommand)]
    Data(DataCommand),
    /// Say what a file holds: shape, range, intensity meaning, checksum, warnings
    Inspect(InspectArgs),
    /// Write a volume in another format, on the same grid
    #[command(after_help = CONVERT_HELP)]
    Convert(ConvertArgs),
    /// Score anybody's predictions, with intervals over subjects
    #[command(subcommand)]
    Metrics(MetricsCommand),
    /// The distillation losses: formula, heads, parameters, source
    Losses(LossesArgs),
    /// What can be computed on here, and why the rest cannot
    Devices,
}

const SWEEP_HELP: &str = "\
Examples:
  kd sweep chest-phantom --over arm.distilled.bernoulli.weight=0.3,0.5,0.9 --seeds 0..2
  kd sweep mine.toml --over arm.cwd.channel-wise.weight=0.01,0.1,1 --over arm.cwd.channel-wise.temperature=1,4

Keys of the form arm.NAME.… learn that arm anew for each combination, and the student alone once beside it; any other key
learns every arm anew. Values are the recipe's validation measure at the chosen epoch; the test split is not opened. What
was learned is kept: a sweep that was stopped goes on, and `kd run` with the best values trains nothing twice.";

const RUN_HELP: &str = "\
Examples:
  kd run chest-phantom --seeds 0..5
  kd run my-recipe.toml --set student.train.epochs=4 --set arm.kd.hinton.temperature=2
  kd run chest-phantom --seeds 3,4 --resume      adds two seeds to the same experiment

A run that was stopped, by Ctrl-C or otherwise, goes on with --resume and ends in the same bytes.";

const PREDICT_HELP: &str = "\
Examples:
  kd predict student.kd scan.png --out answers
  kd predict student.kd scans/ more.npz:test_images --out answers
  kd predict segmenter.kdp scan.nii.gz dicom-series/ --out masks
  kd predict segmenter.kdp dicom-series/ --out masks --dicom

Inputs are PNG and JPEG files, npz archives (arrays `images` or `…_images`, or the one named behind a colon), or
folders of these; for a student of segmentation NIfTI files, folders with a DICOM series, or folders of these, and each
answer is a mask on the grid of its source. With --dicom a series is answered by a DICOM segmentation, or by a derived
series where images are restored, in the source's study and frame of reference. An input that cannot be answered is named, the others are answered, and the exit code is 1.";

/// A recipe and how to run it.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    /// Name of a recipe that comes with kd, or path to one's own
    pub(crate) recipe: String,
    /// Seeds of the students: 0..5 is 0, 1, 2, 3, 4; or a list such as 0,3,7 [default: the recipe's]
    #[arg(long, value_name = "SEEDS", value_parser = parse_seeds)]
    // By its path, or clap would take it for an option with several values.
    pub(crate) seeds: Option<std::vec::Vec<u64>>,
    /// auto, cpu, ndarray, cuda, cuda:1, vulkan, vulkan:1
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(crate) device: String,
    /// Change one key of the recipe, such as student.train.epochs=4; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_override)]
    pub(crate) set: Vec<String>,
    /// Go on with what an earlier run left
    #[arg(long)]
    pub(crate) resume: bool,
    /// Only say what would be done: steps, arithmetic, time, memory, disk
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Seconds between two checkpoints of a training
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) checkpoint_seconds: u64,
}

/// A recipe, and whose answers are stored.
#[derive(Debug, Clone, Args)]
pub(crate) struct LabelArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Check and store somebody else's answers instead: an npz file with raw logits (intensities for enhancement), one array for
    /// each training sample, named by its id; arms learn from them with `answers = "FILE"`
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<String>,
    /// Write the stored answers that the packed arm learns from as such a file, for a recipe of another size or another program
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    pub(crate) to: Option<PathBuf>,
}

/// A recipe and the values to try.
#[derive(Debug, Clone, Args)]
pub(crate) struct SweepArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// A key of the recipe and its values, such as arm.kd.hinton.weight=0.1,0.3,1; several make a grid
    #[arg(long, required = true, value_name = "KEY=A,B,C")]
    pub(crate) over: Vec<String>,
}

/// How far along its road an experiment is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Images.
    Prepare,
    /// Teacher.
    Teach,
    /// Soft labels.
    Label,
    /// Students.
    Learn,
    /// Answers and metrics.
    Score,
    /// Report and package.
    Report,
    /// Everything.
    Run,
}

/// A package and what to answer.
#[derive(Debug, Args)]
pub(crate) struct PredictArgs {
    /// The student, as `kd run` wrote it
    pub(crate) package: PathBuf,
    /// Images, npz archives or volumes, or folders of them
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// New folder for predictions.csv, predictions.json and masks
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Answer DICOM series in DICOM, in the study of their source; these answers name the patient
    #[arg(long)]
    pub(crate) dicom: bool,
    /// auto, cpu, ndarray, cuda, cuda:1, vulkan, vulkan:1
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(crate) device: String,
}

const CONVERT_HELP: &str = "\
Examples:
  kd convert dicom-series/ volume.nii.gz
  kd convert volume.nii volume.npy

A folder is read as one DICOM series: slices in the order of their positions, values after the rescale of the header
(Hounsfield units of a CT). NIfTI keeps the place in the patient; npy keeps numbers alone, slowest axis first. Values that
are whole numbers from -32768 to 32767 are written as int16, all others as float32.";

/// What to write where.
#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// A NIfTI file, a DICOM file, or a folder with one DICOM series
    pub(crate) input: PathBuf,
    /// A new file: .nii, .nii.gz or .npy; .png for a picture
    pub(crate) out: PathBuf,
    /// Which values, to .npy (or, for display, .png): left out, those of the modality in the smallest exact type
    #[arg(long = "as", value_name = "VALUES")]
    pub(crate) values: Option<Meaning>,
}

/// Which values of a file are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Meaning {
    /// As they are stored, in the stored type: before any rescale, palette entries as their numbers
    Raw,
    /// What was measured, as float32: after rescale or lookup table, palettes and colours as RGB in the stored range
    Modality,
    /// What a viewer shows, as uint8: the file's own window or table, MONOCHROME1 turned round
    Display,
}

/// What to look into.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// An image, array, archive, weights file or package
    pub(crate) file: PathBuf,
}

/// Which loss.
#[derive(Debug, Args)]
pub(crate) struct LossesArgs {
    /// One loss in full; none lists all
    pub(crate) name: Option<String>,
}

/// More seeds than anybody waits for: a mistyped range should not start a year of work.
const MOST_SEEDS: u64 = 1000;

/// Seeds in the order given, none twice.
fn parse_seeds(text: &str) -> Result<Vec<u64>, String> {
    const EXPECTED: &str = "expected a range such as 0..5 (0, 1, 2, 3, 4) or a list such as 0,3,7";
    let number = |part: &str| {
        part.trim().parse::<u64>().map_err(|_| format!("`{}` is no whole number from 0 on; {EXPECTED}", part.trim()))
    };
    if let Some((first, end)) = text.split_once("..") {
        let (first, end) = (number(first)?, number(end)?);
        return match end.checked_sub(first) {
            None | Some(0) => Err(format!("the range holds no seed (the end is not included); {EXPECTED}")),
            Some(count) if count > MOST_SEEDS => Err(format!("{count} seeds, expected at most {MOST_SEEDS}")),
            Some(_) => Ok((first..end).collect()),
        };
    }
    let seeds = text.split(',').map(number).collect::<Result<Vec<u64>, String>>()?;
    match seeds.iter().enumerate().find(|(place, seed)| seeds[..*place].contains(seed)) {
        Some((_, double)) => Err(format!("seed {double} stands twice, expected each once")),
        None => Ok(seeds),
    }
}

fn parse_override(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.trim().is_empty() => Ok(text.to_owned()),
        _ => Err("expected KEY=VALUE, such as student.train.epochs=4".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_groups_of_the_help_name_every_command_once() {
        let groups = HELP_TEMPLATE.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
        let mut grouped: Vec<&str> = groups.collect();
        grouped.sort_unstable();
        let command = Cli::command();
        let mut real: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        real.sort_unstable();
        assert_eq!(grouped, real);
    }

    #[test]
    fn a_range_leaves_its_end_out_and_a_list_keeps_its_order() {
        assert_eq!(parse_seeds("0..3"), Ok(vec![0, 1, 2]));
        assert_eq!(parse_seeds("7, 0,3"), Ok(vec![7, 0, 3]));
        assert_eq!(parse_seeds("4"), Ok(vec![4]));
    }

    #[test]
    fn empty_double_and_senseless_seeds_are_refused_with_the_reason() {
        for (text, reason) in [
            ("3..3", "no seed"),
            ("5..2", "no seed"),
            ("", "`` is no whole number"),
            ("1,2,1", "seed 1 stands twice"),
            ("1,-2", "`-2` is no whole number"),
            ("0..18446744073709551615", "at most 1000"),
        ] {
            let refused = parse_seeds(text).unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }

    #[test]
    fn options_stand_before_or_behind_the_command() {
        for line in [["kd", "--json", "losses"], ["kd", "losses", "--json"]] {
            assert!(Cli::try_parse_from(line).unwrap().global.json);
        }
        assert!(Cli::try_parse_from(["kd", "run", "r", "--set", "epochs"]).is_err());
        assert!(Cli::try_parse_from(["kd", "data", "clean", "--yes"]).is_err());
    }
}
