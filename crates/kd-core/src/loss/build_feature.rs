//! From a name in the catalog to a loss on features at a pair of taps.

use super::build::{Given, refused};
use super::catalog::{LossEntry, On, Refusal, find};
use super::feature::{
    AffinityNorm, AttentionTransfer, CrossImage, FeatureLoss, FeatureTerm, FitNetHint, HierarchicalContext,
    InBatchContrast, IntraClassVariation, Meeting, PairAffinity, PearsonFeatures, RegionAffinity, RelationAngle,
    RelationDistance, SimilarityPreserving, TapLabels,
};
use super::{LossError, Parameters};

const NO_LABELS: Refusal = Refusal {
    reason: "it needs a class for each point, and the answers of this task have none",
    instead: "use it for segmentation, or another loss on features (`kd losses` lists them)",
};

const TWO_AXES: Refusal = Refusal {
    reason: "its generator is two convolutions over height and width",
    instead: "use `hint`, which has a projection alone",
};

/// Makes a loss between a tap of the student and one of the teacher, on features of rank `I`.
///
/// `classes` is the number of classes where each point has one, as in segmentation; none elsewhere. Which adaptor stands
/// between follows from the loss: a projection for `hint`, `pkd`, `hierarchical-context` and `in-batch-contrast`, a
/// generator for `mgd`, a regressor for `vid`, nothing for losses that compare relations.
///
/// # Errors
/// [`LossError`]: a name that is not in the catalog or is not a loss on features, a parameter that the loss does not have or
/// that is missing or out of range, labels where there are none.
///
/// # Example
/// ```
/// use kd_core::loss::{Parameters, build_feature};
/// let taps = ["layer2", "layer3"];
/// assert_eq!(build_feature::<4>("pkd", &Parameters::new(), taps, None)?.student_tap, "layer2");
///
/// let parameters = Parameters::new().with("least_share", 0.5);
/// let refused = build_feature::<4>("ifvd", &parameters, taps, None).err().unwrap();
/// assert!(refused.to_string().contains("needs a class for each point"), "{refused}");
/// # Ok::<(), kd_core::loss::LossError>(())
/// ```
pub fn build_feature<const I: usize>(
    name: &str,
    parameters: &Parameters,
    [student_tap, teacher_tap]: [&str; 2],
    classes: Option<usize>,
) -> Result<FeatureTerm<I>, LossError> {
    let entry = find(name)?;
    let given = Given { entry, parameters };
    if entry.on != On::Features {
        return Err(refused(entry, "a pair of taps".into(), NOT_FEATURES));
    }
    given.check_names()?;
    let labels = match (entry.labels, classes) {
        (false, _) => None,
        (true, None) => return Err(refused(entry, "answers without labels at points".into(), NO_LABELS)),
        (true, Some(classes)) => Some(TapLabels { classes, least_share: given.number("least_share")? }),
    };
    let meeting = given.meeting::<I>(entry, classes.unwrap_or_default())?;
    Ok(FeatureTerm {
        loss: entry.name,
        student_tap: student_tap.to_owned(),
        teacher_tap: teacher_tap.to_owned(),
        meeting,
        labels,
        needs_map: !entry.pooled,
    })
}

const NOT_FEATURES: Refusal =
    Refusal { reason: "it compares answers", instead: "use it without `student_tap` and `teacher_tap`" };

impl Given<'_> {
    fn meeting<const I: usize>(&self, entry: &'static LossEntry, classes: usize) -> Result<Meeting<I>, LossError> {
        fn direct<const I: usize>(loss: impl FeatureLoss<I> + 'static) -> Meeting<I> {
            Meeting::Direct(Box::new(loss))
        }
        fn projected<const I: usize>(loss: impl FeatureLoss<I> + 'static) -> Meeting<I> {
            Meeting::Projected(Box::new(loss))
        }
        Ok(match entry.name {
            "hint" => projected(FitNetHint),
            "mgd" if I != 4 => return Err(refused(entry, format!("features of rank {I}"), TWO_AXES)),
            "mgd" => Meeting::Generated { masked: self.number("masked")? },
            "attention-transfer" => direct(match self.choice("power")? {
                "4" => AttentionTransfer::fourth_powers(),
                _ => AttentionTransfer::squares(),
            }),
            "similarity-preserving" => direct(SimilarityPreserving),
            "relation-distance" => direct(RelationDistance),
            "relation-angle" => direct(RelationAngle),
            "pkd" => projected(PearsonFeatures),
            "hierarchical-context" => projected(HierarchicalContext),
            "vid" => Meeting::Variational,
            "in-batch-contrast" => projected(InBatchContrast::new(self.temperature("temperature")?)),
            "pair-affinity" => {
                let norm = match self.choice("norm")? {
                    "absolute" => AffinityNorm::Absolute,
                    _ => AffinityNorm::Squared,
                };
                direct(PairAffinity::new(norm, self.whole("per_axis")? as usize))
            }
            "ifvd" => direct(IntraClassVariation::new(classes)),
            "region-affinity" => direct(RegionAffinity::new(classes)),
            "cross-image" => {
                direct(CrossImage::new(self.temperature("temperature")?, self.whole("per_axis")? as usize))
            }
            other => unreachable!("catalog row `{other}` has a constructor: checked by a test over all rows"),
        })
    }
}
