//! Weights against safetensors and PyTorch, and against damage.

#![cfg(feature = "formats")]

mod damage;

use std::path::{Path, PathBuf};

use kd_data::format::{FileFormat, WeightTensor, Weights, read_weights, safetensors_bytes, sniff, write_safetensors};
use serde_json::Value;

fn oracle(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle").join(name)
}

fn compare(file: &str, json: &str) {
    let expected: Value = serde_json::from_str(&std::fs::read_to_string(oracle(json)).unwrap()).unwrap();
    let weights = read_weights(&oracle(file)).unwrap();
    let mut expected = expected["tensors"].as_object().unwrap().clone();
    expected.remove("bn.num_batches_tracked").unwrap();
    assert_eq!(weights.tensors.len(), expected.len());
    for (name, tensor) in expected {
        let found = &weights.tensors[&name];
        let shape: Vec<usize> =
            tensor["shape"].as_array().unwrap().iter().map(|v| usize::try_from(v.as_u64().unwrap()).unwrap()).collect();
        assert_eq!(found.shape, shape, "{file} {name}");
        // 64-bit values are rounded to 32 bits; all others are exact.
        #[allow(clippy::cast_possible_truncation)]
        let values: Vec<f32> =
            tensor["values"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
        assert_eq!(found.values, values, "{file} {name}");
    }
    assert_eq!(weights.notes.len(), 1);
    assert!(weights.notes[0].contains("`bn.num_batches_tracked`"), "{}", weights.notes[0]);
}

#[test]
fn safetensors_read_as_their_own_library_wrote_them() {
    compare("weights.safetensors", "safetensors.json");
    let weights = read_weights(&oracle("weights.safetensors")).unwrap();
    assert_eq!(weights.metadata["origin"], "oracle");
}

#[test]
fn pytorch_checkpoints_of_both_layouts_read_as_pytorch_wrote_them() {
    assert_eq!(sniff(&oracle("weights.pth")).unwrap(), FileFormat::TorchZip);
    assert_eq!(sniff(&oracle("legacy.pth")).unwrap(), FileFormat::TorchLegacy);
    compare("weights.pth", "torch.json");
    compare("legacy.pth", "torch.json");
}

#[test]
fn weights_that_are_not_finite_or_not_floats_are_refused_by_name() {
    for file in ["nan.pth", "inf.safetensors"] {
        let text = read_weights(&oracle(file)).unwrap_err().to_string();
        assert!(text.contains("#w`: expected finite weights") && text.contains("position 1"), "{text}");
    }
    let text = read_weights(&oracle("integers.safetensors")).unwrap_err().to_string();
    assert!(text.contains("expected floats, found I64"), "{text}");
    let text = read_weights(&oracle("gray8.png")).unwrap_err().to_string();
    assert!(text.contains("found PNG"), "{text}");
}

#[test]
fn written_weights_read_back_and_are_the_same_bytes_each_time() {
    let mut weights = Weights::default();
    for key in ["z", "a", "m", "network", "schema"] {
        weights.metadata.insert(key.into(), format!("value of {key}"));
    }
    weights.tensors.insert("b".into(), WeightTensor { shape: vec![2, 1], values: vec![1.5, -0.1] });
    weights.tensors.insert("a".into(), WeightTensor { shape: vec![], values: vec![f32::MIN_POSITIVE] });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    write_safetensors(&path, &weights).unwrap();
    assert_eq!(read_weights(&path).unwrap(), weights);
    assert_eq!(std::fs::read(&path).unwrap(), safetensors_bytes(&weights.clone()).unwrap());
    weights.tensors.insert("bad".into(), WeightTensor { shape: vec![1], values: vec![f32::NAN] });
    assert!(safetensors_bytes(&weights).unwrap_err().to_string().contains("`bad`"));
}

#[test]
fn weights_cut_anywhere_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["weights.safetensors", "weights.pth", "legacy.pth"] {
        let path = folder.path().join(name);
        std::fs::copy(oracle(name), &path).unwrap();
        damage::cut(&path, |length| assert!(read_weights(&path).is_err(), "{name}, {length} bytes"));
    }
}

#[test]
fn a_changed_byte_never_panics_and_no_value_that_is_not_finite_passes() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["weights.safetensors", "weights.pth", "legacy.pth"] {
        let path = folder.path().join(name);
        std::fs::copy(oracle(name), &path).unwrap();
        damage::change(&path, &[0x01, 0xff], |at, mask| {
            if let Ok(weights) = read_weights(&path) {
                let mut values = weights.tensors.values().flat_map(|tensor| &tensor.values);
                assert!(values.all(|value| value.is_finite()), "{name}, byte {at} ^ {mask:#x}");
            }
        });
    }
}
