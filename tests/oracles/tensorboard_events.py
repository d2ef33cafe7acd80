"""Reads exported event files as TensorBoard does, and compares every value with the tables of the same export.

    tensorboard_events.py --runs RUNS --tables CSV --events EVENTS

RUNS is the experiment's folder of runs, CSV and EVENTS are what `flaglab export --to csv` and `--to tensorboard` wrote
of it. Values are read by TensorBoard's own reader, then over HTTP from the server that its page asks, hyperparameters
too. TensorBoard keeps single precision, so values of the tables are rounded to it; nothing else may differ.
"""

import argparse
import collections
import csv
import datetime
import json
import math
import pathlib
import time
import tomllib
import urllib.parse
import urllib.request

import numpy
from tensorboard import program
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

# Columns of updates.csv, by tag.
TRAINING = {
    "charts/learning_rate": "learning_rate",
    "charts/episodic_return": "episode_return",
    "losses/value_loss": "value_loss",
    "losses/policy_loss": "policy_loss",
    "losses/entropy": "entropy",
    "losses/approx_kl": "approx_kl",
    "losses/clipfrac": "clipfrac",
    "losses/explained_variance": "explained_variance",
    "losses/kl": "kl",
    "losses/grad_norm": "grad_norm",
    "losses/first_ratio_error": "first_ratio_error",
    "actions/sell": "share_sell",
    "actions/hold": "share_hold",
    "actions/buy": "share_buy",
}


def rows(folder, name):
    with open(folder / name, newline="") as file:
        return list(csv.DictReader(file))


def by_run(table):
    groups = collections.defaultdict(list)
    for row in table:
        groups[row["run_id"]].append(row)
    return groups


def column(table, step, name):
    """Steps and values of the rows that have one."""
    return [(int(row[step]), numpy.float32(float(row[name]))) for row in table if row[name] != ""]


def expected(run, updates, steps, cash):
    """What the tables say of a run, by tag. CleanRL's charts/SPS is measured time, which the tables leave out."""
    tags = {tag: column(updates, "global_step", name) for tag, name in TRAINING.items()}
    test = [row for row in steps if row["split"] == "test"]
    tags["test/equity"] = column(test, "t", "equity")
    peak, falls = cash, []
    for row in test:
        equity = float(row["equity"])
        peak = max(peak, equity)
        falls.append((int(row["t"]), numpy.float32(1.0 - equity / peak)))
    tags["test/drawdown"] = falls
    last = int(updates[-1]["global_step"]) if updates else 0
    for name, value in run.items():
        if name.startswith("test.") and value != "":
            tags[f"metrics/{name}"] = [(last, numpy.float32(float(value)))]
    return {tag: values for tag, values in tags.items() if values}


def same(where, found, wanted):
    """The same steps, and values equal as bits, but that any NaN is any other."""
    assert [step for step, _ in found] == [step for step, _ in wanted], f"{where}: steps {found} and not {wanted}"
    for (step, one), (_, other) in zip(found, wanted):
        assert one == other or (math.isnan(one) and math.isnan(other)), f"{where} at {step}: {one} and not {other}"
    return len(wanted)


def check_times(run_dir, accumulator):
    """The file begins when the run did, and time does not run backwards in any chart."""
    started = json.loads((run_dir / "manifest.json").read_text())["started"]
    began = datetime.datetime.fromisoformat(started).timestamp()
    for tag in accumulator.Tags()["scalars"]:
        times = [event.wall_time for event in accumulator.Scalars(tag)]
        assert times == sorted(times) and times[0] >= began - 1e-3, f"{run_dir.name}: {tag}: times {times[:3]}"
        assert times[-1] - began < 3600, f"{run_dir.name}: {tag}: {times[-1] - began} s after the start"


class Server:
    """TensorBoard itself, as a browser sees it."""

    def __init__(self, logdir):
        board = program.TensorBoard()
        board.configure(argv=[None, "--logdir", str(logdir), "--port", "0", "--host", "127.0.0.1"])
        self.url = board.launch()

    def get(self, path, body=None, **query):
        url = f"{self.url}data/plugin/{path}?{urllib.parse.urlencode(query)}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def tags(self, wanted):
        """Tags by run, once all are there: it reads files in the background, from their beginning to their end."""
        deadline = time.monotonic() + 60
        while True:
            served = {run: set(tags) - {"charts/SPS"} for run, tags in self.get("scalars/tags").items()}
            if served == {run: set(tags) for run, tags in wanted.items()}:
                return served
            if time.monotonic() > deadline:
                raise SystemExit(f"TensorBoard's server has other runs or tags than the tables: {served}")
            time.sleep(0.2)


