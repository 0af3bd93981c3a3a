//! The road of a dense task.

use std::sync::Arc;

use anyhow::Result;
use kd_data::store::SoftStore;
use kd_image::Split;

use super::stages::{self, Of};
use super::{DensePrepared, DenseTask, report};
use crate::output::Output;
use crate::recipe::Arm;
use crate::stage::Context;
use crate::stage::answers::SoftLabels;
use crate::stage::learned::{Learned, Lessons};
use crate::stage::report::Reported;
use crate::stage::road::Road;
use crate::stage::taught::Taught;

/// An experiment, and how its data set is prepared.
pub(crate) struct DenseRoad<'a, T: DenseTask<D, I>, P, const D: usize, const I: usize> {
    pub(crate) context: &'a Context<'a, Of<T, D, I>>,
    pub(crate) prepare: P,
}

impl<T, P, const D: usize, const I: usize> Road for DenseRoad<'_, T, P, D, I>
where
    T: DenseTask<D, I>,
    P: Fn() -> Result<DensePrepared<T::Cases>>,
{
    type Prepared = DensePrepared<T::Cases>;
    type Teacher = Taught<I, I>;

    fn out(&self) -> &Output {
        self.context.out
    }

    fn packed_arm(&self) -> Option<&Arm> {
        let experiment = self.context.experiment;
        experiment.arms.iter().find(|arm| arm.name == experiment.scoring.package.arm)
    }

    fn prepare(&self) -> Result<Self::Prepared> {
        (self.prepare)()
    }

    fn sizes(&self, prepared: &Self::Prepared) -> (String, String) {
        let counts = Split::ALL.map(|split| format!("{} {split}", prepared.store.positions(split).len()));
        (prepared.store.identity().to_owned(), counts.join(", "))
    }

    fn teach(&self, prepared: &Self::Prepared) -> Result<Taught<I, I>> {
        stages::teach(self.context, prepared)
    }

    fn hash<'a>(&self, teacher: &'a Taught<I, I>) -> &'a str {
        &teacher.hash
    }

    fn given(&self, prepared: &Self::Prepared, file: &str) -> Result<Arc<SoftStore>> {
        stages::given(self.context, prepared, file)
    }

    fn label(&self, prepared: &Self::Prepared, teacher: &Taught<I, I>) -> Result<SoftLabels> {
        stages::label(self.context, prepared, teacher)
    }

    fn answer_shape(&self) -> Vec<usize> {
        let [_, answer] = self.context.experiment.task.shapes();
        answer[1..].to_vec()
    }

    fn learn(
        &self,
        prepared: &Self::Prepared,
        teacher: &Taught<I, I>,
        soft: &SoftLabels,
        only: &dyn Fn(&Arm) -> bool,
    ) -> Result<Vec<Learned>> {
        let experiment = self.context.experiment;
        let (students, arms, select) = (&experiment.students, &experiment.arms, &experiment.student_plan.select);
        let lessons = Lessons { students, arms, select, out: self.context.out };
        lessons.each(
            only,
            |student| &student.name,
            |student, arm| stages::learn(self.context, prepared, teacher, soft, (student, arm)),
        )
    }

    fn report(&self) -> Result<Reported> {
        report::run(self.context, &self.prepare)
    }
}
