from collections import Counter

import pandas as pd
import pytest

from bloodcell.artifacts import Leakage
from bloodcell.config import ExperimentConfig
from bloodcell.data import auditing
from bloodcell.data.auditing import audit, audit_splits
from bloodcell.data.dataset import read_info
from bloodcell.data.ingest import push
from bloodcell.data.leakage import described, objection, warning
from bloodcell.data.manifest import read_manifest
from bloodcell.data.splits import assign
from bloodcell.data.synthetic import synthesize
from bloodcell.errors import DatasetError

PROTOCOLS = ["source", "folder", "pooled"]


def config(split: str, **fields: object) -> ExperimentConfig:
    return ExperimentConfig.model_validate({"split": split, "batch_size": 1, **fields})


def manifest_of(*cells: tuple[str, str, str, int]) -> pd.DataFrame:
    """Images of cells, each with its name, class, declared split and number of images."""
    rows = [
        (label, declared, source, f"{source}-{declared}-{number}")
        for source, label, declared, images in cells
        for number in range(images)
    ]
    return pd.DataFrame(rows, columns=["label", "declared", "source", "sha256"])


@pytest.fixture
def overlapping() -> pd.DataFrame:
    """Of EOS all of TRAIN shows the cell e, and TEST some of it; each image of MONO shows a cell of its own."""
    return manifest_of(
        ("e", "EOS", "TRAIN", 20),
        ("e", "EOS", "TEST", 3),
        ("new", "EOS", "TEST", 5),
        *((f"m{number}", "MONO", "TRAIN", 1) for number in range(20)),
        ("other", "MONO", "TEST", 2),
        ("e", "EOS", "TEST_SIMPLE", 4),
    )


@pytest.fixture(scope="module")
def several() -> pd.DataFrame:
    """Eight cells a class in TRAIN and three in TEST, with ten images each."""
    return manifest_of(
        *(
            (f"{label}-{declared}-{number}", label, declared, 10)
            for label in ("EOS", "MONO")
            for declared, cells in {"TRAIN": 8, "TEST": 3}.items()
            for number in range(cells)
        )
    )


def counted_by_hand(manifest: pd.DataFrame, settings: ExperimentConfig) -> dict[str, tuple[int, int]]:
    """Images of test and validation, and those with another image of their source that trains, each looked for."""
    assigned = assign(manifest, settings, sources_known=True)
    images: Counter[str] = Counter(assigned)
    leaked: Counter[str] = Counter()
    pairs = list(zip(manifest["source"], assigned, strict=True))
    for source, split in pairs:
        leaked[split] += any(other == source and place == "train" for other, place in pairs)
    return {split: (images[split], leaked[split]) for split in ("test", "validation")}


def test_images_of_a_cell_that_trains_are_counted_in_test_and_validation_apart(overlapping) -> None:
    found = audit(overlapping, config("folder"), sources_known=True)
    assert found.test == Leakage(images=10, leaked=3)
    assert found.validation == Leakage(images=8, leaked=4)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_counts_are_those_of_a_search_image_by_image(several, protocol: str, seed: int) -> None:
    settings = config(protocol, seed=seed)
    found = audit(several, settings, sources_known=True)
    assert {
        split: (getattr(found, split).images, getattr(found, split).leaked) for split in ("test", "validation")
    } == counted_by_hand(several, settings)
    assert bool(found.test.leaked) == (protocol == "pooled")
    assert bool(found.validation.leaked) == (protocol != "source")


def test_the_cells_of_seen_are_no_leak(several) -> None:
    assert "seen" in set(assign(several, config("source"), sources_known=True))
    found = audit(several, config("source"), sources_known=True)
    assert (found.test.leaked, found.validation.leaked) == (0, 0)
    assert objection([found], "d") is None


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_synthetic_set_leaks_as_counted_by_hand(store, tmp_path, protocol: str) -> None:
    synthesize(tmp_path / "drawn", train_cells=3, test_cells=1, views=3)
    info = push(store, tmp_path / "drawn", name="drawn")
    assert info.sources_known
    manifest = read_manifest(store, read_info(store, "drawn"))
    found = audit(manifest, config(protocol), sources_known=True)
    by_hand = counted_by_hand(manifest, config(protocol))
    assert (found.test.images, found.test.leaked) == by_hand["test"]
    assert (found.validation.images, found.validation.leaked) == by_hand["validation"]
    assert bool(found.test.leaked) == (protocol == "pooled")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_of_unknown_cells_the_count_is_unknown_and_not_none(several, protocol: str) -> None:
    unnamed = several.assign(source=several["sha256"])
    found = audit(unnamed, config(protocol), sources_known=False)
    assert found.test.images > 0
    assert (found.test.leaked, found.validation.leaked) == (None, None)
    assert described([found], "test", "validation") == ""
    assert warning([found]).startswith("Leakage: unknown how many test images have a sibling")
    refused = objection([found], "mine")
    assert refused is not None
    assert "the source cells of mine are not known" in refused.problem
    assert "`bloodcell data group mine`" in refused.remedy


