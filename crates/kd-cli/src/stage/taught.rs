//! A teacher that is ready, of any task: who answers, and what each arm learns from.

use anyhow::Result;
use kd_core::train::Plan;
use kd_core::{Teacher, Temperature};

use super::Context;
use super::answers::{Lesson, SoftLabels};
use super::folds::{CrossFitted, LeftOut};
use super::members::{Members, plans};
use super::training::is_finished;
use crate::recipe::{Arm, Folding};

/// The trained teacher.
pub(crate) struct Taught<const I: usize, const O: usize> {
    /// Those that learned from all training samples, and are scored.
    pub(crate) members: Members,
    pub(crate) live: Box<dyn Teacher<I, O>>,
    pub(crate) hash: String,
    /// Divides its answers before students see them, where the recipe asks for it.
    pub(crate) calibration: Option<Temperature>,
    /// The teachers by fold, where the recipe has folds, and what their answers are divided by.
    pub(crate) cross_fitted: Option<(CrossFitted<I, O>, Option<Temperature>)>,
}

impl<const I: usize, const O: usize> Taught<I, O> {
    /// Who answers: the teacher of all samples, and those by folds where there are any.
    pub(crate) fn teachers(&self) -> (&dyn Teacher<I, O>, Option<&CrossFitted<I, O>>) {
        (self.live.as_ref(), self.cross_fitted.as_ref().map(|(crossed, _)| crossed))
    }

    /// What an arm learns from.
    pub(crate) fn lesson<'a>(&'a self, arm: &Arm, soft: &'a SoftLabels) -> Result<Lesson<'a, I, O>> {
        let store = soft.of(arm);
        Ok(match (&arm.answers, &self.cross_fitted) {
            (Some(file), _) => Lesson::given(file, store)?,
            (None, Some((crossed, calibration))) if arm.cross_fitted => {
                Lesson::of(&crossed.teacher, *calibration, store)
            }
            _ => Lesson::of(self.live.as_ref(), self.calibration, store),
        })
    }
}

/// Folder names of the runs that a teacher is made of.
pub(crate) struct TeacherRuns {
    pub(crate) members: Vec<String>,
    pub(crate) folds: Vec<String>,
}

impl TeacherRuns {
    /// Names them; `id` names the run of a member with its plan, and of a fold.
    pub(crate) fn of(
        plan: &Plan,
        members: usize,
        folding: Option<Folding>,
        id: impl Fn(usize, &Plan, Option<LeftOut>) -> Result<String>,
    ) -> Result<Self> {
        let members = plans(plan, members).enumerate().map(|(member, plan)| id(member, &plan, None));
        let folds = folding.into_iter().flat_map(LeftOut::each).map(|left_out| id(0, plan, Some(left_out)));
        Ok(Self { members: members.collect::<Result<_>>()?, folds: folds.collect::<Result<_>>()? })
    }

    /// Whether all of them are there.
    pub(crate) fn are_finished<E>(&self, context: &Context<'_, E>) -> bool {
        self.members.iter().chain(&self.folds).all(|id| is_finished(context, id))
    }
}
