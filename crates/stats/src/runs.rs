//! [`Runs`]: scores of one arm over seeds and tasks, and what they come to.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::error::finite;
use crate::interval::check_level;
use crate::{Bootstrap, Interval, SeedScores};

/// Scores of one arm: per task (asset, data set) one per seed. Over several tasks scores have to be comparable, as
/// Sharpe ratios are.
#[derive(Debug, Clone, PartialEq)]
pub struct Runs {
    tasks: Vec<SeedScores>,
    /// Where each task's scores begin in a row of all of them.
    starts: Vec<usize>,
    /// All scores in ascending order, each with its place in that row.
    pooled: Vec<(f64, usize)>,
}

/// What runs come to as one number: Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical
/// Precipice", as the package `rliable` has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregate {
    /// Mean over tasks of the mean over seeds.
    Mean,
    /// Median over tasks of the mean over seeds; with one task its mean. [`SeedScores::median`] is over seeds.
    Median,
    /// Interquartile mean: the mean of all scores without the lowest and the highest `floor(N / 4)`.
    Iqm,
    /// `target - mean(min(score, target))`, averaged over tasks: how far scores stay below what is aimed at.
    OptimalityGap {
        /// The score at which nothing is missing.
        target: f64,
    },
}

impl Runs {
    /// One entry per task.
    pub fn new(tasks: impl IntoIterator<Item = SeedScores>) -> Self {
        let tasks: Vec<SeedScores> = tasks.into_iter().collect();
        let (mut starts, mut pooled) = (vec![0], Vec::new());
        for task in &tasks {
            let start = pooled.len();
            pooled.extend(task.sorted().iter().enumerate().map(|(i, score)| (*score, start + i)));
            starts.push(pooled.len());
        }
        pooled.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { tasks, starts, pooled }
    }

    /// The scores by task.
    pub fn tasks(&self) -> &[SeedScores] {
        &self.tasks
    }

    /// Seeds of the task that has fewest.
    pub fn least_seeds(&self) -> usize {
        self.tasks.iter().map(SeedScores::len).min().unwrap_or(0)
    }

    /// Task by task, [`SeedScores::differences`]; `None` for different numbers of tasks.
    pub fn differences(&self, other: &Self) -> Option<Self> {
        let pairs = || self.tasks.iter().zip(&other.tasks);
        (self.tasks.len() == other.tasks.len()).then(|| Self::new(pairs().map(|(a, b)| a.differences(b))))
    }

    /// The aggregate of the scores; absent without tasks or with a task without scores.
    pub fn aggregate(&self, aggregate: Aggregate) -> Option<f64> {
        if self.least_seeds() == 0 {
            return None;
        }
        finite(self.weighted(aggregate, &self.each_once()))
    }

    /// The aggregate with the percentile interval of the stratified bootstrap: seeds are drawn within each task, the same
    /// number with replacement. Absent when a task has fewer than 3 seeds.
    ///
    /// # Panics
    /// When `level` is not between 0 and 1.
    pub fn interval(&self, aggregate: Aggregate, level: f64, bootstrap: &Bootstrap) -> Option<Interval> {
        self.intervals(&[aggregate], level, bootstrap)?.pop()
    }

    /// [`interval`](Self::interval) of several aggregates from the same resamples.
    ///
    /// # Panics
    /// When `level` is not between 0 and 1.
    pub fn intervals(
        &self,
        aggregates: &[Aggregate],
        level: f64,
        bootstrap: &Bootstrap,
    ) -> Option<Vec<Interval>> {
        let values = |counts: &[u32]| aggregates.iter().map(|a| self.weighted(*a, counts)).collect();
        self.bootstrap(aggregates.len(), level, bootstrap, values)
    }

    /// Intervals of `width` numbers that `values` makes of how often each score is drawn.
    pub(crate) fn bootstrap(
        &self,
        width: usize,
        level: f64,
        bootstrap: &Bootstrap,
        values: impl Fn(&[u32]) -> Vec<f64> + Sync,
    ) -> Option<Vec<Interval>> {
        check_level(level);
        if self.least_seeds() < SeedScores::LEAST_FOR_INTERVAL {
            return None;
        }
        let points = values(&self.each_once());
        let resampled = bootstrap.run(
            || self.each_once(),
            |counts, stream| {
                self.draw(counts, stream);
                values(counts)
            },
        );
        let column = |i: usize| resampled.iter().map(|row| row[i]).collect();
        (0..width).map(|i| Interval::percentile(points[i], column(i), level)).collect()
    }

    /// Counts of the scores as they are.
    pub(crate) fn each_once(&self) -> Vec<u32> {
        vec![1; self.pooled.len()]
    }

    /// Draws seeds within each task; `counts` says how often each was drawn.
    pub(crate) fn draw(&self, counts: &mut [u32], stream: &mut ChaCha8Rng) {
        counts.fill(0);
        for bounds in self.starts.windows(2) {
            let task = &mut counts[bounds[0]..bounds[1]];
            let n = task.len() as u32;
            for _ in 0..n {
                task[stream.random_range(0..n) as usize] += 1;
            }
        }
    }

    /// Scores and counts by task.
    pub(crate) fn by_task<'a>(&'a self, counts: &'a [u32]) -> impl Iterator<Item = (&'a [f64], &'a [u32])> {
        let bounds = self.starts.windows(2);
        self.tasks.iter().zip(bounds).map(|(task, bounds)| (task.sorted(), &counts[bounds[0]..bounds[1]]))
    }

    /// Mean over tasks of the mean over drawn seeds of `value`.
    pub(crate) fn mean_of(&self, counts: &[u32], value: impl Fn(f64) -> f64) -> f64 {
        self.task_means(counts, value).sum::<f64>() / self.tasks.len() as f64
    }

    fn task_means<'a>(
        &'a self,
        counts: &'a [u32],
        value: impl Fn(f64) -> f64 + 'a,
    ) -> impl Iterator<Item = f64> + 'a {
        self.by_task(counts).map(move |(scores, counts)| {
            let sum: f64 = scores.iter().zip(counts).map(|(s, c)| f64::from(*c) * value(*s)).sum();
            sum / scores.len() as f64
        })
    }

    /// The aggregate of scores that count several times.
    pub(crate) fn weighted(&self, aggregate: Aggregate, counts: &[u32]) -> f64 {
        match aggregate {
            Aggregate::Mean => self.mean_of(counts, |score| score),
            Aggregate::Median => {
                let mut means: Vec<f64> = self.task_means(counts, |score| score).collect();
                means.sort_by(f64::total_cmp);
                crate::quantile(&means, 0.5)
            }
            Aggregate::Iqm => self.trimmed(counts),
            Aggregate::OptimalityGap { target } => target - self.mean_of(counts, |score| score.min(target)),
        }
    }

    fn trimmed(&self, counts: &[u32]) -> f64 {
        let n = self.pooled.len();
        let cut = n / 4;
        let (mut skip, mut take, mut sum) = (cut, n - 2 * cut, 0.0);
        for (score, place) in &self.pooled {
            let count = counts[*place] as usize;
            let skipped = skip.min(count);
            let taken = take.min(count - skipped);
            (skip, take) = (skip - skipped, take - taken);
            sum += taken as f64 * score;
        }
        sum / (n - 2 * cut) as f64
    }
}

#[cfg(test)]
mod tests;
