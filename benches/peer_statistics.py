"""The statistics of `crates/stats/examples/statistics/work.rs` by Python packages, as lines of `name value`.

    peer_statistics.py versions
    peer_statistics.py run FILE      FILE as `statistics make FILE` writes it

quantstats, rliable and arch as they come, one after the other; numpy where no package has the statistic. What takes
minutes is timed on a part (`SHARE`) and multiplied: the work is the same for every run, arm and resample.
"""

import itertools
import math
import platform
import resource
import sys
import time
import warnings

import numpy as np
import pandas as pd
import quantstats.stats as qs
import scipy.stats
from arch.bootstrap import SPA
from rliable import library, metrics

ARMS, BASELINES, SEEDS, DAYS = 100, 3, 20, 252
RESAMPLES, BLOCK, BLOCKS = 10_000, 5, 16
# Tear sheets of so many runs, intervals of so many arms, each with a tenth of the resamples.
SHARE_RUNS, SHARE_ARMS, SHARE_RESAMPLES = 40, 4, 1_000
warnings.filterwarnings("ignore")


def timed(name, work, times=1.0):
    """Seconds on the clock and of processor time."""
    start = np.array([time.perf_counter(), time.process_time()])
    work()
    seconds = (np.array([time.perf_counter(), time.process_time()]) - start) * times
    print(name, seconds[0], flush=True)
    return seconds


def tear_sheet(s):
    qs.comp(s), qs.cagr(s, periods=252), qs.volatility(s, periods=252), qs.sharpe(s), qs.sortino(s), qs.calmar(s)
    qs.max_drawdown(s), qs.skew(s), qs.kurtosis(s), qs.var(s), qs.cvar(s), qs.win_rate(s)
    qs.probabilistic_sharpe_ratio(s)


def interval(scores, func):
    return library.get_interval_estimates({"arm": scores}, func, reps=SHARE_RESAMPLES)


def deflated(panel):
    ratios = panel.mean(0) / panel.std(0, ddof=1)
    n, normal, g = len(ratios), scipy.stats.norm, np.euler_gamma
    most = ratios.std(ddof=1) * ((1 - g) * normal.ppf(1 - 1 / n) + g * normal.ppf(1 - 1 / (n * math.e)))
    r, sr = panel[:, ratios.argmax()], ratios.max()
    g3, g4 = scipy.stats.skew(r), scipy.stats.kurtosis(r, fisher=False)
    return normal.cdf((sr - most) * math.sqrt(DAYS - 1) / math.sqrt(1 - g3 * sr + (g4 - 1) / 4 * sr**2))


def overfitting(panel):
    blocks = panel[DAYS % BLOCKS :].reshape(BLOCKS, -1, panel.shape[1])
    ratio = lambda part: part.mean(0) / part.std(0, ddof=1)
    below = 0
    splits = list(itertools.combinations(range(BLOCKS), BLOCKS // 2))
    for inside in splits:
        outside = [i for i in range(BLOCKS) if i not in inside]
        best = ratio(np.concatenate(blocks[list(inside)])).argmax()
        rank = scipy.stats.rankdata(ratio(np.concatenate(blocks[outside])))[best]
        below += rank <= (panel.shape[1] + 1) / 2
    return below / len(splits)


def run(file):
    numbers = np.fromfile(file, dtype="<f8")
    benchmark = numbers[-DAYS:]
    returns = numbers[:-DAYS].reshape(ARMS + BASELINES, SEEDS, DAYS)
    scores = (returns.mean(2) / returns.std(2, ddof=1) * math.sqrt(252))[:, :, None]
    arms, baselines = scores[:SHARE_ARMS], scores[ARMS:]
    panel = returns[:ARMS].mean(1).T
    dates = pd.date_range("2023-01-02", periods=DAYS, freq="B")
    series = [pd.Series(run, index=dates) for run in returns[:ARMS].reshape(-1, DAYS)[:SHARE_RUNS]]
    timed("tear sheets", lambda: [tear_sheet(s) for s in series], ARMS * SEEDS / SHARE_RUNS)
    both = lambda s: np.array([metrics.aggregate_mean(s), metrics.aggregate_iqm(s)])
    improvement = lambda x, y: np.array([metrics.probability_of_improvement(x, y)])
    times = ARMS / SHARE_ARMS * RESAMPLES / SHARE_RESAMPLES
    together = timed("intervals", lambda: [interval(arm, both) for arm in arms], times)
    pairs = [(arm, baseline) for arm in arms for baseline in baselines]
    together += timed("improvement", lambda: [interval(pair, improvement) for pair in pairs], times)
    spa = SPA(-benchmark, -panel, block_size=BLOCK, reps=RESAMPLES, seed=1)
    together += timed("SPA", spa.compute)
    together += timed("deflated Sharpe", lambda: deflated(panel))
    together += timed("PBO", lambda: overfitting(panel))
    print("together", together[0])
    print("together, processor time", together[1])
    print("memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def main():
    match sys.argv[1:]:
        case ["versions"]:
            from importlib.metadata import version

            packages = ", ".join(f"{name} {version(name)}" for name in ("quantstats", "rliable", "arch", "numpy", "scipy"))
            print(f"{packages}, Python {platform.python_version()}")
        case ["run", file]:
            run(file)
        case args:
            sys.exit(f"expected `versions` or `run FILE`, found {args}")


main()
