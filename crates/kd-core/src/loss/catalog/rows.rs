//! The rows of the losses on logits: what help prints and what recipes are checked against.

use super::{
    LossEntry, On, ParameterEntry, Range,
    fits::{bernoulli_only, class_labels, every_head, softmax_only, three_classes},
};
use crate::temperature::Temperature;

const MEAN: &str = "sum over classes, mean over valid samples or pixels";
const MEAN_TAU: &str = "sum over classes, mean over valid samples or pixels, times τ²";

pub(super) const fn temperature(name: &'static str, doc: &'static str) -> ParameterEntry {
    ParameterEntry { name, range: Range::Number { min: Temperature::MIN, max: Temperature::MAX, default: None }, doc }
}

const fn number(name: &'static str, min: f64, max: f64, doc: &'static str) -> ParameterEntry {
    ParameterEntry { name, range: Range::Number { min, max, default: None }, doc }
}

const TEMPERATURE: ParameterEntry =
    temperature("temperature", "the number τ that divides both sides' logits; 1 does not soften, 2 to 6 is usual");

/// Off unless asked for: a transform, not a policy.
const STANDARDIZE: ParameterEntry = ParameterEntry {
    name: "standardize",
    range: Range::Flag { default: Some(false) },
    doc: "whether mean and standard deviation over the classes are taken off both sides first (Sun et al. 2024, arXiv \
          2403.01427); softmax heads of 3 or more classes",
};

/// Off unless asked for.
const PIXELS: ParameterEntry = ParameterEntry {
    name: "pixels",
    range: Range::Choice { options: &["all", "class-balanced", "foreground-balanced"], default: Some("all") },
    doc: "how samples or pixels are weighted by their label within the mean: all alike, each class the same in sum, or \
          background and everything else the same in sum",
};

