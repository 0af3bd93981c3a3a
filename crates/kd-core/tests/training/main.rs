//! The loop as a whole, on a network and a task small enough to know what must happen.

mod guides;
mod settings;
mod small;
mod taps;

use std::sync::Arc;

use burn::tensor::Device;
use kd_core::train::{EarlyStop, Fit, Outcome, Plan, Stop, TrainError, Views, fit};
use kd_core::{CachedTeacher, LiveTeacher, Objective, State, Teacher, Weight, initialize};
use small::{Line, Memory, Recorder, SmallTask, Stored, curriculum, distilled, linear_source, plan, staged};

struct Setup {
    task: SmallTask,
    train: Memory,
    val: Memory,
    device: Device,
}

fn setup() -> Setup {
    Setup { task: SmallTask, train: linear_source(40, 1), val: linear_source(24, 2), device: Device::flex().autodiff() }
}

impl Setup {
    fn run(
        &self,
        plan: &Plan,
        objective: &Objective<4, 2>,
        teacher: Option<&dyn Teacher<4, 2>>,
        resume: Option<&[u8]>,
        sink: &mut Recorder,
    ) -> Result<Outcome, TrainError> {
        let run = Fit {
            task: &self.task,
            objective,
            guide: teacher.into(),
            train: &self.train,
            val: &self.val,
            plan,
            device: &self.device,
            data: "small",
        };
        fit(&run, Line::new(&self.device), None, resume, sink)
    }

    fn teacher(&self) -> LiveTeacher<Line> {
        let outcome = self.run(&plan(6), &Objective::task_only(), None, None, &mut Recorder::default()).unwrap();
        let network = outcome.chosen.load_into(Line::new(&self.device)).unwrap();
        LiveTeacher::new::<4, 2>(&network)
    }
}

#[test]
fn a_network_learns_a_rule_that_it_can_express() {
    let outcome = setup().run(&plan(12), &Objective::task_only(), None, None, &mut Recorder::default()).unwrap();
    assert_eq!(outcome.stop, Stop::Done);
    let last = &outcome.history[11];
    assert_eq!(last.validation[1].name, "accuracy");
    assert!(last.validation[1].value.unwrap() > 0.9, "{last:?}");
    assert!(last.terms[0].value < outcome.history[0].terms[0].value / 2.0);
}

#[test]
fn equal_seeds_give_equal_bytes_and_others_do_not() {
    let setup = setup();
    let hash = |seed| {
        let plan = Plan { seed, ..plan(2) };
        setup.run(&plan, &Objective::task_only(), None, None, &mut Recorder::default()).unwrap().chosen.hash()
    };
    assert_eq!(hash(3), hash(3));
    assert_ne!(hash(3), hash(4));
}

#[test]
fn a_run_resumed_after_any_step_ends_in_the_same_bytes() {
    let setup = setup();
    let teacher = setup.teacher();
    let averaged = Plan { ema: Some(0.9), ..plan(2) };
    for (plan, weight) in [
        (Plan { accumulation: 2, ..plan(2) }, Weight::Fixed(1.0)),
        (averaged, Weight::Fixed(1.0)),
        (plan(2), Weight::Share(0.4)),
    ] {
        let mut whole = Recorder::every_step();
        let expected = setup.run(&plan, &distilled(weight), Some(&teacher), None, &mut whole).unwrap();
        assert!(whole.checkpoints.len() > 4);
        for bytes in &whole.checkpoints {
            let resumed =
                setup.run(&plan, &distilled(weight), Some(&teacher), Some(bytes), &mut Recorder::default()).unwrap();
            assert_eq!(resumed, expected);
        }
    }
}

