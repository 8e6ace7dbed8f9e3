"""A host full of credentials that are new in each run, with a real S3 server and a real Prefect server."""

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from bloodcell.data.ingest import push
from bloodcell.store import open_store
from deployments.local.object_store import Keys, ObjectStore
from tests.integration.orchestration import Prefect, prefect_server
from tests.store.aws import set_aws


def _new(kind: str) -> str:
    return f"planted-{kind}-{secrets.token_hex(10)}"


@dataclass(frozen=True)
class Credentials:
    """What is planted; slashes and plus signs as AWS has them, so that URLs must quote them."""

    access: str = field(default_factory=partial(_new, "key-id"))
    secret: str = field(default_factory=lambda: f"{_new('secret')}/{secrets.token_hex(4)}+x")
    token: str = field(default_factory=lambda: f"{_new('token')}//{secrets.token_hex(4)}==")
    endpoint: str = field(default_factory=lambda: f"{_new('endpoint')}/x")
    prefect: str = field(default_factory=partial(_new, "prefect"))
    api_key: str = field(default_factory=partial(_new, "api-key"))
    registry: str = field(default_factory=partial(_new, "registry"))
    index: str = field(default_factory=partial(_new, "index"))

    @property
    def environment(self) -> dict[str, str]:
        """Those that have nothing to do with AWS, as a host's environment may hold them."""
        return {
            "PREFECT_API_KEY": self.api_key,
            "REGISTRY_PASSWORD": self.registry,
            "PIP_INDEX_URL": f"https://user:{self.index}@index.invalid/simple",
        }


@dataclass(frozen=True)
class Host:
    """What a test needs of it.

    Attributes:
        grid: Name of the grid; it is no secret, and every place that is searched must hold it.
        write_grid: Writes the grid of these rows; returns its path.
        store: URL of the store, which holds the dataset.
    """

    planted: Credentials
    prefect: Prefect
    s3: ObjectStore
    grid: str
    write_grid: Callable[..., str]
    store: str

    def environment(self, endpoint: str, **aws: str) -> dict[str, str]:
        """The variables of a process that uses the host's servers, S3 at an address with a password."""
        own = {name: value for name, value in self.prefect.environment.items() if not name.startswith("AWS_")}
        address = endpoint.replace("//", f"//user:{self.planted.endpoint}@")
        return own | self.planted.environment | {
            **{name: os.environ[name] for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")},
            "AWS_EC2_METADATA_DISABLED": "true",
            **self.s3.environment, "AWS_ENDPOINT_URL": address, **aws,
            "BLOODCELL_STORE": self.store, "BLOODCELL_SLOTS": "2", "BLOODCELL_THREADS": "1",
        }  # fmt: skip


@pytest.fixture(scope="session")
def planted() -> Credentials:
    return Credentials()


@pytest.fixture(scope="session")
def guarded_prefect(planted, tmp_path_factory) -> Iterator[Prefect]:
    """A Prefect server that asks for a password."""
    with prefect_server(tmp_path_factory.mktemp("guarded"), auth=f"admin:{planted.prefect}") as server:
        yield server


@pytest.fixture(scope="session")
def owned_s3(planted, start_s3_server) -> ObjectStore:
    server: ObjectStore = start_s3_server(Keys(planted.access, planted.secret))
    return server


@pytest.fixture
def host(planted, guarded_prefect, owned_s3, coloured_folder, tmp_path, monkeypatch) -> Host:
    set_aws(monkeypatch, **owned_s3.environment)
    monkeypatch.setenv("BLOODCELL_CACHE", str(tmp_path / "cache"))
    grid = f"canary-{secrets.token_hex(8)}"
    store = f"s3://bloodcell/{grid}"
    push(open_store(store), coloured_folder, name="coloured")

    def write_grid(**experiments: dict) -> str:
        path: Path = tmp_path / f"{grid}-{len(experiments)}.yaml"
        base = {
            "backbone": "MobileNet", "width": 0.25, "weights": "none", "image_size": 32, "batch_size": 16, "epochs": 1,
        }  # fmt: skip
        YAML().dump({"name": grid, "dataset": "coloured", "base": base, "experiments": experiments}, path)
        return str(path)

    return Host(planted, guarded_prefect, owned_s3, grid, write_grid, store)
