//! Wilcoxon's signed-rank test: are paired differences symmetric about zero?
//!
//! For few subjects the p-value is exact: all ways to give signs to the ranks are counted, with ties as they are. Doubled
//! ranks are whole numbers even with ties, so the count is a sum over whole numbers and needs no table.

use statrs::distribution::{ContinuousCDF, Normal};

use crate::undefined::{Score, Undefined, check_finite};

/// Most differences that [`WilcoxonSignedRank::exact_p_value`] takes: its time grows with the cube of their number.
pub const EXACT_DIFFERENCES: usize = 200;

/// What differences of zero do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZeroDifferences {
    /// They are dropped before ranking (Wilcoxon).
    Drop,
    /// They are ranked with the others, and their ranks are dropped then (Pratt).
    RankThenDrop,
}

/// The ranked differences of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct WilcoxonSignedRank {
    /// Twice the rank of each difference that is not zero; ties share the mean rank.
    doubled_ranks: Vec<u64>,
    doubled_positive: u64,
    zeros: usize,
}

impl WilcoxonSignedRank {
    /// Ranks the absolute values of paired differences.
    ///
    /// # Shapes
    /// One difference per subject: the test takes them as independent
    /// ([`subject_differences`](crate::subject_differences) makes them of cases).
    ///
    /// # Errors
    /// A difference that is NaN or infinite; none that is not zero.
    pub fn new(differences: &[f64], zeros: ZeroDifferences) -> Result<Self, Undefined> {
        check_finite("difference", differences)?;
        let mut sorted: Vec<f64> = differences.to_vec();
        sorted.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
        let zero_count = sorted.partition_point(|difference| difference.abs() <= 0.0);
        if zero_count == sorted.len() {
            return Err(Undefined::NotEnough { what: "differences that are not zero", expected: 1, found: 0 });
        }
        let offset = match zeros {
            ZeroDifferences::Drop => 0,
            ZeroDifferences::RankThenDrop => zero_count,
        };
        let (mut doubled_ranks, mut doubled_positive, mut before) = (Vec::new(), 0, offset);
        for ties in sorted[zero_count..].chunk_by(|a, b| a.abs().total_cmp(&b.abs()).is_eq()) {
            // Ranks before + 1 to before + n; twice their mean.
            let doubled = (2 * before + ties.len() + 1) as u64;
            for difference in ties {
                doubled_ranks.push(doubled);
                doubled_positive += if *difference > 0.0 { doubled } else { 0 };
            }
            before += ties.len();
        }
        Ok(Self { doubled_ranks, doubled_positive, zeros: zero_count })
    }

    /// Number of differences that are not zero.
    #[must_use]
    pub fn differences(&self) -> usize {
        self.doubled_ranks.len()
    }

    /// Number of differences of zero.
    #[must_use]
    pub fn zeros(&self) -> usize {
        self.zeros
    }

    /// Sum of the ranks of positive differences, and of negative ones.
    #[must_use]
    pub fn rank_sums(&self) -> [f64; 2] {
        let all: u64 = self.doubled_ranks.iter().sum();
        [self.doubled_positive, all - self.doubled_positive].map(|doubled| 0.5 * doubled as f64)
    }

    /// Two-sided exact p-value: `min(1, 2 min(P(W ≤ w), P(W ≥ w)))` over all signs of the ranks there are.
    ///
    /// # Policy
    /// Conditional on ties and zeros as they are, so it stays exact with both, where tables and SciPy's `method="exact"` do not
    /// hold. Valid for any number; asked for more than [`EXACT_DIFFERENCES`] it refuses, and
    /// [`Self::normal_p_value`] is close by then.
    ///
    /// # Errors
    /// More than [`EXACT_DIFFERENCES`] differences that are not zero.
    ///
    /// # Source
    /// Wilcoxon 1945; SciPy `wilcoxon(method="exact")` without ties, `wilcoxon(method=PermutationMethod())` with them.
    ///
    /// # Example
    /// ```
    /// use kd_metrics::{WilcoxonSignedRank, ZeroDifferences};
    /// let test = WilcoxonSignedRank::new(&[0.3, 0.1, 0.2, 0.5, 0.4], ZeroDifferences::Drop)?;
    /// assert_eq!(test.exact_p_value()?, 2.0 / 32.0); // all five signs alike: 2 of 2⁵ ways
    /// # Ok::<(), kd_metrics::Undefined>(())
    /// ```
    pub fn exact_p_value(&self) -> Score {
        if self.differences() > EXACT_DIFFERENCES {
            return Err(Undefined::OutOfRange {
                what: "differences that are not zero",
                expected: "at most 200 for an exact p-value",
                found: self.differences() as f64,
            });
        }
        let all: u64 = self.doubled_ranks.iter().sum();
        // Probability of each doubled rank sum; a rank is positive with ½.
        let mut probability = vec![0.0_f64; all as usize + 1];
        probability[0] = 1.0;
        let mut reached = 0;
        for &rank in &self.doubled_ranks {
            let rank = rank as usize;
            reached += rank;
            for sum in (0..=reached).rev() {
                let with = if sum >= rank { probability[sum - rank] } else { 0.0 };
                probability[sum] = 0.5 * (probability[sum] + with);
            }
        }
        let tail = |doubled: u64| probability[..=doubled as usize].iter().sum::<f64>();
        // The distribution is symmetric, so the upper tail is the lower one of the other sum.
        let least = self.doubled_positive.min(all - self.doubled_positive);
        Ok((2.0 * tail(least)).min(1.0))
    }

    /// Two-sided p-value by the normal distribution, for many differences.
    ///
    /// # Policy
    /// Variance `¼ Σ rank²` over the ranks there are, which is the variance corrected for ties and zeros. No continuity correction.
    ///
    /// # Errors
    /// None; it is a poor answer for fewer than about 20 differences.
    ///
    /// # Source
    /// SciPy `wilcoxon(method="asymptotic")`.
    ///
    /// # Example
    /// ```
    /// use kd_metrics::{WilcoxonSignedRank, ZeroDifferences};
    /// let test = WilcoxonSignedRank::new(&[1.0, -1.0], ZeroDifferences::Drop)?;
    /// assert_eq!(test.normal_p_value(), Ok(1.0)); // rank sums 1.5 and 1.5
    /// # Ok::<(), kd_metrics::Undefined>(())
    /// ```
    pub fn normal_p_value(&self) -> Score {
        let [positive, negative] = self.rank_sums();
        let variance: f64 = self.doubled_ranks.iter().map(|&doubled| (0.25 * doubled as f64).powi(2)).sum();
        let z = 0.5 * (positive - negative) / variance.sqrt();
        Ok((2.0 * Normal::standard().cdf(-z.abs())).min(1.0))
    }
}
