//! A network's numbers by name: parameters and running statistics, as plain arrays that can be hashed, stored and put
//! back.
//!
//! Burn's own record keeps random parameter ids, so two equal networks would have different bytes. Here the name is the
//! path in the module tree, the order is alphabetical, and equal networks give equal bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

/// Why numbers could not be read or put into a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The bytes are no safetensors file.
    #[error("network state cannot be read: {reason}")]
    Unreadable {
        /// What the reader said.
        reason: String,
    },
    /// A tensor is not stored as 32-bit floats.
    #[error("tensor `{name}` is stored as {found}, expected F32")]
    Dtype {
        /// Its path.
        name: String,
        /// The stored type.
        found: String,
    },
    /// The network has a tensor that the state lacks.
    #[error("tensor `{name}` is missing, expected shape {expected:?}\nhint: the file belongs to another network")]
    Missing {
        /// Its path.
        name: String,
        /// The shape that the network has there.
        expected: Vec<usize>,
    },
    /// The state has a tensor that the network lacks.
    #[error("tensor `{name}` is in the file but not in the network\nhint: the file belongs to another network")]
    Unexpected {
        /// Its path.
        name: String,
    },
    /// Shapes differ.
    #[error("tensor `{name}` has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Its path.
        name: String,
        /// The network's shape.
        expected: Vec<usize>,
        /// The stored shape.
        found: Vec<usize>,
    },
}

/// One array: its shape, and its values with the last axis fastest.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// Points along each axis.
    pub shape: Vec<usize>,
    /// The numbers.
    pub values: Vec<f32>,
}

/// All numbers of a network, by path.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    tensors: BTreeMap<String, Values>,
}

impl State {
    /// Reads every parameter and running statistic of a network.
    ///
    /// Statistics that a training step has handed in but not yet published are included.
    #[must_use]
    pub fn of<M: Module>(module: &M) -> Self {
        let mut reader = Reader { path: Path::default(), tensors: BTreeMap::new() };
        // `valid` publishes pending running statistics; visiting alone would miss the last step's.
        module.valid().visit(&mut reader);
        Self { tensors: reader.tensors }
    }

    /// A state made of named arrays.
    #[must_use]
    pub fn from_tensors(tensors: BTreeMap<String, Values>) -> Self {
        Self { tensors }
    }

    /// The arrays by path.
    #[must_use]
    pub fn tensors(&self) -> &BTreeMap<String, Values> {
        &self.tensors
    }

    /// Values in all arrays together.
    #[must_use]
    pub fn n_values(&self) -> usize {
        self.tensors.values().map(|tensor| tensor.values.len()).sum()
    }

    /// Puts the numbers into a network of the same layout.
    ///
    /// # Errors
    /// [`StateError::Missing`], [`StateError::Unexpected`] and [`StateError::Shape`] when the layouts differ.
    pub fn load_into<M: Module>(&self, module: M) -> Result<M, StateError> {
        let mut writer = Writer { path: Path::default(), left: self.tensors.clone(), error: None };
        let module = module.map(&mut writer);
        match (writer.error, writer.left.into_keys().next()) {
            (Some(error), _) => Err(error),
            (None, Some(name)) => Err(StateError::Unexpected { name }),
            (None, None) => Ok(module),
        }
    }

    /// SHA-256 over names, shapes and values, as 64 hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for (name, tensor) in &self.tensors {
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name);
            hash.update((tensor.shape.len() as u64).to_le_bytes());
            for &axis in &tensor.shape {
                hash.update((axis as u64).to_le_bytes());
            }
            hash.update(to_le_bytes(&tensor.values));
        }
        hexadecimal(hash)
    }

    /// The state as a safetensors file; equal states give equal bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_safetensors(self.tensors.iter().map(|(name, tensor)| (name.clone(), tensor)), None)
    }

    /// Reads a safetensors file of 32-bit floats.
    ///
    /// # Errors
    /// [`StateError::Unreadable`] and [`StateError::Dtype`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        from_safetensors(bytes).map(|tensors| Self { tensors })
    }
}

pub(crate) fn to_safetensors<'a>(
    tensors: impl Iterator<Item = (String, &'a Values)>,
    note: Option<(String, String)>,
) -> Vec<u8> {
    let bytes: Vec<(String, &Values, Vec<u8>)> =
        tensors.map(|(name, tensor)| (name, tensor, to_le_bytes(&tensor.values))).collect();
    let views = bytes.iter().map(|(name, tensor, bytes)| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)
            .expect("an array holds as many values as its shape says");
        (name.as_str(), view)
    });
    // A single note keeps the header's order fixed.
    safetensors::tensor::serialize(views, note.map(|note| [note].into())).expect("names are unique and sizes agree")
}

pub(crate) fn from_safetensors(bytes: &[u8]) -> Result<BTreeMap<String, Values>, StateError> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| StateError::Unreadable { reason: error.to_string() })?;
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            if view.dtype() != Dtype::F32 {
                return Err(StateError::Dtype { name, found: format!("{:?}", view.dtype()) });
            }
            let values = view
                .data()
                .chunks_exact(4)
                .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
                .collect();
            Ok((name, Values { shape: view.shape().to_vec(), values }))
        })
        .collect()
}

fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// SHA-256 over texts, each with its length, as 64 hexadecimal digits.
pub(crate) fn hash_texts(texts: impl Iterator<Item = String>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hexadecimal(hash)
}

fn to_le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Where a traversal stands in the module tree.
#[derive(Default)]
pub(crate) struct Path(Vec<String>);

impl Path {
    pub(crate) fn enter(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    pub(crate) fn exit(&mut self) {
        self.0.pop();
    }

    pub(crate) fn name(&self) -> String {
        self.0.join(".")
    }

    /// Whether a module of that name lies on the way.
    pub(crate) fn is_in(&self, module: &str) -> bool {
        self.0.iter().any(|part| part == module)
    }
}

/// Reads a tensor of 32-bit floats to the host.
pub(crate) fn host_values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.clone().into_data().convert::<f32>().try_into_vec().expect("converted to f32 just before")
}

struct Reader {
    path: Path,
    tensors: BTreeMap<String, Values>,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        self.tensors.insert(self.path.name(), Values { shape, values: host_values(&tensor) });
    }
}

struct Writer {
    path: Path,
    left: BTreeMap<String, Values>,
    error: Option<StateError>,
}

impl ModuleMapper for Writer {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let expected = param.dims().to_vec();
        match self.left.remove(&name) {
            None => {
                self.error.get_or_insert(StateError::Missing { name, expected });
                param
            }
            Some(found) if found.shape != expected => {
                self.error.get_or_insert(StateError::Shape { name, expected, found: found.shape });
                param
            }
            Some(found) => param.map(|old| replace(&old, TensorData::new(found.values, found.shape))),
        }
    }
}

/// A tensor of new values on the device of `old`, and with its demand for gradients.
pub(crate) fn replace<const D: usize>(old: &Tensor<D>, data: TensorData) -> Tensor<D> {
    let device = old.device();
    let plain = Tensor::from_data(data, &device.clone().inner());
    if device.is_autodiff() { Tensor::from_inner(plain).set_require_grad(old.is_require_grad()) } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
    use burn::tensor::Device;

    #[derive(Module, Debug)]
    struct Tiny {
        norm: BatchNorm,
        head: Linear,
    }

    fn tiny(device: &Device) -> Tiny {
        let net = Tiny { norm: BatchNormConfig::new(3).init(device), head: LinearConfig::new(3, 2).init(device) };
        crate::initialize(net, 5)
    }

    #[test]
    fn names_are_paths_and_include_running_statistics() {
        let state = State::of(&tiny(&Device::flex()));
        let names: Vec<&str> = state.tensors().keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["head.bias", "head.weight", "norm.beta", "norm.gamma", "norm.running_mean", "norm.running_var"]
        );
    }

    #[test]
    fn bytes_bring_back_the_same_network() {
        let net = tiny(&Device::flex());
        let state = State::of(&net);
        let read = State::from_bytes(&state.to_bytes()).unwrap();
        assert_eq!(read, state);
        let other = read.load_into(crate::initialize(tiny(&Device::flex()), 6)).unwrap();
        assert_eq!(State::of(&other).hash(), state.hash());
    }

    #[test]
    fn a_change_of_one_bit_changes_the_hash() {
        let state = State::of(&tiny(&Device::flex()));
        let mut changed = state.clone();
        let value = &mut changed.tensors.get_mut("norm.running_mean").unwrap().values[1];
        *value = f32::from_bits(value.to_bits() ^ 1);
        assert_ne!(state.hash(), changed.hash());
    }

    #[test]
    fn the_last_training_step_reaches_the_running_statistics() {
        let device = Device::flex().autodiff();
        let net = tiny(&device);
        let before = State::of(&net).hash();
        let _ = net.norm.forward(Tensor::<2>::from_floats([[1.0, 2.0, 3.0], [3.0, 2.0, 9.0]], &device));
        let mean = State::of(&net).tensors()["norm.running_mean"].values.clone();
        assert_ne!(State::of(&net).hash(), before);
        // Momentum .1 towards the batch means 2, 2, 6.
        for (found, expected) in mean.iter().zip([0.2, 0.2, 0.6]) {
            assert!((found - expected).abs() < 1e-6, "{mean:?}");
        }
    }

    #[test]
    fn a_state_of_another_layout_is_refused_by_name() {
        let net = tiny(&Device::flex());
        let mut state = State::of(&net);
        let bias = state.tensors.remove("head.bias").unwrap();
        let refused = state.load_into(net.clone()).unwrap_err();
        assert_eq!(refused, StateError::Missing { name: "head.bias".into(), expected: vec![2] });
        state.tensors.insert("head.bias".into(), bias.clone());
        state.tensors.insert("tail.bias".into(), bias);
        assert_eq!(state.load_into(net).unwrap_err(), StateError::Unexpected { name: "tail.bias".into() });
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let bytes = State::of(&tiny(&Device::flex())).to_bytes();
        assert!(State::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        assert!(State::from_bytes(&[]).is_err());
    }
}
