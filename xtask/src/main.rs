//! `cargo xtask`: what a maintainer runs.
//!
//! It is kept small and never links Burn, so that it builds in seconds and answers at once; heavy work is a child
//! process (`cargo`, or `kd` built in release). A command that only concerns the repository lives here; a command that
//! works on images lives in `kd`, and this program hands it over unchanged.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool: data to stdout, talk to stderr")]

mod bench;
mod check;
mod conformance;
mod data;
mod docs;
mod flags;
mod kd;
mod oracle;
mod repository;
mod scaffold;
mod step;
mod tidy;
mod which_loss;

use std::process::ExitCode;

use clap::Parser as _;

use flags::{Command, DataCommand, Flags};

fn main() -> ExitCode {
    match run(Flags::parse().command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<flags::UsageError>() { flags::BAD_USAGE } else { flags::FAILED })
        }
    }
}

/// Runs one command and returns the exit code: a child's code is passed on as it is.
fn run(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Check => check::check(),
        Command::Ci => check::ci(),
        Command::Tidy => tidy::tidy(),
        Command::Test { args } => check::test(&args),
        Command::Docs { check } => docs::docs(check),
        Command::New { kind, name } => scaffold::new(kind, &name),
        Command::Oracle(options) => oracle::oracle(&options),
        Command::Bench(options) => bench::bench(&options),
        Command::Conformance(options) => conformance::conformance(&options),
        Command::Data(DataCommand::List { json }) => data::list(json),
        Command::Data(DataCommand::Get { name, mirror, root }) => data::get(&name, mirror.as_deref(), root),
        Command::Data(DataCommand::Other(args)) => kd::hand_over_data(args),
        Command::Distill { args } => kd::distill(args),
        Command::Other(args) => kd::hand_over(args),
    }
}
