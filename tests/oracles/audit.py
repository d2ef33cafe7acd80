"""A second implementation of the audit of FLAG-Trader's published tables, against `flaglab paper --quick`.

    audit.py --flaglab target/debug/flaglab [--data FOLDER]

Started in the workspace root. Every number of the command's JSON is computed again from prices and published rows:
metrics of the decisions found, a search of its own over decisions that change once, largest CR, AV and MDD that any
decisions reach, ranges of AV that go with a CR, numbers of returns that CR, SR and AV imply, Sharpe ratios with errors
and tests, ranks, verdicts. Ranges and bounds come from linear programs by scipy and are tried with decisions drawn,
greedy and improved step by step; the programs themselves are first tried on short series, with all decisions.

Prices: two sets that are made up, the first such that some rows are found, and with `--data` those of FOLDER, which
holds investor-bench/*.json. The command's exit status is 1 where its verdicts are not the committed ones, so with all
prices that are made up.
"""

import argparse
import collections
import csv
import datetime
import itertools
import json
import math
import os
import pathlib
import re
import subprocess
import tempfile

import numpy as np
from scipy.optimize import brentq, linprog
from scipy.special import ndtri

PUBLISHED = pathlib.Path("crates/reproduction/data/published.csv")
STOCKS, BTC = ("2020-10-01", "2021-05-06"), ("2023-04-05", "2023-11-05")
WINDOWS, DAYS, COUNTS = ("stated", "day-earlier"), (252, 365), ("prices", "returns")
POSITIONS = {"long-flat": (0, 1), "long-flat-short": (-1, 0, 1)}
REFERENCE = {
    "BTC": dict(window="stated", return_days=252, volatility_days=365, count="prices"),
    None: dict(window="day-earlier", return_days=252, volatility_days=252, count="prices"),
}
METRICS = ("CR", "SR", "AV", "MDD")
# Half a unit of the last printed digit, and what still counts as found: a unit.
HALF, UNIT = 0.0005, 0.001
# What rounding of numbers in binary may add to a difference that is compared with these.
BINARY = 1e-9
EXACT, PROGRAM = 1e-9, 1e-6
# Of z, for 5% on both sides.
SIGNIFICANT = float(ndtri(0.975))


# Prices.

def dates(first, last, weekends):
    first, last = map(datetime.date.fromisoformat, (first, last))
    days = [first + datetime.timedelta(i) for i in range((last - first).days + 1)]
    return [day.isoformat() for day in days if weekends or day.weekday() < 5]


def spread(g, n, total=None, squares=None, scale=0.01):
    """n log returns, one in 20 of them 0, with that sum and sum of squares."""
    z = g.standard_t(5, n)
    z[g.random(n) < 0.05] = 0.0
    if total is None:
        return scale * z
    moved = z != 0
    m = moved.sum()
    z[moved] -= z[moved].mean()
    z *= math.sqrt((squares - total**2 / m) / (z @ z))
    z[moved] += total / m
    return z


def squares(cr, av, n, days):
    """The sum of squares of n returns with that CR and AV."""
    return (av / 100) ** 2 / days * (n - 1) + (cr / 100) ** 2 / n


def planted(g, asset, n):
    """Log returns of the stated window, such that published rows are those of simple decisions."""
    if asset == "JNJ":
        return spread(g, n, scale=0.003)
    # Window, days of AV, first row with the signs of its positions before and after the change, row of always long.
    window, days, (cr, av), signs, hold = {
        "MSFT": ("day-earlier", 252, (12.4618, 22.653), (1, 0), (15.340, 24.980)),
        "UVV": ("stated", 252, (11.752, 22.988), (0, 1), (36.5838, 29.299)),
        "HON": ("day-earlier", 365, (34.342, 23.913), (1, -1), None),
        "BTC": ("stated", 365, (-20.812, 20.036), (-1, 0), (21.821, 37.426)),
    }[asset]
    m = n - (window == "day-earlier")
    k = m // 2
    total = squares(cr, av, m, days)
    if hold is None:
        halves = [(0.3, 0.5 * total), (0.3 - cr / 100, 0.5 * total)]
    else:
        part = next(sign for sign in signs if sign) * cr / 100, total
        rest = hold[0] / 100 - part[0], squares(*hold, m, days) - total
        halves = [part, rest] if signs[0] else [rest, part]
    r = np.concatenate([spread(g, k, *halves[0]), spread(g, m - k, *halves[1])])
    return np.concatenate([r, 0.01 * g.normal(size=n - m)])


def make_prices(folder, seed, plant):
    """Files in the shape of InvestorBench's."""
    g = np.random.default_rng(seed)
    (folder / "investor-bench").mkdir(parents=True)
    for asset in ("MSFT", "JNJ", "UVV", "HON", "BTC"):
        is_btc = asset == "BTC"
        days = dates("2022-11-29", "2023-12-19", True) if is_btc else dates("2020-03-12", "2021-05-06", False)
        first, last = map(days.index, BTC if is_btc else STOCKS)
        r = spread(g, len(days) - 1, scale=g.choice([0.008, 0.012, 0.018]))
        if plant:
            r[first:last] = planted(g, asset, last - first)
        prices = 100 * np.exp(np.concatenate([[0.0], np.cumsum(r)]))
        content = {day: {"prices": float(price), "news": []} for day, price in zip(days, prices)}
        (folder / "investor-bench" / f"{asset.lower()}.json").write_text(json.dumps(content))


