import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from bloodcell import artifacts
from bloodcell.doctor import places
from bloodcell.settings import Settings

GIB = 2**30


def test_a_cache_is_made_and_left_empty(tmp_path):
    check = places.cache(tmp_path / "a" / "cache")
    assert check.status in ("ok", "warn")
    assert list((tmp_path / "a" / "cache").iterdir()) == []


def test_a_cache_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    check = places.cache(tmp_path / "file" / "cache")
    assert (check.status, check.exit_code) == ("FAIL", 78)
    assert "BLOODCELL_CACHE" in check.remedy


def test_a_cache_with_little_room(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(9 * GIB, 8 * GIB, GIB))
    check = places.cache(tmp_path)
    assert check.status == "warn"
    assert "1.0 GiB free" in check.found


@pytest.mark.parametrize(
    ("file", "content", "limit"),
    [
        ("memory.max", "max", None),
        ("memory.max", str(12 * GIB), 12 * GIB),
        ("memory/memory.limit_in_bytes", str(3 * GIB), 3 * GIB),
        ("other", "", None),
    ],
)
def test_the_limit_of_either_version_of_control_groups(tmp_path, file, content, limit):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(f"{content}\n")
    assert places.memory_limit(tmp_path) == limit


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({}, None),
        ({"memory.max": "max", "memory.current": GIB, "memory.stat": ""}, None),
        ({"memory.max": 8 * GIB}, 8 * GIB),
        ({"memory.max": 8 * GIB, "memory.current": 3 * GIB, "memory.stat": "anon 5\nfile 7"}, 5 * GIB),
        ({"memory.max": 8 * GIB, "memory.current": 3 * GIB, "memory.stat": f"inactive_file {GIB}\nx 1"}, 6 * GIB),
        ({"memory.max": GIB, "memory.current": 3 * GIB, "memory.stat": "inactive_file 0"}, 0),
        (
            {
                "memory/memory.limit_in_bytes": 8 * GIB,
                "memory/memory.usage_in_bytes": 3 * GIB,
                "memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB}",
            },
            6 * GIB,
        ),
    ],
)
def test_what_a_container_has_left_of_its_limit(tmp_path, files, left):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{content}\n")
    assert places.memory_left(tmp_path) == left


def test_a_limit_counts_where_it_is_less_than_the_machine_has():
    assert places.memory(8 * GIB, 2 * GIB, Path("/none")).found == "8.0 GiB, of which 2.0 may be used here"
    assert places.memory(8 * GIB, 2**63 - 4096, Path("/none")).found == "8.0 GiB"


def test_the_store_is_written_only_where_that_is_asked_for(store, coloured):
    assert places.store(store, write=False).found == f"{store.url}, 1 dataset"
    before = set(store.root.iterdir())
    assert places.store(store, write=True).found.endswith("can be written")
    assert [path.name for path in set(store.root.iterdir()) - before] == [artifacts.DOCTOR]
    assert places.store(store, write=True).status == "ok"


def test_a_store_that_does_not_answer_may_answer_later(tmp_path, monkeypatch):
    for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "y", "ENDPOINT_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    *_, check = places.checks(Settings(store="s3://bucket", cache=tmp_path), write=False)
    assert (check.about, check.status, check.exit_code) == ("store", "FAIL", 75)
    assert "127.0.0.1:9" in check.found
