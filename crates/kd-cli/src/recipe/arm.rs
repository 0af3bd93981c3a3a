//! One way of learning, the same for all tasks: named terms, and the objective made of them.

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use kd_core::loss::feature::Tap;
use kd_core::loss::{DistillLoss, LossEntry, LossError, Parameters, Sizes, build_feature, find};
use kd_core::train::{Guide, Plan, Views};
use kd_core::{Objective, Teacher, Term, TermKind};

use super::terms::{ArmTerm, TASK, term_of};
use super::{ArmTable, Folding, WithoutTeacher};

/// What a network shows: its taps and the shape of its answer, for a batch of one.
pub(crate) type Shown = (Vec<Tap>, Vec<usize>);

/// One way of learning, checked.
pub(crate) struct Arm {
    pub(crate) name: String,
    pub(crate) note: Option<String>,
    pub(crate) unlabelled: bool,
    /// Whom it learns from, where that is not the recipe's teacher.
    pub(crate) without_teacher: Option<WithoutTeacher>,
    /// The file of answers that it learns from in place of the recipe's teacher.
    pub(crate) answers: Option<String>,
    /// Learns from answers of teachers that never saw the sample.
    pub(crate) cross_fitted: bool,
    /// Other arms that this one is compared with.
    pub(crate) against: Vec<String>,
    pub(crate) terms: Vec<ArmTerm>,
}

impl Arm {
    /// Reads an arm; `sizes` translate published weights, `folding` says whether there are cross-fitted answers.
    pub(crate) fn new(table: &ArmTable, sizes: Sizes, folding: Option<Folding>) -> Result<Self> {
        let terms = table
            .term
            .iter()
            .map(|term| term_of(term, sizes).with_context(|| format!("arm `{}`, term `{}`", table.name, term.name())))
            .collect::<Result<Vec<_>>>()?;
        let arm = Self {
            name: table.name.clone(),
            note: table.note.clone(),
            unlabelled: table.unlabelled,
            without_teacher: table.teacher,
            answers: table.answers.clone(),
            cross_fitted: folding.is_some() && !table.in_sample && table.teacher.is_none() && table.answers.is_none(),
            against: table.against.clone(),
            terms,
        };
        arm.check_teacher()?;
        if table.in_sample && !(arm.asks_teacher() && folding.is_some()) {
            bail!(
                "arm `{}` is `in_sample`, which needs a distillation term and `teacher.folds`\nhint: without folds every arm learns from the teacher that saw the samples",
                arm.name
            );
        }
        Ok(arm)
    }

    fn check_teacher(&self) -> Result<()> {
        if let Some(file) = &self.answers {
            let problem = if self.without_teacher.is_some() {
                "`teacher` is set, too, expected one of them"
            } else if !self.distills() {
                "no term looks at them, expected a distillation term"
            } else if self.has_taps() {
                "a term looks at features, expected terms on answers alone"
            } else {
                return Ok(());
            };
            bail!("arm `{}` has `answers` = \"{file}\": {problem}", self.name);
        }
        let Some(without) = self.without_teacher else { return Ok(()) };
        if !self.distills() {
            bail!(
                "arm `{}` has `teacher` = \"{}\", and no term that looks at it, expected a distillation term",
                self.name,
                without.name()
            );
        }
        let idle = |term: &&ArmTerm| term.taps.is_none() && term.table.exit.is_none();
        if let (WithoutTeacher::Itself, Some(term)) = (without, self.distillation_terms().find(idle)) {
            bail!(
                "arm `{}`, term `{}`: `teacher` = \"itself\" compares the student's answer with itself\nhint: give the term an `exit`, or the taps of a loss on features",
                self.name,
                term.table.name()
            );
        }
        Ok(())
    }

