//! The values of all test cases under one network: means over any draw of them.

use kd_metrics::{CaseScores, CaseWeight, Grouping, Score, UndefinedCases};

use super::CaseValues;

/// Which cases a mean is over, in words for the protocol.
pub(crate) fn policy() -> String {
    format!("{}; {}", CaseWeight::EachCase.describe(), UndefinedCases::LeaveOut.describe())
}

/// Values of every metric, case by case.
pub(crate) struct CaseTable {
    whole: Vec<Column>,
    /// For each part, its metrics.
    parts: Vec<Vec<Column>>,
}

struct Column {
    values: Vec<Score>,
    scores: Result<CaseScores, kd_metrics::Undefined>,
}

impl Column {
    fn new(values: Vec<Score>, grouping: &Grouping) -> Self {
        let scores =
            CaseScores::new(&values[..grouping.samples()], grouping, UndefinedCases::LeaveOut, CaseWeight::EachCase);
        Self { values, scores }
    }

    fn mean(&self, draw: &[usize]) -> Score {
        self.scores.as_ref().map_err(Clone::clone)?.mean(draw)
    }
}

impl CaseTable {
    /// Takes the values of all cases, in their order. Means are over the first ones, those that the grouping knows.
    pub(crate) fn new(cases: &[CaseValues], grouping: &Grouping) -> Self {
        let n_metrics = cases.first().map_or(0, |case| case.whole.len());
        let parts = cases.first().map_or(&[][..], |case| &case.parts);
        let column = |pick: &dyn Fn(&CaseValues) -> Score| Column::new(cases.iter().map(pick).collect(), grouping);
        Self {
            whole: (0..n_metrics).map(|metric| column(&|case| case.whole[metric].clone())).collect(),
            parts: (0..parts.len())
                .map(|part| {
                    (0..parts[part].len()).map(|metric| column(&|case| case.parts[part][metric].clone())).collect()
                })
                .collect(),
        }
    }

    /// Some of the cases, as a table of their own.
    pub(crate) fn of_cases(&self, cases: &[usize], grouping: &Grouping) -> Self {
        let some =
            |column: &Column| Column::new(cases.iter().map(|&case| column.values[case].clone()).collect(), grouping);
        let whole = self.whole.iter().map(some).collect();
        Self { whole, parts: Vec::new() }
    }

    /// Mean of a metric over a draw of cases.
    pub(crate) fn mean(&self, metric: usize, draw: &[usize]) -> Score {
        self.whole[metric].mean(draw)
    }

    /// Mean of a metric of one part over a draw of cases.
    pub(crate) fn mean_of_part(&self, part: usize, metric: usize, draw: &[usize]) -> Score {
        self.parts[part][metric].mean(draw)
    }

    /// A metric of one case.
    pub(crate) fn value(&self, metric: usize, case: usize) -> &Score {
        &self.whole[metric].values[case]
    }

    /// Cases in which a part has a value.
    pub(crate) fn counted(&self, part: usize, metric: usize) -> usize {
        self.parts[part][metric].scores.as_ref().map_or(0, |scores| scores.counted().counted)
    }
}
