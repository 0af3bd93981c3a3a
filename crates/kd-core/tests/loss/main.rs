//! The losses from outside: oracles, derivatives, invariants, the catalog, task losses. One binary, linked once.

mod catalog;
mod feature_subjects;
mod golden;
mod golden_adaptors;
mod golden_features;
mod gradients;
mod identities;
mod images;
mod invariants;
mod oracle;
mod properties;
mod subjects;
mod task;
mod tensors;