class Asset:
    """Returns of both windows, with the days on which their decisions are made."""

    def __init__(self, folder, name):
        self.name = name
        self.reference = REFERENCE.get(name, REFERENCE[None])
        self.n_prices = dict(zip(WINDOWS, (150, 149)))
        self.returns, self.days = {}, {}
        path = folder / "investor-bench" / f"{name.lower()}.json"
        self.has_prices = name != "TSLA"
        if not self.has_prices:
            return
        first, last = BTC if name == "BTC" else STOCKS
        content = sorted((day, row["prices"]) for day, row in json.loads(path.read_text()).items())
        days, prices = zip(*[(day, price) for day, price in content if first <= day <= last])
        for window, cut in zip(WINDOWS, (0, 1)):
            m = len(days) - cut
            self.n_prices[window] = m
            self.returns[window] = np.diff(np.log(np.array(prices[:m], dtype=float)))
            self.days[window] = days[:m]

    def n_returns(self, window):
        return self.n_prices[window] - 1


# Metrics of decisions.

def volatility(x, days):
    return 100 * x.std(axis=-1, ddof=1) * math.sqrt(days)


def fall(x):
    """MDD in percent, of one row of returns or of many."""
    wealth = np.cumprod(1 + x, axis=-1)
    peak = np.maximum.accumulate(np.maximum(wealth, 1.0), axis=-1)
    return 100 * np.maximum((1 - wealth / peak).max(axis=-1), 0.0)


def metrics(x, convention):
    count = len(x) + (convention["count"] == "prices")
    av = volatility(x, convention["volatility_days"])
    sr = x.sum() / (count / convention["return_days"]) / (av / 100)
    return dict(CR=100 * x.sum(), SR=sr, AV=av, MDD=fall(x))


def one_change(n):
    """All decisions that change at most once: rows of positions."""
    rows = [np.full(n, a) for a in (1, 0, -1)]
    for a, b in itertools.permutations((1, 0, -1), 2):
        rows += [np.repeat((a, b), (k, n - k)) for k in range(1, n)]
    return np.array(rows, dtype=float)


def positions_of(words, days):
    """Positions for the returns between these days, from "always long" or "long up to 2023-04-08, then flat"."""
    value = dict(long=1.0, flat=0.0, short=-1.0)
    n = len(days) - 1
    if match := re.fullmatch(r"always (long|flat|short)", words):
        return np.full(n, value[match[1]])
    match = re.fullmatch(r"(long|flat|short) up to (\d{4}-\d\d-\d\d), then (long|flat|short)", words)
    # The decision of a day holds until the next: that of the last day named is the last before the change.
    return np.array([value[match[1] if day <= match[2] else match[3]] for day in days[:n]])


# What any decisions reach.

def variance_bound(r):
    """The largest sum of a r^2 - (sum of a r)^2 / n over a in [0, 1], by cutting planes, so from above."""
    n, r = len(r), 100 * r
    cost = np.append(-(r**2), 1.0)
    cuts, limits = [], []
    for _ in range(60):
        done = linprog(cost, A_ub=cuts or None, b_ub=limits or None, bounds=[(0, 1)] * n + [(0, None)])
        a = done.x[:n]
        t = r @ a
        if r**2 @ a - t**2 / n >= -done.fun * (1 - 2e-8):
            return -done.fun / 1e4
        cuts.append(np.append(2 * t / n * r, -1.0))
        limits.append(t**2 / n)
    raise SystemExit("cutting planes do not end")


def largest(r, positions):
    """Bounds in percent: of CR, of AV with a year of 252 and 365 days, of MDD."""
    n = len(r)
    if positions == "long-flat":
        reached, squares = r[r > 0].sum(), variance_bound(r)
        loss = np.maximum(-r, 0)
    else:
        reached, squares, loss = np.abs(r).sum(), r @ r, np.abs(r)
    av = {days: 100 * math.sqrt(squares / (n - 1) * days) for days in DAYS}
    return dict(cr=100 * reached, av_252=av[252], av_365=av[365], mdd=100 * (1 - np.prod(1 - loss)))


