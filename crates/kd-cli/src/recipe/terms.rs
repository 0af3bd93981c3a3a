//! One term of an arm: weight, ramp and parameters, given one by one or by the name of a published setting.

use anyhow::{Context, Result, bail};
use kd_core::loss::{self, Parameters, Sizes};
use kd_core::{Ramp, Weight};

use super::{RampShape, TermTable};

/// The name of the hard-label loss in a recipe.
pub(crate) const TASK: &str = "task";

/// One term as the recipe has it.
pub(crate) struct ArmTerm {
    pub(crate) table: TermTable,
    pub(crate) weight: Weight,
    pub(crate) ramp: Ramp,
    pub(crate) parameters: Parameters,
    pub(crate) smoothing: f64,
    /// The student's tap and the teacher's, of a loss on features.
    pub(crate) taps: Option<[String; 2]>,
    /// Measured from the truth instead of the teacher's answer.
    pub(crate) against_truth: bool,
}

/// Reads a term; `sizes` translate a published weight.
pub(super) fn term_of(table: &TermTable, sizes: Sizes) -> Result<ArmTerm> {
    let mut parameters = Parameters::new();
    let (mut smoothing, mut against_truth) = (0.0, false);
    for (key, value) in &table.parameters {
        let value = TermTable::value(value)
            .with_context(|| format!("`{key}` is {value}, expected a number, a flag or a text"))?;
        match (table.loss.as_str(), key.as_str(), &value) {
            (TASK, "smoothing", loss::Value::Number(number)) => smoothing = *number,
            (TASK, ..) => bail!("`{key}` = {value} is not known to the task loss, expected `smoothing` or nothing"),
            (_, "against", loss::Value::Text(what)) if what == "truth" => against_truth = true,
            (_, "against", loss::Value::Text(what)) if what == "teacher" => {}
            (_, "against", _) => bail!("`against` = {value}, expected \"teacher\" or \"truth\""),
            _ => {
                parameters.0.insert(key.clone(), value);
            }
        }
    }
    if let (Some(_), Some(other)) =
        (table.share, table.weight.map(|_| "weight").or(table.published.as_ref().map(|_| "published")))
    {
        bail!("`share` is set beside `{other}`, which says how much the term counts, too\nhint: leave one of them out");
    }
    let fixed = table.share.map(Weight::Share).or(table.weight.map(Weight::Fixed));
    let (weight, ramp_epochs) = match (&table.published, fixed) {
        (None, Some(weight)) => (weight, table.ramp_epochs),
        (None, None) => bail!(
            "`weight` is missing, expected a number\nhint: or name a `published` setting, or a `share` of the gradient"
        ),
        (Some(name), None) => {
            let preset = loss::find_published(&table.loss, name)?;
            let settled = preset.parameters().0;
            if let Some(key) = settled.keys().find(|key| parameters.0.contains_key(*key)) {
                bail!(
                    "`{key}` is set, but the published setting `{name}` says what it is\nhint: leave one of them out"
                );
            }
            if table.ramp_epochs.is_some() {
                bail!(
                    "`ramp_epochs` is set, but the published setting `{name}` says what it is\nhint: leave one of them out"
                );
            }
            parameters.0.extend(settled);
            (preset.weight_here(sizes).into(), Some(preset.ramp_epochs).filter(|epochs| *epochs > 0))
        }
        (Some(name), Some(_)) => {
            bail!("`weight` is set beside the published setting `{name}`, which has one\nhint: leave one of them out")
        }
    };
    let ramp = match (ramp_epochs, table.ramp_shape) {
        (None, None) => stage_of(table)?,
        _ if table.epochs.is_some() => bail!("`epochs` is set beside a ramp, expected one or the other"),
        (None, Some(_)) => bail!("`ramp_shape` is set without `ramp_epochs`"),
        (Some(0), _) => bail!("`ramp_epochs` is 0, expected 1 or more\nhint: leave it out for the full weight at once"),
        (Some(epochs), None | Some(RampShape::Linear)) => Ramp::Linear { epochs },
        (Some(epochs), Some(RampShape::Sigmoid)) => Ramp::Sigmoid { epochs },
    };
    let taps = taps_of(table, against_truth)?;
    if let (Some(_), Some(exit)) = (&taps, &table.exit) {
        bail!(
            "`exit` = \"{exit}\" is set beside taps, expected one or the other: an exit gives answers, taps are features"
        );
    }
    Ok(ArmTerm { table: table.clone(), weight, ramp, parameters, smoothing, taps, against_truth })
}