    /// Checks what the arm takes from the plan of the students, and from a teacher of so many members.
    pub(crate) fn check_plan(&self, plan: &Plan, members: usize) -> Result<()> {
        if let (Some(file), Views::Fresh) = (&self.answers, plan.views) {
            bail!(
                "arm `{}` has `answers` = \"{file}\", which are for numbered views, found `augment.views` = \"fresh\"\nhint: set a number of views",
                self.name
            );
        }
        if members > 1 && self.asks_teacher() && self.has_taps() {
            bail!(
                "arm `{}` looks at features, and the teacher has {members} members, expected one\nhint: features of several networks have no mean; leave `teacher.members` out, or the taps",
                self.name
            );
        }
        if self.without_teacher == Some(WithoutTeacher::Average) && plan.ema.is_none() {
            bail!(
                "arm `{}` has `teacher` = \"average\", and `student.train.ema` is missing, expected the decay of the average",
                self.name
            );
        }
        Ok(())
    }

    /// Checks the stages of the arm's terms against the plan of the students.
    pub(crate) fn check_epochs<const I: usize, const O: usize>(
        &self,
        objective: &Objective<I, O>,
        plan: &Plan,
    ) -> Result<()> {
        objective.check_epochs(plan.epochs).with_context(|| format!("arm `{}`", self.name))
    }

