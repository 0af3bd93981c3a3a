//! `cargo xtask bench`: runs the criterion benches, shows a table, keeps a record, compares with an older one.
//!
//! Times compare only within one machine, so a record carries what the machine is and a comparison across machines is
//! refused. A slower bench is a warning and not a failure: the noise of a shared machine is no fault of the code.

mod compare;
mod estimates;
mod host;
mod peers;
mod record;
mod side;
mod side_by_side;
mod speed;
mod speed_table;

use std::time::SystemTime;

use kd_data::store;

use crate::flags::{BenchCommand, BenchOptions, UsageError};
use crate::repository;
use crate::step::{cargo, run, shown};
pub(crate) use record::Origin;
use record::Record;

/// Runs the benches of `kd-bench`.
pub(crate) fn bench(options: &BenchOptions) -> anyhow::Result<u8> {
    match &options.command {
        Some(BenchCommand::Speed(options)) => return speed::speed(options),
        Some(BenchCommand::Peers(options)) => return peers::peers(options),
        None => {}
    }
    let root = repository::root();
    if !(options.threshold.is_finite() && options.threshold >= 0.0) {
        return Err(UsageError(format!("threshold: expected a share from 0, found {}", options.threshold)).into());
    }
    // Read before hours of measuring, so that a wrong path costs nothing.
    let older = options.against.as_deref().map(Record::load).transpose()?;

    let mut command = cargo(&root, ["bench", "--package", "kd-bench"]);
    if let Some(filter) = &options.filter {
        command.args(["--", filter]);
    }
    let line = shown(&command);
    let begun = SystemTime::now();
    let code = run(command)?;
    if code != 0 {
        return Ok(code);
    }
    let benches = estimates::read(&estimates::folder(&root)?, begun)?;
    anyhow::ensure!(!benches.is_empty(), "no bench was measured, expected at least one\nhint: loosen the filter");
    let record = Record::new(&root, line, begun, benches)?;
    print!("{}", record.table());

    if let Some(older) = older {
        anyhow::ensure!(
            older.origin.host == record.origin.host,
            "the record comes from another machine ({}), expected this one ({})\nhint: times compare within one machine; measure the older revision here with `--record`",
            older.origin.host,
            record.origin.host
        );
        print!("\n{}", compare::table(&older, &record, options.threshold));
    }
    if options.record {
        // A record is never edited: a name that is taken is refused here.
        let folder = store::StagedFolder::create(&root.join("benches/record").join(record.origin.name()))?;
        store::write_atomic(&folder.path().join("bench.md"), record.markdown().as_bytes())?;
        store::write_atomic(&folder.path().join("bench.json"), record.json().as_bytes())?;
        println!("{}", folder.commit()?.display());
    }
    Ok(0)
}
