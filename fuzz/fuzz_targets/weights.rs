//! Named tensors: safetensors, and PyTorch's checkpoints of both layouts.

#![no_main]

use kd_data::format::read_weights;
use kd_fuzz::{file, told};

kd_fuzz::bounded!();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(weights) = told(read_weights(&file(bytes, "pth"))) else { return };
    for (name, tensor) in &weights.tensors {
        assert_eq!(tensor.values.len(), tensor.shape.iter().product::<usize>(), "{name}");
        assert!(tensor.values.iter().all(|value| value.is_finite()), "{name}");
    }
});
