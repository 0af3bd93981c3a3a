//! The rows of the property table for features and images, and what the taps are asked.

use burn::tensor::{DType, Device, Tensor};
use kd_core::loss::{
    feature::{
        AffinityNorm, AttentionTransfer, CrossImage, FeatureLoss, FitNetHint, GeneratedFeatures, HierarchicalContext,
        InBatchContrast, IntraClassVariation, PairAffinity, PearsonFeatures, RegionAffinity, RelationAngle,
        RelationDistance, SimilarityPreserving, variational_information,
    },
    image::{SsimWindow, charbonnier, frequency_l1, gradient_l1, l1, mse, one_minus_ssim},
};

use crate::subjects::{Moot, No, Run, Subject, Yes};
use crate::tensors::{tau, tensor};

const MAP: [usize; 4] = [4, 3, 4, 5];

/// A row with the answers that a plain distance between features gives.
fn row(name: &str, dims: [usize; 4], run: Run) -> Subject {
    Subject {
        name: name.into(),
        dims,
        run,
        zero: Yes,
        zero_gradient: Yes,
        shift: No("the features themselves are compared"),
        scale: No("the features themselves are compared"),
        rotation: No("channel is compared with channel"),
        samples: Yes,
        pixels: Yes,
        removal: Yes,
    }
}

fn feature(loss: impl FeatureLoss<4> + 'static) -> Subject {
    row(FeatureLoss::<4>::name(&loss), MAP, Box::new(move |student, beside| loss.evaluate(student, beside)))
}

/// Rows whose pooled grid or divisor depends on where pixels are and how many there are.
fn on_a_grid(subject: Subject) -> Subject {
    Subject {
        pixels: No("neighbours are pooled together"),
        removal: No("cutting pixels off moves the grid"),
        ..subject
    }
}

/// Angles only: turned, scaled or not is the same.
fn of_angles(subject: Subject) -> Subject {
    Subject { shift: No("the origin matters to an angle between features"), scale: Yes, rotation: Yes, ..subject }
}

/// Name of every loss on features, and whether it needs labels.
pub(crate) fn names_and_labels() -> Vec<(&'static str, bool)> {
    let losses: Vec<Box<dyn FeatureLoss<4>>> = vec![
        Box::new(FitNetHint),
        Box::new(GeneratedFeatures),
        Box::new(AttentionTransfer::squares()),
        Box::new(SimilarityPreserving),
        Box::new(RelationDistance),
        Box::new(RelationAngle),
        Box::new(PearsonFeatures),
        Box::new(HierarchicalContext),
        Box::new(InBatchContrast::new(tau(0.2))),
        Box::new(PairAffinity::new(AffinityNorm::Squared, 2)),
        Box::new(IntraClassVariation::new(3)),
        Box::new(RegionAffinity::new(3)),
        Box::new(CrossImage::new(tau(0.5), 3)),
    ];
    losses.iter().map(|loss| (loss.name(), loss.needs_labels())).collect()
}

pub(crate) fn feature_losses() -> Vec<Subject> {
    let squared = || PairAffinity::new(AffinityNorm::Squared, 2);
    vec![
        feature(FitNetHint),
        feature(GeneratedFeatures),
        Subject {
            scale: Yes,
            rotation: Yes,
            shift: No("the sum of squares has an origin"),
            ..feature(AttentionTransfer::squares())
        },
        Subject {
            scale: Yes,
            shift: No("the sum of powers has an origin"),
            rotation: No("a sum of fourth powers depends on the axes"),
            ..feature(AttentionTransfer::fourth_powers())
        },
        of_angles(feature(SimilarityPreserving)),
        Subject { shift: Yes, scale: Yes, rotation: Yes, ..feature(RelationDistance) },
        Subject { shift: Yes, scale: Yes, rotation: Yes, ..feature(RelationAngle) },
        Subject { shift: Yes, scale: Yes, ..feature(PearsonFeatures) },
        on_a_grid(of_angles(feature(squared()))),
        Subject {
            zero_gradient: Moot("an absolute value has no derivative where the affinities agree"),
            ..of_angles(feature(PairAffinity::new(AffinityNorm::Absolute, 8)))
        },
        of_angles(feature(IntraClassVariation::new(3))),
        of_angles(feature(RegionAffinity::new(3))),
        on_a_grid(of_angles(feature(CrossImage::new(tau(0.5), 3)))),
        Subject { rotation: No("channels are compared one by one"), ..on_a_grid(feature(HierarchicalContext)) },
        Subject {
            zero: No("a cross-entropy over the batch has a floor above 0"),
            zero_gradient: No("embeddings are pushed away from other samples'"),
            shift: No("the origin matters to an angle between embeddings"),
            scale: Yes,
            ..feature(InBatchContrast::new(tau(0.2)))
        },
        Subject {
            zero: No("the logarithm of the variance stays"),
            ..row(
                "vid",
                MAP,
                Box::new(|student: Tensor<4>, beside| {
                    let variance = tensor::<1>(&[0.5, 1.0, 4.0], [3], student.dtype());
                    variational_information(student, variance, beside.teacher, beside.mask)
                }),
            )
        },
    ]
}

