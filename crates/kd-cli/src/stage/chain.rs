//! Chain: a finished student as the teacher of the next recipe, as in teacher assistants and born-again students.
//!
//! Mirzadeh et al. 2020, "Improved Knowledge Distillation via Teacher Assistant", arXiv 1902.03393; Furlanello et al. 2018,
//! "Born-Again Neural Networks", arXiv 1805.04770.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use kd_core::State;
use serde::Serialize;

use crate::package::link;

/// The weights of the package that a recipe names as its teacher. `network` is the teacher's in the recipe, `prepared` the
/// hash of its data, split and preparation: a student that saw other images could have learned from test subjects.
pub(crate) fn weights(package: &str, network: &impl Serialize, prepared: &str) -> Result<State> {
    let named = || format!("`teacher.package` = \"{package}\"");
    let link = link(Path::new(package)).with_context(named)?;
    let expected = serde_json::to_value(network)?;
    if link.network != expected {
        bail!(
            "{}: its network is {}, expected `teacher.network`, {expected}\nhint: write the network of the package into the recipe; `kd inspect` shows it",
            named(),
            link.network
        );
    }
    let found = &link.provenance.preparation_hash;
    if found != prepared {
        bail!(
            "{}: it learned from the prepared data {}, expected {}, those of this recipe\nhint: a chain keeps `data` as it is, so that no teacher has seen a test subject",
            named(),
            &found[..found.len().min(12)],
            &prepared[..12]
        );
    }
    Ok(link.weights)
}
