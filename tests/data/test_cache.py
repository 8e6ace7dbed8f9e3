import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from bloodcell.data import cache as cache_module
from bloodcell.data.cache import decoded_images, make_room
from bloodcell.data.dataset import DatasetInfo
from bloodcell.data.manifest import read_manifest
from bloodcell.errors import CorruptObjectError
from bloodcell.store import LocalStore

ARRAY_BYTES = 96 * 20 * 20 * 3 + 128
"""One of the coloured set at 20 px, with its header."""

CHILD = """
import sys, time
from pathlib import Path
from bloodcell.data import cache
from bloodcell.data.dataset import read_info
from bloodcell.data.manifest import read_manifest
from bloodcell.store import LocalStore

def stuck(*arguments):
    print("stuck", flush=True)
    time.sleep(600)
    yield

root, folder, mode = sys.argv[1:]
if mode == "stuck":
    cache.decoded_batches = stuck
store = LocalStore(Path(root))
info = read_info(store, "coloured")
images = cache.decoded_images(
    store, info, read_manifest(store, info), 20,
    cache=Path(folder), limit=10**9, say=lambda sentence: print(sentence.split()[0], flush=True),
)
print("mapped", flush=True)
sys.stdin.read()
"""

Start = Callable[[str], "subprocess.Popen[str]"]


def decode(store: LocalStore, info: DatasetInfo, folder: Path, said: list[str] | None = None, **options) -> np.ndarray:
    """The images of an experiment whose first words are kept."""
    say = (lambda sentence: None) if said is None else lambda sentence: said.append(sentence.split()[0])
    options = {"side": 20, "cache": folder, "limit": 10**9, "say": say} | options
    return decoded_images(store, info, read_manifest(store, info), options.pop("side"), **options)


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def start(store, coloured, folder) -> Iterator[Start]:
    """Starts experiments that map the images, say the first word of what they do, and live until they are killed."""
    children = []

    def child(mode: str) -> "subprocess.Popen[str]":
        children.append(
            subprocess.Popen(
                [sys.executable, "-c", CHILD, str(store.root), str(folder), mode],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            )
        )
        return children[-1]

    yield child
    for process in children:
        process.kill()
        process.communicate()


def arrays(folder: Path) -> list[Path]:
    return sorted((folder / "images").glob("*.npy"))


def said(process: "subprocess.Popen[str]") -> str:
    return process.stdout.readline().strip()


def test_images_are_decoded_once_for_a_machine_and_cannot_be_written_to(store, coloured, folder):
    words: list[str] = []
    first = decode(store, coloured, folder, words)
    second = decode(store, coloured, folder, words)
    assert words == ["decoding"]
    assert not first.flags.writeable
    np.testing.assert_array_equal(first, second)
    assert arrays(folder)[0].stat().st_size == ARRAY_BYTES
    np.testing.assert_array_equal(np.load(arrays(folder)[0]), first)


@pytest.mark.parametrize("damage", ["truncated", "empty", "other shape", "no array"])
def test_a_damaged_array_is_decoded_anew(store, coloured, folder, damage):
    whole = decode(store, coloured, folder).copy()
    (path,) = arrays(folder)
    match damage:
        case "truncated":
            path.write_bytes(path.read_bytes()[:-1000])
        case "empty":
            path.write_bytes(b"")
        case "other shape":
            np.save(path, whole[:-1])
        case "no array":
            path.write_bytes(b"nonsense")
    words: list[str] = []
    np.testing.assert_array_equal(decode(store, coloured, folder, words), whole)
    assert words == ["decoding"]


def test_a_failed_decoding_leaves_nothing(store, coloured, folder):
    shard = next(store.root.rglob("*.tfrecord"))
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(CorruptObjectError):
        decode(store, coloured, folder)
    assert arrays(folder) == []
    assert list((folder / "scratch").iterdir()) == []


def test_another_decoder_does_not_use_the_array_of_this_one(store, coloured, folder, monkeypatch):
    words: list[str] = []
    decode(store, coloured, folder, words)
    monkeypatch.setattr(cache_module, "decoder", lambda: "other")
    decode(store, coloured, folder, words)
    assert words == ["decoding", "decoding"]


