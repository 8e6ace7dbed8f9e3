import errno
import os
import resource
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from bloodcell.errors import (
    DataError,
    ObjectNotFoundError,
    StorageError,
    StorageFullError,
    StoragePermissionError,
)
from bloodcell.store import LocalStore, open_store

MEBIBYTE = 2**20


def everything(store: LocalStore) -> list[str]:
    """Every file below the root, temporary ones too."""
    return sorted(path.relative_to(store.root).as_posix() for path in store.root.rglob("*") if path.is_file())


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Files of this process may not grow beyond `size` bytes: a disk that is full for this process alone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_is_written_is_read(store: LocalStore) -> None:
    assert not store.exists("a/b.json")
    store.write("a/b.json", b"one")
    store.write("a/b.json", b"two")
    assert store.exists("a/b.json")
    assert store.read("a/b.json") == b"two"


def test_a_folder_is_no_object(store: LocalStore) -> None:
    store.write("a/b.json", b"")
    assert not store.exists("a")


def test_files_are_copied_in_and_out(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"x" * MEBIBYTE)
    store.upload(tmp_path / "in", "a/model.keras")
    store.download("a/model.keras", tmp_path / "new" / "folder" / "out")
    assert (tmp_path / "new" / "folder" / "out").read_bytes() == b"x" * MEBIBYTE


def test_a_missing_object_is_named(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFoundError, match=r"holds no a/b\.json"):
        store.read("a/b.json")
    with pytest.raises(ObjectNotFoundError, match=r"holds no a/b\.json"):
        store.download("a/b.json", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../up", "a/../../up", "/etc/passwd", "", ".", "a\0b"])
def test_a_name_that_leaves_the_store_is_refused(store: LocalStore, name: str) -> None:
    for use in (store.read, store.exists, lambda name: store.write(name, b"")):
        with pytest.raises(DataError, match="object name is"):
            use(name)
    assert not store.root.exists()


def test_names_are_listed_in_order_below_the_prefix_alone(store: LocalStore) -> None:
    for name in ["a/c/2", "a/b", "a/c/10", "ab/x", "b"]:
        store.write(name, b"")
    assert list(store.list("a/")) == ["a/b", "a/c/10", "a/c/2"]
    assert list(store.list("none/")) == []


def test_a_listing_shows_no_object_that_is_still_being_written(store: LocalStore, monkeypatch) -> None:
    listed = []
    monkeypatch.setattr(os, "fsync", lambda _: listed.extend(store.list("a/")))
    store.write("a/b", b"bytes")
    assert listed == []
    assert list(store.list("a/")) == ["a/b"]


def test_the_bytes_are_on_disk_before_the_name_is(store: LocalStore, monkeypatch) -> None:
    synced = []

    def fsync(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_size, store.exists("a")))

    monkeypatch.setattr(os, "fsync", fsync)
    store.write("a", b"bytes")
    assert synced == [(5, False)]


def test_a_write_that_fails_leaves_the_old_bytes_and_no_rest(store: LocalStore) -> None:
    store.write("a", b"old")
    with file_size_limit(4096), pytest.raises(StorageFullError, match="no space left for a") as caught:
        store.write("a", b"x" * MEBIBYTE)
    assert caught.value.exit_code == 78
    assert store.read("a") == b"old"
    assert everything(store) == ["a"]


def test_a_download_that_fails_leaves_no_target(store: LocalStore, tmp_path: Path) -> None:
    store.write("a", b"x" * MEBIBYTE)
    with file_size_limit(4096), pytest.raises(StorageFullError):
        store.download("a", tmp_path / "out" / "file")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, StorageFullError),
        (errno.EDQUOT, StorageFullError),
        (errno.EACCES, StoragePermissionError),
        (errno.EROFS, StoragePermissionError),
        (errno.EIO, StorageError),
    ],
)
def test_the_systems_errors_become_the_projects(store: LocalStore, monkeypatch, number: int, expected: type) -> None:
    def fsync(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StorageError, match=os.strerror(number)) as caught:
        store.write("a", b"bytes")
    assert type(caught.value) is expected
    assert everything(store) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs /sys, where nobody may make a folder")
def test_a_store_path_without_permission_is_named() -> None:
    store = LocalStore(Path("/sys/kernel/bloodcell"))
    with pytest.raises(StoragePermissionError, match="no permission for a/b in file:///sys/kernel/bloodcell"):
        store.write("a/b", b"")


def test_a_store_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot use a"):
        LocalStore(tmp_path / "file").write("a", b"")


def test_concurrent_writers_leave_one_of_their_objects_whole(store: LocalStore) -> None:
    payloads = [bytes([number]) * MEBIBYTE for number in range(8)]
    store.write("a", payloads[0])

    def write_and_read(payload: bytes) -> bytes:
        store.write("a", payload)
        return store.read("a")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write_and_read, payloads * 4)) <= set(payloads)
    assert store.read("a") in payloads
    assert everything(store) == ["a"]


def test_a_later_change_of_folder_does_not_move_the_store(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("file://store")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.write("a", b"")
    assert (tmp_path / "store" / "a").is_file()
    assert store.url == f"file://{tmp_path}/store"