#[test]
fn a_stop_request_leaves_a_checkpoint_that_goes_on_to_the_same_end() {
    let setup = setup();
    let expected = setup.run(&plan(3), &Objective::task_only(), None, None, &mut Recorder::default()).unwrap();
    let mut sink = Recorder::stopping_after(7);
    let stopped = setup.run(&plan(3), &Objective::task_only(), None, None, &mut sink).unwrap();
    assert_eq!(stopped.stop, Stop::Asked);
    let rest = sink.checkpoints.last();
    let resumed =
        setup.run(&plan(3), &Objective::task_only(), None, rest.map(Vec::as_slice), &mut Recorder::default()).unwrap();
    assert_eq!(resumed, expected);
}

#[test]
fn a_checkpoint_of_another_objective_is_refused() {
    let setup = setup();
    let teacher = setup.teacher();
    let mut sink = Recorder::default();
    setup.run(&plan(1), &distilled(1.0), Some(&teacher), None, &mut sink).unwrap();
    let refused = setup.run(
        &plan(1),
        &distilled(2.0),
        Some(&teacher),
        sink.checkpoints.last().map(Vec::as_slice),
        &mut Recorder::default(),
    );
    assert!(matches!(refused, Err(TrainError::Checkpoint(_))));
}

#[test]
fn stored_answers_teach_exactly_as_the_live_teacher_does() {
    let setup = setup();
    let teacher = setup.teacher();
    let plan = Plan { views: Views::Numbered { count: 3 }, ..plan(4) };
    let live = setup.run(&plan, &distilled(1.0), Some(&teacher), None, &mut Recorder::default()).unwrap();
    let stored = Arc::new(Stored::of(&teacher, &setup.task, &setup.train, 3));
    let hash = Teacher::<4, 2>::hash(&teacher).to_owned();
    let cached = CachedTeacher::new(stored, &hash, [1, 2], &setup.device).unwrap();
    let from_store = setup.run(&plan, &distilled(1.0), Some(&cached), None, &mut Recorder::default()).unwrap();
    assert_eq!(live.chosen.hash(), from_store.chosen.hash());
    assert_eq!(live.history, from_store.history);
}

#[test]
fn answers_of_another_teacher_are_refused() {
    let setup = setup();
    let stored = Arc::new(Stored::of(&setup.teacher(), &setup.task, &setup.train, 1));
    assert!(CachedTeacher::new(stored.clone(), "somebody else", [1, 2], &setup.device).is_err());
    let hash = kd_image::SoftTargetSource::teacher_hash(&*stored).to_owned();
    assert!(CachedTeacher::new(stored, &hash, [1, 3], &setup.device).is_err());
}

#[test]
fn the_distilled_student_depends_on_the_teacher() {
    let setup = setup();
    let teacher = setup.teacher();
    let other = LiveTeacher::new::<4, 2>(&initialize(Line::new(&setup.device), 99));
    let hash = |teacher: &LiveTeacher<Line>| {
        setup.run(&plan(2), &distilled(1.0), Some(teacher), None, &mut Recorder::default()).unwrap().chosen.hash()
    };
    assert_ne!(hash(&teacher), hash(&other));
}

#[test]
fn the_teacher_is_the_same_before_and_after() {
    let setup = setup();
    let teacher = setup.teacher();
    let before = Teacher::<4, 2>::hash(&teacher).to_owned();
    setup.run(&plan(2), &distilled(1.0), Some(&teacher), None, &mut Recorder::default()).unwrap();
    assert_eq!(State::of(teacher.network()).hash(), before);
    Teacher::<4, 2>::verify_frozen(&teacher).unwrap();
}

#[test]
fn a_distillation_term_without_gradient_stops_the_run() {
    let setup = setup();
    let teacher = setup.teacher();
    let refused = setup.run(&plan(2), &small::inert(), Some(&teacher), None, &mut Recorder::default()).unwrap_err();
    assert!(matches!(&refused, TrainError::NoGradient { term, epoch: 1 } if term == "inert"), "{refused}");
}

