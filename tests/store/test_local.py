import errno
import os
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bloodcell.errors import StorageError, StorageFullError, StoragePermissionError
from bloodcell.store import LocalStore, open_store
from tests.store.contract import MEBIBYTE, file_size_limit


def everything(store: LocalStore) -> list[str]:
    """Every file below the root, temporary ones too."""
    return sorted(path.relative_to(store.root).as_posix() for path in store.root.rglob("*") if path.is_file())


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


def test_concurrent_writers_leave_no_rest(store: LocalStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.write("a", b"%d" % number), range(32)))
        list(pool.map(lambda number: store.create("b", b"%d" % number), range(32)))
    assert everything(store) == ["a", "b"]


def test_a_file_system_without_hard_links(store: LocalStore, monkeypatch) -> None:
    def link(*_) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", link)
    assert store.create("a", b"first")
    assert not store.create("a", b"second")
    assert store.read("a") == b"first"
    assert everything(store) == ["a"]


def test_an_object_whose_bytes_cannot_be_written_is_not_created(store: LocalStore) -> None:
    with file_size_limit(4096), pytest.raises(StorageFullError):
        store.create("a", b"x" * MEBIBYTE)
    assert everything(store) == []
    assert store.create("a", b"")


def test_what_is_no_file_is_not_taken_for_the_object(store: LocalStore) -> None:
    store.write("a/b", b"")
    for name in ("a", "a/b/c"):
        with pytest.raises(StorageError, match=f"cannot use {name}"):
            store.create(name, b"")


def test_a_link_opens_the_file(store: LocalStore) -> None:
    store.write("plots/a b#1.png", b"bytes")
    with urllib.request.urlopen(store.link("plots/a b#1.png")) as file:
        assert file.read() == b"bytes"


def test_a_later_change_of_folder_does_not_move_the_store(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("file://store")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.write("a", b"")
    assert (tmp_path / "store" / "a").is_file()
    assert store.url == f"file://{tmp_path}/store"
