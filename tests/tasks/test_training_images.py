import pytest

from bloodcell.data import splits
from bloodcell.data.dataset import read_info
from bloodcell.data.manifest import read_manifest
from tasks.training_images import training_images


@pytest.mark.parametrize("split", ["source", "folder", "pooled"])
@pytest.mark.parametrize("name", ["coloured", "celled"])
def test_as_many_images_are_expected_to_train_as_do(store, coloured, celled, small, name, split):
    info = read_info(store, name)
    config = small.model_copy(update={"split": split, "validation_fraction": 0.3})
    assigned = splits.assign(read_manifest(store, info), config, sources_known=info.sources_known)
    assert training_images(config, info) == pytest.approx((assigned == "train").sum(), abs=4)


def test_images_that_no_split_uses_are_not_counted(store, coloured, small):
    info = read_info(store, "coloured")
    more = info.model_copy(
        update={"declared": info.declared | {"TEST_SIMPLE": {"MONOCYTE": 50}}, "images": info.images + 50}
    )
    for split in ("source", "folder", "pooled"):
        config = small.model_copy(update={"split": split})
        assert training_images(config, more) == training_images(config, info)
