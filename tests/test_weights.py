import hashlib
from pathlib import Path

import pytest

from bloodcell.config import ExperimentConfig
from bloodcell.errors import ObjectNotFoundError, WeightsError
from bloodcell.store import LocalStore
from bloodcell.weights import fetch_weights, identify_weights, stage_weights

CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "mine.weights.h5"
    path.write_bytes(CONTENT)
    return str(path)


def staged(store: LocalStore, file: str) -> ExperimentConfig:
    weights, digest = identify_weights(store, file, None)
    assert not store.exists(weights)
    stage_weights(store, file, weights, digest)
    return ExperimentConfig(weights=weights, weights_sha256=digest)


def test_a_file_becomes_an_object_named_by_its_content(store: LocalStore, file: str, tmp_path: Path):
    config = staged(store, file)
    assert config.weights == f"weights/{DIGEST[:12]}-mine.weights.h5"
    assert config.weights_sha256 == DIGEST
    assert identify_weights(store, config.weights, None) == (config.weights, DIGEST)
    fetched = fetch_weights(store, config, tmp_path / "cache")
    assert fetched is not None
    assert fetched.read_bytes() == CONTENT


@pytest.mark.parametrize("weights", ["imagenet", "none"])
def test_weights_without_a_file_need_no_staging(store: LocalStore, weights: str, tmp_path: Path):
    assert identify_weights(store, weights, None) == (weights, None)
    stage_weights(store, weights, weights, None)
    assert list(store.list("weights/")) == []
    assert fetch_weights(store, ExperimentConfig(weights=weights), tmp_path) is None


def test_another_sha256_is_refused(store: LocalStore, file: str, tmp_path: Path):
    config = staged(store, file)
    for weights in (file, config.weights):
        with pytest.raises(WeightsError, match=f"have the SHA-256 {DIGEST}, not {'0' * 64}"):
            identify_weights(store, weights, "0" * 64)
    store.write(config.weights, b"other")
    with pytest.raises(WeightsError, match="have the SHA-256"):
        fetch_weights(store, config, tmp_path / "cache")
    store.write(config.weights, CONTENT)
    assert fetch_weights(store, config, tmp_path / "cache") is not None


def test_weights_that_are_not_there(store: LocalStore, tmp_path: Path):
    missing = str(tmp_path / "none.weights.h5")
    with pytest.raises(WeightsError, match="cannot be read"):
        identify_weights(store, missing, None)
    with pytest.raises(WeightsError, match="a file of one machine"):
        fetch_weights(store, ExperimentConfig(weights=missing), tmp_path / "cache")
    with pytest.raises(ObjectNotFoundError):
        identify_weights(store, "weights/none.weights.h5", None)


def test_a_file_that_changed_since_it_was_identified_is_not_staged(store: LocalStore, file: str):
    weights, digest = identify_weights(store, file, None)
    Path(file).write_bytes(b"other")
    with pytest.raises(WeightsError, match="have the SHA-256"):
        stage_weights(store, file, weights, digest)
    assert not store.exists(weights)
