//! Teachers by fold, each of which answers only for samples that it never saw.
//!
//! A teacher that has memorised its few hundred images answers for them with almost one-hot labels, which say no more
//! than the labels do. What a teacher thinks of images that it did not learn from is what it can teach.

use std::collections::BTreeMap;

use burn::tensor::{Device, Int, Tensor, TensorData};
use kd_image::SampleId;

use crate::state::hash_texts;
use crate::{Teacher, TeacherError, Watch};

/// Teachers that stand in for one another.
///
/// # Policy
/// Member `k` answers for the samples of fold `k`, which are those that it was not trained on; whoever trains the members
/// keeps that promise. A sample of no fold is refused: nobody is known not to have seen it. The hash is one of all members
/// and of who answers for whom.
///
/// # Source
/// Out-of-fold predictions: Wolpert 1992, "Stacked generalization", Neural Networks 5(2). For distillation: Dao et al. 2021,
/// "Knowledge Distillation as Semiparametric Inference", arXiv 2104.09732 (cross-fitting).
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::{CrossFittedTeacher, Teacher, TeacherError};
/// use kd_image::SampleId;
///
/// struct Says(f32);
/// impl Teacher<4, 2> for Says {
///     fn hash(&self) -> &str { "says" }
///     fn answers_fresh_views(&self) -> bool { true }
///     fn answer(&self, input: &Tensor<4>, _: &[SampleId], _: u32) -> Result<Tensor<2>, TeacherError> {
///         Ok(Tensor::full([input.dims()[0], 1], self.0, &Device::flex()))
///     }
///     fn hash_now(&self) -> String { "says".into() }
/// }
///
/// let ids = ["a", "b", "c"].map(|id| SampleId::new(id).unwrap());
/// let folds = ids.iter().cloned().zip([1, 0, 1]).collect();
/// let teacher = CrossFittedTeacher::new(vec![Box::new(Says(0.5)), Box::new(Says(1.5))], folds)?;
/// let answer = teacher.answer(&Tensor::zeros([3, 1, 2, 2], &Device::flex()), &ids, 0)?;
/// assert_eq!(answer.into_data().try_into_vec::<f32>().unwrap(), [1.5, 0.5, 1.5]);
/// # Ok::<(), TeacherError>(())
/// ```
pub struct CrossFittedTeacher<const I: usize, const O: usize> {
    members: Vec<Box<dyn Teacher<I, O>>>,
    fold_of: BTreeMap<SampleId, usize>,
    hash: String,
}

impl<const I: usize, const O: usize> CrossFittedTeacher<I, O> {
    /// Joins the members of all folds; `fold_of` names the fold of every training sample.
    ///
    /// # Errors
    /// [`TeacherError::Folds`] for fewer than two members, or a fold without a member.
    pub fn new(members: Vec<Box<dyn Teacher<I, O>>>, fold_of: BTreeMap<SampleId, usize>) -> Result<Self, TeacherError> {
        let largest = fold_of.values().copied().max().unwrap_or(0);
        if members.len() < 2 || largest >= members.len() {
            return Err(TeacherError::Folds { members: members.len(), folds: largest + 1 });
        }
        let hash = hash_of(members.iter().map(|member| member.hash().to_owned()), &fold_of);
        Ok(Self { members, fold_of, hash })
    }

    fn parts(&self, ids: &[SampleId], device: &Device) -> Result<Parts, TeacherError> {
        let mut of_fold: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (position, sample) in ids.iter().enumerate() {
            let fold = self.fold_of.get(sample).copied();
            let fold = fold.ok_or_else(|| TeacherError::NoFold { sample: sample.to_string() })?;
            of_fold.entry(fold).or_default().push(position);
        }
        let mut place = vec![0; ids.len()];
        for (joined, &position) in of_fold.values().flatten().enumerate() {
            place[position] = joined;
        }
        let part = |(fold, positions): (usize, Vec<usize>)| Part {
            fold,
            rows: indices(&positions, device),
            ids: positions.into_iter().map(|position| ids[position].clone()).collect(),
        };
        Ok(Parts { parts: of_fold.into_iter().map(part).collect(), place })
    }
}

impl<const I: usize, const O: usize> Teacher<I, O> for CrossFittedTeacher<I, O> {
    fn hash(&self) -> &str {
        &self.hash
    }

    fn answers_fresh_views(&self) -> bool {
        self.members.iter().all(|member| member.answers_fresh_views())
    }

    fn answer(&self, input: &Tensor<I>, ids: &[SampleId], view: u32) -> Result<Tensor<O>, TeacherError> {
        let parts = self.parts(ids, &input.device())?;
        let answer = |part: &Part| self.members[part.fold].answer(&part.of(input), &part.ids, view);
        let answers = parts.parts.iter().map(answer).collect::<Result<Vec<_>, _>>()?;
        Ok(parts.in_order(Tensor::cat(answers, 0)))
    }

