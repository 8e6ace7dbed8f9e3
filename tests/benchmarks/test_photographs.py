import pandas as pd
import pytest

from benchmarks.photographs import Published, choose, photographs, weights_file, write_split
from bloodcell.config import ExperimentConfig
from bloodcell.data.splits import assign
from bloodcell.errors import WeightsError


@pytest.fixture
def images():
    """TRAIN of 60 images of cell a, 30 of b and 10 of c; TEST of 20 of d; all of one class."""
    sources = ["a"] * 60 + ["b"] * 30 + ["c"] * 10 + ["d"] * 20
    declared = ["TRAIN"] * 100 + ["TEST"] * 20
    hashes = [f"{number * 7919 % 120:04}" for number in range(120)]
    return pd.DataFrame({"source": sources, "declared": declared, "label": "X", "sha256": hashes})


def test_a_choice_keeps_the_proportions_of_splits_and_cells(images):
    chosen = choose(images, 24)
    assert dict(chosen["source"].value_counts()) == {"a": 12, "b": 6, "c": 2, "d": 4}


def test_a_choice_does_not_depend_on_the_order_of_the_images(images):
    chosen = choose(images, 24)
    again = choose(images.sample(frac=1, random_state=1), 24)
    assert sorted(chosen["sha256"]) == sorted(again["sha256"])


def test_all_are_chosen_where_there_are_fewer(images):
    assert len(choose(images, 1000)) == len(images)


def test_drawn_images_stand_in_for_an_archive(tmp_path):
    with photographs(None, 60) as (folder, text):
        published = Published.of(folder, tmp_path / "store")
    assert text == f"{published.info.images} synthetic images"
    assert published.info.synthetic
    assert published.info.sources_known
    assert published.info.images == pytest.approx(60, abs=12)


def test_images_of_an_archive_are_chosen_with_their_layout(coloured_folder, tmp_path):
    with photographs(coloured_folder, 48) as (folder, text):
        published = Published.of(folder, tmp_path / "store")
    assert text == "48 images of coloured0" or text.startswith("48 images of coloured")
    assert {split: sum(counts.values()) for split, counts in published.info.declared.items()} == {
        "TRAIN": 36,
        "TEST": 12,
    }


def test_a_split_is_laid_out_as_keras_reads_it(coloured_folder, tmp_path):
    published = Published.of(coloured_folder, tmp_path / "store")
    split = assign(published.manifest, ExperimentConfig(), sources_known=False)
    write_split(published, split, coloured_folder, tmp_path / "split")
    for name in ("train", "validation", "test"):
        laid_out = {path.stem: path.parent.name for path in (tmp_path / "split" / name).rglob("*.jpeg")}
        rows = published.manifest[split == name]
        assert laid_out == dict(zip(rows["sha256"], rows["label"], strict=True))


@pytest.mark.parametrize(("width", "name"), [(0.25, "2_5"), (0.5, "5_0"), (0.75, "7_5"), (1.0, "1_0")])
def test_weights_are_found_by_width(tmp_path, width, name):
    for text in ("2_5", "5_0", "7_5", "1_0"):
        (tmp_path / f"mobilenet_{text}_128_tf_no_top.weights.h5").touch()
    assert weights_file(tmp_path, width) == tmp_path / f"mobilenet_{name}_128_tf_no_top.weights.h5"


def test_missing_weights_are_named(tmp_path):
    assert weights_file(None, 0.25) is None
    with pytest.raises(WeightsError, match="0 files mobilenet_2_5"):
        weights_file(tmp_path, 0.25)
