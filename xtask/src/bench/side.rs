//! One side of a side-by-side: a process that prepares a network and does a step whenever it is asked.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context as _;

/// What a side took.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Times {
    /// Seconds of each step, in the order in which they were taken.
    pub(super) seconds: Vec<f64>,
    /// Peak memory of the process, in bytes.
    pub(super) peak: u64,
    /// Peak memory above that of the idle process, libraries loaded and network built.
    pub(super) above_idle: u64,
    /// Libraries and their versions.
    pub(super) versions: String,
}

impl Times {
    pub(super) fn fastest(&self) -> f64 {
        self.seconds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub(super) fn median(&self) -> f64 {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        let half = sorted.len() / 2;
        if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[half - 1], sorted[half]) } else { sorted[half] }
    }
}

/// A running side.
pub(super) struct Side {
    pub(super) name: &'static str,
    child: Child,
    lines: BufReader<ChildStdout>,
    questions: ChildStdin,
    seconds: Vec<f64>,
}

impl Side {
    /// Starts a side and waits until it is ready.
    pub(super) fn start(name: &'static str, mut command: Command) -> anyhow::Result<Self> {
        let shown = crate::step::shown(&command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start `{shown}`"))?;
        let (questions, answers) = (child.stdin.take(), child.stdout.take());
        let questions = questions.context("a side without standard input")?;
        let lines = BufReader::new(answers.context("a side without standard output")?);
        let mut side = Self { name, child, lines, questions, seconds: Vec::new() };
        let answer = side.answer()?;
        anyhow::ensure!(
            answer == "ready",
            "side `{name}` answered `{answer}`, expected `ready`\nhint: run `{shown}` by hand to see why"
        );
        Ok(side)
    }

    fn answer(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line).with_context(|| format!("side `{}` does not answer", self.name))?;
        Ok(line.trim().to_owned())
    }

    fn ask(&mut self, question: &str) -> anyhow::Result<String> {
        writeln!(self.questions, "{question}").with_context(|| format!("side `{}` has ended", self.name))?;
        self.answer()
    }

    /// One step.
    pub(super) fn step(&mut self) -> anyhow::Result<()> {
        let answer = self.ask("step")?;
        let seconds =
            answer.parse().with_context(|| format!("side `{}` answered `{answer}`, expected seconds", self.name))?;
        self.seconds.push(seconds);
        Ok(())
    }

    /// Ends the side and gives what it took.
    pub(super) fn finish(mut self) -> anyhow::Result<Times> {
        let memory = self.ask("memory")?;
        let versions = self.ask("versions")?;
        let numbers: Vec<u64> = memory.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let [idle, peak] = numbers[..] else {
            anyhow::bail!("side `{}` answered `{memory}`, expected two sizes", self.name);
        };
        let Self { mut child, questions, seconds, .. } = self;
        drop(questions);
        child.wait()?;
        Ok(Times { seconds, peak, above_idle: peak.saturating_sub(idle), versions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_side_answers_steps_and_memory() {
        let script = "echo ready; read q; echo 0.5; read q; echo 0.25; read q; echo 100 300; read q; echo V 1";
        let mut side = Side::start("x", shell(script)).expect("a side");
        side.step().expect("a step");
        side.step().expect("a step");
        let times = side.finish().expect("times");
        assert_eq!(times, Times { seconds: vec![0.5, 0.25], peak: 300, above_idle: 200, versions: "V 1".into() });
        assert!((times.fastest() - 0.25).abs() < 1e-12 && (times.median() - 0.375).abs() < 1e-12);
    }

    #[test]
    fn a_side_that_cannot_start_says_how_to_see_why() {
        let error = Side::start("x", shell("exit 3")).err().expect("an error").to_string();
        assert!(error.contains("expected `ready`") && error.contains("hint:"), "{error}");
    }
}