def program(r, positions, cost, total, tolerance, squares=None):
    """Smallest and largest sum over decisions in part, those whose CR (percent) is near `total`, and the latter's.

    The sum is that of |a| r^2, or of a r^2 where `cost` is "product"; `squares` limits the first."""
    signs = (1,) if positions == "long-flat" else (1, -1)
    n, r = len(r), 100 * r
    turns, q = np.concatenate([sign * r for sign in signs]), np.tile(r**2, len(signs))
    rows, limits = [turns, -turns], [total + tolerance, tolerance - total]
    if squares is not None:
        rows, limits = [*rows, q, -q], [*limits, 1e4 * squares[1], -1e4 * squares[0]]
    if len(signs) == 2:
        rows, limits = [*rows, *np.hstack([np.eye(n)] * 2)], limits + [1.0] * n
    if cost == "product":
        q = np.concatenate([sign * r**2 for sign in signs])
    found = []
    for sign in (1, -1):
        done = linprog(sign * q, A_ub=np.array(rows), b_ub=limits, bounds=(0, 1))
        if done.status == 2:
            return None
        if done.status != 0:
            raise SystemExit(f"linear program: {done.message}")
        found.append(sign * done.fun / 1e4)
    return *found, done.x if len(signs) == 1 else done.x[:n] - done.x[n:]


def range_of_av(n, ends, cr, days, tolerance=HALF):
    """AV of decisions with that CR, from the smallest and largest sum of squares."""
    far, near = (abs(cr) + tolerance) / 100, max(abs(cr) - tolerance, 0.0) / 100
    av = lambda q, s: 100 * math.sqrt(max(q - s**2 / n, 0.0) / (n - 1) * days)
    return av(ends[0], far), av(ends[1], near)


def drawn(g, r, positions, n):
    """Decisions at random, every list with shares of its own of the positions, and greedy ones."""
    values = np.array(POSITIONS[positions], dtype=float)
    shares = g.dirichlet(np.full(len(values), 0.5), n)
    rows = [values[(g.random(len(r))[None] > np.cumsum(p)[:, None]).sum(0).clip(max=len(values) - 1)] for p in shares]
    size = np.abs(r)
    order = np.argsort(-size)
    balanced = np.zeros(len(r))
    for i in order:
        balanced[i] = -np.sign(r[i]) * (1 if balanced @ r > 0 else -1)
    rows += [np.sign(r), -np.sign(r), np.ones(len(r)), balanced, balanced > 0, balanced < 0]
    for limit in np.quantile(size, np.linspace(0, 1, 60)):
        rows += [size > limit, r > limit, r < -limit, np.sign(r) * (size > limit), balanced * (size > limit)]
    rows = np.array(rows, dtype=float)
    return rows if positions == "long-flat-short" else rows[(rows >= 0).all(axis=1)]


def improve(a, values, loss):
    """One or two positions changed at a time, the best of all, while that lowers a loss of two sums."""
    sums = loss.sums(a)
    at = np.repeat(np.arange(len(a)), len(values))
    to = np.tile(values, len(a)).astype(float)
    while True:
        moves = loss.change(a, at, to)
        # Of two changes of one position the second counts as none.
        two = loss(sums[:, None, None] + moves[:, :, None] + np.where(at[:, None] == at, 0.0, moves[:, None, :]))
        i, j = np.unravel_index(two.argmin(), two.shape)
        if not two[i, j] < loss(sums) - 1e-12:
            return a
        a = a.copy()
        a[at[j]] = to[j]
        # Last: where both are of one position, this is the one that counts.
        a[at[i]] = to[i]
        sums = loss.sums(a)


class Near:
    """How far decisions are from a CR and an AV (of one day), relative."""

    def __init__(self, r, cr, sd):
        self.r, self.cr, self.sd = r, cr, sd

    def sums(self, a):
        return np.array([a @ self.r, a**2 @ self.r**2])

    def change(self, a, at, to):
        r = self.r[at]
        return np.array([(to - a[at]) * r, (to**2 - a[at] ** 2) * r**2])

    def __call__(self, sums):
        n = len(self.r)
        sd = np.sqrt(np.maximum(sums[1] - sums[0] ** 2 / n, 0) / (n - 1))
        return np.abs(sums[0] - self.cr) / 0.1 + np.abs(sd / self.sd - 1)


class Wide(Near):
    """The less, the larger the variance."""

    def __init__(self, r):
        self.r = r

    def __call__(self, sums):
        return -(sums[1] - sums[0] ** 2 / len(self.r)) / (self.r @ self.r)


# What published numbers say of each other.

def corners(*values, tolerance=HALF):
    return itertools.product(*[(v - tolerance - BINARY, v + tolerance + BINARY) for v in values])


def implied(row):
    between = None
    if abs(row["SR"]) > HALF:
        ends = [252 * cr / (sr * av) for cr, sr, av in corners(row["CR"], row["SR"], row["AV"])]
        between = [min(ends), max(ends)]
    return 252 * row["CR"] / (row["SR"] * row["AV"]), between


def fitting(asset, row, tolerance=HALF):
    fits = set()
    for window, days, count in itertools.product(WINDOWS, DAYS, COUNTS):
        n = asset.n_prices[window] - (count == "returns")
        ends = [cr * days / (n * av) for cr, av in corners(row["CR"], row["AV"], tolerance=tolerance)]
        if min(ends) <= row["SR"] + tolerance and max(ends) >= row["SR"] - tolerance:
            fits.add((window, days, count, n))
    return fits


