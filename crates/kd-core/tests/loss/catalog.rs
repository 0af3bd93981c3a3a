//! Every cell of the table loss × head × output, and every way in which a recipe's loss can be wrong.

use kd_core::{
    Head,
    loss::{
        CATALOG, DistillLoss, LossError, On, Output, Parameters, Range, build, build_feature, build_image,
        feature::FeatureTerm,
    },
};

const HEADS: [Head; 5] = [
    Head::OneChannel,
    Head::TwoClassSoftmax,
    Head::Softmax { classes: 5 },
    Head::MultiLabel { labels: 14 },
    Head::Ordinal { classes: 4 },
];

/// One character per head of [`HEADS`]: `+` fits, `-` is refused; then `p` for pooled output, `d` for dense, and `x`
/// where a recipe cannot name the loss.
const TABLE: [(&str, &str, &str); 35] = [
    ("hinton", "-++--", "pd"),
    ("soft-cross-entropy", "-++--", "pd"),
    ("bernoulli", "+--++", "pd"),
    ("logit-mse", "+++++", "pd"),
    ("dkd", "--+--", "pd"),
    ("nkd", "--+--", "pd"),
    ("dist", "+++++", "pd"),
    ("multi-level", "-++--", "p"),
    ("virtual-teacher", "-++--", "pd"),
    ("channel-wise", "+++++", "d"),
    ("boundary", "+++--", "d"),
    ("adaptive-hinton", "-++--", "pd"),
    ("scheduled-hinton", "-++--", "pd"),
    ("curriculum", "-++--", "pd"),
    ("hint", "+++++", "pd"),
    ("mgd", "+++++", "pd"),
    ("attention-transfer", "+++++", "d"),
    ("similarity-preserving", "+++++", "pd"),
    ("relation-distance", "+++++", "pd"),
    ("relation-angle", "+++++", "pd"),
    ("pkd", "+++++", "pd"),
    ("hierarchical-context", "+++++", "pd"),
    ("vid", "+++++", "pd"),
    ("in-batch-contrast", "+++++", "pd"),
    ("pair-affinity", "+++++", "d"),
    ("ifvd", "+++++", "d"),
    ("region-affinity", "+++++", "d"),
    ("cross-image", "+++++", "d"),
    ("l1", "-----", "d"),
    ("mse", "-----", "d"),
    ("charbonnier", "-----", "d"),
    ("response", "-----", "dx"),
    ("gradient", "-----", "d"),
    ("frequency", "-----", "d"),
    ("ssim", "-----", "d"),
];

/// Parameters that fit every head on which the loss fits, or images.
pub(crate) fn valid(name: &str) -> Parameters {
    let empty = Parameters::new();
    let tau = empty.clone().with("temperature", 4.0);
    match name {
        "logit-mse" => empty.with("centered", false),
        "dkd" => tau.with("alpha", 1.0).with("beta", 8.0),
        "nkd" => tau.with("gamma", 1.5),
        "dist" => tau.with("inter", 0.0).with("intra", 1.0),
        "multi-level" => empty.with("lowest", 2.0).with("highest", 6.0),
        "virtual-teacher" => tau.with("probability", 0.9),
        "boundary" => tau.with("radius", 2.0).with("factor", 4.0),
        "adaptive-hinton" => empty.with("lowest", 2.0).with("highest", 6.0).with("certainty", "entropy"),
        "curriculum" => empty.with("reversal_epochs", 4.0),
        "scheduled-hinton" => empty.with("start", 8.0).with("end", 2.0).with("epochs", 10.0).with("shape", "linear"),
        "attention-transfer" => empty.with("power", "2"),
        "mgd" => empty.with("masked", 0.5),
        "ifvd" | "region-affinity" => empty.with("least_share", 0.5),
        "in-batch-contrast" => tau,
        "pair-affinity" => empty.with("norm", "squared").with("per_axis", 8.0),
        "cross-image" => tau.with("per_axis", 8.0),
        "charbonnier" => empty.with("epsilon", 0.001),
        "response" => empty.with("alpha", 0.5),
        "ssim" => empty.with("range", 1.0).with("window", 11.0).with("sigma", 1.5),
        name if CATALOG.iter().any(|entry| entry.name == name && entry.parameters.is_empty()) => empty,
        _ => tau,
    }
}