/// In the order in which help lists them.
pub(super) const LOGITS: &[LossEntry] = &[
    LossEntry {
        name: "hinton",
        on: On::Logits,
        doc: "Kullback-Leibler divergence of the student's softened softmax from the teacher's; 0 where they agree",
        formula: "Σ_k p_t (log p_t − log p_s),  p = softmax(z / τ)",
        divisor: MEAN_TAU,
        parameters: &[TEMPERATURE, STANDARDIZE, PIXELS],
        labels: false,
        pooled: true,
        dense: true,
        source: "Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2",
        not_in_recipes: None,
        fits: softmax_only,
    },
    LossEntry {
        name: "soft-cross-entropy",
        on: On::Logits,
        doc: "cross-entropy against the teacher's softened softmax: hinton plus the teacher's entropy, equal gradient",
        formula: "−Σ_k p_t log p_s,  p = softmax(z / τ)",
        divisor: MEAN_TAU,
        parameters: &[TEMPERATURE, STANDARDIZE, PIXELS],
        labels: false,
        pooled: true,
        dense: true,
        source: "Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2",
        not_in_recipes: None,
        fits: softmax_only,
    },
    LossEntry {
        name: "bernoulli",
        on: On::Logits,
        doc: "Kullback-Leibler divergence of yes/no answers, both halves: one channel, several labels, ordered classes",
        formula: "Σ_l q log(q/p) + (1−q) log((1−q)/(1−p)),  q = σ(z_t / τ), p = σ(z_s / τ)",
        divisor: MEAN_TAU,
        parameters: &[TEMPERATURE, PIXELS],
        labels: false,
        pooled: true,
        dense: true,
        source: "Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2, for two outcomes",
        not_in_recipes: None,
        fits: bernoulli_only,
    },
    LossEntry {
        name: "logit-mse",
        on: On::Logits,
        doc: "half the squared distance between logits, centered over the classes or not (not on yes/no heads)",
        formula: "½ Σ_k (z_s − z_t)²",
        divisor: MEAN,
        parameters: &[
            ParameterEntry {
                name: "centered",
                range: Range::Flag { default: None },
                doc: "whether the mean over classes is taken off first; true for softmax-invariance, false on yes/no heads",
            },
            PIXELS,
        ],
        labels: false,
        pooled: true,
        dense: true,
        source: "Ba and Caruana 2014, arXiv 1312.6184, equation 1",
        not_in_recipes: None,
        fits: every_head,
    },
    LossEntry {
        name: "dkd",
        on: On::Logits,
        doc: "decoupled: divergence of target against the rest, and of the other classes among themselves, weighted apart",
        formula: "α TCKD + β NCKD;  KL = TCKD + (1 − p_t,y) NCKD",
        divisor: MEAN_TAU,
        parameters: &[
            TEMPERATURE,
            number("alpha", 0.0, 1000.0, "the weight of the target-class term; 1 is published"),
            number("beta", 0.0, 1000.0, "the weight of the non-target term; 0.5 to 8 is published"),
            STANDARDIZE,
            PIXELS,
        ],
        labels: true,
        pooled: true,
        dense: true,
        source: "Zhao et al. 2022, arXiv 2203.08679, equations 5 to 7 and 10",
        not_in_recipes: None,
        fits: three_classes,
    },
    LossEntry {
        name: "nkd",
        on: On::Logits,
        doc: "normalised: the label's log-probability weighted by the teacher's, and cross-entropy among the other classes",
        formula: "−p_t,y log p_s,y − γ τ² Σ_{k≠y} p̂_t log p̂_s,  p̂ = softmax(z / τ) without y",
        divisor: "sum over classes, mean over valid samples or pixels; τ² on the second term only",
        parameters: &[
            TEMPERATURE,
            number("gamma", 0.0, 1000.0, "the weight of the non-target term; 1.5 is published"),
            PIXELS,
        ],
        labels: true,
        pooled: true,
        dense: true,
        source: "Yang et al. 2023, arXiv 2303.13005, equation 8",
        not_in_recipes: None,
        fits: three_classes,
    },
    LossEntry {
        name: "dist",
        on: On::Logits,
        doc: "one minus the correlation with the teacher: over classes per sample (inter), over samples per class (intra)",
        formula: "β (1 − ρ over classes) + γ (1 − ρ over samples or pixels),  of p = softmax(z / τ), σ(z / τ) on yes/no heads",
        divisor: "inter: mean over valid samples or pixels; intra: mean over classes; both times τ²",
        parameters: &[
            TEMPERATURE,
            number(
                "inter",
                0.0,
                1000.0,
                "the weight β of the inter-class term; 0 unless a softmax has 3 or more classes",
            ),
            number("intra", 0.0, 1000.0, "the weight γ of the intra-class term"),
        ],
        labels: false,
        pooled: true,
        dense: true,
        source: "Huang et al. 2022, arXiv 2205.10536, equations 8 to 10",
        not_in_recipes: None,
        fits: every_head,
    },
    LossEntry {
        name: "multi-level",
        on: On::Logits,
        doc: "hinton at several temperatures, and the distance of Gram matrices over samples and over classes",
        formula: "Σ_τ τ² KL + ‖P_s P_sᵀ − P_t P_tᵀ‖² / N + ‖P_sᵀ P_s − P_tᵀ P_t‖² / K,  P = softmax(z / τ)",
        divisor: "KL: mean over valid samples, times τ²; relations: valid samples N and classes K; summed over τ",
        parameters: &[
            number("lowest", 1.0, 100.0, "the lowest temperature, a whole number; 2 is published"),
            number("highest", 1.0, 100.0, "the highest temperature, a whole number; 6 is published"),
            STANDARDIZE,
        ],
        labels: false,
        pooled: true,
        dense: false,
        source: "Jin, Wang, Lin 2023, CVPR, Multi-Level Logit Distillation, equations 3, 6, 8",
        not_in_recipes: None,
        fits: softmax_only,
    },
    LossEntry {
        name: "virtual-teacher",
        on: On::Logits,
        doc: "control: hinton against a teacher made up from the label, which knows nothing of the true teacher",
        formula: "KL to softmax(ln p_v / τ),  p_v = a at the label, (1−a)/(K−1) elsewhere",
        divisor: MEAN_TAU,
        parameters: &[
            TEMPERATURE,
            number("probability", 0.0, 1.0, "the probability a of the label, above 0 and below 1; 0.9 is published"),
        ],
        labels: true,
        pooled: true,
        dense: true,
        source: "Yuan et al. 2020, arXiv 1909.11723, section 4.2",
        not_in_recipes: None,
        fits: softmax_only,
    },
    LossEntry {
        name: "channel-wise",
        on: On::Logits,
        doc: "divergence of the distributions over pixels, channel by channel: where a class is, not which class is there",
        formula: "Σ_i φ_t (log φ_t − log φ_s),  φ = softmax over the valid pixels of one image of z / τ",
        divisor: "mean over channels and images, times τ²",
        parameters: &[TEMPERATURE, PIXELS],
        labels: false,
        pooled: false,
        dense: true,
        source: "Shu et al. 2021, arXiv 2011.13256, equations 3 to 5",
        not_in_recipes: None,
        fits: every_head,
    },
    LossEntry {
        name: "boundary",
        on: On::Logits,
        doc: "hinton, or bernoulli on one channel, with more weight on pixels near another class",
        formula: "w KL,  w = factor within `radius` pixels of another label, 1 elsewhere",
        divisor: "sum over classes, mean over valid pixels weighted by w, times τ²",
        parameters: &[
            TEMPERATURE,
            number("radius", 1.0, 64.0, "the reach of a border in pixels along each axis, a whole number"),
            number("factor", 0.001, 1000.0, "how often a pixel at a border counts"),
        ],
        labels: true,
        pooled: false,
        dense: true,
        source: "Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2; the weights are ours",
        not_in_recipes: None,
        fits: class_labels,
    },
    LossEntry {
        name: "adaptive-hinton",
        on: On::Logits,
        doc: "hinton with a temperature per sample or pixel, higher where the teacher is sure",
        formula: "τ_i² KL_i,  τ_i = lowest + (highest − lowest) · certainty of the teacher",
        divisor: "sum over classes, mean over valid samples or pixels, τ_i² inside the mean",
        parameters: &[
            temperature("lowest", "the temperature where the teacher's answer is even"),
            temperature("highest", "the temperature where the teacher is certain"),
            ParameterEntry {
                name: "certainty",
                range: Range::Choice { options: &["entropy", "confidence"], default: None },
                doc: "what certain means: 1 − entropy / ln K, or the largest probability rescaled from 1/K..1 to 0..1",
            },
            PIXELS,
        ],
        labels: false,
        pooled: true,
        dense: true,
        source: "Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2; the rule for τ is ours",
        not_in_recipes: None,
        fits: softmax_only,
    },
    LossEntry {
        name: "scheduled-hinton",
        on: On::Logits,
        doc: "hinton with a temperature that goes straight, or along a cosine, from start to end over the first epochs",
        formula: "Σ_k p_t (log p_t − log p_s),  p = softmax(z / τ(epoch))",
        divisor: MEAN_TAU,
        parameters: &[
            temperature("start", "the temperature of the first epoch"),
            temperature("end", "the temperature of the last epoch of the change and of all after it"),
            number("epochs", 1.0, 100_000.0, "the number of epochs until `end` is reached, a whole number"),
            ParameterEntry {
                name: "shape",
                range: Range::Choice { options: &["linear", "cosine"], default: None },
                doc: "how the temperature goes from start to end",
            },
            STANDARDIZE,
            PIXELS,
        ],
        labels: false,
        pooled: true,
        dense: true,
        source: "Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2; Jafari et al. 2021, arXiv 2104.07163, section 3",
        not_in_recipes: None,
        fits: softmax_only,
    },
    LossEntry {
        name: "curriculum",
        on: On::Logits,
        doc: "CTKD: hinton with a temperature that is learned against the student, slowly at first",
        formula: "Σ_k p_t (log p_t − log p_s),  p = softmax(z / τ),  τ = start + range σ(θ), gradient of θ times −λ",
        divisor: MEAN_TAU,
        parameters: &[ParameterEntry {
            name: "reversal_epochs",
            range: Range::Number { min: 1.0, max: 10000.0, default: None },
            doc: "the epochs until the temperature moves against the student with full strength, a whole number; 10 is published",
        }],
        labels: false,
        pooled: true,
        dense: true,
        source: "Li et al. 2023, arXiv 2211.16231, equations 3 to 7",
        not_in_recipes: None,
        fits: softmax_only,
    },
];