def sharpe(row, n, days):
    return row["CR"] * 252 / (n * row["AV"] * math.sqrt(252 / days))


def jobson_korkie(a, b, rho, n):
    """In Memmel's form; a and b are ratios of a day."""
    return (a - b) / math.sqrt((2 * (1 - rho) + (a * a + b * b) / 2 - a * b * rho * rho) / n)


def needed_correlation(a, b, n):
    far = lambda rho: abs(a - b) - SIGNIFICANT * math.sqrt(
        max(2 * (1 - rho) + (a * a + b * b) / 2 - a * b * rho * rho, 0) / n)
    if far(1.0) < 0:
        return None
    return -1.0 if far(-1.0) >= 0 else brentq(far, -1, 1, xtol=1e-14)


def correlation(x, r):
    """Of every row of x with r."""
    x, r = x - x.mean(axis=-1, keepdims=True), r - r.mean()
    return x @ r / np.sqrt((x * x).sum(axis=-1) * (r @ r))


class Hold:
    """Always long, beside which rows are put: n returns with their sum and standard deviation."""

    def __init__(self, n, total, sd, r=None):
        self.n, self.total, self.sd, self.r = n, total, sd, r
        self.sharpe = total / n / sd * math.sqrt(252)

    @classmethod
    def of(cls, r):
        return cls(len(r), r.sum(), r.std(ddof=1), r)

    def correlation(self, total, sd, product):
        """With it, of returns a r with that sum and standard deviation, from the sum of a r^2."""
        return (product - total * self.total / self.n) / ((self.n - 1) * sd * self.sd)

    def squares(self, total, sd):
        return sd**2 * (self.n - 1) + total**2 / self.n

    def largest_correlation(self, cr, av, days, tolerance=0.0, ends=None):
        """Of decisions with that CR and AV: a is at most a^2, and the sum of a r^2 at most what goes with the CR."""
        cr, av = [np.array([v - tolerance, v + tolerance]) / 100 for v in (cr, av)]
        sd = av / math.sqrt(days)
        product = self.squares(np.abs(cr).max(0), sd[1])
        if ends is not None:
            product = min(product, ends)
        above = np.max(product - cr * self.total / self.n, axis=0)
        return above / ((self.n - 1) * sd[0] * self.sd)


# Comparison.

class Table:
    def __init__(self):
        self.rows, self.failures = collections.defaultdict(lambda: [0, 0.0, 0]), []

    def fail(self, name, text):
        self.rows[name][2] += 1
        self.failures.append(f"{name}: {text}")

    def holds(self, name, condition, text):
        self.rows[name][0] += 1
        if not condition:
            self.fail(name, text)

    def equal(self, name, found, expected, where, tolerance=EXACT):
        """Numbers relative to the larger of 1 and the expected one."""
        row = self.rows[name]
        row[0] += 1
        if isinstance(found, (int, float)) and isinstance(expected, (int, float)):
            difference = abs(found - expected) / max(1.0, abs(expected))
            row[1] = max(row[1], difference)
            if difference <= tolerance:
                return
        elif found == expected:
            return
        self.fail(name, f"{where}: flaglab {found}, here {expected}")

    def largest(self, name, value):
        self.rows[name][1] = max(self.rows[name][1], value)

    def print(self, title):
        print(f"\n{title}\n{'':64}{'values':>8}{'largest difference':>20}{'wrong':>8}")
        for name, (n, worst, wrong) in self.rows.items():
            print(f"{name:64}{n:8}{worst:20.1e}{wrong:8}", flush=True)


def published():
    lines = [line for line in PUBLISHED.read_text().splitlines() if not line.startswith("#")]
    rows = []
    for row in csv.DictReader(lines):
        rows.append(row | {metric: float(row[metric.lower()]) for metric in METRICS})
    return rows


def compare_found(table, asset, row, entry):
    where = f"{asset.name} {row['model']}"
    candidates = []
    for window, r in asset.returns.items():
        x = one_change(len(r)) * r
        near = np.abs(100 * x.sum(1) - row["CR"]) <= UNIT + BINARY
        for days in DAYS:
            both = near & (np.abs(volatility(x, days) - row["AV"]) <= UNIT + BINARY)
            constant = lambda i: np.array_equal(x[i], r) or np.array_equal(x[i], -r)
            falls = lambda i: 100 * float(np.max(1 - (w := np.cumprod(np.r_[1, 1 + x[i]])) / np.maximum.accumulate(w)))
            fits = lambda i: constant(i) or abs(falls(i) - row["MDD"]) <= UNIT + BINARY
            candidates += [(window, days, x[i]) for i in np.flatnonzero(both) if fits(i)]
    found = entry["found"]
    table.equal("rows found, by all decisions with one change", found is not None, bool(candidates), where)
    if found is None:
        return None
    convention = found["convention"]
    r = asset.returns[convention["window"]]
    a = positions_of(found["decisions"], asset.days[convention["window"]])
    own = metrics(a * r, convention)
    for metric in METRICS:
        table.equal("metrics of decisions found", found["cells"][metric.lower()], own[metric], f"{where} {metric}")
    for metric in ("CR", "AV"):
        table.holds("CR and AV of decisions found, as printed", abs(own[metric] - row[metric]) <= UNIT + BINARY,
                    f"{where}: {metric} {own[metric]}")
    same = lambda x, conv: sum(abs(metrics(x, conv)[m] - row[m]) <= HALF + BINARY for m in METRICS)
    best = max(
        same(x, dict(window=window, return_days=return_days, volatility_days=days, count=count))
        for window, days, x in candidates for return_days in DAYS for count in COUNTS)
    table.equal("numbers of a found row that are equal, the most there are", same(a * r, convention), best, where)
    return a