fn refusal<const D: usize>(name: &str, parameters: &Parameters, head: Head) -> LossError {
    match build::<D>(name, parameters, head) {
        Ok(loss) => panic!("{name} was built as {} on {}", loss.name(), head.name()),
        Err(error) => error,
    }
}

fn feature(name: &str, parameters: &Parameters) -> Result<FeatureTerm<4>, LossError> {
    build_feature(name, parameters, ["student", "teacher"], Some(3))
}

fn name_built(name: &str, head: Head, rank: usize) -> Result<&'static str, LossError> {
    match rank {
        2 => build::<2>(name, &valid(name), head).map(|loss| loss.name()),
        3 => build::<3>(name, &valid(name), head).map(|loss| loss.name()),
        4 => build::<4>(name, &valid(name), head).map(|loss| loss.name()),
        _ => build::<5>(name, &valid(name), head).map(|loss| loss.name()),
    }
}

#[test]
fn every_cell_of_loss_head_and_output_is_as_the_table_says() {
    assert_eq!(CATALOG.iter().map(|e| e.name).collect::<Vec<_>>(), TABLE.map(|(name, ..)| name));
    for (entry, (name, cells, outputs)) in CATALOG.iter().zip(TABLE) {
        for (output, letter) in [(Output::Pooled, 'p'), (Output::Dense, 'd')] {
            assert_eq!(entry.fits_output(output).is_ok(), outputs.contains(letter), "{name} {}", output.name());
        }
        for (head, cell) in HEADS.into_iter().zip(cells.chars()) {
            assert_eq!(entry.fits_head(head).is_ok(), cell == '+', "{name} on {}", head.name());
            for rank in 2..=5 {
                let what = format!("{name} on {} rank {rank}", head.name());
                let output = if rank == 2 { 'p' } else { 'd' };
                let on_answers = entry.on != On::Features && !outputs.contains('x');
                let fits = cell == '+' && outputs.contains(output) && on_answers;
                match name_built(name, head, rank) {
                    Ok(loss) => assert!(fits && loss == name, "{what}"),
                    Err(LossError::Refused { loss, refusal, .. }) => {
                        assert!(!fits && loss == name, "{what}");
                        assert!(refusal.reason.len() > 20 && refusal.instead.starts_with("use "), "{what}");
                    }
                    Err(other) => panic!("{what}: {other}"),
                }
            }
        }
    }
}

#[test]
fn every_row_is_complete_and_its_required_parameters_are_missed_by_name() {
    for entry in CATALOG {
        for text in [entry.doc, entry.formula, entry.divisor, entry.source] {
            assert!(text.len() > 5, "{}", entry.name);
        }
        assert_eq!(valid(entry.name).0.len(), entry.parameters.iter().filter(|p| p.range.is_required()).count());
        if let Some(refusal) = entry.not_in_recipes {
            assert!(refusal.reason.len() > 20 && refusal.instead.starts_with("use "), "{}", entry.name);
            continue;
        }
        let head = HEADS.into_iter().find(|head| entry.fits_head(*head).is_ok());
        for parameter in entry.parameters {
            if !parameter.range.is_required() {
                assert!(["standardize", "pixels"].contains(&parameter.name), "only what is off has a default");
                continue;
            }
            let mut others = valid(entry.name);
            assert!(others.0.remove(parameter.name).is_some(), "{} {}", entry.name, parameter.name);
            let found = match head {
                _ if entry.on == On::Features => feature(entry.name, &others).err().unwrap(),
                None => build_image::<4>(entry.name, &others).err().unwrap(),
                Some(head) if entry.pooled => refusal::<2>(entry.name, &others, head),
                Some(head) => refusal::<4>(entry.name, &others, head),
            };
            let expected = format!("loss `{}` needs parameter `{}`, found none\nhint: ", entry.name, parameter.name);
            assert!(found.to_string().starts_with(&expected), "{found}");
        }
    }
}

#[test]
fn whether_a_row_needs_labels_is_what_its_loss_says() {
    for entry in CATALOG.iter().filter(|entry| entry.not_in_recipes.is_none()) {
        let parameters = valid(entry.name);
        let needs = match HEADS.into_iter().rev().find(|head| entry.fits_head(*head).is_ok()) {
            _ if entry.on == On::Features => feature(entry.name, &parameters).unwrap().needs_labels(),
            None => build_image::<4>(entry.name, &parameters).unwrap().needs_labels(),
            Some(head) if entry.pooled => build::<2>(entry.name, &parameters, head).unwrap().needs_labels(),
            Some(head) => build::<4>(entry.name, &parameters, head).unwrap().needs_labels(),
        };
        assert_eq!(needs, entry.labels, "{}", entry.name);
    }
}

