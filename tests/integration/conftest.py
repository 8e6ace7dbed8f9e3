"""Real servers for the tests: Docker Engines, an S3 server, a Prefect server. What cannot be had here is skipped, with the reason."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.engine import Engine, NoEngineError, own_engine


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """An engine with two GPUs that only take notes."""
    with own_engine(Path("/tmp/me/e2/data"), gpus=True) as engine:
        yield engine


@pytest.fixture(scope="session")
def plain_engine() -> Iterator[Engine]:
    """An engine without GPUs, with an image `empty`."""
    with own_engine() as engine:
        subprocess.run(["docker", "-H", engine.url, "import", "-", "empty"], input=b"\0" * 10240, check=True)
        yield engine


@pytest.fixture(scope="session")
def base_image() -> str:
    return "base"