def compare_bounds(table, g, assets, bounds):
    expected = {(name, window, positions) for name, asset in assets.items() for window in asset.returns
                for positions in POSITIONS}
    table.equal("bounds listed", {(b["asset"], b["window"], b["positions"]) for b in bounds}, expected, "bounds")
    for b in bounds:
        r = assets[b["asset"]].returns[b["window"]]
        where = f"{b['asset']} {b['window']} {b['positions']}"
        table.equal("bounds: prices", b["n_prices"], len(r) + 1, where)
        own = largest(r, b["positions"])
        table.equal("bounds: CR", b["cr"], own["cr"], where)
        table.equal("bounds: MDD", b["mdd"], own["mdd"], where)
        rows = drawn(g, r, b["positions"], 4000)
        x = rows * r
        start = rows[volatility(x, 252).argmax()]
        reached = volatility(improve(start, POSITIONS[b["positions"]], Wide(r)) * r, 252)
        for days in DAYS:
            bound, found, best = b[f"av_{days}"], b[f"av_found_{days}"], reached * math.sqrt(days / 252)
            table.equal("bounds: AV", bound / own[f"av_{days}"], 1.0, where, PROGRAM)
            table.holds("bounds: AV reached", 0.99 * bound <= found <= bound * (1 + EXACT),
                        f"{where}: {found} of {bound}")
            table.holds("bounds: AV reached here", 0.99 * bound <= best <= bound * (1 + EXACT),
                        f"{where}: {best} of {bound}")
            table.largest("bounds: AV reached", 1 - found / bound)
            table.largest("bounds: AV reached here", 1 - best / bound)
        for name, values in ("cr", 100 * np.abs(x.sum(1)) if -1 in POSITIONS[b["positions"]] else 100 * x.sum(1)), \
                ("av_252", volatility(x, 252)), ("av_365", volatility(x, 365)), ("mdd", fall(x)):
            table.rows["bounds: none of the decisions drawn exceeds them"][0] += len(values)
            if not values.max() <= b[name] * (1 + EXACT):
                table.fail("bounds: none of the decisions drawn exceeds them",
                           f"{where}: {name} {values.max()} exceeds {b[name]}")


def compare_feasible(table, asset, row, entry):
    where = f"{asset.name} {row['model']}"
    listed = [(f["positions"], f["volatility_days"]) for f in entry["feasible"]]
    expected = itertools.product(POSITIONS, DAYS) if asset.has_prices else ()
    table.equal("ranges of AV listed", sorted(listed), sorted(expected), where)
    ends = {}
    for f in entry["feasible"]:
        positions, days = f["positions"], f["volatility_days"]
        ranges = []
        for window, r in asset.returns.items():
            key = window, positions
            if key not in ends:
                ends[key] = program(r, positions, "squares", row["CR"], HALF)
            if ends[key]:
                ranges.append((window, range_of_av(len(r), ends[key], row["CR"], days)))
        name, place = "ranges of AV that go with CR", f"{where} {positions} {days}"
        low, high = (min(a for _, (a, _) in ranges), max(b for _, (_, b) in ranges)) if ranges else (None, None)
        for found, own, end in (f["low"], low, "low"), (f["high"], high, "high"):
            # Relative also where they are below 1.
            if own and found:
                found, own = found / own, 1.0
            table.equal(name, found, own, f"{place} {end}", PROGRAM)
        meets = [window for window, (a, b) in ranges if a <= row["AV"] + HALF and b >= row["AV"] - HALF]
        table.equal("AV in a range", (f["possible"], f["window"]), (bool(meets), meets[0] if meets else None), place)


def compare_consistency(table, asset, row, entry):
    where, found = f"{asset.name} {row['model']}", entry["consistency"]
    value, between = implied(row)
    table.equal("returns implied", found["implied"], value, where)
    if between is None or found["between"] is None:
        table.equal("returns implied, ends", found["between"], between, where)
    else:
        for a, b in zip(found["between"], between, strict=True):
            table.equal("returns implied, ends", a, b, where)
    for key, name, tolerance in ("fits", "conventions that fit", HALF), ("loose", "conventions that nearly fit", UNIT):
        fits = [(f["window"], f["return_days"], f["count"], f["n"]) for f in found[key]]
        table.equal(name, sorted(fits), sorted(fitting(asset, row, tolerance)), where)


