//! Network weights from `.safetensors` and PyTorch files, by the names they were stored under.
//!
//! Only numbers are read: a pickle can hold code, and the reader behind this one runs none of it.

use std::collections::BTreeMap;
use std::path::Path;

use half::{bf16, f16};
use pytorch_reader::{DType, PytorchReader};
use safetensors::{Dtype, SafeTensors};

use super::error::Problem;
use super::{FileFormat, FormatError, read_bytes, sniff};
use crate::store::{StoreError, write_atomic};

/// One named tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightTensor {
    /// Points along each axis, slowest first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Values in C order.
    pub values: Vec<f32>,
}

/// All tensors of a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weights {
    /// Tensors by their stored name; no prefix is taken off.
    pub tensors: BTreeMap<String, WeightTensor>,
    /// Text that the file carries beside its tensors (safetensors only).
    pub metadata: BTreeMap<String, String>,
    /// One line for each tensor that was left out, with the reason.
    pub notes: Vec<String>,
}

/// Reads weights; the format is told by content.
///
/// # Policy
/// 16-, 32- and 64-bit floats become `f32` (64-bit ones are rounded). Integer tensors that count steps
/// (`num_batches_tracked`) are left out with a note; any other integer tensor is refused. Names are kept as stored,
/// the outer key of a nested checkpoint included.
///
/// # Errors
/// [`FormatError`] for another format (named), a damaged file, a weight that is not finite, and a file without tensors.
pub fn read_weights(path: &Path) -> Result<Weights, FormatError> {
    let weights = match sniff(path)? {
        FileFormat::Safetensors => {
            from_safetensors(&read_bytes(path, "weights")?).map_err(|(name, problem)| problem.at(path, name.as_deref()))
        }
        FileFormat::TorchZip | FileFormat::TorchLegacy => {
            from_torch(path).map_err(|(name, problem)| problem.at(path, name.as_deref()))
        }
        other => Err(other.refused("weights (.safetensors, .pth)").at(path, None)),
    }?;
    if weights.tensors.is_empty() {
        return Err(Problem::new("at least one tensor of floats", "none").at(path, None));
    }
    Ok(weights)
}

type Named<T> = Result<T, (Option<String>, Problem)>;

/// The element types that both formats share, as far as weights need them.
enum Element {
    F16,
    Bf16,
    F32,
    F64,
    Other(String),
}

impl Weights {
    fn insert(&mut self, name: String, element: &Element, shape: Vec<usize>, bytes: &[u8]) -> Named<()> {
        let values: Vec<f32> = match element {
            Element::F16 => items(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Element::Bf16 => items(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Element::F32 => items(bytes, f32::from_le_bytes),
            #[allow(clippy::cast_possible_truncation)] // rounding is the policy
            Element::F64 => items(bytes, |b| f64::from_le_bytes(b) as f32),
            Element::Other(kind) if name.ends_with("num_batches_tracked") => {
                self.notes.push(format!("left out `{name}` ({kind}): a step counter, not a weight"));
                return Ok(());
            }
            Element::Other(kind) => return Err((Some(name), Problem::new("floats", kind.as_str()))),
        };
        let expected = shape.iter().try_fold(1usize, |n, &axis| n.checked_mul(axis));
        if expected != Some(values.len()) {
            let problem = Problem::truncated(format!("values for shape {shape:?}"), values.len().to_string());
            return Err((Some(name), problem));
        }
        if let Some(position) = values.iter().position(|value| !value.is_finite()) {
            let problem = Problem::new("finite weights", format!("{} at position {position}", values[position]))
                .hint("the training that made this file diverged, or the file is damaged");
            return Err((Some(name), problem));
        }
        self.tensors.insert(name, WeightTensor { shape, values });
        Ok(())
    }
}

fn items<const N: usize>(bytes: &[u8], each: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|item| each(*item)).collect()
}

fn from_safetensors(bytes: &[u8]) -> Named<Weights> {
    let broken =
        |error: safetensors::SafeTensorError| (None, Problem::truncated("a whole safetensors file", error.to_string()));
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let file = SafeTensors::deserialize(bytes).map_err(broken)?;
    let mut weights = Weights::default();
    if let Some(metadata) = header.metadata() {
        weights.metadata = metadata.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    }
    let mut tensors = file.tensors();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, view) in tensors {
        let element = match view.dtype() {
            Dtype::F16 => Element::F16,
            Dtype::BF16 => Element::Bf16,
            Dtype::F32 => Element::F32,
            Dtype::F64 => Element::F64,
            other => Element::Other(format!("{other:?}")),
        };
        weights.insert(name, &element, view.shape().to_vec(), view.data())?;
    }
    Ok(weights)
}

