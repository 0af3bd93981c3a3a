//! What machine this is: the facts that a record of times needs beside it.
//!
//! Linux tells them as text files, which is why this stands in the library that opens files. Elsewhere each fact is
//! unknown, and a record says so, because a guessed processor is worse than none.

use std::path::Path;

/// The processor's name, such as `AMD EPYC 7763 64-Core Processor`; none where the system does not tell.
#[must_use]
pub fn cpu_model() -> Option<String> {
    let text = read("/proc/cpuinfo")?;
    // The second name is that of 64-bit ARM, where the first is missing.
    value_of(&text, "model name").or_else(|| value_of(&text, "Processor")).map(str::to_owned)
}

/// Bytes of main memory; none where the system does not tell.
#[must_use]
pub fn memory_bytes() -> Option<u64> {
    kibibytes_of(&read("/proc/meminfo")?, "MemTotal")
}

/// The most memory that this process has held so far, in bytes; none where the system does not tell.
#[must_use]
pub fn peak_memory_bytes() -> Option<u64> {
    kibibytes_of(&read("/proc/self/status")?, "VmHWM")
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(path)).ok()
}

/// The value of the first line `key : value`.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(name, value)| name.trim() == key && !value.trim().is_empty())?;
    Some(value.trim())
}

fn kibibytes_of(text: &str, key: &str) -> Option<u64> {
    value_of(text, key)?.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_behind_its_own_key() {
        let text = "processor\t: 0\nmodel\t\t: 79\nmodel name\t: Some CPU @ 2.00GHz\nmodel name\t: Other\n";
        assert_eq!(value_of(text, "model name"), Some("Some CPU @ 2.00GHz"));
        assert_eq!(value_of(text, "cache size"), None);
    }

    #[test]
    fn kibibytes_become_bytes_and_other_units_are_unknown() {
        assert_eq!(kibibytes_of("VmPeak:\t 9 kB\nVmHWM:\t    2048 kB\n", "VmHWM"), Some(2_097_152));
        assert_eq!(kibibytes_of("VmHWM: 3 pages\n", "VmHWM"), None);
        assert_eq!(kibibytes_of("VmHWM: 99999999999999999999 kB\n", "VmHWM"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_held_some_memory_and_less_than_there_is() {
        let (peak, all) = (peak_memory_bytes().unwrap(), memory_bytes().unwrap());
        assert!(peak > 100_000 && peak < all, "{peak} of {all}");
    }
}
