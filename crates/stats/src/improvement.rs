//! How likely a run of one arm does better than one of another.

use rand_chacha::ChaCha8Rng;

use crate::interval::check_level;
use crate::{Bootstrap, Interval, Runs, SeedScores};

impl Runs {
    /// Probability of improvement over `other` (Agarwal et al. 2021): mean over tasks of `P(X > Y) + P(X = Y) / 2`
    /// for a seed of each, which is Mann and Whitney's `U / (n m)`. `None` for different numbers of tasks, without any,
    /// and with a task without scores.
    pub fn probability_of_improvement(&self, other: &Self) -> Option<f64> {
        let pairing = Pairing::new(self, other)?;
        Some(pairing.probability(&self.each_once(), &other.each_once()))
    }

    /// The same with the percentile interval of a stratified bootstrap of both arms, independently. Absent when a task
    /// has fewer than 3 seeds of either.
    ///
    /// # Panics
    /// When `level` is not between 0 and 1.
    pub fn improvement_interval(&self, other: &Self, level: f64, bootstrap: &Bootstrap) -> Option<Interval> {
        if other.least_seeds() < SeedScores::LEAST_FOR_INTERVAL {
            return None;
        }
        self.improvement(other, level, bootstrap, Self::draw)
    }

    /// The same over a baseline that no seed changes, such as Buy & Hold, with its one score per task: the interval is
    /// over the seeds of this arm alone.
    ///
    /// # Panics
    /// When `level` is not between 0 and 1.
    pub fn improvement_over_fixed(
        &self,
        baseline: &[f64],
        level: f64,
        bootstrap: &Bootstrap,
    ) -> Option<Interval> {
        let one = |score: &f64| SeedScores::new([(crate::Seed(0), Some(*score))]);
        let other = Self::new(baseline.iter().map(one));
        self.improvement(&other, level, bootstrap, |other, counts, _| {
            counts.copy_from_slice(&other.each_once())
        })
    }

    fn improvement(
        &self,
        other: &Self,
        level: f64,
        bootstrap: &Bootstrap,
        draw_other: impl Fn(&Self, &mut [u32], &mut ChaCha8Rng) + Sync,
    ) -> Option<Interval> {
        check_level(level);
        let pairing = Pairing::new(self, other)?;
        if self.least_seeds() < SeedScores::LEAST_FOR_INTERVAL {
            return None;
        }
        let scratch = || (self.each_once(), other.each_once());
        let resampled = bootstrap.run(scratch, |(own, theirs), stream| {
            self.draw(own, stream);
            draw_other(other, theirs, stream);
            pairing.probability(own, theirs)
        });
        Some(Interval::percentile(self.probability_of_improvement(other)?, resampled, level))
    }
}

/// For each own score, how many of the other's of the same task lie below it, and how many at most at it.
pub(crate) struct Pairing<'a> {
    own: &'a Runs,
    other: &'a Runs,
    below: Vec<[usize; 2]>,
}

impl<'a> Pairing<'a> {
    pub(crate) fn new(own: &'a Runs, other: &'a Runs) -> Option<Self> {
        let (tasks, others) = (own.tasks(), other.tasks());
        if tasks.len() != others.len() || own.least_seeds() == 0 || other.least_seeds() == 0 {
            return None;
        }
        let place = |score: &f64, other: &SeedScores| {
            let other = other.sorted();
            [other.partition_point(|y| y < score), other.partition_point(|y| y <= score)]
        };
        let of_task = |(own, other): (&'a SeedScores, &'a SeedScores)| -> Vec<[usize; 2]> {
            own.sorted().iter().map(|score| place(score, other)).collect()
        };
        Some(Self { own, other, below: tasks.iter().zip(others).flat_map(of_task).collect() })
    }

    /// The probability when scores count several times.
    pub(crate) fn probability(&self, own: &[u32], other: &[u32]) -> f64 {
        let mut places = self.below.iter();
        let mut total = 0.0;
        let mut up_to = Vec::new();
        for ((_, own), (_, other)) in self.own.by_task(own).zip(self.other.by_task(other)) {
            // Drawn scores of the other that come before each.
            up_to.clear();
            up_to.push(0);
            up_to.extend(other.iter().scan(0, |sum, count| {
                *sum += count;
                Some(*sum)
            }));
            let pairs = own.iter().zip(&mut places);
            let doubled: u32 = pairs.map(|(count, [below, at])| count * (up_to[*below] + up_to[*at])).sum();
            total += f64::from(doubled) / (2 * own.len() * other.len()) as f64;
        }
        total / self.own.tasks().len() as f64
    }
}

#[cfg(test)]
mod tests;
