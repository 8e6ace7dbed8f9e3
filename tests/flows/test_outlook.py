"""What `--plan` prints, and what it leaves alone."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from bloodcell import artifacts
from bloodcell.artifacts import ExperimentSpec, GridRun
from bloodcell.checkpoints import Checkpoint, Checkpoints, Progress
from bloodcell.config import ExperimentConfig, GridRow
from bloodcell.grids import load_grid
from flows.grid.__main__ import main
from flows.grid.outlook import Line, drawn, outlook, rows_of, shared, summed_up
from tasks.evidence import learned, newest_reports
from tasks.learning_time import Learned, LearningTime
from tasks.plan import PlannedRun, plan
from tasks.precedents import Precedent, Precedents


def planned(row="a", *, seed=0, done=False, resumed=False) -> PlannedRun:
    config = ExperimentConfig(seed=seed)
    spec = ExperimentSpec(config=config, dataset="cells", dataset_version="1" * 16, code_version=row)
    return PlannedRun(f"{row} seed {seed}", GridRow(name=row, changed={}, config=config), spec, done, resumed)


def past(run: PlannedRun, run_id: str, status="trained") -> Precedent:
    return Precedent(run_id, run.row.name, run.spec, run.spec.key, status)


def lines(*runs: PlannedRun, why="new seed", precedents=(), several_seeds=True) -> list[tuple[str, ...]]:
    whys = {run.spec.key: why for run in runs if not run.done}
    return [tuple(line) for line in rows_of(runs, whys, Precedents(precedents), several_seeds=several_seeds)]


def test_seeds_of_a_row_share_a_line_and_what_is_trained_comes_first():
    runs = [planned(row, seed=seed, done=row == "a") for seed in range(4) for row in "ab"]
    assert lines(*runs) == [
        ("train", "b", "seeds 0 to 3", "new seed"),
        ("reuse", "a", "seeds 0 to 3", "trained by a run that was interrupted, or in another grid"),
    ]
    assert lines(planned(), why="new row", several_seeds=False) == [("train", "a", "", "new row")]


def test_a_result_is_told_with_the_runs_that_trained_it():
    runs = [planned(seed=seed, done=True) for seed in range(5)]
    newest = [past(run, "run-4", "trained" if number == 3 else "reused") for number, run in enumerate(runs[:4])]
    known = [*newest, past(runs[2], "run-2")]
    assert lines(*runs, precedents=known) == [
        ("reuse", "a", "seeds 0 and 1", "trained before run-4"),
        ("reuse", "a", "seeds 2 and 3", "trained in run-2 to run-4"),
        ("reuse", "a", "seed 4", "trained by a run that was interrupted, or in another grid"),
    ]
    assert lines(planned(done=True, resumed=True)) == [
        ("resume", "a", "seed 0", "trained by the run that was interrupted")
    ]  # fmt: skip


def test_where_rows_are_many_those_of_which_the_same_is_to_be_said_share_a_line():
    many = [Line("train", f"row-{number:04}", "", "new grid") for number in range(1000)]
    other = Line("train", "last", "", "forced")
    assert shared([*many, other]) == [Line("train", "row-0000 and 999 more", "", "new grid"), other]
    assert shared(many[:50]) == many[:50]


LONG = "a-row-with-a-name-that-is-as-long-as-a-name-may-be-in-this-proj"
TABLE = [
    Line("train", "basic", "seeds 0 to 2", "changed learning_rate 1e-5 -> 5e-5; changed code 01234567 -> 456789ab"),
    Line("train", LONG, "seed 3", "new row"),
    Line("reuse", "dense-16", "seeds 0 to 2", "trained in 20261124T220000Z-ab12cd to 20261130T220000Z-ab12cd"),
]


def test_the_table_fits_a_terminal():
    assert drawn(TABLE, 80) == [
        "train   basic     seeds 0 to 2  changed learning_rate 1e-5 -> 5e-5; changed code",
        "                                01234567 -> 456789ab",
        f"train   {LONG}  seed 3",
        "                                new row",
        "reuse   dense-16  seeds 0 to 2  trained in 20261124T220000Z-ab12cd to",
        "                                20261130T220000Z-ab12cd",
    ]
    assert max(map(len, drawn([TABLE[0], TABLE[2]], 60))) <= 60


def test_a_table_for_a_pipe_has_a_line_for_each_row():
    table = drawn(TABLE, None)
    assert len(table) == len(TABLE)
    assert table[2].split("  ")[-1] == TABLE[2].why


def test_the_sum_says_what_it_rests_on():
    runs = [planned("a"), planned("b"), planned("c", done=True), planned("d", done=True, resumed=True)]
    count = "4 experiments: 2 to train, 1 resumed, 1 reused"
    assert summed_up(runs, None) == [count, "how long that takes is not known: nothing comparable has a report yet"]
    assert summed_up(runs[2:3], None) == ["1 experiment: 1 reused"]
    assert summed_up(runs, LearningTime(3700, 2, 1)) == [
        count, "about 1:01:40 of learning time, one after another, judged by 1 earlier training"
    ]  # fmt: skip
    assert "for 1 of them" in summed_up(runs, LearningTime(60, 1, 1))[1]
    assert summed_up(runs, LearningTime(60, 1, 1, at_most=True))[1] == (
        "about 0:01:00 of learning time for 1 of them, one after another, or less where they stop early, "
        "judged by 1 earlier training"
    )


@pytest.fixture
def grid_file(tmp_path, small):
    def write(**experiments) -> str:
        path = tmp_path / "own.yaml"
        base = small.model_dump(exclude_defaults=True) | {"epochs": 1}
        YAML().dump({"name": "own", "dataset": "coloured", "base": base, "experiments": experiments}, path)
        return str(path)

    return write


def test_a_plan_shows_reasons_and_leaves_the_store_as_it_is(store, settings, coloured, grid_file, tmp_path):
    weights = tmp_path / "w.weights.h5"
    weights.write_bytes(b"weights")
    rows = {"a": {}, "b": {"batch_size": 1000}}
    ended = CliRunner().invoke(main, ["--grid", grid_file(**rows)])
    assert ended.exit_code == 78, ended.output
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}

    def shown(*options: str, **experiments) -> list[str]:
        ended = CliRunner().invoke(main, ["--grid", grid_file(**experiments), "--plan", *options])
        assert ended.exit_code == 0, ended.output
        return [" ".join(line.split()) for line in ended.output.splitlines()]

    changed = rows | {"a": {"epochs": 2}, "c": {"weights": str(weights)}}
    plain = shown(**changed)
    assert plain[0] == f"own on coloured@{coloured.version}"
    assert plain[2] == "train a changed epochs 1 -> 2"
    assert plain[3].startswith("train b failed before: batch larger than the set: batch_size is 1,000, ")
    assert plain[4] == "train c new row"
    assert plain[6].startswith("warning: the source cells of coloured are not known")
    assert plain[-2] == "3 experiments: 3 to train"
    assert plain[-1].endswith("of learning time for 2 of them, one after another, judged by 1 earlier training")
    run_id = artifacts.read_model(store, artifacts.latest_grid_run("own"), artifacts.LatestRun).run_id
    assert f"reuse a trained in {run_id}" in shown(**rows)
    assert "train a forced" in shown("--force", **rows)
    assert "train a seed 1 new seed" in shown("--nightly", "compare", **rows)
    assert {path: path.stat().st_mtime_ns for path in store.root.rglob("*")} == before


def test_epochs_that_are_over_are_not_estimated_again(store, settings, coloured, grid_file):
    assert CliRunner().invoke(main, ["--grid", grid_file(a={})]).exit_code == 0
    latest = artifacts.read_model(store, artifacts.latest_grid_run("own"), artifacts.LatestRun)
    (trained,) = artifacts.read_model(store, artifacts.grid_run("own", latest.run_id, "grid.json"), GridRun).rows
    result = artifacts.read_result(store, trained.key)
    took = learned(store, newest_reports(store, "own"))[trained.key]
    assert took == Learned(result.learning_seconds, len(result.history), result.metrics["train"].images)
    figures = f"row,key,learning_seconds\na,{trained.key},600\n".encode()
    store.write(artifacts.grid_run("own", latest.run_id, "runs.csv"), figures)
    planned = plan(store, load_grid(grid_file(a={"epochs": 3})))
    assert "about 0:30:00 of learning time" in outlook(store, planned)
    (run,) = planned.runs
    artifacts.write_model(store, artifacts.experiment(run.spec.key, "config.json"), run.spec)
    progress = Progress(epoch=2, step=0, history=(), seconds=1, epoch_seconds=1, epoch_waiting=0, patience=None)
    Checkpoints(store, run.spec.key).write(Checkpoint(progress, {}))
    assert "about 0:10:00 of learning time" in outlook(store, planned)


def test_a_plan_is_refused_as_the_run_would_be(store, settings, coloured, grid_file):
    for options, problem in ((["--strict"], "source cells of coloured"), (["--dataset", "none"], "dataset is 'none'")):
        ended = CliRunner().invoke(main, ["--grid", grid_file(a={}), "--plan", *options])
        assert (ended.exit_code, problem in ended.output) == (65, True)


def test_a_plan_loads_neither_prefect_nor_tensorflow_nor_what_draws(store, settings, coloured, grid_file):
    code = "import runpy, sys\ntry: runpy.run_module('flows.grid', run_name='__main__')\nfinally: print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", code, "--grid", grid_file(a={}), "--plan"],
        env=os.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "1 experiment: 1 to train" in ended.stdout, ended.stderr
    loaded = {name.partition(".")[0] for name in ended.stdout.splitlines()[-1].split()}
    assert "bloodcell" in loaded
    assert loaded & {"prefect", "tensorflow", "keras", "matplotlib", "sklearn", "scipy", "boto3"} == set()
