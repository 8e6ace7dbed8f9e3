import pytest

from bloodcell import artifacts
from bloodcell.data.dataset import DatasetInfo, read_info
from bloodcell.errors import ObjectNotFoundError
from bloodcell.store import LocalStore


@pytest.mark.parametrize("asked", ["cells", "cells@0123456789abcdef"])
def test_one_that_is_not_there_is_to_be_added_by_its_name(store: LocalStore, coloured: DatasetInfo, asked: str) -> None:
    with pytest.raises(ObjectNotFoundError, match="holds coloured") as caught:
        read_info(store, asked)
    assert "data push --name cells " in caught.value.remedy


def test_the_drawn_set_is_to_be_made(store: LocalStore) -> None:
    with pytest.raises(ObjectNotFoundError) as caught:
        read_info(store, "synthetic")
    assert caught.value.remedy == "make it with `bloodcell data synthesize`"


def test_of_a_version_that_is_not_there_the_latest_is_offered(store: LocalStore, coloured: DatasetInfo) -> None:
    with pytest.raises(ObjectNotFoundError) as caught:
        read_info(store, "coloured@0123456789abcdef")
    assert caught.value.remedy == "leave @0123456789abcdef out for the latest version"


def test_one_whose_latest_version_is_gone_is_to_be_added(store: LocalStore, coloured: DatasetInfo) -> None:
    store.delete(artifacts.dataset("coloured", coloured.version, "dataset.json"))
    with pytest.raises(ObjectNotFoundError) as caught:
        read_info(store, "coloured")
    assert "data push --name coloured " in caught.value.remedy
