"""The files of a report while it is made."""

import shutil

import pytest

from bloodcell.errors import ObjectNotFoundError, StorageError
from bloodcell.report.folder import Folder


def test_files_are_kept_by_name_in_order(tmp_path):
    folder = Folder(tmp_path / "report")
    folder["plots/b.png"] = b"b"
    folder.put("a.html", iter([b"one ", b"two"]))
    folder["plots/b.png"] = b"again"
    assert list(folder.items()) == [("plots/b.png", b"again"), ("a.html", b"one two")]
    assert folder.path("a.html").read_bytes() == b"one two"
    assert "a.html" in folder
    assert len(folder) == 2
    with pytest.raises(KeyError):
        folder["plots/a.png"]


def test_what_the_system_refuses_is_told_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError, match="cannot use a report in the making in ") as caught:
        Folder(tmp_path / "file" / "report")
    assert "BLOODCELL_CACHE" in caught.value.remedy


def test_a_folder_that_is_gone_stays_gone(tmp_path):
    """A thread that draws may be late: the run has ended."""
    folder = Folder(tmp_path / "report")
    folder["a"] = b"a"
    shutil.rmtree(tmp_path / "report")
    with pytest.raises(ObjectNotFoundError, match="holds no a"):
        folder["a"]
    for name in ("a", "plots/a.png"):
        with pytest.raises(StorageError):
            folder[name] = b"late"
    assert not (tmp_path / "report").exists()
