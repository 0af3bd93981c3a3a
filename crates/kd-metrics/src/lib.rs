//! Metrics and statistics on plain `f64` slices, with no tensor, file or terminal behind them.
//!
//! Predictions are checked once, by the constructors of [`Predictions`] and its three kinds; from there on every metric
//! trusts its argument and returns a [`Score`]: a number, or the named reason why there is none, never NaN. Whatever
//! changes a reported number (what 0 / 0 means, what becomes of an absent class, how a log loss is clipped) is a required
//! argument. Every interval is over *subjects*, by a [`Grouping`], because two images of one patient are not two patients.

mod classify;
mod enhance;
mod grid;
mod segment;
mod stats;
mod table;
mod undefined;

pub use classify::accuracy::{accuracy, balanced_accuracy};
pub use classify::auroc::{auroc, auroc_macro, auroc_multi_label, auroc_of, auroc_one_vs_rest};
pub use classify::average_precision::{average_precision, average_precision_of};
pub use classify::brier::{brier_binary, brier_multiclass};
pub use classify::calibration::{Confidence, Reliability, ReliabilityBin, expected_calibration_error, reliability};
pub use classify::confusion::{ConfusionMatrix, Counts};
pub use classify::cut::Cut;
pub use classify::kappa::{KappaWeights, cohen_kappa};
pub use classify::log_loss::{Clip, log_loss};
pub use classify::matthews::matthews_correlation;
pub use classify::medmnist::{MedmnistTask, medmnist_accuracy, medmnist_auc};
pub use classify::operating_point::{Criterion, OperatingPoint, choose_operating_point};
pub use classify::predictions::{
    BinaryPredictions, MultiLabelPredictions, MulticlassPredictions, Predictions, SUM_TOLERANCE,
};
pub use classify::ranked::RankedScores;
pub use classify::rates::{AbsentClass, Rate, ZeroDivision, macro_rate, micro_rate, rate};
pub use classify::roc::{RocCurve, RocPoint, roc_curve, roc_curve_of};
pub use classify::softmax::{sigmoid, softmax};
pub use classify::temperature::{
    FittedTemperature, TEMPERATURE_LIMITS, fit_temperature_bernoulli, fit_temperature_multiclass,
};
pub use enhance::edges::edge_preservation;
pub use enhance::error::{mean_absolute_error, mean_squared_error, root_mean_squared_error};
pub use enhance::fidelity::vif;
pub use enhance::images::ImagePair;
pub use enhance::multi_scale::ms_ssim;
pub use enhance::noise::{Detrend, NoiseBin, NoisePower, NoiseRegion, noise_power};
pub use enhance::protocol::{CONTRAST_TO_NOISE_PROTOCOL, EnhanceMetric, REGION_BIAS_PROTOCOL, REGION_NOISE_PROTOCOL};
pub use enhance::psnr::psnr;
pub use enhance::regions::{contrast_to_noise, region_bias, region_noise};
pub use enhance::ssim::{SsimVariant, ssim};
pub use grid::Grid;
pub use segment::calibration::{CalibrationBins, CalibrationRegion, mask_calibration_error};
pub use segment::components::{Components, Connectivity};
pub use segment::distance_transform::distance_transform_mm;
pub use segment::lesions::{LesionCounts, LesionOverlap, lesion_counts, lesion_f1};
pub use segment::masks::{BothEmpty, EmptyMasks, MaskPair, OneEmpty};
pub use segment::overlap::{dice, intersection_over_union, mask_precision, mask_sensitivity};
pub use segment::panoptic::{
    PanopticCounts, panoptic_counts, panoptic_quality, recognition_quality, segmentation_quality,
};
pub use segment::surface::{
    SurfaceDistances, SurfacePiece, average_symmetric_surface_distance_mm, hausdorff_mm, hausdorff_percentile_mm,
    mean_surface_distances_mm, surface_dice,
};
pub use segment::volume::{relative_volume_error, volume_error_mm3, volume_mm3};
pub use stats::band::{Curve, bootstrap_band};
pub use stats::bland_altman::{AgreementIntervals, BlandAltman, Estimate, bland_altman};
pub use stats::bootstrap::{BootstrapMethod, BootstrapPlan, bootstrap_interval};
pub use stats::case_mean::{CaseMean, CaseScores, CaseWeight, CountedCases, UndefinedCases, case_mean};
pub use stats::case_study::{CaseArm, CaseStudy, case_study, subject_differences};
pub use stats::delong::{Delong, DelongTest, delong, delong_test};
pub use stats::grouping::Grouping;
pub use stats::holm::holm;
pub use stats::interval::{Interval, IntervalMethod};
pub use stats::mcnemar::{Mcnemar, McnemarChiSquare};
pub use stats::two_level::{
    Arm, Better, Difference, GapRecovered, SeedSpread, TwoLevel, TwoLevelPlan, two_level_draws,
};
pub use stats::wilcoxon::{EXACT_DIFFERENCES, WilcoxonSignedRank, ZeroDifferences};
pub use stats::wilson::wilson_interval;
pub use table::aggregate::{Aggregate, Agreement, Figure};
pub use table::case_row::CaseRow;
pub use table::enhance::{EnhanceCases, EnhanceProtocol, EnhanceTable};
pub use table::number::Number;
pub use table::protocol::{CaseProtocol, IntervalPolicy, TablePolicy};
pub use table::segment::{EmptyCounts, SegmentCases, SegmentClass, SegmentProtocol, SegmentTable};
pub use undefined::{Score, Undefined};
