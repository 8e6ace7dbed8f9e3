"""The layers that replace Keras's: while a model is saved they are Keras's own."""

import keras
import pytest

from bloodcell import faster
from bloodcell.config import ExperimentConfig
from bloodcell.model import build_model, save_model


def build(backbone: str) -> keras.Model:
    return build_model(ExperimentConfig(backbone=backbone, weights="none", image_size=80), classes=4)


def classes(model: keras.Model) -> dict[str, type]:
    return {layer.name: type(layer) for layer in faster.layers(model)}


@pytest.mark.parametrize("backbone", ["MobileNet", "InceptionV3", "ResNet50", "Xception", "VGG16"])
def test_layers_are_for_a_while_keras_own(backbone):
    model = build(backbone)
    before = classes(model)
    assert any(issubclass(found, faster.Faster) for found in before.values()) == (backbone != "VGG16")
    with faster.stock(model):
        assert [found for found in classes(model).values() if issubclass(found, faster.Faster)] == []
        assert all(found.__name__ == before[name].__name__ for name, found in classes(model).items())
    assert classes(model) == before


def test_a_model_that_could_not_be_saved_is_as_it_was(tmp_path):
    model = build("MobileNet")
    before = classes(model)
    with pytest.raises(OSError, match="No such file"):
        save_model(model, tmp_path / "none" / "model.keras")
    assert classes(model) == before


def test_a_saved_model_is_of_keras_layers_and_the_model_as_it_was(tmp_path):
    model = build("MobileNet")
    before = classes(model)
    save_model(model, tmp_path / "model.keras")
    assert classes(model) == before
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert {found.__module__.partition(".")[0] for found in classes(loaded).values()} == {"keras"}
    assert {name: found.__name__ for name, found in classes(loaded).items()} == {
        name: found.__name__ for name, found in before.items()
    }
