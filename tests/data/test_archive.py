import os
import stat
import tracemalloc
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bloodcell.data import archive
from bloodcell.data.archive import open_archive
from bloodcell.errors import ArchiveError


def refused(source: Path, match: str) -> ArchiveError:
    with pytest.raises(ArchiveError, match=match) as caught, open_archive(source):
        pass
    assert caught.value.exit_code == 65
    assert caught.value.remedy
    return caught.value


def zip_with(path: Path, member: zipfile.ZipInfo | str, data: bytes = b"bytes") -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("fine.jpg", b"fine")
        file.writestr(member, data)
    return path


def test_a_zip_and_a_folder_read_alike(folder_of, zip_of) -> None:
    files = {"b/two.jpg": b"2" * 100, "a/one.jpg": b"1", "empty/": b""}
    for source in (folder_of(files), zip_of(files)):
        with open_archive(source) as opened:
            assert opened.files == ("a/one.jpg", "b/two.jpg")
            assert "empty" in opened.folders
            assert {path: opened.read(path) for path in opened.files} == {"b/two.jpg": b"2" * 100, "a/one.jpg": b"1"}


def test_many_threads_may_read_at_once(zip_of) -> None:
    files = {f"{index}.jpg": bytes([index]) * 5000 for index in range(100)}
    with open_archive(zip_of(files)) as opened, ThreadPoolExecutor(8) as pool:
        assert dict(zip(opened.files, pool.map(opened.read, opened.files), strict=True)) == files


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.zip").write_bytes(b"\xff\xd8\xff\xe0 a JPEG by another name")
    refused(tmp_path / "photo.zip", "no readable zip")


def test_a_cut_zip_is_refused(zip_of) -> None:
    source = zip_of({"a.jpg": os.urandom(1000)})
    source.write_bytes(source.read_bytes()[:-30])
    refused(source, "no readable zip")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere.zip", "nowhere.zip does not exist")


@pytest.mark.parametrize(
    "name", ["../up.jpg", "a/../../up.jpg", "/etc/passwd", "C:/windows.jpg", "c:x.jpg", "a\\b.jpg", "..\\up.jpg"]
)
def test_a_name_that_leaves_the_archive_is_refused_by_name(tmp_path: Path, name: str) -> None:
    error = refused(zip_with(tmp_path / "x.zip", name), "holds a member named")
    assert repr(name) in error.problem


def test_a_name_cut_by_a_null_byte_is_refused(tmp_path: Path) -> None:
    source = zip_with(tmp_path / "x.zip", "aXb.jpg")
    source.write_bytes(source.read_bytes().replace(b"aXb.jpg", b"a\0b.jpg"))
    refused(source, "holds a member named")


@pytest.mark.parametrize("name", ["a..b.jpg", "kleine Größe.jpg", "./here.jpg", "Icon\r"])
def test_an_unusual_name_is_accepted(tmp_path: Path, name: str) -> None:
    with open_archive(zip_with(tmp_path / "x.zip", name)) as opened:
        assert opened.read(name.removeprefix("./")) == b"bytes"


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_symlink_or_device_in_a_zip_is_refused(tmp_path: Path, kind: int) -> None:
    member = zipfile.ZipInfo("link.jpg")
    member.external_attr = (kind | 0o777) << 16
    refused(zip_with(tmp_path / "x.zip", member, b"/etc/passwd"), "link.jpg in x.zip is a symbolic link")


@pytest.mark.parametrize("target", ["/etc/passwd", "/etc", "a.jpg", "nowhere"])
def test_a_symlink_in_a_folder_is_refused(folder_of, target: str) -> None:
    folder = folder_of({"a.jpg": b"a"})
    (folder / "link.jpg").symlink_to(target)
    refused(folder, "link.jpg in images is a symbolic link")


def test_a_pipe_in_a_folder_is_refused_instead_of_waited_for(folder_of) -> None:
    folder = folder_of({"a.jpg": b"a"})
    os.mkfifo(folder / "pipe.jpg")
    refused(folder, "pipe.jpg")


def test_a_folder_given_by_a_symlink_is_read(folder_of, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder_of({"a.jpg": b"a"}))
    with open_archive(tmp_path / "link") as opened:
        assert opened.files == ("a.jpg",)


def test_a_zip_bomb_is_refused_by_its_ratio(zip_of) -> None:
    refused(zip_of({"bomb.jpg": bytes(20_000_000)}), "would unpack to 20,000,000")


def test_overlapping_members_count_each_time(zip_of) -> None:
    source = zip_of({"a.jpg": bytes(60_000)})  # a ratio of some 400, at 150 bytes
    with zipfile.ZipFile(source, "a") as file:
        file.writestr("noise.bin", os.urandom(2000))  # brings it to 25
        for index in range(9):
            twin = zipfile.ZipInfo(f"{index}.jpg")
            original = file.getinfo("a.jpg")
            for field in ("compress_type", "CRC", "compress_size", "file_size", "header_offset"):
                setattr(twin, field, getattr(original, field))
            file.filelist.append(twin)
            file._didModify = True
    refused(source, "would unpack to 602,000")


def test_a_total_above_the_limit_is_refused(zip_of, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 1999)
    refused(zip_of({"a.jpg": os.urandom(1000), "b.jpg": os.urandom(1000)}), "would unpack to 2,000")


@pytest.mark.parametrize("kind", ["folder_of", "zip_of"])
def test_a_file_above_the_limit_is_not_read_to_its_end(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_FILE_BYTES", 1000)
    write: Callable[[dict[str, bytes]], Path] = request.getfixturevalue(kind)
    source = write({"fits.jpg": os.urandom(1000), "large.jpg": os.urandom(4_000_000)})
    with open_archive(source) as opened:
        assert len(opened.read("fits.jpg")) == 1000
        tracemalloc.start()
        with pytest.raises(ArchiveError, match=r"large\.jpg in .* is larger than the 1,000 bytes"):
            opened.read("large.jpg")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        tracemalloc.stop()


def test_a_member_with_more_bytes_than_it_declares_is_refused(zip_of) -> None:
    source = zip_of({"a.jpg": os.urandom(1000)})
    source.write_bytes(source.read_bytes().replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with open_archive(source) as opened, pytest.raises(ArchiveError, match=r"a\.jpg .* cannot be read"):
        opened.read("a.jpg")


def test_a_damaged_member_is_refused_by_name(zip_of) -> None:
    data = os.urandom(1000)
    source = zip_of({"a.jpg": data})
    source.write_bytes(source.read_bytes().replace(data[500:510], bytes(10)))
    with open_archive(source) as opened, pytest.raises(ArchiveError, match=r"a\.jpg .* cannot be read"):
        opened.read("a.jpg")


def test_an_encrypted_member_is_refused(zip_of) -> None:
    source = zip_of({"secret.jpg": b"secret"})
    data = bytearray(source.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    source.write_bytes(data)
    refused(source, "secret.jpg in images.zip is encrypted")


def test_an_unusual_compression_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("a.jpg", b"a")
    refused(tmp_path / "x.zip", "compressed by method 12")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("twin", ["fine.jpg", "./fine.jpg"])
def test_two_members_of_one_name_are_refused(tmp_path: Path, twin: str) -> None:
    refused(zip_with(tmp_path / "x.zip", twin), "two members named fine.jpg")