def check_hparams(server, runs):
    """A session per run, in a group per arm, with the axes it has and the scores it has."""
    wanted = {}
    for run in runs:
        axes = {name.removeprefix("axis."): value for name, value in run.items() if name.startswith("axis.")}
        wanted[(run["arm"], run["seed"])] = ({"arm": run["arm"]} | {k: v for k, v in axes.items() if v}, run)
    columns = server.get("hparams/experiment", {"experimentName": ""})
    metrics = [info["name"] for info in columns["metricInfos"]]
    request = {
        "startIndex": 0, "sliceSize": 1000, "allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE"],
        "colParams": [{"metric": metric} for metric in metrics],
    }
    groups = server.get("hparams/session_groups", request)["sessionGroups"]
    assert len(groups) == len({run["arm"] for run in runs}), f"{len(groups)} groups of hyperparameters"
    found = 0
    for group in groups:
        for session in group["sessions"]:
            arm, seed = group["hparams"]["arm"], session["name"].rsplit("seed-", 1)[1]
            axes, run = wanted.pop((arm, seed))
            texts = {key: value if isinstance(value, str) else float(value) for key, value in group["hparams"].items()}
            numbers = {key: value if isinstance(texts[key], str) else float(value) for key, value in axes.items()}
            assert texts == numbers, f"{arm}: {texts} and not {numbers}"
            scores = {m["name"]["tag"]: m["value"] for m in session["metricValues"]}
            for tag, score in scores.items():
                assert numpy.float32(score) == numpy.float32(float(run[tag.removeprefix("metrics/")])), (arm, tag)
            assert "metrics/test.cumulative_return" in scores or run["state"] == "failed"
            found += len(scores)
    assert not wanted, f"without a session: {sorted(wanted)}"
    return len(groups), found


def main():
    parser = argparse.ArgumentParser()
    for name in ("runs", "tables", "events"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    args = parser.parse_args()
    runs = rows(args.tables, "runs.csv")
    updates, steps = (by_run(rows(args.tables, name)) for name in ("updates.csv", "steps.csv"))
    files = {path.name.split(".")[4]: path for path in args.events.rglob("events.out.tfevents.*")}
    assert files.keys() == {run["run_id"] for run in runs}, "an event file per run"

    compared, tags = 0, {}
    for run in runs:
        path = files[run["run_id"]]
        assert path.parent.name == f"seed-{run['seed']}", path
        run_dir = args.runs / (run["run_id"] if run["attempt"] == "1" else f"{run['run_id']}.{run['attempt']}")
        cash = float(tomllib.loads((run_dir / "spec.toml").read_text())["env"]["initial_cash"])
        wanted = expected(run, updates[run["run_id"]], steps[run["run_id"]], cash)
        accumulator = EventAccumulator(str(path), size_guidance={"scalars": 0}).Reload()
        assert accumulator.file_version == 2.0, accumulator.file_version
        found = set(accumulator.Tags()["scalars"])
        timed = {"charts/SPS"} if updates[run["run_id"]] else set()
        assert found == wanted.keys() | timed, f"{path}: {found ^ (wanted.keys() | timed)}"
        for tag, values in wanted.items():
            read = [(event.step, numpy.float32(event.value)) for event in accumulator.Scalars(tag)]
            compared += same(f"{path}: {tag}", read, values)
        check_times(run_dir, accumulator)
        tags[str(path.parent.relative_to(args.events))] = wanted
    trained = sum(1 for wanted in tags.values() if "losses/entropy" in wanted)
    assert trained > 0, "no run has updates, so nothing is shown"
    print(f"EventAccumulator: {compared} values of {len(runs)} runs, {trained} of them trained, equal the tables")

    server = Server(args.events)
    served, compared = server.tags(tags), 0
    for name, wanted in tags.items():
        for tag in ("losses/policy_loss", "charts/learning_rate", "test/equity", "metrics/test.sharpe"):
            if tag in wanted:
                read = server.get("scalars/scalars", run=name, tag=tag)
                read = [(int(step), numpy.float32(value)) for _, step, value in read]
                compared += same(f"{name}: {tag}", read, wanted[tag])
    print(f"TensorBoard's server: {compared} values of {len(served)} runs equal the tables")
    groups, scores = check_hparams(server, runs)
    print(f"hyperparameters: {groups} arms with their axes, {scores} scores equal the table of runs")


if __name__ == "__main__":
    main()
