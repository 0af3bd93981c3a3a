//! Looking at what a network computes on the way to its answer.

use std::fmt::Display;

use burn::tensor::Tensor;

use crate::loss::feature::Tap;

/// What somebody wants to see of a forward pass, and what was seen.
///
/// A network calls [`see`](Self::see) at each of its taps; nothing is kept, or named, that nobody asked for.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::Watch;
///
/// let features = Tensor::<4>::ones([2, 8, 4, 4], &Device::flex());
/// let mut watch = Watch::of(&["layer2".into()]);
/// watch.see("layer1", &features);
/// watch.see("layer2", &features);
/// assert_eq!(watch.taps()[0].to_string(), "`layer2` [2, 8, 4, 4]");
/// assert!(watch.features("layer1").is_none() && watch.features("layer2").is_some());
/// ```
#[derive(Debug, Clone)]
pub struct Watch<const D: usize> {
    wanted: Wanted,
    seen: Vec<(String, Tensor<D>)>,
}

#[derive(Debug, Clone)]
enum Wanted {
    Named(Vec<String>),
    Everything,
}

impl<const D: usize> Watch<D> {
    /// For a pass of which only the answer counts.
    #[must_use]
    pub fn nothing() -> Self {
        Self::of(&[])
    }

    /// For a pass that shows which taps a network has.
    #[must_use]
    pub fn everything() -> Self {
        Self { wanted: Wanted::Everything, seen: Vec::new() }
    }

    /// For the features at some taps.
    #[must_use]
    pub fn of(names: &[String]) -> Self {
        Self { wanted: Wanted::Named(names.to_vec()), seen: Vec::new() }
    }

    /// Shows features at a tap, `[batch, channel, …spatial]`.
    pub fn see(&mut self, name: impl Display, features: &Tensor<D>) {
        if let Wanted::Named(names) = &self.wanted {
            if names.is_empty() {
                return;
            }
            let name = name.to_string();
            if names.contains(&name) {
                self.seen.push((name, features.clone()));
            }
        } else {
            self.seen.push((name.to_string(), features.clone()));
        }
    }

    /// What was seen at a tap; none where the network has no such tap, or nobody asked.
    #[must_use]
    pub fn features(&self, name: &str) -> Option<&Tensor<D>> {
        self.seen.iter().find(|(seen, _)| seen == name).map(|(_, features)| features)
    }

    /// The taps that were seen, in the order of the pass.
    #[must_use]
    pub fn taps(&self) -> Vec<Tap> {
        self.seen.iter().map(|(name, features)| Tap::new(name, &features.dims())).collect()
    }

    /// Everything that was seen, changed: put on another device, or its samples chosen.
    #[must_use]
    pub fn map(self, change: impl Fn(Tensor<D>) -> Tensor<D>) -> Self {
        let seen = self.seen.into_iter().map(|(name, features)| (name, change(features))).collect();
        Self { wanted: self.wanted, seen }
    }

    /// What several passes saw of parts of a batch, put one after the other; taps that not all of them saw are left out.
    #[must_use]
    pub fn join(parts: Vec<Self>) -> Self {
        let Some(first) = parts.first() else { return Self::nothing() };
        let wanted = first.wanted.clone();
        let joined = first.seen.iter().filter_map(|(name, _)| {
            let features: Option<Vec<_>> = parts.iter().map(|part| part.features(name).cloned()).collect();
            features.map(|features| (name.clone(), Tensor::cat(features, 0)))
        });
        Self { seen: joined.collect(), wanted }
    }
}
