//! What to compute on: named on the command line, tried before anything starts, never exchanged for something else.
//!
//! Burn's devices are lazy: a GPU without a driver panics in the first operation, minutes into a run. So each device is
//! probed with one addition first, and what fails is an error with a way out. Only `auto` chooses, and says what.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Result, bail};
use burn::tensor::{Device, Tensor};
use serde::Serialize;

use crate::output::usage;

/// A device that answered.
#[derive(Debug, Clone)]
pub(crate) struct DeviceChoice {
    /// Plain, without autodiff.
    pub(crate) device: Device,
    /// Its name on the command line and in records.
    pub(crate) name: String,
    /// What `BURN_DEVICE` has to be for Burn's hidden defaults to mean the same backend.
    pub(crate) backend_env: &'static str,
}

/// One line of `kd devices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DeviceEntry {
    /// Its name on the command line.
    pub(crate) name: String,
    /// Whether it answered.
    pub(crate) available: bool,
    /// What it is, or why it cannot be used.
    pub(crate) why: String,
}

/// A device as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Auto,
    Cpu,
    NdArray,
    Cuda(usize),
    Vulkan(usize),
}

const NAMES: &str = "auto, cpu, ndarray, cuda, cuda:1, vulkan, vulkan:1";
const NDARRAY_NOTE: &str = "deprecated by Burn and many times slower than cpu";

impl Asked {
    fn parse(text: &str) -> Result<Self> {
        let (kind, index) = match text.split_once(':') {
            None => (text, Some(0)),
            Some((kind, index)) => (kind, index.parse::<usize>().ok()),
        };
        Ok(match (kind, index, text.contains(':')) {
            ("auto", _, false) => Self::Auto,
            ("cpu", _, false) => Self::Cpu,
            ("ndarray", _, false) => Self::NdArray,
            ("cuda", Some(index), _) => Self::Cuda(index),
            ("vulkan", Some(index), _) => Self::Vulkan(index),
            _ => {
                return Err(usage(anyhow::anyhow!(
                    "device is `{text}`, expected one of {NAMES}\nhint: `kd devices` shows what can be used here"
                )));
            }
        })
    }
}

/// The GPUs that one feature of this build finds.
#[derive(Debug)]
struct Found {
    devices: Vec<Device>,
    /// From here on they are programs that play a GPU (Mesa's lavapipe and the like).
    n_hardware: usize,
}

/// The device of that name, probed.
///
/// `auto` is the first GPU that answers, CUDA before Vulkan, else the CPU; programs that play a GPU are never chosen by
/// it. Any other name is that device or an error.
pub(crate) fn resolve(text: &str) -> Result<DeviceChoice> {
    match Asked::parse(text)? {
        Asked::Auto => auto(),
        Asked::Cpu => cpu(),
        Asked::NdArray => ndarray(),
        Asked::Cuda(index) => gpu("cuda", index, cuda()?),
        Asked::Vulkan(index) => gpu("vulkan", index, vulkan()?),
    }
}

/// What `BURN_DEVICE` has to be for these raw arguments; to be set at the start of `main`, before any thread.
///
/// Wrong names are told later, by [`resolve`]; here they count as the CPU.
pub(crate) fn backend_env(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> &'static str {
    let mut named = None;
    let mut arguments = arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            break;
        } else if argument == "--device" {
            named = arguments.next();
        } else if let Some(value) = argument.strip_prefix("--device=") {
            named = Some(value.to_owned());
        }
    }
    match Asked::parse(named.as_deref().unwrap_or("auto")) {
        Ok(Asked::NdArray) if cfg!(feature = "ndarray") => "ndarray",
        Ok(Asked::Cuda(_)) if cfg!(feature = "cuda") => "cuda",
        Ok(Asked::Vulkan(_)) if cfg!(feature = "vulkan") => "vulkan",
        // A build without GPUs has nothing to find out.
        Ok(Asked::Auto) if cfg!(any(feature = "cuda", feature = "vulkan")) => {
            auto().map_or("flex", |choice| choice.backend_env)
        }
        _ => "flex",
    }
}

