//! McNemar's test: do two classifiers err equally often on the same samples?

use statrs::distribution::{Binomial, ChiSquared, ContinuousCDF, DiscreteCDF};

use crate::undefined::{Score, Undefined, check_length};

/// The two counts that the test rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mcnemar {
    /// Samples that only the first classifier has right.
    pub only_first: u64,
    /// Samples that only the second classifier has right.
    pub only_second: u64,
}

/// The chi-square form of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct McnemarChiSquare {
    /// The statistic, one degree of freedom.
    pub statistic: f64,
    /// Its upper tail.
    pub p_value: f64,
}

impl Mcnemar {
    /// Counts the discordant samples.
    ///
    /// # Shapes
    /// Whether each classifier is right, per sample, in the same order.
    ///
    /// # Policy
    /// One sample per subject: with several, the p-values are too small.
    ///
    /// # Errors
    /// No samples, different lengths.
    pub fn new(first_right: &[bool], second_right: &[bool]) -> Result<Self, Undefined> {
        check_length("second classifier", first_right.len(), second_right.len())?;
        if first_right.is_empty() {
            return Err(Undefined::NoSamples);
        }
        let count = |wanted: (bool, bool)| {
            first_right.iter().zip(second_right).filter(|&(&a, &b)| (a, b) == wanted).count() as u64
        };
        Ok(Self { only_first: count((true, false)), only_second: count((false, true)) })
    }

    /// Two-sided exact p-value: `min(1, 2 P(X ≤ min(b, c)))` with `X` binomial of `b + c` and ½.
    ///
    /// # Policy
    /// The doubled tail, not the mid-p. Use it for few discordant samples (fewer than about 25); it is valid for any number.
    ///
    /// # Errors
    /// [`Undefined::NoDiscordantPairs`].
    ///
    /// # Source
    /// McNemar 1947; statsmodels `mcnemar(exact=True)`.
    ///
    /// # Example
    /// ```
    /// let test = kd_metrics::Mcnemar { only_first: 5, only_second: 0 };
    /// assert!((test.exact_p_value()? - 2.0 / 32.0).abs() < 1e-14);
    /// # Ok::<(), kd_metrics::Undefined>(())
    /// ```
    pub fn exact_p_value(&self) -> Score {
        let discordant = self.only_first + self.only_second;
        if discordant == 0 {
            return Err(Undefined::NoDiscordantPairs);
        }
        let binomial = Binomial::new(0.5, discordant).map_err(|_| Undefined::NoDiscordantPairs)?;
        Ok((2.0 * binomial.cdf(self.only_first.min(self.only_second))).min(1.0))
    }

    /// Chi-square with continuity correction: `max(|b − c| − 1, 0)² / (b + c)`, one degree of freedom.
    ///
    /// # Policy
    /// Edwards' correction; an approximation for 25 or more discordant samples.
    ///
    /// # Errors
    /// [`Undefined::NoDiscordantPairs`].
    ///
    /// # Source
    /// Edwards 1948; statsmodels `mcnemar(exact=False, correction=True)`.
    ///
    /// # Deviations
    /// statsmodels squares −1 for `b = c`; here, as in R, equal counts give 0.
    ///
    /// # Example
    /// ```
    /// let test = kd_metrics::Mcnemar { only_first: 20, only_second: 5 };
    /// assert_eq!(test.chi_square()?.statistic, 14.0 * 14.0 / 25.0);
    /// # Ok::<(), kd_metrics::Undefined>(())
    /// ```
    pub fn chi_square(&self) -> Result<McnemarChiSquare, Undefined> {
        let discordant = self.only_first + self.only_second;
        if discordant == 0 {
            return Err(Undefined::NoDiscordantPairs);
        }
        let excess = self.only_first.abs_diff(self.only_second).saturating_sub(1) as f64;
        let statistic = excess * excess / discordant as f64;
        let distribution = ChiSquared::new(1.0).map_err(|_| Undefined::NoDiscordantPairs)?;
        Ok(McnemarChiSquare { statistic, p_value: distribution.sf(statistic) })
    }
}