#[test]
fn a_choice_that_looks_like_a_number_may_be_written_as_one() {
    let build = |parameters: Parameters| build_feature::<4>("attention-transfer", &parameters, ["a", "b"], None);
    assert!(build(Parameters::new().with("power", 2.0)).is_ok() && build(Parameters::new().with("power", "4")).is_ok());
    let text = build(Parameters::new().with("power", 3.0)).unwrap_err().to_string();
    assert!(text.contains("one of 2, 4") && text.contains("found 3"), "{text}");
}

#[test]
fn a_loss_on_features_is_refused_where_it_cannot_work() {
    let refused = |name, classes| {
        let found = build_feature::<5>(name, &valid(name), ["a", "b"], classes).err().unwrap();
        assert!(matches!(found, LossError::Refused { .. }), "{found}");
        found.to_string()
    };
    assert!(refused("mgd", None).starts_with("loss `mgd` does not fit features of rank 5"));
    assert!(refused("ifvd", None).contains("needs a class for each point"));
    assert!(refused("hinton", Some(3)).starts_with("loss `hinton` does not fit a pair of taps"));
}

#[test]
fn a_loss_that_recipes_cannot_name_yet_says_why() {
    let text = refusal::<2>("pkd", &Parameters::new(), HEADS[2]).to_string();
    assert_eq!(
        text,
        "loss `pkd` does not fit a term without taps: it compares features at a pair of taps\nhint: use it with \
         `student_tap` and `teacher_tap`"
    );
    let text = refusal::<4>("l1", &Parameters::new(), HEADS[0]).to_string();
    assert!(text.starts_with("loss `l1` does not fit a one-channel head: its answers are logits"), "{text}");
    for entry in CATALOG {
        let refused = entry.name == "response";
        assert_eq!(refused, entry.not_in_recipes.is_some(), "{}", entry.name);
    }
}

#[test]
fn the_catalog_names_features_and_their_needs_as_the_losses_do() {
    let found: Vec<_> =
        CATALOG.iter().filter(|entry| entry.on == On::Features).map(|e| (e.name, e.labels, e.source)).collect();
    for (name, labels) in crate::feature_subjects::names_and_labels() {
        assert!(found.iter().any(|row| (row.0, row.1) == (name, labels)), "{name} {labels}");
    }
}

#[test]
fn transforms_are_refused_with_the_reason_on_heads_where_they_collapse() {
    for head in HEADS {
        let softmax = matches!(head, Head::Softmax { .. });
        if !head.is_bernoulli() {
            let standardized = build::<2>("hinton", &valid("hinton").with("standardize", true), head);
            assert_eq!(standardized.is_ok(), softmax, "{}", head.name());
            if let Err(error) = standardized {
                assert!(error.to_string().contains("only the sign is left"), "{error}");
            }
        }
        let inter = build::<2>("dist", &valid("dist").with("inter", 1.0), head);
        assert_eq!(inter.is_ok(), softmax, "{}", head.name());
        if let Err(error) = inter {
            assert!(error.to_string().ends_with("hint: set `inter = 0` and keep `intra`"), "{error}");
        }
        let balanced = build::<4>("logit-mse", &valid("logit-mse").with("pixels", "class-balanced"), head);
        let has_classes = !matches!(head, Head::MultiLabel { .. } | Head::Ordinal { .. });
        assert_eq!(balanced.is_ok(), has_classes, "{}", head.name());
        if let Ok(loss) = balanced {
            assert!(loss.needs_labels());
        }
    }
}

