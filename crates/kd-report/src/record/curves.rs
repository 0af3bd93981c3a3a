//! Training curves, one column per quantity.
//!
//! Columns and not rows: a curve is read as a whole, and the file is a fifth of the size.

use crate::value::Value;
use serde::{Deserialize, Serialize};

/// What one seed did, epoch by epoch. All columns are equally long; the first entry is epoch 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curves {
    /// Seed.
    pub seed: u64,
    /// Learning rate at the end of each epoch.
    pub learning_rate: Vec<f64>,
    /// Loss terms.
    pub terms: Vec<TermCurve>,
    /// Metric that was followed on validation.
    pub validation_metric: String,
    /// Its value after each epoch.
    pub validation: Vec<Value>,
    /// Epoch that was chosen on validation, from 1.
    pub chosen_epoch: u32,
}

/// One loss term of one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermCurve {
    /// Name of the loss.
    pub name: String,
    /// Mean training loss of each epoch, before its weight.
    pub loss: Vec<Value>,
    /// Share of the gradient norm at the student's outputs and taps on the first batch of each epoch, 0..1. Empty
    /// where it was not measured.
    pub gradient_share: Vec<Value>,
    /// What the value was multiplied by in each epoch. Empty where the term has one weight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weight: Vec<Value>,
    /// The temperature learned by the end of each epoch. Empty where it is fixed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub temperature: Vec<Value>,
}
