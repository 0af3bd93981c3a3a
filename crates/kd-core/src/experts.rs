//! Several teachers that know different classes: what all of them say together about every class.

/// Least probability that an expert's word counts as: one that is sure beyond it cannot outweigh all others.
const FLOOR: f64 = 1e-6;
/// Steps of Newton's method; a handful is enough.
const MOST_STEPS: usize = 100;
/// Largest slope at which the search ends.
const FLAT: f64 = 1e-10;

/// Why experts cannot answer together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpertiseError {
    /// An expert of one class, or of a class that is none.
    #[error("expert {expert} knows the classes {found:?}, expected two or more of 0 to {highest}, each once")]
    Classes {
        /// Its place, from 0.
        expert: usize,
        /// What it knows.
        found: Vec<usize>,
        /// The highest class.
        highest: usize,
    },
    /// A class that nobody knows.
    #[error("no expert knows class {class}, expected one for each class at least")]
    Unknown {
        /// The class.
        class: usize,
    },
    /// Experts that have no class in common, not even through others.
    #[error(
        "class {class} is known by experts that share no class with those of class 0, expected every class to be compared with every other through classes that two experts share\nhint: give two experts a class in common"
    )]
    Apart {
        /// The first class that cannot be compared.
        class: usize,
    },
}

/// Which classes each of several experts knows.
///
/// # What it computes
/// Each expert `m` tells the probabilities `p_m` of the classes that it knows, `S_m`, as if there were no others. The joint
/// answer `q` is the distribution over all classes that fits best to what each says of its own:
///
/// ```text
/// q = argmin Σ_m w_m · KL(p_m ‖ q restricted to S_m and scaled to sum to 1)
/// ```
///
/// Experts that know all classes give the weighted mean of their probabilities; one alone gives what it said.
///
/// # Policy
/// Every class is known by an expert, and classes are compared through those that two experts share. Probabilities below
/// 1e-6 count as 1e-6. Computed in double precision by Newton's method on the logits of `q`, where the sum is convex.
///
/// # Source
/// Vongkulbhaisal et al. 2019, "Unifying Heterogeneous Classifiers with Distillation", arXiv 1904.06062, section 3.2, the
/// method by cross-entropy.
///
/// # Deviations
/// The paper searches by geometric programming; the least sum is the same.
///
/// # Example
/// ```
/// use kd_core::Expertise;
///
/// // Two experts that share class 1: odds of 0 against 1 are 3, of 2 against 1 are 1/2.
/// let experts = Expertise::new(vec![vec![0, 1], vec![1, 2]], 3)?;
/// let third = 1.0_f64 / 3.0;
/// let q = experts.join(&[0.5, 0.5], &[vec![0.75, 0.25], vec![2.0 * third, third]]);
/// let expected = [3.0 / 4.5, 1.0 / 4.5, 0.5 / 4.5];
/// assert!(q.iter().zip(expected).all(|(found, expected)| (found.exp() - expected).abs() < 1e-9));
///
/// assert!(Expertise::new(vec![vec![0, 1], vec![2, 3]], 4).is_err());
/// # Ok::<(), kd_core::ExpertiseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expertise {
    classes: Vec<Vec<usize>>,
    n_classes: usize,
}

impl Expertise {
    /// Checks what experts know: the places of their classes among all, in the order of their outputs.
    ///
    /// # Errors
    /// [`ExpertiseError`].
    pub fn new(classes: Vec<Vec<usize>>, n_classes: usize) -> Result<Self, ExpertiseError> {
        for (expert, known) in classes.iter().enumerate() {
            let mut sorted = known.clone();
            sorted.sort_unstable();
            sorted.dedup();
            if known.len() < 2 || sorted.len() != known.len() || sorted.last().is_some_and(|&class| class >= n_classes)
            {
                let highest = n_classes.saturating_sub(1);
                return Err(ExpertiseError::Classes { expert, found: known.clone(), highest });
            }
        }
        if let Some(class) = (0..n_classes).find(|class| !classes.iter().any(|known| known.contains(class))) {
            return Err(ExpertiseError::Unknown { class });
        }
        let mut reached = vec![false; n_classes];
        reached[..1].fill(true);
        // As often as there are experts: each round reaches those that share a class with the ones before.
        for _ in &classes {
            for known in &classes {
                if known.iter().any(|&class| reached[class]) {
                    known.iter().for_each(|&class| reached[class] = true);
                }
            }
        }
        match reached.iter().position(|reached| !reached) {
            Some(class) => Err(ExpertiseError::Apart { class }),
            None => Ok(Self { classes, n_classes }),
        }
    }

