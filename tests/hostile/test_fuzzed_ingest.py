import io
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bloodcell.data.decoding import inspect
from bloodcell.data.layout import read_layout
from bloodcell.data.manifest import read_manifest
from bloodcell.data.sidecars import parse_sources
from bloodcell.errors import ArchiveError, DatasetError, ImageError
from bloodcell.printable import printable
from bloodcell.store import LocalStore
from tests.hostile.fuzzing import changed, only, quick
from tests.hostile.giving import GOOD, encoded, pushed, read_whole, zipped


def photograph(**options) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8), **options)


IMAGES = {
    "JPEG": encoded(photograph()),
    "progressive JPEG": encoded(photograph(), progressive=True),
    "PNG": encoded(photograph(), "PNG"),
    "animated PNG": encoded(photograph(), "PNG", save_all=True, append_images=[photograph().rotate(180)]),
}


@pytest.mark.parametrize("kind", IMAGES)
@quick
@given(data=st.data())
def test_an_image_is_read_or_refused(kind: str, data):
    with only(ImageError):
        inspect(data.draw(changed(IMAGES[kind])))


@cache
def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in {**GOOD, "empty/": b"", "sources.csv": b"path,source\n"}.items():
            opened.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@quick
@given(data=st.data())
def test_an_archive_is_read_or_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "images.zip")
        path.write_bytes(data.draw(changed(archive())))
        read_whole(path)


@quick
@given(data=st.data())
def test_an_archive_is_pushed_whole_or_not_at_all(data):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with only(ArchiveError, DatasetError, ImageError):
            (folder / "changed.zip").write_bytes(data.draw(changed(zipped(folder, {}).read_bytes())))
            info = pushed(folder, folder / "changed.zip")
            assert len(read_manifest(LocalStore(folder / "store"), info)) == info.images


@quick
@given(
    st.one_of(
        changed(b"path,source\nA/1.jpg,1\nB/2.jpg,2\n"),
        st.binary(),
        st.text().map(lambda text: text.encode("utf-8", "replace")),
    )
)
def test_sources_are_read_or_refused(content: bytes):
    with only(DatasetError):
        parse_sources(content)


@quick
@given(st.lists(st.text(min_size=1)))
def test_any_names_make_a_layout_or_are_refused(names: list[str]):
    with only(DatasetError):
        for image in read_layout([f"{name}.jpg" for name in names], names).images:
            assert printable(image.folder.label) == image.folder.label
