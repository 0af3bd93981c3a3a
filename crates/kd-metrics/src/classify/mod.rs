//! Classification metrics: how good the decisions, the ranking and the probabilities are.

pub(crate) mod accuracy;
pub(crate) mod auroc;
pub(crate) mod average_precision;
pub(crate) mod brier;
pub(crate) mod calibration;
pub(crate) mod confusion;
pub(crate) mod cut;
pub(crate) mod kappa;
pub(crate) mod log_loss;
pub(crate) mod matthews;
pub(crate) mod medmnist;
pub(crate) mod operating_point;
pub(crate) mod predictions;
pub(crate) mod ranked;
pub(crate) mod rates;
pub(crate) mod roc;
pub(crate) mod softmax;
pub(crate) mod temperature;
