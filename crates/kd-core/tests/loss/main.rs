//! The losses from outside: oracles, derivatives, invariants, the catalog, task losses. One binary, linked once.

mod catalog;
mod gradients;
mod invariants;
mod oracle;
mod task;
mod tensors;