def gives_all(row, entry):
    """Whether the decisions found give all four numbers of the row."""
    if entry["found"] is None:
        return False
    cells = entry["found"]["cells"]
    return all(abs(cells[metric.lower()] - row[metric]) <= UNIT + BINARY for metric in METRICS)


def recomputed(row, entry):
    """CR and AV as they come out where decisions give the row, else as printed; those of Buy & Hold always as printed."""
    if not gives_all(row, entry) or row["group"] == "buy & hold":
        return row
    return dict(CR=entry["found"]["cells"]["cr"], AV=entry["found"]["cells"]["av"])


def compare_luck(table, asset, row, entry, a, hold):
    where, luck = f"{asset.name} {row['model']}", entry["luck"]
    possible = not asset.has_prices or any(f["possible"] for f in entry["feasible"])
    table.equal("rows with a Sharpe ratio", luck is not None, possible, where)
    if luck is None:
        return
    n, days = asset.n_returns(entry["window"]), entry["scale"]["days"]
    own = sharpe(recomputed(row, entry), n, days)
    daily = own / math.sqrt(252)
    table.equal("Sharpe ratios", luck["sharpe"], own, where)
    table.equal("their errors", luck["error"], math.sqrt((1 + daily**2 / 2) / (n - 1) * 252), where)
    names = "above_hold", "correlation", "correlation_is_given", "z", "needed_correlation"
    if row["group"] == "buy & hold":
        table.equal("nothing beside always long where that is the row", {luck[name] for name in names}, {None}, where)
        return
    if asset.has_prices:
        hold = Hold.of(asset.returns[entry["window"]])
    above, rho, is_given, z, needed = map(luck.get, names)
    table.equal("above always long", above, own - hold.sharpe, where)
    given = gives_all(row, entry)
    table.equal("correlations given where decisions give the row", is_given, given, where)
    if not given:
        compare_correlation(table, row, entry, hold)
    else:
        table.equal("correlations given", rho, float(correlation(a * hold.r, hold.r)), where)
    b = hold.sharpe / math.sqrt(252)
    is_hold = given and (a == 1).all()
    unbounded = not given and rho >= 1.0
    table.equal("z", z, None if unbounded else 0.0 if is_hold else jobson_korkie(daily, b, rho, n), where)
    table.equal("correlations that significance needs", needed, None if is_hold else needed_correlation(daily, b, n),
                where)


def compare_correlation(table, row, entry, hold):
    """An upper bound: against the same of here, a tighter one, and decisions with about that CR and AV."""
    where, rho, days = f"{row['asset']} {row['model']}", entry["luck"]["correlation"], entry["scale"]["days"]
    cr, av = row["CR"], row["AV"]
    ends = program(hold.r, "long-flat-short", "product", cr, HALF)[1] if hold.r is not None else None
    bound = hold.largest_correlation(cr, av, days, HALF, ends)
    table.equal("correlations, upper bound", rho, min(bound, 1.0), where, 5e-6)
    if hold.r is None:
        return
    r, sd = hold.r, av / 100 / math.sqrt(days)
    squares = hold.squares(cr / 100, sd)
    near = Near(r, cr / 100, sd)
    for positions, values in POSITIONS.items():
        done = program(r, positions, "product", cr, 0.0, (squares, squares))
        if not done:
            continue
        name = "correlations, upper bound by a joint program is not larger"
        tight = hold.correlation(cr / 100, sd, done[1])
        table.holds(name, tight <= rho + EXACT or rho == 1.0, f"{where} {positions}: {tight} exceeds {rho}")
        table.largest(name, rho - tight)
        own = improve(np.round(done[2]), values, near)
        x = own * r
        if not near(near.sums(own)) < 0.01:
            continue
        slack = abs(hold.largest_correlation(100 * x.sum(), volatility(x, days), days)
                    - hold.largest_correlation(cr, av, days))
        there, name = correlation(x, r), "correlations, none of the decisions made up exceeds them"
        table.holds(name, there <= rho + slack + EXACT, f"{where} {positions}: {there} exceeds {rho} + {slack}")
        table.largest(name, rho - there)


def compare_scales(table, asset, rows, entries):
    """Of one asset: windows and days a year that the ratios above are for."""
    is_llm = [row["group"] not in ("buy & hold", "FLAG-Trader") for row in rows]
    bounds = [largest(r, "long-flat-short") for r in asset.returns.values()]
    caps = [max((bound[name] for bound in bounds), default=math.inf) for name in ("av_252", "av_365")]
    needs_365 = [row["AV"] > caps[0] + HALF and row["AV"] <= caps[1] + HALF for row in rows]
    beyond = sum(llm and needs for llm, needs in zip(is_llm, needs_365))
    for row, entry, llm, needs in zip(rows, entries, is_llm, needs_365):
        where, scale = f"{asset.name} {row['model']}", entry["scale"]
        if entry["found"]:
            convention = entry["found"]["convention"]
            window = convention["window"]
            table.equal("days a year", (scale["days"], scale["evidence"]), (convention["volatility_days"], "row"), where)
        else:
            fits = {window for window, *_ in fitting(asset, row)}
            possible = [f["window"] for f in entry["feasible"] if f["window"]]
            window = min(fits, key=WINDOWS.index) if fits else possible[0] if possible else "stated"
            evidence = "row" if needs else "others" if llm and beyond > 0 else "assumed"
            table.equal("days a year, what says so", scale["evidence"], evidence, where)
            if llm or needs:
                table.equal("days a year", scale["days"], 365, where)
            if llm and beyond and not needs:
                text = f"{beyond} of the asset's {sum(is_llm)} LLM rows "
                table.holds("rows beyond 252 days a year", scale["reason"].startswith(text),
                            f"{where}: {scale['reason']}, here {beyond}")
        table.equal("windows of rows", entry["window"], window, where)


