"""Every benchmark runs, at its smallest; what it measures here says nothing."""

import os
from pathlib import Path
from unittest.mock import patch

import click
import keras
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import (
    competitors,
    dataset_scale,
    fan_out,
    ingest,
    input_limit,
    notebook,
    notebook_accuracy,
    precision,
    rerun,
    startup,
    throughput,
    vs_notebook,
)
from benchmarks.photographs import Published
from benchmarks.results import Figure, Result, read_results
from benchmarks.throughput import BARS, SHAPES, Shape
from bloodcell import training
from bloodcell.backbones import BACKBONES
from bloodcell.grids import load_grid

TINY = "MobileNet:32:0.25"


def measured(script: click.Command, folder: Path, *arguments: object) -> Result:
    ended = CliRunner().invoke(script, ["--results", str(folder), *map(str, arguments)], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    (result,) = read_results(folder)
    return result


@pytest.fixture
def no_set_up(monkeypatch):
    """TensorFlow has computed in this process, and its threads are what they are."""
    monkeypatch.setattr(training, "set_up", lambda seed, threads: "CPU")


def test_throughput(tmp_path):
    arguments = ("--model", TINY, "--batch-size", 2, "--starts", 1, "--rounds", 1, "--steps", 2, "--threads", 1)
    result = measured(throughput.main, tmp_path, *arguments)
    assert [figure.key for figure in result.figures] == [
        "throughput-mobilenet-0.25-32",
        "throughput-onednn-mobilenet-0.25-32",
    ]
    assert result.rows[0]["ours, images/s"] > 0


def test_every_backbone_is_measured_by_default():
    assert {shape.backbone for shape in SHAPES} == set(BACKBONES)


def test_a_shape_of_the_bars_keeps_its_bar():
    assert Shape.parse("MobileNet:128") in BARS
    assert Shape.parse("MobileNet:128:0.25").at_least is None
    assert Shape.parse("Xception").side == BACKBONES["Xception"].image_size


def test_stock_keras_and_ours_are_one_network():
    from bloodcell.model import build_model

    config = Shape.parse(TINY).config(batch_size=2)
    own, stock = build_model(config, throughput.CLASSES), throughput.stock_model(config)
    stock.set_weights(own.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(own(images), stock(images), atol=1e-4)
    assert isinstance(own.optimizer, type(stock.optimizer))
    assert float(own.optimizer.learning_rate) == float(stock.optimizer.learning_rate)


def test_ours_is_measured_with_the_faster_layers_and_stock_keras_without():
    from bloodcell import adam, batch_norm, faster
    from bloodcell.model import build_model

    config = Shape.parse(TINY).config(batch_size=2)
    own, stock = build_model(config, throughput.CLASSES), throughput.stock_model(config)
    normalisations = [
        [type(layer) for layer in faster.layers(model) if isinstance(layer, keras.layers.BatchNormalization)]
        for model in (own, stock)
    ]
    assert normalisations == [[batch_norm.BatchNormalization] * 27, [keras.layers.BatchNormalization] * 27]
    assert (type(own.optimizer), type(stock.optimizer)) == (adam.Adam, keras.optimizers.Adam)
    assert own.train_step.__name__ != stock.train_step.__name__  # that of `bloodcell.convolutions`


@pytest.mark.long
def test_precision(tmp_path, coloured_folder, monkeypatch, no_set_up):
    figure = Figure(key="bfloat16", text="speed", value=1.0, unit="x")
    monkeypatch.setattr(precision, "compare_throughput", lambda shape, *_, **__: ([figure], [{"model": shape.text}]))
    arguments = ("--data", coloured_folder, "--side", 32, "--epochs", 1, "--seeds", 2)
    result = measured(precision.main, tmp_path, *arguments)
    accuracies = ["mixed_bfloat16-accuracy", "mixed_float16-accuracy"]
    assert [figure.key for figure in result.figures] == ["bfloat16"] * 2 + accuracies
    assert result.figures[-1].interval is not None
    for precision_of, note in zip(("mixed_bfloat16", "mixed_float16"), result.notes, strict=True):
        assert f"% in {precision_of}. Chance is 33%." in note
        assert note.count("%, ") + 1 == 2  # seeds


def test_input_limit(tmp_path, coloured_folder):
    arguments = (
        "--data",
        coloured_folder,
        "--model",
        TINY,
        "--batch-size",
        4,
        "--starts",
        1,
        "--rounds",
        2,
        "--threads",
        1,
    )
    result = measured(input_limit.main, tmp_path, *arguments)
    assert result.figures[0].at_most == 1.03
    assert result.rows[0]["epoch, s"] > 0


def test_one_batch_stands_in_for_all(tmp_path, coloured_folder):
    from benchmarks.examples import OneBatch, pixels, whole_batches

    published = Published.of(coloured_folder, tmp_path / "store")
    real = whole_batches(published, pixels(published, 8, tmp_path / "cache"), batch_size=8)
    held = OneBatch(real.images, real.labels, real.split)
    for examples, distinct in ((real, 8), (held, 1)):
        batches = examples.training_batches(batch_size=8, epochs=1, seed=0).take(examples.steps(8))
        images = [batch.tobytes() for batch, _ in batches.as_numpy_iterator()]
        assert (len(images), len(set(images))) == (8, distinct)
        assert len(list(examples.evaluation_batches("validation", batch_size=32))) == 1


def test_ingest(tmp_path, coloured_folder):
    result = measured(ingest.main, tmp_path, "--data", coloured_folder, "--rounds", 1)
    assert result.rows[0]["images"] == 96


def test_dataset_scale(tmp_path):
    picture = tmp_path / "plots" / "scale.png"
    images = 20 * dataset_scale.VIEWS
    result = measured(dataset_scale.main, tmp_path, "--size", images, "--side", 32, "--plot", picture)
    assert [row["step"] for row in result.rows] == list(dataset_scale.STEPS)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_fan_out(tmp_path, monkeypatch):
    picture = tmp_path / "plots" / "fan_out.png"
    monkeypatch.setattr(fan_out, "_IMAGES", 48)
    with patch.dict(os.environ):  # a mapping in its place would not be what children inherit
        result = measured(fan_out.main, tmp_path, "--size", 1, "--size", 2, "--plot", picture)
    assert [row["experiments"] for row in result.rows] == [1, 2]
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.long
def test_a_row_that_changes_is_told_from_those_that_are_reused(tmp_path, monkeypatch):
    monkeypatch.setattr(rerun, "_IMAGES", 48)
    result = measured(rerun.main, tmp_path, "--rows", 1, "--rounds", 1)
    (row,) = result.rows
    assert row["one row changed, s"] > row["such a row alone, s"] > 0


def test_startup(tmp_path, monkeypatch):
    monkeypatch.setattr(startup, "_IMAGES", 144)
    result = measured(startup.main, tmp_path, "--side", 32, "--rounds", 1)
    assert result.rows[-1]["phase"] == "second step"
    assert result.figures[0].at_most == 0.3
    seconds = {figure.key: figure.value for figure in result.figures}  # milliseconds of a fork
    assert 0 < seconds["forked"] / 1e3 < seconds["fresh"] < seconds["first-step"]


@pytest.fixture
def compared(tmp_path, coloured_folder) -> Result:
    arguments = ("--data", coloured_folder, "--row", "basic", "--side", 32, "--epochs", 1, "--seeds", 1, "--slots", 1)
    return measured(vs_notebook.main, tmp_path, *arguments)


@pytest.mark.long
def test_vs_notebook(compared):
    assert [figure.key for figure in compared.figures] == ["notebook-first", "notebook-onednn-first", "waiting"]
    assert 0 < compared.figures[-1].value < 100
    assert compared.rows[0]["ours, s"] > 0
    assert compared.rows[0]["notebook with oneDNN, s"] > 0


@pytest.mark.long
def test_notebook_accuracy(tmp_path, coloured_folder):
    arguments = ("--data", coloured_folder, "--row", "basic", "--side", 32, "--epochs", 1, "--seeds", 2)
    result = measured(notebook_accuracy.main, tmp_path, *arguments)
    assert [figure.key for figure in result.figures] == ["learning-accuracy"]
    assert [row["seed"] for row in result.rows] == [0, 1]
    assert result.settings["times"] == 30


@pytest.mark.parametrize(("rows", "times"), [(("basic", "rate-1e-4"), 1.0), (tuple(notebook.ROWS), 30.0)])
def test_ours_trains_the_notebooks_rows_at_as_many_times_their_rates(tmp_path, rows, times):
    trainings = competitors.Trainings(rows, 0.25, 32, 16, 1, None, times)
    grid = load_grid(competitors._grid(trainings, tmp_path))
    assert {row.name: row.config.learning_rate for row in grid.rows} == {
        row: pytest.approx(times * notebook.ROWS[row]["learning_rate"]) for row in rows
    }
    assert {row.name: row.config.dense_units for row in grid.rows} == {
        row: notebook.ROWS[row]["dense_units"] for row in rows
    }


@pytest.mark.parametrize(("lower", "met"), [(0.0, True), (0.2, False)])
def test_an_accuracy_that_is_lower_beyond_noise_is_told(lower, met):
    theirs = vs_notebook.Outcome(10.0, {"a": 0.5, "b": 0.6, "c": 0.7})
    ours = vs_notebook.Outcome(5.0, {"a": 0.51 - lower, "b": 0.59 - lower, "c": 0.7 - lower}, {"a": 0.01, "b": 0.021})
    figures, notes = vs_notebook.figures([vs_notebook.Round(theirs, theirs, ours)], classes=4)
    assert figures[-1].met is met
    assert next(figure for figure in figures if figure.key == "waiting").met is False
    assert ("not lower beyond" in notes[0]) is met