def test_of_two_at_once_one_decodes_and_another_size_does_not_wait(store, coloured, folder, monkeypatch):
    begun, go_on = Event(), Event()
    real = cache_module.decoded_batches

    def slow(store, info, manifest, side, shards):
        if side == 20:
            begun.set()
            assert go_on.wait(60)
        return real(store, info, manifest, side, shards)

    monkeypatch.setattr(cache_module, "decoded_batches", slow)
    first_words: list[str] = []
    second_words: list[str] = []

    def waits(sentence: str) -> None:
        second_words.append(sentence)
        go_on.set()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(decode, store, coloured, folder, first_words)
        assert begun.wait(60)
        assert decode(store, coloured, folder, side=10).shape == (96, 10, 10, 3)
        second = pool.submit(decode, store, coloured, folder, say=waits)
        np.testing.assert_array_equal(first.result(), second.result())
    assert first_words == ["decoding"]
    assert second_words == ["waiting for another experiment, which decodes 96 images to 20 x 20 px"]


def test_two_processes_wait_for_a_third_and_one_of_them_goes_on_when_it_is_killed(start, folder):
    stuck = start("stuck")
    assert [said(stuck), said(stuck)] == ["decoding", "stuck"]
    others = [start("whole"), start("whole")]
    assert [said(other) for other in others] == ["waiting", "waiting"]
    stuck.kill()
    words = sorted(said(other) for other in others)
    assert words == ["decoding", "mapped"]  # the other had decoded before it got its turn
    assert len(arrays(folder)) == 1
    assert list((folder / "scratch").iterdir()) == []


def test_what_a_living_process_has_mapped_stays_and_what_a_dead_one_had_goes(start, folder):
    process = start("whole")
    assert [said(process), said(process)] == ["decoding", "mapped"]
    assert make_room(folder, 0, limit=0) == ARRAY_BYTES
    assert len(arrays(folder)) == 1
    process.kill()
    process.wait()
    assert make_room(folder, 0, limit=0) == 0
    assert arrays(folder) == []


def test_the_longest_unused_goes_before_the_sum_exceeds_the_limit(store, coloured, folder):
    decode(store, coloured, folder, side=20)
    decode(store, coloured, folder, side=19)
    for place, path in enumerate(arrays(folder)):
        os.utime(path, (10**9 + place, 10**9 + place))
    decode(store, coloured, folder, side=19)  # older by its name, and used now
    decode(store, coloured, folder, side=18, limit=2 * ARRAY_BYTES)
    sides = sorted(np.load(path, mmap_mode="r").shape[1] for path in arrays(folder))
    assert sides == [18, 19]


def test_arrays_in_the_making_count(store, coloured, folder, monkeypatch):
    held: list[int] = []

    def look(*arguments):
        held.append(make_room(folder, 1000, limit=10**9))
        return iter(())

    monkeypatch.setattr(cache_module, "decoded_batches", look)
    decode(store, coloured, folder)
    assert held == [ARRAY_BYTES + 1000]


def test_more_than_the_limit_is_decoded_and_said(store, coloured, folder):
    kept = decode(store, coloured, folder, side=19)
    words: list[str] = []
    decode(store, coloured, folder, say=words.append, limit=ARRAY_BYTES)
    assert words[-1].startswith("the decoded images in use take 0.0 GB of the cache, more than its limit of 0.0 GB;")
    assert len(arrays(folder)) == 2
    del kept
    decode(store, coloured, folder, say=words.append, side=21, limit=1000)
    assert len(words) == 4
    assert len(arrays(folder)) == 1


def test_room_is_made_where_the_disk_has_less_than_the_limit(store, coloured, folder, monkeypatch):
    decode(store, coloured, folder)
    monkeypatch.setattr(cache_module.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 100}))
    make_room(folder, 100, limit=10**9)
    assert len(arrays(folder)) == 1
    make_room(folder, 101, limit=10**9)
    assert arrays(folder) == []
