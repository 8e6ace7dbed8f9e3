"""Several seeds, forced repeats and nights, with real experiments on a real Prefect server."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from bloodcell import artifacts
from bloodcell.artifacts import GridRun, LatestRun
from flows.grid import grid as grid_flow
from flows.grid import main


@pytest.fixture
def grid_file(tmp_path: Path, small):
    """Writes a grid of which a row learns the colours within an epoch."""

    def write(**experiments) -> str:
        path = tmp_path / "own.yaml"
        base = small.model_dump(exclude_defaults=True) | {"epochs": 3, "learning_rate": 5e-3, "hidden_layers": 0}
        YAML().dump({"name": "own", "dataset": "celled", "base": base, "experiments": experiments}, path)
        return str(path)

    return write


def latest_run(store) -> GridRun:
    pointer = artifacts.read_model(store, artifacts.latest_grid_run("own"), LatestRun)
    return artifacts.read_model(store, artifacts.grid_run("own", pointer.run_id, "grid.json"), GridRun)


def trained(store) -> list[tuple[str, int, str]]:
    return [(row.name, row.config.seed, row.status) for row in latest_run(store).rows]


def report(store) -> str:
    return store.read(artifacts.grid_run("own", latest_run(store).run_id, "report.md")).decode()


def test_more_seeds_train_what_is_missing_and_force_trains_anew(store, settings, celled, grid_file):
    path = grid_file(a={})
    assert grid_flow(grid=path, return_state=True).is_completed()
    assert grid_flow(grid=path, seeds=2, return_state=True).is_completed()
    assert trained(store) == [("a", 0, "reused"), ("a", 1, "trained")]
    first = [row.key for row in latest_run(store).rows]
    assert "the mean of 2 trainings: 95% interval over cells and seeds" in report(store)

    assert grid_flow(grid=path, seeds=2, force=True, return_state=True).is_completed()
    assert trained(store) == [("a", 0, "trained"), ("a", 1, "trained")]
    forced = [row.key for row in latest_run(store).rows]
    assert forced == [f"{key}-1" for key in first]
    # On a CPU the same seed gives the same figures, so that nothing but the key tells them apart.
    results = [artifacts.read_result(store, key) for key in (first[0], forced[0])]
    assert results[0].metrics == results[1].metrics
    assert results[0].finished < results[1].finished

    assert grid_flow(grid=path, seeds=2, return_state=True).is_completed()
    assert [(row.key, row.status) for row in latest_run(store).rows] == [(key, "reused") for key in forced]


def test_each_night_adds_a_seed_and_a_broken_row_fails_the_night(store, settings, celled, grid_file):
    rows = {"a": {}, "b": {"dense_units": 16, "hidden_layers": 1}}
    for night in range(3):
        state = grid_flow(grid=grid_file(**rows), nightly="compare", return_state=True)
        assert state.is_completed(), state.message
        run = latest_run(store)
        assert {(row.config.seed, row.status) for row in run.rows} == {
            *((seed, "reused") for seed in range(night)), (night, "trained")
        }  # fmt: skip
        assert {verdict.verdict for verdict in run.verdicts} == {"too early" if night < 2 else "within noise"}
    assert "![Test accuracy by night and row](plots/nights.png)" in report(store)

    broken = grid_file(a={}, b=rows["b"] | {"learning_rate": 1})
    ended = CliRunner().invoke(main, ["--grid", broken, "--nightly", "compare"])
    assert ended.exit_code == 1
    assert "Worse than the nights before: b by \N{MINUS SIGN}" in ended.output
    assert "points (changed: learning rate)" in ended.output
    assert [verdict.verdict for verdict in latest_run(store).verdicts] == ["within noise", "worse"]
    assert "| b | worse (changed: learning rate) |" in report(store)

    assert grid_flow(grid=broken, nightly="restart", return_state=True).is_completed()
    assert {verdict.verdict for verdict in latest_run(store).verdicts} == {"too early"}
