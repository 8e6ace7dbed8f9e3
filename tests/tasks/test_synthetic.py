from functools import partial

import pytest
from prefect import flow

from bloodcell.data import synthetic
from bloodcell.data.dataset import dataset_names, read_info
from bloodcell.data.synthetic import synthesize
from tasks.synthetic import draw_missing


@pytest.fixture
def drawn(monkeypatch) -> list:
    """A small set is drawn for real; its folders are listed."""
    folders = []

    def few(folder):
        folders.append(folder)
        partial(synthesize, train_cells=2, test_cells=1, views=2)(folder)

    monkeypatch.setattr(synthetic, "synthesize", few)
    return folders


def test_the_synthetic_set_is_drawn_where_it_is_missing_and_once(prefect_server, store, drawn):
    @flow
    def draw_what_is_missing() -> None:
        draw_missing(store, "synthetic")

    draw_what_is_missing()
    draw_what_is_missing()
    info = read_info(store, "synthetic")
    assert info.synthetic
    assert info.images == 4 * (2 * 2 + 1 * 2 + 1)  # classes, views of TRAIN and TEST, and TEST_SIMPLE
    assert len(drawn) == 1
    assert not drawn[0].exists()


@pytest.mark.parametrize("dataset", ["blood-cells", "synthetic@0123456789abcdef"])
def test_no_other_set_is_made_up(store, drawn, dataset):
    draw_missing(store, dataset)
    assert drawn == []
    assert dataset_names(store) == []