/// The epochs in which a term counts.
fn stage_of(table: &TermTable) -> Result<Ramp> {
    match table.epochs {
        None => Ok(Ramp::None),
        Some([first, last]) if 1 <= first && first <= last => Ok(Ramp::Stage { first: first - 1, last: last - 1 }),
        Some(found) => bail!("`epochs` is {found:?}, expected the first and the last epoch, counted from 1"),
    }
}

/// The pair of taps of a loss on features; both or none.
fn taps_of(table: &TermTable, against_truth: bool) -> Result<Option<[String; 2]>> {
    let taps = match (&table.student_tap, &table.teacher_tap) {
        (None, None) => return Ok(None),
        (Some(student), Some(teacher)) => [student.clone(), teacher.clone()],
        _ => bail!("one of `student_tap` and `teacher_tap` is missing, expected both, or none for a loss on answers"),
    };
    if table.loss == TASK {
        bail!("`student_tap` is set, which the task loss does not know\nhint: leave both taps out");
    }
    if against_truth {
        bail!("`against` = \"truth\" is set beside taps, expected \"teacher\": the truth has no features");
    }
    Ok(Some(taps))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { samples: 32, classes: 4, pixels: 1 };

    fn term(text: &str) -> Result<ArmTerm> {
        term_of(&toml::from_str(text)?, SIZES)
    }

    fn refused(text: &str) -> String {
        format!("{:#}", term(text).err().expect("refused"))
    }

    #[test]
    fn a_published_setting_gives_weight_parameters_and_ramp() {
        let found = term("loss = 'dkd'\npublished = 'mdistiller-cifar'").unwrap();
        assert_eq!((found.weight, found.ramp), (Weight::Fixed(1.0), Ramp::Linear { epochs: 20 }));
        assert_eq!(found.parameters, Parameters::new().with("temperature", 4.0).with("alpha", 1.0).with("beta", 8.0));
        // A mean over samples and classes of twice our term: 0.1 · 2 / 4.
        let translated = term("loss = 'logit-mse'\npublished = 'kd-zoo'").unwrap().weight;
        assert!(matches!(translated, Weight::Fixed(weight) if (weight - 0.05).abs() < 1e-12), "{translated}");
    }

    #[test]
    fn what_a_published_setting_says_cannot_be_said_again() {
        let preset = "loss = 'dkd'\npublished = 'mdistiller-cifar'\n";
        for key in ["weight = 1.0", "beta = 2.0", "ramp_epochs = 3"] {
            let name = key.split(' ').next().unwrap();
            assert!(refused(&format!("{preset}{key}")).starts_with(&format!("`{name}` is set")), "{key}");
        }
        assert!(refused("loss = 'dkd'\npublished = 'nobody'").contains("expected one of mdistiller-cifar"));
        assert!(refused("loss = 'dkd'").starts_with("`weight` is missing"));
    }

    #[test]
    fn a_share_stands_instead_of_a_weight() {
        assert_eq!(term("loss = 'hinton'\nshare = 0.3").unwrap().weight, Weight::Share(0.3));
        for other in ["weight = 1.0", "published = 'hinton-2015'"] {
            let name = other.split(' ').next().unwrap();
            let text = refused(&format!("loss = 'hinton'\nshare = 0.3\n{other}"));
            assert!(text.starts_with(&format!("`share` is set beside `{name}`")), "{text}");
        }
    }

    #[test]
    fn a_ramp_has_a_length_and_a_shape() {
        let ramp = |keys: &str| term(&format!("loss = 'hinton'\nweight = 0.5\n{keys}")).map(|term| term.ramp);
        assert_eq!(ramp("").unwrap(), Ramp::None);
        assert_eq!(ramp("ramp_epochs = 3").unwrap(), Ramp::Linear { epochs: 3 });
        assert_eq!(ramp("ramp_epochs = 3\nramp_shape = 'sigmoid'").unwrap(), Ramp::Sigmoid { epochs: 3 });
        assert!(ramp("ramp_epochs = 0").is_err() && ramp("ramp_shape = 'linear'").is_err());
        assert_eq!(ramp("epochs = [1, 4]").unwrap(), Ramp::Stage { first: 0, last: 3 });
        assert!(["[0, 4]", "[3, 2]"].iter().all(|epochs| ramp(&format!("epochs = {epochs}")).is_err()));
        assert!(ramp("epochs = [1, 4]\nramp_epochs = 2").is_err());
        assert!(ramp("ramp_epochs = 3\nramp_shape = 'sudden'").is_err());
    }
}
