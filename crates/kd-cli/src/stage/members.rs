//! The teacher's members: one network, or several from seeds of their own that answer as one.

use anyhow::Result;
use burn::tensor::Device;
use kd_core::train::Plan;
use kd_core::{Averaging, Committee, LiveTeacher, Network, Task, Teacher};

use super::training::{self, Epoch, FinishedRun, Job};
use super::{Context, identity};

/// Finished runs whose networks answer together.
pub(crate) struct Members {
    /// In the order of their seeds.
    pub(crate) runs: Vec<FinishedRun>,
    weights: Vec<f64>,
    averaging: Averaging,
}

impl Members {
    /// A run by itself.
    pub(crate) fn of_one(run: FinishedRun) -> Self {
        Self { runs: vec![run], weights: vec![1.0], averaging: Averaging::Values }
    }

    /// Trains, or opens, a member for each weight: as `first` says, each from the next seed. `id_of` names the run of a plan.
    pub(crate) fn train<E, N, T, const D: usize, const I: usize, const O: usize>(
        context: &Context<'_, E>,
        first: &Job<'_, T, D, I, O>,
        joined: (&[f64], Averaging),
        id_of: impl Fn(&Plan) -> Result<String>,
        init: impl Fn(&Device) -> N,
    ) -> Result<Self>
    where
        N: Network<I, O>,
        T: Task<D, I, O>,
    {
        Self::each(first.plan, joined, |_, plan, called| {
            let job = Job { id: id_of(plan)?, title: first.title.clone() + called, plan, ..*first };
            training::run(context, &job, init(&context.device.device.clone().autodiff()))
        })
    }

    /// The same where members differ in more than their seeds: `run` trains, or opens, a member with its plan, and with
    /// what it is called behind the teacher's name.
    pub(crate) fn each(
        first: &Plan,
        (weights, averaging): (&[f64], Averaging),
        run: impl Fn(usize, &Plan, &str) -> Result<FinishedRun>,
    ) -> Result<Self> {
        let runs = plans(first, weights.len()).enumerate();
        let runs = runs.map(|(member, plan)| run(member, &plan, &of_members(member, weights.len())));
        Ok(Self { runs: runs.collect::<Result<_>>()?, weights: weights.to_vec(), averaging })
    }

    /// Of the weights of all, as files.
    pub(crate) fn file_bytes(&self) -> usize {
        self.runs.iter().map(|run| run.chosen.to_bytes().len()).sum()
    }

    /// Names what they answer together.
    pub(crate) fn id(&self) -> Result<String> {
        match self.runs.as_slice() {
            [one] => Ok(one.id.clone()),
            several => {
                let runs: Vec<&str> = several.iter().map(|run| run.id.as_str()).collect();
                identity("committee", &(runs, &self.weights))
            }
        }
    }

    /// Their networks as one, each with its numbers of an epoch; `init` makes that of a member.
    pub(crate) fn network<N, const I: usize, const O: usize>(
        &self,
        epoch: Epoch,
        init: impl Fn(usize) -> N,
    ) -> Result<Committee<N>>
    where
        N: Network<I, O>,
    {
        let loaded = |(member, run): (usize, &FinishedRun)| run.state(epoch).load_into(init(member));
        let networks = self.runs.iter().enumerate().map(loaded).collect::<Result<Vec<_>, _>>()?;
        Ok(Committee::new(self.weights.iter().copied().zip(networks).collect(), self.averaging.clone())?)
    }

    /// Their networks as the teacher that students ask.
    pub(crate) fn live<N, const I: usize, const O: usize>(
        &self,
        init: impl Fn(usize) -> N,
    ) -> Result<Box<dyn Teacher<I, O>>>
    where
        N: Network<I, O>,
    {
        Ok(match self.runs.as_slice() {
            [one] => Box::new(LiveTeacher::new::<I, O>(&one.chosen.load_into(init(0))?)),
            _ => Box::new(LiveTeacher::new::<I, O>(&self.network(Epoch::Chosen, init)?)),
        })
    }
}

/// Which member of how many, in words; nothing of one.
pub(crate) fn of_members(member: usize, members: usize) -> String {
    if members == 1 { String::new() } else { format!(" member {} of {members}", member + 1) }
}

/// The plans of so many members.
pub(crate) fn plans(first: &Plan, members: usize) -> impl Iterator<Item = Plan> + '_ {
    (0..members).map(|member| Plan { seed: first.seed.wrapping_add(member as u64), ..first.clone() })
}
