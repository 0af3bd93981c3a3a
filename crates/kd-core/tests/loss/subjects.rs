//! The property table: every later loss, and what must hold of it, as data. Tests run over all rows.
//!
//! A `No` has its reason beside it, and the tests check that it is really one: a property that a loss turns out to have
//! is a mistake in the table.

use burn::tensor::{Int, Tensor};
use kd_core::Head;
use kd_core::loss::{Beside, Parameters, build};

/// Whether a property holds.
#[derive(Clone, Copy)]
pub(crate) enum Cell {
    /// It holds.
    Yes,
    /// It does not, for this reason.
    No(&'static str),
    /// It cannot be asked, for this reason.
    Moot(&'static str),
}

pub(crate) use Cell::{Moot, No, Yes};

/// What a loss is computed from in the tests: `[batch, channel, height, width]`, labels `[batch, 1, height, width]`.
pub(crate) type Run = Box<dyn Fn(Tensor<4>, Beside<4>) -> Tensor<1>>;

/// One row.
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) dims: [usize; 4],
    pub(crate) run: Run,
    /// The loss is 0 where student and teacher are equal.
    pub(crate) zero: Cell,
    /// Its gradient is 0 there.
    pub(crate) zero_gradient: Cell,
    /// Adding one number to everything of the student changes nothing.
    pub(crate) shift: Cell,
    /// Multiplying everything of the student by one positive number changes nothing.
    pub(crate) scale: Cell,
    /// Turning the student's channels by an orthogonal matrix changes nothing.
    pub(crate) rotation: Cell,
    /// The order of samples does not matter.
    pub(crate) samples: Cell,
    /// The order of pixels does not matter.
    pub(crate) pixels: Cell,
    /// Masking a row of pixels (or a sample, where there is one pixel) is the same as cutting it off.
    pub(crate) removal: Cell,
}

/// A row with the answers that most losses on softmax logits give.
fn logit_row(name: &str, dims: [usize; 4], run: Run) -> Subject {
    let channels = No("a softmax is over these channels, not over a turned basis");
    Subject {
        name: name.into(),
        dims,
        run,
        zero: Yes,
        zero_gradient: Yes,
        shift: Yes,
        scale: No("how sure a softmax is grows with its logits"),
        rotation: channels,
        samples: Yes,
        pixels: Yes,
        removal: Yes,
    }
}

fn from_recipe(name: &'static str, parameters: Parameters, dims: [usize; 4]) -> Subject {
    let head = if dims[1] == 1 { Head::OneChannel } else { Head::softmax(dims[1]).expect("2 classes or more") };
    if dims[2] * dims[3] > 1 {
        let loss = build::<4>(name, &parameters, head).expect("valid");
        return logit_row(name, dims, Box::new(move |student, beside| loss.evaluate(student, beside)));
    }
    let loss = build::<2>(name, &parameters, head).expect("valid");
    let run: Run = Box::new(move |student: Tensor<4>, beside| {
        let pooled = |t: Tensor<4>| -> Tensor<2> { t.flatten::<2>(1, 3) };
        let pooled_labels = |t: Tensor<4, Int>| -> Tensor<2, Int> { t.flatten::<2>(1, 3) };
        let flat = Beside::new(pooled(beside.teacher))
            .with_mask(beside.mask.map(pooled))
            .with_labels(beside.labels.map(pooled_labels));
        loss.evaluate(pooled(student), flat)
    });
    Subject { pixels: Moot("one answer per sample"), ..logit_row(name, dims, run) }
}

const MAP: [usize; 4] = [3, 4, 3, 2];

/// Losses on logits that recipes can name.
pub(crate) fn logit_losses(temperature: f64) -> Vec<Subject> {
    let tau = || Parameters::new().with("temperature", temperature);
    let dkd = || tau().with("alpha", 1.0).with("beta", 4.0);
    let standardized = |row: Subject| Subject { name: format!("{} standardised", row.name), scale: Yes, ..row };
    let label = "the label's class is named, so a class keeps its meaning";
    vec![
        from_recipe("dkd", dkd(), MAP),
        from_recipe("dkd", dkd(), [5, 4, 1, 1]),
        standardized(from_recipe("dkd", dkd().with("standardize", true), MAP)),
        standardized(from_recipe("hinton", tau().with("standardize", true), MAP)),
        Subject {
            zero: No("cross-entropies: their floor is the teacher's entropy"),
            zero_gradient: No("the target term pulls the label's probability to 1 whatever the teacher says"),
            rotation: No(label),
            ..from_recipe("nkd", tau().with("gamma", 1.5), MAP)
        },
        Subject {
            rotation: No("probabilities are compared, not logits"),
            ..from_recipe("dist", tau().with("inter", 2.0).with("intra", 1.0), MAP)
        },
        Subject {
            shift: No("a sigmoid sees the number itself"),
            rotation: No("one channel can only be turned to its negative"),
            ..from_recipe("dist", tau().with("inter", 0.0).with("intra", 1.0), [3, 1, 3, 2])
        },
        from_recipe("multi-level", Parameters::new().with("lowest", 2.0).with("highest", 4.0), [5, 4, 1, 1]),
        Subject {
            zero: No("the true teacher is not looked at"),
            zero_gradient: No("the true teacher is not looked at"),
            ..from_recipe("virtual-teacher", tau().with("probability", 0.9), MAP)
        },
        Subject { rotation: No("a channel is a distribution of its own"), ..from_recipe("channel-wise", tau(), MAP) },
        Subject {
            rotation: No("a channel is a distribution of its own"),
            ..from_recipe("channel-wise", tau(), [3, 1, 3, 2])
        },
        Subject {
            pixels: No("which pixels lie at a border depends on their places"),
            removal: Moot("cutting pixels off moves the border of the image; masked pixels make none either way"),
            ..from_recipe("boundary", tau().with("radius", 1.0).with("factor", 3.0), [2, 3, 4, 5])
        },
        from_recipe("hinton", tau().with("pixels", "class-balanced"), MAP),
        from_recipe("hinton", tau().with("pixels", "foreground-balanced"), MAP),
        from_recipe("adaptive-hinton", adaptive("entropy"), MAP),
        from_recipe("adaptive-hinton", adaptive("confidence"), MAP),
        from_recipe("scheduled-hinton", scheduled(temperature), MAP),
        from_recipe("curriculum", Parameters::new().with("reversal_epochs", 4.0), MAP),
    ]
}

fn adaptive(certainty: &str) -> Parameters {
    Parameters::new().with("lowest", 1.5).with("highest", 5.0).with("certainty", certainty)
}

fn scheduled(temperature: f64) -> Parameters {
    Parameters::new().with("start", temperature).with("end", 2.0).with("epochs", 5.0).with("shape", "cosine")
}
