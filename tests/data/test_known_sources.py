import hashlib
import io

import pandas as pd
import pytest

from bloodcell.data import known_sources as module
from bloodcell.data.ingest import push
from bloodcell.data.known_sources import DIGITS, encode, known_sources


@pytest.fixture
def manifest(monkeypatch) -> pd.DataFrame:
    """Two cells of two images and one of one, as the only set that is known."""
    hashes = sorted(hashlib.sha256(bytes([number])).hexdigest() for number in range(5))
    table = pd.DataFrame({"path": list("abcde"), "sha256": hashes, "source": [hashes[i] for i in (0, 1, 0, 1, 4)]})
    known = pd.read_csv(io.BytesIO(encode(table)), compression="xz", index_col="sha256")["group"]
    monkeypatch.setattr(module, "_sets", lambda: iter([known]))
    return table


def test_images_that_are_all_known_get_the_sources_they_were_given(manifest):
    assert known_sources(manifest) == dict(zip(manifest["path"], manifest["source"], strict=True))
    part = manifest.iloc[2:]
    assert known_sources(part) == {"c": part["sha256"].iloc[0], "d": part["sha256"].iloc[1], "e": manifest["sha256"][4]}


def test_one_strange_image_makes_the_set_a_strange_one(manifest):
    manifest.loc[3, "sha256"] = "f" * 64
    assert known_sources(manifest) is None
    assert known_sources(manifest.iloc[:0]) is None


def test_the_kaggle_set_ships_with_the_package():
    (known,) = module._sets()
    assert len(known) == known.index.nunique() == 12_513
    assert known.nunique() == 322
    assert known.value_counts().min() == 13
    assert known.index.str.fullmatch(rf"[0-9a-f]{{{DIGITS}}}").all()


def test_a_push_knows_them_at_once(store, folder_of, kaggle, monkeypatch):
    hashes = [hashlib.sha256(data).hexdigest()[:DIGITS] for data in kaggle.values()]
    known = pd.Series([number // 2 for number in range(len(hashes))], index=hashes)
    monkeypatch.setattr(module, "_sets", lambda: iter([known]))
    info = push(store, folder_of(kaggle), name="cells")
    assert (info.sources, info.sources_known, info.sources_from) == (7, True, "known set")
