import random
import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path

import keras
import numpy as np
import pytest

from bloodcell.backbones import BACKBONES
from bloodcell.config import Augmentation, ExperimentConfig
from bloodcell.errors import TransientError, WeightsError
from bloodcell.grids import grid_names, load_grid
from bloodcell.model import build_model, save_model, seeded_model
from bloodcell.weights import check_weights

# Where a grid names weights, these tests start from random ones: the network is the same.
NO_WEIGHTS = {"weights": "none", "weights_sha256": None}


def images(side: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def backbone_of(model: keras.Model) -> keras.Model:
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_model_does_to_an_image_what_keras_applications_does(backbone: str):
    config = ExperimentConfig(backbone=backbone, weights="none", image_size=80)
    model = build_model(config, classes=4)
    x = images(80)
    module = import_module(f"keras.applications.{config.row.module}")
    features = backbone_of(model)(module.preprocess_input(x.astype("float32")), training=False)
    for layer in model.layers[model.layers.index(backbone_of(model)) + 1 :]:
        features = layer(features)
    np.testing.assert_allclose(model(x, training=False), features, rtol=1e-5, atol=1e-6)


LOAD = """
import sys, keras, numpy
model = keras.models.load_model(sys.argv[1] + "/model.keras")
assert model.output.dtype == "float32"
assert not any(name.partition(".")[0] == "bloodcell" for name in sys.modules)
numpy.save(sys.argv[1] + "/predicted.npy", model.predict(numpy.load(sys.argv[1] + "/images.npy"), verbose=0))
"""


@pytest.mark.parametrize(("backbone", "precision"), [("MobileNet", "mixed_bfloat16"), ("ResNet50", "float32")])
def test_stock_keras_loads_a_saved_model_in_a_process_without_our_code(tmp_path: Path, backbone: str, precision: str):
    config = ExperimentConfig(
        backbone=backbone,
        weights="none",
        image_size=32,
        precision=precision,
        augmentation=Augmentation(horizontal_flip=True, vertical_flip=True, rotation=20, shift=0.1),
    )
    model = build_model(config, classes=3)
    model.train_on_batch(images(32), np.array([0, 1]))
    save_model(model, tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images(32))
    subprocess.run([sys.executable, "-I", "-c", LOAD, str(tmp_path)], check=True, env={"TF_CPP_MIN_LOG_LEVEL": "3"})
    predicted = np.load(tmp_path / "predicted.npy")
    # Stock batch normalisation rounds otherwise.
    np.testing.assert_allclose(predicted, model.predict(images(32), verbose=0), rtol=1e-4)


def test_augmentation_acts_in_training_alone():
    config = ExperimentConfig(
        backbone="MobileNet", width=0.25, weights="none", image_size=32, dropout=0, augmentation=Augmentation(shift=0.4)
    )
    model = build_model(config, classes=3)
    x = images(32)
    np.testing.assert_array_equal(model(x, training=False), model(x, training=False))
    augmented = keras.Model(model.input, model.get_layer(index=1).output)
    assert not np.array_equal(augmented(x, training=True), x)
    np.testing.assert_array_equal(augmented(x, training=False), x)


@pytest.mark.parametrize("name", grid_names())
def test_every_shipped_grid_builds(name: str):
    # Rows of one backbone differ in the head alone: building the first and the deepest shows them all.
    rows = load_grid(name).rows
    deepest = max(rows, key=lambda row: row.config.hidden_layers)
    chosen = rows if name == "backbones" else {rows[0].name: rows[0], deepest.name: deepest}.values()
    for row in chosen:
        config = row.config.model_copy(update=NO_WEIGHTS)
        model = build_model(config, classes=4)
        assert model.output.shape == (None, 4)
        assert sum(isinstance(layer, keras.layers.Dense) for layer in model.layers) == config.hidden_layers + 1
        assert sum(isinstance(layer, keras.layers.Dropout) for layer in model.layers) == config.hidden_layers


@pytest.mark.parametrize(("trainable", "expected"), [("head", 0), (2, 2), ("all", 54)])
def test_the_configured_layers_train(trainable, expected):
    config = ExperimentConfig(backbone="MobileNet", weights="none", image_size=32, trainable=trainable)
    backbone = backbone_of(build_model(config, classes=4))
    weighted = [layer for layer in backbone.layers if layer.weights]
    assert sum(layer.trainable for layer in weighted) == expected
    assert [layer.trainable for layer in weighted] == sorted(layer.trainable for layer in weighted)


def test_weights_are_loaded_into_the_backbone(tmp_path: Path):
    config = ExperimentConfig(backbone="MobileNet", width=0.25, weights="none", image_size=32)
    donor = backbone_of(build_model(config, classes=4))
    donor.save_weights(tmp_path / "donor.weights.h5")
    check_weights(tmp_path / "donor.weights.h5", "donor.weights.h5")
    named = config.model_copy(update={"weights": "weights/donor.weights.h5"})
    backbone = backbone_of(build_model(named, classes=4, weights=tmp_path / "donor.weights.h5"))
    for ours, theirs in zip(backbone.get_weights(), donor.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("content", ["another width", "no weights at all"])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, content: str):
    path = tmp_path / "other.weights.h5"
    if content == "another width":
        keras.applications.MobileNet(
            include_top=False, alpha=0.5, weights=None, input_shape=(32, 32, 3)
        ).save_weights(path)  # fmt: skip
    else:
        path.write_bytes(b"nonsense")
    config = ExperimentConfig(backbone="MobileNet", width=0.25, weights="weights/other.weights.h5", image_size=32)
    with pytest.raises(WeightsError, match=r"weights/other.weights.h5 does not fit MobileNet\(0.25\)") as refused:
        build_model(config, classes=4, weights=path)
    assert refused.value.exit_code == 78


@pytest.mark.parametrize(
    ("raised", "error", "code"),
    [
        (Exception("URL fetch failure on x: None -- refused"), TransientError, 75),
        (OSError("Unable to open file (truncated file)"), WeightsError, 78),
        (RuntimeError("a bug"), RuntimeError, None),
    ],
)
def test_imagenet_weights_that_cannot_be_had(monkeypatch, raised, error, code):
    def get_file(*args, **kwargs):
        raise raised

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", get_file)
    with pytest.raises(error) as refused:
        build_model(ExperimentConfig(backbone="MobileNet", image_size=128), classes=4)
    assert getattr(refused.value, "exit_code", None) == code


def test_building_leaves_keras_as_it_was():
    build_model(
        ExperimentConfig(backbone="MobileNet", width=0.25, image_size=32, weights="none", precision="mixed_bfloat16"), 3
    )
    assert keras.config.dtype_policy().name == "float32"


def test_the_initial_weights_hang_on_the_seed_and_on_nothing_that_was_drawn_before(small):
    config = small.model_copy(update={"dropout": 0.5, "hidden_layers": 1, "seed": 4})
    first = seeded_model(config, 3, None)
    random.random()  # as botocore does before it asks a server again
    second = seeded_model(config, 3, None)
    for ours, theirs in zip(first.variables, second.variables, strict=True):
        np.testing.assert_array_equal(np.array(ours), np.array(theirs))
    other = seeded_model(config.model_copy(update={"seed": 5}), 3, None)
    assert any(
        not np.array_equal(np.array(ours), np.array(theirs))
        for ours, theirs in zip(first.variables, other.variables, strict=True)
    )


def test_nor_on_what_another_thread_draws_meanwhile(small):
    config = small.model_copy(update={"hidden_layers": 1, "dropout": 0.5, "augmentation": Augmentation(rotation=20)})

    def weights() -> list[np.ndarray]:
        return [np.array(variable) for variable in seeded_model(config, 3, None).variables]

    alone, is_over = weights(), threading.Event()

    def draw() -> None:
        while not is_over.is_set():
            random.random()
            random.randint(1, 9)

    drawing = threading.Thread(target=draw)
    drawing.start()
    try:
        beside = weights()
    finally:
        is_over.set()
        drawing.join()
    for one, other in zip(alone, beside, strict=True):
        np.testing.assert_array_equal(one, other)
