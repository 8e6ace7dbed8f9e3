import hashlib

import numpy as np
import pytest

from bloodcell import artifacts
from bloodcell.data.dataset import read_info
from bloodcell.data.ingest import push
from bloodcell.data.manifest import read_manifest
from bloodcell.data.regrouping import Disagreement, Grouping, group
from bloodcell.errors import CorruptObjectError, DatasetError
from tests.data.test_grouping import augmented, bars, smear
from tests.data.test_grouping import jpeg as encoded


@pytest.fixture
def smears() -> dict[str, bytes]:
    """Three images each of six photographs; the third of EOS/0 lies in TEST, and one more of EOS/1 under MONO."""
    rng = np.random.default_rng(0)
    files = {}
    for number in range(6):
        label = ("EOS", "MONO")[number % 2]
        photograph = smear(number)
        for view in range(3):
            declared = "TEST" if number in (4, 5) or (number, view) == (0, 2) else "TRAIN"
            files[f"{declared}/{label}/{number}-{view}.jpeg"] = encoded(augmented(photograph, rng))
    files["TRAIN/MONO/2-3.jpeg"] = encoded(augmented(smear(2), rng, mirror=True))
    return files


def test_a_version_that_names_the_sources_is_published_beside_the_old_one(store, folder_of, smears):
    before = push(store, folder_of(smears), name="smears")
    info, found = group(store, "smears", bars)
    assert info.version != before.version
    assert read_info(store, "smears") == info
    assert (info.sources, info.sources_known, info.sources_from) == (6, True, "image matching")
    manifest = read_manifest(store, info)
    photograph = manifest["path"].str.extract(r"/(\d)-", expand=False)
    assert manifest.groupby("source")["path"].count().sort_values().tolist() == [3, 3, 3, 3, 3, 4]
    assert (manifest.groupby(photograph)["source"].nunique() == 1).all()
    assert (manifest.groupby("source")["sha256"].min() == sorted(set(manifest["source"]))).all()
    for shard, digest in info.shards.items():
        data = store.read(artifacts.dataset("smears", info.version, shard))
        assert hashlib.sha256(data).hexdigest() == digest
    assert read_manifest(store, before)["source"].nunique() == 19  # left as it was

    assert (found.groups, found.alone, found.sizes) == (6, 0, (3, 3, 4))
    assert found.labels == {"TEST": {"EOS": 2, "MONO": 1}, "TRAIN": {"EOS": 2, "MONO": 3}}
    assert found.cells == {"TEST": 3, "TRAIN": 4}  # one of TRAIN has images of two labels
    assert found.mixed == (manifest.loc[manifest["path"] == "TRAIN/MONO/2-3.jpeg", "source"].item(),)
    assert found.spanning == (manifest.loc[manifest["path"] == "TEST/EOS/0-2.jpeg", "source"].item(),)
    assert {pair.labels for pair in found.disagreements} <= {("EOS", "MONO"), ("MONO", "EOS")}
    assert all("TRAIN/MONO/2-3.jpeg" in (pair.first, pair.second) for pair in found.disagreements)
    assert found.disagreements
    stored = artifacts.read_model(store, artifacts.dataset("smears", info.version, "groups.json"), Grouping)
    assert stored == found


def test_the_same_groups_are_the_same_version(store, folder_of, smears):
    push(store, folder_of(smears), name="smears")
    first, found = group(store, "smears", bars)
    assert group(store, "smears", bars) == (first, found)


def test_sources_that_were_given_are_not_replaced(store, folder_of, smears):
    table = "path,source\n" + "".join(f"{path},{path}\n" for path in smears)
    push(store, folder_of(smears | {"sources.csv": table.encode()}), name="smears")
    with pytest.raises(DatasetError, match=r"from sources\.csv"):
        group(store, "smears", bars)


def test_a_damaged_shard_is_refused(store, folder_of, smears):
    info = push(store, folder_of(smears), name="smears")
    store.write(artifacts.dataset("smears", info.version, "shards/00000.tfrecord"), b"damaged")
    with pytest.raises(CorruptObjectError, match="SHA-256"):
        group(store, "smears", bars)


def test_the_summary_says_which_labels_disagree():
    pairs = [("a", "b"), ("a", "c")]
    found = Grouping(
        groups=2, alone=3, sizes=(2, 2.5, 3), links=4, cells={"": 5}, labels={"": {"EOS": 3, "MONO": 3}},
        mixed=("x",), spanning=(),
        disagreements=tuple(Disagreement(first=a, second=b, labels=("EOS", "MONO")) for a, b in pairs),
    )  # fmt: skip
    text = "\n".join(found.lines())
    assert "2 groups of 2 to 3 images, 2.5 in the median" in text
    assert "3 images that match no other" in text
    assert "all: 5 cells (EOS 3, MONO 3)" in text
    assert "EOS and MONO: 2 pairs, as a and b" in text