def compare_ranks(table, asset, rows, entries):
    """Of one asset. A row without a luck, whose CR or AV is impossible, has no place on one scale."""
    def place(values, i):
        return None if values[i] is None else 1 + sum(v is not None and v > values[i] for v in values)
    shown, other = [], []
    for row, entry in zip(rows, entries):
        days, n = entry["scale"]["days"], asset.n_returns(entry["window"])
        assumed = row["group"] == "FLAG-Trader" and entry["scale"]["evidence"] == "assumed"
        scaled = lambda days: None if entry["luck"] is None else sharpe(recomputed(row, entry), n, days)
        shown.append(scaled(days))
        other.append(scaled(365 if assumed else days))
    for i, (row, entry) in enumerate(zip(rows, entries)):
        own = dict(published=place([row["SR"] for row in rows], i), one_scale=place(shown, i), one_scale_365=place(other, i))
        for name, value in own.items():
            table.equal("ranks", entry["ranks"][name], value, f"{row['asset']} {row['model']} {name}")


def verdict(asset, row, entry, metric, bounds):
    """A cell's verdict, with the bound that it exceeds."""
    if asset.has_prices and entry["found"] is not None:
        difference = abs(entry["found"]["cells"][metric.lower()] - row[metric])
        is_reference = entry["found"]["convention"] == asset.reference
        if difference <= HALF + BINARY:
            return "exact" if is_reference else "convention"
        if is_reference and difference <= UNIT + BINARY:
            return "last-digit"
    if metric == "SR":
        if not fitting(asset, row) and not fitting(asset, row, UNIT):
            return "inconsistent"
        return "consistent" if asset.has_prices else "no-data"
    if not asset.has_prices:
        return "no-data"
    if abs(row[metric]) > bounds[metric] + HALF:
        return "impossible"
    if metric == "AV" and not any(f["possible"] for f in entry["feasible"]):
        return "impossible"
    return "consistent"


def compare_cells(table, assets, rows, entries, audit):
    cells = {(c["asset"], c["model"], c["metric"]): c for c in audit["cells"]}
    table.equal("cells", len(audit["cells"]), 4 * len(rows), "number")
    counts = collections.Counter()
    for row, entry in zip(rows, entries):
        asset = assets[row["asset"]]
        bounds = {}
        if asset.has_prices:
            listed = [b for b in audit["bounds"] if (b["asset"], b["positions"]) == (asset.name, "long-flat-short")]
            bounds = {metric: max(b[key] for b in listed)
                      for metric, key in (("CR", "cr"), ("AV", "av_365"), ("MDD", "mdd"))}
        for metric in METRICS:
            where = f"{row['asset']} {row['model']} {metric}"
            cell = cells.get((row["asset"], row["model"], metric))
            if cell is None:
                table.fail("cells", f"{where}: none")
                continue
            table.equal("published numbers", cell["published"], row[metric], where)
            table.equal("verdicts", cell["verdict"], verdict(asset, row, entry, metric, bounds), where)
            found = entry["found"] and entry["found"]["cells"][metric.lower()]
            table.equal("numbers recomputed of found rows", cell["recomputed"], found, where)
            table.equal("bounds of cells", cell["bound"], bounds.get(metric), where)
            counts[cell["verdict"]] += 1
    listed = {name: n for name, n in audit["verdicts"].items() if n}
    table.equal("counts of verdicts", listed, dict(counts), "verdicts")
    held = [c["verdict"] for c in audit["cells"] if c["model"] == "Buy & Hold" and c["asset"] not in ("TSLA", "BTC")]
    table.equal("cells of Buy & Hold that are equal", audit["buy_and_hold_of_stocks"],
                dict(equal=held.count("exact"), cells=len(held)), "stocks")
    mixed = [dict(asset=entry["asset"], model=entry["model"]) for row, entry in zip(rows, entries)
             if row["group"] != "buy & hold" and entry["found"] and entry["found"]["decisions"] == "always long"
             and entry["found"]["convention"]["return_days"] != entry["found"]["convention"]["volatility_days"]]
    table.equal("rows of always long with 252 and 365 days", audit["always_long_mixed"], mixed, "all")
    return counts