    /// What each expert knows.
    #[must_use]
    pub fn classes(&self) -> &[Vec<usize>] {
        &self.classes
    }

    /// How many classes there are.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// Logarithms of the joint probabilities, from what each expert says of its own classes.
    ///
    /// # Panics
    /// When there are not as many weights and answers as experts, or an answer has not as many probabilities as its
    /// expert knows classes.
    #[must_use]
    pub fn join(&self, weights: &[f64], said: &[Vec<f64>]) -> Vec<f64> {
        assert_eq!((weights.len(), said.len()), (self.classes.len(), self.classes.len()), "one of each expert");
        let said: Vec<Vec<f64>> = said.iter().map(|said| floored(said)).collect();
        let mut logits = vec![0.0; self.n_classes];
        for _ in 0..MOST_STEPS {
            let (value, slope, mut bend) = self.around(weights, &said, &logits);
            if slope.iter().all(|slope| slope.abs() < FLAT) {
                break;
            }
            // Adding a number to all logits changes nothing; this keeps their sum where it is.
            bend.iter_mut().for_each(|row| row.iter_mut().for_each(|entry| *entry += 1.0));
            let direction = solve(bend, slope.iter().map(|slope| -slope).collect());
            let fall: f64 = direction.iter().zip(&slope).map(|(step, slope)| step * slope).sum();
            let stepped = |share: f64| -> Vec<f64> {
                logits.iter().zip(&direction).map(|(logit, step)| logit + share * step).collect()
            };
            let lower = |share: &f64| self.around(weights, &said, &stepped(*share)).0 <= value + 1e-4 * share * fall;
            let Some(share) = (0..40).map(|halved| 0.5_f64.powi(halved)).find(lower) else { break };
            logits = stepped(share);
        }
        let all = log_sum_exp(logits.iter().copied());
        logits.into_iter().map(|logit| logit - all).collect()
    }

    /// The sum at some logits, but for what does not depend on them, with its slope and how that bends.
    fn around(&self, weights: &[f64], said: &[Vec<f64>], logits: &[f64]) -> (f64, Vec<f64>, Vec<Vec<f64>>) {
        let (mut value, mut slope) = (0.0, vec![0.0; self.n_classes]);
        let mut bend = vec![vec![0.0; self.n_classes]; self.n_classes];
        for ((known, said), weight) in self.classes.iter().zip(said).zip(weights) {
            let all = log_sum_exp(known.iter().map(|&class| logits[class]));
            let share: Vec<f64> = known.iter().map(|&class| (logits[class] - all).exp()).collect();
            for (place, &class) in known.iter().enumerate() {
                value += weight * said[place] * (all - logits[class]);
                slope[class] += weight * (share[place] - said[place]);
                bend[class][class] += weight * share[place];
                for (other, &second) in known.iter().enumerate() {
                    bend[class][second] -= weight * share[place] * share[other];
                }
            }
        }
        (value, slope, bend)
    }
}

fn floored(said: &[f64]) -> Vec<f64> {
    let floored = said.iter().map(|said| said.max(FLOOR));
    let sum: f64 = floored.clone().sum();
    floored.map(|said| said / sum).collect()
}

fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    largest + values.map(|value| (value - largest).exp()).sum::<f64>().ln()
}

