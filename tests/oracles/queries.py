"""Carries out every query of a page on a swept folder, and compares exported tables with the Parquet files.

    queries.py --page docs/queries.md --folder FOLDER --experiment NAME --tables CSV

FOLDER holds `runs/NAME`, CSV is what `flaglab export --to csv` wrote of it. Blocks in `sql` go to DuckDB, those in
`python` (Polars) are executed; each must give rows: a query its result, a definition what it defines.
"""

import argparse
import ast
import os
import pathlib
import re

import duckdb
import polars as pl

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Blocks that must be there: a page that lost its fences would pass otherwise.
AT_LEAST = {"sql": 10, "python": 5}


def sql(connection, text):
    """Rows that each statement gives: those of its result, or of the view that it makes."""
    for statement in connection.extract_statements(text):
        result = connection.execute(statement)
        view = re.search(r"CREATE OR REPLACE VIEW (\w+)", statement.query)
        if view:
            result = connection.execute(f"SELECT count(*) FROM {view[1]}")
            yield view[1], result.fetchone()[0]
        else:
            yield "result", len(result.fetchall())


def python(names, text):
    """Rows of the last expression, or of the frames that are defined."""
    tree = ast.parse(text)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    before = dict(names)
    exec(compile(tree, "docs", "exec"), names)
    if last is not None:
        yield "result", eval(compile(ast.Expression(last.value), "docs", "eval"), names).height
        return
    for name, value in names.items():
        if isinstance(value, (pl.DataFrame, pl.LazyFrame)) and before.get(name) is not value:
            yield name, value.lazy().select(pl.len()).collect().item()


def carry_out(page):
    connection, names = duckdb.connect(), {}
    counts = dict.fromkeys(AT_LEAST, 0)
    for language, text in FENCE.findall(page):
        counts[language] += 1
        title = f"{language} block {counts[language]}"
        try:
            given = list(sql(connection, text) if language == "sql" else python(names, text))
        except Exception as error:
            raise SystemExit(f"{title}: {error}\n{text}") from error
        print(f"{title}: " + ", ".join(f"{name} {rows} rows" for name, rows in given), flush=True)
        if not given or any(rows == 0 for _, rows in given):
            raise SystemExit(f"{title} gives no rows:\n{text}")
    for language, least in AT_LEAST.items():
        if counts[language] < least:
            raise SystemExit(f"{counts[language]} blocks of {language}, expected at least {least}")
    return connection, names


def check_agreement(connection, names):
    """The two answer the same question alike."""
    query = 'SELECT arm, avg("test.sharpe") FROM summary WHERE state = \'completed\' GROUP BY arm'
    one = dict(connection.execute(query).fetchall())
    completed = names["summary"].filter(pl.col("state") == "completed")
    other = dict(completed.group_by("arm").agg(pl.col("test.sharpe").mean()).iter_rows())
    assert one.keys() == other.keys(), one.keys() ^ other.keys()
    for arm, value in one.items():
        assert value == other[arm] or abs(value - other[arm]) < 1e-12, f"{arm}: {value} and {other[arm]}"
    print(f"DuckDB and Polars: the same mean Sharpe ratio of {len(one)} arms")


def check_table(folder, tables, name):
    """Rows of a table of all runs beside those of the run's own file: the same columns, values and order."""
    runs = pl.read_csv(tables / "runs.csv")
    files = {
        run_id: folder / (run_id if attempt == 1 else f"{run_id}.{attempt}") / f"{name}.parquet"
        for run_id, attempt in runs.select("run_id", "attempt").iter_rows()
    }
    schema = pl.read_parquet_schema(next(iter(files.values())))
    key = {"run_id": pl.String, "arm": pl.String, "seed": pl.UInt64}
    exported = pl.read_csv(tables / f"{name}.csv", schema=key | schema)
    cells = 0
    for run_id, file in files.items():
        stored = pl.read_parquet(file)
        found = exported.filter(pl.col("run_id") == run_id).drop(key)
        assert found.equals(stored), f"{name}.csv: {run_id}:\n{found}\n{stored}"
        cells += stored.height * stored.width
    assert cells > 0, name
    print(f"{name}.csv: {cells} cells of {len(files)} runs are those of {name}.parquet")


def check_runs(folder, tables):
    stored = pl.read_parquet(folder / "summary.parquet")
    exported = pl.read_csv(tables / "runs.csv", schema_overrides=stored.schema)
    assert set(exported.columns) == set(stored.columns), set(exported.columns) ^ set(stored.columns)
    stored = stored.sort("run_id").select(exported.columns)
    assert exported.sort("run_id").equals(stored), "runs.csv is not summary.parquet"
    print(f"runs.csv: {stored.height} runs with {stored.width} columns are those of summary.parquet")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--page", required=True, type=pathlib.Path)
    parser.add_argument("--folder", required=True, type=pathlib.Path)
    parser.add_argument("--experiment", required=True)
    parser.add_argument("--tables", required=True, type=pathlib.Path)
    args = parser.parse_args()
    page = args.page.read_text()
    folder, tables = args.folder.resolve() / "runs" / args.experiment, args.tables.resolve()
    os.chdir(args.folder)
    check_agreement(*carry_out(page))
    check_runs(folder, tables)
    for name in ("steps", "updates"):
        check_table(folder, tables, name)


if __name__ == "__main__":
    main()
