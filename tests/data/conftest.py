import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Files = Mapping[str, bytes]


@pytest.fixture(scope="session")
def jpeg() -> Callable[..., bytes]:
    """Draws a small JPEG (or PNG); each number gives another image."""

    def draw(number: int, image_format: str = "JPEG") -> bytes:
        pixels = np.random.default_rng(number).integers(0, 256, (12, 16, 3), np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, image_format)
        return buffer.getvalue()

    return draw


@pytest.fixture
def folder_of(tmp_path: Path) -> Callable[[Files], Path]:
    """Writes files into a folder; a path that ends in `/` makes an empty folder."""

    def write(files: Files, name: str = "images") -> Path:
        for path, data in files.items():
            target = tmp_path / name / path
            if path.endswith("/"):
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
        return tmp_path / name

    return write


@pytest.fixture
def zip_of(tmp_path: Path) -> Callable[[Files], Path]:
    """Writes files into a zip, in the order given."""

    def write(files: Files, name: str = "images.zip") -> Path:
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, data in files.items():
                archive.writestr(path, data)
        return tmp_path / name

    return write


@pytest.fixture(scope="session")
def kaggle(jpeg: Callable[[int], bytes]) -> dict[str, bytes]:
    """Two classes in the Kaggle layout: four images a class in TRAIN, two in TEST, one in TEST_SIMPLE."""
    files: dict[str, bytes] = {}
    for declared, images in {"TRAIN": 4, "TEST": 2, "TEST_SIMPLE": 1}.items():
        for label in ("EOSINOPHIL", "MONOCYTE"):
            for index in range(images):
                files[f"set/images/{declared}/{label}/_{index}_{len(files)}.jpeg"] = jpeg(len(files))
    return files
