//! Students that learn from the run itself: from a peer, from their own average, from their own answer at early exits.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use kd_core::loss::{self, Parameters};
use kd_core::train::{Fit, Guide, Outcome, Plan, TrainError, fit};
use kd_core::{
    Head, LiveTeacher, Network, Objective, Ramp, State, TapsError, Term, TermKind, Watch, initialize, peer_seed,
};

use crate::small::{Recorder, SmallTask, distilled, linear_source, plan};

/// Two layers with statistics between them; the tap shows the first one's answer.
#[derive(Module, Debug)]
struct Layers {
    first: Linear,
    norm: BatchNorm,
    second: Linear,
}

impl Layers {
    fn new(device: &Device) -> Self {
        Self {
            first: LinearConfig::new(2, 3).init(device),
            norm: BatchNormConfig::new(3).init(device),
            second: LinearConfig::new(3, 2).init(device),
        }
    }
}

impl Network<4, 2> for Layers {
    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        self.forward_watched(input, &mut Watch::nothing())
    }

    fn forward_watched(&self, input: Tensor<4>, watch: &mut Watch<4>) -> Tensor<2> {
        let hidden = self.norm.forward(self.first.forward(input.flatten::<2>(1, 3)).unsqueeze_dims::<4>(&[-1, -1]));
        watch.see("first", &hidden);
        self.second.forward(hidden.flatten(1, 3))
    }
}

pub(crate) fn run(
    objective: &Objective<4, 2>,
    plan: &Plan,
    guide: Guide<'_, 4, 2>,
    resume: Option<&[u8]>,
    sink: &mut Recorder,
) -> Result<Outcome, TrainError> {
    let device = Device::flex().autodiff();
    let (train, val) = (linear_source(40, 1), linear_source(24, 2));
    let run =
        Fit { task: &SmallTask, objective, guide, train: &train, val: &val, plan, device: &device, data: "small" };
    fit(&run, Layers::new(&device), None, resume, sink)
}

/// A plan whose only step sees all samples.
fn one_step() -> Plan {
    Plan { batch_size: 40, ..plan(1) }
}

fn averaged(epochs: usize) -> Plan {
    Plan { ema: Some(0.95), ..plan(epochs) }
}

pub(crate) fn exits(weight: f64) -> Objective<4, 2> {
    let term = |name: &str, weight: f64, kind, exit: Option<&str>| Term {
        name: name.into(),
        weight: weight.into(),
        ramp: Ramp::None,
        kind,
        exit: exit.map(str::to_owned),
    };
    let task = || TermKind::Task { smoothing: 0.0 };
    let parameters = Parameters::new().with("temperature", 2.0);
    let kd = TermKind::Distill(loss::build("hinton", &parameters, Head::TwoClassSoftmax).unwrap());
    let terms = vec![
        term("task", 1.0, task(), None),
        term("exit-task", weight, task(), Some("first")),
        term("exit-kd", weight, kd, Some("first")),
    ];
    Objective::new(terms).unwrap()
}

#[test]
fn the_first_step_beside_a_peer_is_that_of_a_teacher_with_the_peers_start() {
    let device = Device::flex();
    let plan = one_step();
    let beside = run(&distilled(1.0), &plan, Guide::Peer, None, &mut Recorder::default()).unwrap();
    // A peer answers in training mode: with the statistics of the batch, which a teacher of one layer less has not.
    let start = initialize(Layers::new(&device), peer_seed(plan.seed));
    struct OfBatch(Layers);
    impl kd_core::Teacher<4, 2> for OfBatch {
        fn hash(&self) -> &str {
            "of batch"
        }
        fn answers_fresh_views(&self) -> bool {
            true
        }
        fn answer(
            &self,
            input: &Tensor<4>,
            _: &[kd_image::SampleId],
            _: u32,
        ) -> Result<Tensor<2>, kd_core::TeacherError> {
            Ok(self.0.clone().train().forward(Tensor::from_inner(input.clone())).inner())
        }
        fn hash_now(&self) -> String {
            "of batch".into()
        }
    }
    let taught = run(&distilled(1.0), &plan, Guide::Teacher(&OfBatch(start)), None, &mut Recorder::default()).unwrap();
    assert_eq!(beside.last.hash(), taught.last.hash());
}

#[test]
fn peers_keep_statistics_of_their_own() {
    let alone = run(&Objective::task_only(), &one_step(), Guide::Nobody, None, &mut Recorder::default()).unwrap();
    let beside = run(&distilled(1.0), &one_step(), Guide::Peer, None, &mut Recorder::default()).unwrap();
    let statistics = |outcome: &Outcome| {
        let tensors = outcome.last.tensors().iter().filter(|(name, _)| name.contains("running"));
        tensors.map(|(name, values)| (name.clone(), values.values.clone())).collect::<Vec<_>>()
    };
    // Both saw one batch with the same first weights, and a peer that saw it, too, has left no trace.
    assert_eq!(statistics(&alone).len(), 2);
    assert_eq!(statistics(&alone), statistics(&beside));
}

