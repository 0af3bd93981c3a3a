//! Uncertainty of metrics: intervals, paired tests, and the two-level bootstrap of a distillation study.

pub(crate) mod band;
pub(crate) mod bland_altman;
pub(crate) mod bootstrap;
pub(crate) mod case_mean;
pub(crate) mod case_study;
pub(crate) mod delong;
pub(crate) mod grouping;
pub(crate) mod holm;
pub(crate) mod interval;
pub(crate) mod mcnemar;
pub(crate) mod quantile;
pub(crate) mod two_level;
pub(crate) mod wilcoxon;
pub(crate) mod wilson;
