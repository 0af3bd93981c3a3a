//! CSV for other programs: long form, every digit, one fact per line.
//!
//! Long form (a line per arm and metric) because arms have different metrics, and because a line then stands on its
//! own. An undefined value is an empty cell, with its reason in the last column.

use crate::record::{Arm, RunRecord, StudentGroup};
use crate::value::Value;
use ::csv::{Terminator, Writer, WriterBuilder};

/// Scores of every arm: over all seeds with interval, then of each seed (`last` and `chosen`).
///
/// Columns: student, arm, role, network, parameters, multiply_adds, file_bytes, latency_p50_ms, latency_p95_ms,
/// peak_memory_bytes, seed (empty over all seeds), epoch (`chosen` or `last`), metric, value, low, high, n, method,
/// policy, undefined.
pub fn arms(record: &RunRecord) -> String {
    let header = "student,arm,role,network,parameters,multiply_adds,file_bytes,latency_p50_ms,latency_p95_ms,\
                  peak_memory_bytes,seed,epoch,metric,value,low,high,n,method,policy,undefined";
    let mut table = Table::new(header);
    for (group, network, arm) in record.all_arms() {
        let optional = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
        let mut start = names(group, arm);
        start.extend([
            network.name.clone(),
            network.parameters.to_string(),
            network.multiply_adds.to_string(),
            network.file_bytes.to_string(),
            optional(network.latency_p50_ms),
            optional(network.latency_p95_ms),
            network.peak_memory_bytes.map(|bytes| bytes.to_string()).unwrap_or_default(),
        ]);
        let policy = |name: &str| record.definition(name).map(|one| one.policy.clone()).unwrap_or_default();
        for metric in arm.metrics.iter().chain(&arm.teacher_agreement) {
            let end = [
                String::new(),
                "chosen".to_owned(),
                metric.name.clone(),
                cell(&metric.value),
                cell(&metric.low),
                cell(&metric.high),
                metric.n.to_string(),
                metric.method.clone(),
                policy(&metric.name),
                reason(&metric.value),
            ];
            table.line(start.iter().chain(&end));
        }
        for seed in &arm.per_seed {
            for metric in &seed.metrics {
                for (epoch, value) in [("chosen", &metric.chosen), ("last", &metric.last)] {
                    let end = [
                        seed.seed.to_string(),
                        epoch.to_owned(),
                        metric.name.clone(),
                        cell(value),
                        String::new(),
                        String::new(),
                        String::new(),
                        String::new(),
                        policy(&metric.name),
                        reason(value),
                    ];
                    table.line(start.iter().chain(&end));
                }
            }
        }
    }
    table.text()
}

/// Training curves of every arm and seed.
///
/// Columns: student, arm, role, seed, epoch (from 1), quantity (`learning_rate`, `loss`, `gradient_share`, `weight`
/// of a term with a share, `temperature` of one that learns it, `validation`), name (term or metric), value, chosen (1 at the chosen epoch, else 0).
pub fn curves(record: &RunRecord) -> String {
    let mut table = Table::new("student,arm,role,seed,epoch,quantity,name,value,chosen");
    for (group, _, arm) in record.all_arms() {
        for curves in &arm.curves {
            let rates: Vec<Value> = curves.learning_rate.iter().map(|rate| Value::from(*rate)).collect();
            let mut columns = vec![("learning_rate", "", &rates)];
            for term in &curves.terms {
                columns.push(("loss", &term.name, &term.loss));
                columns.push(("gradient_share", &term.name, &term.gradient_share));
                columns.push(("weight", &term.name, &term.weight));
                columns.push(("temperature", &term.name, &term.temperature));
            }
            columns.push(("validation", &curves.validation_metric, &curves.validation));
            for (quantity, name, values) in columns {
                for (epoch, value) in (1_u32..).zip(values) {
                    let mut line = names(group, arm);
                    line.extend([
                        curves.seed.to_string(),
                        epoch.to_string(),
                        quantity.to_owned(),
                        name.to_owned(),
                        cell(value),
                        u8::from(epoch == curves.chosen_epoch).to_string(),
                    ]);
                    table.line(&line);
                }
            }
        }
    }
    table.text()
}

fn names(group: Option<&StudentGroup>, arm: &Arm) -> Vec<String> {
    vec![group.map(|group| group.name.clone()).unwrap_or_default(), arm.name.clone(), arm.role.word().to_owned()]
}

fn cell(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_nan() => String::new(),
        Value::Number(number) => number.to_string(),
        Value::Undefined(_) => String::new(),
    }
}

fn reason(value: &Value) -> String {
    value.reason().unwrap_or_default().to_owned()
}

/// A CSV text in memory; lines end in a line feed on every system.
struct Table(Writer<Vec<u8>>);

impl Table {
    fn new(header: &str) -> Self {
        let mut table = Self(WriterBuilder::new().terminator(Terminator::Any(b'\n')).from_writer(Vec::new()));
        table.line(header.split(','));
        table
    }

    fn line(&mut self, cells: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        self.0.write_record(cells).expect("a vector takes every byte, and all lines are equally long");
    }

    fn text(self) -> String {
        let bytes = self.0.into_inner().expect("a vector takes every byte");
        String::from_utf8(bytes).expect("the cells are UTF-8")
    }
}
