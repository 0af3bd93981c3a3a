//! What a time depends on: processor, cores, operating system, compiler. No host name: that is nobody's business.

use std::fmt;
use std::process::Command;

/// The fingerprint within which times compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) system: String,
    pub(crate) compiler: String,
}

impl Host {
    pub(super) fn this() -> Self {
        let processor = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| model_name(&text));
        let compiler = Command::new("rustc").arg("--version").output().ok();
        let compiler = compiler.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        Self {
            processor: processor.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            system: std::env::consts::OS.to_owned(),
            compiler: compiler.unwrap_or_else(|| "unknown".to_owned()),
        }
    }

    /// The machine as part of a file name, such as `some-processor-2c`.
    pub(super) fn slug(&self) -> String {
        let letters = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' };
        let words: String = self.processor.chars().map(letters).collect();
        let words: Vec<&str> =
            words.split_whitespace().filter(|word| !["r", "tm", "cpu"].contains(word)).take(4).collect();
        format!("{}-{}c", words.join("-"), self.cores)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, system, compiler } = self;
        write!(formatter, "{processor}, {cores} cores, {system}, {compiler}")
    }
}

fn model_name(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_names_the_folder() {
        let text = "processor\t: 0\nmodel name\t: Some(R) Xeon(R) CPU @ 2.20GHz\n";
        let host = Host {
            processor: model_name(text).expect("a name"),
            cores: 2,
            system: "linux".into(),
            compiler: "rustc 1".into(),
        };
        assert_eq!(host.slug(), "some-xeon-2-20ghz-2c");
        assert_eq!(host.to_string(), "Some(R) Xeon(R) CPU @ 2.20GHz, 2 cores, linux, rustc 1");
        assert_eq!(model_name("flags : x"), None);
    }
}
