"""Several seeds, forced repeats and nights, with real experiments on a real Prefect server."""

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from bloodcell import artifacts
from bloodcell.artifacts import GridRun, LatestRun
from bloodcell.data.ingest import push
from flows.fan_out import fan_out
from flows.grid.__main__ import main
from flows.grid.flow import grid as grid_flow
from tests.conftest import COLOURS, draw_colours, name_cells

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A backbone that passes the mean colour on: every kernel is a mean over its field, and the batch norms fit that.

    On random weights a head learns nothing of the colours in seconds, and no row could become worse.
    """
    import keras

    keras.utils.set_random_seed(0)
    network = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(32, 32, 3), alpha=0.25)
    for layer in network.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.Conv2D):
            (kernel,) = layer.get_weights()
            layer.set_weights([np.broadcast_to(kernel.mean((0, 1), keepdims=True), kernel.shape)])
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            layer.set_weights([np.full_like(kernel, 1 / 9)])
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.5
    rng = np.random.default_rng(0)
    colours = np.array(list(COLOURS.values()))[rng.integers(0, len(COLOURS), 64)]
    images = np.clip(rng.normal(colours[:, None, None], 40, (64, 32, 32, 3)), 0, 255) / 127.5 - 1
    for _ in range(12):
        network(images, training=True)
    path = tmp_path_factory.mktemp("weights") / "colour.weights.h5"
    network.save_weights(path)
    return str(path)


@pytest.fixture
def grid_file(tmp_path: Path, small, weights):
    """Writes a grid whose rows learn the colours."""

    def write(**experiments) -> str:
        path = tmp_path / "own.yaml"
        base = small.model_dump(exclude_defaults=True)
        base |= {"epochs": 40, "learning_rate": 0.01, "trainable": "head", "weights": weights}
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


def test_each_night_adds_a_seed_and_a_broken_row_fails_the_night(store, settings, tmp_path, grid_file):
    # Of the usual 24 test images seeds alone move a row by ten points: many nights would be needed to tell a fall.
    draw_colours(tmp_path / "drawn", train=24, test=80)
    name_cells(tmp_path / "drawn")
    push(store, tmp_path / "drawn", name="celled")
    rows = {"a": {}, "b": {"dense_units": 16}}
    for night in range(3):
        state = grid_flow(grid=grid_file(**rows), nightly="compare", return_state=True)
        assert state.is_completed(), state.message
        run = latest_run(store)
        assert {(row.config.seed, row.status) for row in run.rows} == {
            *((seed, "reused") for seed in range(night)), (night, "trained")
        }  # fmt: skip
        assert {verdict.verdict for verdict in run.verdicts} == {"too early" if night < 2 else "within noise"}
    assert "![Test accuracy by night and row](plots/nights.png)" in report(store)

    # Three layers at such a rate end up dead with every seed: a night trains two of a row that is new to it.
    broken = grid_file(a={}, b=rows["b"] | {"hidden_layers": 3, "learning_rate": 1})
    ended = CliRunner().invoke(main, ["--grid", broken, "--nightly", "compare"])
    assert ended.exit_code == 1
    assert "Worse than the nights before: b by \N{MINUS SIGN}" in ended.output
    assert "points (changed: hidden layers and learning rate)" in ended.output
    assert [verdict.verdict for verdict in latest_run(store).verdicts] == ["within noise", "worse"]
    assert trained(store)[-2:] == [("b", 2, "trained"), ("b", 3, "trained")]
    assert "| b | worse (changed: hidden layers and learning rate) |" in report(store)

    assert grid_flow(grid=broken, nightly="restart", return_state=True).is_completed()
    assert {verdict.verdict for verdict in latest_run(store).verdicts} == {"too early"}


def first_alone(store, planned, runner, concurrent, **_) -> NoReturn:
    """Trains the first that is to be trained; then its host is lost."""
    first = next(run for run in planned.runs if not run.done)
    fan_out(store, replace(planned, runs=(first,)), runner, concurrent)
    raise RuntimeError("the host is lost")


@pytest.mark.parametrize("kind", [{"nightly": "compare"}, {"force": True}], ids=["night", "forced"])
def test_what_was_interrupted_is_gone_on_with_as_its_own(store, settings, celled, grid_file, monkeypatch, kind):
    path = grid_file(a={}, b={"dense_units": 16})
    assert grid_flow(grid=path, return_state=True).is_completed()
    before = latest_run(store)
    with monkeypatch.context() as patched:
        patched.setattr("flows.grid.flow.fan_out", first_alone)
        assert grid_flow(grid=path, return_state=True, **kind).is_failed()
    assert latest_run(store) == before

    assert grid_flow(grid=path, return_state=True, **kind).is_completed()
    run = latest_run(store)
    tonight = [("a", 1, "trained"), ("b", 1, "trained")]
    reused = [("a", 0, "reused"), ("b", 0, "reused")]
    if "force" in kind:
        assert [row.key for row in run.rows] == [f"{row.key}-1" for row in before.rows]
        assert (run.forced, run.nightly, run.verdicts) == (True, None, ())
        assert trained(store) == [("a", 0, "trained"), ("b", 0, "trained")]
    else:
        assert trained(store) == sorted([*reused, *tonight])
        assert [(verdict.row, verdict.tonight, verdict.earlier) for verdict in run.verdicts] == [
            ("a", 1, 1),
            ("b", 1, 1),
        ]
    results = [artifacts.read_result(store, row.key) for row in run.rows if row.status == "trained"]
    assert results[0].finished < run.started < results[1].finished
