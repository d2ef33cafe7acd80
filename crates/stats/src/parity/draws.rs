//! The random numbers of `tests/fixtures/draws.py`: a linear congruential generator (Knuth's MMIX), its upper 31 bits.

pub(super) struct Draws {
    state: u64,
}

impl Draws {
    pub(super) fn new(key: u64) -> Self {
        Self { state: key }
    }

    fn next(&mut self) -> u64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state >> 33
    }

    pub(super) fn index(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Periods of one resample of the stationary bootstrap, drawn as arch draws them: all places first, then for each
    /// period whether it begins a block.
    pub(super) fn periods(&mut self, n: usize, block: f64) -> Vec<usize> {
        let mut periods: Vec<usize> = (0..n).map(|_| self.index(n)).collect();
        let uniforms: Vec<f64> = (0..n).map(|_| self.next() as f64 / f64::from(1_u32 << 31)).collect();
        for t in 1..n {
            if uniforms[t] > 1.0 / block {
                periods[t] = (periods[t - 1] + 1) % n;
            }
        }
        periods
    }

    /// How often each of `n` scores per task is drawn, run by run over all tasks, as rliable draws them; task by task.
    pub(super) fn counts(&mut self, seeds: usize, tasks: usize) -> Vec<u32> {
        let mut counts = vec![0; seeds * tasks];
        for _ in 0..seeds {
            for task in 0..tasks {
                counts[task * seeds + self.index(seeds)] += 1;
            }
        }
        counts
    }
}
