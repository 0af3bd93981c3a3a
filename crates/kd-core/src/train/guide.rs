//! Who a student learns from, besides the labels.

use std::fmt;

use crate::Teacher;

/// Whose answers and features the distillation terms of a run look at.
///
/// # Policy
/// - Whoever guides is a constant to the student: no gradient of a term reaches it.
/// - [`Itself`](Self::Itself), [`Average`](Self::Average) and [`Peer`](Self::Peer) have no teacher: their answers come from
///   the run itself, change with every step, and are never stored.
/// - A peer has the student's layout, the start that [`peer_seed`](crate::peer_seed) draws, the same batches, objective and
///   plan, and an optimiser and adaptors of its own; both answer a batch in training mode, and then both take their step.
///   Factors of terms with a share are those found at the student. The student is what comes out; the peer stays behind.
/// - The average is the one that [`Plan::ema`](super::Plan::ema) keeps and validation judges, in evaluation mode; before the
///   first step it is the student.
///
/// # Source
/// Peers: Zhang et al. 2018, "Deep Mutual Learning", arXiv 1706.00384, equations 4 to 6. The average: Tarvainen and Valpola
/// 2017, "Mean teachers are better role models", arXiv 1703.01780, section 2. Itself, by exits and taps: Zhang et al. 2019, "Be Your
/// Own Teacher", arXiv 1905.08094, section 3.
///
/// # Deviations
/// Zhang et al. 2018 let one network step before the other answers; here both answer first, so that neither is the elder. Tarvainen
/// and Valpola show the two networks different noise; here both see one view.
#[derive(Clone, Copy)]
pub enum Guide<'a, const I: usize, const O: usize> {
    /// Labels alone.
    Nobody,
    /// A teacher.
    Teacher(&'a dyn Teacher<I, O>),
    /// The student's own answer and features, for terms with an early exit or between two of its taps.
    Itself,
    /// The running average of the student's weights.
    Average,
    /// A second student that learns at the same time, from this one.
    Peer,
}

impl<const I: usize, const O: usize> Guide<'_, I, O> {
    /// What decides its answers, for the identity of a run.
    pub(super) fn identity(&self) -> String {
        match self {
            Self::Nobody => String::new(),
            Self::Teacher(teacher) => teacher.hash().to_owned(),
            Self::Itself => "itself".to_owned(),
            Self::Average => "average".to_owned(),
            Self::Peer => "peer".to_owned(),
        }
    }

    /// Whether its features are those of a network of the student's layout.
    pub(super) fn has_the_students_taps(&self) -> bool {
        matches!(self, Self::Itself | Self::Average | Self::Peer)
    }
}

impl<const I: usize, const O: usize> fmt::Debug for Guide<'_, I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Teacher(_)) { "teacher " } else { "" })?;
        f.write_str(&self.identity())
    }
}

impl<'a, const I: usize, const O: usize> From<Option<&'a dyn Teacher<I, O>>> for Guide<'a, I, O> {
    fn from(teacher: Option<&'a dyn Teacher<I, O>>) -> Self {
        teacher.map_or(Self::Nobody, Self::Teacher)
    }
}
