import hashlib
from pathlib import Path

import pytest

from bloodcell.config import ExperimentConfig
from bloodcell.errors import ObjectNotFoundError, WeightsError
from bloodcell.store import LocalStore
from bloodcell.weights import fetch_weights, stage_weights

CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def config(tmp_path: Path) -> ExperimentConfig:
    path = tmp_path / "mine.weights.h5"
    path.write_bytes(CONTENT)
    return ExperimentConfig(weights=str(path))


def test_a_file_becomes_an_object_named_by_its_content(store: LocalStore, config: ExperimentConfig, tmp_path: Path):
    staged = stage_weights(store, config)
    assert staged.weights == f"weights/{DIGEST[:12]}-mine.weights.h5"
    assert staged.weights_sha256 == DIGEST
    assert stage_weights(store, staged) == staged
    fetched = fetch_weights(store, staged, tmp_path / "cache")
    assert fetched is not None
    assert fetched.read_bytes() == CONTENT


@pytest.mark.parametrize("weights", ["imagenet", "none"])
def test_weights_without_a_file_need_no_staging(store: LocalStore, weights: str, tmp_path: Path):
    config = ExperimentConfig(weights=weights)
    assert stage_weights(store, config) == config
    assert fetch_weights(store, config, tmp_path) is None


def test_another_sha256_is_refused(store: LocalStore, config: ExperimentConfig, tmp_path: Path):
    with pytest.raises(WeightsError, match=f"have the SHA-256 {DIGEST}, not {'0' * 64}"):
        stage_weights(store, config.model_copy(update={"weights_sha256": "0" * 64}))
    staged = stage_weights(store, config)
    store.write(staged.weights, b"other")
    with pytest.raises(WeightsError, match="have the SHA-256"):
        fetch_weights(store, staged, tmp_path / "cache")
    store.write(staged.weights, CONTENT)
    assert fetch_weights(store, staged, tmp_path / "cache") is not None


def test_weights_that_are_not_there(store: LocalStore, tmp_path: Path):
    with pytest.raises(WeightsError, match="cannot be read"):
        stage_weights(store, ExperimentConfig(weights=str(tmp_path / "none.weights.h5")))
    with pytest.raises(WeightsError, match="a file of one machine"):
        fetch_weights(store, ExperimentConfig(weights=str(tmp_path / "none.weights.h5")), tmp_path / "cache")
    with pytest.raises(ObjectNotFoundError):
        stage_weights(store, ExperimentConfig(weights="weights/none.weights.h5"))
