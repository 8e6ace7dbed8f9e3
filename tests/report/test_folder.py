"""The files of a report while it is made."""

import pytest

from bloodcell.errors import StorageError
from bloodcell.report.folder import Folder


def test_files_are_kept_by_name_in_order(tmp_path):
    folder = Folder(tmp_path / "report")
    folder["plots/b.png"] = b"b"
    folder.put("a.html", iter([b"one ", b"two"]))
    folder["plots/b.png"] = b"again"
    assert list(folder.items()) == [("plots/b.png", b"again"), ("a.html", b"one two")]
    assert folder.path("a.html").read_bytes() == b"one two"
    assert "a.html" in folder
    del folder["a.html"]
    assert (list(folder), len(folder)) == (["plots/b.png"], 1)
    assert not folder.path("a.html").exists()
    with pytest.raises(KeyError):
        folder["a.html"]


def test_what_the_system_refuses_is_told_with_a_remedy(tmp_path):
    (tmp_path / "report").write_text("no folder")
    with pytest.raises(StorageError, match="cannot use a in ") as caught:
        Folder(tmp_path / "report")["a"] = b""
    assert "BLOODCELL_CACHE" in caught.value.remedy
