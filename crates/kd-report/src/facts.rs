//! The facts that make a number checkable: origin, data, teacher, machine; as name and text, for every rendering.

use crate::number;
use crate::record::RunRecord;

/// Every single fact of the record that isn't a score, in the order in which it is shown.
pub(crate) fn all(record: &RunRecord) -> Vec<(&str, String)> {
    [protocol(record), data(record), teacher(record), origin(record)].concat()
}

/// How the run was set up.
pub(crate) fn protocol(record: &RunRecord) -> Vec<(&str, String)> {
    let mut facts = vec![("Task", record.task.noun().to_owned()), ("Recipe", record.provenance.recipe.clone())];
    facts.extend(record.protocol.iter().map(|fact| (fact.name.as_str(), fact.value.clone())));
    facts
}

/// What was learned from.
pub(crate) fn data(record: &RunRecord) -> Vec<(&str, String)> {
    let data = &record.dataset;
    let mut facts = vec![
        ("Dataset", data.name.clone()),
        ("Licence", data.license.clone()),
        ("Citation", data.citation.clone()),
        ("Unit of independence", data.unit_of_independence.clone()),
        ("Dataset hash", data.hash.clone()),
        ("Split hash", data.split_hash.clone()),
        ("Preparation hash", data.preparation_hash.clone()),
    ];
    if let Some(limit) = &data.claim_limit {
        facts.insert(4, ("Claim limit", limit.clone()));
    }
    facts
}

/// The teacher, and whether it stayed as it was.
pub(crate) fn teacher(record: &RunRecord) -> Vec<(&str, String)> {
    let teacher = &record.teacher;
    let unchanged = if teacher.hash_before == teacher.hash_after {
        format!("{} (the same after every arm)", teacher.hash_before)
    } else {
        format!("CHANGED from {} to {}", teacher.hash_before, teacher.hash_after)
    };
    let mut facts = vec![
        ("Teacher network", teacher.network.name.clone()),
        ("Teacher parameters", number::count(teacher.network.parameters)),
        ("Teacher multiply-adds", number::count(teacher.network.multiply_adds)),
        ("Teacher origin", teacher.origin.clone()),
        ("Teacher hash", unchanged),
    ];
    for curves in &teacher.arm.curves {
        let epochs = curves.learning_rate.len();
        facts.push(("Teacher best epoch", format!("{} of {epochs} (seed {})", curves.chosen_epoch, curves.seed)));
    }
    facts
}

/// Where the numbers come from.
pub(crate) fn origin(record: &RunRecord) -> Vec<(&str, String)> {
    let origin = &record.provenance;
    let host = &origin.host;
    let dirty = if origin.dirty { " (with uncommitted changes)" } else { " (clean)" };
    vec![
        ("Command", origin.command.clone()),
        ("Revision", format!("{}{dirty}", origin.revision)),
        ("Created", origin.created.clone()),
        ("Device", origin.device.clone()),
        ("Processor", format!("{}, {} cores", host.cpu, host.cores)),
        ("Memory", number::bytes(host.memory_bytes)),
        ("System", host.os.clone()),
        (
            "Tools",
            format!(
                "rustc {}, Burn {}, {} operators",
                host.rustc.trim_start_matches("rustc "),
                host.burn,
                host.operators
            ),
        ),
        ("Record schema", record.schema.to_string()),
    ]
}
