//! The rows of the losses on features.

use super::{LossEntry, On, ParameterEntry, Range, fits::every_head, rows::temperature};

const PER_SAMPLE: &str = "sum over channels and positions, mean over valid samples";
const NODES: ParameterEntry = ParameterEntry {
    name: "per_axis",
    range: Range::Number { min: 1.0, max: 64.0, default: None },
    doc: "the largest number of nodes along each axis, a whole number: memory grows with its square (its cube in 3D) squared",
};

const LEAST_SHARE: ParameterEntry = ParameterEntry {
    name: "least_share",
    range: Range::Number { min: 0.01, max: 1.0, default: None },
    doc: "the share of a cell of the taps' grid that foreground has to cover for the cell to count as foreground; 0.5 is a vote",
};

const fn row(
    name: &'static str,
    doc: &'static str,
    formula: &'static str,
    divisor: &'static str,
    source: &'static str,
) -> LossEntry {
    LossEntry {
        name,
        on: On::Features,
        doc,
        formula,
        divisor,
        parameters: &[],
        labels: false,
        pooled: true,
        dense: true,
        source,
        not_in_recipes: None,
        fits: every_head,
    }
}

/// In the order in which help lists them.
pub(super) const FEATURES: &[LossEntry] = &[
    row(
        "hint",
        "half the squared distance of features, student's side through a projection",
        "½ ‖F_t − P(F_s)‖²",
        PER_SAMPLE,
        "Romero et al. 2015, arXiv 1412.6550, equation 3",
    ),
    LossEntry {
        parameters: &[ParameterEntry {
            name: "masked",
            range: Range::Number { min: 0.0, max: 0.95, default: None },
            doc: "the share of positions that the student must fill in; 0.75 is published for segmentation, 0.65 for detection",
        }],
        ..row(
            "mgd",
            "squared distance of features that the student generates from what a mask leaves of its own",
            "‖F_t − G(M ⊙ F_s)‖²",
            PER_SAMPLE,
            "Yang et al. 2022, arXiv 2205.01529, equation 4",
        )
    },
    LossEntry {
        parameters: &[ParameterEntry {
            name: "power",
            range: Range::Choice { options: &["2", "4"], default: None },
            doc: "the power p of the activations; 4 looks at peaks",
        }],
        pooled: false,
        ..row(
            "attention-transfer",
            "squared distance of normalised attention maps: where a network is active",
            "‖Q_s/‖Q_s‖ − Q_t/‖Q_t‖‖²,  Q = mean over channels of F^p",
            "sum over positions, mean over valid samples",
            "Zagoruyko and Komodakis 2017, arXiv 1612.03928, equation 2",
        )
    },
    row(
        "similarity-preserving",
        "distance of the Gram matrices over samples, rows normalised",
        "‖G_s − G_t‖²,  G = A Aᵀ with rows of length 1",
        "N² for N valid samples",
        "Tung and Mori 2019, arXiv 1907.09682, equations 1 to 4",
    ),
    row(
        "relation-distance",
        "Huber distance of the distances between samples, each side divided by its mean",
        "Σ_ij h(d_s,ij/μ_s − d_t,ij/μ_t)",
        "N² for N valid samples",
        "Park et al. 2019, arXiv 1904.05068, equations 5 to 8",
    ),
    row(
        "relation-angle",
        "Huber distance of the cosines of the angles between triples of samples",
        "Σ_ijk h(cos_s − cos_t)",
        "N³ for N valid samples",
        "Park et al. 2019, arXiv 1904.05068, equations 9 to 11",
    ),
    row(
        "pkd",
        "one minus Pearson's correlation of each channel",
        "1 − ρ over samples and positions",
        "mean over channels",
        "Cao et al. 2022, arXiv 2207.02039, equations 2 to 5",
    ),
    row(
        "hierarchical-context",
        "ReviewKD: squared distance at full size and on grids of 4, 2 and 1 nodes an axis",
        "Σ_l w_l mean (F_s − F_t)² / Σ_l w_l,  w = 1, ½, ¼, ⅛",
        "mean over channels, samples and positions of a level; sum of the weights",
        "Chen et al. 2021, arXiv 2104.09044, section 3.3",
    ),
    row(
        "vid",
        "negative log-likelihood of the teacher's features under a Gaussian that the student predicts",
        "½ (t − μ)²/σ_c² + ½ ln σ_c²",
        "mean over channels and valid positions",
        "Ahn et al. 2019, arXiv 1904.05835, equations 3 and 5",
    ),
    LossEntry {
        parameters: &[temperature("temperature", "the number τ that divides cosines; 0.07 is published")],
        ..row(
            "in-batch-contrast",
            "CRD within a batch: a sample's embedding finds its own partner among all, both ways",
            "−½ Σ_i log softmax_j(s_i·t_j/τ)_i − ½ Σ_i log softmax_j(s_j·t_i/τ)_i",
            "valid samples",
            "Tian et al. 2020, arXiv 1910.10699; in-batch form of van den Oord et al. 2018, arXiv 1807.03748, equation 4",
        )
    },
    LossEntry {
        parameters: &[
            ParameterEntry {
                name: "norm",
                range: Range::Choice { options: &["squared", "absolute"], default: None },
                doc: "how affinities are compared: squared for segmentation, absolute for restoration (FAKD)",
            },
            NODES,
        ],
        pooled: false,
        ..row(
            "pair-affinity",
            "difference of the cosines between all pairs of nodes of an image",
            "Σ_ij |a_s,ij − a_t,ij|^q,  a = cosine of nodes i and j, q = 2 or 1",
            "pairs of valid nodes, images",
            "Liu et al. 2019, arXiv 1903.04197, equation 2; He et al. 2020, FAKD, ICIP, equations 1 and 2",
        )
    },
    LossEntry {
        parameters: &[LEAST_SHARE],
        labels: true,
        pooled: false,
        ..row(
            "ifvd",
            "squared difference of the cosines between pixels and the mean of their class",
            "(m_s,i − m_t,i)²,  m_i = cos(f_i, mean of class y_i)",
            "valid labelled positions",
            "Wang et al. 2020, ECCV, Intra-class Feature Variation Distillation, equations 1 to 3",
        )
    },
    LossEntry {
        parameters: &[LEAST_SHARE],
        labels: true,
        pooled: false,
        ..row(
            "region-affinity",
            "EMKD: squared difference of the cosines between mean features of regions",
            "(cos(c_s,k, c_s,l) − cos(c_t,k, c_t,l))² over pairs of classes",
            "pairs of classes present in an image",
            "Qin et al. 2021, arXiv 2108.09987, section III-C",
        )
    },
    LossEntry {
        parameters: &[temperature("temperature", "the number τ that divides cosines; 0.1 is published"), NODES],
        pooled: false,
        ..row(
            "cross-image",
            "CIRKD within a batch: divergence of each node's similarities to the nodes of each image",
            "KL(softmax(S_t,ij/τ) ‖ softmax(S_s,ij/τ)) by rows",
            "valid nodes, pairs of images; no τ²",
            "Yang et al. 2022, arXiv 2204.06986, equations 4 to 6",
        )
    },
];
