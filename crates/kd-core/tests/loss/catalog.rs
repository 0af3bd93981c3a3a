//! Every cell of the table loss × head × output, and every way in which a recipe's loss can be wrong.

use kd_core::{
    Head,
    loss::{CATALOG, DistillLoss, LossError, Output, Parameters, Range, build},
};

const HEADS: [Head; 5] = [
    Head::OneChannel,
    Head::TwoClassSoftmax,
    Head::Softmax { classes: 5 },
    Head::MultiLabel { labels: 14 },
    Head::Ordinal { classes: 4 },
];

/// One character per head of [`HEADS`]: `+` fits, `-` is refused. Pooled and dense are equal for these losses.
const TABLE: [(&str, &str); 4] =
    [("hinton", "-++--"), ("soft-cross-entropy", "-++--"), ("bernoulli", "+--++"), ("logit-mse", "+++++")];

fn valid(name: &str) -> Parameters {
    if name == "logit-mse" {
        Parameters::new().with("centered", false)
    } else {
        Parameters::new().with("temperature", 4.0)
    }
}

fn refusal<const D: usize>(name: &str, parameters: &Parameters, head: Head) -> LossError {
    match build::<D>(name, parameters, head) {
        Ok(loss) => panic!("{name} was built as {} on {}", loss.name(), head.name()),
        Err(error) => error,
    }
}

#[test]
fn every_cell_of_loss_head_and_output_is_as_the_table_says() {
    assert_eq!(CATALOG.iter().map(|e| e.name).collect::<Vec<_>>(), TABLE.map(|(name, _)| name));
    for (entry, (name, cells)) in CATALOG.iter().zip(TABLE) {
        for (head, cell) in HEADS.into_iter().zip(cells.chars()) {
            let what = format!("{name} on {}", head.name());
            assert_eq!(entry.fits_head(head).is_ok(), cell == '+', "{what}");
            let built = [build::<2>(name, &valid(name), head).map(|loss| loss.name())];
            let dense = [3, 4, 5].map(|rank| match rank {
                3 => build::<3>(name, &valid(name), head).map(|loss| loss.name()),
                4 => build::<4>(name, &valid(name), head).map(|loss| loss.name()),
                _ => build::<5>(name, &valid(name), head).map(|loss| loss.name()),
            });
            for result in built.into_iter().chain(dense) {
                match result {
                    Ok(loss) => assert!(cell == '+' && loss == name, "{what}"),
                    Err(LossError::Refused { loss, refusal, .. }) => {
                        assert!(cell == '-' && loss == name, "{what}");
                        assert!(refusal.reason.len() > 20 && refusal.instead.starts_with("use `"), "{what}");
                    }
                    Err(other) => panic!("{what}: {other}"),
                }
            }
        }
        for output in [Output::Pooled, Output::Dense] {
            assert!(entry.fits_output(output).is_ok(), "{name} {}", output.name());
        }
    }
}

#[test]
fn every_row_is_complete_and_its_required_parameters_are_missed_by_name() {
    for entry in CATALOG {
        for text in [entry.doc, entry.formula, entry.divisor, entry.source] {
            assert!(text.len() > 10, "{}", entry.name);
        }
        let head = HEADS.into_iter().find(|head| entry.fits_head(*head).is_ok()).unwrap();
        for parameter in entry.parameters {
            assert!(parameter.range.is_required(), "no policy has a default: {} {}", entry.name, parameter.name);
            let text = refusal::<2>(entry.name, &Parameters::new(), head).to_string();
            let expected = format!("loss `{}` needs parameter `{}`, found none\nhint: ", entry.name, parameter.name);
            assert!(text.starts_with(&expected), "{text}");
        }
    }
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
        "loss `hinton` has no parameter `temprature`, expected temperature\nhint: did you mean `temperature`?"
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