    /// Whom the trainer has the student look at; `asked` is the recipe's teacher.
    pub(crate) fn guide<'a, const I: usize, const O: usize>(&self, asked: &'a dyn Teacher<I, O>) -> Guide<'a, I, O> {
        match self.without_teacher {
            Some(WithoutTeacher::Itself) => Guide::Itself,
            Some(WithoutTeacher::Average) => Guide::Average,
            Some(WithoutTeacher::Peer) => Guide::Peer,
            None => self.distills().then_some(asked).into(),
        }
    }

    /// Whether any term stands between the student and whoever it learns from.
    pub(crate) fn distills(&self) -> bool {
        self.distillation_terms().next().is_some()
    }

    /// Whether the recipe's teacher is asked.
    pub(crate) fn asks_teacher(&self) -> bool {
        self.is_taught() && self.answers.is_none()
    }

    /// Whether somebody outside of the run teaches: the recipe's teacher, or who gave answers.
    pub(crate) fn is_taught(&self) -> bool {
        self.distills() && self.without_teacher.is_none()
    }

    /// Training steps that one step of the arm is worth: a peer takes its own.
    pub(crate) fn learners(&self) -> usize {
        if self.without_teacher == Some(WithoutTeacher::Peer) { 2 } else { 1 }
    }

    /// Whether any term looks at what somebody else says: without one the arm is a control.
    pub(crate) fn learns_from_teacher(&self) -> bool {
        self.distillation_terms().any(|term| find(&term.table.loss).is_ok_and(LossEntry::looks_at_teacher))
    }

    fn distillation_terms(&self) -> impl Iterator<Item = &ArmTerm> {
        self.terms.iter().filter(|term| term.table.loss != TASK && !term.against_truth)
    }

    /// Whether any term has an early exit.
    pub(crate) fn has_exits(&self) -> bool {
        self.terms.iter().any(|term| term.table.exit.is_some())
    }

    /// Whether any term looks at features: those a live teacher gives, and no stored answer.
    pub(crate) fn has_taps(&self) -> bool {
        self.terms.iter().any(|term| term.taps.is_some())
    }

    /// Refuses terms that are measured from the truth, for tasks whose truth is no answer.
    pub(crate) fn without_truth(self) -> Result<Self> {
        match self.terms.iter().find(|term| term.against_truth) {
            None => Ok(self),
            Some(term) => bail!(
                "arm `{}`, term `{}`: `against` = \"truth\" is for restoration, where the truth is an image\nhint: use \
                 the term `task`",
                self.name,
                term.table.name()
            ),
        }
    }

    /// Checks the taps and exits that terms name against what the networks show.
    pub(crate) fn check_taps<'a, const I: usize, const O: usize>(
        &self,
        objective: &Objective<I, O>,
        teacher: impl Fn() -> Shown,
        device: &Device,
        students: impl Iterator<Item = (&'a str, impl Fn() -> Shown)>,
    ) -> Result<()> {
        if !(self.has_taps() || self.has_exits()) {
            return Ok(());
        }
        let of_teacher = self.asks_teacher().then(teacher);
        for (name, student) in students {
            let (taps, answer) = student();
            let of_teacher = of_teacher.as_ref().map_or(&taps, |(taps, _)| taps);
            let made = objective.adaptors(&taps, of_teacher, &answer, device);
            made.with_context(|| format!("arm `{}`, student `{name}`", self.name))?;
        }
        Ok(())
    }

    /// Builds the objective anew (losses are not copied), each distillation loss on answers through `build`; `classes` is
    /// their number where each point of an answer has one.
    pub(crate) fn objective<const I: usize, const O: usize>(
        &self,
        classes: Option<usize>,
        build: impl Fn(&str, &Parameters) -> Result<Box<dyn DistillLoss<O>>, LossError>,
    ) -> Result<Objective<I, O>> {
        let terms = self.terms.iter().map(|term| {
            let kind = if term.table.loss == TASK {
                TermKind::Task { smoothing: term.smoothing }
            } else if term.against_truth {
                TermKind::Truth(build(&term.table.loss, &term.parameters)?)
            } else if let Some([student, teacher]) = &term.taps {
                TermKind::Feature(build_feature::<I>(&term.table.loss, &term.parameters, [student, teacher], classes)?)
            } else {
                TermKind::Distill(build(&term.table.loss, &term.parameters)?)
            };
            let (name, exit) = (term.table.name().to_owned(), term.table.exit.clone());
            Ok(Term { name, weight: term.weight, ramp: term.ramp, kind, exit })
        });
        let terms = terms.collect::<Result<Vec<_>>>().with_context(|| format!("arm `{}`", self.name))?;
        Objective::new(terms).with_context(|| format!("arm `{}`", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { samples: 32, classes: 3, pixels: 1 };

    fn arm(text: &str) -> Result<Arm> {
        Arm::new(&toml::from_str(&format!("name = 'a'\n{text}"))?, SIZES, None)
    }

    #[test]
    fn an_arm_without_the_teacher_is_no_control_and_asks_nobody() {
        let task = "{ loss = 'task', weight = 1.0 }";
        let kd = "{ loss = 'hinton', weight = 1.0, temperature = 1.0";
        let peer = arm(&format!("teacher = 'peer'\nterm = [{task}, {kd} }}]")).unwrap();
        assert!(peer.distills() && peer.learns_from_teacher() && !peer.asks_teacher());
        assert_eq!(peer.learners(), 2);
        let itself = arm(&format!("teacher = 'itself'\nterm = [{task}, {kd}, exit = 'layer1' }}]")).unwrap();
        assert!(itself.has_exits() && itself.learners() == 1);
        let refused = |text: &str| format!("{:#}", arm(text).err().expect("refused"));
        assert!(refused(&format!("teacher = 'itself'\nterm = [{task}, {kd} }}]")).contains("with itself"));
        assert!(refused(&format!("teacher = 'peer'\nterm = [{task}]")).contains("no term that looks at it"));
        assert!(
            refused(&format!("teacher = 'nobody'\nterm = [{task}]"))
                .contains("expected one of `itself`, `average`, `peer`")
        );
        let taps = "student_tap = 'layer1', teacher_tap = 'layer2', exit = 'layer1'";
        assert!(refused(&format!("term = [{{ loss = 'hint', weight = 1.0, {taps} }}]")).contains("beside taps"));
    }

    #[test]
    fn an_arm_whose_teacher_is_made_up_learns_from_none() {
        let arm = |term: &str| arm(&format!("term = [{{ loss = 'task', weight = 1.0 }}{term}]")).unwrap();
        let told = |arm: Arm| (arm.distills(), arm.learns_from_teacher());
        assert_eq!(told(arm("")), (false, false));
        let made_up = ", { loss = 'virtual-teacher', weight = 1.0, temperature = 4.0, probability = 0.9 }";
        assert_eq!(told(arm(made_up)), (true, false));
        assert_eq!(told(arm(", { loss = 'hinton', weight = 1.0, temperature = 4.0 }")), (true, true));
    }
}
