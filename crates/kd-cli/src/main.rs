//! `kd`: distil a large medical-image network into a small one, and see whether it helped.
//!
//! The composition root: the one place that knows all crates, names a device and prints.

mod args;
mod command;
mod dense;
mod device;
mod host;
mod output;
mod package;
mod progress;
mod recipe;
mod sink;
mod stage;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use kd_data::Root;

use args::{Cli, Command, Stage};
use output::{Output, UsageError, usage};

fn main() -> ExitCode {
    kd_kernels::keep_freed_memory();
    let backend = device::backend_env(std::env::args_os());
    #[expect(unsafe_code, reason = "Burn reads its default device from the environment only")]
    // SAFETY: no other thread exists yet, so nobody reads the environment while it changes.
    unsafe {
        std::env::set_var("BURN_DEVICE", backend);
    }
    let cli = Cli::parse();
    let out = Output::new(cli.global.json, cli.global.quiet);
    match run(cli, &out) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            out.report_error(&error);
            let usage = error.chain().any(|cause| cause.is::<UsageError>());
            ExitCode::from(if usage { 2 } else { 1 })
        }
    }
}

fn run(cli: Cli, out: &Output) -> Result<bool> {
    kd_kernels::Kernels::from_environment().map_err(usage)?.choose();
    if let Some(threads) = cli.global.threads {
        let threads = usize::try_from(threads)?;
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().context("thread pool")?;
    }
    let root = Root::new(&cli.global.root);
    match cli.command {
        Command::Run(args) => command::run::run(&args, Stage::Run, &root, out),
        Command::Prepare(args) => command::run::run(&args, Stage::Prepare, &root, out),
        Command::Teach(args) => command::run::run(&args, Stage::Teach, &root, out),
        Command::Label(args) => command::run::label(&args, &root, out),
        Command::Learn(args) => command::run::run(&args, Stage::Learn, &root, out),
        Command::Score(args) => command::run::run(&args, Stage::Score, &root, out),
        Command::Report(args) => command::run::run(&args, Stage::Report, &root, out),
        Command::Sweep(args) => command::sweep::run(&args, &root, out),
        Command::Predict(args) => command::predict::run(args, &root, out),
        Command::Data(command) => command::data::run(command, &root, out),
        Command::Inspect(args) => command::inspect::run(args, &root, out),
        Command::Convert(args) => command::convert::run(&args, out),
        Command::Metrics(command) => command::metrics::run(command, &root, out),
        Command::Losses(args) => command::losses::run(args, &root, out),
        Command::Devices => command::devices::run(&root, out),
    }
}
