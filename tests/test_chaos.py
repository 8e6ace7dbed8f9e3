"""What `tests.chaos` compares with, which must be able to find fault."""

import hashlib
import random
from datetime import UTC, datetime

import numpy as np
import pytest

from bloodcell import artifacts
from bloodcell.artifacts import EpochRecord, ExperimentResult
from bloodcell.errors import CorruptObjectError
from tests.chaos.comparison import differences, flaws, results
from tests.chaos.victims import KINDS, rounds


@pytest.fixture
def result(store, spec) -> ExperimentResult:
    """A result in the store, with one artifact."""
    record = EpochRecord(epoch=1, loss=0.1, accuracy=0.5, val_loss=0.2, val_accuracy=0.5, seconds=1.0)
    store.write(artifacts.experiment(spec.key, "predictions.parquet"), b"table")
    result = ExperimentResult(
        key=spec.key,
        spec=spec,
        labels=("a", "b"),
        sources_known=True,
        metrics={},
        history=(record,),
        kept_epoch=1,
        learning_seconds=1.0,
        parameters=5,
        finished=datetime.now(UTC),
        environment={},
        files={"predictions.parquet": hashlib.sha256(b"table").hexdigest()},
    )
    artifacts.write_model(store, artifacts.experiment(spec.key, "result.json"), result)
    return result


def test_a_whole_store_has_no_flaw(store, result):
    assert flaws(store) == []
    assert results(store) == {result.key: result}


@pytest.mark.parametrize("name", ["leases/000001.json", "checkpoints/00001-0000000-ab.npz", "history.csv"])
def test_what_nobody_names_is_a_flaw(store, result, name):
    store.write(artifacts.experiment(result.key, name), b"")
    (flaw,) = flaws(store)
    assert name in flaw


def test_an_experiment_without_a_result_is_a_flaw(store, result):
    store.write(artifacts.experiment("other", "config.json"), b"")
    (flaw,) = flaws(store)
    assert "its experiment has no result" in flaw


def test_an_artifact_with_other_bytes_is_found(store, result):
    store.write(artifacts.experiment(result.key, "predictions.parquet"), b"tab")
    with pytest.raises(CorruptObjectError):
        flaws(store)


def test_results_differ_in_what_decides_and_not_in_times(result):
    (record,) = result.history
    slower = result.model_copy(update={"learning_seconds": 9.0, "finished": datetime.now(UTC)})
    assert differences(result, slower) == []
    longer = record.model_copy(update={"seconds": 5.0, "waiting": 1.0})
    assert differences(result, result.model_copy(update={"history": (longer,)})) == []
    other = record.model_copy(update={"loss": float(np.nextafter(record.loss, 1))})
    assert differences(result, result.model_copy(update={"history": (other,)})) == ["history"]
    files = {"predictions.parquet": "0" * 64}
    assert differences(result, result.model_copy(update={"files": files})) == ["predictions, to the bit"]


def test_every_kind_is_killed_about_as_often_as_another():
    found = rounds(30, random.Random(0))
    assert {kind: found.count(kind) for kind in KINDS} == dict.fromkeys(KINDS, 6)
    assert found != rounds(30, random.Random(1))
