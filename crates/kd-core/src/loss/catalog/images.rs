//! The rows of the losses between images.

use super::{LossEntry, On, ParameterEntry, Range, Refusal, fits::no_class_head};

const TWO_REFERENCES: Refusal = Refusal {
    reason: "it compares with the truth and with the teacher at once, and a term compares with one of them",
    instead: "use `l1` beside the task's own loss, with weights α and 1 − α",
};

const SUM_MEAN: &str = "sum over channels, mean over valid pixels";

const fn positive(name: &'static str, doc: &'static str) -> ParameterEntry {
    ParameterEntry { name, range: Range::Number { min: 1e-12, max: 1e12, default: None }, doc }
}

const fn row(
    name: &'static str,
    doc: &'static str,
    formula: &'static str,
    divisor: &'static str,
    source: &'static str,
) -> LossEntry {
    LossEntry {
        name,
        on: On::Images,
        doc,
        formula,
        divisor,
        parameters: &[],
        labels: false,
        pooled: false,
        dense: true,
        source,
        not_in_recipes: None,
        fits: no_class_head,
    }
}

/// In the order in which help lists them.
pub(super) const IMAGES: &[LossEntry] = &[
    row(
        "l1",
        "absolute difference to the teacher's or the true image",
        "|x_s − x_r|",
        SUM_MEAN,
        "Zhao et al. 2017, arXiv 1511.08861, equation 3",
    ),
    row(
        "mse",
        "squared difference to the teacher's or the true image",
        "(x_s − x_r)²",
        SUM_MEAN,
        "Zhang et al. 2017, arXiv 1608.03981, equation 1",
    ),
    LossEntry {
        parameters: &[positive(
            "epsilon",
            "the size of a difference, in the images' unit, below which it counts squared",
        )],
        ..row(
            "charbonnier",
            "absolute difference, rounded off near 0",
            "√((x_s − x_r)² + ε²)",
            SUM_MEAN,
            "Lai et al. 2017, arXiv 1704.03915, equation 2",
        )
    },
    LossEntry {
        parameters: &[ParameterEntry {
            name: "alpha",
            range: Range::Number { min: 0.0, max: 1.0, default: None },
            doc: "the share of the teacher; 0.5 is published",
        }],
        not_in_recipes: Some(TWO_REFERENCES),
        ..row(
            "response",
            "absolute differences to truth and teacher, shared by α",
            "(1 − α) |x_s − truth| + α |x_s − x_t|",
            SUM_MEAN,
            "He et al. 2020, FAKD, ICIP, equation 5",
        )
    },
    row(
        "gradient",
        "absolute difference of image gradients",
        "|∇x_s − ∇x_r|, neighbours along each axis",
        "sum over channels, mean over pairs of valid neighbours",
        "Mathieu, Couprie, LeCun 2016, arXiv 1511.05440, equation 6",
    ),
    row(
        "frequency",
        "absolute difference of the Fourier transforms",
        "(|Re F(x_s − x_r)| + |Im F(x_s − x_r)|) / 2",
        "mean over channels and frequencies",
        "Cho et al. 2021, arXiv 2108.05054, equation 5",
    ),
    LossEntry {
        parameters: &[
            positive("range", "the range of the data, in the images' unit"),
            ParameterEntry {
                name: "window",
                range: Range::Number { min: 3.0, max: 63.0, default: None },
                doc: "the window's length along each axis in pixels, an odd whole number; 11 is published",
            },
            positive("sigma", "the window's standard deviation in pixels; 1.5 is published"),
        ],
        ..row(
            "ssim",
            "one minus the structural similarity",
            "1 − (2μ_sμ_r + C₁)(2σ_sr + C₂) / ((μ_s² + μ_r² + C₁)(σ_s² + σ_r² + C₂))",
            "mean over channels and whole valid windows",
            "Wang et al. 2004, equation 13; as a loss: Zhao et al. 2017, arXiv 1511.08861, section III-B",
        )
    },
];