#[test]
fn words_and_whole_numbers_are_checked() {
    let text = refusal::<2>("hinton", &valid("hinton").with("pixels", "balanced"), HEADS[1]).to_string();
    assert_eq!(
        text,
        "parameter `pixels` of loss `hinton` must be one of all, class-balanced, foreground-balanced, found text `balanced`"
    );
    let text = refusal::<2>("multi-level", &valid("multi-level").with("lowest", 2.5), HEADS[1]).to_string();
    assert_eq!(text, "parameter `lowest` of loss `multi-level` must be a whole number from 1 to 100, found 2.5");
    let text = refusal::<2>("dkd", &valid("dkd").with("beta", -1.0), HEADS[2]).to_string();
    assert_eq!(text, "parameter `beta` of loss `dkd` must be a number from 0 to 1000, found -1");
    let text = refusal::<2>("adaptive-hinton", &valid("adaptive-hinton").with("lowest", 0.0), HEADS[2]).to_string();
    assert!(text.starts_with("parameter `lowest` of loss `adaptive-hinton`: temperature must be"), "{text}");
}

#[test]
fn a_one_channel_head_is_told_why_and_what_to_use() {
    let text = refusal::<2>("hinton", &valid("hinton"), Head::OneChannel).to_string();
    assert_eq!(
        text,
        "loss `hinton` does not fit a one-channel head: a softmax over one channel is 1 whatever the network says, \
         so any student has the same loss\nhint: use `bernoulli`"
    );
}

#[test]
fn centering_is_refused_on_yes_no_heads_and_taken_on_softmax_heads() {
    let centered = Parameters::new().with("centered", true);
    for head in HEADS {
        match build::<4>("logit-mse", &centered, head) {
            Ok(_) => assert!(!head.is_bernoulli(), "{}", head.name()),
            Err(error) => {
                assert!(head.is_bernoulli(), "{}", head.name());
                assert!(error.to_string().ends_with("hint: set `centered = false`"), "{error}");
            }
        }
    }
}

#[test]
fn a_misspelled_loss_or_parameter_gets_the_nearest_name() {
    let text = refusal::<2>("bernouli", &valid("bernoulli"), Head::OneChannel).to_string();
    assert!(text.starts_with("unknown loss `bernouli`, expected one of hinton, "), "{text}");
    assert!(text.ends_with("hint: did you mean `bernoulli`?"), "{text}");

    let misspelled = valid("hinton").with("temprature", 2.0);
    let text = refusal::<2>("hinton", &misspelled, Head::TwoClassSoftmax).to_string();
    assert_eq!(
        text,
        "loss `hinton` has no parameter `temprature`, expected temperature, standardize, pixels\nhint: did you mean `temperature`?"
    );
}

#[test]
fn a_parameter_of_the_wrong_kind_or_out_of_range_is_named() {
    let cases = [
        (Parameters::new().with("temperature", "4"), "must be a number from 0.01 to 100, found text `4`"),
        (Parameters::new().with("temperature", true), "must be a number from 0.01 to 100, found true"),
        (Parameters::new().with("temperature", 0.0), "temperature must be a number from 0.01 to 100, found 0"),
        (Parameters::new().with("temperature", f64::NAN), "found NaN"),
    ];
    for (parameters, expected) in cases {
        let text = refusal::<2>("hinton", &parameters, Head::TwoClassSoftmax).to_string();
        assert!(text.starts_with("parameter `temperature` of loss `hinton`"), "{text}");
        assert!(text.contains(expected), "{text}");
    }
    let text = refusal::<2>("logit-mse", &Parameters::new().with("centered", 1.0), HEADS[1]).to_string();
    assert_eq!(text, "parameter `centered` of loss `logit-mse` must be true or false, found 1");
}

#[test]
fn a_range_with_a_default_is_not_required() {
    assert!(!Range::Flag { default: Some(true) }.is_required());
    assert!(!Range::Number { min: 0.0, max: 1.0, default: Some(0.5) }.is_required());
}

#[test]
fn shapes_are_refused_with_words_before_training() {
    let hinton: Box<dyn DistillLoss<2>> = build("hinton", &valid("hinton"), Head::TwoClassSoftmax).unwrap();
    assert!(hinton.check(&[8, 2], &[8, 2], Some(&[8, 1])).is_ok());
    let text = hinton.check(&[8, 1], &[8, 1], None).unwrap_err().to_string();
    assert_eq!(text, "hinton needs at least 2 classes on axis 1, found 1\nhint: use bernoulli for one channel");
    assert!(matches!(hinton.check(&[8, 2], &[8, 3], None), Err(LossError::TeacherShape { .. })));
    assert!(matches!(hinton.check(&[8, 2], &[8, 2], Some(&[8, 2])), Err(LossError::MaskShape { .. })));
}