def test_each_distinct_split_is_audited_once_and_one_that_does_not_fit_has_no_audit(several, monkeypatch) -> None:
    seeds = []

    def counting(manifest, settings, **known):
        seeds.append((settings.split, settings.seed))
        return assign(manifest, settings, **known)

    monkeypatch.setattr(auditing, "assign", counting)
    rows = [
        config("pooled"),
        config("pooled", dense_units=16, batch_size=8000),
        config("pooled", seed=1),
        config("pooled", test_fraction=0.999),
        config("source", epochs=3),
    ]
    found = audit_splits(several, rows, sources_known=True)
    assert [(audit.settings.split, audit.settings.seed) for audit in found] == [
        ("pooled", 0), ("pooled", 1), ("source", 0)
    ]  # fmt: skip
    assert seeds == [("pooled", 0), ("pooled", 1), ("pooled", 0), ("source", 0)]
    with pytest.raises(DatasetError, match="without images"):
        audit(several, rows[3], sources_known=True)


def test_a_hundred_seeds_are_one_audit_where_the_seed_does_not_decide_what_leaks(several, monkeypatch) -> None:
    seeds = []

    def counting(manifest, settings, **known):
        seeds.append(settings.seed)
        return assign(manifest, settings, **known)

    monkeypatch.setattr(auditing, "assign", counting)
    nights = [config("source", seed=seed, dense_units=units) for seed in range(100) for units in (8, 16)]
    (found,) = audit_splits(several, nights, sources_known=True)
    assert (seeds, found.settings.seed) == ([0], 0)
    assert found == audit(several, nights[0], sources_known=True)
    (unknown,) = audit_splits(several.assign(source=several["sha256"]), nights, sources_known=False)
    assert unknown.test.leaked is None
    assert len(audit_splits(several, [config("pooled", seed=seed) for seed in range(3)], sources_known=True)) == 3


def test_a_seed_whose_split_the_dataset_does_not_allow_leaves_the_audit_to_the_next(several, monkeypatch) -> None:
    def refuses_seed_0(rows, settings, **known):
        if settings.seed == 0:
            raise DatasetError("without images in a split", remedy="another split")
        return assign(rows, settings, **known)

    monkeypatch.setattr(auditing, "assign", refuses_seed_0)
    (found,) = audit_splits(several, [config("source", seed=seed) for seed in range(3)], sources_known=True)
    assert found.settings.seed == 1


def test_what_leaks_is_said_by_protocol_with_the_least_and_the_most(several) -> None:
    clean = audit(several, config("source"), sources_known=True)
    assert described([clean], "test", "validation") == ""

    def leaking(split: str, seed: int, test: int, validation: int):
        return clean.model_copy(
            update={
                "settings": clean.settings.model_copy(update={"split": split, "seed": seed}),
                "test": Leakage(images=2490, leaked=test),
                "validation": Leakage(images=1990, leaked=validation),
            }
        )

    sibling = "a sibling (another image of the same source cell) in training"
    one = leaking("folder", 0, 1, 0)
    assert described([one], "test", "validation") == f"1 of 2,490 test images with split folder has {sibling}"
    seeds = [leaking("pooled", 1, 2490, 1990), leaking("pooled", 0, 2488, 1990), leaking("pooled", 2, 2489, 1990)]
    assert described([clean, one, *seeds], "test", "validation") == (
        "1 of 2,490 test images with split folder, and 2,488 of 2,490 to 2,490 of 2,490 test images and "
        f"1,990 of 1,990 validation images with split pooled have {sibling}"
    )
    assert warning([clean, one]) == f"Leakage: 1 of 2,490 test images with split folder has {sibling}."
    only_validation = leaking("folder", 0, 0, 1990)
    assert warning([only_validation]) == ""
    refused = objection([clean, only_validation], "d")
    assert refused is not None
    assert "1,990 of 1,990 validation images with split folder have" in refused.problem
    assert refused.remedy == "set split: source"
