//! What leaves the loop while it runs: measures, records of epochs, and the sink that receives them.

use serde::{Deserialize, Serialize};

/// One number about answers on the validation split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Its name; a recipe chooses epochs by it.
    pub name: String,
    /// The number, or nothing where it is undefined (one class only, say).
    pub value: Option<f64>,
    /// Whether more is better.
    pub higher_is_better: bool,
}

/// One term over one epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TermRecord {
    /// The term.
    pub name: String,
    /// Its mean over the epoch's samples, before its weight.
    pub value: f64,
    /// Norm of its weighted gradient at the student's answers over the sum across terms, on the first batch of the
    /// epoch that had any gradient.
    pub gradient_share: f64,
    /// What its value was multiplied by, for a term that has a share of the gradient instead of a weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// The temperature that it has learned by the end of the epoch, where it learns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
}

/// One epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 0.
    pub epoch: usize,
    /// Rate of its last step.
    pub learning_rate: f64,
    /// Terms in the order of the objective.
    pub terms: Vec<TermRecord>,
    /// Measures on the validation split.
    pub validation: Vec<Measure>,
    /// Whether it is the best so far.
    pub chosen: bool,
}

/// What happens in a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// It starts, or goes on from a checkpoint.
    Started {
        /// Passes planned.
        epochs: usize,
        /// Batches in each.
        batches: usize,
        /// Epoch and batch it starts at.
        at: (usize, usize),
    },
    /// A batch was learned.
    Batch {
        /// Epoch, from 0.
        epoch: usize,
        /// Batches done in this epoch.
        done: usize,
        /// Batches in an epoch.
        of: usize,
        /// Weighted sum of the terms on it.
        loss: f64,
    },
    /// An epoch was learned and judged.
    Epoch(&'a EpochRecord),
}

/// Receives what leaves the loop. A sink shows and stores; it cannot change a run except by ending it.
pub trait Sink {
    /// Something happened.
    fn event(&mut self, event: Event<'_>);

    /// Whether a checkpoint should be written now. Asked after every step; epoch ends are always written.
    fn checkpoint_due(&mut self) -> bool;

    /// Stores a checkpoint.
    ///
    /// # Errors
    /// A text that says what failed; the run ends with it.
    fn checkpoint(&mut self, bytes: &[u8]) -> Result<(), String>;

    /// Whether somebody asked to stop; the loop then writes a checkpoint and returns.
    fn stop_requested(&self) -> bool;
}
