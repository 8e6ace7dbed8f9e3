from collections import Counter

import numpy as np
import pandas as pd
import pytest

from bloodcell.config import ExperimentConfig
from bloodcell.data.splits import SPLITS, assign
from bloodcell.errors import ConfigError, DatasetError

PROTOCOLS = ["source", "folder", "pooled"]
KAGGLE = {
    ("TRAIN", "EOS"): 20,
    ("TRAIN", "MONO"): 10,
    ("TEST", "EOS"): 5,
    ("TEST", "MONO"): 3,
    ("TEST_SIMPLE", "EOS"): 5,
}
PLAIN = {("", "EOS"): 30, ("", "MONO"): 10}


def manifest_of(cells: dict[tuple[str, str], int], views: int = 10) -> pd.DataFrame:
    """So many source cells in each declared split and class, with so many images each."""
    rows = [
        (label, declared, f"{declared}-{label}-{cell}", f"{declared}-{label}-{cell}-{view}")
        for (declared, label), count in cells.items()
        for cell in range(count)
        for view in range(views)
    ]
    return pd.DataFrame(rows, columns=["label", "declared", "source", "sha256"])


def config(split: str, **fields: object) -> ExperimentConfig:
    return ExperimentConfig.model_validate({"split": split, "batch_size": 1, **fields})


def counts(manifest: pd.DataFrame, assigned: pd.Series, column: str = "sha256") -> dict[str, dict[str, int]]:
    """Images, or distinct values of another column, by class and split."""
    return {
        label: {split: rows.loc[assigned == split, column].nunique() for split in SPLITS}
        for label, rows in manifest.groupby("label")
    }


def sources(manifest: pd.DataFrame, assigned: pd.Series, split: str) -> set[str]:
    return set(manifest.loc[assigned == split, "source"])


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("split", PROTOCOLS)
def test_the_split_depends_on_the_seed_and_on_no_order(split: str, known: bool) -> None:
    manifest = manifest_of(KAGGLE)
    first = assign(manifest, config(split), sources_known=known)
    assert first.index.equals(manifest.index)
    assert set(first) <= set(SPLITS)
    order = np.random.default_rng(0).permutation(len(manifest))
    shuffled = manifest.iloc[order]
    pd.testing.assert_series_equal(assign(shuffled, config(split), sources_known=known), first.iloc[order])
    renumbered = shuffled.reset_index(drop=True)
    assert assign(renumbered, config(split), sources_known=known).tolist() == first.iloc[order].tolist()
    assert not assign(manifest, config(split, seed=1), sources_known=known).equals(first)


@pytest.mark.parametrize("cells", [KAGGLE, PLAIN], ids=["kaggle", "plain"])
def test_source_keeps_every_cell_on_one_side(cells: dict[tuple[str, str], int]) -> None:
    manifest = manifest_of(cells)
    for seed in range(20):
        assigned = assign(manifest, config("source", seed=seed), sources_known=True)
        train, validation, test, seen, _ = (sources(manifest, assigned, split) for split in SPLITS)
        assert len(train) + len(validation) + len(test) == len(train | validation | test)
        assert seen <= train


def test_source_tests_on_test_and_holds_out_a_fifth_of_the_cells_of_each_class() -> None:
    manifest = manifest_of(KAGGLE)
    assigned = assign(manifest, config("source"), sources_known=True)
    assert (manifest.loc[assigned == "test", "declared"] == "TEST").all()
    cells = counts(manifest, assigned, "source")
    assert (cells["EOS"]["train"], cells["EOS"]["validation"], cells["EOS"]["test"]) == (16, 4, 5)
    assert (cells["MONO"]["train"], cells["MONO"]["validation"], cells["MONO"]["test"]) == (8, 2, 3)
    assert counts(manifest, assigned) == {
        "EOS": {"train": 144, "validation": 40, "test": 50, "seen": 16, "unused": 50},
        "MONO": {"train": 72, "validation": 20, "test": 30, "seen": 8, "unused": 0},
    }


def test_source_without_a_declared_test_holds_out_cells_for_it() -> None:
    manifest = manifest_of(PLAIN)
    assigned = assign(manifest, config("source"), sources_known=True)
    assert counts(manifest, assigned) == {
        "EOS": {"train": 171, "validation": 50, "test": 60, "seen": 19, "unused": 0},
        "MONO": {"train": 54, "validation": 20, "test": 20, "seen": 6, "unused": 0},
    }


def test_source_with_unknown_sources_treats_each_image_as_its_own() -> None:
    manifest = manifest_of(KAGGLE).assign(source=lambda rows: rows["sha256"])
    assigned = assign(manifest, config("source"), sources_known=False)
    assert counts(manifest, assigned)["MONO"] == {"train": 72, "validation": 20, "test": 30, "seen": 8, "unused": 0}


def test_a_cell_with_one_image_is_not_held_out_as_seen() -> None:
    manifest = manifest_of(KAGGLE, views=1)
    assert "seen" not in set(assign(manifest, config("source", seen_fraction=0.9), sources_known=True))


def test_seen_leaves_each_cell_an_image_that_trains() -> None:
    manifest = manifest_of(KAGGLE, views=3)
    assigned = assign(manifest, config("source", seen_fraction=0.99), sources_known=True)
    assert sources(manifest, assigned, "seen") == sources(manifest, assigned, "train")
    assert counts(manifest, assigned)["MONO"] == {"train": 8, "validation": 6, "test": 9, "seen": 16, "unused": 0}


def test_a_class_of_few_cells_is_validated_on_one_of_them() -> None:
    manifest = manifest_of({**KAGGLE, ("TRAIN", "RARE"): 2, ("TEST", "RARE"): 1})
    assert counts(manifest, assign(manifest, config("source"), sources_known=True), "source")["RARE"]["validation"] == 1