pub(crate) fn image_losses() -> Vec<Subject> {
    const IMAGE: [usize; 4] = [2, 2, 7, 6];
    let absolute = "sums of absolute values have no derivative where the images agree; Burn takes 0";
    let places = |subject: Subject| Subject { pixels: No("it looks at neighbours"), ..subject };
    let window = SsimWindow { size: 3, sigma: 1.0 };
    vec![
        Subject {
            zero_gradient: Moot(absolute),
            ..row("l1", IMAGE, Box::new(|student, beside| l1(student, beside.teacher, beside.mask)))
        },
        row("mse", IMAGE, Box::new(|student, beside| mse(student, beside.teacher, beside.mask))),
        Subject {
            zero: No("the floor is ε per channel"),
            ..row(
                "charbonnier",
                IMAGE,
                Box::new(|student, beside| charbonnier(student, beside.teacher, beside.mask, 0.25)),
            )
        },
        Subject {
            zero_gradient: Moot(absolute),
            shift: Yes,
            ..places(row(
                "gradient",
                IMAGE,
                Box::new(|student, beside| gradient_l1(student, beside.teacher, beside.mask)),
            ))
        },
        Subject {
            zero_gradient: Moot(absolute),
            removal: No("a smaller image has another spectrum"),
            ..places(row(
                "frequency",
                IMAGE,
                Box::new(|student, beside| frequency_l1(student, beside.teacher, beside.mask)),
            ))
        },
        places(row(
            "ssim",
            IMAGE,
            Box::new(move |student, beside| one_minus_ssim(student, beside.teacher, beside.mask, 6.0, window)),
        )),
    ]
}

#[test]
fn wrong_pairs_of_taps_are_refused_with_both_shapes() {
    use kd_core::loss::feature::Tap;
    let check = |student: &[usize], teacher: &[usize]| {
        FeatureLoss::<4>::check(&FitNetHint, &Tap::new("block2", student), &Tap::new("layer3", teacher))
    };
    assert!(check(&[8, 64, 7, 7], &[8, 64, 7, 7]).is_ok());
    assert_eq!(
        check(&[8, 64, 7, 7], &[8, 256, 7, 7]).unwrap_err().to_string(),
        "hint cannot pair student tap `block2` [8, 64, 7, 7] with teacher tap `layer3` [8, 256, 7, 7]: expected as many \
         channels\nhint: put a projection on the student's features"
    );
    assert!(check(&[8, 64, 7, 7], &[8, 64, 14, 14]).unwrap_err().to_string().contains("expected maps of one size"));
    assert!(check(&[8, 64, 7, 7], &[4, 64, 7, 7]).unwrap_err().to_string().contains("expected one batch"));
    assert!(check(&[8, 64], &[8, 64, 7]).is_err() && check(&[8, 0, 1], &[8, 0, 1]).is_err());
    let any_channels = FeatureLoss::<4>::check(
        &AttentionTransfer::squares(),
        &Tap::new("a", &[8, 16, 7, 7]),
        &Tap::new("b", &[8, 64, 7, 7]),
    );
    assert!(any_channels.is_ok());
    let any_size = FeatureLoss::<4>::check(
        &SimilarityPreserving,
        &Tap::new("a", &[8, 16, 14, 14]),
        &Tap::new("b", &[8, 64, 7, 7]),
    );
    assert!(any_size.is_ok());
}

#[test]
fn relations_between_samples_take_maps_of_different_size() {
    let device = Device::flex();
    let student = Tensor::<4>::ones([3, 2, 4, 4], (&device, DType::F64));
    let teacher = Tensor::<4>::ones([3, 5, 2, 2], (&device, DType::F64));
    let mask = tensor::<4>(&[1.0, 0.0, 1.0], [3, 1, 1, 1], DType::F64);
    for loss in [&SimilarityPreserving as &dyn FeatureLoss<4>, &RelationDistance, &RelationAngle] {
        let value = loss.forward(student.clone(), teacher.clone(), Some(mask.clone()));
        // Equal samples on both sides: nothing tells them apart on either.
        assert!(value.into_scalar::<f64>().abs() < 1e-12, "{}", loss.name());
    }
}