#[test]
fn gradient_shares_sum_to_one_and_follow_the_weights() {
    let setup = setup();
    let teacher = setup.teacher();
    let shares = |weight| {
        let outcome = setup.run(&plan(1), &distilled(weight), Some(&teacher), None, &mut Recorder::default()).unwrap();
        outcome.history[0].terms.iter().map(|term| term.gradient_share).collect::<Vec<_>>()
    };
    let (one, two) = (shares(1.0), shares(2.0));
    for shares in [&one, &two] {
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{shares:?}");
    }
    // The first batch is the same, so the ratio of the norms doubles with the weight.
    let ratio = (two[1] / two[0]) / (one[1] / one[0]);
    assert!((ratio - 2.0).abs() < 1e-6, "{ratio}");
}

#[test]
fn a_term_with_a_share_has_it_in_every_epoch_and_its_weight_moves() {
    let setup = setup();
    let teacher = setup.teacher();
    let run = |weight| setup.run(&plan(4), &distilled(weight), Some(&teacher), None, &mut Recorder::default()).unwrap();
    let outcome = run(Weight::Share(0.3));
    let weights: Vec<f64> = outcome
        .history
        .iter()
        .map(|epoch| {
            assert!((epoch.terms[1].gradient_share - 0.3).abs() < 1e-12, "{epoch:?}");
            assert!(epoch.terms[0].weight.is_none());
            epoch.terms[1].weight.unwrap()
        })
        .collect();
    assert!(
        weights.iter().all(|weight| *weight > 0.0) && weights.windows(2).any(|pair| (pair[0] - pair[1]).abs() > 1e-9)
    );
    assert!(run(Weight::Fixed(1.0)).history.iter().all(|epoch| epoch.terms[1].weight.is_none()));
}

#[test]
fn stages_learn_one_after_the_other_and_resume_to_the_same_bytes() {
    let setup = setup();
    let teacher = setup.teacher();
    let run = |epochs, resume: Option<&[u8]>, sink: &mut Recorder| {
        setup.run(&plan(epochs), &staged(), Some(&teacher), resume, sink)
    };
    let mut whole = Recorder::every_step();
    let outcome = run(3, None, &mut whole).unwrap();
    let shares: Vec<Vec<f64>> =
        outcome.history.iter().map(|epoch| epoch.terms.iter().map(|term| term.gradient_share).collect()).collect();
    assert_eq!(shares, [[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]);
    for bytes in &whole.checkpoints {
        assert_eq!(run(3, Some(bytes), &mut Recorder::default()).unwrap(), outcome);
    }
    let text = run(1, None, &mut Recorder::default()).unwrap_err().to_string();
    assert!(text.starts_with("term `task` counts in none of 1 epochs"), "{text}");
    let text = run(4, None, &mut Recorder::default()).unwrap_err().to_string();
    assert!(text.starts_with("no term with a weight counts in epoch 4"), "{text}");
}

#[test]
fn a_learned_temperature_waits_for_an_epoch_then_moves_against_the_student_and_stays_behind() {
    let setup = setup();
    let teacher = setup.teacher();
    let mut whole = Recorder::every_step();
    let outcome = setup.run(&plan(4), &curriculum(), Some(&teacher), None, &mut whole).unwrap();
    let temperatures: Vec<f64> = outcome.history.iter().map(|epoch| epoch.terms[1].temperature.unwrap()).collect();
    // λ is 0 in the first epoch; then θ ascends the loss, which falls with the temperature's distance from the limit.
    assert!((temperatures[0] - 15.62).abs() < 5e-3, "{temperatures:?}");
    assert!(temperatures.windows(2).skip(1).any(|pair| (pair[0] - pair[1]).abs() > 1e-9), "{temperatures:?}");
    assert!(outcome.history.iter().all(|epoch| epoch.terms[0].temperature.is_none()));
    let names = |state: &State| state.tensors().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&outcome.chosen), names(&State::of(&Line::new(&setup.device))));
    for bytes in &whole.checkpoints {
        let resumed =
            setup.run(&plan(4), &curriculum(), Some(&teacher), Some(bytes), &mut Recorder::default()).unwrap();
        assert_eq!(resumed, outcome);
    }
}

