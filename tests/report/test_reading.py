"""What is read of a run's trainings, from a store that counts."""

import hashlib
import threading

import numpy as np
import pandas as pd
import pytest

from bloodcell import artifacts
from bloodcell.errors import CorruptObjectError
from bloodcell.evaluation import probability_column
from bloodcell.report.calibration import Calibration
from bloodcell.report.cells import cell_counts
from bloodcell.report.diagnostics import ERRORS, GRADCAM
from bloodcell.report.reading import read_results, read_rows
from bloodcell.store import LocalStore
from tests.report.conftest import LABELS

KNOWN = {"train": 250, "validation": 55, "test": 71, "seen": 240}


class CountingStore(LocalStore):
    """Remembers what is read, and by how many threads."""

    def __init__(self, root):
        super().__init__(root)
        self.names, self.threads = [], set()

    def read(self, name):
        self.names.append(name)
        self.threads.add(threading.get_ident())
        return super().read(name)


def predictions(seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    table = pd.DataFrame(random.choice(LABELS, (400, 2)), columns=["label", "predicted"])
    table = table.assign(
        path="p", sha256="s", source=random.choice(list("abcdefgh"), 400), split=["train", "test", "seen", "test"] * 100
    )
    return table.assign(**{probability_column(label): np.float32(random.random(400)) for label in LABELS})


@pytest.fixture
def example(make, figures, grid):
    """Two rows of three trainings; one training of the second failed."""
    outcomes = {"a": figures(0.8), "b": ["no memory", figures(0.9), figures(0.9)]}
    return make(grid.model_copy(update={"seeds": 3}), outcomes, sources=KNOWN)


@pytest.fixture
def store(tmp_path, example):
    """Holds the results; each has its predictions, those of the seeds 1 and 2 both pictures."""
    store = CountingStore(tmp_path)
    for number, result in enumerate(example.results.values()):
        files = {"predictions.parquet": predictions(number).to_parquet()}
        if seed := result.spec.config.seed:
            files |= {file: f"{file} of seed {seed}".encode() for file in (ERRORS, GRADCAM)}
        for file, data in files.items():
            store.write(artifacts.experiment(result.key, file), data)
        digests = {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}
        artifacts.write_model(
            store, artifacts.experiment(result.key, "result.json"), result.model_copy(update={"files": digests})
        )
    return store


def test_rows_are_read_with_their_cells_and_their_calibration(store, example):
    results = read_results(store, example.run.rows)
    assert list(results) == list(example.results)
    rows = read_rows(store, example.run.rows, example.info, results)
    for row, numbers in zip(rows, ((0, 1, 3), (2, 4)), strict=True):
        tables = [predictions(number) for number in numbers]
        for split in ("test", "seen"):
            for table, run in zip(tables, row.cells[split].runs.values(), strict=True):
                np.testing.assert_array_equal(run.confusion, cell_counts(table, LABELS)[split].confusion)
        own = Calibration.pooled(Calibration.of(table[table["split"] == "test"], LABELS) for table in tables)
        assert row.diagnostics.calibration.error == own.error
    assert len(store.threads) > 1


def test_of_the_pictures_only_those_that_are_shown_are_read(store, example):
    rows = read_rows(store, example.run.rows, example.info, read_results(store, example.run.rows))
    assert [row.diagnostics.seed for row in rows] == [1, 1]
    assert not any(name.endswith(".jpg") for name in store.names)  # before they are asked for
    assert [row.diagnostics.read_errors() for row in rows] == [b"plots/errors.jpg of seed 1"] * 2


def test_what_a_result_does_not_name_is_none(store, example):
    bare = {key: result.model_copy(update={"files": {}}) for key, result in example.results.items()}
    rows = read_rows(store, example.run.rows, example.info, bare)
    assert [(row.cells, row.diagnostics.calibration, row.diagnostics.read_gradcam) for row in rows] == [
        ({}, None, None)
    ] * 2


def test_a_run_without_any_result_is_read(store, make, grid):
    failed = make(grid, {"a": "x", "b": "x"})
    assert [
        row.name for row in read_rows(store, failed.run.rows, failed.info, read_results(store, failed.run.rows))
    ] == [
        "a",
        "b",
    ]


def test_predictions_that_are_not_the_results_are_refused(store, example):
    results = read_results(store, example.run.rows)
    store.write(artifacts.experiment(next(iter(results)), "predictions.parquet"), b"another's")
    with pytest.raises(CorruptObjectError, match=r"predictions\.parquet .* does not have the SHA-256"):
        read_rows(store, example.run.rows, example.info, results)
