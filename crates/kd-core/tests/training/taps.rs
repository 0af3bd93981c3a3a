//! Losses on features through the trainer: what they teach, what they leave behind, and what is refused.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use kd_core::loss::{Parameters, build_feature, feature::Projection};
use kd_core::train::{Fit, Guide, Outcome, Plan, TrainError, fit};
use kd_core::{
    CachedTeacher, LiveTeacher, Network, Objective, Ramp, State, Teacher, Term, TermKind, Watch, initialize,
};

use crate::small::{Recorder, SmallTask, Stored, linear_source, plan};

/// A network with one tap: some channels at each of the two points, and a linear answer.
#[derive(Module, Debug)]
struct Tapped {
    lift: Projection,
    head: Linear,
}

impl Tapped {
    fn new(channels: usize, device: &Device) -> Self {
        Self { lift: Projection::new(1, channels, device), head: LinearConfig::new(2 * channels, 2).init(device) }
    }
}

impl Network<4, 2> for Tapped {
    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        self.forward_watched(input, &mut Watch::nothing())
    }

    fn forward_watched(&self, input: Tensor<4>, watch: &mut Watch<4>) -> Tensor<2> {
        let features = self.lift.forward(input);
        watch.see("lift", &features);
        self.head.forward(features.flatten(1, 3))
    }
}

fn term(loss: &str, parameters: &Parameters, weight: f64, tap: &str) -> Term<4, 2> {
    let kind = TermKind::Feature(build_feature(loss, parameters, [tap, "lift"], None).unwrap());
    Term { name: loss.into(), weight: weight.into(), ramp: Ramp::None, kind, exit: None }
}

fn objective(loss: &str, parameters: &Parameters) -> Objective<4, 2> {
    let task = Term::task(0.0);
    Objective::new(vec![task, term(loss, parameters, 1.0, "lift")]).unwrap()
}

fn run(
    objective: &Objective<4, 2>,
    plan: &Plan,
    teacher: &dyn Teacher<4, 2>,
    resume: Option<&[u8]>,
    sink: &mut Recorder,
) -> Result<Outcome, TrainError> {
    let device = Device::flex().autodiff();
    let (train, val) = (linear_source(40, 1), linear_source(24, 2));
    let run = Fit {
        task: &SmallTask,
        objective,
        guide: Guide::Teacher(teacher),
        train: &train,
        val: &val,
        plan,
        device: &device,
        data: "small",
    };
    fit(&run, Tapped::new(2, &device), None, resume, sink)
}

fn teacher() -> LiveTeacher<Tapped> {
    LiveTeacher::new::<4, 2>(&initialize(Tapped::new(3, &Device::flex()), 9))
}

/// Losses with each kind of adaptor, and without one.
fn losses() -> [(&'static str, Parameters); 5] {
    let none = Parameters::new;
    [
        ("hint", none()),
        ("mgd", none().with("masked", 0.5)),
        ("vid", none()),
        ("similarity-preserving", none()),
        ("attention-transfer", none().with("power", "2")),
    ]
}

#[test]
fn features_come_closer_and_the_share_of_their_term_is_seen() {
    for (loss, parameters) in losses() {
        let found = run(&objective(loss, &parameters), &plan(8), &teacher(), None, &mut Recorder::default()).unwrap();
        let (first, last) = (&found.history[0].terms[1], &found.history[7].terms[1]);
        assert!(last.value < first.value, "{loss}: {first:?} {last:?}");
        assert!(first.gradient_share > 0.0 && first.gradient_share < 1.0, "{loss}: {first:?}");
    }
}

#[test]
fn what_is_kept_is_the_student_without_its_adaptors() {
    let found = run(&objective("hint", &Parameters::new()), &plan(2), &teacher(), None, &mut Recorder::default());
    let names = |state: &State| state.tensors().keys().cloned().collect::<Vec<_>>();
    let found = found.unwrap();
    let expected = names(&State::of(&Tapped::new(2, &Device::flex())));
    assert_eq!((names(&found.chosen), names(&found.last)), (expected.clone(), expected));
}

#[test]
fn a_run_with_adaptors_resumed_after_any_step_ends_in_the_same_bytes() {
    for (loss, parameters) in losses() {
        let (objective, teacher) = (objective(loss, &parameters), teacher());
        let mut whole = Recorder::every_step();
        let expected = run(&objective, &plan(2), &teacher, None, &mut whole).unwrap();
        for bytes in &whole.checkpoints {
            let resumed = run(&objective, &plan(2), &teacher, Some(bytes), &mut Recorder::default()).unwrap();
            assert_eq!(resumed, expected, "{loss}");
        }
    }
}

#[test]
fn a_tap_that_is_not_there_is_refused_with_those_that_are() {
    let terms = vec![term("hint", &Parameters::new(), 1.0, "layer9")];
    let refused = run(&Objective::new(terms).unwrap(), &plan(1), &teacher(), None, &mut Recorder::default());
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("tap `layer9`, which the student does not have"), "{text}");
}

#[test]
fn stored_answers_have_no_features() {
    let (device, teacher) = (Device::flex(), teacher());
    let stored = Stored::of(&teacher, &SmallTask, &linear_source(40, 1), 2);
    let hash = Teacher::<4, 2>::hash(&teacher).to_owned();
    let cached = CachedTeacher::new(std::sync::Arc::new(stored), &hash, [1, 2], &device).unwrap();
    let refused = run(&objective("hint", &Parameters::new()), &plan(1), &cached, None, &mut Recorder::default());
    let text = refused.unwrap_err().to_string();
    assert!(text.starts_with("this teacher gives answers and no features"), "{text}");
}