#[test]
fn a_distillation_term_without_a_teacher_is_refused() {
    let refused = setup().run(&plan(1), &distilled(1.0), None, None, &mut Recorder::default());
    assert!(matches!(refused, Err(TrainError::NoTeacher { .. })));
}

#[test]
fn fresh_views_need_a_live_teacher() {
    let setup = setup();
    let stored = Stored::of(&setup.teacher(), &setup.task, &setup.train, 1);
    let hash = kd_image::SoftTargetSource::teacher_hash(&stored).to_owned();
    let cached = CachedTeacher::new(Arc::new(stored), &hash, [1, 2], &setup.device).unwrap();
    let plan = Plan { views: Views::Fresh, ..plan(1) };
    let refused = setup.run(&plan, &distilled(1.0), Some(&cached), None, &mut Recorder::default());
    assert!(matches!(refused, Err(TrainError::FreshViews)));
}

#[test]
fn a_loss_that_is_no_number_ends_the_run_with_its_place() {
    let setup = setup();
    let mut plan = plan(3);
    plan.schedule.rate = 3e38;
    plan.clip_norm = None;
    let refused = setup.run(&plan, &Objective::task_only(), None, None, &mut Recorder::default()).unwrap_err();
    assert!(refused.to_string().contains("hint: lower the learning rate"), "{refused}");
}

#[test]
fn an_unknown_measure_is_refused_with_those_there_are() {
    let plan = Plan { select: "dice".into(), ..plan(1) };
    let refused = setup().run(&plan, &Objective::task_only(), None, None, &mut Recorder::default()).unwrap_err();
    assert!(refused.to_string().contains("it measures loss, accuracy"), "{refused}");
}

#[test]
fn training_stops_when_validation_stops_improving() {
    let mut plan = Plan { early_stop: Some(EarlyStop { patience: 2 }), ..plan(30) };
    // A rate that moves nothing: the first epoch stays the best.
    plan.schedule.rate = 1e-30;
    let outcome = setup().run(&plan, &Objective::task_only(), None, None, &mut Recorder::default()).unwrap();
    assert_eq!((outcome.stop, outcome.history.len(), outcome.chosen_epoch), (Stop::Early, 3, 0));
}

#[test]
fn accumulated_batches_step_like_one_batch() {
    // Without normalisation over the batch, two halves with averaged gradients are the whole.
    let setup = setup();
    let mut whole = plan(1);
    whole.batch_size = 20;
    let halves = Plan { batch_size: 10, accumulation: 2, ..whole.clone() };
    let state =
        |plan: &Plan| setup.run(plan, &Objective::task_only(), None, None, &mut Recorder::default()).unwrap().last;
    let (whole, halves) = (state(&whole), state(&halves));
    for (name, tensor) in whole.tensors() {
        for (a, b) in tensor.values.iter().zip(&halves.tensors()[name].values) {
            // Adam's first step is near ±rate; sums in another order differ in the last bits of f32.
            assert!((a - b).abs() < 1e-4, "{name}: {a} and {b}");
        }
    }
}

#[test]
fn a_distance_from_the_truth_is_refused_where_the_truth_is_no_answer() {
    let parameters = kd_core::loss::Parameters::new().with("temperature", 2.0);
    let loss = kd_core::loss::build("hinton", &parameters, kd_core::Head::TwoClassSoftmax).unwrap();
    let kind = kd_core::TermKind::Truth(loss);
    let term = kd_core::Term { name: "near".into(), weight: 1.0.into(), ramp: kd_core::Ramp::None, kind, exit: None };
    let objective = Objective::new(vec![term]).unwrap();
    assert!(!objective.needs_teacher());
    let refused = setup().run(&plan(1), &objective, None, None, &mut Recorder::default()).unwrap_err();
    assert!(matches!(&refused, TrainError::NoTruth { term } if term == "near"), "{refused}");
}