fn from_torch(path: &Path) -> Named<Weights> {
    let broken = |error: &dyn std::fmt::Display| (None, Problem::truncated("a PyTorch checkpoint", error.to_string()));
    let present = std::fs::metadata(path).map_err(|error| broken(&error))?.len();
    let reader = PytorchReader::new(path).map_err(|error| broken(&error))?;
    let tensors: BTreeMap<String, pytorch_reader::Tensor> = reader.into_tensors().into_iter().collect();
    // A view may repeat its storage without end (stride 0), so the file itself sets no bound on what it unfolds to.
    let promised = tensors.values().map(|tensor| tensor.byte_len() as u64).fold(0, u64::saturating_add);
    if promised > present.saturating_mul(8).saturating_add(1 << 20) {
        let expected = format!("tensors that {present} bytes can hold");
        return Err((None, Problem::truncated(expected, format!("{promised} bytes promised"))));
    }
    let mut weights = Weights::default();
    for (name, tensor) in tensors {
        let element = match tensor.dtype() {
            DType::F16 => Element::F16,
            DType::BF16 => Element::Bf16,
            DType::F32 => Element::F32,
            DType::F64 => Element::F64,
            other => Element::Other(format!("{other:?}")),
        };
        let bytes = tensor.read().map_err(|error| broken(&error))?;
        weights.insert(name, &element, tensor.shape().to_vec(), &bytes)?;
    }
    Ok(weights)
}

/// The bytes of a `.safetensors` file with `f32` tensors, sorted by name.
///
/// # Policy
/// Own writer: the library's keeps metadata in a hash map, so equal weights would give different bytes.
///
/// # Errors
/// [`StoreError::Request`] for a value that is not finite, or a shape that does not fit its values.
///
/// # Example
/// ```
/// use kd_data::format::{WeightTensor, Weights, read_weights, safetensors_bytes};
/// let mut weights = Weights::default();
/// weights.tensors.insert("fc.bias".into(), WeightTensor { shape: vec![2], values: vec![0.5, -1.0] });
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("w.safetensors");
/// std::fs::write(&path, safetensors_bytes(&weights)?)?;
/// assert_eq!(read_weights(&path)?, weights);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn safetensors_bytes(weights: &Weights) -> Result<Vec<u8>, StoreError> {
    let mut header = serde_json::Map::new();
    if !weights.metadata.is_empty() {
        header.insert("__metadata__".into(), serde_json::json!(weights.metadata));
    }
    let mut data = Vec::new();
    for (name, tensor) in &weights.tensors {
        let refused = |expected: String, found: String| StoreError::Request {
            what: format!("weights `{name}`"),
            expected,
            found,
        };
        let count = tensor.shape.iter().try_fold(1usize, |n, &axis| n.checked_mul(axis));
        if count != Some(tensor.values.len()) {
            return Err(refused(format!("values for shape {:?}", tensor.shape), tensor.values.len().to_string()));
        }
        if let Some(position) = tensor.values.iter().position(|value| !value.is_finite()) {
            return Err(refused("finite values".into(), format!("{} at {position}", tensor.values[position])));
        }
        let start = data.len();
        data.extend(tensor.values.iter().flat_map(|value| value.to_le_bytes()));
        let entry = serde_json::json!({"dtype": "F32", "shape": tensor.shape, "data_offsets": [start, data.len()]});
        header.insert(name.clone(), entry);
    }
    let mut text = serde_json::Value::Object(header).to_string();
    // Values start on a multiple of 8 bytes, as the format asks.
    text.push_str(&" ".repeat((8 - text.len() % 8) % 8));
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes.extend_from_slice(&data);
    Ok(bytes)
}

/// Writes [`safetensors_bytes`] to a file, whole or not at all.
///
/// # Errors
/// [`StoreError`].
pub fn write_safetensors(path: &Path, weights: &Weights) -> Result<(), StoreError> {
    write_atomic(path, &safetensors_bytes(weights)?)
}
