//! An experiment of a dense task: its parts are known to fit each other.

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use kd_core::Objective;
use kd_core::train::{Plan, Views};
use kd_data::leak::LeakPolicy;
use kd_data::prepare::DenseRequest;

use super::{DenseTask, MetricFacts};
use crate::recipe::{Arm, Folding, PackageTable, taps_of};

/// A network with what it takes.
pub(crate) struct Sized<S, N> {
    pub(crate) name: String,
    pub(crate) design: N,
    pub(crate) spec: S,
    pub(crate) parameters: u64,
    /// Of a forward pass of one sample, as it is scored.
    pub(crate) multiply_adds: u64,
    /// Points of that sample.
    pub(crate) points: usize,
}

/// How numbers are reported.
pub(crate) struct Scoring {
    pub(crate) metrics: Vec<MetricFacts>,
    /// Its place among the metrics.
    pub(crate) primary: usize,
    pub(crate) secondary: Vec<usize>,
    pub(crate) resamples: usize,
    pub(crate) level: f64,
    pub(crate) method: String,
    pub(crate) seed: u64,
    pub(crate) package: PackageTable,
}

impl Scoring {
    /// The place of a metric.
    pub(crate) fn place(metrics: &[MetricFacts], name: &str, key: &str) -> Result<usize> {
        metrics.iter().position(|metric| metric.name == name).with_context(|| {
            let known: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
            format!("`{key}` is \"{name}\", expected one of {}", known.join(", "))
        })
    }
}

/// An experiment of one dense task.
pub(crate) struct DenseExperiment<T, S, N> {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) title: String,
    pub(crate) seeds: Vec<u64>,
    pub(crate) leak_policy: LeakPolicy,
    pub(crate) unit: String,
    pub(crate) claim_limit: Option<String>,
    pub(crate) request: DenseRequest,
    pub(crate) task: T,
    pub(crate) views: Views,
    /// Of cross-fitting, where the recipe asks for it.
    pub(crate) folding: Option<Folding>,
    pub(crate) teacher: Sized<S, N>,
    /// How much the answer of each member of the teacher counts.
    pub(crate) members: Vec<f64>,
    /// A finished student that teaches instead of a network that is trained here.
    pub(crate) package: Option<String>,
    pub(crate) teacher_plan: Plan,
    pub(crate) smoothing: f64,
    pub(crate) students: Vec<Sized<S, N>>,
    /// Without a seed, which each run puts in.
    pub(crate) student_plan: Plan,
    pub(crate) arms: Vec<Arm>,
    pub(crate) scoring: Scoring,
}

impl<T, S, N> DenseExperiment<T, S, N> {
    /// The objective of an arm, built anew.
    pub(crate) fn objective<const D: usize, const I: usize>(&self, arm: &Arm) -> Result<Objective<I, I>>
    where
        T: DenseTask<D, I>,
    {
        arm.objective(self.task.classes(), |name, parameters| self.task.build(name, parameters))
    }

    /// Checks the taps that arms name against the networks of teacher and students.
    pub(crate) fn check_taps<const D: usize, const I: usize>(&self, device: &Device) -> Result<()>
    where
        T: DenseTask<D, I, Spec = S>,
    {
        let [shape, _] = self.task.shapes();
        let taps = |spec: &S| taps_of(&self.task.init(spec, device), shape, device);
        for arm in &self.arms {
            arm.check_taps(&self.objective::<D, I>(arm)?, || taps(&self.teacher.spec), device, {
                self.students.iter().map(|student| (student.name.as_str(), || taps(&student.spec)))
            })?;
        }
        Ok(())
    }

    /// Refuses arms that this task cannot have.
    pub(crate) fn check_arms<const D: usize, const I: usize>(&self) -> Result<()>
    where
        T: DenseTask<D, I>,
    {
        for arm in &self.arms {
            arm.check_epochs(&self.objective::<D, I>(arm)?, &self.student_plan)?;
            arm.check_plan(&self.student_plan, self.members.len())?;
            if arm.unlabelled {
                bail!("arm `{}` is `unlabelled`, which only classification knows", arm.name);
            }
        }
        Ok(())
    }
}