/// Solves `matrix · x = right` by elimination with the largest pivots; the matrix is symmetric and positive.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for column in 0..n {
        let largest = (column..n).max_by(|&a, &b| matrix[a][column].abs().total_cmp(&matrix[b][column].abs()));
        let pivot = largest.unwrap_or(column);
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        for row in column + 1..n {
            let factor = matrix[row][column] / matrix[column][column];
            let (above, below) = matrix.split_at_mut(row);
            below[0].iter_mut().zip(&above[column]).skip(column).for_each(|(entry, above)| *entry -= factor * above);
            right[row] -= factor * right[column];
        }
    }
    for column in (0..n).rev() {
        let known: f64 = (column + 1..n).map(|place| matrix[column][place] * right[place]).sum();
        right[column] = (right[column] - known) / matrix[column][column];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: &[f64], expected: &[f64], tolerance: f64) {
        let off = found.iter().zip(expected).map(|(a, b)| (a.exp() - b).abs()).fold(0.0, f64::max);
        assert!(found.len() == expected.len() && off < tolerance, "{found:?} {expected:?}");
    }

    #[test]
    fn experts_of_all_classes_give_the_mean_of_their_probabilities() {
        let experts = Expertise::new(vec![vec![0, 1, 2], vec![2, 0, 1]], 3).unwrap();
        let q = experts.join(&[0.75, 0.25], &[vec![0.2, 0.3, 0.5], vec![0.1, 0.6, 0.3]]);
        close(&q, &[0.3, 0.3, 0.4], 1e-9);
    }

    #[test]
    fn an_expert_alone_gives_what_it_said() {
        let experts = Expertise::new(vec![vec![0, 1, 2]], 3).unwrap();
        close(&experts.join(&[1.0], &[vec![0.2, 0.3, 0.5]]), &[0.2, 0.3, 0.5], 1e-9);
    }

    #[test]
    fn a_chain_of_shared_classes_multiplies_odds() {
        let experts = Expertise::new(vec![vec![3, 2], vec![0, 1], vec![1, 2]], 4).unwrap();
        let q = experts.join(&[1.0 / 3.0; 3], &[vec![0.8, 0.2], vec![0.5, 0.5], vec![0.25, 0.75]]);
        // 0 : 1 = 1, 2 : 1 = 3, 3 : 2 = 4.
        close(&q, &[1.0 / 17.0, 1.0 / 17.0, 3.0 / 17.0, 12.0 / 17.0], 1e-9);
    }

    #[test]
    fn experts_that_are_sure_of_themselves_leave_numbers() {
        let experts = Expertise::new(vec![vec![0, 1], vec![1, 2], vec![0, 2]], 3).unwrap();
        for said in [[vec![1.0, 0.0], vec![1.0, 0.0], vec![1.0, 0.0]], [vec![1.0, 0.0], vec![1.0, 0.0], vec![0.0, 1.0]]]
        {
            let q = experts.join(&[0.2, 0.3, 0.5], &said);
            assert!(q.iter().all(|value| value.is_finite()), "{q:?}");
            assert!((q.iter().map(|value| value.exp()).sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn what_cannot_be_joined_is_refused() {
        let refused = |classes: &[&[usize]]| {
            Expertise::new(classes.iter().map(|known| known.to_vec()).collect(), 4).unwrap_err().to_string()
        };
        assert!(refused(&[&[0, 1], &[1, 2]]).contains("no expert knows class 3"));
        assert!(refused(&[&[0, 1], &[2, 3]]).contains("class 2 is known by experts that share no class"));
        assert!(refused(&[&[0, 1, 1], &[1, 2, 3]]).contains("expert 0"));
        assert!(refused(&[&[0, 1, 2, 3], &[2]]).contains("expert 1"));
        assert!(refused(&[&[0, 1, 2, 4]]).contains("0 to 3"));
        assert!(Expertise::new(vec![vec![3, 2], vec![0, 1], vec![1, 2]], 4).is_ok());
    }
}