def compare(title, data, audit):
    table, g = Table(), np.random.default_rng(0)
    rows = published()
    names = list(dict.fromkeys(row["asset"] for row in rows))
    assets = {name: Asset(data, name) for name in names}
    by_row = {(entry["asset"], entry["model"]): entry for entry in audit["rows"]}
    entries = [by_row[row["asset"], row["model"]] for row in rows]
    table.equal("rows", len(audit["rows"]), len(rows), "number")
    for name, asset in assets.items():
        own = [(row, entry) for row, entry in zip(rows, entries) if row["asset"] == name]
        row, entry = next(pair for pair in own if pair[0]["group"] == "buy & hold")
        hold = Hold(asset.n_returns(entry["window"]), row["CR"] / 100,
                    row["AV"] / 100 / math.sqrt(entry["scale"]["days"]))
        for row, entry in own:
            a = compare_found(table, asset, row, entry)
            compare_consistency(table, asset, row, entry)
            compare_feasible(table, asset, row, entry)
            compare_luck(table, asset, row, entry, a, hold)
        compare_scales(table, asset, *zip(*own))
        compare_ranks(table, asset, *zip(*own))
    compare_bounds(table, g, assets, audit["bounds"])
    counts = compare_cells(table, assets, rows, entries, audit)
    table.print(title)
    print("verdicts:", ", ".join(f"{n} {name}" for name, n in counts.most_common()))
    return [f"{title}: {failure}" for failure in table.failures]


# The functions above on short series, with all decisions.

def check_programs():
    table, g = Table(), np.random.default_rng(1)
    for n, positions in itertools.product((3, 5, 8), POSITIONS):
        values = POSITIONS[positions]
        for _ in range(8):
            r = spread(g, n, scale=0.02)
            if not r.any():
                continue
            every = np.array(list(itertools.product(values, repeat=n)), dtype=float)
            x = every * r
            cr, own = 100 * x.sum(1), largest(r, positions)
            where = f"{n} returns, {positions}"
            table.equal("all decisions: CR", own["cr"], cr.max(), where)
            table.equal("all decisions: MDD", own["mdd"], fall(x).max(), where)
            for days in DAYS:
                av = volatility(x, days)
                table.holds("all decisions: AV at most its bound", av.max() <= own[f"av_{days}"] * (1 + EXACT), where)
                for i in g.choice(len(x), 4):
                    for tolerance in (HALF, 0.05):
                        near = np.abs(cr - cr[i]) <= tolerance
                        ends = program(r, positions, "squares", cr[i], tolerance)
                        low, high = range_of_av(n, ends, cr[i], days, tolerance)
                        table.holds("all decisions: AV in the range of their CR",
                                    low * (1 - PROGRAM) - EXACT <= av[near].min()
                                    and av[near].max() <= high * (1 + PROGRAM) + EXACT, where)
            beyond = program(r, positions, "squares", own["cr"] + 0.01, HALF)
            table.holds("all decisions: no CR beyond the bound", beyond is None, where)
            x = x[x.std(1) > 1e-6]
            rho = correlation(x, r)
            hold = Hold.of(r)
            bound = hold.correlation(x.sum(1), x.std(1, ddof=1), hold.squares(x.sum(1), x.std(1, ddof=1)))
            table.holds("all decisions: correlation at most its bound", (rho <= bound + EXACT).all(), where)
            if positions == "long-flat":
                table.equal("all decisions: correlation without shorts", np.abs(rho - bound).max(initial=0), 0.0, where)
    n = 250
    a, b = 0.15, 0.05
    rho = needed_correlation(a, b, n)
    table.equal("correlation at which z is 1.96", jobson_korkie(a, b, rho, n), SIGNIFICANT, "z")
    table.print("own functions")
    return [f"own functions: {failure}" for failure in table.failures]


def run(binary, data, scratch):
    env = os.environ | dict(
        FLAGLAB_DATA=str(data.resolve()), FLAGLAB_RUNS=str(scratch / "runs"), FLAGLAB_REPORTS=str(scratch / "reports"))
    command = [binary, "paper", "--quick", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode not in (0, 1) or not done.stdout:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}: {done.stderr}")
    return json.loads(done.stdout), done.returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flaglab", required=True, help="the binary")
    parser.add_argument("--data", type=pathlib.Path, help="folder with investor-bench/*.json")
    args = parser.parse_args()
    failures = check_programs()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for seed, name in enumerate(("some rows planted", "random walks")):
            folder = scratch / str(seed)
            make_prices(folder, seed, plant=seed == 0)
            audit, status = run(args.flaglab, folder, scratch)
            title = f"prices made up, {name}"
            failures += compare(title, folder, audit)
            if status != 1:
                failures.append(f"{title}: exit {status}, where verdicts differ from the committed ones")
        if args.data:
            audit, status = run(args.flaglab, args.data, scratch)
            failures += compare("prices of InvestorBench", args.data, audit)
            if status != 0:
                failures.append(f"prices of InvestorBench: exit {status}")
    if failures:
        raise SystemExit("\n".join(["", *failures[:40], f"{len(failures)} differences"]))


if __name__ == "__main__":
    main()
