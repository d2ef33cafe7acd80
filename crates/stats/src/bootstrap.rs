//! [`Bootstrap`]: how many resamples, and from which random streams.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Resamples that share a stream. Part of the results: another number is another draw.
const CHUNK: usize = 128;

/// Settings of every bootstrap. Equal settings and equal input give equal results, whatever the number of threads:
/// each 128 resamples have a ChaCha8 stream of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// Number of resamples.
    pub resamples: usize,
    /// Key of the random streams.
    pub key: u64,
}

impl Default for Bootstrap {
    /// 10,000 resamples and a fixed key.
    fn default() -> Self {
        Self { resamples: 10_000, key: 0x666c_6167_6c61_6221 }
    }
}

impl Bootstrap {
    /// What `work` makes of each resample, in order. `scratch` is made once per stream.
    pub(crate) fn run<S, T: Send>(
        &self,
        scratch: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, &mut ChaCha8Rng) -> T + Sync,
    ) -> Vec<T> {
        let chunk = |index: usize| {
            let mut stream = ChaCha8Rng::seed_from_u64(self.key);
            stream.set_stream(index as u64);
            let mut scratch = scratch();
            let n = CHUNK.min(self.resamples - index * CHUNK);
            (0..n).map(|_| work(&mut scratch, &mut stream)).collect::<Vec<T>>()
        };
        (0..self.resamples.div_ceil(CHUNK)).into_par_iter().flat_map_iter(chunk).collect()
    }
}
