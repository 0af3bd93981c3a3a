//! Holm's adjustment of several p-values.

use crate::undefined::Undefined;

/// Step-down adjusted p-values: the `i`-th smallest of `m` becomes `max over j ≤ i of min(1, (m − j + 1) p_(j))`.
///
/// # Shapes
/// One p-value per hypothesis; the result is in the same order.
///
/// # Policy
/// Controls the chance of any false finding, under any dependence. All hypotheses of a table go in, not only the good ones.
///
/// # Errors
/// No p-values; one outside 0..1 or NaN.
///
/// # Source
/// Holm 1979; statsmodels `multipletests(method="holm")`.
///
/// # Example
/// ```
/// let adjusted = kd_metrics::holm(&[0.5, 0.125])?;
/// assert_eq!(adjusted, [0.5, 0.25]);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn holm(p_values: &[f64]) -> Result<Vec<f64>, Undefined> {
    if p_values.is_empty() {
        return Err(Undefined::NoSamples);
    }
    if let Some(&found) = p_values.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        return Err(Undefined::OutOfRange { what: "p-value", expected: "a number in 0..1", found });
    }
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let (mut adjusted, mut largest) = (vec![0.0; p_values.len()], 0.0_f64);
    for (position, hypothesis) in order.into_iter().enumerate() {
        let remaining = (p_values.len() - position) as f64;
        largest = largest.max((remaining * p_values[hypothesis]).min(1.0));
        adjusted[hypothesis] = largest;
    }
    Ok(adjusted)
}
