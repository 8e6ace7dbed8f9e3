"""Real servers for the tests. What cannot be had here is skipped, with the reason."""

import os
import random
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from ruamel.yaml import YAML

from bloodcell.errors import ConfigError
from bloodcell.store import Store, open_store
from deployments.local.object_store import Keys, ObjectStore
from tests.integration.engine import Engine, NoEngineError, own_engine
from tests.integration.image import building
from tests.integration.orchestration import Prefect, prefect_server
from tests.store.aws import set_aws


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs an engine, whose image takes minutes to make: one process runs these tests, another the rest."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and {"engine", "plain_engine"} & set(item.fixturenames):
            item.add_marker("engine")


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """An engine with GPUs that only take notes. BLOODCELL_TEST_IMAGES may name a folder that keeps its images."""
    kept = os.environ.get("BLOODCELL_TEST_IMAGES")
    with _possible(), own_engine(Path(kept) if kept else None, gpus=True) as engine:
        yield engine


@pytest.fixture(scope="session")
def plain_engine() -> Iterator[Engine]:
    """An engine without GPUs, with an image `empty`."""
    with _possible(), own_engine() as engine:
        subprocess.run(["docker", "-H", engine.url, "import", "-", "empty"], input=b"\0" * 10240, check=True)
        yield engine


@pytest.fixture(scope="session")
def base_image(engine) -> str:
    """A base for images: Debian and Python."""
    with _possible():
        return building.base_image(engine.url)


@pytest.fixture(scope="session")
def image(engine, base_image) -> str:
    """The project's image, made by `make image`."""
    name = "bloodcell:tested"
    building.make_image(engine.url, base_image, name)
    return name


@contextmanager
def _possible() -> Iterator[None]:
    """Skip, with the reason, what this machine cannot give."""
    try:
        yield
    except (NoEngineError, building.NotPossibleError) as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def reader() -> Keys:
    """Of a user of the S3 server who may read and list, and nothing else."""
    return Keys("reader", "secret-of-the-reader")


@pytest.fixture(scope="session")
def start_s3_server(tmp_path_factory) -> Iterator[Callable[..., ObjectStore]]:
    """Starts S3 servers, each with a bucket `bloodcell`."""
    with ExitStack() as running:

        def start(keys: Keys, reader: Keys | None = None) -> ObjectStore:
            folder = tmp_path_factory.mktemp("s3")
            while True:
                server = ObjectStore(folder, random.randrange(20_000, 30_000, 10), keys, reader=reader)
                try:
                    server.start()
                except ConfigError as error:
                    if "is taken" in error.problem:
                        continue
                    pytest.skip(str(error))
                break
            running.callback(server.stop)
            server.create_bucket("bloodcell")
            return server

        yield start


@pytest.fixture(scope="session")
def s3_server(start_s3_server, reader) -> ObjectStore:
    """The S3 server of most tests."""
    server: ObjectStore = start_s3_server(Keys("owner", "secret-of-the-owner"), reader)
    return server


@pytest.fixture
def s3_store(s3_server, monkeypatch) -> Store:
    """A store of this test alone on the S3 server, in the environment as well."""
    set_aws(monkeypatch, **s3_server.environment)
    url = f"s3://bloodcell/{uuid4().hex}"
    monkeypatch.setenv("BLOODCELL_STORE", url)
    return open_store(url)


@pytest.fixture
def grid_file(tmp_path) -> Callable[..., str]:
    """Writes the grid `own`, of experiments of seconds."""

    def write(**experiments: dict) -> str:
        path = tmp_path / f"{uuid4().hex}.yaml"
        base = {
            "backbone": "MobileNet", "width": 0.25, "weights": "none", "image_size": 32,
            "learning_rate": 1e-3, "batch_size": 16, "epochs": 2,
        }  # fmt: skip
        YAML().dump({"name": "own", "dataset": "coloured", "base": base, "experiments": experiments}, path)
        return str(path)

    return write


@pytest.fixture(scope="session")
def prefect(tmp_path_factory) -> Iterator[Prefect]:
    """A Prefect server with a database of its own."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as server:
        yield server
