from bloodcell.config import Augmentation
from bloodcell.shapes import ModelShape


def test_an_augmented_shape_is_another_and_is_measured_with_all_there_is(small):
    def shape(**fields) -> ModelShape:
        return ModelShape.of(small.model_copy(update={"augmentation": Augmentation(**fields)}))

    augmented = shape(rotation=20)
    assert augmented != ModelShape.of(small)
    assert str(augmented) == "MobileNet(0.25) at 32 px, batch 16, augmented"
    assert augmented == shape(horizontal_flip=True, shift=0.3) == ModelShape.of(augmented.config)
    assert shape() == ModelShape.of(small)  # it asks for nothing
    everything = augmented.config.augmentation
    assert everything is not None
    assert all(everything.model_dump().values())
    assert ModelShape.of(small).config.augmentation is None