#[test]
fn peers_come_closer_to_each_other_than_they_would_apart() {
    let value = |weight| {
        let outcome = run(&distilled(weight), &plan(6), Guide::Peer, None, &mut Recorder::default()).unwrap();
        outcome.history[5].terms[1].value
    };
    assert!(value(10.0) < value(1e-6) / 2.0, "{} {}", value(10.0), value(1e-6));
}

#[test]
fn a_student_stays_closer_to_its_average_that_it_learns_from() {
    let value = |weight| {
        let outcome = run(&distilled(weight), &averaged(3), Guide::Average, None, &mut Recorder::default()).unwrap();
        outcome.history[0].terms[1].value
    };
    assert!(value(1e-6) > 0.0 && value(30.0) < value(1e-6), "{} {}", value(30.0), value(1e-6));
}

#[test]
fn an_average_that_nobody_keeps_is_refused() {
    let refused = run(&distilled(1.0), &plan(1), Guide::Average, None, &mut Recorder::default()).unwrap_err();
    assert!(matches!(&refused, TrainError::NoAverage { term } if term == "kd"), "{refused}");
}

#[test]
fn an_answer_compared_with_itself_ends_the_run() {
    let refused = run(&distilled(1.0), &plan(1), Guide::Itself, None, &mut Recorder::default()).unwrap_err();
    assert!(matches!(&refused, TrainError::NoGradient { term, .. } if term == "kd"), "{refused}");
}

#[test]
fn early_exits_learn_from_labels_and_from_the_last_answer_and_move_the_layers_before_them() {
    let outcome = run(&exits(1.0), &plan(8), Guide::Itself, None, &mut Recorder::default()).unwrap();
    let (first, last) = (&outcome.history[0].terms, &outcome.history[7].terms);
    assert!(last.iter().zip(first).all(|(last, first)| last.value < 0.75 * first.value), "{first:?} {last:?}");
    assert!(first.iter().all(|term| term.gradient_share > 0.0));

    // After one step, what lies behind the tap has moved as if there were no exit, and what lies before it has not.
    let plan = Plan { clip_norm: None, ..one_step() };
    let moved = |objective: &Objective<4, 2>, guide| {
        run(objective, &plan, guide, None, &mut Recorder::default()).unwrap().last.tensors().clone()
    };
    let (alone, beside) = (moved(&Objective::task_only(), Guide::Nobody), moved(&exits(0.5), Guide::Itself));
    assert_eq!(alone.keys().collect::<Vec<_>>(), beside.keys().collect::<Vec<_>>());
    for (name, values) in alone {
        let same = values == beside[&name];
        assert_eq!(same, name.starts_with("second") || name.contains("running"), "{name}");
    }
}

#[test]
fn an_exit_at_a_tap_that_is_not_there_is_refused_with_those_that_are() {
    let kind = TermKind::Task { smoothing: 0.0 };
    let term = Term { name: "a".into(), weight: 1.0.into(), ramp: Ramp::None, kind, exit: Some("third".into()) };
    let objective = Objective::new(vec![term]).unwrap();
    let refused = run(&objective, &plan(1), Guide::Nobody, None, &mut Recorder::default()).unwrap_err();
    assert!(matches!(&refused, TrainError::Taps(TapsError::Unknown { .. })), "{refused}");
}

#[test]
fn runs_without_a_teacher_resumed_after_any_step_end_in_the_same_bytes() {
    let teacher = LiveTeacher::new::<4, 2>(&initialize(Layers::new(&Device::flex()), 9));
    for (plan, objective, guide) in [
        (plan(2), distilled(1.0), Guide::Peer),
        (Plan { accumulation: 2, ..plan(2) }, distilled(1.0), Guide::Peer),
        (averaged(2), distilled(1.0), Guide::Average),
        (plan(2), exits(1.0), Guide::Itself),
        (plan(2), exits(1.0), Guide::Peer),
        (plan(2), exits(1.0), Guide::Teacher(&teacher)),
    ] {
        let mut whole = Recorder::every_step();
        let expected = run(&objective, &plan, guide, None, &mut whole).unwrap();
        for bytes in &whole.checkpoints {
            let resumed = run(&objective, &plan, guide, Some(bytes), &mut Recorder::default()).unwrap();
            assert_eq!(resumed, expected, "{guide:?}");
        }
        // Another guide is another run.
        let other = run(&objective, &plan, Guide::Nobody, Some(&whole.checkpoints[0]), &mut Recorder::default());
        assert!(other.is_err());
        assert_eq!(State::of(teacher.network()).hash(), kd_core::Teacher::<4, 2>::hash(&teacher));
    }
}
