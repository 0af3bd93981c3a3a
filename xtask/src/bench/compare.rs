//! Two records of one machine, bench by bench.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{Record, time};
use crate::data::aligned;

/// Older and newer medians, their ratio, and a word.
///
/// A difference counts when the medians differ by more than `threshold` of the older one and the two intervals do not
/// touch; everything else is noise.
pub(super) fn table(older: &Record, newer: &Record, threshold: f64) -> String {
    let by_name = |record: &Record| -> BTreeMap<_, _> {
        record.benches.iter().map(|bench| (bench.name.clone(), bench.clone())).collect()
    };
    let (before, after) = (by_name(older), by_name(newer));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut n_slower = 0;
    let mut lines = vec![["BENCH", "BEFORE", "AFTER", "RATIO", ""].map(str::to_owned)];
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        let (ratio, word) = match (old, new) {
            (Some(old), Some(new)) => {
                let ratio = new.median_ns / old.median_ns;
                let apart = new.low_ns > old.high_ns || new.high_ns < old.low_ns;
                let word = match ratio - 1.0 {
                    change if apart && change > threshold => "SLOWER",
                    change if apart && change < -threshold => "faster",
                    _ => "",
                };
                (format!("{ratio:.3}"), word)
            }
            (None, _) => ("-".to_owned(), "new"),
            (_, None) => ("-".to_owned(), "not measured"),
        };
        n_slower += usize::from(word == "SLOWER");
        let shown = |bench: Option<&super::estimates::Bench>| bench.map_or("-".to_owned(), |b| time(b.median_ns));
        lines.push([name.clone(), shown(old), shown(new), ratio, word.to_owned()]);
    }
    let summary = match n_slower {
        0 => "no bench is slower".to_owned(),
        n => format!("warning: {n} slower"),
    };
    format!("{}{summary}, by more than {} of the median, against {}\n", aligned(&lines), threshold, older.origin.name())
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn only_a_difference_beyond_noise_has_a_word() {
        let older = record(&[("gone", 1.0), ("noise", 100.0), ("quick", 100.0), ("slow", 100.0)]);
        let newer = record(&[("noise", 104.0), ("quick", 50.0), ("slow", 200.0), ("young", 1.0)]);
        let text = table(&older, &newer, 0.05);
        let word = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).expect("a line");
            line.split("  ").last().unwrap_or("").trim().to_owned()
        };
        assert_eq!(word("slow"), "SLOWER");
        assert_eq!(word("quick"), "faster");
        assert_eq!(word("noise"), "1.040");
        assert_eq!((word("gone").as_str(), word("young").as_str()), ("not measured", "new"));
        assert!(text.contains("warning: 1 slower"), "{text}");
    }

    #[test]
    fn overlapping_intervals_are_noise_at_any_threshold() {
        let text = table(&record(&[("a", 100.0)]), &record(&[("a", 101.5)]), 0.0);
        assert!(text.contains("no bench is slower"), "{text}");
    }
}
