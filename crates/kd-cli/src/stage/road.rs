//! The road of an experiment of any task: stage after stage, walked whole or up to a point.

use std::sync::Arc;

use anyhow::Result;
use kd_data::store::SoftStore;

use super::answers::SoftLabels;
use super::given::{self, AnswerFiles};
use super::learned::Learned;
use super::report::Reported;
use crate::args::Stage;
use crate::output::Output;
use crate::recipe::Arm;

/// What a task does in each stage.
pub(crate) trait Road {
    /// A prepared data set.
    type Prepared;
    /// A trained teacher.
    type Teacher;

    /// Where talk goes.
    fn out(&self) -> &Output;

    /// The arm that the recipe packs.
    fn packed_arm(&self) -> Option<&Arm>;

    /// Prepares, or opens, the data set.
    fn prepare(&self) -> Result<Self::Prepared>;

    /// Hash of a prepared data set, and how many samples each split has, in words.
    fn sizes(&self, prepared: &Self::Prepared) -> (String, String);

    /// Trains, or opens, the teacher.
    fn teach(&self, prepared: &Self::Prepared) -> Result<Self::Teacher>;

    /// Hash of the teacher.
    fn hash<'a>(&self, teacher: &'a Self::Teacher) -> &'a str;

    /// Checks and stores somebody else's answers.
    fn given(&self, prepared: &Self::Prepared, file: &str) -> Result<Arc<SoftStore>>;

    /// Stores, or opens, the answers that arms learn from.
    fn label(&self, prepared: &Self::Prepared, teacher: &Self::Teacher) -> Result<SoftLabels>;

    /// Shape of one answer.
    fn answer_shape(&self) -> Vec<usize>;

    /// Trains, or opens, the students of the arms that `only` takes.
    fn learn(
        &self,
        prepared: &Self::Prepared,
        teacher: &Self::Teacher,
        soft: &SoftLabels,
        only: &dyn Fn(&Arm) -> bool,
    ) -> Result<Vec<Learned>>;

    /// All stages.
    fn report(&self) -> Result<Reported>;
}

/// Walks up to `stage`.
pub(crate) fn walk(road: &impl Road, stage: Stage, files: AnswerFiles<'_>) -> Result<()> {
    let out = road.out();
    if matches!(stage, Stage::Score | Stage::Report | Stage::Run) {
        let reported = road.report()?;
        if out.is_json() {
            let record: serde_json::Value = serde_json::from_str(&reported.record)?;
            out.json(&record)?;
        } else {
            out.data(&reported.summary);
            out.data(format!("report: {}", reported.folder.join("report.html").display()));
        }
        return Ok(());
    }
    let prepared = road.prepare()?;
    let (identity, counts) = road.sizes(&prepared);
    out.note(format!("prepared {} ({counts})", &identity[..12]));
    if stage == Stage::Prepare {
        return Ok(());
    }
    if let Some(file) = files.from {
        given::tell(out, file, road.given(&prepared, file)?.as_ref());
        return Ok(());
    }
    let teacher = road.teach(&prepared)?;
    out.note(format!("teacher {} is ready", &road.hash(&teacher)[..12]));
    if stage == Stage::Teach {
        return Ok(());
    }
    let soft = road.label(&prepared, &teacher)?;
    if let Some(to) = files.to {
        given::write(out, road.packed_arm().and_then(|arm| soft.of(arm)), &road.answer_shape(), to)?;
    }
    if stage == Stage::Label {
        return Ok(());
    }
    road.learn(&prepared, &teacher, &soft, &|_| true)?;
    Ok(())
}

/// Learns some arms, and gives what they are worth on the validation split.
pub(crate) fn learn_arms(road: &impl Road, only: &dyn Fn(&Arm) -> bool) -> Result<Vec<Learned>> {
    let prepared = road.prepare()?;
    let teacher = road.teach(&prepared)?;
    let soft = road.label(&prepared, &teacher)?;
    road.learn(&prepared, &teacher, &soft, only)
}
