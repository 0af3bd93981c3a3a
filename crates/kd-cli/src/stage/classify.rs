//! The road of classification.

use std::sync::Arc;

use anyhow::Result;
use kd_data::store::SoftStore;
use kd_image::{SampleSource as _, Split};

use super::answers::SoftLabels;
use super::learned::{Learned, Lessons};
use super::prepare::Prepared;
use super::report::Reported;
use super::road::Road;
use super::taught::Taught;
use super::{Context, label, learn, prepare, report};
use crate::output::Output;
use crate::recipe::Arm;

impl Road for Context<'_> {
    type Prepared = Prepared;
    type Teacher = Taught<4, 2>;

    fn out(&self) -> &Output {
        self.out
    }

    fn packed_arm(&self) -> Option<&Arm> {
        let package = &self.experiment.recipe.score.package;
        self.experiment.arms.iter().find(|arm| arm.name == package.arm)
    }

    fn prepare(&self) -> Result<Prepared> {
        prepare::run(self)
    }

    fn sizes(&self, prepared: &Prepared) -> (String, String) {
        let counts = Split::ALL.map(|split| format!("{} {split}", prepared.split(split).len()));
        (prepared.store.identity().to_owned(), counts.join(", "))
    }

    fn teach(&self, prepared: &Prepared) -> Result<Taught<4, 2>> {
        label::teach(self, prepared)
    }

    fn hash<'a>(&self, teacher: &'a Taught<4, 2>) -> &'a str {
        &teacher.hash
    }

    fn given(&self, prepared: &Prepared, file: &str) -> Result<Arc<SoftStore>> {
        label::given(self, prepared, file)
    }

    fn label(&self, prepared: &Prepared, teacher: &Taught<4, 2>) -> Result<SoftLabels> {
        label::label(self, prepared, teacher)
    }

    fn answer_shape(&self) -> Vec<usize> {
        vec![self.experiment.head.n_outputs()]
    }

    fn learn(
        &self,
        prepared: &Prepared,
        teacher: &Taught<4, 2>,
        soft: &SoftLabels,
        only: &dyn Fn(&Arm) -> bool,
    ) -> Result<Vec<Learned>> {
        let experiment = self.experiment;
        let select = &experiment.student_plan.select;
        let lessons = Lessons { students: &experiment.students, arms: &experiment.arms, select, out: self.out };
        lessons.each(
            only,
            |student| &student.name,
            |student, arm| Ok(learn::run(self, prepared, teacher, soft, student, arm)?.runs),
        )
    }

    fn report(&self) -> Result<Reported> {
        report::run(self)
    }
}