def test_folder_splits_train_by_image_and_tests_on_test() -> None:
    manifest = manifest_of(KAGGLE)
    assigned = assign(manifest, config("folder"), sources_known=True)
    assert counts(manifest, assigned) == {
        "EOS": {"train": 160, "validation": 40, "test": 50, "seen": 0, "unused": 50},
        "MONO": {"train": 80, "validation": 20, "test": 30, "seen": 0, "unused": 0},
    }
    assert (manifest.loc[assigned == "test", "declared"] == "TEST").all()
    assert sources(manifest, assigned, "train") & sources(manifest, assigned, "validation")


@pytest.mark.parametrize("missing", ["TRAIN", "TEST"])
def test_folder_needs_train_and_test(missing: str) -> None:
    manifest = manifest_of(KAGGLE)
    with pytest.raises(DatasetError, match=f"0 in {missing}") as caught:
        assign(manifest[manifest["declared"] != missing], config("folder"), sources_known=True)
    assert "split: pooled" in caught.value.remedy


@pytest.mark.parametrize("cells", [KAGGLE, {("", "EOS"): 25, ("", "MONO"): 13}], ids=["kaggle", "plain"])
def test_pooled_is_64_16_20_by_image(cells: dict[tuple[str, str], int]) -> None:
    manifest = manifest_of(cells)
    figures = counts(manifest, assign(manifest, config("pooled"), sources_known=True))
    unused = 50 if cells is KAGGLE else 0
    assert figures["EOS"] == {"train": 160, "validation": 40, "test": 50, "seen": 0, "unused": unused}
    assert figures["MONO"] == {"train": 83, "validation": 21, "test": 26, "seen": 0, "unused": 0}


@pytest.mark.parametrize("split", PROTOCOLS)
def test_test_simple_is_in_no_protocol(split: str) -> None:
    manifest = manifest_of(KAGGLE)
    assigned = assign(manifest, config(split), sources_known=True)
    assert set(assigned[manifest["declared"] == "TEST_SIMPLE"]) == {"unused"}
    assert "unused" not in set(assigned[manifest["declared"] != "TEST_SIMPLE"])


@pytest.mark.parametrize(
    ("cells", "split", "match"),
    [
        ({("", "EOS"): 9, ("", "MONO"): 2}, "source", "class MONO .* train 0, validation 1, test 1"),
        ({("", "EOS"): 9, ("", "MONO"): 1}, "source", "class MONO .* train 0, validation 0, test 1"),
        ({**KAGGLE, ("TRAIN", "RARE"): 3}, "source", "class RARE .* train 2, validation 1, test 0"),
        (
            {**KAGGLE, ("TRAIN", "RARE"): 1, ("TEST", "RARE"): 1},
            "folder",
            "class RARE .* train 0, validation 1, test 1",
        ),
        ({**KAGGLE, ("TEST", "RARE"): 2}, "pooled", "class RARE .* train 0, validation 1, test 1"),
        ({**KAGGLE, ("TEST_SIMPLE", "RARE"): 9}, "source", "class RARE .* train 0, validation 0, test 0"),
    ],
)
def test_a_class_without_images_in_a_split_is_refused(
    cells: dict[tuple[str, str], int], split: str, match: str
) -> None:
    with pytest.raises(DatasetError, match=match):
        assign(manifest_of(cells, views=1), config(split), sources_known=True)


def test_a_batch_larger_than_the_training_set_is_refused() -> None:
    manifest = manifest_of(KAGGLE)
    assert Counter(assign(manifest, config("folder", batch_size=240), sources_known=True))["train"] == 240
    with pytest.raises(ConfigError, match=r"batch larger than the set: batch_size is 241, .* 240 images"):
        assign(manifest, config("folder", batch_size=241), sources_known=True)


def test_one_more_image_moves_few_others() -> None:
    manifest = manifest_of(PLAIN)
    before = assign(manifest.iloc[:-1], config("pooled"), sources_known=True)
    after = assign(manifest, config("pooled"), sources_known=True)
    assert (before != after.iloc[:-1]).sum() <= 2


def test_a_source_of_two_classes_and_of_both_sides_never_trains_what_it_tests() -> None:
    manifest = manifest_of(KAGGLE)
    renamed = {"TRAIN-EOS-1": "TRAIN-EOS-0", "TRAIN-MONO-1": "TRAIN-EOS-2", "TRAIN-EOS-3": "TEST-EOS-0"}
    manifest["source"] = manifest["source"].replace(renamed)
    for seed in range(20):
        assigned = assign(manifest, config("source", seed=seed), sources_known=True)
        for evaluation in ("validation", "test"):
            assert not sources(manifest, assigned, "train") & sources(manifest, assigned, evaluation)
        assert set(assigned[manifest["declared"] == "TEST"]) == {"test"}
        left_out = manifest["declared"].eq("TRAIN") & manifest["source"].eq("TEST-EOS-0")
        assert left_out.sum() == 10
        assert set(assigned[left_out]) == {"unused"}


def test_the_test_of_undeclared_sources_of_two_classes_shares_none_with_training() -> None:
    manifest = manifest_of(PLAIN)
    manifest["source"] = manifest["source"].replace({"-EOS-1": "-MONO-1", "-EOS-2": "-MONO-2"})
    for seed in range(20):
        assigned = assign(manifest, config("source", seed=seed), sources_known=True)
        groups = [sources(manifest, assigned, split) for split in ("train", "validation", "test")]
        assert sum(map(len, groups)) == len(set.union(*groups))