/// Every device that this program knows, usable or not.
pub(crate) fn list() -> Vec<DeviceEntry> {
    let entry = |name: &str, outcome: Result<DeviceChoice>, what: &str| match outcome {
        Ok(_) => DeviceEntry { name: name.into(), available: true, why: what.into() },
        Err(refused) => DeviceEntry { name: name.into(), available: false, why: refused.to_string() },
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut entries = vec![
        entry("cpu", cpu(), &format!("Burn's Flex backend, {cores} cores")),
        entry("ndarray", ndarray(), "built in"),
    ];
    for (kind, found) in [("cuda", cuda()), ("vulkan", vulkan())] {
        match found {
            Ok(found) if !found.devices.is_empty() => {
                for index in 0..found.devices.len() {
                    let what = if index < found.n_hardware { "GPU" } else { "a program that plays a GPU; for tests" };
                    let found = Found { devices: found.devices.clone(), n_hardware: found.n_hardware };
                    entries.push(entry(&format!("{kind}:{index}"), gpu(kind, index, found), what));
                }
            }
            Ok(found) => entries.push(entry(kind, gpu(kind, 0, found), "GPU")),
            Err(refused) => entries.push(entry(kind, Err(refused), "")),
        }
    }
    for entry in &mut entries {
        entry.why = entry.why.replace("\nhint: ", "; ");
        if entry.name == "ndarray" {
            entry.why = format!("{NDARRAY_NOTE}; {}", entry.why);
        }
    }
    entries
}

fn auto() -> Result<DeviceChoice> {
    for (kind, found) in [("cuda", cuda()), ("vulkan", vulkan())] {
        let Ok(mut found) = found else { continue };
        found.devices.truncate(found.n_hardware);
        for index in 0..found.devices.len() {
            let one = Found { devices: found.devices.clone(), n_hardware: found.n_hardware };
            if let Ok(choice) = gpu(kind, index, one) {
                return Ok(choice);
            }
        }
    }
    cpu()
}

fn cpu() -> Result<DeviceChoice> {
    probed(Device::flex(), "cpu".into(), "flex")
}

#[cfg(feature = "ndarray")]
fn ndarray() -> Result<DeviceChoice> {
    // Deprecated by Burn; `kd devices` says so.
    #[allow(deprecated)]
    let device = Device::ndarray();
    probed(device, "ndarray".into(), "ndarray")
}

#[cfg(not(feature = "ndarray"))]
fn ndarray() -> Result<DeviceChoice> {
    not_built("ndarray")
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Found> {
    let devices = enumerated(burn::tensor::DeviceType::Cuda);
    Ok(Found { n_hardware: devices.len(), devices })
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Found> {
    not_built("cuda")
}

#[cfg(feature = "vulkan")]
fn vulkan() -> Result<Found> {
    // Burn shows the kind of an adapter only in its debug text: a program that plays a GPU is of the kind `Cpu`.
    let is_hardware = |device: &Device| !format!("{device:?}").contains("Cpu");
    let (mut devices, programs): (Vec<_>, Vec<_>) =
        enumerated(burn::tensor::DeviceType::Vulkan).into_iter().partition(is_hardware);
    let n_hardware = devices.len();
    devices.extend(programs);
    Ok(Found { devices, n_hardware })
}

#[cfg(not(feature = "vulkan"))]
fn vulkan() -> Result<Found> {
    not_built("vulkan")
}

/// Loading a driver can panic; no driver is no device.
#[cfg(any(feature = "cuda", feature = "vulkan"))]
fn enumerated(kind: burn::tensor::DeviceType) -> Vec<Device> {
    quietly(|| Device::enumerate(kind).into_vec()).unwrap_or_default()
}

fn not_built<T>(feature: &str) -> Result<T> {
    bail!(
        "this program was built without the feature `{feature}`\nhint: cargo build --release -p kd-cli --features {feature}"
    )
}

fn gpu(kind: &'static str, index: usize, found: Found) -> Result<DeviceChoice> {
    let n = found.devices.len();
    let Some(device) = found.devices.into_iter().nth(index) else {
        let (lack, way_out) = match kind {
            "cuda" => ("no NVIDIA GPU with a driver", "`nvidia-smi` tells whether the driver works"),
            _ => ("no Vulkan driver", "`vulkaninfo --summary` tells which drivers there are"),
        };
        match n {
            0 => bail!("device `{kind}` asked for, found {lack}\nhint: {way_out}; `--device cpu` works everywhere"),
            n => bail!("device `{kind}:{index}` asked for, found {kind}:0 to {kind}:{}", n - 1),
        }
    };
    let name = if n > 1 { format!("{kind}:{index}") } else { kind.to_owned() };
    probed(device, name, kind)
}

/// One addition, waited for: what can break breaks here.
fn probed(device: Device, name: String, backend_env: &'static str) -> Result<DeviceChoice> {
    let answer = quietly(|| {
        let sum = (Tensor::<1>::ones([1], &device) + 1.0).into_data();
        let synced = device.sync().map_err(|error| error.to_string());
        synced.map(|()| sum.convert::<f32>().try_into_vec::<f32>().unwrap_or_default())
    });
    match answer {
        Ok(Ok(sum)) if sum == [2.0] => Ok(DeviceChoice { device, name, backend_env }),
        Ok(Ok(sum)) => bail!("device `{name}` computes 1 + 1 = {sum:?}\nhint: its driver is broken; `--device cpu`"),
        Ok(Err(reason)) | Err(reason) => {
            bail!(
                "device `{name}` does not work: {reason}\nhint: `kd devices` shows what does; `--device cpu` works everywhere"
            )
        }
    }
}

/// Runs what may panic, without the panic's own report; gives its text instead.
fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = catch_unwind(AssertUnwindSafe(work));
    std::panic::set_hook(hook);
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        text.and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_else(|| "no reason given".into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::UsageError;

    fn env_of(line: &str) -> &'static str {
        backend_env(line.split(' ').map(Into::into))
    }

    #[test]
    fn names_are_read_with_their_index() {
        assert_eq!(Asked::parse("cuda").unwrap(), Asked::Cuda(0));
        assert_eq!(Asked::parse("vulkan:2").unwrap(), Asked::Vulkan(2));
        for wrong in ["gpu", "cuda:", "cuda:x", "cpu:0", "auto:1", "CUDA", ""] {
            let refused = Asked::parse(wrong).unwrap_err();
            assert!(refused.downcast_ref::<UsageError>().is_some(), "{wrong}");
        }
    }

    #[test]
    fn the_cpu_answers() {
        let choice = resolve("cpu").unwrap();
        assert_eq!((choice.name.as_str(), choice.backend_env), ("cpu", "flex"));
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_device_that_was_not_built_is_an_error_and_no_fall_back() {
        let text = resolve("cuda:0").unwrap_err().to_string();
        assert!(text.contains("without the feature `cuda`\nhint: cargo build"), "{text}");
        let entry = list().into_iter().find(|entry| entry.name == "cuda").unwrap();
        assert!(!entry.available && !entry.why.contains('\n'), "{entry:?}");
    }

    #[test]
    fn burns_hidden_default_follows_the_command_line() {
        assert_eq!(env_of("kd run x --device cpu"), "flex");
        assert_eq!(env_of("kd run x"), "flex");
        assert_eq!(env_of("kd run x --device nonsense"), "flex");
        if cfg!(feature = "cuda") {
            assert_eq!(env_of("kd run x --device=cuda:1"), "cuda");
        } else {
            assert_eq!(env_of("kd run x --device=cuda:1"), "flex");
        }
    }

    #[test]
    fn a_panic_becomes_its_first_line() {
        assert_eq!(quietly(|| -> u8 { panic!("no driver\nmore") }), Err("no driver".into()));
        assert_eq!(quietly(|| 3), Ok(3));
    }
}
