"""Real servers for the tests. What cannot be had here is skipped, with the reason."""

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from bloodcell.errors import ConfigError
from bloodcell.store import Store, open_store
from deployments.local.object_store import Keys, ObjectStore
from tests.integration.engine import Engine, own_engine
from tests.store.aws import set_aws


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


@pytest.fixture(scope="session")
def reader() -> Keys:
    """Of a user of the S3 server who may read and list, and nothing else."""
    return Keys("reader", "secret-of-the-reader")


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory, reader) -> Iterator[ObjectStore]:
    """An S3 server with a bucket `bloodcell`."""
    folder = tmp_path_factory.mktemp("s3")
    while True:
        server = ObjectStore(
            folder, random.randrange(20_000, 30_000, 10), Keys("owner", "secret-of-the-owner"), reader=reader
        )
        try:
            server.start()
        except ConfigError as error:
            if "is taken" in error.problem:
                continue
            pytest.skip(str(error))
        break
    try:
        server.create_bucket("bloodcell")
        yield server
    finally:
        server.stop()


@pytest.fixture
def s3_store(s3_server, monkeypatch) -> Store:
    """A store of this test alone on the S3 server, in the environment as well."""
    set_aws(monkeypatch, **s3_server.environment)
    url = f"s3://bloodcell/{uuid4().hex}"
    monkeypatch.setenv("BLOODCELL_STORE", url)
    return open_store(url)