    fn answer_watched(
        &self,
        input: &Tensor<I>,
        ids: &[SampleId],
        view: u32,
        watch: &mut Watch<I>,
    ) -> Result<Tensor<O>, TeacherError> {
        let parts = self.parts(ids, &input.device())?;
        let (mut answers, mut seen) = (Vec::new(), Vec::new());
        for part in &parts.parts {
            let mut of_part = watch.clone();
            answers.push(self.members[part.fold].answer_watched(&part.of(input), &part.ids, view, &mut of_part)?);
            seen.push(of_part);
        }
        *watch = Watch::join(seen).map(|features| parts.in_order(features));
        Ok(parts.in_order(Tensor::cat(answers, 0)))
    }

    fn hash_now(&self) -> String {
        hash_of(self.members.iter().map(|member| member.hash_now()), &self.fold_of)
    }
}

/// Of all members, and of who answers for whom.
fn hash_of(members: impl Iterator<Item = String>, fold_of: &BTreeMap<SampleId, usize>) -> String {
    let plan = fold_of.iter().map(|(sample, fold)| format!("{fold} {sample}"));
    hash_texts(members.map(|member| format!("fold {member}")).chain(plan))
}

/// A batch by who answers for what.
struct Parts {
    parts: Vec<Part>,
    /// Where each sample of the batch stands once the parts are put one after the other.
    place: Vec<usize>,
}

/// The samples of a batch that one member answers for.
struct Part {
    fold: usize,
    ids: Vec<SampleId>,
    rows: Tensor<1, Int>,
}

impl Part {
    fn of<const D: usize>(&self, batch: &Tensor<D>) -> Tensor<D> {
        batch.clone().select(0, self.rows.clone())
    }
}

impl Parts {
    /// Puts rows that stand part after part into the order of the batch.
    fn in_order<const D: usize>(&self, joined: Tensor<D>) -> Tensor<D> {
        let device = joined.device();
        joined.select(0, indices(&self.place, &device))
    }
}

fn indices(positions: &[usize], device: &Device) -> Tensor<1, Int> {
    let positions: Vec<i64> = positions.iter().map(|&position| position as i64).collect();
    let shape = [positions.len()];
    Tensor::from_data(TensorData::new(positions, shape), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers with the mean of its input plus a number of its own, and demands that it is asked for its samples alone.
    struct Member(f32, &'static [&'static str]);

    impl Teacher<4, 2> for Member {
        fn hash(&self) -> &'static str {
            self.1[0]
        }
        fn answers_fresh_views(&self) -> bool {
            true
        }
        fn answer(&self, input: &Tensor<4>, ids: &[SampleId], _: u32) -> Result<Tensor<2>, TeacherError> {
            assert!(ids.iter().all(|id| self.1.contains(&id.as_str())), "{ids:?} asked of {:?}", self.1);
            Ok(input.clone().flatten::<2>(1, 3).mean_dim(1).add_scalar(self.0))
        }
        fn hash_now(&self) -> String {
            self.1[0].to_owned()
        }
    }

    fn id(text: &str) -> SampleId {
        SampleId::new(text).unwrap()
    }

    fn folds(of: &[(&str, usize)]) -> BTreeMap<SampleId, usize> {
        of.iter().map(|(sample, fold)| (id(sample), *fold)).collect()
    }

    fn members() -> Vec<Box<dyn Teacher<4, 2>>> {
        vec![Box::new(Member(10.0, &["a", "c"])), Box::new(Member(20.0, &["b", "d"]))]
    }

    fn teacher() -> CrossFittedTeacher<4, 2> {
        CrossFittedTeacher::new(members(), folds(&[("a", 0), ("b", 1), ("c", 0), ("d", 1)])).unwrap()
    }

    #[test]
    fn each_sample_is_answered_by_its_fold_in_the_order_of_the_batch() {
        let values: Vec<f32> = vec![1.0, 2.0, 3.0, 4.0];
        let input = Tensor::<4>::from_data(TensorData::new(values, [4, 1, 1, 1]), &Device::flex());
        let answer = teacher().answer(&input, &["d", "a", "b", "c"].map(id), 0).unwrap();
        assert_eq!(answer.dims(), [4, 1]);
        assert_eq!(crate::state::host_values(&answer), [21.0, 12.0, 23.0, 14.0]);
    }

    #[test]
    fn a_sample_of_no_fold_is_refused() {
        let refused = teacher().answer(&Tensor::zeros([1, 1, 1, 1], &Device::flex()), &[id("e")], 0).unwrap_err();
        assert!(matches!(&refused, TeacherError::NoFold { sample } if sample == "e"), "{refused}");
    }

    #[test]
    fn another_division_of_the_same_samples_is_another_teacher() {
        let other = CrossFittedTeacher::new(members(), folds(&[("a", 1), ("b", 0), ("c", 1), ("d", 0)])).unwrap();
        assert_ne!(other.hash(), teacher().hash());
    }

    #[test]
    fn a_fold_without_a_member_is_refused() {
        let refused = |members, of: &[(&str, usize)]| CrossFittedTeacher::new(members, folds(of)).err();
        assert!(matches!(refused(members(), &[("a", 2)]), Some(TeacherError::Folds { members: 2, folds: 3 })));
        assert!(refused(members().into_iter().take(1).collect(), &[("a", 0)]).is_some());
    }
}
