import io
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pandas as pd
import pytest

from bloodcell import artifacts
from bloodcell.artifacts import ExperimentResult, ExperimentSpec
from bloodcell.events import Done, Epoch, Failure, parse


def run(key: str) -> tuple[int, list]:
    child = subprocess.run(
        [sys.executable, "-m", "bloodcell", "run", "--key", key],
        capture_output=True, text=True, check=False, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"},
    )  # fmt: skip
    return child.returncode, [event for line in child.stdout.splitlines() if (event := parse(line))]


def test_an_experiment_from_key_to_result(store, settings, spec):
    code, events = run(spec.key)
    assert code == 0
    assert [event.epoch for event in events if isinstance(event, Epoch)] == [1, 2]
    assert isinstance(events[-1], Done)

    result = artifacts.read_result(store, spec.key)
    assert list(result.metrics) == ["train", "validation", "test", "seen"]
    assert {name: metrics.images for name, metrics in result.metrics.items()} == {
        "train": 51, "validation": 15, "test": 24, "seen": 6
    }  # fmt: skip
    assert len(result.history) == 2
    assert result.learning_seconds > 0
    assert 0 < result.waiting_fraction < 1
    before = result.model_dump(mode="json", exclude={"history": {"__all__": {"waiting"}}})
    assert ExperimentResult.model_validate(before).waiting_fraction is None  # nobody measured it then
    assert result.environment["seed"] == spec.config.seed

    names = set(store.list(f"experiments/{spec.key}/"))
    assert names == {
        artifacts.experiment(spec.key, name) for name in (*result.files, "config.json", "result.json")
    }  # fmt: skip

    assert "plots/gradcam.jpg" in result.files
    assert ("plots/errors.jpg" in result.files) == (result.metrics["test"].accuracy < 1)

    # The metrics are those of the model that was saved, on the images as they are.
    store.download(artifacts.experiment(spec.key, "model.keras"), settings.cache / "model.keras")
    model = keras.models.load_model(settings.cache / "model.keras")
    table = pd.read_parquet(io.BytesIO(store.read(artifacts.experiment(spec.key, "predictions.parquet"))))
    images = np.load(next((settings.cache / "images").glob("*.npy")))
    predicted = model.predict(images, verbose=0)
    np.testing.assert_allclose(table[[f"p_{label}" for label in result.labels]], predicted, atol=1e-5)


def test_a_result_of_another_run_stays_when_it_comes_last_of_all(store, settings, spec):
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, spec.key)
        while not store.exists(artifacts.experiment(spec.key, "history.csv")):  # its last look is behind it
            assert not running.done()
            time.sleep(0.002)
        assert store.create(artifacts.experiment(spec.key, "result.json"), b"another's")
        code, events = running.result()
    assert code == 0
    assert events[-1] == Done(message=f"{spec.key} got a result from another run meanwhile; this one is dropped")
    assert store.read(artifacts.experiment(spec.key, "result.json")) == b"another's"


def test_the_same_seed_gives_the_same_figures_and_another_does_not(store, settings, spec):
    results = []
    for variant in ({"seed": 0}, {"seed": 0, "learning_rate": 0.002}, {"seed": 1}):
        other = spec.model_copy(update={"config": spec.config.model_copy(update=variant)})
        artifacts.write_model(store, artifacts.experiment(other.key, "config.json"), other)
        assert run(other.key)[0] == 0
        results.append(artifacts.read_result(store, other.key))
    (store.root / artifacts.experiment(spec.key, "result.json")).unlink()
    assert run(spec.key)[0] == 0
    repeated = artifacts.read_result(store, spec.key)
    assert repeated.metrics == results[0].metrics
    assert repeated.files["plots/gradcam.jpg"] == results[0].files["plots/gradcam.jpg"]
    assert [record.loss for record in repeated.history] == [record.loss for record in results[0].history]
    assert all(other.metrics != repeated.metrics for other in results[1:])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"batch_size": 64}, "batch larger than the set"),
        (
            {"learning_rate": 1.0, "optimizer": "sgd", "dense_units": 4096, "hidden_layers": 3, "epochs": 6},
            "in epoch",
        ),
    ],
)
def test_what_cannot_work_fails_with_the_reason(store, settings, spec, change, said):
    other = spec.model_copy(update={"config": spec.config.model_copy(update=change)})
    artifacts.write_model(store, artifacts.experiment(other.key, "config.json"), other)
    ended, events = run(other.key)
    assert ended == 78
    assert isinstance(events[-1], Failure)
    assert said in events[-1].problem
    assert not artifacts.is_done(store, other.key)


def test_a_finished_experiment_is_left_as_it_is(store, settings, spec):
    store.write(artifacts.experiment(spec.key, "result.json"), b"done before")
    code, events = run(spec.key)
    assert (code, events) == (0, [Done(message=f"{spec.key} already has a result")])


def test_other_code_than_the_key_names_trains_nothing(store, settings, spec):
    other = ExperimentSpec(**spec.model_dump() | {"code_version": "other"})
    artifacts.write_model(store, artifacts.experiment(other.key, "config.json"), other)
    code, events = run(other.key)
    assert code == 78
    assert "planned for code other" in events[-1].problem
    assert not artifacts.is_done(store, other.key)


def test_an_unknown_key(store, settings):
    code, events = run("none")
    assert code == 65
    assert "experiments/none/config.json" in events[-1].problem
